package extract

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// Verified describes a bundle that verifies.
type Verified struct {
	Manifest Manifest
	Digest   [32]byte // SHA-256 of the manifest, which the request beside the bundle names
	// Proven and NotProven are the claims of the manifest, and the claims that depend on the
	// schemas of this program.
	Proven, NotProven []string
}

// A Fault is the first fault of a bundle.
type Fault struct {
	File string `json:"file"`           // in the bundle
	Line int    `json:"line,omitempty"` // 1-based; 0 if no single line is at fault
	What string `json:"what"`
}

func (f *Fault) Error() string {
	if f.Line == 0 {
		return fmt.Sprintf("%s: %s", f.File, f.What)
	}
	return fmt.Sprintf("%s, line %d: %s", f.File, f.Line, f.What)
}

func fault(file string, line int, format string, args ...any) *Fault {
	return &Fault{file, line, fmt.Sprintf(format, args...)}
}

// Verify checks a bundle with only the public key of its log: without the log, a network or a
// clock. If the bundle does not verify, the error is a *Fault that names the file and, where one is
// at fault, the line. Any other error means that the bundle could not be read.
//
// It checks the signature of the manifest; then that every file is there and has its digest, and
// that there is no other file but the page; then the signature of the checkpoint; then the claims
// about the content. An honest maker would not need the last check, but a signature does not show
// that the maker is honest. The page, if there is one, must be that of the bundle.
//
// Until the signature is checked, Verify reads at most 16 KiB of one file. The signature states the
// size of the manifest, and the manifest the sizes of all other files. Verify opens no pipe, no
// device and no link.
func Verify(bundle fs.FS, key note.Verifier) (Verified, error) {
	v := &verifier{bundle: bundle, key: key}
	if err := v.signature(); err != nil {
		return Verified{}, err
	}
	if err := v.files(); err != nil {
		return Verified{}, err
	}
	if err := v.content(); err != nil {
		return Verified{}, err
	}
	if err := v.page(); err != nil {
		return Verified{}, err
	}
	return v.found, nil
}

type verifier struct {
	bundle  fs.FS
	key     note.Verifier
	found   Verified
	suspect string // a file with a wrong digest: if a line is wrong, it is one of this file
}

// signature opens the signature, which states the size of the manifest, BEFORE it reads the
// manifest.
func (v *verifier) signature() error {
	signed, err := readSmall(v.bundle, signatureFile, maxNote)
	if err != nil {
		return err
	}
	text, by, err := openSigned(signed, v.key)
	if err != nil {
		return fault(signatureFile, 0, "%v", err)
	}
	origin, size, ok := parseManifestText(text)
	switch {
	case !ok:
		return fault(signatureFile, 0, "it is signed, but it is not the signature of a manifest")
	case origin != v.key.Name():
		return fault(signatureFile, 0, "it is of the log %s, and the key is that of the log %s",
			origin, v.key.Name())
	case size > maxManifest:
		return fault(signatureFile, 0, "it states a manifest of %d bytes, and at most %d are read",
			size, maxManifest)
	}
	manifest, err := readSmall(v.bundle, manifestFile, size)
	if err != nil {
		return err
	}
	v.found.Digest = sha256.Sum256(manifest)
	if text != manifestText(origin, manifest) {
		return fault(manifestFile, 0,
			"the file was changed: its SHA-256 is %x, and another one is signed", v.found.Digest)
	}
	if err := v.manifest(origin, manifest); err != nil {
		return err
	}
	if ring, ok := v.key.(ring); ok {
		if err := ring.Speaks(by, v.found.Manifest.Checkpoint.Size); err != nil {
			return fault(signatureFile, 0, "it is %v", err)
		}
	}
	return nil
}

// manifest reads a manifest that is signed as it is.
func (v *verifier) manifest(origin string, text []byte) error {
	m := &v.found.Manifest
	if err := json.Unmarshal(text, m); err != nil {
		return fault(manifestFile, 0, "the file is not a manifest: %v", err)
	}
	if m.Format != Format {
		return fault(manifestFile, 0, "its format is %q, and this program reads %q",
			m.Format, Format)
	}
	if m.Origin != origin {
		return fault(manifestFile, 0, "it is of the log %s, and its signature of the log %s",
			m.Origin, origin)
	}
	if !bytes.Equal(m.encode(), text) {
		return fault(manifestFile, 0, "the file is not spelled as an extract spells it")
	}
	return nil
}

// locate looks for the wrong line of a changed file.
func (v *verifier) locate(changed *Fault) error {
	v.suspect = changed.File
	var where *Fault
	err := v.content()
	if errors.As(err, &where) && where.File == changed.File && where.Line > 0 {
		return fault(changed.File, where.Line, "the file was changed: %s", where.What)
	}
	return changed
}

func (v *verifier) content() error {
	root, err := v.checkpoint()
	if err != nil {
		return err
	}
	if err := v.readme(); err != nil {
		return err
	}
	c, err := openCatalog(v.bundle, v.found.Manifest)
	if err != nil {
		return err
	}
	unread, err := v.events(c, root)
	if err != nil {
		return err
	}
	for _, s := range c.sorted() {
		if !s.used {
			return fault(s.File, 0, "no event of the bundle has this schema")
		}
	}
	v.found.Proven, v.found.NotProven = v.found.Manifest.claims(c, unread)
	return v.csv(c)
}

// readme compares the instructions with those of this format: a reader may believe them.
func (v *verifier) readme() error {
	text, err := readSmall(v.bundle, readmeFile, int64(len(readme)))
	if err == nil && !bytes.Equal(text, readme) {
		err = fault(readmeFile, 0, "it is not the text of an extract of format %s", Format)
	}
	return err
}

func (v *verifier) checkpoint() (tlog.Hash, error) {
	signed, err := readSmall(v.bundle, checkpointFile, maxNote)
	if err != nil {
		return tlog.Hash{}, err
	}
	text, by, err := openSigned(signed, v.key)
	if err != nil {
		return tlog.Hash{}, fault(checkpointFile, 0, "%v", err)
	}
	m := v.found.Manifest
	if ring, ok := v.key.(ring); ok {
		if err := ring.Signs(by, m.Checkpoint.Size); err != nil {
			return tlog.Hash{}, fault(checkpointFile, 0, "it is %v", err)
		}
	}
	hash, err := hex.DecodeString(m.Checkpoint.Root)
	if err != nil || len(hash) != tlog.HashSize {
		return tlog.Hash{}, fault(manifestFile, 0, "the root of its checkpoint is not a SHA-256")
	}
	root := tlog.Hash(hash)
	if want := fmt.Sprintf("%s\n%d\n%s\n", m.Origin, m.Checkpoint.Size, root); text != want {
		return tlog.Hash{}, fault(checkpointFile, 0,
			"it is signed, but it is not the checkpoint that the manifest names")
	}
	return root, nil
}

// events reads proofs and events side by side. It returns the number of events without readable
// data.
func (v *verifier) events(c catalog, root tlog.Hash) (unread int64, err error) {
	t, err := newTally(v.found.Manifest, root)
	if err != nil {
		return 0, err
	}
	next, stop := iter.Pull2(rows(v.bundle, c))
	defer stop()
	for l, err := range linesOf(v.bundle, proofsFile) {
		if err != nil {
			return 0, err
		}
		p, err := parseProof(l)
		if err != nil {
			return 0, err
		}
		if p.Header != nil {
			if err := t.header(p); err != nil {
				return 0, fault(proofsFile, l.number, "%v", err)
			}
			continue
		}
		e, err, ok := next()
		if err != nil {
			return 0, err
		}
		if !ok {
			return 0, fault(proofsFile, l.number, "there is no event for this proof")
		}
		if e.data.kind == null {
			unread++
		}
		if err := t.event(p, e); err != nil {
			return 0, v.blame(e.line, l.number, err)
		}
	}
	if e, err, ok := next(); err != nil {
		return 0, err
	} else if ok {
		return 0, fault(eventsFile, e.line, "there is no proof for this event")
	}
	return unread, t.end()
}

// blame names the line of the event where event and proof do not match, or the line of the proof if
// the file of proofs was changed.
func (v *verifier) blame(event, proof int, err error) *Fault {
	if v.suspect == proofsFile {
		return fault(proofsFile, proof, "%v", err)
	}
	return fault(eventsFile, event, "%v", err)
}

// rows yields every event of a bundle. A line that is not an event is a *Fault.
func rows(bundle fs.FS, c catalog) iter.Seq2[event, error] {
	return func(yield func(event, error) bool) {
		for l, err := range linesOf(bundle, eventsFile) {
			var e event
			if err == nil {
				if e, err = parseRow(l.text, c); err != nil {
					err = fault(eventsFile, l.number, "%v", err)
				}
			}
			e.line = l.number
			if !yield(e, err) || err != nil {
				return
			}
		}
	}
}

func parseProof(l line) (p proof, err error) {
	if err := json.Unmarshal(l.text, &p); err != nil {
		return p, fault(proofsFile, l.number, "the line is not a proof: %v", err)
	}
	if !bytes.Equal(encodeLine(p), l.text) {
		return p, fault(proofsFile, l.number, "the line is not spelled as an extract spells it")
	}
	return p, nil
}

// csv writes the events again, and compares them with the file.
func (v *verifier) csv(c catalog) error {
	f, err := v.bundle.Open(csvFile)
	if err != nil {
		return err
	}
	defer f.Close()
	same := &comparison{file: bufio.NewReader(f), line: 1}
	if err := writeCSV(same, c.columns(), rows(v.bundle, c)); err != nil {
		return err
	}
	if _, err := same.file.ReadByte(); !errors.Is(err, io.EOF) {
		return fault(csvFile, same.line, "the file continues after the last event")
	}
	return nil
}

// A comparison is a writer that compares its input with a file.
type comparison struct {
	file *bufio.Reader
	line int
}

func (c *comparison) Write(p []byte) (int, error) {
	for i, want := range p {
		got, err := c.file.ReadByte()
		if err != nil && !errors.Is(err, io.EOF) {
			return i, err
		}
		if err != nil || got != want {
			return i, fault(csvFile, c.line, "the row differs from %s", eventsFile)
		}
		if got == '\n' {
			c.line++
		}
	}
	return len(p), nil
}
