package logdir

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
)

// A commandSigner signs with a key that this process never sees, such as that of a hardware token
// (PKCS#11) or of a key management service. The command reads the text to sign from standard input
// and writes its Ed25519 signature (RFC 8032), 64 bytes, to standard output.
type commandSigner struct {
	note.Verifier // the public key of the command's key
	command       []string
	within        time.Duration
}

var _ note.Signer = commandSigner{}

// signWithin is how long a command may take. A token may ask a person to touch it.
const signWithin = time.Minute

// closeWithin is how long a program that the command started may keep its output open after that.
const closeWithin = time.Second

// Sign implements note.Signer. It returns only a signature that the public key accepts, so a wrong
// key signs nothing that is published.
func (s commandSigner) Sign(text []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), s.within)
	defer cancel()
	cmd := exec.CommandContext(ctx, s.command[0], s.command[1:]...)
	var said bytes.Buffer
	cmd.WaitDelay = closeWithin
	cmd.Stdin, cmd.Stderr = bytes.NewReader(text), &said
	sig, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("the signer %s: %w: %s", s.command[0], err,
			strings.TrimSpace(said.String()))
	}
	if !s.Verify(text, sig) {
		return nil, &IntegrityError{
			fmt.Sprintf("the signer %s gave %d bytes that are no signature of the key in "+
				"keys/verifier", s.command[0], len(sig)),
			"let it sign with the private key of keys/verifier, and write the 64 bytes alone"}
	}
	return sig, nil
}

// external returns the keys of a log whose signer is a command. keys/signer.pem has the public key
// as a token or a key management service exports it; keys/verifier follows from it.
func (d *Dir) external(from KeySource) (k Keys, err error) {
	if _, err := os.Lstat(d.keyFile("signer")); err == nil {
		return k, &UsageError{"the log has two signers: BLOTTER_SIGNER and keys/signer",
			"unset BLOTTER_SIGNER: a command takes over from no file"}
	}
	public, err := d.exported()
	if err != nil {
		return k, &UsageError{fmt.Sprintf("the public key of BLOTTER_SIGNER: %v", err),
			"put the Ed25519 public key of the signer into keys/signer.pem of the data folder"}
	}
	if from.Create {
		err = writeNew(d.keyFile("verifier"), []byte(public+"\n"))
	}
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return k, err
	}
	key, err := note.NewVerifier(public)
	if err != nil {
		return k, err
	}
	k.Signer, k.Public = commandSigner{key, from.Command, signWithin}, public
	k.Verifier, err = d.checkVerifier(from, public, "")
	return k, err
}

// exported returns the key of keys/signer.pem (RFC 8410) as the verifier key of the log.
func (d *Dir) exported() (string, error) {
	text, err := os.ReadFile(d.keyFile("signer.pem"))
	if err != nil {
		return "", err
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return "", errors.New("keys/signer.pem is not PEM")
	}
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return "", fmt.Errorf("keys/signer.pem: %w", err)
	}
	public, ok := key.(ed25519.PublicKey)
	if !ok {
		return "", fmt.Errorf("keys/signer.pem has a %T, want an Ed25519 key", key)
	}
	return note.NewEd25519VerifierKey(d.settings.Name.Origin(), public)
}
