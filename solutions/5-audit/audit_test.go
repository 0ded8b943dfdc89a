package audit_test

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"io"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/mod/sumdb/note"

	"example.com/blotter/labs/5-audit/audittest"
	"example.com/blotter/labs/kit/check"
	"example.com/blotter/labs/kit/contract"
	audit "example.com/blotter/solutions/5-audit"
)

const origin = "example.com/blotter/test"

// keys are the same in every run: what is signed can be compared with a golden file.
func keys(t require.TestingT) (note.Signer, note.Verifier) {
	seed := sha256.Sum256([]byte(origin))
	return keysFrom(t, bytes.NewReader(seed[:]))
}

func newKeys(t require.TestingT) (note.Signer, note.Verifier) { return keysFrom(t, rand.Reader) }

func keysFrom(t require.TestingT, random io.Reader) (note.Signer, note.Verifier) {
	secret, public, err := audit.GenerateKey(random, origin)
	require.NoError(t, err)
	signer, err := note.NewSigner(secret)
	require.NoError(t, err)
	verifier, err := note.NewVerifier(public)
	require.NoError(t, err)
	return signer, verifier
}

// open is an auditor with batches of at most four offsets, so that small logs have many.
func open(t require.TestingT, log contract.Reader, archive audit.Archive) *audit.Auditor {
	signer, verifier := keys(t)
	a, err := audit.Open(audit.Options{Log: log, Archive: archive, Origin: origin, Signer: signer, Verifier: verifier, Batch: 4})
	require.NoError(t, err)
	return a
}

func TestAuditor(t *testing.T) {
	t.Parallel()
	check.Run(t, audittest.Suite(audittest.Fixture{Archive: func(t check.T) audittest.Open {
		archive := new(audit.Memory)
		return func(log contract.Reader) contract.Auditor { return open(t, log, archive) }
	}}))
}
