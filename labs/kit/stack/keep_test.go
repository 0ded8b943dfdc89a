package stack_test

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/kit/stack"
	"example.com/blotter/labs/kit/stack/stacktest"
)

// keep keeps a stack in dir until end is called. end returns the error of Keep.
func keep(t *testing.T, dir string) (kept stack.Kept, end func() error) {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("the embedded stack needs Unix")
	}
	ctx, cancel := context.WithCancel(t.Context())
	ready, ended := make(chan stack.Kept, 1), make(chan error, 1)
	go func() {
		opt := stack.EmbeddedOptions{Dir: dir}
		ended <- stack.Keep(ctx, opt, func(k stack.Kept) { ready <- k })
	}()
	select {
	case kept = <-ready:
	case err := <-ended:
		require.NoError(t, err, "the stack did not start")
	}
	return kept, func() error { cancel(); return <-ended }
}

// findKept returns the stack that is kept in dir, and whether there is one.
func findKept(t *testing.T, dir string) (stack.Kept, bool) {
	t.Helper()
	kept, ok, err := stack.FindKept(dir)
	require.NoError(t, err)
	return kept, ok
}

func TestKeep(t *testing.T) {
	t.Parallel()
	dir := stacktest.Dir(t)
	_, ok := findKept(t, dir)
	require.False(t, ok)
	kept, end := keep(t, dir)

	found, ok := findKept(t, dir)
	require.True(t, ok)
	require.Equal(t, kept, found)
	info, err := os.Stat(filepath.Join(dir, "up.json"))
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm(), "the record contains secrets")

	lost := make(chan error, 1)
	failed := func(err error) { lost <- err }
	s, err := stack.Open("embedded", stack.EmbeddedOptions{Dir: dir, Failed: failed})
	require.NoError(t, err)
	for _, h := range stack.Check(t.Context(), s) {
		require.NoError(t, h.Err, h.Component)
		require.NotContains(t, h.Address, kept.S3.SecretKey)
		require.NotContains(t, kept.Postgres.DSN, "@"+h.Address+"@")
	}
	other, err := stack.Open("embedded", stack.EmbeddedOptions{Dir: dir})
	require.NoError(t, err)
	require.NoError(t, other.Close())
	_, ok = findKept(t, dir)
	require.True(t, ok, "Close of a user leaves the stack running")

	require.NoError(t, end())
	select {
	case err := <-lost:
		require.ErrorContains(t, err, "has ended")
	case <-time.After(time.Minute):
		require.Fail(t, "Failed was not called after the stack had ended")
	}
	require.NoError(t, s.Close())
	_, ok = findKept(t, dir)
	require.False(t, ok)
	pid, err := stack.Holder(dir)
	require.NoError(t, err)
	require.Zero(t, pid)
}

// The record of a dead process is not believed, and the next stack removes it.
func TestRecordOfADeadProcess(t *testing.T) {
	t.Parallel()
	dir := stacktest.Dir(t)
	record := filepath.Join(dir, "up.json")
	text := []byte(`{"pid": 1, "kafka": {"Brokers": ["127.0.0.1:1"]}}`)
	require.NoError(t, os.WriteFile(record, text, 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "lock"), []byte("1\n"), 0o600))
	_, ok := findKept(t, dir)
	require.False(t, ok)

	s, err := stack.Open("embedded", stack.EmbeddedOptions{Dir: dir})
	require.NoError(t, err)
	_, err = s.Registry(t.Context())
	require.NoError(t, err)
	require.NoFileExists(t, record)
	_, ok = findKept(t, dir)
	require.False(t, ok, "a stack that is in use is not a kept stack")
	require.NoError(t, s.Close())
}
