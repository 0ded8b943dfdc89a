// Package store holds the decision that the adapters of Lab 2 share: it answers an append, and says
// whether to write. It is pure. An adapter calls it where no other writer can change the log: under
// its lock, in its transaction, or as the only owner of the partition.
package store

import (
	"fmt"

	"github.com/google/uuid"

	"example.com/blotter/labs/kit/contract"
)

// Known is the part of the log that a decision needs.
type Known interface {
	// Version returns the version of a stream, 0 for an unknown stream, and whether it has ended.
	Version(stream string) (version int64, ended bool)
	// Outcome returns the outcome of an id. It reports whether the id is recorded.
	Outcome(id uuid.UUID) (Outcome, bool)
}

// An Outcome is the record of one event id.
type Outcome struct {
	Stream  string
	Digest  [32]byte // Event.ContentDigest
	Receipt contract.Receipt
	Group   uuid.UUID // Event.AppendGroup
}

// Validate returns an error for a batch that every store refuses. It wraps contract.ErrInvalid.
func Validate(stream string, events []contract.Event) error {
	if len(events) == 0 {
		return fmt.Errorf("%w: empty batch for stream %q", contract.ErrInvalid, stream)
	}
	var seen map[uuid.UUID]bool
	if len(events) > 1 {
		seen = make(map[uuid.UUID]bool, len(events))
	}
	for i := range events {
		e := &events[i]
		if err := e.Validate(); err != nil {
			return err
		}
		if e.Stream != stream {
			return fmt.Errorf("%w %s: its stream is %q, but it is appended to %q",
				contract.ErrInvalid, e.ID, e.Stream, stream)
		}
		if seen[e.ID] {
			return fmt.Errorf("%w %s: its id occurs twice in the batch", contract.ErrInvalid, e.ID)
		}
		if e.Ends && i < len(events)-1 {
			return fmt.Errorf("%w %s: it ends stream %s, but another event follows",
				contract.ErrInvalid, e.ID, stream)
		}
		if seen != nil {
			seen[e.ID] = true
		}
	}
	return nil
}

// Decide decides the append of a valid batch. It returns one of three answers:
//   - receipts: the batch is recorded already, so there is nothing to write;
//   - an error: there is nothing to write;
//   - neither: the caller writes the events after the version of the stream.
//
// Decide looks up the ids BEFORE it compares versions. A retry expects the version of its first
// time, and must not conflict with itself.
func Decide(
	known Known, stream string, expected int64, events []contract.Event,
) ([]contract.Receipt, error) {
	receipts, err := recorded(known, events)
	if err != nil || receipts != nil {
		return receipts, err
	}
	return nil, fits(known, stream, expected)
}

// fits returns the error of an append of new events that the stream cannot take.
func fits(known Known, stream string, expected int64) error {
	actual, ended := known.Version(stream)
	switch {
	case ended:
		return &contract.EndedError{Stream: stream, Version: actual}
	case expected != contract.Any && expected != actual:
		return &contract.ConflictError{Stream: stream, Expected: expected, Actual: actual}
	}
	return nil
}

// recorded returns the receipts of a batch that is recorded whole, and nil for a batch of new
// events.
func recorded(known Known, events []contract.Event) ([]contract.Receipt, error) {
	var receipts []contract.Receipt
	for i := range events {
		was, ok, err := lookUp(known, &events[i])
		if err != nil {
			return nil, err
		}
		if ok {
			receipts = append(receipts, was.Receipt)
		}
	}
	if len(receipts) == 0 {
		return nil, nil
	}
	if err := partial(len(receipts), len(events)); err != nil {
		return nil, err
	}
	return receipts, nil
}

// lookUp returns the outcome of an event's id, and reports whether it is recorded. The error of an
// id that other content has taken is *contract.ReusedError.
func lookUp(known Known, e *contract.Event) (was Outcome, ok bool, err error) {
	was, ok = known.Outcome(e.ID)
	if ok && was.Digest != e.ContentDigest() {
		return was, true, &contract.ReusedError{ID: e.ID, Stream: was.Stream}
	}
	return was, ok, nil
}

// partial returns contract.ErrPartial unless all events are recorded.
func partial(found, events int) error {
	if found == events {
		return nil
	}
	return fmt.Errorf("%w: %d of %d events", contract.ErrPartial, found, events)
}
