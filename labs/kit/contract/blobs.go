package contract

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
)

// Blobs is the object storage for offloaded payloads. An object is found by its SHA-256 (Lab 2).
//
// Invariants:
//
//	L2.I11  an object that Put acknowledged survives any crash, and Get returns it by its digest
//	L2.I12  Put of an object that exists is no error, so a retry is safe
type Blobs interface {
	// Put stores data and returns its SHA-256. If other bytes are stored under that digest, they
	// are damaged, and Put replaces them.
	Put(ctx context.Context, data []byte) (digest [32]byte, err error)
	// Get returns at most MaxOffload+1 bytes of the object under a digest, or ErrNoBlob. It returns
	// the bytes as found: the caller compares their digest.
	Get(ctx context.Context, digest [32]byte) ([]byte, error)
}

// ErrNoBlob is wrapped by the error of Blobs.Get if there is no object under the digest.
var ErrNoBlob = errors.New("no object under this digest")

// An OffloadError is a recorded event whose offloaded payload is missing from object storage, or
// was replaced by other bytes (L2.I13). A reader yields it at that event, and ends there.
type OffloadError struct {
	ID       uuid.UUID
	Stream   string
	Version  int64
	Position Position
	Digest   [32]byte  // of the payload, according to the log
	Found    *[32]byte // of the stored bytes; nil if there are none
}

func (e *OffloadError) Error() string {
	return fmt.Sprintf("event %s (stream %s, version %d, position %s): %s",
		e.ID, e.Stream, e.Version, e.Position, e.what())
}

// Unwrap returns a *DamagedError, so that every report of a damaged place can name this one.
func (e *OffloadError) Unwrap() error {
	return &DamagedError{Position: e.Position, What: e.what()}
}

func (e *OffloadError) what() string {
	if e.Found == nil {
		return fmt.Sprintf("its payload %x is missing from object storage", e.Digest)
	}
	return fmt.Sprintf("its payload %x was replaced in object storage by bytes with the digest %x",
		e.Digest, *e.Found)
}
