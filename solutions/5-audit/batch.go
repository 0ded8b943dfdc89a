package audit

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"example.com/blotter/labs/kit/contract"
)

// A header closes a batch and is its last leaf. Its range and Previous show that nothing lies
// between this batch and the one before.
//
// Simulated stands in every header, and is the log's own statement (contract.Timeline). The header
// of the first batch is the better place for it than a first leaf of its own: a tree is never
// signed without that header, so nothing is sealed before it is said. Every leaf is still an event
// or a header. And because a header names the one before it, each repeats the statement and cannot
// change it: the last batch, which a sealer reads alone, has it too.
type header struct {
	Number   int64           `json:"number"`   // 1, 2, 3, …
	Previous tlog.Hash       `json:"previous"` // leaf hash of the header before; zero for the first
	From     contract.Cursor `json:"from"`     // the batch has all events of the log in [From, To)
	To       contract.Cursor `json:"to"`
	Events   int64           `json:"events"` // the number of these events

	Simulated bool `json:"simulated"` // recorded_at does not follow a clock

	// Sealed is the sealer's clock AFTER it read the events, but not before the Sealed of an
	// earlier batch. In a simulated log it is the latest recorded_at.
	Sealed time.Time `json:"sealed_at"`
	// Frontier is zero, or the time up to which this batch and those before it are complete. It was
	// on record in the log BEFORE the end of the range was asked for.
	Frontier  time.Time  `json:"frontier,omitzero"`
	Offenders []offender `json:"offenders,omitempty"` // so far as the sealer knew
}

// leaf returns the canonical bytes of h: a tag, then each field, each with its length before it in
// four bytes big-endian. Numbers are eight bytes big-endian; a cursor is one number for each
// partition.
func (h header) leaf() []byte {
	var b []byte
	field := func(f []byte) {
		b = binary.BigEndian.AppendUint32(b, uint32(len(f)))
		b = append(b, f...)
	}
	numbers := func(ns ...int64) {
		var f []byte
		for _, n := range ns {
			f = binary.BigEndian.AppendUint64(f, uint64(n))
		}
		field(f)
	}
	field([]byte("blotter/batch/v3"))
	numbers(h.Number)
	field(h.Previous[:])
	numbers(h.From...)
	numbers(h.To...)
	numbers(h.Events)
	var simulated byte
	if h.Simulated {
		simulated = 1
	}
	field([]byte{simulated})
	numbers(contract.Micros(h.Sealed))
	numbers(contract.Micros(h.Frontier))
	var offenders []byte
	for _, o := range h.Offenders {
		offenders = binary.BigEndian.AppendUint32(offenders, uint32(o.Event))
		offenders = append(offenders, byte(slices.Index(rules, o.Rule)))
	}
	field(offenders)
	return b
}

// An entry is one sealed event. The tree covers Leaf. Verify looks for the event at the position.
type entry struct {
	contract.Position
	Leaf []byte `json:"leaf"`
}

// A batch is one archived object: events in (partition, offset) order, and their header. It begins
// with the edge of the tree before it. The batch and a checkpoint at its end therefore prove each
// other without any earlier batch: no other edge and leaves give the signed root.
type batch struct {
	header
	object string // name in the archive; empty until it is read from there
	first  edge   // the tree before this batch; first.size is the index of the batch's first leaf
	events []entry
}

// honest returns the events of b that its header does not list as offenders.
func (b *batch) honest() []entry {
	honest, next := []entry(nil), b.Offenders
	for i, ev := range b.events {
		if len(next) > 0 && next[0].Event == int64(i) {
			next = next[1:]
			continue
		}
		honest = append(honest, ev)
	}
	return honest
}

// A tip is the end of the sealed part of the log, after some batch.
type tip struct {
	edge
	number   int64           // of that batch; 0 before the first
	previous tlog.Hash       // leaf hash of its header
	to       contract.Cursor // every event before it is in the tree

	simulated        bool // of an empty tree: false
	sealed, frontier time.Time
	events           []entry // of the batch, without offenders; only after Auditor.latest
}

// end returns the tip after the batch.
func (b *batch) end() tip {
	e := b.first.clone()
	for _, ev := range b.events {
		e.add(tlog.RecordHash(ev.Leaf))
	}
	last := tlog.RecordHash(b.header.leaf())
	e.add(last)
	return tip{
		edge: e, number: b.Number, previous: last, to: b.To,
		simulated: b.Simulated, sealed: b.Sealed, frontier: b.Frontier,
	}
}

// extend returns the tip after b, which must continue exactly where t ends (L5.I2). It does not
// read the log.
func (t tip) extend(b *batch) (tip, error) {
	switch {
	case !t.edge.equal(b.first):
		return tip{}, fmt.Errorf("the batch at leaf %d does not continue the tree "+
			"of the batches before it", t.size)
	case b.Number != t.number+1:
		return tip{}, fmt.Errorf("the batch at leaf %d has number %d, want %d",
			t.size, b.Number, t.number+1)
	case b.Previous != t.previous:
		return tip{}, fmt.Errorf("batch %d does not name the header of batch %d as its predecessor",
			b.Number, t.number)
	case !b.From.Equal(t.to):
		return tip{}, fmt.Errorf("batch %d begins at %s, and batch %d ended at %s",
			b.Number, b.From, t.number, t.to)
	case t.number > 0 && b.Simulated != t.simulated:
		return tip{}, fmt.Errorf("batch %d says that the log is %s, and batch %d that it is %s",
			b.Number, timesOf(b.Simulated), t.number, timesOf(t.simulated))
	case b.Sealed.Before(t.sealed) || b.Frontier.Before(t.frontier):
		return tip{}, fmt.Errorf("batch %d was sealed at %s up to the frontier %s, "+
			"and batch %d at %s up to %s", b.Number, b.Sealed, b.Frontier,
			t.number, t.sealed, t.frontier)
	case !b.To.Reaches(b.From):
		return tip{}, fmt.Errorf("batch %d ends at %s, before its begin %s", b.Number, b.To, b.From)
	}
	for i, ev := range b.events {
		ordered := i == 0 || order(b.events[i-1].Position, ev.Position) < 0
		if b.From.Covers(ev.Position) || !b.To.Covers(ev.Position) || !ordered {
			return tip{}, fmt.Errorf("batch %d has the event at %s out of order",
				b.Number, ev.Position)
		}
	}
	return b.end(), nil
}

// timesOf says in words where the times of a log come from.
func timesOf(simulated bool) string {
	if simulated {
		return "simulated"
	}
	return "kept in real time"
}

// batchLine is the first line of an archived batch. A line for each event follows.
type batchLine struct {
	First int64       `json:"first"`
	Edge  []tlog.Hash `json:"edge"`
	header
}

// encode returns the batch as JSON Lines. Equal batches give equal bytes.
func (b *batch) encode() []byte {
	var out bytes.Buffer
	lines := json.NewEncoder(&out)
	write := func(v any) {
		if err := lines.Encode(v); err != nil {
			panic(fmt.Sprintf("audit: encode a batch: %v", err)) // every field is plain data
		}
	}
	edge := append([]tlog.Hash{}, b.first.roots...) // [] rather than null
	write(batchLine{b.first.size, edge, b.header})
	for _, ev := range b.events {
		write(ev)
	}
	return out.Bytes()
}

// sign returns b as a signed note (C2SP signed-note). The root of a checkpoint shows whether the
// leaves are the sealed ones. But a batch that no checkpoint covers yet has only its signature to
// tell it from a foreign object. A checkpoint of the same key does not begin with a brace.
func (b *batch) sign(key note.Signer) ([]byte, error) {
	return note.Sign(&note.Note{Text: string(b.encode())}, key)
}

// openBatch checks the signature of a note and returns its batch.
func openBatch(signed []byte, key note.Verifier) (*batch, error) {
	n, err := openNote(signed, key)
	if err != nil {
		return nil, fmt.Errorf("%w of this log: %v", errBatch, err)
	}
	return decodeBatch([]byte(n.Text))
}

// errBatch is wrapped by every error of openBatch and decodeBatch.
var errBatch = errors.New("not a batch")

// decodeBatch reads the output of encode and refuses everything else.
func decodeBatch(data []byte) (*batch, error) {
	lines := json.NewDecoder(bytes.NewReader(data))
	lines.DisallowUnknownFields()
	var top batchLine
	if err := lines.Decode(&top); err != nil {
		return nil, fmt.Errorf("%w: line 1: %v", errBatch, err)
	}
	b := &batch{header: top.header, first: edge{top.First, top.Edge}}
	if !b.first.wellFormed() {
		return nil, fmt.Errorf("%w: an edge of %d hashes does not fit a tree of %d leaves",
			errBatch, len(top.Edge), top.First)
	}
	for {
		var ev entry
		err := lines.Decode(&ev)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("%w: line %d: %v", errBatch, len(b.events)+2, err)
		}
		b.events = append(b.events, ev)
	}
	if int64(len(b.events)) != b.Events {
		return nil, fmt.Errorf("%w: it has %d events, and its header says %d",
			errBatch, len(b.events), b.Events)
	}
	if !bytes.Equal(b.encode(), data) {
		return nil, fmt.Errorf("%w: it is not written as a seal writes it", errBatch)
	}
	return b, checkOffenders(b.Offenders, b.Events)
}
