package logdir

import (
	"crypto/ed25519"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/mod/sumdb/note"
)

// A log whose key a command has signs with it. A command that fails, or signs with another key, or
// says more than a signature, signs nothing.
func TestCommandSigns(t *testing.T) {
	t.Parallel()
	d := &Dir{path: t.TempDir(), settings: example}
	public, private, err := ed25519.GenerateKey(nil)
	require.NoError(t, err)
	from := keySource(true, false)
	from.Command = []string{"false"}
	_, err = d.Keys(from)
	require.ErrorContains(t, err, "signer.pem")
	der, err := x509.MarshalPKIXPublicKey(public)
	require.NoError(t, err)
	require.NoError(t, os.Mkdir(filepath.Join(d.path, "keys"), 0o700))
	require.NoError(t, os.WriteFile(d.keyFile("signer.pem"),
		pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), 0o600))

	text := "a checkpoint\n"
	sig := ed25519.Sign(private, []byte(text))
	answers := func(bytes []byte) []string { // a command that knows one signature
		file := filepath.Join(t.TempDir(), hex.EncodeToString(bytes[:4]))
		require.NoError(t, os.WriteFile(file, bytes, 0o600))
		return []string{"cat", file}
	}
	for _, command := range [][]string{{"false"}, {"nothing-of-this-name"},
		answers(append(sig, '\n')), answers(make([]byte, 64))} {
		from.Command = command
		k, err := d.Keys(from)
		require.NoError(t, err)
		_, err = note.Sign(&note.Note{Text: text}, k.Signer)
		require.ErrorContains(t, err, "the signer "+command[0])
	}
	from.Command = answers(sig)
	k, err := d.Keys(from)
	require.NoError(t, err)
	signed, err := note.Sign(&note.Note{Text: text}, k.Signer)
	require.NoError(t, err)
	kept, err := d.Verifier(keySource(false, false))
	require.NoError(t, err)
	_, err = note.Open(signed, note.VerifierList(kept))
	require.NoError(t, err)

	_, err = d.Keys(keySource(true, false))
	require.ErrorContains(t, err, "a command signs for this log")
	require.NoError(t, os.WriteFile(d.keyFile("signer"), nil, 0o600))
	_, err = d.Keys(from)
	require.ErrorContains(t, err, "two signers")
}

// A command that takes too long is stopped, also if it is a script whose program still runs.
func TestSlowCommandIsStopped(t *testing.T) {
	t.Parallel()
	began := time.Now()
	slow := commandSigner{command: []string{"sh", "-c", "sleep 60; true"},
		within: 10 * time.Millisecond}
	_, err := slow.Sign([]byte("a checkpoint\n"))
	require.ErrorContains(t, err, "the signer sh")
	require.Less(t, time.Since(began), 50*time.Second)
}
