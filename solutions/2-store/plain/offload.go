package store

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"

	"example.com/blotter/labs/kit/contract"
)

// offload returns e in the form that the log records. If the body is over the limit, it is left out
// and its digest is recorded instead. The body is stored BEFORE the event commits. A crash between
// the two leaves an object that no event refers to, and the retry finds it there.
func (s *OffloadingStore) offload(ctx context.Context, e contract.Event) (contract.Event, error) {
	body := e.Data[prefix:]
	if len(body) <= s.limit {
		return e, nil
	}
	digest, err := s.blobs.Put(ctx, body)
	if err != nil {
		return e, fmt.Errorf("store the payload of %s: %w", e.ID, err)
	}
	e.Data, e.BodyDigest = e.Data[:prefix], digest
	return e, nil
}

// fetch returns e as it was appended. It compares the fetched bytes with the digest each time: the
// object may be missing, or replaced.
func (s *OffloadingStore) fetch(
	ctx context.Context, e contract.Recorded,
) (contract.Recorded, error) {
	if !e.Offloaded() {
		return e, nil
	}
	bad := &contract.OffloadError{
		ID: e.ID, Stream: e.Stream, Version: e.Version, Position: e.Position, Digest: e.BodyDigest,
	}
	body, err := s.blobs.Get(ctx, e.BodyDigest)
	switch {
	case errors.Is(err, contract.ErrNoBlob):
		return contract.Recorded{}, bad
	case err != nil: // this says nothing about the payload
		return contract.Recorded{}, fmt.Errorf("fetch the payload of %s: %w", e.ID, err)
	}
	if found := sha256.Sum256(body); found != e.BodyDigest {
		bad.Found = &found
		return contract.Recorded{}, bad
	}
	e.Data, e.BodyDigest = slices.Concat(e.Data, body), [32]byte{}
	return e, nil
}
