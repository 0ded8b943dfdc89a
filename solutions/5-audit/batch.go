package audit

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/google/uuid"
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

	// Runs has the positions of the events, in the order of leaves. A leaf has no position.
	Runs []run `json:"runs"`
}

// A run is events at successive offsets: the partition, the first offset and the number of events.
type run [3]int64

// runsOf returns the positions of events as runs.
func runsOf(events []event) []run {
	runs := []run{}
	for i := range events {
		ev := &events[i]
		if n := len(runs); n > 0 && runs[n-1][0] == int64(ev.Partition) &&
			runs[n-1][1]+runs[n-1][2] == ev.Offset {
			runs[n-1][2]++
			continue
		}
		runs = append(runs, run{int64(ev.Partition), ev.Offset, 1})
	}
	return runs
}

// index returns the index of the event at a position in the batch, or -1.
func (h header) index(at contract.Position) int64 {
	var before int64
	for _, r := range h.Runs {
		if r[0] == int64(at.Partition) && r[1] <= at.Offset && at.Offset < r[1]+r[2] {
			return before + at.Offset - r[1]
		}
		before += r[2]
	}
	return -1
}

// positions returns the position of each event.
func (h header) positions() []contract.Position {
	all := make([]contract.Position, 0, h.Events)
	for _, r := range h.Runs {
		for i := range r[2] {
			all = append(all, contract.Position{Partition: int32(r[0]), Offset: r[1] + i})
		}
	}
	return all
}

// checkRuns refuses runs that are not those of the events of the range, in order.
func (h header) checkRuns() error {
	last, events := contract.Position{Partition: -1}, int64(0)
	for _, r := range h.Runs {
		first := contract.Position{Partition: int32(r[0]), Offset: r[1]}
		if r[0] < 0 || r[0] > math.MaxInt32 || r[2] < 1 || r[2] > h.Events-events ||
			first == (contract.Position{Partition: last.Partition, Offset: last.Offset + 1}) {
			return fmt.Errorf("it has no such events: %d", r)
		}
		end := contract.Position{Partition: int32(r[0]), Offset: r[1] + r[2] - 1}
		if order(last, first) >= 0 || h.From.Covers(first) || !h.To.Covers(end) {
			return fmt.Errorf("it has the event at %s out of order", first)
		}
		last, events = end, events+r[2]
	}
	if events != h.Events {
		return fmt.Errorf("it has %d positions for %d events", events, h.Events)
	}
	return nil
}

// headerTag is the first field of a header's leaf. Change it with the format.
const headerTag = "blotter/batch/v4"

// leaf returns the canonical bytes of h: a tag, then each field, each with its length before it in
// four bytes big-endian. Numbers are eight bytes big-endian; a cursor is one number for each
// partition. Of each run it has three numbers as unsigned varints: partition, first offset after
// the beginning of the range, and events.
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
	field([]byte(headerTag))
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
	var runs []byte // short: a batch may have a run for each two offsets
	for _, r := range h.Runs {
		runs = binary.AppendUvarint(runs, uint64(r[0]))
		runs = binary.AppendUvarint(runs, uint64(r[1]-h.From.At(int32(r[0]))))
		runs = binary.AppendUvarint(runs, uint64(r[2]))
	}
	field(runs)
	return b
}

// numberOf returns the number in the leaf of a header; false for other leaves.
func numberOf(leaf []byte) (int64, bool) {
	fields, err := split(leaf)
	if err != nil || len(fields) != 11 || string(fields[0]) != headerTag || len(fields[1]) != 8 {
		return 0, false
	}
	return int64(binary.BigEndian.Uint64(fields[1])), true
}

// An event is the part of a recorded event that the audit needs. The tree covers Leaf. Verify looks
// for the event at the position.
type event struct {
	contract.Position
	Leaf []byte

	stream   string // in the leaf, as the next two
	group    uuid.UUID
	recorded time.Time

	// Only of an event that was read from the log:
	id      uuid.UUID
	version int64
	schema  *schemaName // of events in a row the same pointer
	body    []byte      // of the payload; nil where it was not read or kept
}

func newEvent(at contract.Position, leaf []byte) event {
	stream, group, recorded := times(leaf)
	return event{Position: at, Leaf: leaf, stream: stream, group: group, recorded: recorded}
}

// A batch is the statement of a sealer that it continues the tree with the events of a range of the
// log, and that the tree then has an edge. It is archived BEFORE the leaves. They follow from it
// and from the log, so that every sealer writes the same tiles.
type batch struct {
	header
	object string  // name in the archive; empty until it is read from there
	edge   edge    // of the tree after this batch
	events []event // only where they were read
}

// first is the index of the batch's first leaf.
func (b *batch) first() int64 { return b.edge.size - b.Events - 1 }

// grow adds the leaves of b, whose events were read, to a tree, and returns the new tiles.
func (b *batch) grow(t *tiler) []object {
	before := t.size
	for i := range b.events {
		t.add(b.events[i].Leaf)
	}
	t.add(b.header.leaf())
	return t.take(before)
}

// honest returns the events of b, which were read, that its header does not list as offenders.
func (b *batch) honest() []event {
	honest, next := []event(nil), b.Offenders
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
}

// end returns the tip after the batch.
func (b *batch) end() tip {
	return tip{
		edge: b.edge, number: b.Number, previous: tlog.RecordHash(b.header.leaf()), to: b.To,
		simulated: b.Simulated, sealed: b.Sealed, frontier: b.Frontier,
	}
}

// continuedBy fails unless b continues exactly where t ends (L5.I2). It reads neither the log nor
// the leaves.
func (t tip) continuedBy(b *batch) error {
	switch {
	case b.first() != t.size:
		return fmt.Errorf("batch %d begins with leaf %d, and batch %d ends with leaf %d",
			b.Number, b.first(), t.number, t.size-1)
	case b.Number != t.number+1:
		return fmt.Errorf("the batch at leaf %d has number %d, want %d",
			t.size, b.Number, t.number+1)
	case b.Previous != t.previous:
		return fmt.Errorf("batch %d does not name the header of batch %d as its predecessor",
			b.Number, t.number)
	case !b.From.Equal(t.to):
		return fmt.Errorf("batch %d begins at %s, and batch %d ended at %s",
			b.Number, b.From, t.number, t.to)
	case t.number > 0 && b.Simulated != t.simulated:
		return fmt.Errorf("batch %d says that the log is %s, and batch %d that it is %s",
			b.Number, timesOf(b.Simulated), t.number, timesOf(t.simulated))
	case b.Sealed.Before(t.sealed) || b.Frontier.Before(t.frontier):
		return fmt.Errorf("batch %d was sealed at %s up to the frontier %s, "+
			"and batch %d at %s up to %s", b.Number, b.Sealed, b.Frontier,
			t.number, t.sealed, t.frontier)
	case !b.To.Reaches(b.From):
		return fmt.Errorf("batch %d ends at %s, before its begin %s", b.Number, b.To, b.From)
	}
	return nil
}

// timesOf says in words where the times of a log come from.
func timesOf(simulated bool) string {
	if simulated {
		return "simulated"
	}
	return "kept in real time"
}

// batchText is the text of an archived batch, as one line of JSON.
type batchText struct {
	Size int64       `json:"size"` // of the tree after the batch
	Edge []tlog.Hash `json:"edge"`
	header
}

// encode returns the text of the batch. Equal batches give equal bytes.
func (b *batch) encode() []byte {
	text, err := json.Marshal(batchText{b.edge.size, b.edge.roots, b.header})
	if err != nil {
		panic(fmt.Sprintf("audit: encode a batch: %v", err)) // every field is plain data
	}
	return append(text, '\n')
}

// sign returns b as a signed note (C2SP signed-note). A checkpoint of the same key does not begin
// with a brace.
func (b *batch) sign(keys ...note.Signer) ([]byte, error) {
	return note.Sign(&note.Note{Text: string(b.encode())}, keys...)
}

// openBatch checks the signature of a note and returns its batch.
func openBatch(signed []byte, key note.Verifier) (*batch, error) {
	n, err := openNote(signed, key)
	if err != nil {
		return nil, fmt.Errorf("%w of this log: %v", errBatch, err)
	}
	b, err := decodeBatch([]byte(n.Text))
	if err != nil {
		return nil, err
	}
	if err := signsAt(n, key, b.edge.size); err != nil {
		return nil, fmt.Errorf("%w of this log: it is %w", errBatch, err)
	}
	return b, nil
}

// errBatch is wrapped by every error of openBatch and decodeBatch.
var errBatch = errors.New("not a batch")

// decodeBatch reads the output of encode and refuses everything else.
func decodeBatch(data []byte) (*batch, error) {
	text := json.NewDecoder(bytes.NewReader(data))
	text.DisallowUnknownFields()
	var top batchText
	if err := text.Decode(&top); err != nil {
		return nil, fmt.Errorf("%w: %v", errBatch, err)
	}
	b := &batch{header: top.header, edge: edge{top.Size, top.Edge}}
	if !b.edge.wellFormed() || b.first() < 0 ||
		b.Events < 0 || b.Events > DefaultBatch {
		return nil, fmt.Errorf("%w: %d events and an edge of %d hashes do not fit %d leaves",
			errBatch, b.Events, len(top.Edge), top.Size)
	}
	if err := b.checkRuns(); err != nil {
		return nil, fmt.Errorf("%w: %v", errBatch, err)
	}
	if !bytes.Equal(b.encode(), data) {
		return nil, fmt.Errorf("%w: it is not written as a seal writes it", errBatch)
	}
	return b, checkOffenders(b.Offenders, b.Events)
}
