package capstone_test

import (
	"context"
	"crypto/sha256"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/blotter/capstone"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
	projection "example.com/blotter/solutions/3-projections"
	replay "example.com/blotter/solutions/4-replay"
	"example.com/blotter/solutions/4-replay/memory"
)

// shared is a read model that another process advances right after its state was read.
type shared struct {
	contract.Projection
	other func()
}

func (s *shared) State(ctx context.Context) (trade.State, error) {
	state, err := s.Projection.State(ctx)
	if other := s.other; other != nil {
		s.other = nil
		other()
	}
	return state, err
}

// The cursor of a snapshot must belong to its state. Otherwise the archive would hold a state that
// no replay up to that cursor can reach.
func TestSnapshotOfASharedReadModel(t *testing.T) {
	t.Parallel()
	s := newSystem()
	s.Snapshots, s.Replayer = memory.New(), replay.New(s.Desk.Codec)
	s.Clock = func() time.Time { return nine }
	model := s.Projection
	do(t, s, oil("c-1", "A"))
	s.Projection = &shared{model, func() {
		do(t, s, oil("c-2", "B"))
		require.NoError(t, projection.Project(t.Context(), s.Log, model, end(t, s.Log), 10))
	}}
	_, err := s.Snapshot(t.Context(), "month-end")
	require.NoError(t, err)
	replayed, err := s.Replay(t.Context(), "month-end")
	require.NoError(t, err)
	require.Nil(t, replayed.Difference)
	require.EqualValues(t, 2, replayed.Events)
}

// A state in another format differs from a replay, though no event was changed. Replay says so.
func TestSnapshotOfAnotherFormatIsNamed(t *testing.T) {
	t.Parallel()
	s := newSystem()
	archive := memory.New()
	s.Snapshots, s.Replayer = archive, replay.New(s.Desk.Codec)
	s.Clock = func() time.Time { return nine }
	do(t, s, oil("c-1", "A"))
	taken, err := s.Snapshot(t.Context(), "now")
	require.NoError(t, err)
	require.Equal(t, trade.StateFormat, taken.Format)

	old := []byte(`{"trade":{"uti":"A"}}` + "\n")
	taken.Name, taken.Format, taken.State = "old", "blotter/state/v0", old
	taken.Digest = sha256.Sum256(old)
	require.NoError(t, archive.Put(t.Context(), taken))
	_, err = s.Replay(t.Context(), "old")
	var other *capstone.FormatError
	require.ErrorAs(t, err, &other)
	require.EqualError(t, err, `snapshot old has a state of format "blotter/state/v0", `+
		`and this program writes "`+trade.StateFormat+`"`)
	require.Contains(t, other.Hint(), "blotter snapshot")
}
