package audit

import (
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"example.com/blotter/labs/kit/contract"
)

// ErrCheckpoint is wrapped by the error for bytes that are no checkpoint, for a checkpoint of
// another log, and for one without a valid signature of the key.
var ErrCheckpoint = errors.New("not a checkpoint of this log")

// A KeyError says that a checkpoint of this log, or an archive, is signed by other keys only.
type KeyError struct {
	By   []string // keys that the note says it is signed by, such as blotter.example+1a2b3c4d
	Key  string   // the log's key
	Ring bool     // cross-signed notes lead from Key to other keys of the log
}

func (e *KeyError) Error() string {
	text := fmt.Sprintf("signed by another key, %s, and not by %s",
		strings.Join(e.By, " and "), e.Key)
	if e.Ring {
		text += ": no chain of cross-signed notes leads from one to the other"
	}
	return text
}

// keyID returns the name and the hash of a key. Both keys of a pair begin with them.
func keyID(key interface {
	Name() string
	KeyHash() uint32
}) string {
	return fmt.Sprintf("%s+%08x", key.Name(), key.KeyHash())
}

// sign returns the signed note of a checkpoint (C2SP tlog-checkpoint): origin, size and root, each
// on a line, no extension lines. Ed25519 signs the same text to the same bytes (RFC 8032), so two
// sealers publish the same note.
func sign(origin string, size int64, root tlog.Hash, keys ...note.Signer) ([]byte, error) {
	text := fmt.Sprintf("%s\n%d\n%s\n", origin, size, base64.StdEncoding.EncodeToString(root[:]))
	return note.Sign(&note.Note{Text: text}, keys...)
}

// OpenCheckpoint checks the signature of a note and returns its checkpoint. End is nil: it is in
// the header of the last batch, which the root covers.
func OpenCheckpoint(signed []byte, origin string, key note.Verifier) (contract.Checkpoint, error) {
	bad := func(err error) (contract.Checkpoint, error) {
		return contract.Checkpoint{}, fmt.Errorf("%w: %v", ErrCheckpoint, err)
	}
	n, err := openNote(signed, key)
	var other *KeyError
	if unverified := new(note.UnverifiedNoteError); errors.As(err, &unverified) {
		n, other = unverified.Note, &KeyError{Key: keyID(key), Ring: isRotated(key)}
		for _, s := range n.UnverifiedSigs {
			other.By = append(other.By, fmt.Sprintf("%s+%08x", s.Name, s.Hash))
		}
	} else if err != nil {
		return bad(err)
	}
	lines := strings.Split(n.Text, "\n")
	if len(lines) != 4 || lines[3] != "" {
		return bad(fmt.Errorf("it has %d lines of text, want origin, size and root", len(lines)-1))
	}
	if lines[0] != origin {
		return bad(fmt.Errorf("its origin is %q, not %q", lines[0], origin))
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil || size < 0 || strconv.FormatInt(size, 10) != lines[1] {
		return bad(fmt.Errorf("its size %q is not a number of leaves", lines[1]))
	}
	root, err := tlog.ParseHash(lines[2])
	if err != nil || root.String() != lines[2] {
		return bad(fmt.Errorf("its root %q is not a hash in standard base64", lines[2]))
	}
	if other != nil {
		return contract.Checkpoint{}, fmt.Errorf("%w: it is %w", ErrCheckpoint, other)
	}
	if err := signsAt(n, key, size); err != nil {
		return contract.Checkpoint{}, fmt.Errorf("%w: it is %w", ErrCheckpoint, err)
	}
	return contract.Checkpoint{Origin: origin, Size: size, Root: root, Note: signed}, nil
}

// openNote is note.Open with strict base64 in the signatures of the key, which may be a Ring.
// note.Open ignores the bits that pad the last character, so that one signature has several
// spellings.
func openNote(signed []byte, key note.Verifier) (*note.Note, error) {
	n, err := note.Open(signed, verifiersOf(key))
	if err != nil {
		return nil, err
	}
	for _, s := range n.Sigs {
		if _, err := base64.StdEncoding.Strict().DecodeString(s.Base64); err != nil {
			return nil, fmt.Errorf("the signature %q: %w", s.Base64, err)
		}
	}
	return n, nil
}

// GenerateKey returns an Ed25519 key pair for the log with this origin, each key as one line of
// text (C2SP signed-note). The signer key is secret. The verifier key is for everybody who checks
// proofs. The name of a key is the origin, as C2SP tlog-checkpoint advises: no spaces, no plus
// signs.
func GenerateKey(random io.Reader, origin string) (signer, verifier string, err error) {
	signer, verifier, err = note.GenerateKey(random, origin)
	if err != nil {
		return "", "", fmt.Errorf("generating a key for %q: %w", origin, err)
	}
	if _, err := note.NewSigner(signer); err != nil {
		return "", "", fmt.Errorf("origin %q cannot name a key: "+
			"a name is not empty and has no spaces and no plus signs", origin)
	}
	return signer, verifier, nil
}

// VerifierKey returns the verifier key of a signer key, so that only the signer key has to be kept.
func VerifierKey(signer string) (string, error) {
	// The error does not show the input, which may be a secret.
	bad := errors.New("not a signer key: want PRIVATE+KEY+<name>+<hash>+<key>")
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
