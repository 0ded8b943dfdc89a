package main

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/mod/sumdb/note"

	"example.com/blotter/capstone/logdir"
	"example.com/blotter/capstone/session"
	"example.com/blotter/labs/kit/contract"
	audit "example.com/blotter/solutions/5-audit"
)

// published is the checkpoints of an archive, by size.
type published map[int64]contract.Checkpoint

func (p published) Published(_ context.Context, size int64) (contract.Checkpoint, error) {
	c, ok := p[size]
	if !ok {
		return c, fmt.Errorf("checkpoints/%d: %w", size, audit.ErrAbsent)
	}
	return c, nil
}

func (published) Leaves(
	context.Context, int64, func(int64, *contract.Position, []byte) error,
) error {
	return nil
}

// An archive is only restored if it has the checkpoint that was kept elsewhere.
func TestRestoreNeedsTheKeptCheckpoint(t *testing.T) {
	t.Parallel()
	secret, public, err := note.GenerateKey(rand.Reader, "blotter.example")
	require.NoError(t, err)
	signer, err := note.NewSigner(secret)
	require.NoError(t, err)
	verifier, err := note.NewVerifier(public)
	require.NoError(t, err)
	dir := t.TempDir()
	kept := func(size int64, root [32]byte) string {
		text := fmt.Sprintf("%s\n%d\n%s\n", verifier.Name(), size,
			base64.StdEncoding.EncodeToString(root[:]))
		signed, err := note.Sign(&note.Note{Text: text}, signer)
		require.NoError(t, err)
		file := filepath.Join(dir, fmt.Sprintf("%d-%x", size, root[0]))
		require.NoError(t, os.WriteFile(file, signed, 0o600))
		return file
	}
	archive := &session.Auditor{
		Keys:      logdir.Keys{Verifier: verifier},
		SealedLog: published{7: {Size: 7, Root: [32]byte{1}}},
	}
	check := func(file string) error {
		return (&restoreCmd{From: "old", Since: file}).checkSince(t.Context(), archive)
	}
	require.NoError(t, check(kept(7, [32]byte{1})))
	require.NoError(t, check(kept(0, [32]byte{})))
	require.ErrorContains(t, check(kept(9, [32]byte{1})),
		"the archive in old lacks the kept checkpoint blotter.example/9, root 01")
	require.ErrorContains(t, check(kept(7, [32]byte{2})),
		"the archive in old has root 01"+fmt.Sprintf("%062d", 0)+" at size 7, and the kept "+
			"checkpoint has root 02")
}
