package audit

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"

	"example.com/blotter/labs/kit/contract"
)

// Errors of Seal.
var (
	ErrNoSigner = errors.New("sealing needs the signer key")
	ErrTooLarge = errors.New("the event's leaf is too large for the tree")
	ErrCut      = errors.New("the log ends before what is sealed")
	ErrForked   = errors.New("the archive holds something else than this log has")
)

// ErrRolledBack is the ErrArchive of an archive that lost the Known checkpoint. Nothing but a copy that has it ends that. The tree cannot be
// made again from the log: its headers say where each batch ended, and that went with the batches; and what was appended again is on
// record with another time, so as another leaf.
var ErrRolledBack = fmt.Errorf("%w: it was rolled back", ErrArchive)

// Seal is contract.Auditor.Seal. Where nothing was ever sealed and there is nothing to seal, the checkpoint is that of the empty
// tree, and is not signed.
//
// Order: batch objects first, each one durable before the next, then the checkpoint (L5.I3). Whoever reads only
// what a checkpoint covers never meets half of anything.
func (a *Auditor) Seal(ctx context.Context) (contract.Checkpoint, error) {
	if a.Signer == nil {
		return contract.Checkpoint{}, ErrNoSigner
	}
	last, at, err := a.latest(ctx)
	if err != nil {
		return contract.Checkpoint{}, err
	}
	if err := a.remembered(ctx); err != nil {
		return contract.Checkpoint{}, err
	}
	// The end is asked for after the archive was read, so it is not before anything that is sealed, unless the log lost it.
	end, err := a.end(ctx, at)
	if err != nil {
		return contract.Checkpoint{}, err
	}
	for {
		next, err := a.build(ctx, at, end)
		if err != nil {
			return contract.Checkpoint{}, err
		}
		if next == nil {
			break
		}
		if at, err = a.place(ctx, at, next); err != nil {
			return contract.Checkpoint{}, err
		}
		// A crash here leaves batches that no checkpoint covers. The next Seal builds the first of them again, finds its name
		// taken, and takes over what is there.
	}
	if at.size > last.Size {
		if last, err = a.publish(ctx, at); err != nil {
			return contract.Checkpoint{}, err
		}
	}
	return last, a.kept(last)
}

// remembered says whether the archive has the checkpoint that is known to have been in it. Whether that is a prefix of the later ones,
// Verify tells.
func (a *Auditor) remembered(ctx context.Context) error {
	if a.Known == nil {
		return nil
	}
	known, err := OpenCheckpoint(a.Known, a.Origin, a.Verifier)
	if err != nil {
		return fmt.Errorf("the checkpoint you kept: %w", err)
	}
	name := object(checkpoints, known.Size)
	err = a.agrees(ctx, name, known)
	if errors.Is(err, ErrAbsent) {
		err = fmt.Errorf("%w: a checkpoint of size %d was published, and is not there any more", ErrRolledBack, known.Size)
	}
	return err
}

// kept hands a checkpoint that is published to who keeps it.
func (a *Auditor) kept(c contract.Checkpoint) error {
	if a.Keep == nil || c.Size == 0 {
		return nil
	}
	if err := a.Keep(c.Note); err != nil {
		return fmt.Errorf("the checkpoint of size %d is published, and could not be kept: %w", c.Size, err)
	}
	return nil
}

// end is where the log ends. That must not be before the end of what is sealed.
func (a *Auditor) end(ctx context.Context, at head) (contract.Cursor, error) {
	end, err := a.Log.End(ctx)
	if err != nil {
		return nil, fmt.Errorf("asking where the log ends: %w", err)
	}
	if !end.Reaches(at.to) {
		return nil, fmt.Errorf("%w: at %s, and sealed up to %s", ErrCut, end, at.to)
	}
	return end, nil
}

// build makes the batch behind at, or nil where no event is left before end. Offsets without an event (control records,
// markers) join the batch of the next event, so a log that got none gets no batch.
func (a *Auditor) build(ctx context.Context, at head, end contract.Cursor) (*batch, error) {
	for from := at.to; !from.Reaches(end); {
		to := from.Step(end, a.Batch)
		events, err := read(ctx, a.Log, from, to)
		if err != nil {
			return nil, err
		}
		if len(events) > 0 {
			return newBatch(at, to, events)
		}
		from = to
	}
	return nil, nil
}

// newBatch puts events, which are all that the log has from at to to, into a batch.
func newBatch(at head, to contract.Cursor, events []event) (*batch, error) {
	from := append(contract.Cursor{}, at.to...) // the beginning is [], not null
	b := &batch{
		header: header{Number: at.number + 1, Previous: at.previous, From: from, To: to, Events: int64(len(events))},
		first:  at.edge.clone(),
	}
	for _, ev := range events {
		if len(ev.Leaf) > contract.MaxLeaf { // Event.Validate keeps such an event out of every log
			return nil, fmt.Errorf("position %s: %w: %d bytes", ev.Position, ErrTooLarge, len(ev.Leaf))
		}
		b.events = append(b.events, ev.entry)
	}
	return b, nil
}

// place makes b durable and returns the head behind it, or behind the batch of another sealer that was first.
func (a *Auditor) place(ctx context.Context, at head, b *batch) (head, error) {
	err := a.Archive.Put(ctx, object(batches, at.size), b.encode())
	switch {
	case errors.Is(err, ErrExists):
		// Another sealer was first, or an earlier one ended before its checkpoint.
		if b, err = a.adopt(ctx, at); err != nil {
			return head{}, err
		}
	case err != nil:
		// It may be archived all the same. The next Seal finds out.
		return head{}, err
	}
	next, err := at.follow(b)
	if err != nil {
		panic(fmt.Sprintf("audit: sealed a batch that does not follow: %v", err)) // newBatch and adopt see to it
	}
	return next, nil
}

// adopt takes over the batch that is archived behind at. The log is append-only, so reading its range again gives the
// same leaves; if it does not, somebody put another history there, and nothing may be signed on top of it.
func (a *Auditor) adopt(ctx context.Context, at head) (*batch, error) {
	b, err := a.get(ctx, at.size)
	if err != nil {
		return nil, err
	}
	if _, err := at.follow(b); err != nil {
		return nil, fmt.Errorf("%w: %v", ErrForked, err)
	}
	end, err := a.end(ctx, at)
	if err != nil {
		return nil, err
	}
	if !end.Reaches(b.To) {
		return nil, fmt.Errorf("%w: batch %d goes to %s, and the log ends at %s", ErrForked, b.Number, b.To, end)
	}
	events, err := read(ctx, a.Log, b.From, b.To)
	if err != nil {
		return nil, err
	}
	ours, err := newBatch(at, b.To, events)
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(ours.encode(), b.encode()) {
		return nil, fmt.Errorf("%w: batch %d, positions %s to %s", ErrForked, b.Number, b.From, b.To)
	}
	return b, nil
}

// publish signs the tree at a head and archives the checkpoint.
func (a *Auditor) publish(ctx context.Context, at head) (contract.Checkpoint, error) {
	signed, err := sign(a.Origin, at.size, at.root(), a.Signer)
	if err != nil {
		return contract.Checkpoint{}, fmt.Errorf("signing the checkpoint of size %d: %w", at.size, err)
	}
	// Checked before it is locked away: a signer that does not belong to the verifier would spoil the archive.
	c, err := OpenCheckpoint(signed, a.Origin, a.Verifier)
	if err != nil {
		return contract.Checkpoint{}, fmt.Errorf("the checkpoint just signed does not verify: %w", err)
	}
	name := object(checkpoints, at.size)
	err = a.Archive.Put(ctx, name, signed)
	// A crash here, or an error though the object is there, is the same as success: the next Seal starts from this checkpoint.
	if errors.Is(err, ErrExists) {
		err = a.agrees(ctx, name, c)
	}
	c.End = at.to
	return c, err
}

// agrees says whether the checkpoint under name, which another sealer published first, is of the same tree.
func (a *Auditor) agrees(ctx context.Context, name string, ours contract.Checkpoint) error {
	signed, err := a.Archive.Get(ctx, name)
	if err != nil {
		return err
	}
	theirs, err := OpenCheckpoint(signed, a.Origin, a.Verifier)
	if err != nil {
		return fmt.Errorf("%w: %s: %v", ErrArchive, name, err)
	}
	if theirs.Root != ours.Root {
		return fmt.Errorf("%w: two signed checkpoints of size %d", ErrForked, ours.Size)
	}
	return nil
}

// latest is the last checkpoint and the head it signs. It reads that checkpoint and the last batch under it, no more: the batch carries
// the edge it begins with, and only the right edge and the right leaves lead to the signed root.
func (a *Auditor) latest(ctx context.Context) (contract.Checkpoint, head, error) {
	names, err := a.Archive.List(ctx, checkpoints)
	if err != nil {
		return contract.Checkpoint{}, head{}, err
	}
	if len(names) == 0 {
		return a.nothing(), head{}, nil
	}
	name := names[len(names)-1]
	c, err := a.checkpoint(ctx, name)
	if err != nil {
		return contract.Checkpoint{}, head{}, fmt.Errorf("%w: %w", ErrArchive, err)
	}
	b, err := a.lastBatch(ctx, c.Size)
	if err != nil {
		return contract.Checkpoint{}, head{}, fmt.Errorf("%w: under %s: %w", ErrArchive, name, err)
	}
	end, previous := b.end()
	if end.size != c.Size || end.root() != tlog.Hash(c.Root) {
		return contract.Checkpoint{}, head{}, fmt.Errorf("%w: batch %d does not lead to the root of %s", ErrArchive, b.Number, name)
	}
	c.End = b.To
	return c, head{edge: end, number: b.Number, previous: previous, to: b.To}, nil
}

// nothing is the checkpoint of a log of which nothing was sealed. Nobody signed it.
func (a *Auditor) nothing() contract.Checkpoint {
	return contract.Checkpoint{Origin: a.Origin, Root: (&edge{}).root()}
}

// checkpoint reads one from the archive. Its name must be its size.
func (a *Auditor) checkpoint(ctx context.Context, name string) (contract.Checkpoint, error) {
	signed, err := a.Archive.Get(ctx, name)
	if err != nil {
		return contract.Checkpoint{}, err
	}
	c, err := OpenCheckpoint(signed, a.Origin, a.Verifier)
	if err == nil && name != object(checkpoints, c.Size) {
		err = fmt.Errorf("%w: it is of size %d", ErrCheckpoint, c.Size)
	}
	if err != nil {
		return contract.Checkpoint{}, fmt.Errorf("%s: %w", name, err)
	}
	return c, nil
}

// lastBatch is the batch that ends a tree of this size: the last that begins inside it.
func (a *Auditor) lastBatch(ctx context.Context, size int64) (*batch, error) {
	names, err := a.Archive.List(ctx, batches)
	if err != nil {
		return nil, err
	}
	for i := len(names) - 1; i >= 0; i-- {
		if names[i] < object(batches, size) {
			var first int64
			if _, err := fmt.Sscanf(names[i], batches+"%d", &first); err != nil {
				return nil, fmt.Errorf("%s: %w", names[i], err)
			}
			return a.get(ctx, first)
		}
	}
	return nil, fmt.Errorf("no batch before leaf %d: %w", size, ErrAbsent)
}
