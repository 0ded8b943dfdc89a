package audit

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"golang.org/x/mod/sumdb/tlog"

	"example.com/blotter/labs/kit/contract"
)

// A header closes a batch and is its last leaf. Through Previous and the range it says that nothing lies between this
// batch and the one before.
type header struct {
	Number   int64           `json:"number"`   // 1, 2, 3, …
	Previous tlog.Hash       `json:"previous"` // leaf hash of the header before; zero for the first
	From     contract.Cursor `json:"from"`     // the events of the log in [From, To), all of them
	To       contract.Cursor `json:"to"`
	Events   int64           `json:"events"` // how many they are
}

// leaf is the canonical bytes of h: a tag, then each field, with its length in four bytes big-endian before it. Numbers
// are eight bytes big-endian; a cursor is one number per partition.
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
	field([]byte("blotter/batch/v1"))
	numbers(h.Number)
	field(h.Previous[:])
	numbers(h.From...)
	numbers(h.To...)
	numbers(h.Events)
	return b
}

// An entry is one sealed event. The tree covers Leaf; the position is where Verify looks for it.
type entry struct {
	contract.Position
	Leaf []byte `json:"leaf"`
}

// A batch is what one archived object holds: events in (partition, offset) order, then their header. It begins with the edge of
// the tree before it, so that the batch and a checkpoint at its end prove each other without anything earlier:
// no other edge and leaves lead to the signed root.
type batch struct {
	header
	first  edge // the tree before this batch; first.size is the index of its first leaf
	events []entry
}

// end is the tree behind the batch, and the hash of its header.
func (b *batch) end() (edge, tlog.Hash) {
	e := b.first.clone()
	for _, ev := range b.events {
		e.add(tlog.RecordHash(ev.Leaf))
	}
	last := tlog.RecordHash(b.header.leaf())
	e.add(last)
	return e, last
}

// batchLine is the first line of a batch as archived; a line per event follows.
type batchLine struct {
	First int64       `json:"first"`
	Edge  []tlog.Hash `json:"edge"`
	header
}

// encode is JSON Lines. The same batch gives the same bytes.
func (b *batch) encode() []byte {
	var out bytes.Buffer
	lines := json.NewEncoder(&out)
	write := func(v any) {
		if err := lines.Encode(v); err != nil {
			panic(fmt.Sprintf("audit: a batch that does not marshal: %v", err)) // every field is plain data
		}
	}
	write(batchLine{b.first.size, append([]tlog.Hash{}, b.first.roots...), b.header}) // [] rather than null
	for _, ev := range b.events {
		write(ev)
	}
	return out.Bytes()
}

// errBatch is wrapped by every error of decodeBatch.
var errBatch = errors.New("not a batch")

// decodeBatch reads what encode writes, and only that.
func decodeBatch(data []byte) (*batch, error) {
	lines := json.NewDecoder(bytes.NewReader(data))
	lines.DisallowUnknownFields()
	var top batchLine
	if err := lines.Decode(&top); err != nil {
		return nil, fmt.Errorf("%w: line 1: %v", errBatch, err)
	}
	b := &batch{header: top.header, first: edge{top.First, top.Edge}}
	if !b.first.wellFormed() {
		return nil, fmt.Errorf("%w: an edge of %d hashes for a tree of %d leaves", errBatch, len(top.Edge), top.First)
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
		return nil, fmt.Errorf("%w: it holds %d events and says %d", errBatch, len(b.events), b.Events)
	}
	return b, nil
}
