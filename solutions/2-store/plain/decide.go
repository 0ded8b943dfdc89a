package store

import (
	"fmt"

	"github.com/google/uuid"

	"example.com/blotter/labs/kit/contract"
)

// Decide says what an append of a valid batch comes to: the receipts of the first time, with nothing to write; an error,
// with nothing to write; or neither, and the events are to be written behind the stream's last. It is pure: find tells of an id whether it
// is recorded, and last is the stream's last event, the zero value if there is none.
//
// Ids come before versions: a retry expects the version of its first time, and must not be told of a conflict with itself.
func Decide(find func(uuid.UUID) (contract.Recorded, bool), last contract.Recorded, expected int64, events []contract.Event) ([]contract.Receipt, error) {
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
		return nil, fmt.Errorf("%w: %d of %d events", contract.ErrPartial, len(receipts), len(events))
	case last.Ends:
		return nil, &contract.EndedError{Stream: last.Stream, Version: last.Version}
	case expected != contract.Any && expected != last.Version:
		return nil, &contract.ConflictError{Stream: events[0].Stream, Expected: expected, Actual: last.Version}
	}
	return nil, nil
}
