package logdir

import (
	"cmp"
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

// Keys are the pair that signs checkpoints (C2SP signed-note). The verifier key is public. A
// holder of the signer key can sign another history.
type Keys struct {
	Signer   note.Signer // nil for a session that only verifies, and if the file is lost
	Verifier note.Verifier
	Public   string // the public key of Signer

	// Next is the key that takes over from Signer, with its public key; nil without one. It signs
	// only after a cross-signed note in the archive says so.
	Next       note.Signer
	NextPublic string
}

// A KeySource supplies the facts that the folder does not have.
type KeySource struct {
	// Create keeps a first key. Otherwise nothing is written.
	Create bool
	// Signed reports whether the archive has a checkpoint.
	Signed func() (bool, error)
	// VerifierKey derives the public key.
	VerifierKey func(signerKey string) (string, error)
	// Open reads the text of keys/verifier: a public key, and after it cross-signed notes. nil
	// reads only a key.
	Open func(text string) (note.Verifier, error)
	// Command signs in the place of keys/signer; nil without one.
	Command []string
}

// open reads the text of keys/verifier.
func (from KeySource) open(text string) (note.Verifier, error) {
	if from.Open != nil {
		return from.Open(text)
	}
	return note.NewVerifier(strings.TrimSpace(text))
}

// Keys returns the keys of the log. A folder with keys/signer.next alone has no Signer: that file
// was lost, and Next takes its place if cross-signed notes lead to it.
func (d *Dir) Keys(from KeySource) (k Keys, err error) {
	if from.Command != nil {
		return d.external(from)
	}
	path := d.keyFile("signer")
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		if err := d.nextKey(&k, from); err != nil || k.Next != nil {
			return k, err
		}
		text, err = d.firstKey(path, from)
	}
	if err != nil {
		return k, err
	}
	if k.Signer, k.Public, err = from.pair(path, text); err != nil {
		return k, err
	}
	if from.Create {
		// AFTER the signer key, from which it is derived. A crash here leaves the signer key:
		// the next seal writes the verifier key.
		err = writeNew(d.keyFile("verifier"), []byte(k.Public+"\n"))
	}
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return k, err
	}
	err = d.nextKey(&k, from)
	return k, err
}

// nextKey reads keys/signer.next into k, if there is one, and the public key of the folder.
func (d *Dir) nextKey(k *Keys, from KeySource) error {
	path := d.keyFile("signer.next")
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) && k.Signer == nil {
		return nil
	}
	if err == nil {
		k.Next, k.NextPublic, err = from.pair(path, text)
	}
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		k.Verifier, err = d.checkVerifier(from, k.Public, k.NextPublic)
	}
	return err
}

// pair reads a signer key and derives its public key.
func (from KeySource) pair(path string, text []byte) (note.Signer, string, error) {
	key := strings.TrimSpace(string(text))
	signer, err := note.NewSigner(key)
	if err != nil {
		return nil, "", fmt.Errorf("%s: %w", path, err)
	}
	public, err := from.VerifierKey(key)
	if err != nil {
		return nil, "", fmt.Errorf("%s: %w", path, err)
	}
	return signer, public, nil
}

// checkVerifier returns the public key of the folder. It refuses a file of the public key that has
// another key: sessions that verify read only that file. In a change of the signer it may have the
// next one. Without keys/signer it has whatever key leads to the next one.
func (d *Dir) checkVerifier(from KeySource, public, next string) (note.Verifier, error) {
	path := d.keyFile("verifier")
	kept, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return from.open(cmp.Or(public, next))
	}
	if err != nil {
		return nil, err
	}
	if key := firstLine(kept); public == "" || key == public || key == next && next != "" {
		return from.open(string(kept))
	}
	return nil, &IntegrityError{path + " is not the public key of keys/signer",
		"one of the two files was replaced: restore both from a backup"}
}

// Verifier returns the public key of the log. It reads the signer key only if the file of the
// public key is missing, and derives the public key from it. Before the first seal there is
// neither, and the key is one that has signed nothing.
func (d *Dir) Verifier(from KeySource) (note.Verifier, error) {
	path := d.keyFile("verifier")
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) { // or a crash of the first seal left only the signer key
		k, err := d.Keys(from)
		return k.Verifier, err
	}
	if err != nil {
		return nil, err
	}
	key, err := from.open(string(text))
	if err != nil {
		err = &IntegrityError{fmt.Sprintf("%s: %v", path, err),
			"restore it from a backup, or name the log's public key with --key"}
	}
	return key, err
}

// firstKey generates a signer key for a log that has no checkpoint yet. If the log has a
// checkpoint, its key was lost, and with a new key every checkpoint would look forged.
func (d *Dir) firstKey(path string, from KeySource) ([]byte, error) {
	signed, err := from.Signed()
	if err != nil {
		return nil, err
	}
	if _, err := os.Lstat(d.keyFile("signer.pem")); err == nil {
		return nil, &UsageError{"a command signs for this log: keys/signer.pem is its public key",
			"name the command in BLOTTER_SIGNER"}
	}
	if _, err := os.Lstat(d.keyFile("checkpoint")); signed || err == nil {
		return nil, &IntegrityError{"the log's signing key is missing: " + path,
			"restore it from a backup: no other key can check the log's checkpoints"}
	}
	key, _, err := note.GenerateKey(rand.Reader, d.settings.Name.Origin())
	if err != nil || !from.Create {
		return []byte(key), err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	if err := writeNew(path, []byte(key+"\n")); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	return os.ReadFile(path) // of several first seals at once, all sign with the first one's key
}

// firstLine returns the key in the text of a public key, before its cross-signed notes.
func firstLine(text []byte) string {
	line, _, _ := strings.Cut(strings.TrimSpace(string(text)), "\n")
	return line
}

// NextSigner keeps a key in keys/signer.next that can take over from keys/signer, unless there is
// one. It signs nothing yet, so a crash after it changes nothing.
func (d *Dir) NextSigner() error {
	key, _, err := note.GenerateKey(rand.Reader, d.settings.Name.Origin())
	if err == nil {
		err = writeNew(d.keyFile("signer.next"), []byte(key+"\n"))
	}
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	return err
}

// KeepVerifier replaces the text of keys/verifier: a public key, and its cross-signed notes.
func (d *Dir) KeepVerifier(text string) error {
	return replace(d.keyFile("verifier"), []byte(text))
}

// PromoteSigner makes keys/signer.next the key in keys/signer, AFTER the log gave that one up and
// keys/verifier has the public key of the next one. The old key is gone from the folder.
func (d *Dir) PromoteSigner() error {
	return os.Rename(d.keyFile("signer.next"), d.keyFile("signer"))
}

// RetentionPolicy returns the text of the file retention.json; nil without one.
func (d *Dir) RetentionPolicy() ([]byte, error) {
	text, err := os.ReadFile(filepath.Join(d.path, "retention.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return text, err
}

// MasterKey returns the text of the key that wraps the keys of parties. If the folder has none, it
// keeps the one that create returns.
func (d *Dir) MasterKey(create func() (string, error)) (string, error) {
	path := d.keyFile("master")
	text, err := os.ReadFile(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return string(text), err
	}
	fresh, err := create()
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return "", err
	}
	if err := writeNew(path, []byte(fresh)); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", err
	}
	text, err = os.ReadFile(path) // of several processes at once, the first one's key counts
	return string(text), err
}

func (d *Dir) keyFile(name string) string { return filepath.Join(d.path, "keys", name) }

// Checkpoint returns the last checkpoint that was published from this folder, or the zero value.
// It was in the archive BEFORE it was here, so read it BEFORE the archive. It shows that an empty
// archive was emptied and is not new. Over an emptied archive a seal would sign another tree of the
// same size, and nobody could tell which of the two trees is the log's.
func (d *Dir) Checkpoint(
	open func(signed []byte) (contract.Checkpoint, error),
) (c contract.Checkpoint, err error) {
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
	return replace(d.keyFile("checkpoint"), signed)
}

// checkNoCheckpoint refuses a new log beside the keys of a sealed one. The archive of the new log
// lacks the checkpoint that these keys published, and could never be sealed.
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
