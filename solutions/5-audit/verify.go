package audit

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"example.com/blotter/labs/kit/contract"
)

// Verify implements contract.Auditor. An error means that the log or the archive could not be read.
// A difference between them is no error: it is the Verification's Fault.
func (a *Auditor) Verify(ctx context.Context) (contract.Verification, error) {
	return a.VerifySince(ctx, nil)
}

// VerifySince is Verify with a signed checkpoint that was kept outside the archive. It also finds
// an archive that was rolled back to before that checkpoint, and one that was rewritten with the
// signer key. Verify alone cannot find these. Options.Known counts as a kept checkpoint as well.
func (a *Auditor) VerifySince(ctx context.Context, kept []byte) (contract.Verification, error) {
	read := map[string]bool{}
	v, err := a.verify(ctx, kept, read)
	if err != nil {
		return contract.Verification{}, err
	}
	if v.Fault != nil { // an error of openRest would hide it
		return v, nil
	}
	return v, a.openRest(ctx, read)
}

// openRest opens the objects of the archive that were not read, so that Options.Foreign is told of
// all foreign ones. All checkpoints were read.
func (a *Auditor) openRest(ctx context.Context, read map[string]bool) error {
	names, err := a.Archive.List(ctx, "")
	if err != nil {
		return err
	}
	for _, name := range names {
		if read[name] || strings.HasPrefix(name, checkpointNames) {
			continue
		}
		if _, err := a.openBatch(ctx, name); err != nil && !isForeign(err) {
			return err
		}
	}
	return nil
}

// verify notes in read which batches of the archive it read.
func (a *Auditor) verify(
	ctx context.Context, kept []byte, read map[string]bool,
) (contract.Verification, error) {
	checkpoints, fault, err := a.checkpoints(ctx, kept)
	if err != nil {
		return contract.Verification{}, err
	}
	// Ask for the end AFTER reading the archive: see Seal.
	end, err := a.Log.End(ctx)
	if err != nil {
		return contract.Verification{}, fmt.Errorf("asking for the end of the log: %w", err)
	}
	timeline, err := a.Log.Timeline(ctx)
	if err != nil {
		return contract.Verification{}, fmt.Errorf("asking for the log's timeline: %w", err)
	}
	v := &verifier{
		Auditor: a, end: end, timeline: timeline, judge: newJudge(timeline),
		versions: map[string]int64{}, read: read,
	}
	v.result.Checkpoint = a.emptyCheckpoint()
	if len(checkpoints) > 0 {
		v.result.Checkpoint = checkpoints[len(checkpoints)-1]
	}
	if v.result.Fault = fault; fault != nil {
		return v.result, nil
	}
	if err := v.sealedPart(ctx, checkpoints); err != nil {
		return contract.Verification{}, err
	}
	if v.result.Fault != nil {
		return v.result, nil
	}
	return v.result, v.unanchoredPart(ctx)
}

// checkpoints returns all signed checkpoints by size: those of the archive and the kept ones.
func (a *Auditor) checkpoints(ctx context.Context, kept []byte) (
	[]contract.Checkpoint, *contract.Fault, error) {
	names, err := a.Archive.List(ctx, checkpointNames)
	if err != nil {
		return nil, nil, err
	}
	var all []contract.Checkpoint
	var foreign []error
	for _, name := range names {
		c, err := a.Archived(ctx, name)
		switch {
		case isForeign(err):
			foreign = append(foreign, err)
		case err != nil:
			return nil, nil, err
		default:
			all = append(all, c)
		}
	}
	if err := otherKey(foreign); len(all) == 0 && err != nil {
		return nil, nil, err
	}
	for _, signed := range [][]byte{a.Known, kept} {
		if signed == nil {
			continue
		}
		var fault *contract.Fault
		if all, fault, err = a.insertKept(all, signed); err != nil || fault != nil {
			return all, fault, err
		}
	}
	return all, nil, nil
}

// insertKept adds a kept checkpoint to those of the archive. A kept checkpoint that is larger than
// all of them is a fault: the archive has lost it.
func (a *Auditor) insertKept(all []contract.Checkpoint, signed []byte) (
	[]contract.Checkpoint, *contract.Fault, error) {
	kept, err := OpenCheckpoint(signed, a.Origin, a.Verifier)
	if err != nil {
		return nil, nil, fmt.Errorf("the kept checkpoint: %w", err)
	}
	var last int64
	if len(all) > 0 {
		last = all[len(all)-1].Size
	}
	if kept.Size > last {
		return all, generalFault("the archive was rolled back: its last checkpoint has size %d, "+
			"and a checkpoint of size %d was published", last, kept.Size), nil
	}
	// The kept checkpoint comes after the archive's own checkpoint of the same size, so that the
	// archive is compared with its own checkpoint first.
	at, _ := slices.BinarySearchFunc(all, kept.Size+1, func(c contract.Checkpoint, size int64) int {
		return cmp.Compare(c.Size, size)
	})
	return slices.Insert(all, at, kept), nil, nil
}

// A verifier reads the archive and the log once, side by side.
type verifier struct {
	*Auditor
	end      contract.Cursor   // of the log
	timeline contract.Timeline // according to the log
	judge    *judge
	at       tip
	versions map[string]int64 // the last version seen of each stream
	read     map[string]bool  // names of the batches that were read
	result   contract.Verification
	// differs is the first difference between log and archive. The next checkpoint shows which of
	// the two was changed.
	differs *contract.Fault
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
	b, err := v.batch(ctx, v.at.size)
	switch {
	case errors.Is(err, ErrAbsent):
		v.result.Fault = v.archiveFault("batch %d is missing from the archive: %v",
			v.at.number+1, err)
		return nil
	case errors.Is(err, errBatch):
		v.result.Fault = v.archiveFault("the archive was changed: %v", err)
		return nil
	case err != nil:
		return err
	}
	next, err := v.at.extend(b)
	if err != nil {
		v.result.Fault = v.archiveFault("the archive was changed: %v", err)
		return nil
	}
	if v.differs == nil && b.Simulated != v.timeline.Simulated {
		v.differs = generalFault("changed timeline: the log was sealed as %s, "+
			"and says now that it is %s", timesOf(b.Simulated), timesOf(v.timeline.Simulated))
	}
	if v.differs == nil {
		if err := v.compare(ctx, b); err != nil {
			return err
		}
	}
	v.read[b.object] = true
	v.note(b.events, v.at.size, b.Sealed)
	v.at = next
	v.result.Batches++
	return nil
}

// note names the offenders among events: those of a batch whose first leaf has the index first, or
// unanchored ones (-1). It does not use the lists of the headers, which know less.
func (v *verifier) note(events []entry, first int64, sealed time.Time) {
	found := v.judge.offenders(events, v.at.frontier, sealed)
	if first < 0 { // without a sealing time, a time far ahead would accuse the events after it
		found = slices.DeleteFunc(found, func(o offender) bool { return o.Rule != backdated })
	}
	v.result.Offenders = append(v.result.Offenders,
		v.judge.named(found, events, first, v.at.frontier, sealed)...)
	v.judge.advance(events, v.at.frontier, sealed)
}

// compare reads a batch's range of the log again and compares it with the archived leaves, one by
// one.
func (v *verifier) compare(ctx context.Context, b *batch) error {
	// Do not read past the end of a log that was cut.
	events, damaged, err := readable(ctx, v.Log, b.From.Min(v.end), b.To.Min(v.end))
	if err != nil {
		return err
	}
	for i := range max(len(b.events), len(events)) {
		var sealed *entry
		var found *event
		if i < len(b.events) {
			sealed = &b.events[i]
		}
		if i < len(events) {
			found = &events[i]
		}
		if found == nil && damaged != nil && order(damaged.Position, sealed.Position) <= 0 {
			break
		}
		leaf := b.first.size + int64(i)
		v.differs, err = v.difference(ctx, leaf, sealed, found)
		if err != nil || v.differs != nil {
			return err
		}
		if v.differs = v.wrongVersion(*found, leaf); v.differs != nil {
			return nil
		}
		v.result.Sealed++
	}
	if damaged != nil {
		v.differs = damagedFault(damaged, b)
	}
	return nil
}

// unanchoredPart counts the events past the last checkpoint. No signature covers them, but a wrong
// version in a stream is still found.
func (v *verifier) unanchoredPart(ctx context.Context) error {
	for from := v.at.to; !from.Reaches(v.end); {
		to := from.Step(v.end, v.Batch)
		events, damaged, err := readable(ctx, v.Log, from, to)
		if err != nil {
			return err
		}
		found := make([]entry, len(events))
		for i, ev := range events {
			found[i] = ev.entry
			v.result.Unanchored++
			if fault := v.wrongVersion(ev, -1); fault != nil {
				v.unanchoredFault(fault.Position, fault.What)
			}
		}
		v.note(found, -1, time.Time{})
		if damaged != nil { // the events after it cannot be counted
			v.unanchoredFault(damaged.Position, "damaged log: "+damaged.What)
			return nil
		}
		from = to
	}
	return nil
}
