package audit_test

import (
	"bytes"
	"crypto/rand"
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/5-audit/audittest"
	audit "example.com/blotter/solutions/5-audit"
)

func TestEveryEventHasAProof(t *testing.T) {
	t.Parallel()
	log, archive := audittest.NewLog(3), new(audit.Memory)
	for range 3 {
		log.Add(7)
		_, err := open(t, log, archive).Seal(t.Context())
		require.NoError(t, err)
	}
	_, verifier := keys(t)
	seen := map[int64]bool{}
	for _, r := range log.Events() {
		text, err := open(t, log, archive).Prove(t.Context(), r)
		require.NoError(t, err)
		p, err := audit.CheckProof(text, origin, verifier)
		require.NoError(t, err)
		require.Equal(t, r.Leaf(), p.Leaf)
		require.False(t, seen[p.Index])
		seen[p.Index] = true
		all, err := audit.Attributes(p.Leaf)
		require.NoError(t, err)
		require.Contains(t, all, audit.Attribute{Name: "id", Value: r.ID.String()})
		effective := r.EffectiveAt.Format("2006-01-02T15:04:05Z07:00")
		require.Contains(t, all, audit.Attribute{Name: "effective_at", Value: effective})
	}
}

func TestAChangedProofDoesNotHold(t *testing.T) {
	t.Parallel()
	log, archive := audittest.NewLog(1), new(audit.Memory)
	log.Add(9)
	_, err := open(t, log, archive).Seal(t.Context())
	require.NoError(t, err)
	_, verifier := keys(t)
	r := log.Events()[4]
	text, err := open(t, log, archive).Prove(t.Context(), r)
	require.NoError(t, err)
	want, err := audit.CheckProof(text, origin, verifier)
	require.NoError(t, err)
	for i := range text {
		bad := bytes.Clone(text)
		bad[i] ^= 1
		got, err := audit.CheckProof(bad, origin, verifier)
		if err != nil {
			require.ErrorIs(t, err, audit.ErrProof)
			continue
		}
		// The name of an unknown signer may differ. The proven leaf, index and root may not.
		require.Equal(t, want.Leaf, got.Leaf, "byte %d", i)
		require.Equal(t, want.Index, got.Index, "byte %d", i)
		require.Equal(t, want.Checkpoint.Root, got.Checkpoint.Root, "byte %d", i)
	}
	for n := range text[:len(text)-1] { // the last newline is optional
		_, err := audit.CheckProof(text[:n], origin, verifier)
		require.ErrorIs(t, err, audit.ErrProof, "cut at %d", n)
	}
	_, stranger := newKeys(t)
	_, err = audit.CheckProof(text, origin, stranger)
	require.ErrorIs(t, err, audit.ErrProof)
	_, err = audit.CheckProof(text, "example.com/another", verifier)
	require.ErrorIs(t, err, audit.ErrProof)
}

func TestAnUnsealedEventHasNoProof(t *testing.T) {
	t.Parallel()
	log, archive := audittest.NewLog(1), new(audit.Memory)
	log.Add(3)
	_, err := open(t, log, archive).Prove(t.Context(), log.Events()[0])
	require.ErrorIs(t, err, audit.ErrUnanchored)
	_, err = open(t, log, archive).Seal(t.Context())
	require.NoError(t, err)
	log.Add(1)
	log.FlipBit(at(0, 0))
	for _, i := range []int{0, 3} {
		_, err = open(t, log, archive).Prove(t.Context(), log.Events()[i])
		require.ErrorIs(t, err, audit.ErrUnanchored)
	}
}

func TestVerifierKeyOfASignerKey(t *testing.T) {
	t.Parallel()
	secret, public, err := audit.GenerateKey(rand.Reader, origin)
	require.NoError(t, err)
	got, err := audit.VerifierKey(secret)
	require.NoError(t, err)
	require.Equal(t, public, got)
	_, err = audit.VerifierKey(public)
	require.Error(t, err)
	for _, bad := range []string{"", "a b", "a+b"} {
		_, _, err = audit.GenerateKey(rand.Reader, bad)
		require.Error(t, err, "%q", bad)
	}
}
