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

// order compares positions in the order of leaves within a batch: by partition, then by offset.
func order(a, b contract.Position) int {
	return cmp.Or(cmp.Compare(a.Partition, b.Partition), cmp.Compare(a.Offset, b.Offset))
}

// An event is the part of a recorded event that the audit needs. A sealer archives its body, too:
// the leaf holds the body's digest.
type event struct {
	entry
	id      uuid.UUID
	version int64
}

// errBodies is the error of readWhole for a range whose bodies are too large to be held at once.
var errBodies = errors.New("the payloads of this range are too large for one batch")

// read returns the events of the log in [from, to), in the order of leaves, without their bodies.
// It holds them in memory: the caller bounds the range. With an error it returns the events that it
// read before.
func read(ctx context.Context, log contract.Reader, from, to contract.Cursor) ([]event, error) {
	return readEvents(ctx, log, from, to, func(*event, contract.Recorded) error {
		return nil
	})
}

// readWhole is read with the bodies. A range of one event is never errBodies.
func readWhole(
	ctx context.Context, log contract.Reader, from, to contract.Cursor,
) ([]event, error) {
	events, size := 0, 0
	return readEvents(ctx, log, from, to, func(ev *event, r contract.Recorded) error {
		ev.body = r.Data[min(len(r.Data), wirePrefix):]
		ev.schema = schemaName{r.Type, r.Schema, r.Fingerprint}
		if events, size = events+1, size+len(ev.body); events > 1 && size > maxBodies {
			return errBodies
		}
		return nil
	})
}

// wirePrefix is the number of bytes in an event's data before the Avro body.
const wirePrefix = 5

func readEvents(
	ctx context.Context, log contract.Reader, from, to contract.Cursor,
	take func(*event, contract.Recorded) error,
) ([]event, error) {
	if from.Equal(to) {
		return nil, nil
	}
	var most int64 // offsets in the range; many may have no event
	for p := range to {
		most += to[p] - from.At(int32(p))
	}
	events := make([]event, 0, min(most, DefaultBatch))
	var leaves leafBuffer
	var failed error
	for r, err := range log.Read(ctx, from, to) {
		if err == nil && (from.Covers(r.Position) || !to.Covers(r.Position)) {
			err = fmt.Errorf("the event at %s is outside of the range", r.Position)
		}
		if err != nil {
			failed = fmt.Errorf("reading the log from %s to %s: %w", from, to, err)
			break
		}
		events = append(events, event{entry{
			Position: r.Position, Leaf: leaves.add(&r), stream: r.Stream, group: r.AppendGroup,
			recorded: r.RecordedAt,
		}, r.ID, r.Version})
		if failed = take(&events[len(events)-1], r); failed != nil {
			break
		}
	}
	inOrder := func(a, b event) int { return order(a.Position, b.Position) }
	if !slices.IsSortedFunc(events, inOrder) { // sorting moves large values
		slices.SortStableFunc(events, inOrder)
	}
	return events, failed
}

// A leafBuffer holds many leaves in each piece of memory.
type leafBuffer struct{ piece []byte }

func (l *leafBuffer) add(r *contract.Recorded) []byte {
	const pieces = 64 << 10 // bytes
	if cap(l.piece)-len(l.piece) < contract.LeafSize {
		l.piece = make([]byte, 0, pieces)
	}
	begin := len(l.piece)
	l.piece = r.AppendLeaf(l.piece) // a large leaf moves the piece; the leaves before stay
	return l.piece[begin:len(l.piece):len(l.piece)]
}

// readable reads a log that may be damaged. It returns the events before the first damaged place,
// in the order of leaves, and that place.
func readable(ctx context.Context, log contract.Reader, from, to contract.Cursor) (
	[]event, *contract.DamagedError, error) {
	events, err := read(ctx, log, from, to)
	var damaged *contract.DamagedError
	if !errors.As(err, &damaged) {
		return events, nil, err
	}
	// The reader stopped at the first damage that it met. A reader takes partitions in any order,
	// so the partitions before the damaged one may be unread. Read them one by one.
	events = nil
	for p := range to {
		begin := slices.Clone(to)
		begin[p] = from.At(int32(p))
		some, err := read(ctx, log, begin, to)
		events = append(events, some...)
		if errors.As(err, &damaged) {
			return slices.DeleteFunc(events, func(ev event) bool {
				return order(ev.Position, damaged.Position) >= 0
			}), damaged, nil
		}
		if err != nil {
			return nil, nil, err
		}
	}
	return events, nil, nil
}
