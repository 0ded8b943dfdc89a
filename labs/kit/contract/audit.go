package contract

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
)

// Auditor makes the log tamper-evident: one Merkle tree (RFC 6962) over the whole log, with signed
// checkpoints (Lab 5).
//
// Invariants:
//
//	L5.I1  a leaf is the canonical bytes of one event (Leaf): any change of an attribute or of the
//	       payload changes the leaf
//	L5.I2  the ranges of successive batches abut, and the first begins at the beginning of the
//	       log: no event is left out
//	L5.I3  a checkpoint is published last: everything that it signs is archived before
//	L5.I4  every checkpoint is a prefix of each later one (RFC 6962, section 2.1.2)
//	L5.I5  Verify names the first position where log and archive differ, and calls events past the
//	       last checkpoint unanchored
//	L5.I6  each batch states its sealing time and the frontier up to which it is complete, which
//	       the log had on record before. An event recorded at or before the frontier of an earlier
//	       batch, at or before an earlier event of its partition or stream (Timeline), or after
//	       the sealing time is an Offender: Seal seals it and names it, and so does Verify. Events
//	       next to each other with one append group (L2.I16) may have one time
//	L5.I7  an object in the archive that the log's key did not sign counts for nothing, whatever
//	       its name: Seal and Verify pass over it
//	L5.I8  root, inclusion proofs and consistency proofs are those of RFC 6962, section 2.1;
//	       a proof holds only for its own leaf, index, sizes and roots
//	L5.I9  a witness cosigns a checkpoint of its log only if every leaf of the last one that it
//	       cosigned is still there, in the same place
//	L5.I10 a trace has every event of a contract, each with a proof under the last checkpoint, or
//	       named as unanchored; it is refused if log and archive differ
type Auditor interface {
	// Seal adds the events after the last batch to the tree and publishes a checkpoint. Without new
	// events it returns the last checkpoint.
	Seal(ctx context.Context) (Checkpoint, error)
	// Verify reads the whole log again and compares it with the archive and its checkpoints. It
	// changes nothing.
	Verify(ctx context.Context) (Verification, error)
}

// A Prover is an Auditor that proves single events to people who have no access to the log.
type Prover interface {
	// Prove returns a proof that the last checkpoint covers r, in the format C2SP tlog-proof.
	Prove(ctx context.Context, r Recorded) ([]byte, error)
}

// SinceVerifier is an Auditor that can also begin with a checkpoint that was verified before, and
// was kept outside of the archive.
type SinceVerifier interface {
	// VerifySince verifies the events after the signed checkpoint kept. An archive that does not
	// contain that checkpoint is a Fault.
	VerifySince(ctx context.Context, kept []byte) (Verification, error)
}

// Checkpoints gives access to published checkpoints.
type Checkpoints interface {
	// Published returns the checkpoint of size leaves. Size 0 asks for the last one.
	Published(ctx context.Context, size int64) (Checkpoint, error)
}

// SealedLog is the archive of a sealed log, leaf by leaf.
type SealedLog interface {
	Checkpoints
	// Leaves calls each with every leaf below size, in order. For an event, at is its position in
	// the log; for the header that closes a batch, at is nil.
	Leaves(ctx context.Context, size int64,
		each func(index int64, at *Position, leaf []byte) error) error
}

// A Checkpoint is a signed commitment to the first Size leaves (C2SP tlog-checkpoint).
type Checkpoint struct {
	Origin string
	Size   int64 // leaves, batch headers included
	Root   [32]byte
	Note   []byte // the signed note, as archived
	End    Cursor // the log is sealed up to here

	Offenders []Offender // among the events that this call of Seal has sealed
}

// An Offender is an event whose recorded_at cannot be true. It is in the log and in the tree: what
// is recorded is sealed, and named.
type Offender struct {
	Position Position
	Leaf     int64  // index of the leaf in the tree; -1 if the event is unanchored
	What     string // the broken rule, for people
}

func (o Offender) String() string {
	if o.Leaf < 0 {
		return fmt.Sprintf("position %s (unanchored): %s", o.Position, o.What)
	}
	return fmt.Sprintf("position %s (leaf %d): %s", o.Position, o.Leaf, o.What)
}

// A Verification is the result of Verify.
type Verification struct {
	Checkpoint Checkpoint // the last one
	Since      int64      // size of the kept checkpoint before which nothing was read; or 0
	Batches    int        // after Since, up to the checkpoint
	Sealed     int64      // events in these batches
	Unanchored int64      // events past the checkpoint, which no signature covers yet
	Offenders  []Offender
	Fault      *Fault
}

// A Fault is the first place where log and archive differ.
type Fault struct {
	Position Position // of the event, if the fault concerns one
	Leaf     int64    // index of the leaf in the tree; -1 if there is none
	What     string   // the fault, for people
	// Notes are signed checkpoints: two that fork, or the archive's last one and the one that the
	// archive lost. They are empty for other faults.
	Notes [][]byte
}

func (f *Fault) Error() string {
	if f.Leaf < 0 {
		return f.What
	}
	return fmt.Sprintf("position %s (leaf %d): %s", f.Position, f.Leaf, f.What)
}

// MaxLeaf is the size of the largest leaf, in bytes (the limit of C2SP tlog-tiles for an entry).
const MaxLeaf = 65535

// Leaf returns the canonical bytes of one event (L5.I1): a tag, then every attribute, each with its
// length before it in four bytes big-endian, then the payload: the prefix of Data, and SHA-256 of
// the Avro body. An event has the same leaf whether its body is in the log or offloaded. A leaf has
// no partition and no offset, so a log that is copied to another cluster keeps its leaves.
func (r Recorded) Leaf() []byte { return r.AppendLeaf(make([]byte, 0, LeafSize)) }

// LeafSize is the size of most leaves, or more.
const LeafSize = 640

// AppendLeaf appends the bytes of Leaf to b.
func (r *Recorded) AppendLeaf(b []byte) []byte {
	b = prefixed(b, "blotter/leaf/v3")
	for _, text := range [...]string{
		r.Stream, r.Type, r.CommandID, r.Actor, r.Approver, r.Reason, r.Source, r.SubmittedBy,
		r.Traceparent,
	} {
		b = prefixed(b, text)
	}
	for _, id := range [...]uuid.UUID{
		r.ID, r.Corrects, r.Correlation, r.Causation, r.AppendGroup,
	} {
		b = prefixed(b, id[:])
	}
	for _, at := range [...]time.Time{
		r.EffectiveAt, r.EnteredAt, r.RecordedAt, r.SourceRecordedAt,
	} {
		b = numbers(b, Micros(at))
	}
	b = numbers(b, r.SourceLine)
	b = numbers(b, r.Version)
	b = prefixed(b, flag(r.Ends))
	b = numbers(b, int64(r.Schema))
	b = prefixed(b, r.Fingerprint[:])
	prefix, body := r.payload()
	return prefixed(prefixed(b, prefix), body[:])
}
