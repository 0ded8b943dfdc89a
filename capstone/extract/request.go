package extract

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/mod/sumdb/note"

	"example.com/blotter/labs/kit/contract"
)

// The first line of a signed text states its purpose, so no signature serves for another purpose. A
// checkpoint begins with its origin, and no origin has a space.
const (
	manifestDomain = "blotter extract manifest v3"
	requestDomain  = "blotter extract request v1"
)

// manifestText returns the signed text of a manifest: the purpose, the log, the size and the
// digest.
func manifestText(origin string, manifest []byte) string {
	return fmt.Sprintf("%s\n%s\nbytes %d\nsha256 %x\n",
		manifestDomain, origin, len(manifest), sha256.Sum256(manifest))
}

// parseManifestText returns the log and the size in the text of manifestText, and whether it is
// such a text.
func parseManifestText(text string) (origin string, size int64, ok bool) {
	lines := strings.Split(text, "\n")
	if len(lines) != 5 || lines[0] != manifestDomain {
		return "", 0, false
	}
	number, ok := strings.CutPrefix(lines[2], "bytes ")
	size, err := strconv.ParseInt(number, 10, 64)
	return lines[1], size, ok && err == nil && size >= 0
}

// errNote is wrapped by every error of openNote.
var errNote = errors.New("the signature is not one of the key given")

// openNote returns the text of a signed note (c2sp.org/signed-note) with exactly one signature,
// that of key. It accepts only the exact bytes that signing gives: the format itself would allow
// unknown signatures and loose base64.
func openNote(signed []byte, key note.Verifier) (string, error) {
	text, _, err := openSigned(signed, key)
	return text, err
}

// A ring is the key of a log that changed its key: cross-signed notes lead from it to the others.
// It says which of its keys signs a checkpoint of some size, and which a document about it.
type ring interface {
	note.Verifiers
	Signs(signatures []note.Signature, size int64) error
	Speaks(signatures []note.Signature, size int64) error
}

// openSigned is openNote with the signature.
func openSigned(signed []byte, key note.Verifier) (string, []note.Signature, error) {
	keys := note.VerifierList(key)
	if ring, ok := key.(ring); ok {
		keys = ring
	}
	n, err := note.Open(signed, keys)
	if err != nil {
		return "", nil, fmt.Errorf("%w (%s): %v", errNote, key.Name(), err)
	}
	if len(n.Sigs) != 1 {
		return "", nil, fmt.Errorf("%w: %d signatures", errNote, len(n.Sigs))
	}
	sig := n.Sigs[0]
	if _, err := base64.StdEncoding.Strict().DecodeString(sig.Base64); err != nil {
		return "", nil, fmt.Errorf("%w: %v", errNote, err)
	}
	again := fmt.Sprintf("%s\n— %s %s\n", n.Text, sig.Name, sig.Base64)
	if again != string(signed) {
		return "", nil, fmt.Errorf("%w: there is more than one signature", errNote)
	}
	return n.Text, n.Sigs, nil
}

// oneSignature returns a note with only its first signature. A checkpoint of an overlap has two of
// the log, of which the older key's is the first.
func oneSignature(signed []byte) []byte {
	begin := bytes.Index(signed, []byte("\n\n")) + 2
	return signed[:begin+bytes.IndexByte(signed[begin:], '\n')+1]
}

// A Request records who asked for a bundle, and why. It is signed and stored beside the bundle, not
// in it, because the same query must give the same bundle to everybody.
type Request struct {
	Manifest [32]byte // SHA-256 of the bundle's manifest
	Actor    string
	Reason   string
	At       time.Time
}

type requestLine struct {
	Manifest string `json:"manifest"`
	Actor    string `json:"actor"`
	Reason   string `json:"reason"`
	At       string `json:"at"`
}

// check reports a missing or bad actor or reason.
func (r Request) check() error {
	for _, a := range []struct{ name, value string }{{"actor", r.Actor}, {"reason", r.Reason}} {
		switch {
		case strings.TrimSpace(a.value) == "":
			return fmt.Errorf("%s is empty", a.name)
		case len(a.value) > contract.MaxAttribute || !utf8.ValidString(a.value):
			return fmt.Errorf("%s is longer than %d bytes, or not UTF-8",
				a.name, contract.MaxAttribute)
		}
	}
	return nil
}

// Sign returns r as a C2SP signed note.
func (r Request) Sign(key note.Signer) ([]byte, error) {
	if err := r.check(); err != nil {
		return nil, err
	}
	line := encodeLine(requestLine{
		hex.EncodeToString(r.Manifest[:]), r.Actor, r.Reason, r.At.UTC().Format(micros),
	})
	return note.Sign(&note.Note{Text: fmt.Sprintf("%s\n%s\n", requestDomain, line)}, key)
}

// ReadRequest reads and checks the signed request beside the bundle in a folder. If the file is
// missing, too long, not a regular file, or not signed by key, the error is a *Fault.
func ReadRequest(dir string, key note.Verifier) (Request, error) {
	file := RequestFile(dir)
	signed, err := readSmall(os.DirFS(filepath.Dir(file)), filepath.Base(file), maxNote)
	if at := new(Fault); errors.As(err, &at) {
		return Request{}, fault(file, 0, "%s", at.What)
	}
	if err != nil {
		return Request{}, err
	}
	r, err := OpenRequest(signed, key)
	if err != nil {
		return r, fault(file, 0, "%v", err)
	}
	return r, nil
}

// OpenRequest checks the signature of a request and reads it.
func OpenRequest(signed []byte, key note.Verifier) (Request, error) {
	text, err := openNote(signed, key)
	if err != nil {
		return Request{}, err
	}
	line, ok := strings.CutPrefix(text, requestDomain+"\n")
	if !ok {
		return Request{}, errors.New("it is signed, but it is not the request for an extract")
	}
	var l requestLine
	if err := json.Unmarshal([]byte(line), &l); err != nil {
		return Request{}, fmt.Errorf("the text is not a request: %v", err)
	}
	p := parser{}
	r := Request{p.digest("manifest", l.Manifest), l.Actor, l.Reason, p.time("at", l.At)}
	if p.err == nil && !bytes.Equal(encodeLine(l), []byte(strings.TrimSuffix(line, "\n"))) {
		p.err = errors.New("the text is not spelled as a request is")
	}
	return r, p.err
}
