package audit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"example.com/blotter/labs/kit/contract"
)

// The texts of faults are for auditors. Each begins with the kind of the fault.

func faultAt(at contract.Position, leaf int64, format string, args ...any) *contract.Fault {
	return &contract.Fault{Position: at, Leaf: leaf, What: fmt.Sprintf(format, args...)}
}

// generalFault is a fault that concerns no single event.
func generalFault(format string, args ...any) *contract.Fault {
	return faultAt(contract.Position{}, -1, format, args...)
}

// archiveFault is a fault of the archive. It has the position of the first difference between
// archive and log, if there is one up to here.
func (v *verifier) archiveFault(format string, args ...any) *contract.Fault {
	fault := generalFault(format, args...)
	if v.differs != nil {
		fault.Position, fault.Leaf = v.differs.Position, v.differs.Leaf
		fault.What += "; archive and log first differ at this position"
	}
	return fault
}

// wrongRoot is the fault of an archive whose batches do not give the root of a signed checkpoint.
// from is the number of the first batch after the checkpoint before.
func (v *verifier) wrongRoot(c contract.Checkpoint, from int64) *contract.Fault {
	if from > v.at.number {
		return v.withNotes(c, v.archiveFault("two histories were signed: "+
			"the archive does not match the signed checkpoint %d", c.Size))
	}
	return v.withNotes(c, v.archiveFault("the archive was changed: its batches %d to %d do not "+
		"match the signed checkpoint %d", from, v.at.number, c.Size))
}

// withNotes adds the evidence to a fault: signed checkpoint c, and the one of the archive that
// contradicts it. That is one of the same size with another root. If the archive does not have c,
// it is otherwise the archive's last one. An empty archive contradicts nothing.
func (v *verifier) withNotes(c contract.Checkpoint, fault *contract.Fault) *contract.Fault {
	lost := !slices.ContainsFunc(v.signed, func(own contract.Checkpoint) bool {
		return sameTree(own, c)
	})
	for _, own := range v.signed {
		fork := own.Size == c.Size && own.Root != c.Root
		if fork || lost && own.Size > 0 {
			fault.Notes = [][]byte{own.Note, c.Note}
		}
		if fork {
			break
		}
	}
	return fault
}

// damagedFault is the fault of a position at which the log cannot be read. Its leaf is the one that
// was sealed there.
func damagedFault(damaged *contract.DamagedError, b *batch) *contract.Fault {
	at := damaged.Position
	for i, sealed := range b.events {
		if sealed.Position == at {
			return faultAt(at, b.first()+int64(i), "damaged log: %s", damaged.What)
		}
	}
	return faultAt(at, -1, "position %s: damaged log: %s", at, damaged.What)
}

// unanchoredFault records a fault past the last checkpoint, if it is the first fault.
func (v *verifier) unanchoredFault(at contract.Position, what string) {
	if v.result.Fault == nil {
		v.result.Fault = faultAt(at, -1, "position %s (unanchored): %s", at, what)
	}
}

// wrongVersion returns a fault if the version of ev is not the next one of its stream. The first
// version after a kept checkpoint may be any.
func (v *verifier) wrongVersion(ev *event, leaf int64) *contract.Fault {
	last, seen := v.versions[ev.stream]
	if !seen {
		last = new(int64)
		v.versions[ev.stream] = last
	}
	if ev.version != *last+1 && (seen || v.since == 0) {
		return faultAt(ev.Position, leaf, "wrong version: "+
			"stream %s has version %d after version %d", ev.stream, ev.version, *last)
	}
	*last = ev.version
	return nil
}

// difference compares the sealed event of a leaf with the event that the log has; either may be
// nil. It returns nil if they agree. Both sides are in the order of leaves and agree up to here.
// Therefore, if their positions differ, the side with the later position lacks the event at the
// earlier one.
func (v *verifier) difference(ctx context.Context, leaf int64, sealed, found *event) (
	*contract.Fault, error) {
	if sealed != nil && found != nil && bytes.Equal(found.Leaf, sealed.Leaf) {
		if found.Position == sealed.Position {
			return nil, nil
		}
		return faultAt(sealed.Position, leaf,
			"moved event: the event was sealed here, and the log has it at %s", found.Position), nil
	}
	switch {
	case sealed == nil || found != nil && order(found.Position, sealed.Position) < 0:
		return faultAt(found.Position, -1, "position %s: extra event: "+
			"the log has event %s here, which was never sealed", found.Position, found.id), nil
	case found == nil || order(sealed.Position, found.Position) < 0:
		return faultAt(sealed.Position, leaf, "%s", v.missing(sealed.Position)), nil
	}
	what, err := v.replaced(ctx, sealed, found)
	if err != nil {
		return nil, err
	}
	return faultAt(sealed.Position, leaf, "%s", what), nil
}

// missing describes a sealed event that the log does not have. Either the event was removed, or the
// end of the log was cut off.
func (v *verifier) missing(at contract.Position) string {
	if end := v.end.At(at.Partition); end <= at.Offset {
		return fmt.Sprintf("tail cut: partition %d of the log ends at offset %d, "+
			"before this sealed event", at.Partition, end)
	}
	return missingEvent
}

const missingEvent = "missing event: the event that was sealed here is not in the log any more"

// replaced describes how the log came to have another event at a position than was sealed. It
// searches the whole archive and the whole log. This second pass happens only if there is a fault.
func (v *verifier) replaced(ctx context.Context, sealed, found *event) (string, error) {
	changed := differences(attributes(sealed.Leaf), attributes(found.Leaf))
	is := func(wanted []byte) matcher {
		return func(leaf []byte) bool { return bytes.Equal(leaf, wanted) }
	}
	origin, err := v.findSealed(ctx, is(found.Leaf))
	if err != nil {
		return "", err
	}
	now, err := v.findLogged(ctx, is(sealed.Leaf))
	if err != nil {
		return "", err
	}
	switch {
	case origin != nil && now != nil && *origin == *now:
		return fmt.Sprintf("swapped events: "+
			"the events sealed here and at %s changed places", *now), nil
	case origin != nil && now != nil:
		return fmt.Sprintf("reordered events: the log has the event sealed at %s here, "+
			"and the event sealed here at %s", *origin, *now), nil
	case origin != nil:
		return fmt.Sprintf("%s; "+
			"the event sealed at %s is in its place", missingEvent, *origin), nil
	case now != nil:
		return fmt.Sprintf("extra event: the log has event %s here, which was never sealed; "+
			"the event sealed here is at %s", found.id, *now), nil
	case onlyPayload(changed):
		return v.payloadChanged(ctx, changed)
	case len(changed) > 1 && slices.Contains(names(changed), "id"):
		return fmt.Sprintf("replaced event: the log has event %s here, which was never sealed; "+
			"the event sealed here is not in the log any more", found.id), nil
	}
	return "changed event: " + describe(changed), nil
}

func onlyPayload(changed []difference) bool {
	differ := names(changed)
	return slices.Equal(differ, []string{"payload"}) ||
		slices.Equal(differ, []string{"wire", "payload"})
}

// payloadChanged describes a changed payload. It may be the payload of another sealed event.
func (v *verifier) payloadChanged(ctx context.Context, changed []difference) (string, error) {
	payload := changed[len(changed)-1].found
	origin, err := v.findSealed(ctx, func(leaf []byte) bool {
		all := attributes(leaf)
		return len(all) > 0 && all[len(all)-1].Value == payload
	})
	if err != nil || origin == nil {
		return "changed event: " + describe(changed), err
	}
	return fmt.Sprintf("exchanged payload: "+
		"the event has the payload of the event sealed at %s", *origin), nil
}

type matcher func(leaf []byte) bool

// errStop ends a search.
var errStop = errors.New("stop")

// findSealed returns the position of the first archived event whose leaf matches, or nil.
func (v *verifier) findSealed(ctx context.Context, match matcher) (*contract.Position, error) {
	var found *contract.Position
	size := v.result.Checkpoint.Size
	err := v.Leaves(ctx, size, func(_ int64, at *contract.Position, leaf []byte) error {
		if at != nil && match(leaf) {
			found = at
			return errStop
		}
		return nil
	})
	if errors.Is(err, errStop) || errors.Is(err, ErrAbsent) || isForeign(err) {
		err = nil // nextBatch reports a damaged archive; here it only ends the search
	}
	return found, err
}

// findLogged returns the position of the first event of the log whose leaf matches, or nil.
func (v *verifier) findLogged(ctx context.Context, match matcher) (*contract.Position, error) {
	var damaged *contract.DamagedError
	for r, err := range v.Log.Read(ctx, nil, v.end) {
		if errors.As(err, &damaged) {
			break // the events after it cannot be read
		}
		if err != nil {
			return nil, fmt.Errorf("searching the log: %w", err)
		}
		if match(r.Leaf()) {
			return &r.Position, nil
		}
	}
	return nil, nil
}
