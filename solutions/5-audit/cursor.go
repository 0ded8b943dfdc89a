package audit

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"example.com/blotter/labs/kit/contract"
)

// order is the order of leaves within a batch: by partition, then offset.
func order(a, b contract.Position) int {
	return cmp.Or(cmp.Compare(a.Partition, b.Partition), cmp.Compare(a.Offset, b.Offset))
}

// An event is what is needed of one that was read. The payload is not: the leaf holds its digest.
type event struct {
	entry
	id      uuid.UUID
	stream  string
	version int64
}

// read is the events of the log in [from, to) in the order of leaves. They are held in memory, so the range must be bounded. Beside an
// error it gives what it read until then.
func read(ctx context.Context, log contract.Reader, from, to contract.Cursor) ([]event, error) {
	if from.Equal(to) {
		return nil, nil
	}
	var events []event
	var failed error
	for r, err := range log.Read(ctx, from, to) {
		if err == nil && (from.Covers(r.Position) || !to.Covers(r.Position)) {
			err = fmt.Errorf("it gave the event at %s", r.Position)
		}
		if err != nil {
			failed = fmt.Errorf("reading the log from %s to %s: %w", from, to, err)
			break
		}
		events = append(events, event{entry{r.Position, r.Leaf()}, r.ID, r.Stream, r.Version})
	}
	slices.SortStableFunc(events, func(a, b event) int { return order(a.Position, b.Position) })
	return events, failed
}

// readable is read for a log that may be damaged: the events before the first damaged place in the order of leaves, and that place.
func readable(ctx context.Context, log contract.Reader, from, to contract.Cursor) ([]event, *contract.DamagedError, error) {
	events, err := read(ctx, log, from, to)
	var damaged *contract.DamagedError
	if !errors.As(err, &damaged) {
		return events, nil, err
	}
	// The reader ended at the damage that it met first. Partitions come in any order, so it may be that neither this one nor
	// those before it were read to their end: now they are taken one by one.
	events = nil
	for p := range to {
		some, err := read(ctx, log, alone(from, to, p), to)
		events = append(events, some...)
		if errors.As(err, &damaged) {
			return slices.DeleteFunc(events, func(ev event) bool { return order(ev.Position, damaged.Position) >= 0 }), damaged, nil
		}
		if err != nil {
			return nil, nil, err
		}
	}
	return events, nil, nil
}

// alone is from in partition p, and to in every other: a range to to that has only p in it.
func alone(from, to contract.Cursor, p int) contract.Cursor {
	c := slices.Clone(to)
	c[p] = from.At(int32(p))
	return c
}
