package main

import (
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	audit "example.com/blotter/solutions/5-audit"
)

func keeper(t *testing.T) *app {
	a := newApp(&cli{Data: t.TempDir()}, t.Output(), t.Output())
	a.settings.Name = "desk"
	return a
}

// Each signs with the key that is kept, and the verifier key beside it is that of this one.
func TestSeveralFirstSealsAtOnceShareOneKey(t *testing.T) {
	t.Parallel()
	a := keeper(t)
	var all sync.WaitGroup
	hashes := make([]uint32, 8)
	for i := range hashes {
		all.Go(func() {
			signer, verifier, err := a.keys(t.Context(), new(audit.Memory), true)
			if err == nil && signer.KeyHash() == verifier.KeyHash() {
				hashes[i] = signer.KeyHash()
			}
		})
	}
	all.Wait()
	public, err := os.ReadFile(filepath.Join(a.cli.Data, "keys", "verifier"))
	require.NoError(t, err)
	kept, err := verifierKey(string(public))
	require.NoError(t, err)
	for _, hash := range hashes {
		require.Equal(t, kept.KeyHash(), hash)
	}
	files, err := os.ReadDir(filepath.Join(a.cli.Data, "keys"))
	require.NoError(t, err)
	require.Len(t, files, 2, "nothing is left of those who lost")
}

// A crash between the two files leaves the signer key alone.
func TestAVerifierKeyThatIsMissingComesWithTheNextSeal(t *testing.T) {
	t.Parallel()
	a := keeper(t)
	_, first, err := a.keys(t.Context(), new(audit.Memory), true)
	require.NoError(t, err)
	path := filepath.Join(a.cli.Data, "keys", "verifier")
	require.NoError(t, os.Remove(path))
	_, again, err := a.keys(t.Context(), new(audit.Memory), true)
	require.NoError(t, err)
	require.Equal(t, first.KeyHash(), again.KeyHash())
	require.FileExists(t, path)
}

// Another key in its place would make every checkpoint look forged.
func TestALostKeyIsNotReplaced(t *testing.T) {
	t.Parallel()
	a := keeper(t)
	archive := new(audit.Memory)
	require.NoError(t, archive.Put(t.Context(), "checkpoints/000000000003", []byte("signed")))
	for _, seals := range []bool{true, false} {
		_, _, err := a.keys(t.Context(), archive, seals)
		require.ErrorContains(t, err, "the log's signing key is missing: "+a.cli.Data)
	}
	require.NoDirExists(t, filepath.Join(a.cli.Data, "keys"))
}
