package extract

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"

	"golang.org/x/mod/sumdb/note"
)

// Each kind of text that is signed begins with a line of its own, so that no signature serves for another kind. A checkpoint begins
// with its origin, and no origin has a space.
const (
	manifestDomain = "blotter extract manifest v1"
	requestDomain  = "blotter extract request v1"
)

// manifestText is what is signed for a manifest: the domain, the log, and the digest.
func manifestText(origin string, manifest []byte) string {
	return fmt.Sprintf("%s\n%s\nsha256 %x\n", manifestDomain, origin, sha256.Sum256(manifest))
}

// errNote is wrapped by every error of openNote.
var errNote = errors.New("it is not signed by the key given")

// openNote is the text of a signed note (c2sp.org/signed-note) with exactly one signature, that of key. It takes only
// the very bytes that signing gives: the format itself would let unknown signatures and loose base64 pass.
func openNote(signed []byte, key note.Verifier) (string, error) {
	n, err := note.Open(signed, note.VerifierList(key))
	if err != nil {
		return "", fmt.Errorf("%w (%s): %v", errNote, key.Name(), err)
	}
	if len(n.Sigs) != 1 {
		return "", fmt.Errorf("%w: %d signatures", errNote, len(n.Sigs))
	}
	sig := n.Sigs[0]
	if _, err := base64.StdEncoding.Strict().DecodeString(sig.Base64); err != nil {
		return "", fmt.Errorf("%w: %v", errNote, err)
	}
	if again := fmt.Sprintf("%s\n— %s %s\n", n.Text, sig.Name, sig.Base64); again != string(signed) {
		return "", fmt.Errorf("%w: there is more in it than one signature", errNote)
	}
	return n.Text, nil
}
