package audit

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"example.com/blotter/labs/kit/contract"
)

// order compares positions in the order of leaves within a batch: by partition, then by offset.
func order(a, b contract.Position) int {
	return cmp.Or(cmp.Compare(a.Partition, b.Partition), cmp.Compare(a.Offset, b.Offset))
}

// errBodies is the error of readWhole for a range whose bodies are too large to be held at once.
var errBodies = errors.New("the payloads of this range are too large for one batch")

// A room is memory for the events of one batch, which the next batch uses again. The events that
// were read into a room are valid until the next are.
type room struct {
	events []event
	leaves [][]byte // pieces of memory with many leaves each
	used   int      // of these pieces
}

// read returns the events of the log in [from, to), in the order of leaves, with bodies up to
// maxBodies. It holds them in memory: the caller bounds the range. With an error it returns the
// events that it read before.
func (m *room) read(ctx context.Context, log contract.Reader, from, to contract.Cursor) (
	[]event, error) {
	size := 0
	return m.readEvents(ctx, log, from, to, func(ev *event) error {
		if size += len(ev.body); size > maxBodies {
			ev.body = nil
		}
		return nil
	})
}

// readWhole is read with all bodies: a sealer archives them, and the leaves hold only their
// digests. A range of one event is never errBodies. An event whose payload was not fetched from
// object storage is refused.
func (m *room) readWhole(
	ctx context.Context, log contract.Reader, from, to contract.Cursor,
) ([]event, error) {
	events, size := 0, 0
	return m.readEvents(ctx, log, from, to, func(ev *event) error {
		if ev.body == nil {
			return fmt.Errorf("position %s: %w", ev.Position, contract.ErrOffloaded)
		}
		if events, size = events+1, size+len(ev.body); events > 1 && size > maxBodies {
			return errBodies
		}
		return nil
	})
}

// wirePrefix is the number of bytes in an event's data before the Avro body.
const wirePrefix = 5

func (m *room) readEvents(
	ctx context.Context, log contract.Reader, from, to contract.Cursor,
	take func(*event) error,
) ([]event, error) {
	if from.Equal(to) {
		return nil, nil
	}
	var most int64 // offsets in the range; many may have no event
	for p := range to {
		most += to[p] - from.At(int32(p))
	}
	events := slices.Grow(m.events[:0], int(min(most, DefaultBatch)))
	m.used = 0
	schema := new(schemaName)
	var failed error
	for r, err := range log.Read(ctx, from, to) {
		if err == nil && (from.Covers(r.Position) || !to.Covers(r.Position)) {
			err = fmt.Errorf("the event at %s is outside of the range", r.Position)
		}
		if err != nil {
			failed = fmt.Errorf("reading the log from %s to %s: %w", from, to, err)
			break
		}
		if !schema.of(&r) {
			schema = &schemaName{r.Type, r.Schema, r.Fingerprint}
		}
		events = append(events, event{
			Position: r.Position, Leaf: m.leaf(&r), stream: r.Stream, group: r.AppendGroup,
			recorded: r.RecordedAt, id: r.ID, version: r.Version, schema: schema, body: bodyOf(&r),
		})
		if failed = take(&events[len(events)-1]); failed != nil {
			break
		}
	}
	inOrder := func(a, b event) int { return order(a.Position, b.Position) }
	if !slices.IsSortedFunc(events, inOrder) { // sorting moves large values
		slices.SortStableFunc(events, inOrder)
	}
	m.events = events
	return events, failed
}

// bodyOf returns the body of an event; nil if it was not fetched from object storage.
func bodyOf(r *contract.Recorded) []byte {
	switch {
	case r.Offloaded():
		return nil
	case len(r.Data) <= wirePrefix:
		return []byte{}
	}
	return r.Data[wirePrefix:]
}

// leaf returns the leaf of an event, in the memory of m.
func (m *room) leaf(r *contract.Recorded) []byte {
	const pieces = 64 << 10 // bytes
	if m.used == 0 || cap(m.leaves[m.used-1])-len(m.leaves[m.used-1]) < contract.LeafSize {
		if m.used++; m.used > len(m.leaves) {
			m.leaves = append(m.leaves, make([]byte, 0, pieces))
		}
		m.leaves[m.used-1] = m.leaves[m.used-1][:0]
	}
	piece := &m.leaves[m.used-1]
	begin := len(*piece)
	*piece = r.AppendLeaf(*piece) // a large leaf moves the piece; the leaves before stay
	return (*piece)[begin:len(*piece):len(*piece)]
}

// readable reads a log that may be damaged. It returns the events before the first damaged place,
// in the order of leaves, and that place.
func (m *room) readable(ctx context.Context, log contract.Reader, from, to contract.Cursor) (
	[]event, *contract.DamagedError, error) {
	events, err := m.read(ctx, log, from, to)
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
		some, err := new(room).read(ctx, log, begin, to)
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
