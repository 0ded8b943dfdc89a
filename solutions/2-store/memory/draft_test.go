package memory_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/2-store/storetest"
	"example.com/blotter/labs/kit/check"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/solutions/2-store/memory"
)

// A draft over an empty log is a store like any other.
func TestDraftIsAStore(t *testing.T) {
	t.Parallel()
	check.Run(t, storetest.Suite(storetest.Fixture{
		Volatile: true, Atomic: true,
		Open: func(t check.T, clock contract.Clock) storetest.Log {
			d, err := memory.Over(context.Background(), memory.New(clock), clock)
			require.NoError(t, err)
			return storetest.Log{Store: d}
		},
	}))
}

// A draft decides as its log would, and the log stays as it is.
func TestDraftLeavesTheLogAsItIs(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	noon := time.Date(2025, 1, 10, 12, 0, 0, 0, time.UTC)
	clock := func(context.Context) time.Time { return noon }
	log := memory.New(clock)
	first, second := event("a", 1), event("a", 2)
	_, err := log.Append(ctx, "a", 0, first)
	require.NoError(t, err)

	d, err := memory.Over(ctx, log, clock)
	require.NoError(t, err)
	again, err := d.Append(ctx, "a", 0, first)
	require.NoError(t, err)
	require.EqualValues(t, 1, again[0].Version, "the event is on record already")
	conflict := new(contract.ConflictError)
	_, err = d.Append(ctx, "a", 0, second)
	require.ErrorAs(t, err, &conflict)
	receipts, err := d.Append(ctx, "a", 1, second)
	require.NoError(t, err)
	require.Equal(t, contract.Receipt{Version: 2, RecordedAt: noon.Add(time.Microsecond)},
		receipts[0])
	_, err = log.Append(ctx, "a", 1, event("a", 3)) // another writer, later
	require.NoError(t, err)

	end, err := d.End(ctx)
	require.NoError(t, err)
	require.Equal(t, contract.Cursor{1, 1}, end)
	for name, events := range map[string]func() []contract.Recorded{
		"stream": func() []contract.Recorded { return collect(t, d.Stream(ctx, "a")) },
		"feed":   func() []contract.Recorded { return collect(t, d.Read(ctx, nil, end)) },
	} {
		got := events()
		require.Len(t, got, 2, name)
		require.Equal(t, second.ID, got[1].ID, name)
		require.Equal(t, contract.Position{Partition: 1}, got[1].Position, name)
	}
	require.Len(t, collect(t, d.Read(ctx, contract.Cursor{1}, end)), 1)
	found, err := d.Find(ctx, second.ID)
	require.NoError(t, err)
	require.EqualValues(t, 2, found.Version)
	_, err = log.Find(ctx, second.ID)
	require.ErrorIs(t, err, contract.ErrNotFound)
}

// A draft decides an append to several streams as its log would: with its versions, guards and
// append groups.
func TestDraftAppendsToSeveralStreams(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	log := memory.New(contract.SimulatedClock)
	posting := func(n int, expected int64) []contract.StreamAppend {
		return []contract.StreamAppend{
			{Stream: "account/main/a", Expected: expected,
				Events: []contract.Event{event("account/main/a", n)}},
			{Stream: "account/main/b", Expected: expected,
				Events: []contract.Event{event("account/main/b", n)}},
		}
	}
	first, err := log.AppendAll(ctx, posting(1, 0))
	require.NoError(t, err)
	_, err = log.Append(ctx, "period/main/1", 0, event("period/main/1", 1))
	require.NoError(t, err)

	d, err := memory.Over(ctx, log, contract.SimulatedClock)
	require.NoError(t, err)
	again, err := d.AppendAll(ctx, posting(1, 0))
	require.NoError(t, err)
	require.Equal(t, first, again, "it is on record already")
	_, err = d.AppendAll(ctx, posting(1, 0)[:1])
	require.ErrorIs(t, err, contract.ErrPartial)
	conflict := new(contract.ConflictError)
	_, err = d.AppendAll(ctx, posting(2, 1), contract.Guard{Stream: "period/main/1"})
	require.ErrorAs(t, err, &conflict)
	require.Equal(t, "period/main/1", conflict.Stream)
	second, err := d.AppendAll(ctx, posting(2, 1), contract.Guard{
		Stream: "period/main/1", Version: 1,
	})
	require.NoError(t, err)
	require.EqualValues(t, 2, second[1][0].Version)
	end, err := log.End(ctx)
	require.NoError(t, err)
	require.Equal(t, contract.Cursor{3}, end, "the log is as it was")
}

// A draft refuses the append to several streams that its log would refuse whatever it has recorded.
func TestDraftRefusesWhatItsLogRefuses(t *testing.T) {
	t.Parallel()
	appends := func(streams ...string) (all []contract.StreamAppend) {
		for n, s := range streams {
			all = append(all, contract.StreamAppend{
				Stream: s, Events: []contract.Event{event(s, n)},
			})
		}
		return all
	}
	one, two, third := "account/main/a", "account/main/b", "account/main/c"
	log := memory.New(contract.SimulatedClock)
	draft := func(log contract.Store) *memory.Draft {
		d, err := memory.Over(t.Context(), log, contract.SimulatedClock)
		require.NoError(t, err)
		return d
	}
	d := draft(struct{ contract.Store }{log})
	require.False(t, d.Together(one, two))
	_, err := d.AppendAll(t.Context(), appends(one, two))
	require.ErrorIs(t, err, errors.ErrUnsupported)

	d = draft(parted{log, two})
	require.False(t, d.Together(one, two))
	require.True(t, d.Together(one, third))
	want := contract.ApartError{Stream: one, Other: two}
	for _, guards := range [][]contract.Guard{nil, {{Stream: two}}} {
		parts := appends(one, third, two)
		if guards != nil {
			parts = parts[:2]
		}
		apart := new(contract.ApartError)
		_, err = d.AppendAll(t.Context(), parts, guards...)
		require.ErrorAs(t, err, &apart)
		require.Equal(t, want, *apart)
	}
	end, err := d.End(t.Context())
	require.NoError(t, err)
	require.Equal(t, contract.Cursor{0, 0}, end)
	_, err = d.AppendAll(t.Context(), appends(one, third))
	require.NoError(t, err)
}

// A parted log has one stream in another partition than all others.
type parted struct {
	contract.Atomic
	other string
}

func (p parted) Together(streams ...string) bool {
	n := 0
	for _, s := range streams {
		if s == p.other {
			n++
		}
	}
	return (n == 0 || n == len(streams)) && p.Atomic.Together(streams...)
}

func event(stream string, n int) contract.Event {
	at := time.Date(2025, 1, 10, 9, n, 0, 0, time.UTC)
	return contract.Event{
		ID: uuid.NewSHA1(uuid.NameSpaceOID, fmt.Appendf(nil, "%s/%d", stream, n)), Stream: stream,
		Type: "trade.amended", Schema: 1, EffectiveAt: at, EnteredAt: at, CommandID: "c-1",
		Actor: "desk-7", Reason: "agreed", Source: "test",
		Data: fmt.Appendf([]byte{0, 0, 0, 0, 7}, "body %d", n),
	}
}

func collect(t *testing.T, events iter.Seq2[contract.Recorded, error]) (all []contract.Recorded) {
	for r, err := range events {
		require.NoError(t, err)
		all = append(all, r)
	}
	return all
}

// A looked is a log that counts the looks at its streams and ids.
type looked struct {
	contract.Store
	looks int
}

func (l *looked) Find(ctx context.Context, id uuid.UUID) (contract.Recorded, error) {
	l.looks++
	return l.Store.Find(ctx, id)
}

func (l *looked) Stream(
	ctx context.Context, stream string,
) iter.Seq2[contract.Recorded, error] {
	l.looks++
	return l.Store.Stream(ctx, stream)
}

// A draft looks in the log for nothing that the log does not have.
func TestDraftLooksOnlyForWhatThereIs(t *testing.T) {
	t.Parallel()
	log := &looked{Store: memory.New(contract.SimulatedClock)}
	_, err := log.Append(t.Context(), "old", 0, event("old", 1))
	require.NoError(t, err)
	d, err := memory.Over(t.Context(), log, contract.SimulatedClock)
	require.NoError(t, err)
	for i := range 100 {
		stream := fmt.Sprint("new-", i)
		e := event(stream, 100+i)
		_, err := d.Find(t.Context(), e.ID)
		require.ErrorIs(t, err, contract.ErrNotFound)
		require.Empty(t, collect(t, d.Stream(t.Context(), stream)))
		_, err = d.Append(t.Context(), stream, 0, e)
		require.NoError(t, err)
	}
	require.Zero(t, log.looks)
	require.Len(t, collect(t, d.Stream(t.Context(), "old")), 1)
	require.Equal(t, 1, log.looks)
}
