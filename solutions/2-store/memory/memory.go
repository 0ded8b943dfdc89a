// Package memory is a Store that lives and dies with its process. It serves the tests of programs
// that use a store, and it is the shortest complete example of a store.
package memory

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"example.com/blotter/labs/kit/contract"
	store "example.com/blotter/solutions/2-store"
)

// Store is a log in memory: one partition, whose offsets are indexes of a slice. It is safe for
// concurrent use.
type Store struct {
	clock    contract.Clock
	timeline contract.Timeline

	mu      sync.Mutex
	log     []contract.Recorded
	streams map[string][]int // offsets in version order
	ids     map[uuid.UUID]int
	last    time.Time     // no later event is stamped at or before it
	grown   chan struct{} // closed at the next append

	// A Draft knows of events in the log below it. Other stores have none.
	before  map[string]*contract.Recorded // the last event of a stream; zero for a new stream
	earlier map[uuid.UUID]store.Outcome
}

var (
	_ contract.Atomic  = (*Store)(nil)
	_ contract.Resumer = (*Store)(nil)
)

// New returns an empty store that stamps with clock.
func New(clock contract.Clock) *Store {
	return &Store{
		clock: clock, streams: map[string][]int{}, ids: map[uuid.UUID]int{},
		grown:  make(chan struct{}),
		before: map[string]*contract.Recorded{}, earlier: map[uuid.UUID]store.Outcome{},
	}
}

// NewSimulated returns an empty store whose times follow the entered ones.
func NewSimulated() *Store {
	s := New(contract.SimulatedClock)
	s.timeline.Simulated = true
	return s
}

// Timeline implements contract.SealableLog.
func (s *Store) Timeline(context.Context) (contract.Timeline, error) { return s.timeline, nil }

// CommitFrontier implements contract.SealableLog. A store that ends with its process keeps its
// frontier as long as its events.
func (s *Store) CommitFrontier(ctx context.Context) (time.Time, error) {
	if s.timeline.Simulated {
		return time.Time{}, nil
	}
	return s.Frontier(ctx)
}

// Append decides and writes under one lock, so no other append comes between.
func (s *Store) Append(
	ctx context.Context, stream string, expected int64, events ...contract.Event,
) ([]contract.Receipt, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("append to %s: %w", stream, err)
	}
	if err := store.Validate(stream, events); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	receipts, err := store.Decide(known{s}, stream, expected, events)
	if receipts != nil || err != nil {
		return receipts, err
	}
	for _, e := range events {
		receipts = append(receipts, s.record(e, s.stamp(ctx)))
	}
	s.wake()
	return receipts, nil
}

// AppendAll implements contract.Atomic, under the same lock.
func (s *Store) AppendAll(
	ctx context.Context, appends []contract.StreamAppend, guards ...contract.Guard,
) ([][]contract.Receipt, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("append to several streams: %w", err)
	}
	if err := store.ValidateAll(appends, guards); err != nil {
		return nil, err
	}
	appends = store.Grouped(appends)
	s.mu.Lock()
	defer s.mu.Unlock()
	all, err := store.DecideAll(known{s}, appends, guards)
	if all != nil || err != nil {
		return all, err
	}
	at := s.stamp(ctx)
	for _, a := range appends {
		var receipts []contract.Receipt
		for _, e := range a.Events {
			receipts = append(receipts, s.record(e, at))
		}
		all = append(all, receipts)
	}
	s.wake()
	return all, nil
}

// Together implements contract.Atomic.
func (s *Store) Together(streams ...string) bool { return contract.Apart(streams...) == nil }

// stamp returns the time of the next append. The lock is held.
func (s *Store) stamp(ctx context.Context) time.Time {
	s.last = contract.Stamp(s.clock(ctx), s.last)
	return s.last
}

// wake wakes the followers. The lock is held.
func (s *Store) wake() {
	close(s.grown)
	s.grown = make(chan struct{})
}

func (s *Store) record(e contract.Event, at time.Time) contract.Receipt {
	offset := len(s.log)
	version, _ := known{s}.Version(e.Stream)
	r := contract.Recorded{
		Event:      e,
		Version:    version + 1,
		RecordedAt: at,
		Position:   contract.Position{Offset: int64(offset)},
	}
	s.log = append(s.log, clone(r))
	s.streams[e.Stream] = append(s.streams[e.Stream], offset)
	s.ids[e.ID] = offset
	return receipt(r)
}

func receipt(r contract.Recorded) contract.Receipt {
	return contract.Receipt{Version: r.Version, RecordedAt: r.RecordedAt}
}

// known is a store whose lock is held.
type known struct{ *Store }

func (k known) Version(stream string) (int64, bool) {
	if offsets := k.streams[stream]; len(offsets) > 0 {
		last := k.log[offsets[len(offsets)-1]]
		return last.Version, last.Ends
	}
	if last := k.before[stream]; last != nil {
		return last.Version, last.Ends
	}
	return 0, false
}

// began returns the last event of a stream in the log below, or nil if it is not known.
func (s *Store) began(stream string) *contract.Recorded {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.before[stream]
}

func (k known) Outcome(id uuid.UUID) (store.Outcome, bool) {
	offset, ok := k.ids[id]
	if !ok {
		o, ok := k.earlier[id]
		return o, ok
	}
	return outcome(k.log[offset]), true
}

func outcome(r contract.Recorded) store.Outcome {
	return store.Outcome{
		Stream: r.Stream, Digest: r.ContentDigest(), Receipt: receipt(r), Group: r.AppendGroup,
	}
}

// clone returns a copy of r that shares no bytes with it, so that callers cannot change the log.
func clone(r contract.Recorded) contract.Recorded {
	r.Data = slices.Clone(r.Data)
	return r
}

// Find returns the event with this id.
func (s *Store) Find(_ context.Context, id uuid.UUID) (contract.Recorded, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	offset, ok := s.ids[id]
	if !ok {
		return contract.Recorded{}, fmt.Errorf("%w: %s", contract.ErrNotFound, id)
	}
	return clone(s.log[offset]), nil
}

// Stream returns the events that the stream has when the iteration begins.
func (s *Store) Stream(ctx context.Context, stream string) iter.Seq2[contract.Recorded, error] {
	return s.StreamFrom(ctx, stream, 1)
}

// StreamFrom implements contract.Resumer.
func (s *Store) StreamFrom(
	ctx context.Context, stream string, version int64,
) iter.Seq2[contract.Recorded, error] {
	return func(yield func(contract.Recorded, error) bool) {
		s.mu.Lock()
		log, offsets := s.log, s.streams[stream]
		offsets = slices.Clone(offsets[min(max(0, version-1), int64(len(offsets))):])
		s.mu.Unlock()
		for _, offset := range offsets {
			if err := ctx.Err(); err != nil {
				yield(contract.Recorded{}, err)
				return
			}
			if !yield(clone(log[offset]), nil) {
				return
			}
		}
	}
}

// End returns the cursor after the last event.
func (s *Store) End(context.Context) (contract.Cursor, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return contract.Cursor{int64(len(s.log))}, nil
}

// Read returns the events in [from, to), or up to the end if to lies after it.
func (s *Store) Read(
	ctx context.Context, from, to contract.Cursor,
) iter.Seq2[contract.Recorded, error] {
	return func(yield func(contract.Recorded, error) bool) {
		log, _ := s.from(from.At(0))
		log = log[:max(0, min(int64(len(log)), to.At(0)-from.At(0)))]
		for _, r := range log {
			if err := ctx.Err(); err != nil {
				yield(contract.Recorded{}, err)
				return
			}
			if !yield(clone(r), nil) {
				return
			}
		}
	}
}

// Follow returns all events from the cursor on, and waits for more.
func (s *Store) Follow(
	ctx context.Context, from contract.Cursor,
) iter.Seq2[contract.Recorded, error] {
	return func(yield func(contract.Recorded, error) bool) {
		next := from.At(0)
		for {
			log, grown := s.from(next)
			for _, r := range log {
				if ctx.Err() != nil {
					break
				}
				if !yield(clone(r), nil) {
					return
				}
			}
			next += int64(len(log))
			select {
			case <-ctx.Done():
				yield(contract.Recorded{}, ctx.Err())
				return
			case <-grown:
			}
		}
	}
}

// from returns the log from an offset on, and a channel that the next append closes. Events never
// change, so the slice may be read without the lock.
func (s *Store) from(offset int64) ([]contract.Recorded, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log[min(offset, int64(len(s.log))):], s.grown
}

// Frontier returns the time just before the earliest time that the next append could get. It holds
// even if the clock is set back later.
func (s *Store) Frontier(ctx context.Context) (time.Time, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last = contract.Stamp(s.clock(ctx), s.last).Add(-time.Microsecond)
	return s.last, nil
}
