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

// Noon is the time at which the first event of a Log is recorded.
var Noon = time.Date(2025, 3, 30, 12, 0, 0, 0, time.UTC)

// A Log is a log that can be tampered with. Its streams are spread over the partitions. Its offsets
// have holes, like those of a broker. Its methods are safe for use by many goroutines. A method
// that takes the position of an event panics if there is no event.
type Log struct {
	mu       sync.Mutex
	events   []contract.Recorded // in any order
	last     map[string]int64    // version of each stream
	end      contract.Cursor
	timeline contract.Timeline

	committed time.Time // the frontier of CommitFrontier; zero in a simulated log
	begun     bool      // CommitFrontier was called

	added int // number of events ever added; with the seed it determines the next one
	seed  uint64
}

var _ contract.SealableLog = (*Log)(nil)

// NewLog returns an empty log.
func NewLog(partitions int) *Log {
	return &Log{last: map[string]int64{}, end: make(contract.Cursor, partitions)}
}

// Add appends n events to five streams in turn. The same calls give the same events.
func (l *Log) Add(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for range n {
		l.add(fmt.Sprintf("trade/UTI-%d", l.added%5))
	}
}

func (l *Log) add(stream string) {
	l.added++
	l.last[stream]++
	r := contract.Recorded{
		Event: event(stream, l.added, l.seed), Version: l.last[stream],
		RecordedAt: Noon.Add(time.Duration(l.added) * time.Microsecond),
	}
	p := int32(stream[len(stream)-1]-'0') % int32(len(l.end))
	r.Position = contract.Position{Partition: p, Offset: l.end[p]}
	l.events = append(l.events, r)
	l.end[p]++
	if l.added%3 == 0 {
		l.end[p]++ // a control record
	}
}

// event returns a valid event. It differs from all others in every attribute that may differ.
func event(stream string, n int, seed uint64) contract.Event {
	name := func(attribute string) uuid.UUID {
		what := fmt.Appendf(nil, "%s/%d", attribute, seed+uint64(n))
		return uuid.NewSHA1(uuid.NameSpaceOID, what)
	}
	return contract.Event{
		ID: name("id"), Stream: stream, Type: "trade.amended", Schema: 1, Fingerprint: [32]byte{7},
		EffectiveAt: Noon.Add(-time.Duration(n) * time.Hour),
		EnteredAt:   Noon.Add(-time.Duration(n) * time.Minute), CommandID: fmt.Sprint("c-", n),
		SourceLine: int64(n + 1), SubmittedBy: "sso/7", AppendGroup: name("group"),
		SourceRecordedAt: Noon.Add(-time.Duration(n) * time.Second),
		Actor:            "desk-7", Approver: "desk-9",
		Reason: fmt.Sprintf("reason %d", n), Source: "audittest",
		Correlation: name("correlation"), Causation: name("causation"), Corrects: name("corrects"),
		Traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
		Data:        append([]byte{0, 0, 0, 0, 7}, name("data").String()...),
	}
}

// AddMarkers moves the end of every partition by one offset, without an event.
func (l *Log) AddMarkers() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for p := range l.end {
		l.end[p]++
	}
}

// Events returns the events in the order of leaves: by partition, then offset.
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

// Clone returns an independent copy.
func (l *Log) Clone() *Log {
	l.mu.Lock()
	defer l.mu.Unlock()
	return &Log{
		events: slices.Clone(l.events), last: maps.Clone(l.last),
		end: slices.Clone(l.end), timeline: l.timeline, added: l.added,
		committed: l.committed, begun: l.begun,
	}
}

// End implements contract.Reader.
func (l *Log) End(context.Context) (contract.Cursor, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.end), nil
}

// Read implements contract.Reader. It yields the last partition first. The contract allows any
// order of streams, and leaves have an order of their own.
func (l *Log) Read(ctx context.Context, from, to contract.Cursor) (
	feed iter.Seq2[contract.Recorded, error]) {
	return func(yield func(contract.Recorded, error) bool) {
		events := l.Events()
		slices.SortStableFunc(events, func(a, b contract.Recorded) int {
			return int(b.Position.Partition - a.Position.Partition)
		})
		for _, r := range events {
			if err := ctx.Err(); err != nil {
				yield(contract.Recorded{}, err)
				return
			}
			if !from.Covers(r.Position) && to.Covers(r.Position) && !yield(r, nil) {
				return
			}
		}
	}
}

// Follow panics: an auditor does not call it.
func (l *Log) Follow(context.Context, contract.Cursor) iter.Seq2[contract.Recorded, error] {
	panic("audittest: an auditor must not call Follow")
}

// Frontier panics: an auditor does not call it.
func (l *Log) Frontier(context.Context) (time.Time, error) {
	panic("audittest: an auditor must not call Frontier")
}

// Timeline implements contract.SealableLog.
func (l *Log) Timeline(context.Context) (contract.Timeline, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.timeline, nil
}

// CommitFrontier implements contract.SealableLog. The next event is recorded after it.
func (l *Log) CommitFrontier(context.Context) (time.Time, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.begun = true
	if l.timeline.Simulated {
		return time.Time{}, nil
	}
	l.committed = Noon.Add(time.Duration(l.added) * time.Microsecond)
	return l.committed, nil
}

// Committed returns the last frontier that was committed, and reports whether any was. The
// frontier of a simulated log has no time.
func (l *Log) Committed(context.Context) (at time.Time, begun bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.committed, l.begun, nil
}

// AddAt appends an event to a stream that claims to be recorded at a time. No store does that.
func (l *Log) AddAt(stream string, at time.Time) contract.Position {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.add(stream)
	last := &l.events[len(l.events)-1]
	last.RecordedAt = at
	return last.Position
}

// Simulate makes the log say that its times are simulated.
func (l *Log) Simulate() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.timeline.Simulated = true
}

// Change calls f with the event at a position. To change Data, f must copy it first.
func (l *Log) Change(at contract.Position, f func(*contract.Recorded)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f(&l.events[l.index(at)])
}

// FlipBit changes one bit of an event's payload.
func (l *Log) FlipBit(at contract.Position) {
	l.Change(at, func(r *contract.Recorded) {
		r.Data = slices.Clone(r.Data)
		r.Data[len(r.Data)-1] ^= 1
	})
}

// Delete removes an event and leaves a hole.
func (l *Log) Delete(at contract.Position) {
	l.mu.Lock()
	defer l.mu.Unlock()
	i := l.index(at)
	l.events = slices.Delete(l.events, i, i+1)
}

// CloseUp removes an event and leaves no hole: each event after it takes the position of the one
// before.
func (l *Log) CloseUp(at contract.Position) {
	l.mu.Lock()
	defer l.mu.Unlock()
	i := l.index(at)
	l.events = sorted(slices.Delete(l.events, i, i+1))
	for i := range l.events {
		if p := l.events[i].Position; p.Partition == at.Partition && p.Offset > at.Offset {
			l.events[i].Position, at = at, p
		}
	}
}

// Insert puts an event of another stream into a hole.
func (l *Log) Insert(at contract.Position) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.added++
	l.events = append(l.events, contract.Recorded{
		Event:   event("trade/UTI-inserted", l.added, l.seed),
		Version: 1, RecordedAt: Noon, Position: at,
	})
}

// Swap exchanges the positions of two events.
func (l *Log) Swap(a, b contract.Position) {
	l.mu.Lock()
	defer l.mu.Unlock()
	i, j := l.index(a), l.index(b)
	l.events[i].Position, l.events[j].Position = b, a
}

// ExchangePayloads gives each of two events the other's payload.
func (l *Log) ExchangePayloads(a, b contract.Position) {
	l.mu.Lock()
	defer l.mu.Unlock()
	i, j := l.index(a), l.index(b)
	l.events[i].Data, l.events[j].Data = l.events[j].Data, l.events[i].Data
}

// Cut removes the end of a partition, from a position on.
func (l *Log) Cut(from contract.Position) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.end[from.Partition] = from.Offset
	l.events = slices.DeleteFunc(l.events, func(r contract.Recorded) bool {
		return r.Position.Partition == from.Partition && r.Position.Offset >= from.Offset
	})
}

// SkipVersion appends an event whose version skips one. No store may do that.
func (l *Log) SkipVersion() contract.Position {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last["trade/UTI-0"]++
	l.add("trade/UTI-0")
	return l.events[len(l.events)-1].Position
}

// Hole returns the first position without an event.
func (l *Log) Hole() contract.Position {
	l.mu.Lock()
	defer l.mu.Unlock()
	for p := range l.end {
		for o := range l.end[p] {
			at := contract.Position{Partition: int32(p), Offset: o}
			if l.find(at) < 0 {
				return at
			}
		}
	}
	panic("audittest: the log has no hole")
}

func (l *Log) find(at contract.Position) int {
	return slices.IndexFunc(l.events, func(r contract.Recorded) bool { return r.Position == at })
}

func (l *Log) index(at contract.Position) int {
	i := l.find(at)
	if i < 0 {
		panic(fmt.Sprintf("audittest: no event at %s", at))
	}
	return i
}
