package replay_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/3-projections/projectiontest"
	"example.com/blotter/labs/kit/contract"
	replay "example.com/blotter/solutions/4-replay"
)

// A replay by any plan gives the bytes of the replay in one share, and each event once.
func TestEveryPlanGivesTheSameBytes(t *testing.T) {
	t.Parallel()
	for _, partitions := range []int{1, 3, 8} {
		log := projectiontest.History(uint64(40+partitions), 400, partitions)
		end, err := log.End(t.Context())
		require.NoError(t, err)
		r := replay.New(projectiontest.Codec{})
		whole, events, err := r.Replayer.Replay(t.Context(), log, end)
		require.NoError(t, err)
		require.EqualValues(t, 400, events)
		for _, p := range []replay.Plan{
			{Cores: 1, Share: 1000}, {Cores: 1, Share: 50}, {Cores: 2, Share: 1000},
			{Cores: 4, Share: 120}, {Cores: 7, Share: 1},
		} {
			state, n, err := r.ReplayBy(t.Context(), p, log, end)
			require.NoError(t, err)
			require.Equal(t, events, n, "%+v of %d partitions", p, partitions)
			require.NoError(t, r.Compare(whole.Canonical(), state.Canonical()), "%+v", p)
		}
	}
}

var errRead = errors.New("the connection ended")

// A failing log ends after some events.
type failing struct {
	*projectiontest.Log
	after int
}

func (l failing) Read(
	ctx context.Context, from, to contract.Cursor,
) iter.Seq2[contract.Recorded, error] {
	return func(yield func(contract.Recorded, error) bool) {
		n := 0
		for r, err := range l.Log.Read(ctx, from, to) {
			if n++; n > l.after {
				yield(contract.Recorded{}, fmt.Errorf("read: %w", errRead))
				return
			}
			if !yield(r, err) {
				return
			}
		}
	}
}

// An error in one share is the error of the replay: no state of the other shares comes out.
func TestAFailedShareFailsTheReplay(t *testing.T) {
	t.Parallel()
	log := projectiontest.History(51, 200, 4)
	end, err := log.End(t.Context())
	require.NoError(t, err)
	r := replay.New(projectiontest.Codec{})
	_, _, err = r.ReplayBy(t.Context(), replay.Plan{Cores: 2, Share: 60}, failing{log, 30}, end)
	require.ErrorIs(t, err, errRead)
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	_, _, err = r.ReplayBy(cancelled, replay.Plan{Cores: 2, Share: 60}, log, end)
	require.ErrorIs(t, err, context.Canceled)
}
