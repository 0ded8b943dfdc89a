// Package store is what the adapters of Lab 2 share: the decision what an append comes to. It is pure; an adapter calls it where
// nobody else can change what it looks at (under its lock, in its transaction, as the partition's only owner).
package store

import (
	"fmt"

	"github.com/google/uuid"

	"example.com/blotter/labs/kit/contract"
)

// Known is what a decision asks of the log.
type Known interface {
	// Version of a stream, 0 if it does not exist, and whether it has ended.
	Version(stream string) (version int64, ended bool)
	// Outcome of an id, and whether it is recorded at all.
	Outcome(id uuid.UUID) (Outcome, bool)
}

// An Outcome is what an id came to.
type Outcome struct {
	Stream  string
	Digest  [32]byte // Event.ContentDigest
	Receipt contract.Receipt
}

// Validate says what makes a batch one that no store takes. The error wraps contract.ErrInvalid.
func Validate(stream string, events []contract.Event) error {
	if len(events) == 0 {
		return fmt.Errorf("%w: a batch of nothing for stream %q", contract.ErrInvalid, stream)
	}
	seen := make(map[uuid.UUID]bool, len(events))
	for i, e := range events {
		if err := e.Validate(); err != nil {
			return err
		}
		if e.Stream != stream {
			return fmt.Errorf("%w %s: its stream is %q, and it is appended to %q", contract.ErrInvalid, e.ID, e.Stream, stream)
		}
		if seen[e.ID] {
			return fmt.Errorf("%w %s: its id is twice in one batch", contract.ErrInvalid, e.ID)
		}
		if e.Ends && i < len(events)-1 {
			return fmt.Errorf("%w %s: it ends stream %s, and another event follows", contract.ErrInvalid, e.ID, stream)
		}
		seen[e.ID] = true
	}
	return nil
}

// Decide says what an append of a valid batch comes to: the receipts of the first time, with nothing to write; an error,
// with nothing to write; or neither, and the events are to be written behind the stream's version.
//
// Ids come before versions: a retry expects the version of its first time, and must not be told of a conflict with itself.
func Decide(known Known, stream string, expected int64, events []contract.Event) ([]contract.Receipt, error) {
	receipts, err := recorded(known, events)
	if err != nil || receipts != nil {
		return receipts, err
	}
	actual, ended := known.Version(stream)
	switch {
	case ended:
		return nil, &contract.EndedError{Stream: stream, Version: actual}
	case expected != contract.Any && expected != actual:
		return nil, &contract.ConflictError{Stream: stream, Expected: expected, Actual: actual}
	}
	return nil, nil
}

// recorded is the receipts of a batch that is recorded as a whole, and nil for one of which nothing is.
func recorded(known Known, events []contract.Event) ([]contract.Receipt, error) {
	var receipts []contract.Receipt
	for _, e := range events {
		was, ok := known.Outcome(e.ID)
		if !ok {
			continue
		}
		if was.Digest != e.ContentDigest() {
			return nil, &contract.ReusedError{ID: e.ID, Stream: was.Stream}
		}
		receipts = append(receipts, was.Receipt)
	}
	if len(receipts) > 0 && len(receipts) < len(events) {
		return nil, fmt.Errorf("%w: %d of %d events", contract.ErrPartial, len(receipts), len(events))
	}
	return receipts, nil
}
