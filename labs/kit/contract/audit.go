package contract

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/google/uuid"
)

// Auditor makes the log tamper-evident: one Merkle tree (RFC 6962) over all of it, with signed checkpoints (Lab 5).
//
// Invariants:
//
//	L5.I1  a leaf is the canonical bytes of one event (Leaf): any change of any attribute or of the payload changes it
//	L5.I2  the ranges of successive batches abut, and together begin at the beginning: nothing is left out
//	L5.I3  a checkpoint is published last: what it signs is archived before
//	L5.I4  every checkpoint is a prefix of each later one (RFC 6962, section 2.1.2)
//	L5.I5  Verify names the first position that does not agree, and calls what lies past the last checkpoint unanchored
type Auditor interface {
	// Seal takes what the log has beyond the last batch into the tree and publishes a checkpoint. With nothing new it
	// returns the last checkpoint.
	Seal(ctx context.Context) (Checkpoint, error)
	// Verify reads the whole log again and holds it against the archive and its checkpoints. It changes nothing.
	Verify(ctx context.Context) (Verification, error)
}

// A Checkpoint is a signed commitment to the first Size leaves (C2SP tlog-checkpoint).
type Checkpoint struct {
	Origin string
	Size   int64 // leaves, batch headers included
	Root   [32]byte
	Note   []byte // the signed note, as archived
	End    Cursor // the log is sealed up to here
}

// A Verification is what Verify found.
type Verification struct {
	Checkpoint Checkpoint // the last one
	Batches    int
	Sealed     int64 // events under the checkpoint
	Unanchored int64 // events past it: nothing vouches for these yet
	Fault      *Fault
}

// A Fault is the first place where log and archive do not agree.
type Fault struct {
	Position Position // of the event, where one is concerned
	Leaf     int64    // its index in the tree; -1 if it has none
	What     string   // what is wrong there, for people
}

func (f *Fault) Error() string {
	if f.Leaf < 0 {
		return f.What
	}
	return fmt.Sprintf("position %s (leaf %d): %s", f.Position, f.Leaf, f.What)
}

// MaxLeaf is the largest leaf, in bytes (C2SP tlog-tiles limits an entry so).
const MaxLeaf = 65535

// Leaf is the canonical bytes of one event (L5.I1): a tag, then every attribute, each with its length in four bytes
// big-endian before it, then the payload: what stands before its Avro body, and SHA-256 of the body. So the leaf of an event
// is the same whether its body was fetched from object storage or not. No partition and no offset: a log copied to another
// cluster keeps its leaves.
func (r Recorded) Leaf() []byte {
	var b bytes.Buffer
	field := func(f []byte) { prefixed(&b, f) }
	number := func(n int64) { field(binary.BigEndian.AppendUint64(nil, uint64(n))) }
	field([]byte("blotter/leaf/v2"))
	for _, text := range []string{r.Stream, r.Type, r.Actor, r.Approver, r.Reason, r.Source, r.Traceparent} {
		field([]byte(text))
	}
	for _, id := range []uuid.UUID{r.ID, r.Corrects, r.Correlation, r.Causation} {
		field(id[:])
	}
	for _, at := range []time.Time{r.EffectiveAt, r.RecordedAt} {
		number(at.UnixMicro())
	}
	number(r.Version)
	field(flag(r.Ends))
	number(int64(r.Schema))
	field(r.Fingerprint[:])
	head, body := r.payload()
	field(head)
	field(body[:])
	return b.Bytes()
}
