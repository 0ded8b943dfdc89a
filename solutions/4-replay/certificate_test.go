package replay_test

import (
	"bytes"
	"crypto/sha256"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/mod/sumdb/note"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
	replay "example.com/blotter/solutions/4-replay"
)

// keyPair returns a key that depends on its name and seed alone.
func keyPair(t *testing.T, name string, seed byte) (note.Signer, note.Verifier) {
	t.Helper()
	private, public, err := note.GenerateKey(bytes.NewReader(bytes.Repeat([]byte{seed}, 64)), name)
	require.NoError(t, err)
	signer, err := note.NewSigner(private)
	require.NoError(t, err)
	verifier, err := note.NewVerifier(public)
	require.NoError(t, err)
	return signer, verifier
}

// A certified snapshot is checked with the public key alone. Any changed byte is found.
func TestCertificateOfASnapshot(t *testing.T) {
	t.Parallel()
	signer, verifier := keyPair(t, "desk.example", 1)
	s, err := archive(t, history()).Get(t.Context(), "month-end")
	require.NoError(t, err)
	s.Format = trade.StateFormat
	s.Provenance = &contract.Provenance{
		Projection: "positions", Revision: "4f1c", Schemas: []string{"trade.new.v1"},
		Sealed: 3, Root: contract.HexHash{7},
	}
	c := contract.Checkpoint{Origin: "desk.example", Size: 5, Root: sha256.Sum256(nil)}
	file, err := replay.Certify(s, c, signer)
	require.NoError(t, err)
	got, under, err := replay.OpenCertificate(file, verifier)
	require.NoError(t, err)
	require.Equal(t, s, got)
	require.Equal(t, c, under)

	for i := range file {
		changed := bytes.Clone(file)
		changed[i] ^= 1
		_, _, err := replay.OpenCertificate(changed, verifier)
		require.ErrorIs(t, err, replay.ErrCertificate, "byte %d", i)
		_, _, err = replay.OpenCertificate(file[:i], verifier)
		require.ErrorIs(t, err, replay.ErrCertificate, "the first %d bytes", i)
	}
	_, _, err = replay.OpenCertificate(append(bytes.Clone(file), file...), verifier)
	require.ErrorIs(t, err, replay.ErrCertificate)

	other, _ := keyPair(t, "desk.example", 2)
	forged, err := replay.Certify(s, c, other)
	require.NoError(t, err)
	_, _, err = replay.OpenCertificate(forged, verifier)
	require.ErrorContains(t, err, "note has no verifiable signatures")
	c.Origin = "other.example"
	foreign, err := replay.Certify(s, c, signer)
	require.NoError(t, err)
	_, _, err = replay.OpenCertificate(foreign, verifier)
	require.ErrorContains(t, err, `its origin is "other.example", and the key is of "desk.example"`)
}
