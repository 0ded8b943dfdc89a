package audit

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"example.com/blotter/labs/kit/contract"
)

// Verify implements contract.Auditor. An error means that the log or the archive could not be read.
// A difference between them is no error: it is the Verification's Fault.
//
// Its memory does not grow with the events: it holds one batch at a time. It grows with the
// streams, by the last version of each, and with the archive, by the name of each object that it
// opened: about one name for 128 leaves.
func (a *Auditor) Verify(ctx context.Context) (contract.Verification, error) {
	return a.verify(ctx, nil)
}

// VerifySince verifies only the batches after a signed checkpoint that was kept outside the
// archive: its cost is that of the events sealed since then, and of those past the last checkpoint.
// It finds an archive that was rolled back to before that checkpoint, and one that was rewritten
// with the signer key. Verify alone cannot find these, unless the checkpoint is Options.Known.
// VerifySince does not read the log or the archive before the checkpoint, it looks for no foreign
// objects, and the first later version of each stream may be any. Verify checks these.
func (a *Auditor) VerifySince(ctx context.Context, kept []byte) (contract.Verification, error) {
	return a.verify(ctx, kept)
}

func (a *Auditor) verify(ctx context.Context, since []byte) (contract.Verification, error) {
	v := &verifier{
		Auditor: a, tiles: new(tiler), versions: map[string]*int64{}, seen: map[string]bool{},
	}
	from, checkpoints, err := v.checkpoints(ctx, since)
	if err != nil {
		return contract.Verification{}, err
	}
	// Ask for the end AFTER reading the archive: see Seal.
	if v.end, err = a.Log.End(ctx); err != nil {
		return contract.Verification{}, fmt.Errorf("asking for the end of the log: %w", err)
	}
	if v.timeline, err = a.Log.Timeline(ctx); err != nil {
		return contract.Verification{}, fmt.Errorf("asking for the log's timeline: %w", err)
	}
	v.judge = newJudge(v.timeline)
	v.result.Checkpoint = a.emptyCheckpoint()
	if len(checkpoints) > 0 {
		v.result.Checkpoint = checkpoints[len(checkpoints)-1]
	}
	for _, step := range []func() error{
		func() error { return v.startAt(ctx, from) },
		func() error { return v.sealedPart(ctx, checkpoints) },
		func() error { return v.unanchoredPart(ctx) },
		func() error { return v.nameForeign(ctx) }, // after a fault, its error would hide that
	} {
		if err := step(); err != nil {
			return contract.Verification{}, err
		}
		if v.result.Fault != nil {
			break
		}
	}
	return v.result, nil
}

// startAt begins with the tree of a checkpoint that was verified before.
func (v *verifier) startAt(ctx context.Context, from contract.Checkpoint) error {
	if v.since = from.Size; from.Size == 0 || v.result.Fault != nil {
		return nil
	}
	b, err := v.under(ctx, from)
	if err == nil {
		v.at = b.end()
		v.tiles, err = v.resume(ctx, b, v.judge)
	}
	if isForeign(err) || errors.Is(err, ErrAbsent) {
		v.result.Fault = v.withNotes(from, generalFault("two histories were signed, or the "+
			"archive was changed: it does not have the tree of the signed checkpoint %d: %v",
			from.Size, err))
		return nil
	}
	v.result.Since = from.Size
	return err
}

// nameForeign tells Options.Foreign of all objects of the archive that are not the log's. Those
// that a crashed sealer left after the last checkpoint are not foreign.
func (v *verifier) nameForeign(ctx context.Context) error {
	if v.Foreign == nil || v.since > 0 {
		return nil
	}
	names, err := v.Archive.List(ctx, "")
	if err != nil {
		return err
	}
	notes := map[string]error{} // cross-signed notes that count for nothing
	_, err = Signers(ctx, v.Archive, v.Verifier, func(name string, why error) { notes[name] = why })
	if err != nil {
		return err
	}
	for _, name := range names {
		if v.seen[name] {
			continue
		}
		s, _, ok := slotOf(name)
		tile, isTile := parseTile(string(s))
		switch {
		case name == lastCheckpoint || strings.HasPrefix(name, checkpointNames):
			// all checkpoints were read, and nobody trusts the copy
		case strings.HasPrefix(name, signerNames):
			_ = v.opened(name, notes[name])
		case ok && strings.HasPrefix(name, cosignatureNames):
			if err := v.checkCosigned(ctx, name); err != nil {
				return err
			}
		case ok && isTile:
			if tileAt(tile.L, tile.N, v.at.size).W >= tile.W {
				_ = v.opened(name, errTile) // compareTiles opened all others
			}
		case ok && strings.HasPrefix(name, recordNames):
			if s <= recordsSlot(v.at.number) {
				_ = v.opened(name, errRecords) // compareRecords opened all others
			}
		case ok:
			if _, err := v.openBatch(ctx, name); err != nil && !isForeign(err) {
				return err
			}
		default:
			_ = v.opened(name, errName) // tells of it
		}
	}
	return nil
}

// checkpoints returns the signed checkpoints by size: those of the archive and the kept ones. One
// that lies in the archive with a cosignature is a kept one, too: it was published before. since
// is nil, or the checkpoint from which to begin: it is opened and returned, and smaller ones are
// left out. A rolled back archive is the result's fault.
func (v *verifier) checkpoints(ctx context.Context, since []byte) (
	from contract.Checkpoint, all []contract.Checkpoint, err error) {
	after := ""
	if since != nil {
		if from, err = OpenCheckpoint(since, v.Origin, v.Verifier); err != nil {
			return from, nil, fmt.Errorf("the kept checkpoint: %w", err)
		}
		after = string(checkpointSlot(from.Size - 1))
	}
	// Read these BEFORE the checkpoints: a sealer publishes a checkpoint before it is copied or
	// cosigned.
	copied, err := v.copied(ctx)
	if err != nil {
		return from, nil, err
	}
	cosigned, err := v.cosignedFrom(ctx, from.Size)
	if err != nil {
		return from, nil, err
	}
	if all, err = v.archived(ctx, after); err != nil {
		return from, nil, err
	}
	if len(all) == 0 && since != nil { // it was rolled back: how far?
		last, err := v.last(ctx)
		if all = []contract.Checkpoint{last}; err != nil {
			return from, nil, err
		}
	}
	v.signed = slices.Clone(all)
	keptNotes := [][]byte{v.Known, since}
	if last := v.evidence(); len(all) == 0 && last.Size > 0 {
		keptNotes = append(keptNotes, last.Note)
	}
	if copied.Size > 0 && copied.Size >= from.Size {
		cosigned = append(cosigned, copied)
	}
	for _, c := range cosigned {
		isC := func(own contract.Checkpoint) bool { return sameTree(own, c) }
		if !slices.ContainsFunc(all, isC) {
			keptNotes = append(keptNotes, c.Note)
		}
	}
	for _, signed := range keptNotes {
		if signed == nil {
			continue
		}
		kept, err := OpenCheckpoint(signed, v.Origin, v.Verifier)
		if err != nil {
			return from, nil, fmt.Errorf("the kept checkpoint: %w", err)
		}
		if all = v.insertKept(all, kept); v.result.Fault != nil {
			return from, all, nil
		}
	}
	all = slices.DeleteFunc(all, func(c contract.Checkpoint) bool { return c.Size < from.Size })
	return from, all, nil
}

// archived returns the log's checkpoints in the archive after a name, by size.
func (v *verifier) archived(ctx context.Context, after string) (
	[]contract.Checkpoint, error) {
	names, err := v.Archive.ListAfter(ctx, checkpointNames, after)
	if err != nil {
		return nil, err
	}
	all, foreign := make([]contract.Checkpoint, len(names)), make([]error, len(names))
	err = inParallel(len(names), func(i int) (err error) {
		if all[i], err = v.Archived(ctx, names[i]); isForeign(err) {
			all[i], foreign[i], err = contract.Checkpoint{}, err, nil
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	v.passedOver = map[slot]error{}
	for i, name := range names {
		if s, _, _ := slotOf(name); foreign[i] != nil && v.passedOver[s] == nil {
			v.passedOver[s] = foreign[i]
		}
	}
	all = slices.DeleteFunc(all, func(c contract.Checkpoint) bool { return c.Size == 0 })
	if len(all) == 0 {
		return nil, otherKey(foreign)
	}
	return all, nil
}

// insertKept adds a kept checkpoint to those of the archive. A kept checkpoint that is larger than
// all of them is a fault: the archive has lost it.
func (v *verifier) insertKept(
	all []contract.Checkpoint, kept contract.Checkpoint,
) []contract.Checkpoint {
	var last int64
	if len(all) > 0 {
		last = all[len(all)-1].Size
	}
	if kept.Size > last {
		why := ""
		if err := v.passedOver[checkpointSlot(kept.Size)]; err != nil {
			why = fmt.Sprintf(": %v", err)
		}
		v.result.Fault = v.withNotes(kept, generalFault("the archive was rolled back: its last "+
			"checkpoint has size %d, and a checkpoint of size %d was published%s", last, kept.Size,
			why))
		return all
	}
	// The kept checkpoint comes after the archive's own checkpoint of the same size, so that the
	// archive is compared with its own checkpoint first.
	at, _ := slices.BinarySearchFunc(all, kept.Size+1, func(c contract.Checkpoint, size int64) int {
		return cmp.Compare(c.Size, size)
	})
	return slices.Insert(all, at, kept)
}

// A verifier does again what the sealers did, from the log, and compares: each batch with its edge,
// each tile with the object in the archive, each root with its checkpoint. It reads the log and the
// archive once. Only if log and edge differ does it read the archived leaves on their own.
type verifier struct {
	*Auditor
	since    int64
	end      contract.Cursor   // of the log
	timeline contract.Timeline // according to the log
	judge    *judge
	room     room // of the batch in work
	at       tip
	tiles    *tiler                // of the tree up to at
	signed   []contract.Checkpoint // of the archive, those that were read

	passedOver map[slot]error // foreign checkpoints: the first of each slot

	cosigned map[string]bool   // folders of cosignatures
	versions map[string]*int64 // the last version seen of each stream
	result   contract.Verification
	// differs is the first difference between log and archive. The next checkpoint shows which of
	// the two was changed.
	differs  *contract.Fault
	disposed map[int64]bool // batches without records, when Options.Disposed was last asked

	mu   sync.Mutex
	seen map[string]bool // the log's batches, and the tiles and foreign tiles that were opened
}

// sealedPart compares the archive with its checkpoints, and the log with the archive.
//
// If log and archive differ at a leaf, either of them may have been changed. The verifier then goes
// on to the next checkpoint. If the archived leaves give the signed root, the log was changed;
// otherwise the archive was changed. The verifier meets every checkpoint on its way to the last
// one, so each is a prefix of the last one (L5.I4), and no consistency proof is needed.
func (v *verifier) sealedPart(ctx context.Context, checkpoints []contract.Checkpoint) error {
	for _, c := range checkpoints {
		from := v.at.number + 1
		for v.at.size < c.Size {
			if err := v.nextBatch(ctx); err != nil || v.result.Fault != nil {
				return err
			}
		}
		if v.at.size != c.Size || v.at.root() != tlog.Hash(c.Root) {
			v.result.Fault = v.wrongRoot(c, from)
			return nil
		}
		if v.differs != nil {
			v.result.Fault = v.differs
			return nil
		}
		if fault, err := v.sealedLater(ctx, c); err != nil || fault != nil {
			v.result.Fault = fault
			return err
		}
	}
	if len(checkpoints) > 0 {
		v.result.Checkpoint.End = v.at.to
	}
	if !v.end.Reaches(v.at.to) {
		// No event is lost: a lost event would be a difference. But the next events would get
		// positions where, by the tree, the log has none.
		v.result.Fault = generalFault("tail cut: the log ends at %s, and is sealed up to %s",
			v.end, v.at.to)
	}
	return nil
}

// nextBatch checks the next batch of the archive, and compares the log with it.
func (v *verifier) nextBatch(ctx context.Context) error {
	b, err := v.batch(ctx, v.at.number+1)
	switch {
	case errors.Is(err, ErrAbsent):
		v.result.Fault = v.archiveFault("batch %d is missing from the archive: %v",
			v.at.number+1, err)
		return nil
	case isForeign(err):
		v.result.Fault = v.archiveFault("the archive was changed: %v", err)
		return nil
	case err != nil:
		return err
	}
	if err := v.at.continuedBy(b); err != nil {
		v.result.Fault = v.archiveFault("the archive was changed: %v", err)
		return nil
	}
	v.seen[b.object] = true
	if v.differs == nil && b.Simulated != v.timeline.Simulated {
		v.differs = generalFault("changed timeline: the log was sealed as %s, "+
			"and says now that it is %s", timesOf(b.Simulated), timesOf(v.timeline.Simulated))
	}
	if err := v.compare(ctx, b); err != nil || v.result.Fault != nil {
		return err
	}
	v.note(b.events, v.at.size, b.Sealed)
	v.at = b.end()
	v.result.Batches++
	return nil
}

// compare reads a batch's range of the log again, and compares it with the batch. Log and batch
// agree if the leaves of the log, and the header, give the edge of the batch; then the tiles in the
// archive must be those of these leaves. compare leaves the sealed events in b.
func (v *verifier) compare(ctx context.Context, b *batch) error {
	before := v.tiles.clone()
	var found []event
	var damaged *contract.DamagedError
	var err error
	if v.differs == nil { // do not read past the end of a log that was cut
		found, damaged, err = v.room.readable(ctx, v.Log, b.From.Min(v.end), b.To.Min(v.end))
	}
	if err != nil {
		return err
	}
	b.events = found
	if slices.Equal(runsOf(b.events), b.Runs) {
		made := b.grow(v.tiles)
		if v.tiles.edge.equal(b.edge) {
			v.take(found, b)
			if err := v.compareRecords(ctx, b); err != nil || v.result.Fault != nil {
				return err
			}
			return v.compareTiles(ctx, made)
		}
	}
	v.tiles = before
	if err := v.sealedEvents(ctx, b); err != nil || v.result.Fault != nil || v.differs != nil {
		return err
	}
	return v.differ(ctx, b, found, damaged)
}

// take counts events of the log that agree with the batch, and checks their versions.
func (v *verifier) take(found []event, b *batch) {
	for i := range found {
		if v.differs = v.wrongVersion(&found[i], b.first()+int64(i)); v.differs != nil {
			return
		}
		v.result.Sealed++
	}
}

// compareRecords checks that the archive has the records of a batch that agrees with the log.
func (v *verifier) compareRecords(ctx context.Context, b *batch) error {
	_, missing := v.records(ctx, b, func(name string) { v.seen[name] = true })
	if !isForeign(missing) && !errors.Is(missing, ErrAbsent) {
		return missing
	}
	gone, err := v.isDisposed(ctx, b.Number)
	if err == nil && !gone {
		v.result.Fault = generalFault("the archive was changed: %v", missing)
	}
	return err
}

// isDisposed reports whether the records of a batch were removed when their retention ended. It
// asks again where the last answer lacks the batch: a disposal may run at the same time.
func (v *verifier) isDisposed(ctx context.Context, batch int64) (bool, error) {
	if v.Disposed == nil || v.disposed[batch] {
		return v.disposed[batch], nil
	}
	var err error
	v.disposed, err = v.Disposed(ctx)
	return v.disposed[batch], err
}

// compareTiles compares tiles with those in the archive. They are the tiles of a batch that agrees
// with the log, so a difference is a fault of the archive.
func (v *verifier) compareTiles(ctx context.Context, made []object) error {
	err := inParallel(len(made), func(i int) error {
		s := tileSlot(made[i].tile)
		same := v.same(made[i].data)
		_, err := find(ctx, v.Archive, s, func(ctx context.Context, name string) (string, error) {
			v.mu.Lock()
			v.seen[name] = true
			v.mu.Unlock()
			return same(ctx, name)
		})
		if isForeign(err) || errors.Is(err, ErrAbsent) {
			return generalFault("the archive was changed: %v", err)
		}
		return err
	})
	if fault := new(contract.Fault); errors.As(err, &fault) {
		v.result.Fault = fault
		return nil
	}
	return err
}

// sealedEvents reads the events of b in the archive, where they must continue the tree.
func (v *verifier) sealedEvents(ctx context.Context, b *batch) (err error) {
	b.events, err = v.tree(b.edge).events(ctx, b)
	if isForeign(err) || errors.Is(err, ErrAbsent) {
		v.result.Fault = v.archiveFault("the archive was changed: batch %d: %v", b.Number, err)
		return nil
	}
	if err != nil {
		return err
	}
	b.grow(v.tiles)
	if !v.tiles.edge.equal(b.edge) {
		v.result.Fault = v.archiveFault("the archive was changed: "+
			"batch %d does not continue the tree of the batches before it", b.Number)
	}
	return nil
}

// note names the offenders among events: those of a batch whose first leaf has the index first, or
// unanchored ones (-1). It does not use the lists of the headers, which know less.
func (v *verifier) note(events []event, first int64, sealed time.Time) {
	found := v.judge.advance(events, v.at.frontier, sealed)
	if first < 0 { // without a sealing time, a time far ahead would accuse the events after it
		found = slices.DeleteFunc(found, func(o offender) bool { return o.Rule != backdated })
	}
	v.result.Offenders = append(v.result.Offenders,
		v.judge.named(found, events, first, v.at.frontier, sealed)...)
}

// differ finds the first difference between a batch and the events of the log.
func (v *verifier) differ(
	ctx context.Context, b *batch, events []event, damaged *contract.DamagedError,
) (err error) {
	for i := range max(len(b.events), len(events)) {
		var sealed, found *event
		if i < len(b.events) {
			sealed = &b.events[i]
		}
		if i < len(events) {
			found = &events[i]
		}
		if found == nil && damaged != nil && order(damaged.Position, sealed.Position) <= 0 {
			break
		}
		leaf := b.first() + int64(i)
		v.differs, err = v.difference(ctx, leaf, sealed, found)
		if err != nil || v.differs != nil {
			return err
		}
		if v.differs = v.wrongVersion(found, leaf); v.differs != nil {
			return nil
		}
		v.result.Sealed++
	}
	if damaged != nil {
		v.differs = damagedFault(damaged, b)
		return nil
	}
	v.result.Fault = v.archiveFault("the archive was changed: "+
		"batch %d does not give the signed edge", b.Number)
	return nil
}

// unanchoredPart counts the events past the last checkpoint. No signature covers them, but a wrong
// version in a stream is still found.
func (v *verifier) unanchoredPart(ctx context.Context) error {
	for from := v.at.to; !from.Reaches(v.end); {
		to := from.Step(v.end, v.Batch)
		events, damaged, err := v.room.readable(ctx, v.Log, from, to)
		if err != nil {
			return err
		}
		for i := range events {
			v.result.Unanchored++
			if fault := v.wrongVersion(&events[i], -1); fault != nil {
				v.unanchoredFault(fault.Position, fault.What)
			}
		}
		v.note(events, -1, time.Time{})
		if damaged != nil { // the events after it cannot be counted
			v.unanchoredFault(damaged.Position, "damaged log: "+damaged.What)
			return nil
		}
		from = to
	}
	return nil
}
