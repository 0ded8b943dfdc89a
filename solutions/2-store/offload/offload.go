// Package offload stores payloads that are too large for a log in object storage.
//
//	             appended         in the log             in object storage
//	Data         prefix, body     prefix                 body, under its SHA-256
//	BodyDigest   none             SHA-256 of the body
//
// The prefix is the bytes before the Avro body in the Confluent wire format (contract.Event.Data).
// Only the body is offloaded, so an event that comes again with the schema id of another registry
// finds its payload stored already.
//
// A payload is stored BEFORE its event is appended. A failure of one of the two writes means:
//
//	write that failed    landed   state after it
//	object               no       unchanged; the caller gets an error, and may append the same
//	                              events again
//	object               yes      an object that no event refers to, until the retry or for ever.
//	                              It does little harm. This package never removes it: that would
//	                              require knowledge of every append in flight
//	append               no       the same
//	append, no answer    yes      event and payload; the same events again get the receipts
//
// The place of a payload is no part of the event: content digest and audit leaf are the same with
// the payload in the log and outside of it. So the limit may change at any time, the log can be
// sealed and verified without object storage, and a reader of the Store sees each event as it was
// appended.
package offload

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/google/uuid"

	"example.com/blotter/labs/kit/contract"
	store "example.com/blotter/solutions/2-store"
)

// Store is a store whose large payloads are in object storage. It is safe for concurrent use if the
// log and the object storage are.
type Store struct {
	contract.Store // the log; End and Frontier are its own
	blobs          contract.Blobs
	limit          int
}

var (
	_ contract.Atomic  = (*Store)(nil)
	_ contract.Resumer = (*Store)(nil)
)

// prefix is the number of bytes of Data before the Avro body.
const prefix = 5

// Wrap returns a store that offloads bodies of more than limit bytes into blobs, and appends the
// other bodies to the log. Bodies that the log cannot hold (contract.MaxData) are offloaded
// under any limit.
func Wrap(log contract.Store, blobs contract.Blobs, limit int) *Store {
	return &Store{log, blobs, min(limit, contract.MaxData-prefix)}
}

// Append stores the large payloads, then appends. It stores nothing for an invalid batch.
func (s *Store) Append(
	ctx context.Context, stream string, expected int64, events ...contract.Event,
) ([]contract.Receipt, error) {
	offloaded, err := s.offloadAll(events)
	if err == nil {
		err = store.Validate(stream, offloaded)
	}
	if err == nil {
		err = s.putAll(ctx, offloaded, events)
	}
	if err != nil {
		return nil, err
	}
	// Each payload is durable. A crash here leaves objects that no event refers to.
	return s.Store.Append(ctx, stream, expected, offloaded...)
}

// AppendAll does the same for several streams. If the log is not contract.Atomic, the error is
// errors.ErrUnsupported.
func (s *Store) AppendAll(
	ctx context.Context, appends []contract.StreamAppend, guards ...contract.Guard,
) ([][]contract.Receipt, error) {
	log, ok := s.Store.(contract.Atomic)
	if !ok {
		return nil, fmt.Errorf("append to several streams at once: %w", errors.ErrUnsupported)
	}
	offloaded := slices.Clone(appends)
	for i, a := range appends {
		var err error
		if offloaded[i].Events, err = s.offloadAll(a.Events); err != nil {
			return nil, err
		}
	}
	if err := store.ValidateAll(appends, guards); err != nil { // with the size of the payloads
		return nil, err
	}
	for i, a := range appends {
		if err := s.putAll(ctx, offloaded[i].Events, a.Events); err != nil {
			return nil, err
		}
	}
	// Each payload is durable. A crash here leaves objects that no event refers to.
	return log.AppendAll(ctx, offloaded, guards...)
}

// Together implements contract.Atomic.
func (s *Store) Together(streams ...string) bool {
	log, ok := s.Store.(contract.Atomic)
	return ok && log.Together(streams...)
}

// offloadAll returns events in the form that the log records, before any payload is stored.
func (s *Store) offloadAll(events []contract.Event) ([]contract.Event, error) {
	offloaded := make([]contract.Event, len(events))
	for i, e := range events {
		if e.Offloaded() {
			return nil, fmt.Errorf("%w %s: BodyDigest is set, but only the store may offload a "+
				"payload",
				contract.ErrInvalid, e.ID)
		}
		if n := len(e.Data) - prefix; n > contract.MaxOffload {
			return nil, fmt.Errorf("%w %s: its payload has %d bytes, the maximum is %d",
				contract.ErrInvalid, e.ID, n, contract.MaxOffload)
		}
		offloaded[i] = s.offload(e)
	}
	return offloaded, nil
}

// putAll stores the payloads of offloaded events.
func (s *Store) putAll(ctx context.Context, offloaded, events []contract.Event) error {
	for i, e := range offloaded {
		if !e.Offloaded() {
			continue
		}
		if err := s.put(ctx, e.BodyDigest, events[i].Data[prefix:]); err != nil {
			return fmt.Errorf("store the payload of event %s: %w", e.ID, err)
		}
	}
	return nil
}

// offload returns e in the form that the log records: without its body if that is over the limit.
func (s *Store) offload(e contract.Event) contract.Event {
	if len(e.Data)-prefix > s.limit {
		e.BodyDigest = sha256.Sum256(e.Data[prefix:])
		e.Data = e.Data[:prefix:prefix]
	}
	return e
}

func (s *Store) put(ctx context.Context, digest [32]byte, body []byte) error {
	stored, err := s.blobs.Put(ctx, body)
	if err == nil && stored != digest {
		err = fmt.Errorf("object storage stored it under %x, but its digest is %x", stored, digest)
	}
	return err
}

// Find returns an event with its payload.
func (s *Store) Find(ctx context.Context, id uuid.UUID) (contract.Recorded, error) {
	r, err := s.Store.Find(ctx, id)
	if err != nil {
		return r, err
	}
	return s.fetch(ctx, r)
}

// Stream yields the events of a stream with their payloads.
func (s *Store) Stream(ctx context.Context, stream string) iter.Seq2[contract.Recorded, error] {
	return s.fetchAll(ctx, s.Store.Stream(ctx, stream))
}

// StreamFrom yields the rest of a stream with its payloads.
func (s *Store) StreamFrom(
	ctx context.Context, stream string, version int64,
) iter.Seq2[contract.Recorded, error] {
	return s.fetchAll(ctx, contract.StreamFrom(ctx, s.Store, stream, version))
}

// Read yields a range of the feed with its payloads.
func (s *Store) Read(
	ctx context.Context, from, to contract.Cursor,
) iter.Seq2[contract.Recorded, error] {
	return s.fetchAll(ctx, s.Store.Read(ctx, from, to))
}

// Follow yields the feed with its payloads.
func (s *Store) Follow(
	ctx context.Context, from contract.Cursor,
) iter.Seq2[contract.Recorded, error] {
	return s.fetchAll(ctx, s.Store.Follow(ctx, from))
}

// fetchAll ends at the first event whose payload cannot be fetched. To skip that event would be to
// tell another history.
func (s *Store) fetchAll(
	ctx context.Context, events iter.Seq2[contract.Recorded, error],
) iter.Seq2[contract.Recorded, error] {
	return func(yield func(contract.Recorded, error) bool) {
		for r, err := range events {
			if err == nil {
				r, err = s.fetch(ctx, r)
			}
			if !yield(r, err) || err != nil {
				return
			}
		}
	}
}

// fetch returns r with its payload. The payload is the one that was appended; otherwise the error
// is a *contract.OffloadError.
func (s *Store) fetch(ctx context.Context, r contract.Recorded) (contract.Recorded, error) {
	if !r.Offloaded() {
		return r, nil
	}
	if len(r.Data) != prefix {
		return contract.Recorded{}, &contract.DamagedError{Position: r.Position, What: fmt.Sprintf(
			"version %d of %s has %d bytes of data beside its offloaded payload, want %d",
			r.Version, r.Stream, len(r.Data), prefix)}
	}
	bad := &contract.OffloadError{
		ID: r.ID, Stream: r.Stream, Version: r.Version, Position: r.Position, Digest: r.BodyDigest,
	}
	body, err := s.blobs.Get(ctx, r.BodyDigest)
	if errors.Is(err, contract.ErrNoBlob) {
		return contract.Recorded{}, bad
	}
	if err != nil {
		return contract.Recorded{}, fmt.Errorf("fetch the payload of event %s (stream %s, "+
			"version %d): %w",
			r.ID, r.Stream, r.Version, err)
	}
	if found := sha256.Sum256(body); found != r.BodyDigest {
		bad.Found = &found
		return contract.Recorded{}, bad
	}
	r.Data, r.BodyDigest = append(r.Data[:prefix:prefix], body...), [32]byte{}
	return r, nil
}
