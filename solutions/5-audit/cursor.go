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

// To others a cursor is opaque. The auditor alone takes it apart, and relies on this much: an offset of a partition
// is used once, and later events of a partition have larger ones.

// cut is the cursor at most n offsets behind from and not past end, partition by partition in their order. It is where a
// batch that begins at from ends, so that a batch holds at most n events, however many the log has.
func cut(from, end contract.Cursor, n int64) contract.Cursor {
	to := make(contract.Cursor, max(len(from), len(end)))
	for p := range to {
		at := from.At(int32(p))
		step := min(n, max(0, end.At(int32(p))-at))
		to[p], n = at+step, n-step
	}
	return to
}

// reaches says whether c is at or behind other in every partition.
func reaches(c, other contract.Cursor) bool {
	for p := range other {
		if c.At(int32(p)) < other[p] {
			return false
		}
	}
	return true
}

// same says whether both cursors stand at the same place.
func same(a, b contract.Cursor) bool { return reaches(a, b) && reaches(b, a) }

// earlier is the lesser of both cursors in each partition.
func earlier(a, b contract.Cursor) contract.Cursor {
	c := make(contract.Cursor, max(len(a), len(b)))
	for p := range c {
		c[p] = min(a.At(int32(p)), b.At(int32(p)))
	}
	return c
}

// within says whether p lies in [from, to).
func within(p contract.Position, from, to contract.Cursor) bool {
	return p.Partition >= 0 && p.Offset >= from.At(p.Partition) && p.Offset < to.At(p.Partition)
}

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
	if same(from, to) {
		return nil, nil
	}
	var events []event
	var failed error
	for r, err := range log.Read(ctx, from, to) {
		if err == nil && !within(r.Position, from, to) {
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
