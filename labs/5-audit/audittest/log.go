package audittest

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"example.com/blotter/labs/kit/contract"
)

// Noon is when the first event of a Log is recorded.
var Noon = time.Date(2025, 3, 30, 12, 0, 0, 0, time.UTC)

// A Log is a log that can be tampered with. Streams are spread over its partitions, and offsets have holes, as a broker's
// do. Its methods are safe for use by many goroutines; those that name a position panic where nothing stands.
type Log struct {
	mu     sync.Mutex
	events []contract.Recorded // in any order
	last   map[string]int64    // version of each stream
	end    contract.Cursor
	made   int // events ever added: the seed of the next one
}

var _ contract.Reader = (*Log)(nil)

// NewLog is an empty log.
func NewLog(partitions int) *Log {
	return &Log{last: map[string]int64{}, end: make(contract.Cursor, partitions)}
}

// Add appends n events, of a handful of streams in turn. The same calls give the same events.
func (l *Log) Add(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for range n {
		l.add(fmt.Sprintf("trade/UTI-%d", l.made%5))
	}
}

func (l *Log) add(stream string) {
	l.made++
	l.last[stream]++
	r := contract.Recorded{
		Event: event(stream, l.made), Version: l.last[stream], RecordedAt: Noon.Add(time.Duration(l.made) * time.Microsecond),
	}
	p := int32(stream[len(stream)-1]-'0') % int32(len(l.end))
	r.Position = contract.Position{Partition: p, Offset: l.end[p]}
	l.events = append(l.events, r)
	l.end[p]++
	if l.made%3 == 0 {
		l.end[p]++ // a control record
	}
}

// event is valid, and differs from every other in every attribute that may.
func event(stream string, n int) contract.Event {
	name := func(what string) uuid.UUID {
		return uuid.NewSHA1(uuid.NameSpaceOID, fmt.Appendf(nil, "%s/%d", what, n))
	}
	e := contract.Event{
		ID: name("id"), Stream: stream, Type: "trade.amended", Schema: 1, Fingerprint: [32]byte{7},
		EffectiveAt: Noon.Add(-time.Duration(n) * time.Hour),
		Actor:       "desk-7", Approver: "desk-9", Reason: fmt.Sprintf("reason %d", n), Source: "audittest",
		Correlation: name("correlation"), Causation: name("causation"), Corrects: name("corrects"),
		Traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
		Data:        append([]byte{0, 0, 0, 0, 7}, name("data").String()...),
	}
	return e
}

// AddMarkers moves the end of every partition on, without an event.
func (l *Log) AddMarkers() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for p := range l.end {
		l.end[p]++
	}
}

// Events is the log in the order of leaves: by partition, then offset.
func (l *Log) Events() []contract.Recorded {
	l.mu.Lock()
	defer l.mu.Unlock()
	return sorted(slices.Clone(l.events))
}

func sorted(events []contract.Recorded) []contract.Recorded {
	slices.SortFunc(events, func(a, b contract.Recorded) int {
		if a.Position.Partition != b.Position.Partition {
			return int(a.Position.Partition - b.Position.Partition)
		}
		return int(a.Position.Offset - b.Position.Offset)
	})
	return events
}

// Clone is a copy that is tampered with on its own.
func (l *Log) Clone() *Log {
	l.mu.Lock()
	defer l.mu.Unlock()
	return &Log{events: slices.Clone(l.events), last: maps.Clone(l.last), end: slices.Clone(l.end), made: l.made}
}

// End is contract.Reader.End.
func (l *Log) End(context.Context) (contract.Cursor, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.end), nil
}

// Read is contract.Reader.Read. Across streams it gives what was appended last first: a reader may, and leaves have an order of
// their own.
func (l *Log) Read(ctx context.Context, from, to contract.Cursor) iter.Seq2[contract.Recorded, error] {
	return func(yield func(contract.Recorded, error) bool) {
		events := l.Events()
		slices.SortStableFunc(events, func(a, b contract.Recorded) int { return int(b.Position.Partition - a.Position.Partition) })
		for _, r := range events {
			if err := ctx.Err(); err != nil {
				yield(contract.Recorded{}, err)
				return
			}
			at := r.Position
			if at.Offset >= from.At(at.Partition) && at.Offset < to.At(at.Partition) && !yield(r, nil) {
				return
			}
		}
	}
}

// Follow is not asked of a log under audit.
func (l *Log) Follow(context.Context, contract.Cursor) iter.Seq2[contract.Recorded, error] {
	panic("audittest: an auditor has no use for Follow")
}

// Frontier is not asked of a log under audit.
func (l *Log) Frontier(context.Context) (time.Time, error) {
	panic("audittest: an auditor has no use for Frontier")
}
