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

// ErrCheckpoint is wrapped by the error of a checkpoint that is not one, is another log's, or is not signed by the key.
var ErrCheckpoint = errors.New("not a checkpoint of this log")

// sign makes the signed note of a checkpoint (C2SP tlog-checkpoint): origin, size and root, each on a line, no extension
// lines. Ed25519 signs the same text to the same bytes (RFC 8032), so two sealers publish the same note.
func sign(origin string, size int64, root tlog.Hash, key note.Signer) ([]byte, error) {
	text := fmt.Sprintf("%s\n%d\n%s\n", origin, size, base64.StdEncoding.EncodeToString(root[:]))
	return note.Sign(&note.Note{Text: text}, key)
}

// OpenCheckpoint checks the signature and reads what was signed. End is left nil: it stands in the header of the last batch, which
// the root covers.
func OpenCheckpoint(signed []byte, origin string, key note.Verifier) (contract.Checkpoint, error) {
	bad := func(err error) (contract.Checkpoint, error) {
		return contract.Checkpoint{}, fmt.Errorf("%w: %v", ErrCheckpoint, err)
	}
	n, err := note.Open(signed, note.VerifierList(key))
	if err != nil {
		return bad(err)
	}
	lines := strings.Split(n.Text, "\n")
	if len(lines) != 4 || lines[3] != "" {
		return bad(fmt.Errorf("%d lines of text, want origin, size and root", len(lines)-1))
	}
	if lines[0] != origin {
		return bad(fmt.Errorf("its origin is %q, not %q", lines[0], origin))
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil || size < 0 || strconv.FormatInt(size, 10) != lines[1] {
		return bad(fmt.Errorf("size %q", lines[1]))
	}
	root, err := tlog.ParseHash(lines[2])
	if err != nil {
		return bad(fmt.Errorf("root %q: %w", lines[2], err))
	}
	return contract.Checkpoint{Origin: origin, Size: size, Root: root, Note: signed}, nil
}
