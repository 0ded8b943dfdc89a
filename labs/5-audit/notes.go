// Code generated from solutions/5-audit/plain/notes.go by make generate; DO NOT EDIT.

package audit

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"example.com/blotter/labs/kit/contract"
)

// signCheckpoint returns the signed note of a checkpoint (C2SP tlog-checkpoint): origin, size and
// root, each on a line, then the signature (C2SP signed-note).
func signCheckpoint(origin string, size int64, root contract.Hash, key note.Signer) (
	[]byte, error) {
	text := fmt.Sprintf("%s\n%d\n%s\n", origin, size, base64.StdEncoding.EncodeToString(root[:]))
	return note.Sign(&note.Note{Text: text}, key)
}

// errCheckpoint is wrapped by every error of openCheckpoint.
var errCheckpoint = errors.New("not a checkpoint of this log")

// openCheckpoint checks the signature and the origin of a note, and returns its checkpoint.
func openCheckpoint(signed []byte, origin string, key note.Verifier) (
	c contract.Checkpoint, err error) {
	n, err := note.Open(signed, note.VerifierList(key))
	if err != nil {
		return c, fmt.Errorf("%w: %w", errCheckpoint, err)
	}
	lines := strings.Split(n.Text, "\n")
	if len(lines) != 4 || lines[0] != origin || lines[3] != "" {
		return c, fmt.Errorf("%w: its text is %q", errCheckpoint, n.Text)
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil || size < 0 || strconv.FormatInt(size, 10) != lines[1] {
		return c, fmt.Errorf("%w: its size is %q", errCheckpoint, lines[1])
	}
	root, err := tlog.ParseHash(lines[2])
	if err != nil {
		return c, fmt.Errorf("%w: its root %q: %w", errCheckpoint, lines[2], err)
	}
	return contract.Checkpoint{Origin: origin, Size: size, Root: root, Note: signed}, nil
}
