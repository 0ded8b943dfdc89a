package extract

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"golang.org/x/mod/sumdb/tlog"
)

// A tally compares the events of a bundle, one by one, with the claims of its manifest.
type tally struct {
	manifest Manifest
	root     tlog.Hash
	takes    selection
	last     int64            // the last leaf
	versions map[string]int64 // the last version of each stream
	books    map[string]bool  // by UTI, whether the trade was in the book of the query
	counts   Counts
	batch    int64 // events since the last header
}

func newTally(m Manifest, root tlog.Hash) (*tally, error) {
	q, err := m.Query.query()
	if err == nil {
		err = q.check()
	}
	if err != nil {
		return nil, fault(manifestFile, 0, "the query is bad: %v", err)
	}
	proven, not := q.claims()
	if !slices.Equal(m.Proven, proven) || !slices.Equal(m.NotProven, not) {
		return nil, fault(manifestFile, 0, "its claims are not those of its query")
	}
	t := &tally{
		manifest: m, root: root, takes: selection{Query: q}, last: -1,
		versions: map[string]int64{}, books: map[string]bool{},
	}
	if len(q.UTIs) > 0 {
		t.takes = q.of(q.UTIs)
	}
	return t, nil
}

// leaf checks the order and the proof of one leaf. In a bundle of everything no leaf may be
// missing.
func (t *tally) leaf(p proof, leaf []byte) error {
	if p.Leaf <= t.last || t.takes.Whole() && p.Leaf != t.last+1 {
		return fmt.Errorf("leaf %d comes after leaf %d", p.Leaf, t.last)
	}
	t.last = p.Leaf
	return p.check(t.manifest.Checkpoint.Size, t.root, leaf)
}

func (t *tally) header(p proof) error {
	h, err := parseHeader(p.Header)
	if err != nil {
		return err
	}
	if !t.takes.Whole() || h.events != t.batch {
		return fmt.Errorf("the header of a batch of %d events comes after %d events",
			h.events, t.batch)
	}
	if h.simulated != t.manifest.Simulated {
		return fmt.Errorf("the batch was sealed with simulated %t, and the manifest says %t",
			h.simulated, t.manifest.Simulated)
	}
	t.batch = 0
	t.counts.Headers++
	return t.leaf(p, p.Header)
}

func (t *tally) event(p proof, e event) error {
	r := e.recorded
	if e.row.Leaf != p.Leaf {
		return fmt.Errorf("the event is at leaf %d, and its proof is that of leaf %d",
			e.row.Leaf, p.Leaf)
	}
	if err := t.leaf(p, r.Leaf()); err != nil {
		return err
	}
	if !t.takes.takes(r) {
		return errors.New("the event does not answer the query")
	}
	if last := t.versions[r.Stream]; t.takes.dense() && r.Version != last+1 {
		return fmt.Errorf("versions are not dense: stream %s goes from %d to %d",
			r.Stream, last, r.Version)
	}
	t.versions[r.Stream] = r.Version
	t.batch++
	t.counts.Events++
	t.counts.Streams = int64(len(t.versions))
	return t.book(e)
}

// book notes which trades were in the book. With a period nothing is claimed, because the event
// that names the book may lie outside of the period.
func (t *tally) book(e event) error {
	if t.takes.Book == "" || t.takes.period() {
		return nil
	}
	uti, ok := utiOf(e.row.Stream)
	if !ok {
		return errors.New("the event does not answer the query: it is not about a trade")
	}
	named := e.row.Type == begins && e.data.field("book").text == t.takes.Book
	t.books[uti] = t.books[uti] || named
	return nil
}

func (t *tally) end() error {
	for _, uti := range slices.Sorted(maps.Keys(t.books)) {
		if !t.books[uti] {
			return fault(eventsFile, 0,
				"trade %s does not answer the query: it was never in book %s", uti, t.takes.Book)
		}
	}
	if t.takes.Whole() && t.last != t.manifest.Checkpoint.Size-1 {
		return fault(proofsFile, 0, "it ends with leaf %d of the %d leaves under the checkpoint",
			t.last, t.manifest.Checkpoint.Size)
	}
	if t.counts != t.manifest.Counts {
		return fault(manifestFile, 0, "it counts %+v, and the bundle has %+v",
			t.manifest.Counts, t.counts)
	}
	return nil
}
