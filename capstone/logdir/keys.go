package logdir

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/mod/sumdb/note"

	"example.com/blotter/labs/kit/contract"
)

// Keys are the pair that signs checkpoints (C2SP signed-note). The verifier key is public. Whoever
// has the signer key can sign another history.
type Keys struct {
	Signer   note.Signer
	Verifier note.Verifier
}

// A KeySource tells Keys what the folder does not know.
type KeySource struct {
	Create bool // keep a first key; otherwise nothing is written
	Signed func() (bool,
		error) // reports whether the archive has a checkpoint
	VerifierKey func(signerKey string) (string, error) // derives the public key
}

// Keys returns the keys of the log.
func (d *Dir) Keys(from KeySource) (k Keys, err error) {
	path := d.keyFile("signer")
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		text, err = d.firstKey(path, from)
	}
	if err != nil {
		return k, err
	}
	key := strings.TrimSpace(string(text))
	if k.Signer, err = note.NewSigner(key); err != nil {
		return k, fmt.Errorf("%s: %w", path, err)
	}
	public, err := from.VerifierKey(key)
	if err != nil {
		return k, fmt.Errorf("%s: %w", path, err)
	}
	if from.Create {
		// AFTER the signer key, from which it is derived: after a crash here the next seal writes
		// it.
		err = writeNew(d.keyFile("verifier"), []byte(public+"\n"), 0o644)
	}
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return k, err
	}
	k.Verifier, err = note.NewVerifier(public)
	return k, err
}

// firstKey generates a signer key for a log of which nothing was signed. Otherwise the key was
// lost, and with another one every checkpoint would look forged.
func (d *Dir) firstKey(path string, from KeySource) ([]byte, error) {
	signed, err := from.Signed()
	if err != nil {
		return nil, err
	}
	if _, err := os.Lstat(d.keyFile("checkpoint")); signed || err == nil {
		return nil, &IntegrityError{"the log's signing key is missing: " + path,
			"restore it from a backup: no other key can check the log's checkpoints"}
	}
	key, _, err := note.GenerateKey(rand.Reader, d.settings.Name.Origin())
	if err != nil || !from.Create {
		return []byte(key), err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	if err := writeNew(path, []byte(key+"\n"), 0o600); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	return os.ReadFile(path) // of several first seals at once, all sign with the first one's key
}

func (d *Dir) keyFile(name string) string { return filepath.Join(d.path, "keys", name) }

// Checkpoint returns the last checkpoint that was published from this folder; the zero value
// without one. It was in the archive BEFORE it was here: look at the archive after it. So an
// emptied archive is not mistaken for one in which nothing was ever sealed. Another tree of the
// same size would be signed there, and nobody could tell which of the two is the log's.
func (d *Dir) Checkpoint(open func(signed []byte) (contract.Checkpoint,
	error)) (c contract.Checkpoint, err error) {
	path := d.keyFile("checkpoint")
	signed, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return c, nil
	}
	if err != nil {
		return c, err
	}
	if c, err = open(signed); err != nil {
		err = &IntegrityError{fmt.Sprintf("%s: %v", path, err),
			"the checkpoint was edited, or keys/signer was replaced: restore both from a backup"}
	}
	return c, err
}

// KeepCheckpoint keeps the note of a checkpoint. Call it AFTER the checkpoint was published.
func (d *Dir) KeepCheckpoint(signed []byte) error {
	return replace(d.keyFile("checkpoint"), signed, 0o644)
}

// checkNoCheckpoint refuses a new log beside the keys of a sealed one. The archive of the new log
// does not have what was published with these keys, so that it could never be sealed.
func (d *Dir) checkNoCheckpoint() error {
	path := d.keyFile("checkpoint")
	_, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return &UsageError{
		fmt.Sprintf("the keys in %s belong to another log: they have published a checkpoint",
			filepath.Dir(path)),
		fmt.Sprintf("name another folder with --data, or move the keys away; "+
			"if it is the same log, restore %s from a backup", filepath.Join(d.path, settingsFile)),
	}
}
