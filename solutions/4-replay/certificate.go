package replay

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"

	"example.com/blotter/labs/kit/contract"
	replay "example.com/blotter/solutions/4-replay/plain"
)

// ErrCertificate is wrapped by the error for a file that is no certified snapshot of the log.
var ErrCertificate = errors.New("not a certified snapshot of this log")

// extension begins the line of a certificate that no plain checkpoint has.
const extension = "blotter/snapshot/v1 "

// Certify returns a snapshot as one file, which a person can check with the log's public key
// alone. The file is a signed note (C2SP signed-note), an empty line, and the canonical state.
// The text of the note is the checkpoint c with an extension line (C2SP tlog-checkpoint). That line
// has the manifest of the snapshot, and so the digest of the state:
//
//	blotter.example
//	5283
//	CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=
//	blotter/snapshot/v1 {"name":"month-end",…,"sha256":"9f86d0…",…}
//
//	— blotter.example Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhc…
//
//	{"trade":{"uti":"PWR-70",…}}
//
// The caller has replayed the snapshot, and c covers its events. Ed25519 signs the same text to the
// same bytes (RFC 8032), so the same snapshot has one certificate under a checkpoint.
func Certify(s contract.Snapshot, c contract.Checkpoint, key note.Signer) ([]byte, error) {
	root := base64.StdEncoding.EncodeToString(c.Root[:])
	text := fmt.Sprintf("%s\n%d\n%s\n%s%s", c.Origin, c.Size, root, extension, replay.Manifest(s))
	signed, err := note.Sign(&note.Note{Text: text}, key)
	if err != nil {
		return nil, fmt.Errorf("sign snapshot %s: %w", s.Name, err)
	}
	return append(append(signed, '\n'), s.State...), nil
}

// OpenCertificate checks a file of Certify with the public key alone. It returns the snapshot, and
// the checkpoint without its note and its end. It reads neither the log nor the archive.
func OpenCertificate(file []byte, key note.Verifier) (
	s contract.Snapshot, c contract.Checkpoint, err error) {
	bad := func(format string, args ...any) (contract.Snapshot, contract.Checkpoint, error) {
		return contract.Snapshot{}, contract.Checkpoint{},
			fmt.Errorf("%w: %s", ErrCertificate, fmt.Sprintf(format, args...))
	}
	text, rest, _ := bytes.Cut(file, []byte("\n\n"))
	signatures, state, found := bytes.Cut(rest, []byte("\n\n"))
	if !found {
		return bad("it ends before the state")
	}
	n, err := note.Open(fmt.Appendf(nil, "%s\n\n%s\n", text, signatures), verifiersOf(key))
	if err != nil {
		return bad("%v", err)
	}
	// note.Open ignores the bits that pad a signature, so that it has several spellings.
	if _, err := base64.StdEncoding.Strict().DecodeString(n.Sigs[0].Base64); err != nil {
		return bad("its signature: %v", err)
	}
	lines := strings.Split(n.Text, "\n")
	if len(lines) != 5 || !strings.HasPrefix(lines[3], extension) {
		return bad("its note is another one, and states no snapshot")
	}
	if c, err = checkpointOf(lines, key.Name()); err != nil {
		return bad("%v", err)
	}
	if ring, ok := key.(speaker); ok {
		if err := ring.Speaks(n.Sigs, c.Size); err != nil {
			return bad("it is %v", err)
		}
	}
	if s, err = replay.ParseManifest([]byte(lines[3][len(extension):] + "\n")); err != nil {
		return bad("%v", err)
	}
	if sum := sha256.Sum256(state); sum != s.Digest {
		return bad("SHA-256 of its state is %x, and the signed one is %x", sum, s.Digest)
	}
	s.State = state
	return s, c, nil
}

// A speaker is the key of a log that changed its key. It says which of its keys may sign a document
// about a checkpoint of some size.
type speaker interface {
	note.Verifiers
	Speaks(signatures []note.Signature, size int64) error
}

func verifiersOf(key note.Verifier) note.Verifiers {
	if ring, ok := key.(speaker); ok {
		return ring
	}
	return note.VerifierList(key)
}

// checkpointOf reads origin, size and root.
func checkpointOf(lines []string, origin string) (c contract.Checkpoint, err error) {
	c.Origin = lines[0]
	root, badRoot := base64.StdEncoding.Strict().DecodeString(lines[2])
	switch c.Size, err = strconv.ParseInt(lines[1], 10, 64); {
	case c.Origin != origin:
		return c, fmt.Errorf("its origin is %q, and the key is of %q", c.Origin, origin)
	case err != nil || c.Size < 1:
		return c, fmt.Errorf("its size %q is not a number of leaves", lines[1])
	case badRoot != nil || len(root) != len(c.Root):
		return c, fmt.Errorf("its root %q is not a hash in base64", lines[2])
	}
	copy(c.Root[:], root)
	return c, nil
}
