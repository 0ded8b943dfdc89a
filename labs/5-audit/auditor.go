// Code generated from solutions/5-audit/plain/auditor.go by make generate; DO NOT EDIT.

package audit

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/mod/sumdb/note"

	"example.com/blotter/labs/kit/contract"
)

// An Archive keeps objects that are written once.
type Archive interface {
	// Put writes an object; the object is durable when Put returns. It fails if the name is taken.
	// After an error the object may or may not be there.
	Put(ctx context.Context, name string, data []byte) error
	Get(ctx context.Context, name string) ([]byte, error)
	// List returns the names that begin with prefix, sorted.
	List(ctx context.Context, prefix string) ([]string, error)
}

// Options configure an Auditor.
type Options struct {
	Log      contract.Reader
	Archive  Archive
	Origin   string // the log's name for all time, such as example.com/desk/blotter
	Signer   note.Signer
	Verifier note.Verifier // checks the signatures of Signer
}

// An Auditor seals one log into one archive, and verifies it. It remembers nothing: each method
// begins with the archive.
type Auditor struct{ Options }

var _ contract.Auditor = (*Auditor)(nil)

// New returns an auditor. It reads and writes nothing.
func New(o Options) *Auditor { return &Auditor{o} }

// ErrForked is wrapped by the error of Seal for an archive that nothing may be signed on top of.
var ErrForked = errors.New("the archive holds another history than this log")

// The names of objects. Numbers have twelve digits, so names sort by number.
const (
	batchNames      = "batches/"     // and the index of the batch's first leaf
	checkpointNames = "checkpoints/" // and the number of leaves
)

func object(kind string, number int64) string { return fmt.Sprintf("%s%012d", kind, number) }

// read returns the events of the log in [from, to), in the order of leaves: by partition, then
// offset. The log gives them in another order.
func (a *Auditor) read(ctx context.Context, from, to contract.Cursor) (
	[]contract.Recorded, error) {
	var events []contract.Recorded
	for r, err := range a.Log.Read(ctx, from, to) {
		if err != nil {
			return nil, fmt.Errorf("reading the log from %s: %w", from, err)
		}
		events = append(events, r)
	}
	slices.SortFunc(events, func(a, b contract.Recorded) int {
		return order(a.Position, b.Position)
	})
	return events, nil
}

func order(a, b contract.Position) int {
	return cmp.Or(cmp.Compare(a.Partition, b.Partition), cmp.Compare(a.Offset, b.Offset))
}

// archived returns the batches in the order of their leaves, and the checkpoints that the log's key
// signed in the order of their sizes. It passes over all other objects.
func (a *Auditor) archived(ctx context.Context) (
	batches []contract.SealedBatch, checkpoints []contract.Checkpoint, err error) {
	names, err := a.Archive.List(ctx, "")
	if err != nil {
		return nil, nil, err
	}
	for _, name := range names {
		data, err := a.Archive.Get(ctx, name)
		if err != nil {
			return nil, nil, err
		}
		var b contract.SealedBatch
		if json.Unmarshal(data, &b) == nil && name == object(batchNames, b.First) {
			batches = append(batches, b)
		}
		c, err := openCheckpoint(data, a.Origin, a.Verifier)
		if err == nil && name == object(checkpointNames, c.Size) {
			checkpoints = append(checkpoints, c)
		}
	}
	return batches, checkpoints, nil
}

// putBatch archives a batch under the index of its first leaf.
func (a *Auditor) putBatch(ctx context.Context, b contract.SealedBatch) error {
	data, err := json.Marshal(b)
	if err != nil {
		return err
	}
	return a.Archive.Put(ctx, object(batchNames, b.First), data)
}

// publish signs the root of the first size leaves, and archives the checkpoint.
func (a *Auditor) publish(ctx context.Context, size int64, root contract.Hash) (
	contract.Checkpoint, error) {
	signed, err := signCheckpoint(a.Origin, size, root, a.Signer)
	if err != nil {
		return contract.Checkpoint{}, err
	}
	c := contract.Checkpoint{Origin: a.Origin, Size: size, Root: root, Note: signed}
	return c, a.Archive.Put(ctx, object(checkpointNames, size), signed)
}

// sealedEvents returns events as a batch holds them.
func sealedEvents(events []contract.Recorded) []contract.SealedEvent {
	var all []contract.SealedEvent
	for _, r := range events {
		all = append(all, contract.SealedEvent{Position: r.Position, Leaf: r.Leaf()})
	}
	return all
}

// follows reports whether b continues the archive after first leaves (L5.I2). next has the Number,
// the Previous and the From that its header must have.
func follows(b contract.SealedBatch, first int64, next contract.BatchHeader) bool {
	h := b.Header
	return b.First == first && h.Number == next.Number && h.Previous == next.Previous &&
		h.From.Equal(next.From) && h.To.Reaches(h.From) && h.Events == int64(len(b.Events))
}

// difference returns the first place where a batch and the events of its range differ, or nil. It
// cannot tell whether the log or the archive was changed.
func difference(b contract.SealedBatch, events []contract.Recorded) *contract.Fault {
	found := sealedEvents(events)
	for i := range max(len(b.Events), len(found)) {
		leaf := b.First + int64(i)
		switch {
		case i == len(found) || i < len(b.Events) &&
			order(b.Events[i].Position, found[i].Position) < 0:
			return &contract.Fault{Position: b.Events[i].Position, Leaf: leaf,
				What: "the event is missing from the log"}
		case i == len(b.Events) || order(found[i].Position, b.Events[i].Position) < 0:
			return &contract.Fault{Position: found[i].Position, Leaf: leaf,
				What: "the event is in the log and not in the tree"}
		case string(found[i].Leaf) != string(b.Events[i].Leaf):
			return &contract.Fault{Position: found[i].Position, Leaf: leaf,
				What: "the event was changed in the log"}
		}
	}
	return nil
}

// archiveFault is a fault of the archive. at is the place where log and archive differ, or nil.
func archiveFault(at *contract.Fault, format string, args ...any) *contract.Fault {
	f := contract.Fault{Leaf: -1}
	if at != nil {
		f = *at
	}
	f.What = "the archive is wrong: " + fmt.Sprintf(format, args...)
	return &f
}
