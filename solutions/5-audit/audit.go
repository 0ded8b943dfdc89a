package audit

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"example.com/blotter/labs/kit/contract"
)

// Options configure an Auditor.
type Options struct {
	Log      contract.SealableLog
	Archive  Archive
	Origin   string           // the log's name for all time, such as example.com/desk/blotter
	Verifier note.Verifier    // checks the signatures of Signer
	Signer   note.Signer      // nil for an Auditor that only verifies
	Clock    func() time.Time // gives sealing times; needed with Signer
	Batch    int64            // most offsets in one batch; 0 is DefaultBatch, which is the most
	// Known is a signed checkpoint that was kept outside the archive; it may be nil. An archive
	// that no longer has it was rolled back. Verify then reports a fault. Seal then refuses to
	// sign, because the result could be a second tree of the same size.
	Known []byte
	// Keep receives each signed checkpoint that Seal returns, AFTER it is in the archive; it may be
	// nil. Every checkpoint that it receives was therefore published. A crash in between leaves its
	// owner with an older checkpoint, which is a valid Known for the leaves that it covers.
	Keep func(signed []byte) error
}

// DefaultBatch is the number of events that a Seal or Verify holds in memory at a time. A header
// can list all of them as offenders, and still fits a leaf.
const DefaultBatch = 8192

// An Auditor seals one log into one archive, and verifies it. Several Auditors may run at once, in
// several processes: the archive decides which one was first.
type Auditor struct{ Options }

var (
	_ contract.Auditor       = (*Auditor)(nil)
	_ contract.SinceVerifier = (*Auditor)(nil)
	_ contract.SealedLog     = (*Auditor)(nil)
)

// Open checks the options. It reads and writes nothing.
func Open(o Options) (*Auditor, error) {
	switch {
	case o.Log == nil || o.Archive == nil:
		return nil, errors.New("audit: a log and an archive are needed")
	case o.Origin == "" || strings.Contains(o.Origin, "\n"):
		return nil, fmt.Errorf("audit: origin %q is not one line of text", o.Origin)
	case o.Verifier == nil:
		return nil, errors.New("audit: a verifier key is needed")
	case o.Signer != nil && o.Clock == nil:
		return nil, errors.New("audit: a clock is needed to seal")
	case o.Batch < 0 || o.Batch > DefaultBatch:
		return nil, fmt.Errorf("audit: the batch size %d is not between 0 and %d",
			o.Batch, DefaultBatch)
	}
	if o.Batch == 0 {
		o.Batch = DefaultBatch
	}
	return &Auditor{o}, nil
}

// ErrArchive is wrapped by the error for an archive that contradicts itself or its checkpoint.
// Nothing can be sealed on top of it. Verify finds the place.
var ErrArchive = errors.New("the audit archive is damaged")

// Names of objects end in a number of twelve digits, so they sort by number.
const (
	batchNames      = "batches/"     // then the index of the batch's first leaf
	checkpointNames = "checkpoints/" // then the size
)

func object(kind string, n int64) string { return fmt.Sprintf("%s%012d", kind, n) }

// Published returns the archived checkpoint of size leaves, or ErrAbsent. Size 0 asks for the last
// checkpoint; if nothing was ever sealed, that is the checkpoint of the empty tree, without a note.
// End is set only for the last checkpoint.
func (a *Auditor) Published(ctx context.Context, size int64) (contract.Checkpoint, error) {
	if size == 0 {
		last, _, err := a.latest(ctx)
		return last, err
	}
	return a.checkpoint(ctx, object(checkpointNames, size))
}

// Leaves calls each with every archived leaf below size, in order. For an event, at is its position
// in the log; for the header that closes a batch, at is nil. Leaves does not compare the leaves
// with a root: the caller does.
func (a *Auditor) Leaves(ctx context.Context, size int64,
	each func(index int64, at *contract.Position, leaf []byte) error) error {
	for index := int64(0); index < size; {
		b, err := a.batch(ctx, index)
		if err != nil {
			return err
		}
		for i := range b.events {
			if err := each(index, &b.events[i].Position, b.events[i].Leaf); err != nil {
				return err
			}
			index++
		}
		if err := each(index, nil, b.header.leaf()); err != nil {
			return err
		}
		index++
	}
	return nil
}

// latest returns the last checkpoint and the tip that it signs. It reads only that checkpoint and
// the last batch that it covers. That is enough: the batch carries the edge of the tree before it,
// and only the right edge and the right leaves give the signed root.
func (a *Auditor) latest(ctx context.Context) (contract.Checkpoint, tip, error) {
	names, err := a.Archive.List(ctx, checkpointNames)
	if err != nil {
		return contract.Checkpoint{}, tip{}, err
	}
	if len(names) == 0 {
		return a.emptyCheckpoint(), tip{}, nil
	}
	name := names[len(names)-1]
	c, err := a.checkpoint(ctx, name)
	if err != nil {
		return contract.Checkpoint{}, tip{}, fmt.Errorf("%w: %w", ErrArchive, err)
	}
	b, err := a.lastBatch(ctx, c.Size)
	if err != nil {
		return contract.Checkpoint{}, tip{}, fmt.Errorf("%w: under %s: %w", ErrArchive, name, err)
	}
	end := b.end()
	if end.size != c.Size || end.root() != tlog.Hash(c.Root) {
		return contract.Checkpoint{}, tip{}, fmt.Errorf("%w: batch %d does not give the root of %s",
			ErrArchive, b.Number, name)
	}
	c.End, end.events = b.To, b.honest()
	return c, end, nil
}

// emptyCheckpoint is the checkpoint of a log that was never sealed. It has no signature.
func (a *Auditor) emptyCheckpoint() contract.Checkpoint {
	return contract.Checkpoint{Origin: a.Origin, Root: (&edge{}).root()}
}

// checkpoint reads one checkpoint from the archive. The number in its name must be its size.
func (a *Auditor) checkpoint(ctx context.Context, name string) (contract.Checkpoint, error) {
	signed, err := a.Archive.Get(ctx, name)
	if err != nil {
		return contract.Checkpoint{}, err
	}
	c, err := OpenCheckpoint(signed, a.Origin, a.Verifier)
	if err == nil && name != object(checkpointNames, c.Size) {
		err = fmt.Errorf("%w: its size is %d", ErrCheckpoint, c.Size)
	}
	if err != nil {
		return contract.Checkpoint{}, fmt.Errorf("%s: %w", name, err)
	}
	return c, nil
}

// batch reads the batch whose first leaf has an index.
func (a *Auditor) batch(ctx context.Context, first int64) (*batch, error) {
	data, err := a.Archive.Get(ctx, object(batchNames, first))
	if err != nil {
		return nil, err
	}
	b, err := decodeBatch(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", object(batchNames, first), err)
	}
	return b, nil
}

// lastBatch returns the last batch of a tree of size leaves: the last one that begins inside it.
func (a *Auditor) lastBatch(ctx context.Context, size int64) (*batch, error) {
	names, err := a.Archive.List(ctx, batchNames)
	if err != nil {
		return nil, err
	}
	for i := len(names) - 1; i >= 0; i-- {
		if names[i] < object(batchNames, size) {
			var first int64
			if _, err := fmt.Sscanf(names[i], batchNames+"%d", &first); err != nil {
				return nil, fmt.Errorf("%s: %w", names[i], err)
			}
			return a.batch(ctx, first)
		}
	}
	return nil, fmt.Errorf("no batch before leaf %d: %w", size, ErrAbsent)
}
