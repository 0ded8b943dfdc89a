package stack_test

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"example.com/blotter/labs/kit/stack"
	"example.com/blotter/labs/kit/stack/stacktest"
	"github.com/stretchr/testify/require"
)

// keep has a stack kept in dir until end is called, which gives what Keep returned.
func keep(t *testing.T, dir string) (at stack.Kept, end func() error) {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("the embedded stack is for Unix")
	}
	ctx, cancel := context.WithCancel(t.Context())
	ready, ended := make(chan stack.Kept, 1), make(chan error, 1)
	go func() {
		ended <- stack.Keep(ctx, stack.EmbeddedOptions{Dir: dir}, func(at stack.Kept) { ready <- at })
	}()
	select {
	case at = <-ready:
	case err := <-ended:
		require.NoError(t, err, "the stack did not come up")
	}
	return at, func() error { cancel(); return <-ended }
}

func TestAKeptStackIsFound(t *testing.T) {
	t.Parallel()
	dir := stacktest.Dir(t)
	_, up, err := stack.FindKept(dir)
	require.NoError(t, err)
	require.False(t, up)
	at, end := keep(t, dir)

	found, up, err := stack.FindKept(dir)
	require.NoError(t, err)
	require.True(t, up)
	require.Equal(t, at, found)
	info, err := os.Stat(filepath.Join(dir, "up.json"))
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm(), "it holds secrets")

	lost := make(chan error, 1)
	s, err := stack.Open("embedded", stack.EmbeddedOptions{Dir: dir, Failed: func(err error) { lost <- err }})
	require.NoError(t, err)
	for _, h := range stack.Check(t.Context(), s) {
		require.NoError(t, h.Err, h.Component)
		require.NotContains(t, h.Address, at.S3.SecretKey)
		require.NotContains(t, at.Postgres, "@"+h.Address+"@")
	}
	other, err := stack.Open("embedded", stack.EmbeddedOptions{Dir: dir})
	require.NoError(t, err)
	require.NoError(t, other.Close(), "which leaves the stack as it is")
	_, up, err = stack.FindKept(dir)
	require.NoError(t, err)
	require.True(t, up)

	require.NoError(t, end())
	select {
	case err := <-lost:
		require.ErrorContains(t, err, "has ended")
	case <-time.After(10 * time.Second):
		require.Fail(t, "nobody told the user of the stack that it is gone")
	}
	require.NoError(t, s.Close())
	_, up, err = stack.FindKept(dir)
	require.NoError(t, err)
	require.False(t, up)
	pid, err := stack.Holder(dir)
	require.NoError(t, err)
	require.Zero(t, pid)
}

func TestTheRecordOfADeadKeeperIsIgnoredAndRemoved(t *testing.T) {
	t.Parallel()
	dir := stacktest.Dir(t)
	record := filepath.Join(dir, "up.json")
	require.NoError(t, os.WriteFile(record, []byte(`{"pid": 1, "kafka": ["127.0.0.1:1"]}`), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "lock"), []byte("1\n"), 0o600))
	_, up, err := stack.FindKept(dir)
	require.NoError(t, err)
	require.False(t, up)

	s, err := stack.Open("embedded", stack.EmbeddedOptions{Dir: dir})
	require.NoError(t, err)
	_, err = s.Registry(t.Context())
	require.NoError(t, err)
	require.NoFileExists(t, record)
	_, up, err = stack.FindKept(dir)
	require.NoError(t, err)
	require.False(t, up, "a stack in use is not one that is kept")
	require.NoError(t, s.Close())
}

func TestALockIsOnePerFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "writer")
	release, err := stack.Lock(path)
	require.NoError(t, err)
	_, err = stack.Lock(path)
	var locked *stack.LockedError
	require.ErrorAs(t, err, &locked)
	require.Equal(t, os.Getpid(), locked.PID)
	require.NoError(t, release())
	release, err = stack.Lock(path)
	require.NoError(t, err)
	require.NoError(t, release())
}
