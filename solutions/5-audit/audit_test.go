package audit_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"flag"
	"io"
	"iter"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/mod/sumdb/note"

	"example.com/blotter/labs/5-audit/audittest"
	"example.com/blotter/labs/kit/check"
	"example.com/blotter/labs/kit/contract"
	audit "example.com/blotter/solutions/5-audit"
)

type events = iter.Seq2[contract.Recorded, error]

const origin = "example.com/blotter/test"

// keys returns the same keys in every run, so that signed bytes can be compared with golden files.
func keys(t require.TestingT) (note.Signer, note.Verifier) {
	seed := sha256.Sum256([]byte(origin))
	return keysFrom(t, bytes.NewReader(seed[:]))
}

// secretKey returns the signer key of keys as text, and publicKey the verifier key.
func secretKey(t require.TestingT) string {
	seed := sha256.Sum256([]byte(origin))
	secret, _, err := audit.GenerateKey(bytes.NewReader(seed[:]), origin)
	require.NoError(t, err)
	return secret
}

func publicKey(t require.TestingT) string {
	public, err := audit.VerifierKey(secretKey(t))
	require.NoError(t, err)
	return public
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

// open returns an auditor with batches of at most four offsets: small logs then have many batches.
func open(t require.TestingT, log contract.SealableLog, archive audit.Archive) *audit.Auditor {
	signer, verifier := keys(t)
	a, err := audit.Open(audit.Options{
		Log: log, Archive: archive, Origin: origin, Signer: signer, Verifier: verifier, Batch: 4,
		Clock: tomorrow,
	})
	require.NoError(t, err)
	return a
}

// tomorrow is a clock that stands still a day after the events.
func tomorrow() time.Time { return audittest.Noon.AddDate(0, 0, 1) }

// suiteOn returns the suite for auditors whose archive archive makes.
func suiteOn(archive func(check.T) audit.Archive) check.Suite {
	return audittest.Suite(audittest.Fixture{Archive: opener(archive)})
}

// opener returns the auditors of a fixture whose archive archive makes.
func opener(
	archive func(check.T) audit.Archive,
) func(check.T) (audittest.Open, audittest.Bucket) {
	return func(t check.T) (audittest.Open, audittest.Bucket) {
		a := archive(t)
		return func(log contract.SealableLog) contract.Auditor { return open(t, log, a) }, a
	}
}

func TestAuditor(t *testing.T) {
	t.Parallel()
	check.Run(t, suiteOn(func(check.T) audit.Archive { return new(audit.Memory) }))
}

func TestAuditorOnS3(t *testing.T) {
	t.Parallel()
	check.Run(t, suiteOn(func(check.T) audit.Archive { return bucket(t) }))
}

var update = flag.Bool("update", false, "rewrite the golden files")

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		require.NoError(t, os.WriteFile(path, got, 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, string(want), string(got),
		"%s: a change of this format makes every sealed log unverifiable", path)
}

// The formats never change: a log that was sealed years ago must still verify.
func TestArchivedBytesMatchTheGoldenFiles(t *testing.T) {
	t.Parallel()
	log, archive := audittest.NewLog(2), new(audit.Memory)
	log.Add(3)
	_, err := open(t, log, archive).Seal(t.Context())
	require.NoError(t, err)
	log.Add(2)
	_, err = open(t, log, archive).Seal(t.Context())
	require.NoError(t, err)

	for object, file := range map[string]string{
		"batches/000000000001":     "batch-1.txt",
		"batches/000000000002":     "batch-2.txt",
		"records/000000000001":     "records-1",
		"tile/0/000.p/7":           "tile-0-7",
		"tile/entries/000.p/7":     "tile-entries-7",
		"checkpoints/000000000004": "checkpoint-4.txt",
		"checkpoints/000000000007": "checkpoint-7.txt",
	} {
		data, err := archive.Get(t.Context(), object)
		require.NoError(t, err)
		golden(t, file, data)
	}
	proof, err := open(t, log, archive).Prove(context.Background(), log.Events()[2])
	require.NoError(t, err)
	golden(t, "event.tlog-proof", proof)
}
