// Package index finds the events of a log by id and by stream without asking a broker.
//
// An index is derived from the committed events of the log, so it can always be rebuilt. The owner
// of a partition keeps the index of that partition up to date: in memory the place of each id and
// the end of each stream, and the events in a file that only grows (frame.go).
//
//	<prefix>.<partition>.index
//
// A retry of a command and the load of a stream would otherwise scan the log. The file holds the
// events, because fetching them one by one from a broker takes some 0.2 ms each, which would be
// most of the cost of a command. So the disk holds each event twice, in the log and in the index.
// In memory an event costs 24 to 38 bytes, and a stream some 150.
//
// The latest events are in memory, and are written many at a time. A take-over reads the file from
// its beginning, and the part of the log after its last event.
//
// Nothing here is synced, and nothing needs to be: the log has everything that a crash loses, and
// checksums find every other damage before the damaged bytes are used.
//
//	state of the file               consequence
//	behind the log, or ends within  the rest is read from the log
//	  an event
//	missing                         rebuilt from the log; the owner logs a warning
//	damaged                         the same: the checksum of an event is wrong
//	of another log                  the same: the id of the topic differs
//	ahead of the log, or of a log   the same: the latest event is not at its offset in the log
//	  that was cut
//	without an earlier event        the same: the next event of the log does not follow it
//	of an older format              the same
//	open in another process         that process may be suspended: the index is kept in memory,
//	                                rebuilt from the whole log, and the file is left alone
//
// # Trust in the file
//
// A user who can write the file can also mend its checksums. So an owner uses no part of it that
// the heads of the log do not confirm. Each head has the rolling digest of its stream (frame.go).
// Load computes the digest of every stream, and Check compares them with all heads. From then on
// the digests and the places of all ids are in memory, and a read of a stream, or of an event by
// its id, checks the digest of the whole stream. The same holds for the last events of streams, of
// which heads are made.
//
// The offsets of events are not confirmed. No decision depends on them.
package index

import (
	"errors"
	"fmt"
	"sync"

	"github.com/google/uuid"

	"example.com/blotter/labs/kit/contract"
)

var (
	// ErrUnusable is wrapped by the error of an index that has to be rebuilt from the log.
	ErrUnusable = errors.New("index is unusable")
	// ErrCannotTell is the error of an append that needs the answer of an unusable index.
	ErrCannotTell = errors.New("the index of another partition is being rebuilt")

	// ErrDiffers is wrapped by the error of an index that has right checksums, and other events
	// than the log.
	ErrDiffers = errors.New("it differs from the log")
	// ErrBehind is the error of an index that lacks events of which there are heads.
	ErrBehind = errors.New("heads are ahead of the index")

	errInUse      = errors.New("another process has it open")
	errRebuilding = fmt.Errorf("%w: it is being rebuilt", ErrUnusable)
	errNotServed  = errors.New("the partition is not served here")
)

// Options describe the index of one partition.
type Options struct {
	Dir       string // folder of the file; empty keeps the index in memory
	Prefix    string // the name of the log, which begins the name of the file
	Partition int32
	Log       string // identifies the partition; a file with another value is unusable
	Unwritten int    // events that are written at a time; the file may lack as many
	Codec     Codec  // for the events in the file
}

// A Codec writes events to the file and reads them back.
type Codec interface {
	AppendEvent(dst []byte, e contract.Recorded) []byte
	ParseEvent(data []byte, at contract.Position) (contract.Recorded, error)
}

// An Index is the index of all partitions. Partitions that this process does not own answer
// nothing.
type Index struct {
	Partitions []*Partition

	mu       sync.Mutex
	reserved map[uuid.UUID]string // ids of appends in flight, and their streams
}

// New returns an index without events. Each partition has its own options.
func New(partitions int32, options func(partition int32) Options) *Index {
	ix := &Index{reserved: map[uuid.UUID]string{}}
	for p := range partitions {
		ix.Partitions = append(ix.Partitions, newPartition(options(p)))
	}
	return ix
}

// Find returns the event with an id from the partitions that are served here. ErrCannotTell means
// that the id was not found and that the index of some partition is unusable.
func (ix *Index) Find(id uuid.UUID) (e contract.Recorded, ok bool, err error) {
	for _, p := range ix.Partitions {
		if p.lacks(id) {
			continue
		}
		e, ok, unfit := p.Find(id)
		if ok {
			return e, true, nil
		}
		if unfit != nil && unfit != errNotServed {
			err = ErrCannotTell
		}
	}
	return contract.Recorded{}, false, err
}

// Reserve keeps the ids of events for one append, so that no other partition writes one of them at
// the same time. It does not look for the ids: call Find AFTER it. The error of an id that is taken
// is *contract.ReusedError.
func (ix *Index) Reserve(events []contract.Event) error {
	ix.mu.Lock()
	defer ix.mu.Unlock()
	for _, e := range events {
		if stream, taken := ix.reserved[e.ID]; taken {
			return &contract.ReusedError{ID: e.ID, Stream: stream}
		}
	}
	for _, e := range events {
		ix.reserved[e.ID] = e.Stream
	}
	return nil
}

// Release ends the reservation of the ids of events.
func (ix *Index) Release(events []contract.Event) {
	ix.mu.Lock()
	defer ix.mu.Unlock()
	for _, e := range events {
		delete(ix.reserved, e.ID)
	}
}

// CheckNext returns an error unless e can follow a stream that has the given version.
func CheckNext(e contract.Recorded, version int64, ended bool) error {
	what := ""
	switch {
	case e.Version != version+1:
		what = fmt.Sprintf("%s has version %d here, want %d", e.Stream, e.Version, version+1)
	case ended:
		what = fmt.Sprintf("%s ended at version %d, and goes on here", e.Stream, version)
	default:
		return nil
	}
	return &contract.DamagedError{Position: e.Position, What: what}
}
