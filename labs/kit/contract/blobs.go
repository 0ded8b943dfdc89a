package contract

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
)

// Blobs is object storage as a log uses it: what is kept is found by what it is (Lab 2).
//
// Invariants:
//
//	L2.I11  what Put acknowledged is there after any crash, and Get gives it under its digest
//	L2.I12  Put of what is there already is no error, so a retry needs no care
type Blobs interface {
	// Put keeps data and gives the SHA-256 that it is found by. Where something else is found under that digest, it is
	// replaced: it was damaged.
	Put(ctx context.Context, data []byte) (digest [32]byte, err error)
	// Get is what is kept under a digest, or ErrNoBlob. It is as it was found, of at most MaxOffload+1 bytes: whoever asks
	// compares its digest.
	Get(ctx context.Context, digest [32]byte) ([]byte, error)
}

// ErrNoBlob is wrapped by the error of Blobs.Get where nothing is kept.
var ErrNoBlob = errors.New("no object under this digest")

// A OffloadError is a recorded event whose payload is gone from object storage, or is not what was put there (L2.I13). A reader
// yields it where it meets the event, and ends there.
type OffloadError struct {
	ID       uuid.UUID
	Stream   string
	Version  int64
	Position Position
	Digest   [32]byte  // of the payload, as the log has it
	Found    *[32]byte // of what is there; nil: there is nothing
}

func (e *OffloadError) Error() string {
	return fmt.Sprintf("event %s (stream %s, version %d, position %s): %s", e.ID, e.Stream, e.Version, e.Position, e.what())
}

// Unwrap makes it a kind of damage: whoever can name a damaged place of the log can name this one.
func (e *OffloadError) Unwrap() error { return &DamagedError{Position: e.Position, What: e.what()} }

func (e *OffloadError) what() string {
	if e.Found == nil {
		return fmt.Sprintf("its payload %x is gone from object storage", e.Digest)
	}
	return fmt.Sprintf("in place of its payload %x object storage has one with the digest %x", e.Digest, *e.Found)
}
