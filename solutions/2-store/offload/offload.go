// Package offload keeps payloads that are too large for a log in object storage.
//
//	         appended        in the log                  in object storage
//	data     head, body      head                        body, under its SHA-256
//	offload    none            SHA-256 of the body
//
// The head is what stands before the Avro body in the Confluent wire format (contract.Event.Data). The body alone is kept, so an event
// that comes again with another registry's id finds its payload there already.
//
// A payload is kept BEFORE its event is appended. What a failure leaves:
//
//	the write       landed   left behind
//	object          no       nothing; the caller gets an error, and the same events again are as the first time
//	object          yes      an object that no event offloads, for good or until the retry; it is small harm, and never removed here:
//	                         whoever removes objects must know of every append under way
//	append          no       the same
//	append, untold  yes      the event and its payload; the same events again give the receipts
//
// A offload is no part of what an event says: the content digest and the audit's leaf are the same with the payload in the log and outside
// of it. So the limit may change at any time, who seals or verifies the log can do so without object storage, and
// what is read through Check is what was appended.
package offload

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"iter"

	"github.com/google/uuid"

	"example.com/blotter/labs/kit/contract"
	store "example.com/blotter/solutions/2-store"
)

// Store is a store whose large payloads are in object storage. It is as safe for concurrent use as what it is made of.
type Store struct {
	contract.Store // End and Frontier are the log's
	blobs          contract.Blobs
	limit          int
}

var _ contract.Store = (*Store)(nil)

// head is the bytes of data before the Avro body.
const head = 5

// Check puts bodies of more than limit bytes into blobs, and the rest into the log; bodies that the log does not take
// (contract.MaxData) go there whatever the limit is.
func Wrap(s contract.Store, blobs contract.Blobs, limit int) *Store {
	return &Store{s, blobs, min(limit, contract.MaxData-head)}
}

// Append keeps the payloads that are large, then appends. Nothing is kept for events that no store takes.
func (c *Store) Append(ctx context.Context, stream string, expected int64, events ...contract.Event) ([]contract.Receipt, error) {
	stored := make([]contract.Event, len(events))
	for i, e := range events {
		if e.Offloaded() {
			return nil, fmt.Errorf("%w %s: a offload is for the store to make", contract.ErrInvalid, e.ID)
		}
		if n := len(e.Data) - head; n > contract.MaxOffload {
			return nil, fmt.Errorf("%w %s: its payload has %d bytes, at most %d can be kept", contract.ErrInvalid, e.ID, n, contract.MaxOffload)
		}
		stored[i] = c.offloaded(e)
	}
	if err := store.Validate(stream, stored); err != nil {
		return nil, err
	}
	for i, e := range stored {
		if !e.Offloaded() {
			continue
		}
		if err := c.keep(ctx, e.BodyDigest, events[i].Data[head:]); err != nil {
			return nil, fmt.Errorf("keep the payload of event %s: %w", e.ID, err)
		}
	}
	// Each payload is durable. A crash here leaves them inline.
	return c.Store.Append(ctx, stream, expected, stored...)
}

// offloaded is e as it goes into the log.
func (c *Store) offloaded(e contract.Event) contract.Event {
	if len(e.Data)-head > c.limit {
		e.BodyDigest = sha256.Sum256(e.Data[head:])
		e.Data = e.Data[:head:head]
	}
	return e
}

func (c *Store) keep(ctx context.Context, digest [32]byte, body []byte) error {
	kept, err := c.blobs.Put(ctx, body)
	if err == nil && kept != digest {
		err = fmt.Errorf("object storage keeps it under %x, and its digest is %x", kept, digest)
	}
	return err
}

// Find is the event with its payload.
func (c *Store) Find(ctx context.Context, id uuid.UUID) (contract.Recorded, error) {
	r, err := c.Store.Find(ctx, id)
	if err != nil {
		return r, err
	}
	return c.fetched(ctx, r)
}

// Stream is the events of a stream with their payloads.
func (c *Store) Stream(ctx context.Context, stream string) iter.Seq2[contract.Recorded, error] {
	return c.each(ctx, c.Store.Stream(ctx, stream))
}

// Read is a range of the feed with its payloads.
func (c *Store) Read(ctx context.Context, from, to contract.Cursor) iter.Seq2[contract.Recorded, error] {
	return c.each(ctx, c.Store.Read(ctx, from, to))
}

// Follow is the feed with its payloads.
func (c *Store) Follow(ctx context.Context, from contract.Cursor) iter.Seq2[contract.Recorded, error] {
	return c.each(ctx, c.Store.Follow(ctx, from))
}

// each ends at the first event whose payload cannot be had: who goes on past it tells another history.
func (c *Store) each(ctx context.Context, events iter.Seq2[contract.Recorded, error]) iter.Seq2[contract.Recorded, error] {
	return func(yield func(contract.Recorded, error) bool) {
		for r, err := range events {
			if err == nil {
				r, err = c.fetched(ctx, r)
			}
			if !yield(r, err) || err != nil {
				return
			}
		}
	}
}

// fetched is r with its payload, which is what was appended or a *contract.OffloadError.
func (c *Store) fetched(ctx context.Context, r contract.Recorded) (contract.Recorded, error) {
	if !r.Offloaded() {
		return r, nil
	}
	if len(r.Data) != head {
		return contract.Recorded{}, &contract.DamagedError{Position: r.Position, What: fmt.Sprintf(
			"%s has %d bytes of data at version %d, and its payload is offloaded: want %d", r.Stream, len(r.Data), r.Version, head)}
	}
	bad := &contract.OffloadError{ID: r.ID, Stream: r.Stream, Version: r.Version, Position: r.Position, Digest: r.BodyDigest}
	body, err := c.blobs.Get(ctx, r.BodyDigest)
	if errors.Is(err, contract.ErrNoBlob) {
		return contract.Recorded{}, bad
	}
	if err != nil {
		return contract.Recorded{}, fmt.Errorf("fetch the payload of event %s (stream %s, version %d): %w", r.ID, r.Stream, r.Version, err)
	}
	if found := sha256.Sum256(body); found != r.BodyDigest {
		bad.Found = &found
		return contract.Recorded{}, bad
	}
	r.Data, r.BodyDigest = append(r.Data[:head:head], body...), [32]byte{}
	return r, nil
}
