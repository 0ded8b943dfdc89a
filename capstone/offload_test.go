package capstone_test

import (
	"crypto/rand"
	"crypto/sha256"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/mod/sumdb/note"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
	"example.com/blotter/solutions/2-store/offload"
	audit "example.com/blotter/solutions/5-audit"
)

// All payloads of this log are offloaded. An auditor with the object storage and an auditor with
// only the log seal and verify the same root. Only the first one notices an altered payload.
func TestAuditOfOffloadedPayloads(t *testing.T) {
	t.Parallel()
	log, blobs := newSystem().Log, new(offload.Memory)
	s := over(offload.Wrap(log, blobs, 0))
	do(t, s, oil("c-1", "A"))
	do(t, s, novate("c-2", "A", "B"))

	open := auditors(t)
	sealed, err := open(s.Log).Seal(t.Context())
	require.NoError(t, err)
	again, err := open(log).Seal(t.Context())
	require.NoError(t, err)
	require.Equal(t, sealed, again, "the log alone has nothing new to seal")
	for _, reader := range []contract.SealableLog{s.Log, log} {
		found := verify(t, open(reader))
		require.Nil(t, found.Fault)
		require.EqualValues(t, 3, found.Sealed)
	}

	altered, err := log.Find(t.Context(), trade.EventID("c-2", 0))
	require.NoError(t, err)
	blobs.Set(altered.BodyDigest, []byte("another novation"))
	require.Nil(t, verify(t, open(log)).Fault, "the log itself is unchanged")
	found := verify(t, open(s.Log))
	require.NotNil(t, found.Fault)
	require.Equal(t, altered.Position, found.Fault.Position)
	_, err = s.Do(t.Context(), novate("c-3", "A", "C"))
	offloaded := new(contract.OffloadError)
	require.ErrorAs(t, err, &offloaded, "the desk decides nothing on an altered payload")
	require.Equal(t, sha256.Sum256([]byte("another novation")), *offloaded.Found)
}

func verify(t *testing.T, a *audit.Auditor) contract.Verification {
	t.Helper()
	found, err := a.Verify(t.Context())
	require.NoError(t, err)
	return found
}

// auditors returns a function that opens auditors of one archive with one key, each over a log.
func auditors(t *testing.T) func(contract.SealableLog) *audit.Auditor {
	const origin = "example.com/blotter/test"
	archive := new(audit.Memory)
	secret, public, err := audit.GenerateKey(rand.Reader, origin)
	require.NoError(t, err)
	signer, err := note.NewSigner(secret)
	require.NoError(t, err)
	verifier, err := note.NewVerifier(public)
	require.NoError(t, err)
	return func(log contract.SealableLog) *audit.Auditor {
		a, err := audit.Open(audit.Options{
			Log: log, Archive: archive, Origin: origin, Signer: signer, Verifier: verifier,
			Clock: time.Now,
		})
		require.NoError(t, err)
		return a
	}
}
