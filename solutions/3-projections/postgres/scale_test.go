package postgres

import (
	"context"
	"encoding/binary"
	"fmt"
	"iter"
	"os"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/stack/stacktest"
	"example.com/blotter/labs/kit/trade"
	projection "example.com/blotter/solutions/3-projections"
)

// fromEnv returns the number that an environment variable holds, or otherwise.
func fromEnv(t testing.TB, name string, otherwise int) int {
	text, ok := os.LookupEnv(name)
	if !ok {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	require.NoError(t, err, name)
	return n
}

// A long is a log of one partition, whose events are made when they are read. So it may be longer
// than memory. A hundred contracts at a time get ten events each: a contract of 100 MWh, and nine
// prices. The sixth price is late: it is effective before hundreds of recorded events.
type long struct {
	contract.Reader // nil: a projection calls only the methods below
	codec           contract.Codec
	events          atomic.Int64
	instruments     []trade.Instrument
}

const (
	together = 100 // contracts
	rounds   = 10  // events of each
)

func newLong(t testing.TB, events int) *long {
	l := &long{codec: newTopics(t).codec}
	l.events.Store(int64(events))
	for month := 1; month <= 12; month++ {
		i, err := trade.ParseInstrumentID(fmt.Sprintf("power/CET/base@2026-%02d", month))
		require.NoError(t, err)
		l.instruments = append(l.instruments, i)
	}
	return l
}

func (l *long) End(context.Context) (contract.Cursor, error) {
	return contract.Cursor{l.events.Load()}, nil
}

func (l *long) Read(ctx context.Context, from, to contract.Cursor) (
	feed iter.Seq2[contract.Recorded, error]) {
	return func(yield func(contract.Recorded, error) bool) {
		for n := from.At(0); n < to.At(0); n++ {
			if !yield(l.event(ctx, n)) {
				return
			}
		}
	}
}

// place returns the contract of the n-th event, and the number of the event in it, from 0.
func place(n int64) (of, round int64) {
	const block = together * rounds
	return n/block*together + n%together, n % block / together
}

// contracts returns the number of contracts that n events begin.
func contracts(n int64) int64 {
	const block = together * rounds
	return n/block*together + min(n%block, together)
}

func (l *long) event(ctx context.Context, n int64) (contract.Recorded, error) {
	of, round := place(n)
	at := time.Date(2025, 1, 1, 0, 0, int(n), 0, time.UTC)
	price := trade.Int(50 + round)
	var body trade.Body = trade.Amend{Kind: trade.Amendment, Price: &price}
	if round == 0 {
		body = trade.New{
			Book: fmt.Sprint("book-", of%20), Counterparty: "c", Trader: "t", Side: trade.Buy,
			Instrument: l.instruments[of%12], Currency: "EUR", Price: price,
			Quantity: trade.Quantity{Value: trade.Int(100), Unit: trade.MWh},
		}
	}
	payload, err := l.codec.Encode(ctx, body)
	r := contract.Recorded{
		Event: contract.Event{
			Stream: trade.TradeStream(fmt.Sprint("UTI-", of)), Type: payload.Type,
			Schema: payload.Schema, Fingerprint: payload.Fingerprint, Data: payload.Data,
			EffectiveAt: at, EnteredAt: at, CommandID: fmt.Sprint("c-", n), Actor: "desk-7",
		},
		Version: round + 1, RecordedAt: at, Position: contract.Position{Offset: n},
	}
	binary.BigEndian.PutUint64(r.ID[8:], uint64(n)+1)
	if round == 6 {
		r.EffectiveAt = at.Add(-(together - 1) * time.Second)
	}
	return r, err
}

// L3.I5: events are appended and readers read while a model is rebuilt. Every reader finds exactly
// the events before the model's cursor, and never an earlier cursor than before. In the end the
// rebuilt model has the rows of one that was never rebuilt. BLOTTER_SCALE is the number of events
// before the rebuild: see make scale.
func TestRebuildWhileAppendsGoOn(t *testing.T) {
	t.Parallel()
	events := fromEnv(t, "BLOTTER_SCALE", 1500)
	log, size := newLong(t, events), max(300, min(events/20, 50_000))
	live, old := openOn(t, log), openOn(t, log)
	begun := time.Now()
	log.project(t, live, size)
	t.Logf("%d events projected in %v", events, time.Since(begun).Round(time.Millisecond))

	ctx, stop := context.WithCancel(t.Context())
	var all sync.WaitGroup
	reads := make([]int, 2)
	for i := range reads {
		all.Go(func() {
			for seen := int64(events); ctx.Err() == nil && !t.Failed(); reads[i]++ {
				seen = readWhole(t, live, seen)
			}
		})
	}
	all.Go(func() {
		for ctx.Err() == nil && !t.Failed() {
			log.events.Add(37)
			log.project(t, live, size)
		}
	})
	begun = time.Now()
	require.NoError(t, live.Rebuild(t.Context(), log, size))
	took := time.Since(begun)
	stop()
	all.Wait()
	n := log.events.Load()
	t.Logf("rebuilt in %v, while %d events were appended and readers found %v whole models",
		took.Round(time.Millisecond), n-int64(events), reads)
	log.project(t, live, size)
	log.project(t, old, size/3)
	readWhole(t, live, n)
	require.Equal(t, rowsOf(t, old), rowsOf(t, live))
	t.Logf("rows of the rebuilt model, and of one that was never rebuilt: %s", rowsOf(t, old))
}

func openOn(t *testing.T, log *long) *Projection {
	dsn, schema := stacktest.Schema(t)
	p, err := Open(t.Context(), dsn, schema, log.codec)
	require.NoError(t, err)
	t.Cleanup(p.Close)
	return p
}

// project brings p to the end of the log.
func (l *long) project(t *testing.T, p *Projection, size int) {
	end, err := l.End(t.Context())
	if err == nil {
		err = projection.Project(t.Context(), l, p, end, size)
	}
	if err != nil {
		t.Errorf("project: %v", err)
	}
}

// readWhole requires that the model has exactly the events before its cursor, which is at seen or
// later. It returns the cursor.
func readWhole(t *testing.T, p *Projection, seen int64) int64 {
	const query = `
SELECT cursor::json->>0, (SELECT count(*) FROM events), (SELECT count(*) FROM legs),
       (SELECT count(*) FROM trades), (SELECT sum(quantity) FROM positions)::bigint,
       (SELECT (state->>'price')::numeric::bigint FROM trades WHERE uti = $1)
FROM checkpoint`
	last, round := place(seen - 1)
	var text string
	var found struct{ events, legs, trades, quantity, price int64 }
	err := p.Read(t.Context(), func(tx pgx.Tx) error {
		return tx.QueryRow(t.Context(), query, fmt.Sprint("UTI-", last)).Scan(&text, &found.events,
			&found.legs, &found.trades, &found.quantity, &found.price)
	})
	if err != nil {
		t.Errorf("read: %v", err)
		return seen
	}
	n, err := strconv.ParseInt(text, 10, 64)
	want := found
	want.events, want.legs, want.trades, want.quantity = n, n, contracts(n), 100*contracts(n)
	if err != nil || n < seen || found != want || found.price < 50+round {
		t.Errorf("a reader found %+v at the cursor %s, want %+v and at least the cursor %d",
			found, text, want, seen)
	}
	return n
}

// rowsOf returns the number and a digest of the rows of each table.
func rowsOf(t *testing.T, p *Projection) string {
	const query = `
SELECT (SELECT count(*) || ' ' || sum(hashtextextended(t::text, 0)) FROM events t) || ', legs ' ||
       (SELECT count(*) || ' ' || sum(hashtextextended(t::text, 0)) FROM legs t) || ', trades ' ||
       (SELECT count(*) || ' ' || sum(hashtextextended(t::text, 0)) FROM trades t) ||
       ', positions ' ||
       (SELECT count(*) || ' ' || sum(hashtextextended(t::text, 0)) FROM positions t)`
	var rows string
	require.NoError(t, p.Read(t.Context(), func(tx pgx.Tx) error {
		return tx.QueryRow(t.Context(), query).Scan(&rows)
	}))
	return "events " + rows
}

// A contract is read as fast from a long model as from a short one. BLOTTER_SCALE=1000000 compares
// 10 thousand events with a million. A shorter one has a loose bound, because the machine may be
// busy.
func TestLongModelAnswersAsFastAsShort(t *testing.T) {
	small, large := 300, fromEnv(t, "BLOTTER_SCALE", 3000)
	bound, slack := 4.0, time.Millisecond
	if large >= 1_000_000 {
		small, bound, slack = 10_000, 1.3, 0
	}
	var models [2]*Projection
	for i, events := range []int{small, large} {
		log := newLong(t, events)
		models[i] = openOn(t, log)
		log.project(t, models[i], 50_000)
	}
	const times = 301
	var took [2][]time.Duration
	for n := range int64(times) {
		for i, events := range []int{small, large} {
			uti := fmt.Sprint("UTI-", n*7919%contracts(int64(events)))
			begun := time.Now()
			_, ok, err := models[i].Trade(t.Context(), uti)
			took[i] = append(took[i], time.Since(begun))
			require.NoError(t, err)
			require.True(t, ok, uti)
		}
	}
	slices.Sort(took[0])
	slices.Sort(took[1])
	short, long := took[0][times/2], took[1][times/2]
	t.Logf("one contract: %v of %d events, %v of %d: %.2f times", short, small, long, large,
		float64(long)/float64(short))
	require.Less(t, long, slack+time.Duration(bound*float64(short)))
}
