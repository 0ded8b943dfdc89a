package session

import (
	"crypto/rand"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/mod/sumdb/note"

	"example.com/blotter/capstone/logdir"
	audit "example.com/blotter/solutions/5-audit"
)

// A folder without keys/signer signs with keys/signer.next only if a note in the archive leads to
// it from the public key of the folder.
func TestOnlyALinkedNextKeySignsAlone(t *testing.T) {
	t.Parallel()
	const origin = "test.example/log"
	var signers []note.Signer
	var public []string
	for range 2 {
		secret, key, err := audit.GenerateKey(rand.Reader, origin)
		require.NoError(t, err)
		signer, err := note.NewSigner(secret)
		require.NoError(t, err)
		signers, public = append(signers, signer), append(public, key)
	}
	held, err := audit.OpenRing(public[0])
	require.NoError(t, err)
	archive := new(audit.Memory)
	lost := logdir.Keys{Next: signers[1], NextPublic: public[1], Verifier: held}
	_, err = rotated(t.Context(), archive, lost, nil)
	require.ErrorContains(t, err, "no cross-signed note leads to keys/signer.next")
	require.ErrorAs(t, err, new(*logdir.IntegrityError))

	signed, err := note.Sign(&note.Note{Text: fmt.Sprintf("blotter signers v1\n%s\nold %s\nnew "+
		"%s\nbegins 3\n", origin, public[0], public[1])}, signers...)
	require.NoError(t, err)
	require.NoError(t, archive.Put(t.Context(), "signers/000000000001", signed))
	now, err := rotated(t.Context(), archive, lost, nil)
	require.NoError(t, err)
	require.Equal(t, signers[1], now.Signer)
	require.Nil(t, now.Next)
}
