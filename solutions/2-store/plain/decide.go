package store

import (
	"fmt"

	"github.com/google/uuid"

	"example.com/blotter/labs/kit/contract"
)

// Decide decides the append of a valid batch. It returns one of three answers:
//   - receipts: the batch is recorded already, so there is nothing to write;
//   - an error: there is nothing to write;
//   - neither: the caller writes the events after the last event of the stream.
//
// Decide is pure. find returns the recorded event with an id, if there is one. last is the stream's
// last event, the zero value for an unknown stream.
//
// Decide looks up the ids BEFORE it compares versions. A retry expects the version of its first
// time, and must not conflict with itself.
func Decide(
	find func(uuid.UUID) (contract.Recorded, bool), last contract.Recorded,
	expected int64, events []contract.Event,
) ([]contract.Receipt, error) {
	var receipts []contract.Receipt
	for _, e := range events {
		was, ok := find(e.ID)
		if !ok {
			continue
		}
		if was.ContentDigest() != e.ContentDigest() {
			return nil, &contract.ReusedError{ID: e.ID, Stream: was.Stream}
		}
		receipts = append(receipts, receipt(was))
	}
	switch {
	case len(receipts) == len(events):
		return receipts, nil
	case len(receipts) > 0:
		return nil, fmt.Errorf("%w: %d of %d events", contract.ErrPartial, len(receipts),
			len(events))
	case last.Ends:
		return nil, &contract.EndedError{Stream: last.Stream, Version: last.Version}
	case expected != contract.Any && expected != last.Version:
		stream := events[0].Stream
		return nil, &contract.ConflictError{
			Stream:   stream,
			Expected: expected,
			Actual:   last.Version,
		}
	}
	return nil, nil
}
