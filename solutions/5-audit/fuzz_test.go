package audit_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	audit "example.com/blotter/solutions/5-audit"
)

// seed adds golden files as inputs.
func seed(f *testing.F, add func(data []byte), pattern string) {
	files, err := filepath.Glob(filepath.Join("testdata", pattern))
	require.NoError(f, err)
	require.NotEmpty(f, files)
	for _, file := range files {
		data, err := os.ReadFile(file)
		require.NoError(f, err)
		add(data)
	}
}

// A note is refused as ErrCheckpoint, or it has the text of a checkpoint in its one spelling. The
// text may be signed by the log's key.
func FuzzOpenCheckpoint(f *testing.F) {
	signer, key := keys(f)
	seed(f, func(data []byte) { f.Add(data, false) }, "checkpoint-*.txt")
	root := tlog.Hash{1: 1}
	f.Add(fmt.Appendf(nil, "%s\n7\n%s\n", origin, root), true)
	f.Add(fmt.Appendf(nil, "%s\n0\n%s\n", origin, root), true)
	// The last character has two bits of padding, which are not zero here.
	f.Add(fmt.Appendf(nil, "%s\n7\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB=\n", origin), true)
	f.Fuzz(func(t *testing.T, signed []byte, sign bool) {
		if sign {
			made, err := note.Sign(&note.Note{Text: string(signed)}, signer)
			if err != nil {
				return // no note has such a text
			}
			signed = made
		}
		c, err := audit.OpenCheckpoint(signed, origin, key)
		if err != nil {
			require.ErrorIs(t, err, audit.ErrCheckpoint)
			return
		}
		n, err := note.Open(signed, note.VerifierList(key))
		require.NoError(t, err)
		require.Equal(t, n.Text, fmt.Sprintf("%s\n%d\n%s\n", origin, c.Size, tlog.Hash(c.Root)))
		require.Equal(t, signed, c.Note)
	})
}

// A proof is refused as ErrProof, or it proves the one leaf of the golden proof.
func FuzzCheckProof(f *testing.F) {
	_, key := keys(f)
	var leaf []byte
	seed(f, func(data []byte) {
		p, err := audit.CheckProof(data, origin, key)
		require.NoError(f, err)
		leaf = p.Leaf
		f.Add(data)
	}, "*.tlog-proof")
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := audit.CheckProof(text, origin, key)
		if err != nil {
			require.ErrorIs(t, err, audit.ErrProof)
			return
		}
		require.Equal(t, leaf, p.Leaf)
	})
}
