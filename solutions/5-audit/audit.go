package audit

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"example.com/blotter/labs/kit/contract"
)

// Options say what is sealed, where to, and by whom.
type Options struct {
	Log      contract.Reader
	Archive  Archive
	Origin   string        // names the log for all time, such as example.com/desk/blotter
	Verifier note.Verifier // checks what Signer signed
	Signer   note.Signer   // nil for who only verifies
	Batch    int64         // most offsets in one batch; 0 is DefaultBatch
	// Known is a signed checkpoint that was kept elsewhere, if there is one. An archive that does not have it any more was rolled back:
	// Verify says so, and Seal signs nothing on top of it, which could be a second tree of the same size.
	Known []byte
	// Keep, if there is one, is given each signed checkpoint that Seal returns, AFTER it is in the archive. So what it kept was always
	// published; after a crash in between it is an older one, which is as good a Known for all that it covers.
	Keep func(signed []byte) error
}

// DefaultBatch bounds the memory of a Seal or Verify: this many events are held at a time.
const DefaultBatch = 8192

// An Auditor seals one log into one archive, and verifies it. Any number of them may run at once, in any number of
// processes: the archive decides who was first.
type Auditor struct{ Options }

var _ contract.Auditor = (*Auditor)(nil)

// Open checks the options. It reads and writes nothing.
func Open(o Options) (*Auditor, error) {
	switch {
	case o.Log == nil || o.Archive == nil:
		return nil, errors.New("audit: a log and an archive are needed")
	case o.Origin == "" || strings.Contains(o.Origin, "\n"):
		return nil, fmt.Errorf("audit: origin %q is not one line of text", o.Origin)
	case o.Verifier == nil:
		return nil, errors.New("audit: a verifier key is needed")
	case o.Batch < 0:
		return nil, fmt.Errorf("audit: batches of %d events", o.Batch)
	}
	if o.Batch == 0 {
		o.Batch = DefaultBatch
	}
	return &Auditor{o}, nil
}

// ErrArchive is wrapped by the error of an archive that contradicts itself or its checkpoint, so that nothing can be
// sealed on top of it. Verify says more.
var ErrArchive = errors.New("the audit archive is damaged")

// Names of objects end in a number of twelve digits, so that their order is that of the numbers.
const (
	batches     = "batches/"     // by the index of the first leaf
	checkpoints = "checkpoints/" // by size
)

func object(kind string, n int64) string { return fmt.Sprintf("%s%012d", kind, n) }

// A head is where the tree stands behind some batch.
type head struct {
	edge
	number   int64           // of that batch; 0 before the first
	previous tlog.Hash       // leaf hash of its header
	to       contract.Cursor // everything before is in the tree
}

// follow is the head behind b, which must go on exactly where h ends (L5.I2). It looks at b alone, not at the log.
func (h head) follow(b *batch) (head, error) {
	switch {
	case !h.edge.equal(b.first):
		return head{}, fmt.Errorf("batch at leaf %d does not begin with the tree that ends there", h.size)
	case b.Number != h.number+1:
		return head{}, fmt.Errorf("batch at leaf %d has number %d, want %d", h.size, b.Number, h.number+1)
	case b.Previous != h.previous:
		return head{}, fmt.Errorf("batch %d names another header than that of batch %d as the one before it", b.Number, h.number)
	case !b.From.Equal(h.to):
		return head{}, fmt.Errorf("batch %d begins at %s, and batch %d ended at %s", b.Number, b.From, h.number, h.to)
	case !b.To.Reaches(b.From):
		return head{}, fmt.Errorf("batch %d goes back, from %s to %s", b.Number, b.From, b.To)
	}
	for i, ev := range b.events {
		if b.From.Covers(ev.Position) || !b.To.Covers(ev.Position) || i > 0 && order(b.events[i-1].Position, ev.Position) >= 0 {
			return head{}, fmt.Errorf("batch %d holds the event at %s out of place", b.Number, ev.Position)
		}
	}
	next, previous := b.end()
	return head{next, b.Number, previous, b.To}, nil
}

// get reads the batch that begins at a leaf.
func (a *Auditor) get(ctx context.Context, first int64) (*batch, error) {
	data, err := a.Archive.Get(ctx, object(batches, first))
	if err != nil {
		return nil, err
	}
	b, err := decodeBatch(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", object(batches, first), err)
	}
	return b, nil
}
