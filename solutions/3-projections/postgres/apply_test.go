package postgres

import (
	"fmt"
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
			rewritten[row[:len(row)-len("0000000")]] = true
		}
	}
	require.Len(t, rewritten, 1, "pools with a new row")
	require.Greater(t, len(after), len(rewritten))
}

// writers returns the transactions that wrote the rows of pools, by pool and number of legs.
func (p *Projection) writers(t *testing.T) map[string]string {
	const query = `
SELECT book || instrument || currency || lpad(legs::text, 7, '0'), xmin::text FROM pools`
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

// A pool has one saved state for every spacing legs, even if the batches are small.
func TestSavedStatesOfAPoolAreSparse(t *testing.T) {
	t.Parallel()
	p, log := openTest(t), projectiontest.History(43, 900, 1)
	require.NoError(t, projection.Project(t.Context(), log, p, end(t, log), 13))
	requireState(t, p, log, end(t, log))
	var pools, most, saved int
	const query = "SELECT count(DISTINCT (book, instrument)), max(legs), count(*) FROM pools"
	require.NoError(t, p.Read(t.Context(), func(tx pgx.Tx) error {
		return tx.QueryRow(t.Context(), query).Scan(&pools, &most, &saved)
	}))
	require.Greater(t, most, spacing, "legs of the longest pool")
	require.LessOrEqual(t, saved, pools*(1+most/spacing), "saved states")
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
				ID: uuid.UUID{byte(n)}, Stream: trade.TradeStream(uti), Type: payload.Type,
				EffectiveAt: at,
				EnteredAt:   at, CommandID: "c-1",
				Data: payload.Data,
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
// that come again give the same bytes. BLOTTER_SEEDS is the number of histories.
func TestAnyWayGivesTheSameBytes(t *testing.T) {
	t.Parallel()
	seeds := 40
	if testing.Short() {
		seeds = 10
	}
	for seed := range uint64(fromEnv(t, "BLOTTER_SEEDS", seeds)) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) { // which closes its connections
			require.NoError(t, projectiontest.Wander(t.Context(), openTest(t), seed))
		})
	}
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
