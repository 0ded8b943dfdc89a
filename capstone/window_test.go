package capstone_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/blotter/capstone"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
	projection "example.com/blotter/solutions/3-projections"
	replay "example.com/blotter/solutions/4-replay"
	archive "example.com/blotter/solutions/4-replay/plain"
)

// altered is object storage that delivers other objects than were put there.
type altered struct {
	archive.Memory
	other func(key string, content []byte) []byte
}

func (a *altered) Get(ctx context.Context, key string) ([]byte, error) {
	content, err := a.Memory.Get(ctx, key)
	if a.other != nil && err == nil {
		content = a.other(key, content)
	}
	return content, err
}

// A snapshot of the log begins a window up to a later one, and not to an earlier one.
func TestWindowBetweenSnapshots(t *testing.T) {
	t.Parallel()
	s, _ := withSnapshots(t)
	s.Window = replay.New(s.Desk.Codec).Window
	r, err := s.ReplayFrom(t.Context(), "s1", "")
	require.NoError(t, err)
	require.Nil(t, r.Difference)
	require.NoError(t, r.Refused)
	require.Equal(t, "s1", r.From)
	require.Equal(t, "s2", r.Snapshot.Name)
	_, err = s.ReplayFrom(t.Context(), "s2", "s1")
	require.ErrorIs(t, err, capstone.ErrNoWindow)
	_, err = s.ReplayFrom(t.Context(), "s9", "s1")
	require.ErrorIs(t, err, contract.ErrNoSnapshot)
}

// As of two times, a replay of the log equals the read model, and counts the known events.
func TestReplayAsOfTwoTimes(t *testing.T) {
	t.Parallel()
	s := newSystem()
	imported(t, s, sample(t)[:600], 1)
	s.Simulated, s.Replayer = true, replay.New(s.Desk.Codec)
	all, _, used, err := s.ReplayAsOf(t.Context(), trade.AsOf{})
	require.NoError(t, err)
	require.Nil(t, all.Difference)
	some, digest, _, err := s.ReplayAsOf(t.Context(), trade.AsOf{
		Known: used.Known.AddDate(0, 0, -3), Effective: used.Known.AddDate(0, 0, -5),
	})
	require.NoError(t, err)
	require.Nil(t, some.Difference)
	require.Less(t, some.Events, all.Events)
	state, _, err := s.StateAsOf(t.Context(), trade.AsOf{
		Known: used.Known.AddDate(0, 0, -3), Effective: used.Known.AddDate(0, 0, -5),
	})
	require.NoError(t, err)
	require.Equal(t, state.Digest(), digest)
}

// Another process advances the read model right after its events were read: the log is compared up
// to the cursor of those events.
func TestReplayAsOfASharedReadModel(t *testing.T) {
	t.Parallel()
	s := newSystem()
	s.Replayer = replay.New(s.Desk.Codec)
	model := s.Projection
	do(t, s, oil("c-1", "A"))
	s.Projection = &shared{model, func() {
		do(t, s, oil("c-2", "B"))
		require.NoError(t, projection.Project(t.Context(), s.Log, model, end(t, s.Log), 10))
	}}
	r, _, _, err := s.ReplayAsOf(t.Context(), trade.AsOf{})
	require.NoError(t, err)
	require.Nil(t, r.Difference)
	require.EqualValues(t, 2, r.Events)
}

// Must show 2 of Lab 4's reference: a corrupt, truncated, old-format, foreign or forged snapshot
// begins no window. Each is refused with its own error, and then the whole log is replayed.
func TestRefusedSnapshotBeginsNoWindow(t *testing.T) {
	t.Parallel()
	s := newSystem()
	objects := &altered{}
	s.Snapshots, s.Replayer = &archive.Snapshots{Objects: objects}, replay.New(s.Desk.Codec)
	s.Window = replay.New(s.Desk.Codec).Window
	s.Clock = func() time.Time { return nine.Add(time.Hour) }
	do(t, s, oil("c-1", "A"))
	first, err := s.Snapshot(t.Context(), "s1")
	require.NoError(t, err)
	old := first.Snapshot
	old.Name, old.Format = "old", "blotter/state/v0"
	require.NoError(t, s.Snapshots.Put(t.Context(), old))
	record(t, s, old)
	do(t, s, settle("c-2", "A", 100))
	_, err = s.Snapshot(t.Context(), "s2")
	require.NoError(t, err)
	foreign := first.Snapshot
	foreign.Name = "foreign"
	require.NoError(t, s.Snapshots.Put(t.Context(), foreign))

	// The forger changes a price in the state, and the digest in the manifest.
	state := bytes.Replace(first.State, []byte(`"price":"70"`), []byte(`"price":"71"`), 1)
	forged := first.Snapshot
	forged.Digest = sha256.Sum256(state)
	forge := func(key string, content []byte) []byte {
		if strings.HasSuffix(key, "s1/manifest.json") {
			return archive.Manifest(forged)
		}
		return content
	}
	forging := &archive.Memory{}
	require.NoError(t, (&archive.Snapshots{Objects: forging}).Put(t.Context(), contract.Snapshot{
		Name: "s1", Digest: forged.Digest, State: state,
	}))
	kept, err := forging.List(t.Context(), "snapshots/s1/")
	require.NoError(t, err)
	require.NoError(t, objects.Put(t.Context(), kept[0], state))

	inState := func(change func([]byte) []byte) func(string, []byte) []byte {
		return func(key string, content []byte) []byte {
			if strings.Contains(key, "/s1/") && strings.HasSuffix(key, ".jsonl") {
				return change(content)
			}
			return content
		}
	}
	const damaged = "snapshot s1 is damaged: " +
		"the archived snapshot is not the one that was put there: "
	for _, tc := range []struct {
		name, from, why string
		other           func(string, []byte) []byte
	}{
		{"corrupt", "s1", damaged + "SHA-256 of the state is ", inState(func(b []byte) []byte {
			return bytes.Replace(b, []byte(`"price":"70"`), []byte(`"price":"71"`), 1)
		})},
		{"truncated", "s1", damaged + "its state ends after 100 bytes, in the middle of a line",
			inState(func(b []byte) []byte { return b[:100] })},
		{"old format", "old", `snapshot old has a state of format "blotter/state/v0", ` +
			`and this program writes "` + trade.StateFormat + `"`, nil},
		{"foreign", "foreign", "snapshot foreign is in the archive, but not on record", nil},
		{"forged", "s1", "snapshot s1 was replaced: " +
			"the archived one is another than the one on record", forge},
	} {
		objects.other = tc.other
		r, err := s.ReplayFrom(t.Context(), tc.from, "s2")
		require.NoError(t, err, tc.name)
		require.ErrorContains(t, r.Refused, tc.why, tc.name)
		require.Empty(t, r.From, tc.name)
		require.Equal(t, "s2", r.Snapshot.Name)
		require.Nil(t, r.Difference, tc.name)
		require.EqualValues(t, 4, r.Events, "%s: all events before s2", tc.name)
	}
}
