package postgres_test

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"example.com/blotter/capstone/forensics"
	"example.com/blotter/capstone/forensics/postgres"
	"example.com/blotter/capstone/simulate"
	"example.com/blotter/labs/3-projections/projectiontest"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/stack/stacktest"
	"example.com/blotter/labs/kit/trade"
	projection "example.com/blotter/solutions/3-projections"
)

// A simulated log is the outcome of the simulator's commands, in one partition. Its events are made
// when they are read, once and in order, so it may be longer than memory.
type simulated struct {
	contract.Reader // nil: a projection calls only the methods below
	size            int64
	events          func() (contract.Recorded, bool)
	sample          []contract.Recorded // one event of every hundred
}

func newSimulated(t *testing.T, size int64) *simulated {
	book := simulate.Book(simulate.Config{Seed: 7, Trades: int(size)/3 + 50, Days: 400,
		From: time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)})
	next, stop := iter.Pull(eventsOf(t, book))
	t.Cleanup(stop)
	return &simulated{size: size, events: next}
}

// eventsOf decides the commands of a book, with their follow-ups.
func eventsOf(t *testing.T, book iter.Seq[simulate.Step]) iter.Seq[contract.Recorded] {
	streams, n := map[string][]trade.Event{}, int64(0)
	return func(yield func(contract.Recorded) bool) {
		var record func(cmd trade.Command, cause uuid.UUID) bool
		record = func(cmd trade.Command, cause uuid.UUID) bool {
			d, err := trade.Decide(streams, cmd)
			stream := cmd.Stream()
			if r := (*trade.Refusal)(nil); err != nil {
				r = err.(*trade.Refusal)
				d = trade.Decision{EffectiveAt: cmd.EnteredAt, Body: trade.CommandRefused{
					CommandID: cmd.ID, Digest: cmd.Digest(), Rule: string(r.Rule)}}
				stream = cmd.RefusedStream()
			}
			e := trade.Event{
				ID: trade.EventID(cmd.ID, 0), Version: int64(len(streams[stream])) + 1,
				Corrects: d.Corrects, EffectiveAt: d.EffectiveAt, EnteredAt: cmd.EnteredAt,
				RecordedAt: cmd.EnteredAt.Add(time.Microsecond), Actor: cmd.Actor, Body: d.Body,
			}
			streams[stream] = append(streams[stream], e)
			if !yield(recordedOf(t, stream, cmd, e, cause, n)) {
				return false
			}
			n++
			if err != nil || cmd.UTI == "" {
				return true
			}
			for _, next := range trade.FollowUps(cmd.UTI, streams[stream], e) {
				if !record(next, e.ID) {
					return false
				}
			}
			return true
		}
		for step := range book {
			if !record(step.Command, step.Command.ContentID()) {
				return
			}
		}
	}
}

func recordedOf(t *testing.T, stream string, cmd trade.Command, e trade.Event, cause uuid.UUID,
	n int64) contract.Recorded {
	p, err := projectiontest.Codec{}.Encode(context.Background(), e.Body)
	require.NoError(t, err)
	return contract.Recorded{
		Event: contract.Event{
			ID: e.ID, Stream: stream, Type: p.Type, Schema: p.Schema, Data: p.Data,
			EffectiveAt: e.EffectiveAt, EnteredAt: e.EnteredAt, Corrects: e.Corrects,
			CommandID: cmd.ID, Actor: cmd.Actor, Approver: cmd.Approver, Reason: cmd.Reason,
			Source: "simulate", Causation: cause,
		},
		Version: e.Version, RecordedAt: e.RecordedAt, Position: contract.Position{Offset: n},
	}
}

func (l *simulated) End(context.Context) (contract.Cursor, error) {
	return contract.Cursor{l.size}, nil
}

func (l *simulated) Read(_ context.Context, from, to contract.Cursor) (
	feed iter.Seq2[contract.Recorded, error]) {
	return func(yield func(contract.Recorded, error) bool) {
		for n := from.At(0); n < to.At(0); n++ {
			r, ok := l.events()
			if !ok || r.Position.Offset != n {
				yield(r, fmt.Errorf("event %d is read, and the simulation is at %s", n, r.Position))
				return
			}
			if n%100 == 0 {
				l.sample = append(l.sample, r)
			}
			if !yield(r, nil) {
				return
			}
		}
	}
}

// Questions to a long log are answered within the budget, and as fast as those to a
// short one. BLOTTER_SCALE=1000000 compares 10 thousand events with a million: see make scale. A
// shorter log has a loose bound, because the machine may be busy.
func TestLongLogAnswersAsFastAsShort(t *testing.T) {
	small, large, bound, slack := int64(300), int64(2000), 4.0, 5*time.Millisecond
	budget, questions := time.Second, 100
	if text, ok := os.LookupEnv("BLOTTER_SCALE"); ok {
		n, err := strconv.ParseInt(text, 10, 64)
		require.NoError(t, err, "BLOTTER_SCALE")
		large = max(n, small)
	}
	if large >= 1_000_000 {
		small, bound, slack, budget, questions = 10_000, 1.3, 0, 50*time.Millisecond, 2000
	}
	var logs [2]*simulated
	var models [2]*postgres.Model
	for i, size := range []int64{small, large} {
		begun := time.Now()
		logs[i] = newSimulated(t, size)
		dsn, schema := stacktest.Schema(t)
		m, err := postgres.OpenAs(t.Context(), dsn, dsn, schema, projectiontest.Codec{})
		require.NoError(t, err)
		t.Cleanup(m.Close)
		end, _ := logs[i].End(t.Context())
		require.NoError(t, projection.Project(t.Context(), logs[i], m, end, 20_000))
		analyze(t, dsn)
		models[i] = m
		t.Logf("%d events indexed in %v", size, time.Since(begun).Round(time.Millisecond))
	}
	var took [2][]time.Duration
	slowest := [2]map[string]time.Duration{{}, {}}
	for n := range questions {
		for i := range logs { // in turns, so that other work slows down both
			r := rand.New(rand.NewPCG(uint64(n), 11))
			name, ask := drawTimed(r, logs[i])
			passed := time.Hour
			for range 3 { // the least of three: the machine may be busy
				begun := time.Now()
				require.NoError(t, models[i].In(t.Context(), func(in forensics.Index) error {
					return ask(t.Context(), in)
				}), name)
				passed = min(passed, time.Since(begun))
			}
			took[i] = append(took[i], passed)
			slowest[i][name] = max(slowest[i][name], passed)
		}
	}
	for i := range took {
		slices.Sort(took[i])
		t.Logf("%d events: median %v, p99 %v, slowest by kind %v", logs[i].size,
			took[i][questions/2], took[i][questions*99/100], slowest[i])
	}
	ratio := float64(took[1][questions/2]) / float64(took[0][questions/2])
	t.Logf("%.2f times", ratio)
	require.Less(t, took[1][questions*99/100], budget, "p99 of the long log")
	require.Less(t, took[1][questions/2],
		slack+time.Duration(bound*float64(took[0][questions/2])), "median")
}

// analyze lets the planner know the tables, as autovacuum does in time.
func analyze(t *testing.T, dsn string) {
	conn, err := pgx.Connect(t.Context(), dsn)
	require.NoError(t, err)
	defer conn.Close(t.Context())
	_, err = conn.Exec(t.Context(), "ANALYZE")
	require.NoError(t, err)
}

// drawTimed draws one of all questions, with a page of at most 100 events.
func drawTimed(r *rand.Rand, l *simulated) (
	string, func(context.Context, forensics.Index) error) {
	some := func() contract.Recorded { return l.sample[r.IntN(len(l.sample))] }
	e := some()
	uti := strings.TrimPrefix(trade.Subject(e.Stream), trade.TradeStream(""))
	switch r.IntN(10) {
	case 0:
		return "state", func(ctx context.Context, in forensics.Index) error {
			_, _, err := forensics.StateOf(ctx, in, uti, trade.AsOf{})
			return err
		}
	case 1:
		return "lineage", func(ctx context.Context, in forensics.Index) error {
			_, err := forensics.LineageOf(ctx, in, uti, trade.AsOf{})
			return err
		}
	case 2:
		return "cause", func(ctx context.Context, in forensics.Index) error {
			_, _, err := forensics.CauseOf(ctx, in, e.ID, trade.AsOf{})
			return err
		}
	}
	kinds, zones := forensics.Kinds(), trade.DeliveryPoints()
	q := forensics.Question{
		Kind: kinds[r.IntN(len(kinds))], Limit: 100, Stream: e.Stream, Field: "price",
		Principal: cmp.Or(e.Approver, e.Actor), Zone: zones[r.IntN(len(zones))],
		Entry: r.IntN(2) == 0, Over: time.Duration(r.IntN(72)) * time.Hour,
		Within: time.Duration(r.IntN(7*24)) * time.Hour, Tolerance: r.Int64N(100_001),
	}
	if r.IntN(2) == 0 {
		q.From = some().RecordedAt
		q.Until = q.From.AddDate(0, 0, 1+r.IntN(60))
	}
	if r.IntN(4) == 0 {
		q.Known = some().RecordedAt
	}
	return string(q.Kind), func(ctx context.Context, in forensics.Index) error {
		_, err := in.Find(ctx, q)
		return err
	}
}
