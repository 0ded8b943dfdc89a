package capstone_test

import (
	"crypto/rand"
	"crypto/sha256"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/mod/sumdb/note"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
	"example.com/blotter/solutions/2-store/offload"
	audit "example.com/blotter/solutions/5-audit"
)

// A log whose payloads are all in object storage is sealed and verified by who has these, and by who has the log alone, to one root. Only
// the first can tell that a payload was altered.
func TestAnAuditorNeedsNoObjectStorageButSeesMoreWithIt(t *testing.T) {
	t.Parallel()
	log, blobs := newSystem().Log, new(offload.Memory)
	s := over(offload.Wrap(log, blobs, 0))
	do(t, s, oil("c-1", "A"))
	do(t, s, novate("c-2", "A", "B"))

	archive := new(audit.Memory)
	open := auditors(t, archive)
	sealed, err := open(s.Log).Seal(t.Context())
	require.NoError(t, err)
	again, err := open(log).Seal(t.Context())
	require.NoError(t, err)
	require.Equal(t, sealed, again, "there is nothing new to who reads the log alone")
	for _, reader := range []contract.Reader{s.Log, log} {
		found, err := open(reader).Verify(t.Context())
		require.NoError(t, err)
		require.Nil(t, found.Fault)
		require.EqualValues(t, 3, found.Sealed)
	}

	altered, err := log.Find(t.Context(), trade.EventID("c-2", 0))
	require.NoError(t, err)
	blobs.Set(altered.BodyDigest, []byte("another novation"))
	found, err := open(log).Verify(t.Context())
	require.NoError(t, err)
	require.Nil(t, found.Fault, "the log itself is as it was")
	found, err = open(s.Log).Verify(t.Context())
	require.NoError(t, err)
	require.NotNil(t, found.Fault)
	require.Equal(t, altered.Position, found.Fault.Position)
	_, err = s.Do(t.Context(), novate("c-3", "A", "C"))
	offloaded := new(contract.OffloadError)
	require.ErrorAs(t, err, &offloaded, "no decision rests on what was altered")
	require.Equal(t, sha256.Sum256([]byte("another novation")), *offloaded.Found)
}

// auditors are of one archive and one key, each with a log as it can read it.
func auditors(t *testing.T, archive audit.Archive) func(contract.Reader) *audit.Auditor {
	const origin = "example.com/blotter/test"
	secret, public, err := audit.GenerateKey(rand.Reader, origin)
	require.NoError(t, err)
	signer, err := note.NewSigner(secret)
	require.NoError(t, err)
	verifier, err := note.NewVerifier(public)
	require.NoError(t, err)
	return func(log contract.Reader) *audit.Auditor {
		a, err := audit.Open(audit.Options{Log: log, Archive: archive, Origin: origin, Signer: signer, Verifier: verifier})
		require.NoError(t, err)
		return a
	}
}
