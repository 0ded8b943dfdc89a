package postgres

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/3-projections/projectiontest"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/stack/stacktest"
	"example.com/blotter/labs/kit/trade"
	projection "example.com/blotter/solutions/3-projections"
)

// L3.I4: the rows of other pools are not written. The column xmin shows it: it is the transaction
// that wrote the row.
func TestALateEventRefoldsOnlyItsPools(t *testing.T) {
	t.Parallel()
	p, log := openTest(t), projectiontest.History(41, 500, 1)
	n := len(log.Events) - 1
	for log.Events[n].Type != "trade.settled" {
		n--
	}
	require.NoError(t, projection.Project(t.Context(), log, p, after(nil, log.Events[:n]), 100))
	before := p.writers(t)
	require.NoError(t, projection.Project(t.Context(), log, p, after(nil, log.Events[:n+1]), 100))
	requireState(t, p, log, after(nil, log.Events[:n+1]))
	after, rewritten := p.writers(t), map[string]bool{}
	for row, xmin := range after {
		if before[row] != xmin {
			rewritten[row] = true
		}
	}
	require.Len(t, rewritten, 1, "pools with a new row")
	require.Greater(t, len(after), len(rewritten))
}

// A mark of one point writes one row of its curve, also after a mark of the same process.
func TestAMarkWritesOnlyItsPoints(t *testing.T) {
	t.Parallel()
	p, log := openTest(t), &projectiontest.Log{}
	for n, months := range [][]int{{1, 2, 3}, {2}, {1}} {
		body := trade.PriceMarked{Curve: "power/CET/base", Currency: "EUR"}
		for _, month := range months {
			delivery, err := trade.ParsePeriod(fmt.Sprintf("2025-%02d", month))
			require.NoError(t, err)
			price := trade.Int(int64(10*n + month))
			body.Points = append(body.Points, trade.Point{Delivery: delivery, Price: price})
		}
		payload, err := projectiontest.Codec{}.Encode(t.Context(), body)
		require.NoError(t, err)
		at := time.Date(2025, 1, 1, 0, n, 0, 0, time.UTC)
		log.Events = append(log.Events, contract.Recorded{
			Event: contract.Event{
				ID: uuid.UUID{byte(n), 1}, Stream: trade.CurveStream(body.Curve),
				Type: payload.Type, Data: payload.Data,
				EffectiveAt: at, EnteredAt: at, CommandID: "c-1",
			},
			Version: int64(n + 1), RecordedAt: at, Position: contract.Position{Offset: int64(n)},
		})
		before := p.writersOf(t, "SELECT delivery, xmin::text FROM curves")
		require.NoError(t, p.Apply(t.Context(), log.Events, after(nil, log.Events)))
		requireState(t, p, log, after(nil, log.Events))
		written := 0
		for point, xmin := range p.writersOf(t, "SELECT delivery, xmin::text FROM curves") {
			if before[point] != xmin {
				written++
			}
		}
		require.Equal(t, len(months), written, "mark %d", n)
	}
}

// writers returns the transactions that wrote the positions, by pool.
func (p *Projection) writers(t *testing.T) map[string]string {
	return p.writersOf(t, "SELECT book || instrument || currency, xmin::text FROM positions")
}

// writersOf returns the transactions that wrote rows, by their keys.
func (p *Projection) writersOf(t *testing.T, query string) map[string]string {
	found := map[string]string{}
	require.NoError(t, p.Read(t.Context(), func(tx pgx.Tx) error {
		rows, err := tx.Query(t.Context(), query)
		if err != nil {
			return err
		}
		var row, xmin string
		_, err = pgx.ForEachRow(rows, []any{&row, &xmin}, func() error {
			found[row] = xmin
			return nil
		})
		return err
	}))
	return found
}

func TestAFeedThatSkipsAnEventIsRefused(t *testing.T) {
	t.Parallel()
	p, log := openTest(t), projectiontest.History(42, 200, 1)
	n := slices.IndexFunc(log.Events, func(r contract.Recorded) bool { return r.Version == 2 })
	beyond := after(nil, log.Events[:n+1])
	err := p.Apply(t.Context(), log.Events[n:n+1], beyond)
	require.ErrorContains(t, err, "the feed skipped or repeated an event")
	require.ErrorContains(t, err, log.Events[n].Stream)
	cursor, err := p.Cursor(t.Context())
	require.NoError(t, err)
	require.Empty(t, cursor)
}

// A pool has at most one saved state for every spacing legs, even if the batches are small.
func TestSavedStatesOfAPoolAreSparse(t *testing.T) {
	t.Parallel()
	p, log := openTest(t), projectiontest.History(43, 2500, 1)
	require.NoError(t, projection.Project(t.Context(), log, p, end(t, log), 117))
	requireState(t, p, log, end(t, log))
	var legs, saved int
	const query = "SELECT (SELECT count(*) FROM legs), (SELECT count(*) FROM pools)"
	require.NoError(t, p.Read(t.Context(), func(tx pgx.Tx) error {
		return tx.QueryRow(t.Context(), query).Scan(&legs, &saved)
	}))
	require.Positive(t, saved, "saved states")
	require.LessOrEqual(t, saved, legs/spacing, "saved states of %d legs", legs)
}

// The last leg is removed. The saved state before it is then the position again.
func TestAPoolReturnsToASavedState(t *testing.T) {
	t.Parallel()
	p, log := openTest(t), &projectiontest.Log{}
	record := func(uti string, version int64, body trade.Body) {
		payload, err := projectiontest.Codec{}.Encode(t.Context(), body)
		require.NoError(t, err)
		n := len(log.Events)
		at := time.Date(2025, 1, 1, 0, n, 0, 0, time.UTC)
		log.Events = append(log.Events, contract.Recorded{
			Event: contract.Event{
				ID: uuid.UUID{byte(n), byte(n >> 8)}, Stream: trade.TradeStream(uti),
				Type: payload.Type, Data: payload.Data,
				EffectiveAt: at, EnteredAt: at, CommandID: "c-1",
			},
			Version: version, RecordedAt: at, Position: contract.Position{Offset: int64(n)},
		})
	}
	march, err := trade.ParseInstrumentID("power/CET/base@2025-03")
	require.NoError(t, err)
	for n := range spacing + 1 {
		record(fmt.Sprint("UTI-", n), 1, trade.New{
			Book: "b", Counterparty: "c", Trader: "t", Side: trade.Buy, Instrument: march,
			Quantity: trade.Quantity{Value: trade.Int(1), Unit: trade.MWh},
			Price:    trade.Int(50), Currency: "EUR",
		})
	}
	record(fmt.Sprint("UTI-", spacing), 2, trade.Cancel{Kind: trade.Void})
	for _, n := range []int{spacing + 1, spacing + 2} {
		require.NoError(t, p.Apply(t.Context(), log.Events[:n], after(nil, log.Events[:n])))
		requireState(t, p, log, after(nil, log.Events[:n]))
	}
}

// L3.I3: interleavings of partitions, sizes of batches, places where the catch-up ends, and batches
// that come again give the same bytes. Two processes take turns at random, so that each continues
// now from the rows in its memory, and now from those in the tables. BLOTTER_SEEDS is the number of
// histories.
func TestAnyWayGivesTheSameBytes(t *testing.T) {
	t.Parallel()
	seeds := 40
	if testing.Short() {
		seeds = 10
	}
	for seed := range uint64(fromEnv(t, "BLOTTER_SEEDS", seeds)) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) { // which closes its connections
			dsn, schema := stacktest.Schema(t)
			turns := &taking{Rand: rand.New(rand.NewPCG(seed, 4))}
			for i := range turns.processes {
				p, err := Open(t.Context(), dsn, schema, projectiontest.Codec{})
				require.NoError(t, err)
				t.Cleanup(p.Close)
				turns.Projection, turns.processes[i] = p, p
			}
			require.NoError(t, projectiontest.Wander(t.Context(), turns, seed))
		})
	}
}

// A taking is a model to which two processes apply events in turns, drawn at random.
type taking struct {
	*Projection
	*rand.Rand
	processes [2]*Projection
	now       int
}

func (t *taking) Apply(ctx context.Context, events []contract.Recorded,
	next contract.Cursor) error {
	if t.IntN(3) == 0 {
		t.now = 1 - t.now
	}
	return t.processes[t.now].Apply(ctx, events, next)
}

// L3.I1, L3.I2: two processes project one log into one model, in batches of different sizes. Each
// event counts once, and neither process fails.
func TestTwoProjectorsCountOnce(t *testing.T) {
	t.Parallel()
	dsn, schema := stacktest.Schema(t)
	log := projectiontest.History(44, 400, 3)
	var all sync.WaitGroup
	for _, size := range []int{7, 23} {
		p, err := Open(t.Context(), dsn, schema, projectiontest.Codec{})
		require.NoError(t, err)
		t.Cleanup(p.Close)
		all.Go(func() {
			if err := projection.Project(t.Context(), log, p, end(t, log), size); err != nil {
				t.Errorf("project in batches of %d beside another process: %v", size, err)
			}
		})
	}
	all.Wait()
	p, err := Open(t.Context(), dsn, schema, projectiontest.Codec{})
	require.NoError(t, err)
	t.Cleanup(p.Close)
	requireState(t, p, log, end(t, log))
}
