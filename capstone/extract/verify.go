package extract

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"iter"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// Verified is what a bundle that holds says of itself.
type Verified struct {
	Manifest Manifest
	Digest   [32]byte // SHA-256 of the manifest: what the request beside the bundle names
}

// Verify checks a bundle with the public key of its log, and with nothing else: no log, no network, no clock. What does not hold
// is a *Fault that names file and, where there is one to blame, line; any other error means that the bundle could not be read.
//
// It checks from the outside in: the signature of the manifest; that every file is there, has its digest, and none is too many; the
// signature of the checkpoint; then that the content is what the manifest claims. The last would be lost labour on a bundle
// whose maker is honest, but a signature alone does not show that he is.
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
	return v.found, nil
}

type verifier struct {
	bundle  fs.FS
	key     note.Verifier
	found   Verified
	suspect string // a file with another digest than it should have: where a line is wrong, it is one of this file
}

// read is a small file, whole.
func (v *verifier) read(path string) ([]byte, error) {
	data, err := fs.ReadFile(v.bundle, path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fault(path, 0, "it is missing")
	}
	return data, err
}

func (v *verifier) signature() error {
	manifest, err := v.read(manifestFile)
	if err != nil {
		return err
	}
	signed, err := v.read(signatureFile)
	if err != nil {
		return err
	}
	text, err := openNote(signed, v.key)
	if err != nil {
		return fault(signatureFile, 0, "%v", err)
	}
	v.found.Digest = sha256.Sum256(manifest)
	lines := strings.Split(text, "\n")
	switch {
	case len(lines) != 4 || lines[0] != manifestDomain:
		return fault(signatureFile, 0, "it is signed, and is not the signature of a manifest")
	case text != manifestText(lines[1], manifest):
		return fault(manifestFile, 0, "it was changed: its SHA-256 is %x, and another is signed", v.found.Digest)
	}
	m := &v.found.Manifest
	if err := json.Unmarshal(manifest, m); err != nil {
		return fault(manifestFile, 0, "it is not a manifest: %v", err)
	}
	if m.Format != Format {
		return fault(manifestFile, 0, "its format is %q, and this program reads %q", m.Format, Format)
	}
	if m.Origin != lines[1] || !bytes.Equal(m.encode(), manifest) {
		return fault(manifestFile, 0, "it is not written as an extract writes it")
	}
	return nil
}

// files holds what is there against the manifest.
func (v *verifier) files() error {
	there, err := v.walk()
	if err != nil {
		return err
	}
	for _, want := range v.found.Manifest.Files {
		at := slices.Index(there, want.Path)
		if at < 0 {
			return fault(want.Path, 0, "it is missing")
		}
		there = slices.Delete(there, at, at+1)
		got, err := measure(v.bundle, want.Path)
		if err != nil {
			return err
		}
		if got != want {
			return v.locate(fault(want.Path, 0, "it was changed: it has %d bytes and SHA-256 %s, and should have %d and %s",
				got.Bytes, got.SHA256, want.Bytes, want.SHA256))
		}
	}
	if len(there) > 0 {
		return fault(there[0], 0, "it does not belong to the bundle: the manifest does not list it")
	}
	return nil
}

// walk is every file but the manifest and its signature, sorted.
func (v *verifier) walk() (files []string, err error) {
	err = fs.WalkDir(v.bundle, ".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (path == "." || path == schemasFolder):
		case !d.Type().IsRegular():
			return fault(path, 0, "it does not belong to the bundle: it is not a file")
		case path != manifestFile && path != signatureFile:
			files = append(files, path)
		}
		return nil
	})
	return files, err
}

// locate looks for the line in which a changed file is wrong.
func (v *verifier) locate(changed *Fault) error {
	v.suspect = changed.File
	var where *Fault
	if err := v.content(); errors.As(err, &where) && where.File == changed.File && where.Line > 0 {
		return fault(changed.File, where.Line, "it was changed: %s", where.What)
	}
	return changed
}

func (v *verifier) content() error {
	root, err := v.checkpoint()
	if err != nil {
		return err
	}
	c, err := openCatalog(v.bundle, v.found.Manifest)
	if err != nil {
		return err
	}
	if err := v.events(c, root); err != nil {
		return err
	}
	for _, s := range c.sorted() {
		if !s.used {
			return fault(s.File, 0, "no event is written in it")
		}
	}
	return v.csv(c)
}

func (v *verifier) checkpoint() (tlog.Hash, error) {
	signed, err := v.read(checkpointFile)
	if err != nil {
		return tlog.Hash{}, err
	}
	text, err := openNote(signed, v.key)
	if err != nil {
		return tlog.Hash{}, fault(checkpointFile, 0, "%v", err)
	}
	m := v.found.Manifest
	hash, err := hex.DecodeString(m.Checkpoint.Root)
	if err != nil || len(hash) != tlog.HashSize {
		return tlog.Hash{}, fault(manifestFile, 0, "the root of its checkpoint is no SHA-256")
	}
	root := tlog.Hash(hash)
	if want := m.Origin + "\n" + strconv.FormatInt(m.Checkpoint.Size, 10) + "\n" + root.String() + "\n"; text != want {
		return tlog.Hash{}, fault(checkpointFile, 0, "it is signed, and is not the checkpoint that the manifest names")
	}
	return root, nil
}

// events goes through proofs and events side by side.
func (v *verifier) events(c catalog, root tlog.Hash) error {
	t, err := newTally(v.found.Manifest, root)
	if err != nil {
		return err
	}
	next, stop := iter.Pull2(rows(v.bundle, c))
	defer stop()
	for l, err := range linesOf(v.bundle, proofsFile) {
		if err != nil {
			return err
		}
		p, err := parseProof(l)
		if err != nil {
			return err
		}
		if p.Header != nil {
			if err := t.header(p); err != nil {
				return fault(proofsFile, l.number, "%v", err)
			}
			continue
		}
		e, err, ok := next()
		if err != nil {
			return err
		}
		if !ok {
			return fault(proofsFile, l.number, "there is no event for it")
		}
		if err := t.event(p, e); err != nil {
			return v.blame(e.line, l.number, err)
		}
	}
	if e, err, ok := next(); err != nil {
		return err
	} else if ok {
		return fault(eventsFile, e.line, "there is no proof for it")
	}
	return t.end()
}

// blame names the event where event and proof do not agree, unless it is the file of proofs that was changed.
func (v *verifier) blame(event, proof int, err error) *Fault {
	if v.suspect == proofsFile {
		return fault(proofsFile, proof, "%v", err)
	}
	return fault(eventsFile, event, "%v", err)
}

// rows is every event of a bundle; a line that is none is a *Fault.
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
		return p, fault(proofsFile, l.number, "it is not a proof: %v", err)
	}
	if !bytes.Equal(encodeLine(p), l.text) {
		return p, fault(proofsFile, l.number, "it is not written as an extract writes it")
	}
	return p, nil
}

// csv renders the events again, and holds that against the file.
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
		return fault(csvFile, same.line, "it goes on after the last event")
	}
	return nil
}

// A comparison is a writer that holds what is written against a file.
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
			return i, fault(csvFile, c.line, "it is not what %s says", eventsFile)
		}
		if got == '\n' {
			c.line++
		}
	}
	return len(p), nil
}
