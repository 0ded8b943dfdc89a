package store

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"

	"example.com/blotter/labs/kit/contract"
)

// offload gives e as it goes into the log: one whose body is over the limit without it, and with its digest instead. The body is kept
// BEFORE the event commits. A crash between the two leaves an object that nothing points to, and the retry finds it there.
func (c *OffloadingStore) offload(ctx context.Context, e contract.Event) (contract.Event, error) {
	body := e.Data[wireHead:]
	if len(body) <= c.limit {
		return e, nil
	}
	digest, err := c.blobs.Put(ctx, body)
	if err != nil {
		return e, fmt.Errorf("keep the payload of %s: %w", e.ID, err)
	}
	e.Data, e.BodyDigest = e.Data[:wireHead], digest
	return e, nil
}

// fetch gives e as it was appended. What object storage serves is held against the digest each time: it may be gone, or
// another.
func (c *OffloadingStore) fetch(ctx context.Context, e contract.Recorded) (contract.Recorded, error) {
	if !e.Offloaded() {
		return e, nil
	}
	bad := &contract.OffloadError{ID: e.ID, Stream: e.Stream, Version: e.Version, Position: e.Position, Digest: e.BodyDigest}
	body, err := c.blobs.Get(ctx, e.BodyDigest)
	switch {
	case errors.Is(err, contract.ErrNoBlob):
		return contract.Recorded{}, bad
	case err != nil: // no verdict on the payload
		return contract.Recorded{}, fmt.Errorf("fetch the payload of %s: %w", e.ID, err)
	}
	if found := sha256.Sum256(body); found != e.BodyDigest {
		bad.Found = &found
		return contract.Recorded{}, bad
	}
	e.Data, e.BodyDigest = slices.Concat(e.Data, body), [32]byte{}
	return e, nil
}
