package store

import (
	"context"
	"fmt"
	"iter"

	"github.com/google/uuid"

	"example.com/blotter/labs/kit/contract"
)

// Claims is a store that keeps what is too large for its log in object storage: the claim check of message systems. The log beneath
// has the digest in place of the body.
type Claims struct {
	contract.Store // the log beneath; it tells End and Frontier
	blobs          contract.Blobs
	limit          int
}

var _ contract.Store = (*Claims)(nil)

// wireHead is the bytes of Data before the Avro body. They stay in the log.
const wireHead = 5

// NewClaims keeps bodies of more than limit bytes in blobs. A limit above what the log takes means that.
func NewClaims(log contract.Store, blobs contract.Blobs, limit int) *Claims {
	return &Claims{log, blobs, min(limit, contract.MaxData-wireHead)}
}

// Append keeps large payloads, then appends.
func (c *Claims) Append(ctx context.Context, stream string, expected int64, events ...contract.Event) ([]contract.Receipt, error) {
	if err := claimable(stream, events); err != nil {
		return nil, err
	}
	claimed := make([]contract.Event, len(events))
	for i, e := range events {
		var err error
		if claimed[i], err = c.claim(ctx, e); err != nil {
			return nil, err
		}
	}
	return c.Store.Append(ctx, stream, expected, claimed...)
}

// claimable is validate of events whose bodies may be larger than the log takes, so that nothing is kept for a batch that no
// log will take.
func claimable(stream string, events []contract.Event) error {
	headed := make([]contract.Event, len(events))
	for i, e := range events {
		switch n := len(e.Data) - wireHead; {
		case e.Claimed():
			return fmt.Errorf("%w %s: a claim is the store's to make", contract.ErrInvalid, e.ID)
		case n > contract.MaxClaim:
			return fmt.Errorf("%w %s: its body has %d bytes, at most %d go in", contract.ErrInvalid, e.ID, n, contract.MaxClaim)
		}
		headed[i] = e
		headed[i].Data = e.Data[:min(wireHead, len(e.Data))]
	}
	return validate(stream, headed)
}

// Find is the event with this id, with its payload.
func (c *Claims) Find(ctx context.Context, id uuid.UUID) (contract.Recorded, error) {
	e, err := c.Store.Find(ctx, id)
	if err != nil {
		return e, err
	}
	return c.redeem(ctx, e)
}

// Stream is the events of one stream, with their payloads.
func (c *Claims) Stream(ctx context.Context, stream string) iter.Seq2[contract.Recorded, error] {
	return c.redeemed(ctx, c.Store.Stream(ctx, stream))
}

// Read is every event in [from, to), with its payload.
func (c *Claims) Read(ctx context.Context, from, to contract.Cursor) iter.Seq2[contract.Recorded, error] {
	return c.redeemed(ctx, c.Store.Read(ctx, from, to))
}

// Follow is every event from the cursor on, with its payload.
func (c *Claims) Follow(ctx context.Context, from contract.Cursor) iter.Seq2[contract.Recorded, error] {
	return c.redeemed(ctx, c.Store.Follow(ctx, from))
}

func (c *Claims) redeemed(ctx context.Context, events iter.Seq2[contract.Recorded, error]) iter.Seq2[contract.Recorded, error] {
	return func(yield func(contract.Recorded, error) bool) {
		for e, err := range events {
			if err == nil {
				e, err = c.redeem(ctx, e)
			}
			if !yield(e, err) || err != nil {
				return
			}
		}
	}
}
