package kafka

import (
	"fmt"
	"slices"
	"sync"

	"github.com/google/uuid"

	"example.com/blotter/labs/kit/contract"
	store "example.com/blotter/solutions/2-store"
)

// An index finds what the log has: by id, and by stream. It is derived from the log alone, and only from what is
// committed. This one is in memory and keeps the events themselves, so that a command can load its stream without asking
// the broker; it is to give way to a file per partition.
type index struct {
	mu      sync.RWMutex
	parts   []part
	ids     map[uuid.UUID]contract.Recorded
	claimed map[uuid.UUID]string // by appends under way: the stream that the id is for
}

// A part is what is known of one partition.
type part struct {
	streams map[string][]contract.Recorded // in version order
	next    int64                          // the first offset that is not taken in
	last    contract.Recorded              // the latest event; zero before there is one
}

func newIndex(partitions int32) *index {
	return &index{parts: make([]part, partitions), ids: map[uuid.UUID]contract.Recorded{}, claimed: map[uuid.UUID]string{}}
}

// apply takes in events of one partition, in offset order. Those below the next offset are known already. An event that is not the
// next of its stream is an error: somebody who is no owner wrote to the log, and no version that we gave would be right.
func (ix *index) apply(partition int32, events []contract.Recorded) error {
	ix.mu.Lock()
	defer ix.mu.Unlock()
	p := &ix.parts[partition]
	if p.streams == nil {
		p.streams = map[string][]contract.Recorded{}
	}
	for _, e := range events {
		if e.Position.Offset < p.next {
			continue
		}
		if want := int64(len(p.streams[e.Stream]) + 1); e.Version != want {
			return fmt.Errorf("log is damaged: %s has version %d at %s, want %d", e.Stream, e.Version, e.Position, want)
		}
		p.streams[e.Stream] = append(p.streams[e.Stream], e)
		ix.ids[e.ID] = e
		p.next, p.last = e.Position.Offset+1, e
	}
	return nil
}

// drop forgets a partition.
func (ix *index) drop(partition int32) {
	ix.mu.Lock()
	defer ix.mu.Unlock()
	for _, events := range ix.parts[partition].streams {
		for _, e := range events {
			delete(ix.ids, e.ID)
		}
	}
	ix.parts[partition] = part{}
}

// place is how far a partition was taken in, and its latest event.
func (ix *index) place(partition int32) (next int64, last contract.Recorded) {
	ix.mu.RLock()
	defer ix.mu.RUnlock()
	return ix.parts[partition].next, ix.parts[partition].last
}

// stream is the events of a stream. The slice is not to be changed; what is appended later does not show in it.
func (ix *index) stream(partition int32, stream string) []contract.Recorded {
	ix.mu.RLock()
	defer ix.mu.RUnlock()
	return ix.parts[partition].streams[stream]
}

// ends is the last event of every stream of a partition.
func (ix *index) ends(partition int32) map[string]contract.Recorded {
	ix.mu.RLock()
	defer ix.mu.RUnlock()
	ends := map[string]contract.Recorded{}
	for stream, events := range ix.parts[partition].streams {
		ends[stream] = events[len(events)-1]
	}
	return ends
}

func (ix *index) find(id uuid.UUID) (contract.Recorded, bool) {
	ix.mu.RLock()
	defer ix.mu.RUnlock()
	e, ok := ix.ids[id]
	return e, ok
}

// claim keeps the ids of events for one append that is about to be written, so that no other partition writes one of
// them at the same time. One that is taken is *contract.ReusedError: within a partition appends are decided one
// after the other, so it was taken for another stream.
func (ix *index) claim(events []contract.Event) error {
	ix.mu.Lock()
	defer ix.mu.Unlock()
	for _, e := range events {
		if was, ok := ix.ids[e.ID]; ok {
			return &contract.ReusedError{ID: e.ID, Stream: was.Stream}
		}
		if stream, ok := ix.claimed[e.ID]; ok {
			return &contract.ReusedError{ID: e.ID, Stream: stream}
		}
	}
	for _, e := range events {
		ix.claimed[e.ID] = e.Stream
	}
	return nil
}

func (ix *index) release(events []contract.Event) {
	ix.mu.Lock()
	defer ix.mu.Unlock()
	for _, e := range events {
		delete(ix.claimed, e.ID)
	}
}

func outcome(e contract.Recorded) store.Outcome {
	return store.Outcome{Stream: e.Stream, Digest: e.ContentDigest(), Receipt: receipt(e)}
}

func receipt(e contract.Recorded) contract.Receipt {
	return contract.Receipt{Version: e.Version, RecordedAt: e.RecordedAt}
}

// copied shares no bytes with e: what is recorded never changes, whatever callers do to theirs.
func copied(e contract.Recorded) contract.Recorded {
	e.Data = slices.Clone(e.Data)
	return e
}
