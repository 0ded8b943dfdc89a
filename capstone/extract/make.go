package extract

import (
	"bufio"
	"cmp"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/mod/sumdb/note"

	"example.com/blotter/labs/kit/contract"
)

// Options are the log, its archive and its keys.
type Options struct {
	Log      contract.Reader
	Sealed   contract.SealedLog // the archive of Log
	Signer   note.Signer        // the log's own
	Verifier note.Verifier
	Page     bool // the bundle gets a page that shows it and checks it in a browser: see Page
	// Record puts the request on record elsewhere. nil: only the file beside the bundle has it.
	Record func(context.Context, Request, Manifest) error
}

// An Ask is a request for one bundle.
type Ask struct {
	Query
	Checkpoint int64 // its number of leaves; 0 is the last checkpoint
	Actor      string
	Reason     string
	At         time.Time
}

// Check reports a fault of the ask before anything is read.
func (a Ask) Check() error { return cmp.Or(a.request([32]byte{}).check(), a.Query.check()) }

func (a Ask) request(manifest [32]byte) Request {
	return Request{manifest, a.Actor, a.Reason, a.At}
}

// Errors of Make.
var (
	ErrNothing  = errors.New("no event under the checkpoint answers the query")
	ErrUnsealed = errors.New("nothing is sealed yet, so no event can be certified")
)

//go:embed readme.txt
var readme []byte

// RequestFile returns the path of the signed request for a bundle, beside the bundle.
func RequestFile(dir string) string {
	dir = filepath.Clean(dir)
	if name := filepath.Base(dir); name == "." || name == ".." {
		if full, err := filepath.Abs(dir); err == nil {
			dir = full
		}
	}
	return dir + ".request"
}

// Make makes a bundle in dir, which must not exist, and verifies it BEFORE it gets its name. The
// same query at the same checkpoint of the same log gives the same bytes. Make reads everything
// under the checkpoint. It holds one batch at a time, and a proof for each event of the bundle.
//
// The order is: the bundle with another name, then Record, then the signed request, then the
// bundle's own name. A crash before the last step leaves dir.partial, which the next Make replaces.
// It may also leave a record and a request for a bundle that was never handed out. These stay: move
// the request away, or make the bundle elsewhere. There is never a bundle without both.
func Make(ctx context.Context, dir string, ask Ask, o Options) (Manifest, error) {
	if err := ask.Check(); err != nil {
		return Manifest{}, err
	}
	dir = filepath.Clean(dir)
	for _, path := range []string{dir, RequestFile(dir)} {
		if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
			return Manifest{}, cmp.Or(err, fmt.Errorf("%s: %w", path, fs.ErrExist))
		}
	}
	m, err := newMaker(ctx, dir+".partial", ask, o)
	if err != nil {
		return Manifest{}, err
	}
	if err := m.make(ctx); err != nil {
		return Manifest{}, errors.Join(err, os.RemoveAll(m.dir))
	}
	verified, err := Verify(os.DirFS(m.dir), o.Verifier)
	if err != nil {
		return Manifest{}, fmt.Errorf(
			"the new bundle does not verify and stays in %s (does the log verify?): %w", m.dir, err)
	}
	request := ask.request(verified.Digest)
	signed, err := request.Sign(o.Signer)
	if err == nil && o.Record != nil {
		err = o.Record(ctx, request, verified.Manifest)
	}
	if err != nil {
		return Manifest{}, errors.Join(err, os.RemoveAll(m.dir))
	}
	if err := writeFile(RequestFile(dir), bytesOf(signed)); err != nil {
		return Manifest{}, err
	}
	return verified.Manifest, os.Rename(m.dir, dir)
}

// A maker writes one bundle.
type maker struct {
	Options
	dir        string
	query      Query
	checkpoint contract.Checkpoint
	catalog    catalog
	proofs     []proof // without their hashes
	counts     Counts
	simulated  bool // according to the headers of the batches
}

func newMaker(ctx context.Context, dir string, ask Ask, o Options) (*maker, error) {
	c, err := o.Sealed.Published(ctx, ask.Checkpoint)
	if err != nil {
		return nil, err
	}
	if c.Size == 0 {
		return nil, ErrUnsealed
	}
	if err := os.RemoveAll(dir); err != nil {
		return nil, err
	}
	m := &maker{Options: o, dir: dir, query: ask.Query.normal(), checkpoint: c, catalog: catalog{}}
	return m, os.MkdirAll(filepath.Join(dir, schemasFolder), 0o755)
}

func (m *maker) make(ctx context.Context) error {
	if err := m.write(eventsFile, func(w io.Writer) error { return m.events(ctx, w) }); err != nil {
		return err
	}
	if m.counts.Events == 0 {
		return ErrNothing
	}
	if err := m.write(proofsFile, func(w io.Writer) error { return m.prove(ctx, w) }); err != nil {
		return err
	}
	for _, s := range m.catalog.sorted() {
		if err := m.write(s.File, bytesOf([]byte(s.text))); err != nil {
			return err
		}
	}
	bundle := os.DirFS(m.dir)
	table := func(w io.Writer) error {
		return writeCSV(w, m.catalog.columns(), rows(bundle, m.catalog))
	}
	if err := m.write(csvFile, table); err != nil {
		return err
	}
	if err := m.write(checkpointFile, bytesOf(oneSignature(m.checkpoint.Note))); err != nil {
		return err
	}
	if err := m.write(readmeFile, bytesOf(readme)); err != nil {
		return err
	}
	return m.sign(bundle)
}

// events writes the events that answer the query, in the order of leaves.
func (m *maker) events(ctx context.Context, w io.Writer) error {
	takes, err := m.selection(ctx)
	if err != nil {
		return err
	}
	streams := map[string]bool{}
	event := func(index int64, r contract.Recorded) error {
		if !takes.takes(r) {
			return nil
		}
		e, err := m.show(index, r)
		if err != nil {
			return err
		}
		m.proofs = append(m.proofs, proof{Leaf: index})
		streams[r.Stream] = true
		m.counts.Events++
		m.counts.Streams = int64(len(streams))
		_, err = w.Write(append(encodeLine(e.row), '\n'))
		return err
	}
	header := func(index int64, leaf []byte, h batchHeader) error {
		m.simulated = h.simulated // as it was sealed, whatever the log or its folder says today
		if m.query.Whole() {
			m.proofs = append(m.proofs, proof{Leaf: index, Header: leaf})
			m.counts.Headers++
		}
		return nil
	}
	return (&scan{log: m.Log, event: event, header: header}).run(ctx, m.Sealed, m.checkpoint.Size)
}

func (m *maker) show(index int64, r contract.Recorded) (event, error) {
	if err := m.catalog.need(r); err != nil {
		return event{}, fmt.Errorf("position %s: %w", r.Position, err)
	}
	e, err := show(index, r, m.catalog)
	if err != nil {
		err = fmt.Errorf("position %s: %w", r.Position, err)
	}
	return e, err
}

// selection looks up the trades of a book. Only their data names the book, so it reads every event
// that begins a trade, as recorded and as corrected. An event that begins a trade of an unknown
// book is an error, if another program may know its schema. Damaged data is of no book.
func (m *maker) selection(ctx context.Context) (selection, error) {
	switch {
	case m.query.Book == "" && len(m.query.UTIs) == 0:
		return selection{m.query, nil}, nil
	case m.query.Book == "":
		return m.query.of(m.query.UTIs), nil
	}
	known, utis := catalog{}, map[string]bool{}
	event := func(_ int64, r contract.Recorded) error {
		uti, ok := utiOf(r.Stream)
		if !ok || r.Type != begins {
			return nil
		}
		err := known.need(r)
		if _, ok := published(r); !ok {
			err = fmt.Errorf("the book of stream %s is not known: "+
				"this program does not have schema %s version %d", r.Stream, r.Type, r.Schema)
		}
		if err != nil {
			return fmt.Errorf("position %s: %w", r.Position, err)
		}
		data, err := known.decode(r)
		if err == nil && data.field("book").text == m.query.Book {
			utis[uti] = true
		}
		return nil
	}
	none := func(int64, []byte, batchHeader) error { return nil }
	s := &scan{log: m.Log, event: event, header: none}
	err := s.run(ctx, m.Sealed, m.checkpoint.Size)
	return m.query.of(slices.Sorted(maps.Keys(utis))), err
}

// begins is the type of the event that names the book of a trade.
const begins = "trade.new"

func (m *maker) prove(ctx context.Context, w io.Writer) error {
	known, err := collect(ctx, m.Sealed, m.checkpoint.Size, m.proofs)
	if err != nil {
		return err
	}
	for _, p := range m.proofs {
		proved, err := known.prove(m.checkpoint.Size, p)
		if err != nil {
			return fmt.Errorf("proving leaf %d: %w", p.Leaf, err)
		}
		if _, err := w.Write(append(encodeLine(proved), '\n')); err != nil {
			return err
		}
	}
	return nil
}

// sign writes the manifest of all files, and the signature of the manifest.
func (m *maker) sign(bundle fs.FS) error {
	proven, not := m.query.claims()
	manifest := Manifest{
		Format: Format, Tool: Tool, Origin: m.checkpoint.Origin, Simulated: m.simulated,
		Checkpoint: Point{m.checkpoint.Size, fmt.Sprintf("%x", m.checkpoint.Root)},
		Query:      m.query.asked(), Counts: m.counts, Proven: proven, NotProven: not,
		Schemas: m.catalog.list(),
	}
	for _, path := range paths(manifest.Schemas) {
		f, err := measure(bundle, path)
		if err != nil {
			return err
		}
		manifest.Files = append(manifest.Files, f)
	}
	text := manifest.encode()
	signed, err := note.Sign(&note.Note{Text: manifestText(manifest.Origin, text)}, m.Signer)
	if err != nil {
		return fmt.Errorf("signing the manifest: %w", err)
	}
	if err := m.write(manifestFile, bytesOf(text)); err != nil {
		return err
	}
	if err := m.write(signatureFile, bytesOf(signed)); err != nil || !m.Page {
		return err
	}
	page, err := Page(bundle, manifest)
	if err != nil {
		return err
	}
	return m.write(pageFile, bytesOf(page))
}

func (m *maker) write(path string, content func(io.Writer) error) error {
	return writeFile(filepath.Join(m.dir, filepath.FromSlash(path)), content)
}

func bytesOf(b []byte) func(io.Writer) error {
	return func(w io.Writer) error { _, err := w.Write(b); return err }
}

// writeFile writes a file durably.
func writeFile(path string, content func(io.Writer) error) (err error) {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { err = cmp.Or(err, f.Close()) }()
	w := bufio.NewWriter(f)
	if err := content(w); err != nil {
		return err
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return f.Sync()
}
