package replay_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/3-projections/projectiontest"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
	replay "example.com/blotter/solutions/4-replay"
)

// folder keeps progress in files, and ends the process at one of its writes.
type folder struct {
	path  string
	ends  int  // the write that ends the process, from 1; 0 for none
	after bool // that write is complete
	mu    sync.Mutex
	saved int
	found int // contents that were loaded
}

func (f *folder) Load(name string) ([]byte, error) {
	content, err := os.ReadFile(filepath.Join(f.path, name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	f.mu.Lock()
	f.found++
	f.mu.Unlock()
	return content, err
}

func (f *folder) Save(name string, content []byte) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.saved++
	temporary := filepath.Join(f.path, "new")
	if err := os.WriteFile(temporary, content, 0o600); err != nil {
		return err
	}
	if f.saved == f.ends && !f.after {
		f.end()
	}
	if err := os.Rename(temporary, filepath.Join(f.path, name)); err != nil {
		return err
	}
	if f.saved == f.ends {
		f.end()
	}
	return nil
}

func (f *folder) Clear() error { return os.RemoveAll(f.path) }

// end kills the process, which runs no deferred calls.
func (*folder) end() {
	self, err := os.FindProcess(os.Getpid())
	if err == nil {
		err = self.Kill()
	}
	panic(fmt.Sprint("the process could not end itself: ", err))
}

func resumable(t *testing.T, f *folder) (replay.Resumer, contract.Reader, contract.Cursor) {
	t.Helper()
	log := projectiontest.History(61, 120, 3)
	end, err := log.End(t.Context())
	require.NoError(t, err)
	return replay.Resumer{
		Replayer: replay.New(projectiontest.Codec{}), Progress: f, Program: "this test",
		Earlier: new(atomic.Int64),
		Plan:    replay.Plan{Cores: 2, Share: 15},
	}, log, end
}

// A replay that is killed at a write of its progress is resumed by another process: the state is
// that of a replay in one go, and the saved shares are not folded again.
func TestAKilledReplayResumes(t *testing.T) {
	if at := os.Getenv("REPLAY_ENDS_AT"); at != "" { // the process that is killed
		n, err := strconv.Atoi(at)
		require.NoError(t, err)
		r, log, end := resumable(t, &folder{path: os.Getenv("REPLAY_FOLDER"), ends: (n + 1) / 2,
			after: n%2 == 0})
		_, _, err = r.Replay(t.Context(), log, end)
		t.Fatal("the replay ended: ", err)
	}
	t.Parallel()
	r, log, end := resumable(t, nil)
	whole, events, err := r.ReplayBy(t.Context(), r.Plan, log, end)
	require.NoError(t, err)
	for ends := 1; ends <= 4; ends++ {
		f := &folder{path: t.TempDir()}
		killed := exec.CommandContext(t.Context(), os.Args[0],
			"-test.run=^TestAKilledReplayResumes$")
		killed.Env = append(os.Environ(), fmt.Sprint("REPLAY_ENDS_AT=", ends),
			"REPLAY_FOLDER="+f.path)
		output, err := killed.CombinedOutput()
		require.Error(t, err)
		require.NotContains(t, string(output), "the replay ended")

		r, log, end := resumable(t, f)
		state, n, err := r.Replay(t.Context(), log, end)
		require.NoError(t, err)
		require.Equal(t, events, n)
		require.Equal(t, whole.Digest(), state.Digest(), "killed at %d", ends)
		require.Equal(t, ends/2, f.found)
		require.Equal(t, ends/2 > 0, r.Earlier.Load() > 0, "events that are not read again")
		require.Less(t, r.Earlier.Load(), n)
		require.NoDirExists(t, f.path, "the replay is over")
	}
}

// memoryOf is progress in memory, which Clear does not remove.
type memoryOf map[string][]byte

func (m memoryOf) Load(name string) ([]byte, error)       { return m[name], nil }
func (m memoryOf) Save(name string, content []byte) error { m[name] = content; return nil }
func (m memoryOf) Clear() error                           { return nil }

// A saved share counts for the program, the cursor and the plan that it was folded by. A damaged
// one does not count. The share is then folded again.
func TestOnlyWholeAndOwnSharesCount(t *testing.T) {
	t.Parallel()
	r, log, end := resumable(t, nil)
	r.Plan.Cores = 1
	whole, events, err := r.ReplayBy(t.Context(), r.Plan, log, end)
	require.NoError(t, err)
	saved := memoryOf{}
	r.Progress = saved
	resume := func(r replay.Resumer, to contract.Cursor) (trade.State, int) {
		before := len(saved)
		state, _, err := r.Replay(t.Context(), log, to)
		require.NoError(t, err)
		return state, len(saved) - before
	}
	_, shares := resume(r, end)
	require.Greater(t, shares, 3)
	require.Zero(t, r.Earlier.Load())
	state, more := resume(r, end)
	require.Zero(t, more)
	require.Equal(t, events, r.Earlier.Load(), "no event is read again")
	require.Equal(t, whole.Digest(), state.Digest())

	other := r
	other.Program = "another program"
	_, more = resume(other, end)
	require.Equal(t, shares, more)
	earlier := append(contract.Cursor{end[0] - 1}, end[1:]...)
	_, more = resume(r, earlier)
	require.Positive(t, more)

	for _, name := range slices.Sorted(maps.Keys(saved))[:2] {
		content := saved[name]
		changed := bytes.Replace(content, []byte("trade/"), []byte("trade/X"), 1)
		for _, damaged := range [][]byte{nil, content[:40], changed} {
			saved[name] = damaged
			state, _ := resume(r, end)
			require.Equal(t, whole.Digest(), state.Digest())
		}
	}
}
