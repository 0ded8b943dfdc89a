package projection_test

import (
	"context"
	"errors"
	"iter"
	"maps"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/3-projections/projectiontest"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
	projection "example.com/blotter/solutions/3-projections"
	"example.com/blotter/solutions/3-projections/memory"
)

// The model and its cursor do not depend on the size of the batches.
func TestProjectEndsAtTheGivenCursor(t *testing.T) {
	t.Parallel()
	log := projectiontest.History(1, 200, 3)
	end, err := log.End(t.Context())
	require.NoError(t, err)
	want := ""
	for _, size := range []int{1, 7, 200, 1000} {
		p := memory.New(projectiontest.Codec{})
		require.NoError(t, projection.Project(t.Context(), log, p, end, size))
		cursor, err := p.Cursor(t.Context())
		require.NoError(t, err)
		require.Equal(t, end, cursor, "in batches of %d", size)
		state, err := p.State(t.Context())
		require.NoError(t, err)
		if want == "" {
			want = string(state.Canonical())
		}
		require.Equal(t, want, string(state.Canonical()), "in batches of %d", size)
	}
}

// appends is a log of two partitions in which append n, of n%6 events, is in partition n%2. Every
// fourth append is one of single events. Each event has its own offset, and holes follow appends.
type appends struct {
	contract.Reader
	events []contract.Recorded
	end    contract.Cursor
}

func newAppends(n int) *appends {
	log := &appends{end: contract.Cursor{0, 0}}
	for a := range n {
		p := int32(a % 2)
		for range a % 6 {
			r := contract.Recorded{Position: contract.Position{Partition: p, Offset: log.end[p]}}
			if a%4 != 3 {
				r.AppendGroup = uuid.NewSHA1(uuid.NameSpaceOID, []byte{byte(a)})
			}
			log.events = append(log.events, r)
			log.end[p]++
		}
		log.end[p] += int64(a % 3)
	}
	return log
}

func (l *appends) End(context.Context) (contract.Cursor, error) { return l.end, nil }

func (l *appends) Read(_ context.Context, from, to contract.Cursor) (
	feed iter.Seq2[contract.Recorded, error]) {
	return func(yield func(contract.Recorded, error) bool) {
		for _, r := range l.events {
			in := !from.Covers(r.Position) && to.Covers(r.Position)
			if in && !yield(r, nil) {
				return
			}
		}
	}
}

// wholes is a model that counts its events, and the events of each append between two cursors.
type wholes struct {
	t      *testing.T
	cursor contract.Cursor
	events int
	seen   map[uuid.UUID]bool
}

func (m *wholes) Cursor(context.Context) (contract.Cursor, error) { return m.cursor, nil }

func (m *wholes) Apply(
	_ context.Context, events []contract.Recorded, next contract.Cursor,
) error {
	require.True(m.t, next.Reaches(m.cursor))
	groups := map[uuid.UUID]bool{}
	for _, r := range events {
		require.True(m.t, next.Covers(r.Position) && !m.cursor.Covers(r.Position))
		require.False(m.t, m.seen[r.AppendGroup], "a part of an append is in an earlier batch")
		groups[r.AppendGroup] = r.AppendGroup != uuid.Nil
	}
	maps.Copy(m.seen, groups)
	m.cursor, m.events = next, m.events+len(events)
	return nil
}

// L2.I17: no model has a part of an append to several streams, whatever the size of a batch is.
func TestBatchesHoldWholeAppends(t *testing.T) {
	t.Parallel()
	log := newAppends(60)
	for _, size := range []int{1, 2, 3, 7, 50, 1000} {
		m := &wholes{t: t, seen: map[uuid.UUID]bool{}}
		require.NoError(t, projection.Project(t.Context(), log, m, log.end, size))
		require.Equal(t, log.end, m.cursor, "in batches of %d", size)
		require.Equal(t, len(log.events), m.events, "in batches of %d", size)
	}
}

var errBroken = errors.New("the connection broke")

// breaking is a log whose connection breaks after left events.
type breaking struct {
	*projectiontest.Log
	left int
}

func (b *breaking) Read(ctx context.Context, from, to contract.Cursor) (
	feed iter.Seq2[contract.Recorded, error]) {
	return func(yield func(contract.Recorded, error) bool) {
		for r, err := range b.Log.Read(ctx, from, to) {
			if b.left--; b.left < 0 {
				yield(contract.Recorded{}, errBroken)
				return
			}
			if !yield(r, err) {
				return
			}
		}
	}
}

func TestProjectContinuesAfterAnError(t *testing.T) {
	t.Parallel()
	log, p := projectiontest.History(2, 200, 3), memory.New(projectiontest.Codec{})
	end, err := log.End(t.Context())
	require.NoError(t, err)
	breaks := 0
	for {
		err := projection.Project(t.Context(), &breaking{log, 35}, p, end, 10)
		if err == nil {
			break
		}
		require.ErrorIs(t, err, errBroken)
		breaks++
	}
	require.Greater(t, breaks, 3, "each call applied a few batches")
	whole := memory.New(projectiontest.Codec{})
	require.NoError(t, projection.Project(t.Context(), log, whole, end, 1000))
	want, err := whole.State(t.Context())
	require.NoError(t, err)
	got, err := p.State(t.Context())
	require.NoError(t, err)
	require.Equal(t, string(want.Canonical()), string(got.Canonical()))
}

// counter is the smallest read model: the number of events of each type. It keeps no rows.
type counter struct {
	cursor contract.Cursor
	events map[string]int
}

var _ contract.Applier = (*counter)(nil)

func (c *counter) Cursor(context.Context) (contract.Cursor, error) { return c.cursor, nil }

func (c *counter) Apply(_ context.Context, batch []contract.Recorded, next contract.Cursor) error {
	for _, r := range projection.Fresh(batch, c.cursor) {
		c.events[r.Type]++
	}
	c.cursor = c.cursor.Max(next)
	return nil
}

func TestProjectNeedsOnlyAnApplier(t *testing.T) {
	t.Parallel()
	log, model := projectiontest.History(6, 100, 2), &counter{events: map[string]int{}}
	end, err := log.End(t.Context())
	require.NoError(t, err)
	require.NoError(t, projection.Project(t.Context(), log, model, end, 30))
	require.Equal(t, end, model.cursor)
	want := map[string]int{}
	for _, r := range log.Events {
		want[r.Type]++
	}
	require.Equal(t, want, model.events)
}

// recording is a model that records the cursor of each batch.
type recording struct {
	contract.Projection
	reached []contract.Cursor
}

func (n *recording) Apply(ctx context.Context, batch []contract.Recorded,
	next contract.Cursor) error {
	n.reached = append(n.reached, next)
	return n.Projection.Apply(ctx, batch, next)
}

// A batch has an equal share of every partition. A model that is up to date is not written.
func TestBatchesShareAllPartitions(t *testing.T) {
	t.Parallel()
	log := projectiontest.History(4, 300, 3)
	p := &recording{Projection: memory.New(projectiontest.Codec{})}
	end, err := log.End(t.Context())
	require.NoError(t, err)
	require.NoError(t, projection.Project(t.Context(), log, p, end, 50))
	batches := len(p.reached)
	require.Greater(t, batches, 5)
	for partition, offsets := range end {
		reached := int64(0)
		for n, next := range p.reached {
			share := next.At(int32(partition)) - reached
			require.InDelta(t, offsets/int64(batches), share, 1,
				"the share of partition %d in batch %d of %d", partition, n+1, batches)
			reached += share
		}
	}
	require.NoError(t, projection.Project(t.Context(), log, p, end, 50))
	require.Len(t, p.reached, batches, "no batch was left")
}

// growing is a log whose End returns asked.
type growing struct {
	*projectiontest.Log
	asked contract.Cursor
}

func (g growing) End(context.Context) (contract.Cursor, error) { return g.asked, nil }

// A model past the given cursor is no error if the log has grown meanwhile.
func TestProjectRefusesAModelAheadOfItsLog(t *testing.T) {
	t.Parallel()
	log, p := projectiontest.History(5, 60, 2), memory.New(projectiontest.Codec{})
	end, err := log.End(t.Context())
	require.NoError(t, err)
	require.NoError(t, projection.Project(t.Context(), log, p, end, 50))
	short := contract.Cursor{end[0], end[1] - 3}
	require.NoError(t, projection.Project(t.Context(), growing{log, end}, p, short, 50))

	err = projection.Project(t.Context(), growing{log, short}, p, short, 50)
	var ahead *contract.AheadError
	require.ErrorAs(t, err, &ahead)
	want := &contract.AheadError{Reader: "the read model", Partition: 1, At: end[1], End: short[1]}
	require.Equal(t, want, ahead)
	err = projection.Project(t.Context(), growing{log, nil}, p, nil, 50)
	require.ErrorAs(t, err, &ahead, "a new, empty log")
}

func TestAsOfEqualsTheModelAtThatTime(t *testing.T) {
	t.Parallel()
	log, p := projectiontest.History(3, 200, 1), memory.New(projectiontest.Codec{})
	end, err := log.End(t.Context())
	require.NoError(t, err)
	require.NoError(t, projection.Project(t.Context(), log, p, end, 1000))
	for _, n := range []int{1, 50, 120, 200} {
		last := log.Events[n-1]
		then := memory.New(projectiontest.Codec{})
		cursor := contract.Cursor(nil).After(last.Position)
		require.NoError(t, then.Apply(t.Context(), log.Events[:n], cursor))
		want, err := then.State(t.Context())
		require.NoError(t, err)
		got, err := projection.AsOf(t.Context(), p, trade.AsOf{Known: last.RecordedAt})
		require.NoError(t, err)
		require.Equal(t, string(want.Canonical()), string(got.Canonical()),
			"as known at event %d", n)
	}
	before, err := projection.AsOf(t.Context(), p, trade.AsOf{Effective: time.Unix(0, 0)})
	require.NoError(t, err)
	require.Empty(t, before.Trades)
}
