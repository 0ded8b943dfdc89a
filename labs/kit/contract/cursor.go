package contract

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// A Position is a place in the feed. To its readers it is opaque, except for equality.
type Position struct {
	Partition int32 `json:"partition"`
	Offset    int64 `json:"offset"`
}

func (p Position) String() string { return fmt.Sprintf("%d/%d", p.Partition, p.Offset) }

// A Cursor is a reader's progress: for each partition, the first offset that the reader has not
// seen. Nil is the beginning. Cursors are comparable only within one log. Nothing but this file
// relies on the form of a cursor.
//
// In each partition an offset is used once, and later events have larger offsets. Offsets may have
// holes.
type Cursor []int64

// At returns the first unseen offset of a partition.
func (c Cursor) At(partition int32) int64 {
	if int(partition) >= len(c) {
		return 0
	}
	return c[partition]
}

// After returns c advanced past the event at p. It does not change c.
func (c Cursor) After(p Position) Cursor {
	next := slices.Clone(c)
	for len(next) <= int(p.Partition) {
		next = append(next, 0)
	}
	next[p.Partition] = max(next[p.Partition], p.Offset+1)
	return next
}

// Covers reports whether a reader at c has seen the event at p.
func (c Cursor) Covers(p Position) bool { return p.Partition >= 0 && p.Offset < c.At(p.Partition) }

// Reaches reports whether c is at or past other in every partition.
func (c Cursor) Reaches(other Cursor) bool {
	for p := range other {
		if c.At(int32(p)) < other[p] {
			return false
		}
	}
	return true
}

// Equal reports whether both cursors stand at the same place.
func (c Cursor) Equal(other Cursor) bool { return c.Reaches(other) && other.Reaches(c) }

// Max returns the later offset of both cursors in each partition.
func (c Cursor) Max(other Cursor) Cursor {
	return c.combine(other, func(a, b int64) int64 { return max(a, b) })
}

// Min returns the earlier offset of both cursors in each partition.
func (c Cursor) Min(other Cursor) Cursor {
	return c.combine(other, func(a, b int64) int64 { return min(a, b) })
}

func (c Cursor) combine(other Cursor, pick func(a, b int64) int64) Cursor {
	combined := make(Cursor, max(len(c), len(other)))
	for p := range combined {
		combined[p] = pick(c.At(int32(p)), other.At(int32(p)))
	}
	return combined
}

// Distance returns the number of offsets between c and a later cursor, over all partitions.
func (c Cursor) Distance(to Cursor) int64 {
	var offsets int64
	for p, end := range to {
		offsets += max(0, end-c.At(int32(p)))
	}
	return offsets
}

// Step returns the cursor at most n offsets after c and not past end. It takes the partitions in
// their order.
func (c Cursor) Step(end Cursor, n int64) Cursor {
	to := make(Cursor, max(len(c), len(end)))
	for p := range to {
		at := c.At(int32(p))
		step := min(n, max(0, end.At(int32(p))-at))
		to[p], n = at+step, n-step
	}
	return to
}

// Share returns the cursor that lies part/all of the way from c to end in every partition.
func (c Cursor) Share(end Cursor, part, all int64) Cursor {
	next := c.Max(nil)
	for p, last := range end {
		begin := c.At(int32(p))
		if p == len(next) {
			next = append(next, begin)
		}
		next[p] += max(0, last-begin) * part / all
	}
	return next
}

// Ahead returns an *AheadError if a reader at c is past the end of its log. Ask for the end AFTER
// the reader's cursor: the log grows, and its readers follow.
func (c Cursor) Ahead(reader string, end Cursor) error {
	for p, at := range c {
		if last := end.At(int32(p)); at > last {
			return &AheadError{reader, int32(p), at, last}
		}
	}
	return nil
}

// Since returns a cursor after which log has every event before end that was recorded at t or
// later. It looks for t by halves in each partition, where recorded_at rises. In a simulated log,
// and where recorded_at rises within each stream only, it returns the beginning: an early time in
// the middle says nothing about the events before it.
func Since(ctx context.Context, log SealableLog, end Cursor, t time.Time) (Cursor, error) {
	since := make(Cursor, len(end))
	rules, err := log.Timeline(ctx)
	if err != nil || rules.Simulated || rules.PerStream {
		return since, err
	}
	for p, high := range end {
		low := int64(0)
		for low < high {
			from, at := slices.Clone(end), low+(high-low)/2
			from[p] = at
			late := true // also if no event is left
			for r, err := range log.Read(ctx, from, end) {
				if err != nil {
					return nil, err
				}
				late = !r.RecordedAt.Before(t)
				break
			}
			if late {
				high = at
			} else {
				low = at + 1
			}
		}
		since[p] = low
	}
	return since, nil
}

// An AheadError is a log that ends before a reader's cursor. The log lost its end, or another log
// was put in its place. The reader's results no longer follow from the log.
type AheadError struct {
	Reader    string // for people
	Partition int32  // the first that is too short
	At, End   int64  // offsets of the reader and of the log's end in that partition
}

func (e *AheadError) Error() string {
	return fmt.Sprintf("the log ends too soon: partition %d at %d, and %s has it up to %d",
		e.Partition, e.End, e.Reader, e.At)
}

// String returns c as a JSON array, which ParseCursor reads.
func (c Cursor) String() string {
	text, _ := json.Marshal([]int64(slices.Clone(c)))
	return string(text)
}

// ParseCursor reads the output of Cursor.String.
func ParseCursor(s string) (Cursor, error) {
	var c Cursor
	if err := json.Unmarshal([]byte(s), &c); err != nil {
		return nil, fmt.Errorf("cursor %q: %w", s, err)
	}
	return c, nil
}
