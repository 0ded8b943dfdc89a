package projectiontest

import (
	"context"
	"hash/fnv"
	"iter"
	"slices"
	"time"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
)

// A Log is a history in feed order, spread over partitions. Its offsets have holes, as a broker's do. It is a
// contract.Reader, and may be read by many goroutines while nobody changes it.
type Log struct {
	Events []contract.Recorded
	end    contract.Cursor
}

var _ contract.Reader = (*Log)(nil)

// Spread is the same events over other partitions, and read one partition after the other: another arrival order.
func (l *Log) Spread(partitions int) *Log {
	spread := newLog(partitions)
	for _, r := range l.Events {
		spread.add(r)
	}
	slices.SortStableFunc(spread.Events, func(a, b contract.Recorded) int {
		return int(a.Position.Partition) - int(b.Position.Partition)
	})
	return spread
}

func newLog(partitions int) *Log { return &Log{end: make(contract.Cursor, partitions)} }

// add gives r its position.
func (l *Log) add(r contract.Recorded) {
	h := fnv.New32a()
	h.Write([]byte(r.Stream))
	p := int32(h.Sum32() % uint32(len(l.end)))
	r.Position = contract.Position{Partition: p, Offset: l.end[p]}
	l.Events = append(l.Events, r)
	l.end = l.end.After(r.Position)
	if len(l.Events)%10 == 0 {
		l.end[p]++ // where a broker would have a control record
	}
}

// End is behind the last event, and behind the hole after it.
func (l *Log) End(context.Context) (contract.Cursor, error) { return slices.Clone(l.end), nil }

// Read is the events in [from, to).
func (l *Log) Read(_ context.Context, from, to contract.Cursor) iter.Seq2[contract.Recorded, error] {
	return func(yield func(contract.Recorded, error) bool) {
		for _, r := range l.Events {
			p := r.Position
			if p.Offset >= from.At(p.Partition) && p.Offset < to.At(p.Partition) && !yield(r, nil) {
				return
			}
		}
	}
}

// Follow ends where the log ends, and then waits for the context: nothing more will come.
func (l *Log) Follow(ctx context.Context, from contract.Cursor) iter.Seq2[contract.Recorded, error] {
	return func(yield func(contract.Recorded, error) bool) {
		for r := range l.Read(ctx, from, l.end) {
			if !yield(r, nil) {
				return
			}
		}
		<-ctx.Done()
		yield(contract.Recorded{}, ctx.Err())
	}
}

// Frontier is the time of the last event.
func (l *Log) Frontier(context.Context) (time.Time, error) {
	last := time.Time{}
	for _, r := range l.Events {
		if r.RecordedAt.After(last) {
			last = r.RecordedAt
		}
	}
	return last, nil
}

// streamsOf are the events as the domain sees them, each stream in version order.
func streamsOf(events []contract.Recorded) map[string][]trade.Event {
	streams := map[string][]trade.Event{}
	for _, r := range events {
		e, err := contract.Decoded(context.Background(), Codec{}, r)
		if err != nil {
			panic(err) // this package encoded it
		}
		streams[r.Stream] = append(streams[r.Stream], e)
	}
	return streams
}
