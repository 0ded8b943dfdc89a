package audit

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/mod/sumdb/tlog"

	"example.com/blotter/labs/kit/contract"
)

// Verify is contract.Auditor.Verify. An error means that log or archive could not be read, and says nothing about
// either; what does not agree is the Verification's Fault.
func (a *Auditor) Verify(ctx context.Context) (contract.Verification, error) {
	return a.VerifySince(ctx, nil)
}

// VerifySince is Verify by somebody who kept a signed checkpoint from earlier. An archive that was rolled back to before it, or
// rewritten by who holds the key, passes Verify; it does not pass this. Options.Known counts as well.
func (a *Auditor) VerifySince(ctx context.Context, known []byte) (contract.Verification, error) {
	points, fault, err := a.points(ctx, known)
	if err != nil {
		return contract.Verification{}, err
	}
	// Asked for after the archive was read: see Seal.
	end, err := a.Log.End(ctx)
	if err != nil {
		return contract.Verification{}, fmt.Errorf("asking where the log ends: %w", err)
	}
	v := &verifier{Auditor: a, end: end, versions: map[string]int64{}}
	v.found.Checkpoint = a.nothing()
	if len(points) > 0 {
		v.found.Checkpoint = points[len(points)-1]
	}
	if v.found.Fault = fault; fault != nil {
		return v.found, nil
	}
	if err := v.sealed(ctx, points); err != nil {
		return contract.Verification{}, err
	}
	if v.found.Fault != nil {
		return v.found, nil
	}
	return v.found, v.unanchored(ctx)
}

// points is every signed checkpoint, by size, the known ones among them.
func (a *Auditor) points(ctx context.Context, known []byte) ([]contract.Checkpoint, *contract.Fault, error) {
	names, err := a.Archive.List(ctx, checkpoints)
	if err != nil {
		return nil, nil, err
	}
	var points []contract.Checkpoint
	for _, name := range names {
		c, err := a.checkpoint(ctx, name)
		if errors.Is(err, ErrCheckpoint) {
			return points, general("%v", err), nil
		}
		if err != nil {
			return nil, nil, err
		}
		points = append(points, c)
	}
	for _, kept := range [][]byte{a.Known, known} {
		if kept == nil {
			continue
		}
		var fault *contract.Fault
		if points, fault, err = a.with(points, kept); err != nil || fault != nil {
			return points, fault, err
		}
	}
	return points, nil, nil
}

// with is points and one that was kept, which must not be past them all.
func (a *Auditor) with(points []contract.Checkpoint, kept []byte) ([]contract.Checkpoint, *contract.Fault, error) {
	k, err := OpenCheckpoint(kept, a.Origin, a.Verifier)
	if err != nil {
		return nil, nil, fmt.Errorf("the checkpoint you kept: %w", err)
	}
	var last int64
	if len(points) > 0 {
		last = points[len(points)-1].Size
	}
	if k.Size > last {
		return points, general("the archive was rolled back: its last checkpoint is of size %d, and one of size %d was published", last, k.Size), nil
	}
	// Behind its equal in size, if there is one: that one is the archive's own, and is held against the archive first.
	at, _ := slices.BinarySearchFunc(points, k.Size+1, func(c contract.Checkpoint, size int64) int { return cmp.Compare(c.Size, size) })
	return slices.Insert(points, at, k), nil, nil
}

// general is a fault that concerns no single event.
func general(format string, args ...any) *contract.Fault {
	return &contract.Fault{Leaf: -1, What: fmt.Sprintf(format, args...)}
}

// A verifier goes once through the archive and the log beside it.
type verifier struct {
	*Auditor
	end      contract.Cursor // of the log
	at       head
	versions map[string]int64 // the last one seen of each stream
	found    contract.Verification
	differs  *contract.Fault // where log and archive first differ; whose fault it is shows at the next checkpoint
}

// sealed holds the archive against the checkpoints, and the log against the archive.
//
// Where log and archive differ at a leaf, either may have been changed. So it goes on to the next checkpoint: if the
// archived leaves lead to the signed root, the log is wrong, and otherwise the archive. That each checkpoint is met on the way to
// the last makes each a prefix of it (L5.I4), with no need for a consistency proof.
func (v *verifier) sealed(ctx context.Context, points []contract.Checkpoint) error {
	for _, c := range points {
		from := v.at.number + 1
		for v.at.size < c.Size {
			if err := v.batch(ctx); err != nil || v.found.Fault != nil {
				return err
			}
		}
		if v.at.size != c.Size || v.at.root() != tlog.Hash(c.Root) {
			v.found.Fault = v.notSigned(c, from)
			return nil
		}
		if v.differs != nil {
			v.found.Fault = v.differs
			return nil
		}
	}
	if len(points) > 0 {
		v.found.Checkpoint.End = v.at.to
	}
	if !v.end.Reaches(v.at.to) {
		// No event is lost, or it would have been missed. But the next ones would come to stand where the tree says there are none.
		v.found.Fault = general("tail cut: the log ends at %s, and is sealed up to %s", v.end, v.at.to)
	}
	return nil
}

// notSigned is the fault of an archive whose batches since the last checkpoint do not lead to this one.
func (v *verifier) notSigned(c contract.Checkpoint, from int64) *contract.Fault {
	what := fmt.Sprintf("the archive was changed: its batches %d to %d do not lead to the signed root of checkpoint %d", from, v.at.number, c.Size)
	if from > v.at.number {
		what = fmt.Sprintf("two histories were signed: checkpoint %d is not a prefix of the archive, nor the archive of it", c.Size)
	}
	return v.damaged("%s", what)
}

// damaged is a fault of the archive, with the first place where it differs from the log, if it does anywhere so far.
func (v *verifier) damaged(format string, args ...any) *contract.Fault {
	fault := general(format, args...)
	if v.differs != nil {
		fault.Position, fault.Leaf = v.differs.Position, v.differs.Leaf
		fault.What += "; and here it differs from the log"
	}
	return fault
}

// batch takes the next one.
func (v *verifier) batch(ctx context.Context) error {
	b, err := v.get(ctx, v.at.size)
	switch {
	case errors.Is(err, ErrAbsent):
		v.found.Fault = v.damaged("batch %d is gone from the archive: %v", v.at.number+1, err)
		return nil
	case errors.Is(err, errBatch):
		v.found.Fault = v.damaged("the archive was changed: %v", err)
		return nil
	case err != nil:
		return err
	}
	next, err := v.at.follow(b)
	if err != nil {
		v.found.Fault = v.damaged("the archive was changed: %v", err)
		return nil
	}
	if v.differs == nil {
		if err := v.compare(ctx, b); err != nil {
			return err
		}
	}
	v.at = next
	v.found.Batches++
	return nil
}

// compare reads a batch's range of the log again and holds it against the archived leaves, one for one.
func (v *verifier) compare(ctx context.Context, b *batch) error {
	// A log that was cut is not asked for what lies past its end.
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
		leaf := b.first.size + int64(i)
		if found == nil && damaged != nil && order(damaged.Position, sealed.Position) <= 0 {
			break
		}
		v.differs, err = v.explain(ctx, leaf, sealed, found)
		if err != nil || v.differs != nil {
			return err
		}
		if v.differs = v.dense(*found, leaf); v.differs != nil {
			return nil
		}
		v.found.Sealed++
	}
	if damaged != nil {
		v.differs = broken(damaged, b)
	}
	return nil
}

// broken is the fault of a place at which the log cannot be read. The leaf is that of what was sealed there.
func broken(damaged *contract.DamagedError, b *batch) *contract.Fault {
	at := damaged.Position
	for i, sealed := range b.events {
		if sealed.Position == at {
			return &contract.Fault{Position: at, Leaf: b.first.size + int64(i), What: "damaged log: " + damaged.What}
		}
	}
	return &contract.Fault{Position: at, Leaf: -1, What: fmt.Sprintf("position %s: damaged log: %s", at, damaged.What)}
}

// dense says whether ev has the version that follows the last one of its stream.
func (v *verifier) dense(ev event, leaf int64) *contract.Fault {
	last := v.versions[ev.stream]
	if ev.version != last+1 {
		what := fmt.Sprintf("versions are not dense: stream %s goes from %d to %d", ev.stream, last, ev.version)
		return &contract.Fault{Position: ev.Position, Leaf: leaf, What: what}
	}
	v.versions[ev.stream] = ev.version
	return nil
}

// unanchored counts what lies past the last checkpoint. Nothing vouches for it, but a hole in a stream shows all the same.
func (v *verifier) unanchored(ctx context.Context) error {
	for from := v.at.to; !from.Reaches(v.end); {
		to := from.Step(v.end, v.Batch)
		events, damaged, err := readable(ctx, v.Log, from, to)
		if err != nil {
			return err
		}
		for _, ev := range events {
			v.found.Unanchored++
			if fault := v.dense(ev, -1); fault != nil {
				v.unsealed(fault.Position, fault.What)
			}
		}
		if damaged != nil { // nothing behind it can be counted
			v.unsealed(damaged.Position, "damaged log: "+damaged.What)
			return nil
		}
		from = to
	}
	return nil
}

// unsealed takes a fault past the last checkpoint, if it is the first.
func (v *verifier) unsealed(at contract.Position, what string) {
	if v.found.Fault == nil {
		v.found.Fault = &contract.Fault{Position: at, Leaf: -1, What: fmt.Sprintf("position %s (unanchored): %s", at, what)}
	}
}
