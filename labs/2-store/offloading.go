// Code generated from solutions/2-store/plain/offloading.go by make generate; DO NOT EDIT.

package store

import (
	"context"
	"fmt"
	"iter"

	"github.com/google/uuid"

	"example.com/blotter/labs/kit/contract"
)

// OffloadingStore stores payloads that are too large for its log in object storage. Message systems
// call this pattern "claim check". The log holds the digest in place of the body.
type OffloadingStore struct {
	contract.Store // the log; End and Frontier are its own
	blobs          contract.Blobs
	limit          int
}

var _ contract.Store = (*OffloadingStore)(nil)

// prefix is the number of bytes of Data before the Avro body. They stay in the log.
const prefix = 5

// NewOffloadingStore stores bodies of more than limit bytes in blobs. A limit above
// contract.MaxData is lowered to it.
func NewOffloadingStore(log contract.Store, blobs contract.Blobs, limit int) *OffloadingStore {
	return &OffloadingStore{log, blobs, min(limit, contract.MaxData-prefix)}
}

// Append stores the large payloads, then appends.
func (s *OffloadingStore) Append(
	ctx context.Context, stream string, expected int64, events ...contract.Event,
) ([]contract.Receipt, error) {
	if err := validateUnlimited(stream, events); err != nil {
		return nil, err
	}
	offloaded := make([]contract.Event, len(events))
	for i, e := range events {
		var err error
		if offloaded[i], err = s.offload(ctx, e); err != nil {
			return nil, err
		}
	}
	return s.Store.Append(ctx, stream, expected, offloaded...)
}

// validateUnlimited validates a batch whose bodies may be larger than the log can hold, so that
// nothing is stored for an invalid batch.
func validateUnlimited(stream string, events []contract.Event) error {
	prefixes := make([]contract.Event, len(events))
	for i, e := range events {
		switch n := len(e.Data) - prefix; {
		case e.Offloaded():
			return fmt.Errorf("%w %s: BodyDigest is set, but only the store may offload a payload",
				contract.ErrInvalid, e.ID)
		case n > contract.MaxOffload:
			return fmt.Errorf("%w %s: its payload has %d bytes, the maximum is %d",
				contract.ErrInvalid, e.ID, n, contract.MaxOffload)
		}
		prefixes[i] = e
		prefixes[i].Data = e.Data[:min(prefix, len(e.Data))]
	}
	return validate(stream, prefixes)
}

// Find returns the event with this id, with its payload.
func (s *OffloadingStore) Find(ctx context.Context, id uuid.UUID) (contract.Recorded, error) {
	e, err := s.Store.Find(ctx, id)
	if err != nil {
		return e, err
	}
	return s.fetch(ctx, e)
}

// Stream yields the events of one stream, with their payloads.
func (s *OffloadingStore) Stream(
	ctx context.Context, stream string,
) iter.Seq2[contract.Recorded, error] {
	return s.withPayloads(ctx, s.Store.Stream(ctx, stream))
}

// Read yields every event in [from, to), with its payload.
func (s *OffloadingStore) Read(
	ctx context.Context, from, to contract.Cursor,
) iter.Seq2[contract.Recorded, error] {
	return s.withPayloads(ctx, s.Store.Read(ctx, from, to))
}

// Follow yields every event from the cursor on, with its payload.
func (s *OffloadingStore) Follow(
	ctx context.Context, from contract.Cursor,
) iter.Seq2[contract.Recorded, error] {
	return s.withPayloads(ctx, s.Store.Follow(ctx, from))
}

// withPayloads ends at the first event whose payload cannot be fetched.
func (s *OffloadingStore) withPayloads(
	ctx context.Context, events iter.Seq2[contract.Recorded, error],
) iter.Seq2[contract.Recorded, error] {
	return func(yield func(contract.Recorded, error) bool) {
		for e, err := range events {
			if err == nil {
				e, err = s.fetch(ctx, e)
			}
			if !yield(e, err) || err != nil {
				return
			}
		}
	}
}
