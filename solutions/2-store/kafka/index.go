package kafka

import (
	"errors"
	"slices"
	"sync"

	"github.com/google/uuid"

	"example.com/blotter/labs/kit/contract"
	store "example.com/blotter/solutions/2-store"
)

// An index finds what the log has: by id, and by stream. It is derived from the log alone, and only from what is
// committed, so that a command can load its stream, and be told from a retry, without asking the broker.
type index struct {
	parts   []*part
	mu      sync.Mutex
	claimed map[uuid.UUID]string // by appends under way: the stream that the id is for
}

func newIndex(partitions int32, fresh func(partition int32) *part) *index {
	ix := &index{claimed: map[uuid.UUID]string{}}
	for p := range partitions {
		ix.parts = append(ix.parts, fresh(p))
	}
	return ix
}

// find is the event with an id, as far as is known here, and the partitions whose index is of no use to tell.
func (ix *index) find(id uuid.UUID) (e contract.Recorded, ok bool, unusable []int32) {
	for n, p := range ix.parts {
		e, ok, err := p.find(id)
		if ok {
			return e, true, nil
		}
		if err != nil && err != errUnserved {
			unusable = append(unusable, int32(n))
		}
	}
	return contract.Recorded{}, false, unusable
}

// errCannotTell is what an append meets that would have to be decided by an index that is of no use.
var errCannotTell = errors.New("index of another partition is to be made anew")

// claim keeps the ids of events for one append that is about to be written, so that no other partition writes one of
// them at the same time. One that is taken is *contract.ReusedError: within a partition appends are decided one
// after the other, so it was taken for another stream.
func (ix *index) claim(events []contract.Event) error {
	ix.mu.Lock()
	defer ix.mu.Unlock()
	for _, e := range events {
		was, ok, unusable := ix.find(e.ID)
		if ok {
			return &contract.ReusedError{ID: e.ID, Stream: was.Stream}
		}
		if len(unusable) > 0 {
			return errCannotTell
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
