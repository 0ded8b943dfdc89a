package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/mod/sumdb/note"

	audit "example.com/blotter/solutions/5-audit"
)

// keys is the pair that signs checkpoints. The verifier key is for everybody; who has the signer key can sign another history, so in earnest it
// is kept where the log's administrators cannot reach it.
func (a *app) keys(ctx context.Context, archive audit.Archive, seals bool) (note.Signer, note.Verifier, error) {
	path := filepath.Join(a.cli.Data, "keys", "signer")
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		text, err = a.firstKey(ctx, archive, path, seals)
	}
	if err != nil {
		return nil, nil, err
	}
	key := strings.TrimSpace(string(text))
	signer, err := note.NewSigner(key)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", path, err)
	}
	public, err := audit.VerifierKey(key)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", path, err)
	}
	if seals {
		// AFTER the signer key, which it can be told from: what a crash leaves out, the next seal brings.
		err = writeNew(filepath.Join(a.cli.Data, "keys", "verifier"), []byte(public+"\n"), 0o644)
	}
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, nil, err
	}
	verifier, err := note.NewVerifier(public)
	return signer, verifier, err
}

// firstKey makes a signer key for a log of which nothing was signed; otherwise the key was lost, and another would make every checkpoint look
// forged. Only who seals keeps it: who looks has no signature to check with it.
func (a *app) firstKey(ctx context.Context, archive audit.Archive, path string, seals bool) ([]byte, error) {
	signed, err := archive.List(ctx, "checkpoints/")
	if err != nil {
		return nil, err
	}
	if _, err := os.Lstat(a.lastNote()); len(signed) > 0 || err == nil {
		return nil, &failure{"the log's signing key is missing: " + path, "restore it from where it is kept: its checkpoints can be checked with no other"}
	}
	key, _, err := audit.GenerateKey(rand.Reader, a.settings.Name.origin())
	if err != nil || !seals {
		return []byte(key), err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	if err := writeNew(path, []byte(key+"\n"), 0o600); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	return os.ReadFile(path) // of several first seals at once, all sign with the key of the first
}
