package audit

import (
	"cmp"
	"context"
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

// read is the events of the log in [from, to) in the order of leaves. They are held in memory, so the range must be bounded.
func read(ctx context.Context, log contract.Reader, from, to contract.Cursor) ([]event, error) {
	if same(from, to) {
		return nil, nil
	}
	var events []event
	for r, err := range log.Read(ctx, from, to) {
		if err != nil {
			return nil, fmt.Errorf("reading the log from %s to %s: %w", from, to, err)
		}
		if !within(r.Position, from, to) {
			return nil, fmt.Errorf("reading the log from %s to %s: it gave the event at %s", from, to, r.Position)
		}
		events = append(events, event{entry{r.Position, r.Leaf()}, r.ID, r.Stream, r.Version})
	}
	slices.SortStableFunc(events, func(a, b event) int { return order(a.Position, b.Position) })
	return events, nil
}
