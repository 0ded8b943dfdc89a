package store

import (
	"context"
	"fmt"
	"iter"

	"github.com/google/uuid"

	"example.com/blotter/labs/kit/contract"
)

// Offload is a store that keeps what is too large for its log in object storage: the claim check of message systems. The log beneath
// has the digest in place of the body.
type OffloadingStore struct {
	contract.Store // the log beneath; it tells End and Frontier
	blobs          contract.Blobs
	limit          int
}

var _ contract.Store = (*OffloadingStore)(nil)

// wireHead is the bytes of Data before the Avro body. They stay in the log.
const wireHead = 5

// NewOffloadingStore keeps bodies of more than limit bytes in blobs. A limit above what the log takes means that.
func NewOffloadingStore(log contract.Store, blobs contract.Blobs, limit int) *OffloadingStore {
	return &OffloadingStore{log, blobs, min(limit, contract.MaxData-wireHead)}
}

// Append keeps large payloads, then appends.
func (c *OffloadingStore) Append(ctx context.Context, stream string, expected int64, events ...contract.Event) ([]contract.Receipt, error) {
	if err := offloadable(stream, events); err != nil {
		return nil, err
	}
	offloaded := make([]contract.Event, len(events))
	for i, e := range events {
		var err error
		if offloaded[i], err = c.offload(ctx, e); err != nil {
			return nil, err
		}
	}
	return c.Store.Append(ctx, stream, expected, offloaded...)
}

// offloadable is validate of events whose bodies may be larger than the log takes, so that nothing is kept for a batch that no
// log will take.
func offloadable(stream string, events []contract.Event) error {
	headed := make([]contract.Event, len(events))
	for i, e := range events {
		switch n := len(e.Data) - wireHead; {
		case e.Offloaded():
			return fmt.Errorf("%w %s: a offload is the store's to make", contract.ErrInvalid, e.ID)
		case n > contract.MaxOffload:
			return fmt.Errorf("%w %s: its body has %d bytes, at most %d go in", contract.ErrInvalid, e.ID, n, contract.MaxOffload)
		}
		headed[i] = e
		headed[i].Data = e.Data[:min(wireHead, len(e.Data))]
	}
	return validate(stream, headed)
}

// Find is the event with this id, with its payload.
func (c *OffloadingStore) Find(ctx context.Context, id uuid.UUID) (contract.Recorded, error) {
	e, err := c.Store.Find(ctx, id)
	if err != nil {
		return e, err
	}
	return c.fetch(ctx, e)
}

// Stream is the events of one stream, with their payloads.
func (c *OffloadingStore) Stream(ctx context.Context, stream string) iter.Seq2[contract.Recorded, error] {
	return c.withBodies(ctx, c.Store.Stream(ctx, stream))
}

// Read is every event in [from, to), with its payload.
func (c *OffloadingStore) Read(ctx context.Context, from, to contract.Cursor) iter.Seq2[contract.Recorded, error] {
	return c.withBodies(ctx, c.Store.Read(ctx, from, to))
}

// Follow is every event from the cursor on, with its payload.
func (c *OffloadingStore) Follow(ctx context.Context, from contract.Cursor) iter.Seq2[contract.Recorded, error] {
	return c.withBodies(ctx, c.Store.Follow(ctx, from))
}

func (c *OffloadingStore) withBodies(ctx context.Context, events iter.Seq2[contract.Recorded, error]) iter.Seq2[contract.Recorded, error] {
	return func(yield func(contract.Recorded, error) bool) {
		for e, err := range events {
			if err == nil {
				e, err = c.fetch(ctx, e)
			}
			if !yield(e, err) || err != nil {
				return
			}
		}
	}
}
