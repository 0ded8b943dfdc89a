package audit

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/transparency-dev/formats/proof"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"example.com/blotter/labs/kit/contract"
)

// ErrUnanchored is the error of Prove for an event that no checkpoint covers as it is now in the
// log.
var ErrUnanchored = errors.New("no checkpoint covers this event as it is in the log")

// ErrProof is wrapped by every error of CheckProof.
var ErrProof = errors.New("the proof does not hold")

// Prove returns a proof that the last checkpoint covers r: a C2SP tlog-proof with the cosigned
// checkpoint, whose extra data is the event's leaf. Its cost grows with the logarithm of the
// log's length.
func (a *Auditor) Prove(ctx context.Context, r contract.Recorded) ([]byte, error) {
	last, under, err := a.latest(ctx)
	if err != nil {
		return nil, err
	}
	if under == nil || !under.To.Covers(r.Position) {
		return nil, fmt.Errorf("position %s: %w", r.Position, ErrUnanchored)
	}
	b, err := a.locate(ctx, under, r.Position)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrArchive, err)
	}
	tree, leaf, index := a.tree(under.edge), r.Leaf(), b.index(r.Position)
	var sealed []byte
	if index >= 0 {
		index += b.first()
		if sealed, err = tree.leaf(ctx, index); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrArchive, err)
		}
	}
	if !bytes.Equal(leaf, sealed) {
		return nil, fmt.Errorf("position %s: %w", r.Position, ErrUnanchored)
	}
	hashes, err := tlog.ProveRecord(last.Size, index, tree.hashes(ctx))
	if err != nil {
		return nil, fmt.Errorf("proving leaf %d: %w", index, err)
	}
	if last, err = a.Cosigned(ctx, last); err != nil {
		return nil, err
	}
	text := proof.TLogProof{Index: uint64(index), Checkpoint: last.Note, ExtraData: leaf}
	for _, h := range hashes {
		text.Hashes = append(text.Hashes, h)
	}
	made := text.Marshal()
	// A proof that does not hold is worse than none.
	if _, err := CheckProof(made, a.Origin, a.Verifier); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrArchive, err)
	}
	return made, nil
}

// ProveGrowth returns a proof that the tree of one checkpoint is the beginning of that of a later
// one (RFC 6962, section 2.1.2): every leaf of the first is still there, in its place. Otherwise
// the error wraps ErrProof. tlog.CheckTree checks the proof with the two roots alone.
func (a *Auditor) ProveGrowth(ctx context.Context, from, to contract.Checkpoint) (
	tlog.TreeProof, error) {
	if from.Size < 1 || from.Size > to.Size {
		return nil, fmt.Errorf("%w: the checkpoints have %d and %d leaves", ErrProof,
			from.Size, to.Size)
	}
	under, err := a.under(ctx, to)
	if err != nil {
		return nil, fmt.Errorf("%w: under checkpoint %d: %w", ErrArchive, to.Size, err)
	}
	made, err := tlog.ProveTree(to.Size, from.Size, a.tree(under.edge).hashes(ctx))
	if err != nil {
		return nil, fmt.Errorf("proving the growth from %d leaves: %w", from.Size, err)
	}
	if err := tlog.CheckTree(made, to.Size, to.Root, from.Size, from.Root); err != nil {
		return nil, fmt.Errorf("%w: the tree of %d leaves does not begin with that of %d: %w",
			ErrProof, to.Size, from.Size, err)
	}
	return made, nil
}

// A Proven is the statement of a proof that holds: the leaf has the index under the checkpoint.
type Proven struct {
	Leaf       []byte // compare it with contract.Recorded.Leaf, or read it with Attributes
	Index      int64
	Checkpoint contract.Checkpoint // without its End, which a proof does not have
}

// The checks of CheckProof.
const (
	ProofForm       = "form"       // the text is a C2SP tlog-proof
	ProofCheckpoint = "checkpoint" // the log signed the checkpoint (C2SP tlog-checkpoint)
	ProofIndex      = "index"      // the leaf is in the tree of the checkpoint
	ProofLeaf       = "leaf"       // the leaf is that of an event
	ProofInclusion  = "inclusion"  // the hashes lead from the leaf to the root (RFC 6962, 2.1.1)
)

// ProofChecks returns the checks of CheckProof in their order. It ends at the first that fails.
func ProofChecks() []string {
	return []string{ProofForm, ProofCheckpoint, ProofIndex, ProofLeaf, ProofInclusion}
}

// A ProofError names the check of a proof that failed. It wraps ErrProof.
type ProofError struct {
	Check string // one of ProofChecks
	Err   error
}

func (e *ProofError) Error() string   { return fmt.Sprintf("%v: %v", ErrProof, e.Err) }
func (e *ProofError) Unwrap() []error { return []error{ErrProof, e.Err} }

// ReadProof reads the text of a proof and checks only its form. The library reads no line of more
// than 64 KiB, and the line of a large leaf is longer. So ReadProof decodes that line, and the
// library the others.
func ReadProof(text []byte) (p proof.TLogProof, err error) {
	format, rest, _ := bytes.Cut(text, []byte("\n"))
	line, after, _ := bytes.Cut(rest, []byte("\n"))
	leaf, ok := bytes.CutPrefix(line, []byte("extra "))
	if !ok {
		after = rest
	}
	if err := p.Unmarshal(slices.Concat(format, []byte("\n"), after)); err != nil {
		return p, err
	}
	if ok {
		if p.ExtraData, err = base64.StdEncoding.DecodeString(string(leaf)); err != nil {
			return p, fmt.Errorf("tlog proof extra data not base64 encoded: %w", err)
		}
	}
	if !bytes.Equal(p.Marshal(), text) {
		return p, errors.New("it is not written as C2SP tlog-proof writes it")
	}
	return p, nil
}

// CheckProof checks a proof of Prove. It needs only the log's name and its public key. Policy.Check
// checks the cosignatures of its checkpoint. An error is a ProofError.
func CheckProof(text []byte, origin string, key note.Verifier) (Proven, error) {
	p, err := ReadProof(text)
	if err != nil {
		return Proven{}, &ProofError{ProofForm, err}
	}
	c, err := OpenCheckpoint(p.Checkpoint, origin, key)
	if err != nil {
		return Proven{}, &ProofError{ProofCheckpoint, err}
	}
	if p.Index > math.MaxInt64 || int64(p.Index) >= c.Size {
		return Proven{}, &ProofError{ProofIndex, fmt.Errorf(
			"it is about leaf %d of a tree of %d leaves", p.Index, c.Size)}
	}
	var hashes tlog.RecordProof
	for _, h := range p.Hashes {
		hashes = append(hashes, h)
	}
	// The tree also holds the headers of batches, which are no events.
	if _, err := Attributes(p.ExtraData); err != nil {
		return Proven{}, &ProofError{ProofLeaf, err}
	}
	leaf := tlog.RecordHash(p.ExtraData)
	if err := tlog.CheckRecord(hashes, c.Size, c.Root, int64(p.Index), leaf); err != nil {
		return Proven{}, &ProofError{ProofInclusion, err}
	}
	return Proven{p.ExtraData, int64(p.Index), c}, nil
}
