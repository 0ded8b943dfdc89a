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

// sealing is an auditor that seals as it is told, and does nothing else.
type sealing struct {
	contract.Auditor
	seal func() (contract.Checkpoint, error)
}

func (s sealing) Seal(context.Context) (contract.Checkpoint, error) { return s.seal() }

func TestWhereNothingCanBeKeptNothingIsSealed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	there := filepath.Join(dir, "there")
	require.NoError(t, os.WriteFile(there, []byte("an older one"), 0o600))
	never := sealing{seal: func() (contract.Checkpoint, error) { t.Error("sealed"); return contract.Checkpoint{}, nil }}
	for path, says := range map[string]string{
		dir:                                 "--keep: " + dir + " is a folder",
		there:                               "--keep: " + there + " is there already",
		filepath.Join(dir, "nowhere", "it"): "--keep: open ",
	} {
		_, err := sealAndKeep(t.Context(), never, path)
		var wrong *usageError
		require.ErrorAs(t, err, &wrong)
		require.ErrorContains(t, err, says)
	}
	kept, err := os.ReadFile(there)
	require.NoError(t, err)
	require.Equal(t, "an older one", string(kept))
}

func TestWhatIsKeptIsTheCheckpointOrNoFile(t *testing.T) {
	t.Parallel()
	path, failed := filepath.Join(t.TempDir(), "kept"), errors.New("no archive")
	_, err := sealAndKeep(t.Context(), sealing{seal: func() (contract.Checkpoint, error) { return contract.Checkpoint{}, failed }}, path)
	require.ErrorIs(t, err, failed)
	require.NoFileExists(t, path)
	_, err = sealAndKeep(t.Context(), sealing{seal: func() (contract.Checkpoint, error) { return contract.Checkpoint{Note: []byte("note")}, nil }}, path)
	require.NoError(t, err)
	kept, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, "note", string(kept))
}
