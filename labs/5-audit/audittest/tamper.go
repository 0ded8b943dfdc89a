package audittest

import (
	"fmt"
	"slices"

	"example.com/blotter/labs/kit/contract"
)

// Change has f alter the event at a position. What f does to Data it must do to a copy.
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

// Delete takes an event out and leaves a hole.
func (l *Log) Delete(at contract.Position) {
	l.mu.Lock()
	defer l.mu.Unlock()
	i := l.index(at)
	l.events = slices.Delete(l.events, i, i+1)
}

// CloseUp takes an event out and moves those behind it up, so that no hole shows: each takes the place of the one before.
func (l *Log) CloseUp(at contract.Position) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.events = slices.DeleteFunc(sorted(l.events), func(r contract.Recorded) bool { return r.Position == at })
	for i := range l.events {
		if p := l.events[i].Position; p.Partition == at.Partition && p.Offset > at.Offset {
			l.events[i].Position, at = at, p
		}
	}
}

// Insert puts an event of a stream of its own into a hole.
func (l *Log) Insert(at contract.Position) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.made++
	r := contract.Recorded{Event: event("trade/UTI-inserted", l.made), Version: 1, RecordedAt: Noon, Position: at}
	l.events = append(l.events, r)
}

// Swap exchanges two events, places and all but their positions.
func (l *Log) Swap(a, b contract.Position) {
	l.mu.Lock()
	defer l.mu.Unlock()
	i, j := l.index(a), l.index(b)
	l.events[i], l.events[j] = l.events[j], l.events[i]
	l.events[i].Position, l.events[j].Position = a, b
}

// ExchangePayloads gives each of two events the other's payload.
func (l *Log) ExchangePayloads(a, b contract.Position) {
	l.mu.Lock()
	defer l.mu.Unlock()
	i, j := l.index(a), l.index(b)
	l.events[i].Data, l.events[j].Data = l.events[j].Data, l.events[i].Data
}

// Cut takes away the end of a partition, from a position on.
func (l *Log) Cut(from contract.Position) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.end[from.Partition] = from.Offset
	l.events = slices.DeleteFunc(l.events, func(r contract.Recorded) bool {
		return r.Position.Partition == from.Partition && r.Position.Offset >= from.Offset
	})
}

// SkipVersion appends an event whose version leaves one out, as no store may.
func (l *Log) SkipVersion() contract.Position {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last["trade/UTI-0"]++
	l.add("trade/UTI-0")
	return l.events[len(l.events)-1].Position
}

// Hole is the first position of the log at which no event stands.
func (l *Log) Hole() contract.Position {
	l.mu.Lock()
	defer l.mu.Unlock()
	for p := range l.end {
		for o := range l.end[p] {
			at := contract.Position{Partition: int32(p), Offset: o}
			if !slices.ContainsFunc(l.events, func(r contract.Recorded) bool { return r.Position == at }) {
				return at
			}
		}
	}
	panic("audittest: a log without a hole")
}

func (l *Log) index(at contract.Position) int {
	i := slices.IndexFunc(l.events, func(r contract.Recorded) bool { return r.Position == at })
	if i < 0 {
		panic(fmt.Sprintf("audittest: no event at %s", at))
	}
	return i
}
