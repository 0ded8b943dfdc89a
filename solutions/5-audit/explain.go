package audit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"example.com/blotter/labs/kit/contract"
)

// explain says what is wrong where one event was sealed and one is found in the log, either of which may be missing (nil).
// Nil means that they agree. Both sides are in the order of leaves and agreed so far, so the earlier of two positions is
// the one the other side lacks.
func (v *verifier) explain(ctx context.Context, leaf int64, sealed *entry, found *event) (*contract.Fault, error) {
	if sealed != nil && found != nil && bytes.Equal(found.Leaf, sealed.Leaf) {
		if found.Position == sealed.Position {
			return nil, nil
		}
		what := fmt.Sprintf("moved event: the archive has it here, and the log at %s", found.Position)
		return &contract.Fault{Position: sealed.Position, Leaf: leaf, What: what}, nil
	}
	switch {
	case sealed == nil || found != nil && order(found.Position, sealed.Position) < 0:
		what := fmt.Sprintf("position %s: extra event: the log has one here that was never sealed, %s", found.Position, found.id)
		return &contract.Fault{Position: found.Position, Leaf: -1, What: what}, nil
	case found == nil || order(sealed.Position, found.Position) < 0:
		return &contract.Fault{Position: sealed.Position, Leaf: leaf, What: v.lost(sealed.Position)}, nil
	}
	what, err := v.replaced(ctx, sealed, found)
	if err != nil {
		return nil, err
	}
	return &contract.Fault{Position: sealed.Position, Leaf: leaf, What: what}, nil
}

// lost tells an event that was taken out from one that went with the end of the log.
func (v *verifier) lost(at contract.Position) string {
	if end := v.end.At(at.Partition); end <= at.Offset {
		return fmt.Sprintf("tail cut: partition %d of the log ends at %d, before this sealed event", at.Partition, end)
	}
	return "missing event: it was sealed here, and the log no longer has it"
}

// replaced says how it came that another leaf stands at a position than was sealed there. To tell it looks through all of
// the archive and the log, which costs a second pass, but only where there is a fault.
func (v *verifier) replaced(ctx context.Context, sealed *entry, found *event) (string, error) {
	was, is := attributes(sealed.Leaf), attributes(found.Leaf)
	changed := differences(was, is)
	home, err := v.sealedWhere(ctx, func(leaf []byte) bool { return bytes.Equal(leaf, found.Leaf) })
	if err != nil {
		return "", err
	}
	now, err := v.loggedWhere(ctx, func(leaf []byte) bool { return bytes.Equal(leaf, sealed.Leaf) })
	if err != nil {
		return "", err
	}
	switch {
	case home != nil && now != nil && *home == *now:
		return fmt.Sprintf("swapped events: this one and that of %s changed places", *now), nil
	case home != nil && now != nil:
		return fmt.Sprintf("reordered events: here stands the event sealed at %s, and the one sealed here stands at %s", *home, *now), nil
	case home != nil:
		return fmt.Sprintf("missing event: it was sealed here, and in its place stands the one sealed at %s", *home), nil
	case now != nil:
		return fmt.Sprintf("extra event: one that was never sealed stands here, %s, and the one sealed here stands at %s", found.id, *now), nil
	case slices.Equal(names(changed), []string{"payload"}), slices.Equal(names(changed), []string{"wire", "payload"}):
		return v.exchanged(ctx, changed)
	case len(changed) > 1 && slices.Contains(names(changed), "id"):
		return fmt.Sprintf("replaced event: one that was never sealed stands here, %s, and the one sealed here is gone", found.id), nil
	}
	return "changed event: " + describe(changed), nil
}

// exchanged tells a payload that was made up from one that is another event's.
func (v *verifier) exchanged(ctx context.Context, changed []difference) (string, error) {
	payload := changed[len(changed)-1].is
	owner, err := v.sealedWhere(ctx, func(leaf []byte) bool {
		all := attributes(leaf)
		return len(all) > 0 && all[len(all)-1].Value == payload
	})
	if err != nil || owner == nil {
		return "changed event: " + describe(changed), err
	}
	return fmt.Sprintf("payload exchanged: it is that of the event sealed at %s", *owner), nil
}

// errStop ends a search.
var errStop = errors.New("stop")

// sealedWhere is where the archive has the first leaf that is looked for, or nil.
func (v *verifier) sealedWhere(ctx context.Context, is func(leaf []byte) bool) (*contract.Position, error) {
	var at *contract.Position
	err := v.leaves(ctx, v.found.Checkpoint.Size, func(_ int64, e *entry, leaf []byte) error {
		if e != nil && is(leaf) {
			at = &e.Position
			return errStop
		}
		return nil
	})
	if errors.Is(err, errStop) || errors.Is(err, ErrAbsent) || errors.Is(err, errBatch) {
		err = nil // a damaged archive is reported where it is met; here it only ends the search
	}
	return at, err
}

// loggedWhere is where the log has the first leaf that is looked for, or nil.
func (v *verifier) loggedWhere(ctx context.Context, is func(leaf []byte) bool) (*contract.Position, error) {
	var damaged *contract.DamagedError
	for r, err := range v.Log.Read(ctx, nil, v.end) {
		if errors.As(err, &damaged) {
			break // behind a damaged place nothing is found
		}
		if err != nil {
			return nil, fmt.Errorf("searching the log: %w", err)
		}
		if is(r.Leaf()) {
			return &r.Position, nil
		}
	}
	return nil, nil
}

// leaves calls f with each archived leaf below size, in order; e is nil for the header of a batch.
func (a *Auditor) leaves(ctx context.Context, size int64, f func(index int64, e *entry, leaf []byte) error) error {
	for index := int64(0); index < size; {
		b, err := a.get(ctx, index)
		if err != nil {
			return err
		}
		for i := range b.events {
			if err := f(index, &b.events[i], b.events[i].Leaf); err != nil {
				return err
			}
			index++
		}
		if err := f(index, nil, b.header.leaf()); err != nil {
			return err
		}
		index++
	}
	return nil
}
