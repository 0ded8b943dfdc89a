package projection_test

import (
	"context"
	"errors"
	"iter"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/3-projections/projectiontest"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
	projection "example.com/blotter/solutions/3-projections"
	"example.com/blotter/solutions/3-projections/memory"
)

func TestProjectEndsAtTheCursorAskedForWhateverTheBatches(t *testing.T) {
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

var errBroken = errors.New("the connection broke")

// breaking is a log whose connection breaks after a number of events.
type breaking struct {
	*projectiontest.Log
	left int
}

func (b *breaking) Read(ctx context.Context, from, to contract.Cursor) iter.Seq2[contract.Recorded, error] {
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

func TestProjectGoesOnWhereItBroke(t *testing.T) {
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
	require.Greater(t, breaks, 3, "a few batches went in before each")
	whole := memory.New(projectiontest.Codec{})
	require.NoError(t, projection.Project(t.Context(), log, whole, end, 1000))
	want, err := whole.State(t.Context())
	require.NoError(t, err)
	got, err := p.State(t.Context())
	require.NoError(t, err)
	require.Equal(t, string(want.Canonical()), string(got.Canonical()))
}

// noting is a model that notes how far each batch brings it.
type noting struct {
	contract.Projection
	reached []contract.Cursor
}

func (n *noting) Apply(ctx context.Context, events []contract.Recorded, next contract.Cursor) error {
	n.reached = append(n.reached, next)
	return n.Projection.Apply(ctx, events, next)
}

// The model is written as often as there are batches, and not at all where it is up to date.
func TestProjectTakesAnEqualShareOfEveryPartition(t *testing.T) {
	t.Parallel()
	log, p := projectiontest.History(4, 300, 3), &noting{Projection: memory.New(projectiontest.Codec{})}
	end, err := log.End(t.Context())
	require.NoError(t, err)
	require.NoError(t, projection.Project(t.Context(), log, p, end, 50))
	batches := len(p.reached)
	require.Greater(t, batches, 5)
	for partition, offsets := range end {
		reached := int64(0)
		for n, next := range p.reached {
			share := next.At(int32(partition)) - reached
			require.InDelta(t, offsets/int64(batches), share, 1, "the share of partition %d in batch %d of %d", partition, n+1, batches)
			reached += share
		}
	}
	require.NoError(t, projection.Project(t.Context(), log, p, end, 50))
	require.Len(t, p.reached, batches, "nothing was left to take")
}

// growing is a log that ends at asked when it is asked next.
type growing struct {
	*projectiontest.Log
	asked contract.Cursor
}

func (g growing) End(context.Context) (contract.Cursor, error) { return g.asked, nil }

// One that another process has brought on meanwhile is well.
func TestAModelThatIsAheadOfItsLogIsNamed(t *testing.T) {
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
	require.Equal(t, &contract.AheadError{Reader: "the read model", Partition: 1, At: end[1], End: short[1]}, ahead)
	require.ErrorAs(t, projection.Project(t.Context(), growing{log, nil}, p, nil, 50), &ahead, "a new log in its place")
}

func TestAsOfIsTheModelOfWhatWasKnownThen(t *testing.T) {
	t.Parallel()
	log, p := projectiontest.History(3, 200, 1), memory.New(projectiontest.Codec{})
	end, err := log.End(t.Context())
	require.NoError(t, err)
	require.NoError(t, projection.Project(t.Context(), log, p, end, 1000))
	for _, n := range []int{1, 50, 120, 200} {
		last := log.Events[n-1]
		then := memory.New(projectiontest.Codec{})
		require.NoError(t, then.Apply(t.Context(), log.Events[:n], contract.Cursor(nil).After(last.Position)))
		want, err := then.State(t.Context())
		require.NoError(t, err)
		got, err := projection.AsOf(t.Context(), p, trade.AsOf{Known: last.RecordedAt})
		require.NoError(t, err)
		require.Equal(t, string(want.Canonical()), string(got.Canonical()), "as known at the event %d", n)
	}
	before, err := projection.AsOf(t.Context(), p, trade.AsOf{Effective: time.Unix(0, 0)})
	require.NoError(t, err)
	require.Empty(t, before.Trades)
}
