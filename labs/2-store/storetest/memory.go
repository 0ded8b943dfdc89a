package storetest

import (
	"context"
	"fmt"
	"iter"
	"sync"
	"time"

	"github.com/google/uuid"

	"example.com/blotter/labs/kit/check"
	"example.com/blotter/labs/kit/contract"
)

// InMemory is the fixture of a log in memory, for the checks of an offloading store (Offload). The
// log has no races with others, no end of streams and no frontier.
var InMemory = Fixture{Volatile: true, Open: func(_ check.T, clock contract.Clock) Log {
	return Log{Store: &memoryLog{clock: clock, grown: make(chan struct{})}}
}}

type memoryLog struct {
	contract.Store // nil: the checks of an offloading store call nothing else
	clock          contract.Clock
	mu             sync.Mutex
	events         []contract.Recorded
	grown          chan struct{} // closed by the next append
}

// Append records the events, or returns the receipts of events that are recorded already.
func (l *memoryLog) Append(
	ctx context.Context, stream string, expected int64, events ...contract.Event,
) ([]contract.Receipt, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var receipts []contract.Receipt
	for _, e := range events {
		if was, err := l.find(e.ID); err == nil {
			if was.ContentDigest() != e.ContentDigest() {
				return nil, &contract.ReusedError{ID: e.ID, Stream: was.Stream}
			}
			receipts = append(receipts, contract.Receipt{
				Version: was.Version, RecordedAt: was.RecordedAt,
			})
		}
	}
	if len(receipts) == len(events) {
		return receipts, nil
	}
	version := l.version(stream)
	if expected != contract.Any && expected != version {
		return nil, &contract.ConflictError{Stream: stream, Expected: expected, Actual: version}
	}
	for _, e := range events {
		version++
		at := contract.Stamp(l.clock(ctx), l.last())
		l.events = append(l.events, contract.Recorded{
			Event: e, Version: version, RecordedAt: at,
			Position: contract.Position{Offset: int64(len(l.events))},
		})
		receipts = append(receipts, contract.Receipt{Version: version, RecordedAt: at})
	}
	close(l.grown)
	l.grown = make(chan struct{})
	return receipts, nil
}

func (l *memoryLog) version(stream string) (version int64) {
	for _, e := range l.events {
		if e.Stream == stream {
			version = e.Version
		}
	}
	return version
}

func (l *memoryLog) last() time.Time {
	if len(l.events) == 0 {
		return time.Time{}
	}
	return l.events[len(l.events)-1].RecordedAt
}

// Find returns the event with this id.
func (l *memoryLog) Find(_ context.Context, id uuid.UUID) (contract.Recorded, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.find(id)
}

func (l *memoryLog) find(id uuid.UUID) (contract.Recorded, error) {
	for _, e := range l.events {
		if e.ID == id {
			return e, nil
		}
	}
	return contract.Recorded{}, fmt.Errorf("%w: %s", contract.ErrNotFound, id)
}

// Stream yields the events of one stream.
func (l *memoryLog) Stream(
	_ context.Context, stream string,
) iter.Seq2[contract.Recorded, error] {
	return func(yield func(contract.Recorded, error) bool) {
		all, _ := l.all()
		for _, e := range all {
			if e.Stream == stream && !yield(e, nil) {
				return
			}
		}
	}
}

// End returns the cursor after every event.
func (l *memoryLog) End(context.Context) (contract.Cursor, error) {
	all, _ := l.all()
	return contract.Cursor{int64(len(all))}, nil
}

// Read yields the events in [from, to).
func (l *memoryLog) Read(
	_ context.Context, from, to contract.Cursor,
) iter.Seq2[contract.Recorded, error] {
	return func(yield func(contract.Recorded, error) bool) {
		all, _ := l.all()
		for _, e := range all[from.At(0):to.At(0)] {
			if !yield(e, nil) {
				return
			}
		}
	}
}

// Follow yields the events from a cursor on, until the context ends.
func (l *memoryLog) Follow(
	ctx context.Context, from contract.Cursor,
) iter.Seq2[contract.Recorded, error] {
	return func(yield func(contract.Recorded, error) bool) {
		for next := from.At(0); ; {
			all, grown := l.all()
			for ; next < int64(len(all)); next++ {
				if !yield(all[next], nil) {
					return
				}
			}
			select {
			case <-grown:
			case <-ctx.Done():
				yield(contract.Recorded{}, ctx.Err())
				return
			}
		}
	}
}

// all returns the events, which never change, and a channel that the next append closes.
func (l *memoryLog) all() ([]contract.Recorded, <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.events, l.grown
}
