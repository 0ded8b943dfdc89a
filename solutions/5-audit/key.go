package audit

import (
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strings"

	"golang.org/x/mod/sumdb/note"
)

// GenerateKey makes an Ed25519 key pair for the log with this origin, as one line of text each (C2SP signed-note). The
// signer key is secret; the verifier key is for everybody who is to check a proof. The name of a key is the origin, as
// C2SP tlog-checkpoint advises: no spaces, no plus.
func GenerateKey(random io.Reader, origin string) (signer, verifier string, err error) {
	signer, verifier, err = note.GenerateKey(random, origin)
	if err != nil {
		return "", "", fmt.Errorf("generating a key for %q: %w", origin, err)
	}
	if _, err := note.NewSigner(signer); err != nil {
		return "", "", fmt.Errorf("origin %q cannot name a key: it must not be empty and have neither spaces nor plus signs", origin)
	}
	return signer, verifier, nil
}

// VerifierKey is the verifier key that belongs to a signer key, so that only one of the two has to be kept.
func VerifierKey(signer string) (string, error) {
	bad := errors.New("not a signer key: want PRIVATE+KEY+<name>+<hash>+<key>") // says nothing of what it was given
	if _, err := note.NewSigner(signer); err != nil {
		return "", bad
	}
	parts := strings.SplitN(signer, "+", 5)
	if len(parts) != 5 {
		return "", bad
	}
	key, err := base64.StdEncoding.DecodeString(parts[4])
	if err != nil || len(key) != 1+ed25519.SeedSize { // an algorithm byte, then the seed
		return "", bad
	}
	public := ed25519.NewKeyFromSeed(key[1:]).Public().(ed25519.PublicKey)
	return note.NewEd25519VerifierKey(parts[2], public)
}
