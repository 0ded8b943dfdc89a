package audit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"slices"
	"time"

	"github.com/google/uuid"

	"example.com/blotter/labs/kit/contract"
)

// Errors of Seal.
var (
	ErrNoSigner = errors.New("sealing needs the signer key")
	ErrTooLarge = errors.New("the event is too large for a leaf of the tree")
	ErrCut      = errors.New("the log is shorter than its sealed part")
	ErrForked   = errors.New("the archive holds another history than this log")
)

// ErrRolledBack is the ErrArchive of an archive that lost the Known checkpoint. Only a copy of the
// archive that has the checkpoint helps. The tree cannot be rebuilt from the log. The lost headers
// said where each batch ended. And an event that was appended again has another time, so it is
// another leaf.
var ErrRolledBack = fmt.Errorf("%w: it was rolled back", ErrArchive)

// Seal implements contract.Auditor. If nothing was ever sealed and the log has no event, it returns
// the checkpoint of the empty tree, without a signature.
//
// Order: first the log's frontier, then the end of the log (L5.I6), then each batch and AFTER it
// its records and tiles. Then the witnesses are asked, and whatever they answer, the checkpoint is
// published (L5.I3), then the cosignatures, then the copy of the last checkpoint. A reader that
// reads only under a checkpoint never sees a partial seal. If only Options.Keep fails, or a witness
// refuses to cosign, Seal returns the published checkpoint with the error.
func (a *Auditor) Seal(ctx context.Context) (contract.Checkpoint, error) {
	if a.Signer == nil {
		return contract.Checkpoint{}, ErrNoSigner
	}
	if err := a.checkSigners(ctx); err != nil {
		return contract.Checkpoint{}, err
	}
	last, under, err := a.latest(ctx)
	if err != nil {
		return contract.Checkpoint{}, err
	}
	if err := a.checkKnown(ctx); err != nil {
		return contract.Checkpoint{}, err
	}
	s, err := a.sealer(ctx, under)
	if err != nil {
		return contract.Checkpoint{}, err
	}
	if err := s.prepare(ctx, under); err != nil {
		return contract.Checkpoint{}, err
	}
	for {
		next, err := s.nextBatch(ctx)
		if err != nil {
			return contract.Checkpoint{}, err
		}
		if next == nil {
			break
		}
		if err := s.archive(ctx, next); err != nil {
			return contract.Checkpoint{}, err
		}
		// A crash here leaves batches that no checkpoint covers. The next Seal builds the first of
		// them again, finds that its name is taken, and adopts the archived batch.
	}
	next := last
	if s.at.size > last.Size {
		if next, err = a.signed(s.at); err != nil {
			return contract.Checkpoint{}, err
		}
	}
	next.Offenders = s.offenders
	return a.release(ctx, next, s.at, s.at.size > last.Size)
}

// release asks the witnesses about the checkpoint at a tip, publishes it if it is new, and gives it
// to Options.Keep.
func (a *Auditor) release(ctx context.Context, c contract.Checkpoint, at tip, isNew bool) (
	contract.Checkpoint, error) {
	asked, err := a.ask(ctx, c, at)
	// A crash here leaves witnesses that have cosigned a checkpoint which nobody published. Its
	// batches are in the archive, so every later checkpoint continues it, and they cosign that one.
	if err == nil && isNew {
		err = a.publish(ctx, c)
	}
	if err != nil && isNew {
		return contract.Checkpoint{}, err
	}
	if err != nil {
		return c, errors.Join(err, a.keep(c))
	}
	// A crash here leaves a checkpoint without cosignatures. The next Seal or Cosign asks for them.
	c, err = a.addCosignatures(ctx, c, asked)
	return c, errors.Join(err, a.keep(c), a.refusals(c, asked))
}

// copyLast makes the copy of the last checkpoint, for readers that know nothing else of an archive
// (C2SP tlog-tiles). A crash before it leaves the copy of an earlier one, which is enough to find
// the last. A failure is therefore no failure of the seal: the next one repeats the copy.
func (a *Auditor) copyLast(ctx context.Context, last contract.Checkpoint) {
	copied, err := a.copied(ctx)
	if last.Size == 0 || err == nil && (copied.Size > last.Size ||
		copied.Size == last.Size && len(copied.Note) >= len(last.Note)) {
		return
	}
	if err := a.Archive.Replace(ctx, lastCheckpoint, last.Note); err != nil {
		a.warn(fmt.Errorf("the checkpoint of size %d is published, but copying it failed: %w",
			last.Size, err))
	}
}

// warn gives an error to Options.Warn.
func (a *Auditor) warn(err error) {
	if a.Warn != nil {
		a.Warn(err)
	}
}

// A sealer is one run of Seal.
type sealer struct {
	*Auditor
	at        tip
	tiles     *tiler // of the tree up to at
	judge     *judge
	room      room            // of the batch in work
	frontier  time.Time       // on record in the log
	end       contract.Cursor // of the log, asked for AFTER the frontier
	offenders []contract.Offender
}

// sealer returns a sealer that continues after a batch, nil for none.
func (a *Auditor) sealer(ctx context.Context, last *batch) (*sealer, error) {
	s := &sealer{Auditor: a, tiles: new(tiler)}
	if last != nil {
		s.at = last.end()
	}
	timeline, err := a.timeline(ctx, s.at)
	if err != nil {
		return nil, err
	}
	s.judge = newJudge(timeline)
	return s, nil
}

// resume returns the tree after a batch as it can grow, and shows the batch to a judge.
func (a *Auditor) resume(ctx context.Context, last *batch, j *judge) (*tiler, error) {
	tree := a.tree(last.edge)
	events, err := tree.events(ctx, last)
	var tiles *tiler
	if err == nil {
		tiles, err = tree.tiler(ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: under checkpoint %d: %w", ErrArchive, last.edge.size, err)
	}
	read := *last
	read.events = events
	j.advance(read.honest(), time.Time{}, time.Time{})
	return tiles, nil
}

// prepare reads the end of the tree and has the log commit its frontier, unless there is no new
// event: a log that is only sealed does not grow. Each end is asked for AFTER reading the archive:
// it is then past every sealed event, unless the log lost its end.
func (s *sealer) prepare(ctx context.Context, last *batch) (err error) {
	if s.end, err = s.logEnd(ctx, s.at); err != nil {
		return err
	}
	isNew, err := s.hasEvent(ctx, s.at.to, s.end)
	if err != nil || !isNew {
		return err
	}
	if last != nil {
		if s.tiles, err = s.resume(ctx, last, s.judge); err != nil {
			return err
		}
	}
	if last != nil && s.at.simulated {
		// Frontiers of a simulated log state nothing but that it was sealed. The first seal puts
		// that on record, or a later one if the first was not by the owner of the log.
		if begun, err := s.begun(ctx); err != nil || begun {
			return err
		}
	}
	if s.frontier, err = s.Log.CommitFrontier(ctx); err != nil {
		return fmt.Errorf("committing the frontier of the log: %w", err)
	}
	// A crash here leaves a frontier that no batch states, which holds nothing back but the clock.
	if s.judge.Simulated {
		return nil // no batch has the mark: logs that keep it elsewhere, or not, are sealed alike
	}
	s.end, err = s.logEnd(ctx, s.at)
	return err
}

// begun reports whether the log has a seal on record. A log that cannot tell counts as one with a
// seal.
func (a *Auditor) begun(ctx context.Context) (bool, error) {
	if a.Committed == nil {
		return true, nil
	}
	_, begun, err := a.Committed(ctx)
	if err != nil {
		return false, fmt.Errorf("reading the frontier on record: %w", err)
	}
	return begun, nil
}

// timeline returns the log's timeline, which must be the sealed one.
func (a *Auditor) timeline(ctx context.Context, at tip) (contract.Timeline, error) {
	now, err := a.Log.Timeline(ctx)
	if err != nil {
		return now, fmt.Errorf("asking for the log's timeline: %w", err)
	}
	if at.number > 0 && now.Simulated != at.simulated {
		return now, fmt.Errorf("%w: it was sealed as %s, and says now that it is %s", ErrForked,
			timesOf(at.simulated), timesOf(now.Simulated))
	}
	return now, nil
}

// checkKnown fails if the archive does not have the Known checkpoint. Only Verify checks that it is
// a prefix of the later checkpoints.
func (a *Auditor) checkKnown(ctx context.Context) error {
	if a.Known == nil {
		return nil
	}
	known, err := OpenCheckpoint(a.Known, a.Origin, a.Verifier)
	if err != nil {
		return fmt.Errorf("the kept checkpoint: %w", err)
	}
	return a.checkPublished(ctx, known)
}

// checkPublished fails if the archive does not have a checkpoint that was published.
func (a *Auditor) checkPublished(ctx context.Context, known contract.Checkpoint) error {
	err := a.sameTree(ctx, known)
	if errors.Is(err, ErrAbsent) {
		err = fmt.Errorf("%w: the published checkpoint of size %d is missing",
			ErrRolledBack, known.Size)
	}
	return err
}

// keep gives a published checkpoint to Options.Keep.
func (a *Auditor) keep(c contract.Checkpoint) error {
	if a.Keep == nil || c.Size == 0 {
		return nil
	}
	if err := a.Keep(c.Note); err != nil {
		return fmt.Errorf("the checkpoint of size %d is published, but keeping a copy failed: %w",
			c.Size, err)
	}
	return nil
}

// hasEvent reports whether the log has an event in [from, to).
func (a *Auditor) hasEvent(ctx context.Context, from, to contract.Cursor) (bool, error) {
	for _, err := range a.Log.Read(ctx, from, to) {
		if err != nil {
			return false, fmt.Errorf("reading the log from %s: %w", from, err)
		}
		return true, nil
	}
	return false, nil
}

// logEnd returns the end of the log. It must not be before the end of the sealed part.
func (a *Auditor) logEnd(ctx context.Context, at tip) (contract.Cursor, error) {
	end, err := a.Log.End(ctx)
	if err != nil {
		return nil, fmt.Errorf("asking for the end of the log: %w", err)
	}
	if !end.Reaches(at.to) {
		return nil, fmt.Errorf("%w: it ends at %s, and is sealed up to %s", ErrCut, end, at.to)
	}
	return end, nil
}

// nextBatch returns the next batch, or nil if no event is left before the end. Offsets without an
// event (control records, for example) join the batch of the next event, and at the end the last
// batch, which states the frontier. A log without new events gets no batch.
func (s *sealer) nextBatch(ctx context.Context) (*batch, error) {
	for from := s.at.to; !from.Reaches(s.end); {
		events, to, err := s.readNext(ctx, from)
		if err == nil {
			err = checkLeaves(events)
		}
		if err != nil {
			return nil, err
		}
		if len(events) == 0 {
			from = to
			continue
		}
		more, err := s.hasEvent(ctx, to, s.end)
		if err != nil {
			return nil, err
		}
		frontier := s.at.frontier
		if !more {
			to, frontier = s.end, s.frontier
		}
		times := stampOf(s.at, s.judge.Timeline, events, s.Clock(), frontier)
		offenders := s.judge.offenders(events, s.at.frontier, times.sealed)
		return newBatch(s.at, to, events, times, offenders), nil
	}
	return nil, nil
}

// readNext reads the events of the next batch, and returns the end of its range. Large payloads
// make the range shorter, and an append that it cuts moves its end back: an append to several
// streams is in one batch (L2.I17). A batch of fewer offsets than the append has gets longer.
func (s *sealer) readNext(ctx context.Context, from contract.Cursor) ([]event, contract.Cursor,
	error) {
	// Ranges of up to short offsets have no whole append, those from long on have large payloads.
	short, long := int64(0), int64(math.MaxInt64)
	for offsets := s.Batch; ; {
		to := from.Step(s.end, offsets)
		events, err := s.room.readWhole(ctx, s.Log, from, to)
		if errors.Is(err, errBodies) {
			long = offsets
			offsets = short + max((offsets-short)/8, min(1, long-short-1))
			continue
		}
		if err != nil {
			return nil, to, err
		}
		whole, err := contract.Whole(ctx, s.Log, to, s.end, groupsOf(events))
		switch {
		case err != nil:
			return nil, to, err
		case !whole.Equal(from):
			return slices.DeleteFunc(events, func(ev event) bool {
				return !whole.Covers(ev.Position)
			}), whole, nil
		case long-offsets <= 1: // no store takes such an append
			return events, to, nil
		}
		short, offsets = offsets, min(2*offsets, offsets+(long-offsets)/2)
	}
}

// groupsOf yields the positions and append groups of events.
func groupsOf(events []event) iter.Seq2[contract.Position, uuid.UUID] {
	return func(yield func(contract.Position, uuid.UUID) bool) {
		for i := range events {
			if !yield(events[i].Position, events[i].group) {
				return
			}
		}
	}
}

// checkLeaves refuses an event that is too large. Event.Validate keeps such an event out of every
// log.
func checkLeaves(events []event) error {
	for i := range events {
		if ev := &events[i]; len(ev.Leaf) > contract.MaxLeaf {
			return fmt.Errorf("position %s: %w: %d bytes", ev.Position, ErrTooLarge, len(ev.Leaf))
		}
	}
	return nil
}

// newBatch returns a batch of events, which are all events of the log from at to to. Its edge is
// missing.
func newBatch(
	at tip, to contract.Cursor, events []event, times stamp, offenders []offender,
) *batch {
	from := append(contract.Cursor{}, at.to...) // the beginning is [], not null
	return &batch{
		header: header{
			Number: at.number + 1, Previous: at.previous,
			From: from, To: to, Events: int64(len(events)), Simulated: times.simulated,
			Sealed: times.sealed, Frontier: times.frontier, Offenders: offenders,
			Runs: runsOf(events),
		},
		events: events,
	}
}

// archive makes b, its records and its tiles durable, and continues after it. If another sealer was
// first, it continues after that sealer's batch.
func (s *sealer) archive(ctx context.Context, b *batch) error {
	if size := len(b.header.leaf()); size > contract.MaxLeaf {
		return fmt.Errorf("the header of batch %d: %w: %d bytes", b.Number, ErrTooLarge, size)
	}
	tiles := s.tiles.clone()
	made := b.grow(tiles)
	b.edge = tiles.edge.clone()
	signed, err := b.sign(s.signers()...)
	if err != nil {
		return fmt.Errorf("signing batch %d: %w", b.Number, err)
	}
	err = put(ctx, s.Archive, batchSlot(b.Number), signed, s.openBatch)
	switch {
	case errors.Is(err, ErrExists):
		// Another sealer was first, or an earlier one crashed before its checkpoint.
		tiles = s.tiles.clone()
		if b, made, err = s.adopt(ctx, tiles); err != nil {
			return err
		}
	case err != nil:
		// The batch may be archived in spite of the error. The next Seal finds out.
		return err
	}
	// A crash here leaves a batch without its records and tiles. The sealer that adopts it writes
	// them.
	if err := errors.Join(s.putRecords(ctx, b), s.putTiles(ctx, made)); err != nil {
		return err
	}
	s.offenders = append(s.offenders,
		s.judge.named(b.Offenders, b.events, s.at.size, s.at.frontier, b.Sealed)...)
	s.judge.advance(b.events, s.at.frontier, b.Sealed)
	s.at, s.tiles = b.end(), tiles
	s.end = s.end.Max(s.at.to) // another sealer's batch may end after the end that we know
	return nil
}

// putTiles writes tiles that are not there yet. Every sealer of a batch writes the same.
func (s *sealer) putTiles(ctx context.Context, made []object) error {
	return inParallel(len(made), func(i int) error {
		err := put(ctx, s.Archive, tileSlot(made[i].tile), made[i].data, s.same(made[i].data))
		if errors.Is(err, ErrExists) {
			return nil
		}
		return err
	})
}

// same returns an opener that accepts only an object with these bytes. It returns the name.
func (a *Auditor) same(want []byte) opener[string] {
	return func(ctx context.Context, name string) (string, error) {
		data, err := a.Archive.Get(ctx, name)
		if err == nil && !bytes.Equal(data, want) {
			err = fmt.Errorf("%w: %s", errTile, differenceOf(data, want))
		}
		return name, a.opened(name, err)
	}
}

// differenceOf says where an object differs from the bytes that it should have.
func differenceOf(data, want []byte) string {
	at := 0
	for at < min(len(data), len(want)) && data[at] == want[at] {
		at++
	}
	switch at {
	case len(data):
		return fmt.Sprintf("it ends after %d of %d bytes", at, len(want))
	case len(want):
		return fmt.Sprintf("it goes on after its %d bytes, and has %d", at, len(data))
	}
	return fmt.Sprintf("it differs from byte %d on, and has %d of %d bytes", at, len(data),
		len(want))
}

// adopt returns the batch that is archived next, and its tiles. The log is append-only: reading the
// batch's range again gives the same leaves. If the edge differs, the batch is of another history,
// and nothing may be signed on top of it. The times and offenders are those of the sealer that was
// first.
func (s *sealer) adopt(ctx context.Context, tiles *tiler) (*batch, []object, error) {
	b, err := s.batch(ctx, s.at.number+1)
	if err != nil {
		return nil, nil, err
	}
	if err := s.at.continuedBy(b); err != nil {
		return nil, nil, fmt.Errorf("%w: %v", ErrForked, err)
	}
	end, err := s.logEnd(ctx, s.at)
	if err != nil {
		return nil, nil, err
	}
	if !end.Reaches(b.To) {
		return nil, nil, fmt.Errorf("%w: batch %d ends at %s, and the log at %s",
			ErrForked, b.Number, b.To, end)
	}
	if b.events, err = s.room.readWhole(ctx, s.Log, b.From, b.To); err != nil {
		return nil, nil, err
	}
	if err := checkLeaves(b.events); err != nil {
		return nil, nil, err
	}
	made := b.grow(tiles)
	if !slices.Equal(runsOf(b.events), b.Runs) || !tiles.edge.equal(b.edge) {
		return nil, nil, fmt.Errorf("%w: they differ in batch %d, from %s to %s",
			ErrForked, b.Number, b.From, b.To)
	}
	return b, made, nil
}

// signed returns the signed checkpoint of the tree that ends at a tip.
func (a *Auditor) signed(at tip) (c contract.Checkpoint, err error) {
	signed, err := sign(a.Origin, at.size, at.root(), a.signers()...)
	if err != nil {
		return c, fmt.Errorf("signing the checkpoint of size %d: %w", at.size, err)
	}
	// Check the signature BEFORE the object is locked: a signer that does not match the verifier
	// would spoil the archive.
	c, err = OpenCheckpoint(signed, a.Origin, a.Verifier)
	if err != nil {
		return c, fmt.Errorf("the new checkpoint does not verify: %w", err)
	}
	c.End = at.to
	return c, nil
}

// publish archives a checkpoint.
func (a *Auditor) publish(ctx context.Context, c contract.Checkpoint) error {
	err := put(ctx, a.Archive, checkpointSlot(c.Size), c.Note, a.Archived)
	// A crash here is the same as success if the object is there, and so is an error: the next Seal
	// starts from this checkpoint.
	if errors.Is(err, ErrExists) {
		err = a.sameTree(ctx, c)
	}
	return err
}

// sameTree fails if the archived checkpoint of our size has another root than ours.
func (a *Auditor) sameTree(ctx context.Context, ours contract.Checkpoint) error {
	theirs, err := a.Published(ctx, ours.Size)
	if errors.Is(err, ErrCheckpoint) {
		return fmt.Errorf("%w: %v", ErrArchive, err)
	}
	if err == nil && theirs.Root != ours.Root {
		err = fmt.Errorf("%w: two checkpoints of size %d were signed", ErrForked, ours.Size)
	}
	return err
}
