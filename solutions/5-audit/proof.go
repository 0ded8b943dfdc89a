package audit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/transparency-dev/formats/proof"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"example.com/blotter/labs/kit/contract"
)

// ErrUnanchored is the answer to the wish for a proof of an event that no checkpoint covers, at least not as it is now.
var ErrUnanchored = errors.New("no checkpoint covers this event as it stands in the log")

// ErrProof is wrapped by every error of CheckProof.
var ErrProof = errors.New("the proof does not hold")

// Prove makes the proof that r, as it was read, is under the last checkpoint: a C2SP tlog-proof whose extra data is the event's leaf.
// It reads the whole archive and holds the hashes of the tree, 64 bytes for each leaf.
func (a *Auditor) Prove(ctx context.Context, r contract.Recorded) ([]byte, error) {
	last, _, err := a.latest(ctx)
	if err != nil {
		return nil, err
	}
	leaf, index := r.Leaf(), int64(-1)
	var stored tree
	err = a.leaves(ctx, last.Size, func(i int64, e *entry, archived []byte) error {
		if e != nil && bytes.Equal(leaf, archived) {
			index = i
		}
		return stored.add(i, tlog.RecordHash(archived))
	})
	if err != nil {
		return nil, err
	}
	if index < 0 {
		return nil, fmt.Errorf("position %s: %w", r.Position, ErrUnanchored)
	}
	hashes, err := tlog.ProveRecord(last.Size, index, stored)
	if err != nil {
		return nil, fmt.Errorf("proving leaf %d: %w", index, err)
	}
	text := proof.TLogProof{Index: uint64(index), Checkpoint: last.Note, ExtraData: leaf}
	for _, h := range hashes {
		text.Hashes = append(text.Hashes, h)
	}
	made := text.Marshal()
	// It proves nothing if the archive was changed somewhere: then these hashes lead elsewhere.
	if _, err := CheckProof(made, a.Origin, a.Verifier); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrArchive, err)
	}
	return made, nil
}

// A Proven is what a proof that holds says: this leaf has this index under this checkpoint.
type Proven struct {
	Leaf       []byte // compare it with contract.Recorded.Leaf, or read it with Attributes
	Index      int64
	Checkpoint contract.Checkpoint // its End is not in a proof
}

// CheckProof checks what Prove made, with the log's name and its public key and nothing else.
func CheckProof(text []byte, origin string, key note.Verifier) (Proven, error) {
	var p proof.TLogProof
	if err := p.Unmarshal(text); err != nil {
		return Proven{}, fmt.Errorf("%w: %w", ErrProof, err)
	}
	c, err := OpenCheckpoint(p.Checkpoint, origin, key)
	if err != nil {
		return Proven{}, fmt.Errorf("%w: %w", ErrProof, err)
	}
	if p.Index > math.MaxInt64 || int64(p.Index) >= c.Size {
		return Proven{}, fmt.Errorf("%w: leaf %d of a tree of %d", ErrProof, p.Index, c.Size)
	}
	var hashes tlog.RecordProof
	for _, h := range p.Hashes {
		hashes = append(hashes, h)
	}
	if _, err := Attributes(p.ExtraData); err != nil { // a batch's header is in the tree too, and is no event
		return Proven{}, fmt.Errorf("%w: %w", ErrProof, err)
	}
	if err := tlog.CheckRecord(hashes, c.Size, c.Root, int64(p.Index), tlog.RecordHash(p.ExtraData)); err != nil {
		return Proven{}, fmt.Errorf("%w: %w", ErrProof, err)
	}
	return Proven{p.ExtraData, int64(p.Index), c}, nil
}

// A tree is the hashes of all perfect subtrees, in the order that tlog stores them.
type tree []tlog.Hash

func (t *tree) add(index int64, leaf tlog.Hash) error {
	hashes, err := tlog.StoredHashesForRecordHash(index, leaf, *t)
	*t = append(*t, hashes...)
	return err
}

// ReadHashes is tlog.HashReader.
func (t tree) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	hashes := make([]tlog.Hash, len(indexes))
	for i, at := range indexes {
		hashes[i] = t[at]
	}
	return hashes, nil
}
