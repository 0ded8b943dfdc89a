package logdir

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/kit/contract"
)

// The reached mark is written on a full disk, over the older mark.
func TestFullDiskKeepsTheReachedMark(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := syscall.Mount("none", dir, "tmpfs", 0, "size=64k"); errors.Is(err, syscall.EPERM) {
		t.Skip("only root can mount a small disk to fill")
	} else {
		require.NoError(t, err)
	}
	t.Cleanup(func() { require.NoError(t, syscall.Unmount(dir, syscall.MNT_DETACH)) })
	d := &Dir{path: dir}
	require.NoError(t, d.MarkReached(contract.Cursor{123456, 7}))
	err := os.WriteFile(filepath.Join(dir, "ballast"), make([]byte, 1<<20), 0o600)
	require.ErrorIs(t, err, syscall.ENOSPC)
	for _, end := range []contract.Cursor{{123456, 8}, {5}} {
		require.NoError(t, d.MarkReached(end))
		mark, err := d.Reached()
		require.NoError(t, err)
		require.Equal(t, end, mark)
	}
}
