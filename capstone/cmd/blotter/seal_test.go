package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/kit/contract"
)

// sealing is an auditor whose Seal is a function.
type sealing struct {
	contract.Auditor
	seal func() (contract.Checkpoint, error)
}

func (s sealing) Seal(context.Context) (contract.Checkpoint, error) { return s.seal() }

func TestKeepFailsBeforeSeal(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	existing := filepath.Join(dir, "existing")
	require.NoError(t, os.WriteFile(existing, []byte("an older one"), 0o600))
	never := sealing{seal: func() (contract.Checkpoint, error) {
		t.Error("sealed")
		return contract.Checkpoint{}, nil
	}}
	for path, says := range map[string]string{
		dir:                                 "--keep: " + dir + " is a folder",
		existing:                            "--keep: " + existing + " already exists",
		filepath.Join(dir, "nowhere", "it"): "--keep: open ",
	} {
		_, err := sealAndKeep(t.Context(), never, path)
		var wrong *usageError
		require.ErrorAs(t, err, &wrong)
		require.ErrorContains(t, err, says)
	}
	kept, err := os.ReadFile(existing)
	require.NoError(t, err)
	require.Equal(t, "an older one", string(kept))
}

func TestKeptFileIsCompleteOrGone(t *testing.T) {
	t.Parallel()
	path, failed := filepath.Join(t.TempDir(), "kept"), errors.New("no archive")
	seal := func(c contract.Checkpoint, err error) error {
		auditor := sealing{seal: func() (contract.Checkpoint, error) { return c, err }}
		_, err = sealAndKeep(t.Context(), auditor, path)
		return err
	}
	require.ErrorIs(t, seal(contract.Checkpoint{}, failed), failed)
	require.NoFileExists(t, path)
	require.NoError(t, seal(contract.Checkpoint{Note: []byte("note")}, nil))
	kept, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, "note", string(kept))
}

// A checkpoint that is published is kept in the file, whatever failed after it.
func TestPublishedCheckpointIsKept(t *testing.T) {
	t.Parallel()
	path, failed := filepath.Join(t.TempDir(), "kept"), errors.New("keeping a copy failed")
	want := contract.Checkpoint{Note: []byte("note"), Offenders: []contract.Offender{{Leaf: 3}}}
	auditor := sealing{seal: func() (contract.Checkpoint, error) { return want, failed }}
	c, err := sealAndKeep(t.Context(), auditor, path)
	require.ErrorIs(t, err, failed)
	require.Equal(t, want, c, "the command names the offenders")
	kept, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, "note", string(kept))
}
