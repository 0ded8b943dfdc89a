package contract

import (
	"context"

	"example.com/blotter/schemas"
)

// A Hash is the hash of a leaf or of a node of the tree (RFC 6962, section 2.1).
type Hash = [32]byte

// A SealedBatch is one batch as Lab 5 archives it. The reference auditor's batches hold more:
// times, offenders, and the edge of the tree before them.
type SealedBatch struct {
	First  int64 // index of the batch's first leaf
	Header BatchHeader
	Events []SealedEvent // in the order of their positions
}

// A SealedEvent is the leaf of one event.
type SealedEvent struct {
	Position
	Leaf []byte
}

// A BatchHeader closes a batch. Its leaf is the last one of the batch, so checkpoints cover it.
type BatchHeader struct {
	Number   int64  // 1, 2, 3, …
	Previous Hash   // leaf hash of the header of the batch before; zero in the first
	From, To Cursor // the events of the batch are all events of the log in [From, To)
	Events   int64  // the number of these events
}

// Leaf returns the canonical bytes of h: a tag, then each field, each with its length before it in
// four bytes big-endian. Numbers are eight bytes big-endian; a cursor is one number for each
// partition.
func (h BatchHeader) Leaf() []byte {
	b := prefixed(nil, "blotter/lab-batch/v1")
	b = numbers(b, h.Number)
	b = prefixed(b, h.Previous[:])
	b = numbers(b, h.From...)
	b = numbers(b, h.To...)
	return numbers(b, h.Events)
}

// Leaves returns the leaves that b adds to the tree: those of its events, then the header's.
func (b SealedBatch) Leaves() [][]byte {
	var leaves [][]byte
	for _, e := range b.Events {
		leaves = append(leaves, e.Leaf)
	}
	return append(leaves, b.Header.Leaf())
}

// A RecordArchive is an archive that holds the sealed events whole, so that the log can be made
// again.
type RecordArchive interface {
	// Records calls each with every batch under the last checkpoint, in order. It does not read the
	// log.
	Records(ctx context.Context, each func(SealedRecords) error) error
}

// SealedRecords are the events of one batch, whole.
type SealedRecords struct {
	Number  int64            // of the batch
	First   int64            // the leaf of the first event
	Schemas []schemas.Schema // of these events, as the sealer's catalog had them
	Events  []Recorded       // in the order of leaves, at their sealed positions
}

// A TraceRow is one event of a contract, with the evidence that it was sealed. The event says who
// (Actor, Approver, SubmittedBy), what (Type, Data), when (EffectiveAt, EnteredAt, RecordedAt) and
// why (Reason, Causation, Corrects).
type TraceRow struct {
	Recorded
	Index int64  // of its leaf; -1 if the last checkpoint does not cover it
	Proof []Hash // that the leaf is in the tree of the last checkpoint
}
