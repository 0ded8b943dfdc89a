package audit

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/kit/check"
	"example.com/blotter/labs/kit/contract"
)

// The reference gets full marks, and so do right answers of another design. Each check must have
// called the answer: otherwise it tested nothing.
func TestRightAnswersHaveFullMarks(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*answer){
		"the reference":                      func(*answer) {},
		"climbs from the leaf":               climb,
		"publishes for a crash, reads twice": twoPasses,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, v := range check.JudgeAll(t.Context(), suiteOf(change)) {
				require.Equal(t, check.Passed, v.Outcome, v.Text)
				require.Positive(t, v.Answers, "%s did not call the answer", v.Check.ID)
			}
		})
	}
}

// climb has the algorithms of RFC 9162, sections 2.1.3.2 and 2.1.4.2, and a root that grows leaf by
// leaf. None of these functions calls itself.
func climb(a *answer) {
	a.root, a.prove, a.inclusion = growingRoot, proveDown, climbInclusion
	a.consistency = func(size int64, root contract.Hash, old int64, oldRoot contract.Hash,
		proof []contract.Hash) error {
		if old < 1 || old > size {
			return errRefused
		}
		was, is, whole := climbConsistency(size, old, oldRoot, proof, old&(old-1) == 0)
		if was != oldRoot || is != root || !whole {
			return errRefused
		}
		return nil
	}
}

var errRefused = errors.New("refused")

func growingRoot(leaves [][]byte) contract.Hash {
	var full []contract.Hash // roots of full subtrees, the largest first
	for i, leaf := range leaves {
		h := hash(0, leaf)
		for n := i; n&1 == 1; n >>= 1 {
			last := full[len(full)-1]
			full, h = full[:len(full)-1], hash(1, last[:], h[:])
		}
		full = append(full, h)
	}
	if len(full) == 0 {
		return sha256.Sum256(nil)
	}
	h := full[len(full)-1]
	for _, left := range slices.Backward(full[:len(full)-1]) {
		h = hash(1, left[:], h[:])
	}
	return h
}

func proveDown(leaves [][]byte, index int64) (proof []contract.Hash) {
	for len(leaves) > 1 {
		k := split(int64(len(leaves)))
		if index < k {
			proof, leaves = append(proof, growingRoot(leaves[k:])), leaves[:k]
		} else {
			proof, leaves, index = append(proof, growingRoot(leaves[:k])), leaves[k:], index-k
		}
	}
	slices.Reverse(proof)
	return proof
}

func climbInclusion(root contract.Hash, size, index int64, leaf []byte,
	proof []contract.Hash) error {
	if index < 0 || index >= size {
		return errRefused
	}
	h, last := hash(0, leaf), size-1
	for _, beside := range proof {
		if last == 0 {
			return errRefused
		}
		if index&1 == 1 || index == last {
			h = hash(1, beside[:], h[:])
			for index&1 == 0 && index > 0 {
				index, last = index>>1, last>>1
			}
		} else {
			h = hash(1, h[:], beside[:])
		}
		index, last = index>>1, last>>1
	}
	if last != 0 || h != root {
		return errRefused
	}
	return nil
}

// climbConsistency returns both roots that a proof gives, and whether it has as many hashes as it
// must have. fromOld means that the path begins with the old root.
func climbConsistency(size, old int64, oldRoot contract.Hash, proof []contract.Hash,
	fromOld bool) (was, is contract.Hash, whole bool) {
	if old == size {
		return oldRoot, oldRoot, len(proof) == 0
	}
	if fromOld {
		proof = append([]contract.Hash{oldRoot}, proof...)
	}
	if len(proof) == 0 {
		return was, is, false
	}
	index, last := old-1, size-1
	for index&1 == 1 {
		index, last = index>>1, last>>1
	}
	was, is = proof[0], proof[0]
	for _, beside := range proof[1:] {
		if last == 0 {
			return was, is, false
		}
		if index&1 == 1 || index == last {
			was, is = hash(1, beside[:], was[:]), hash(1, beside[:], is[:])
			for index&1 == 0 && index > 0 {
				index, last = index>>1, last>>1
			}
		} else {
			is = hash(1, is[:], beside[:])
		}
		index, last = index>>1, last>>1
	}
	return was, is, last == 0
}

// twoPasses publishes a checkpoint for the batch that a crash left, before it seals new events.
// Verify checks the archive alone first, and then compares the log. Trace compares leaf by leaf.
func twoPasses(a *answer) {
	a.seal = func(ctx context.Context, a *Auditor) (c contract.Checkpoint, err error) {
		batches, checkpoints, err := a.archived(ctx)
		if err != nil {
			return c, err
		}
		size := int64(0)
		for _, b := range batches {
			size += int64(len(b.Leaves()))
		}
		if len(checkpoints) == 0 || checkpoints[len(checkpoints)-1].Size < size {
			before := *a
			if before.Log, err = cut(ctx, a.Log, batches); err != nil {
				return c, err
			}
			if c, err = before.Seal(ctx); err != nil {
				return c, err
			}
		}
		return a.Seal(ctx)
	}
	a.verify = func(ctx context.Context, a *Auditor) (v contract.Verification, err error) {
		if v, err = verifyWith(ctx, a, faults{trustLog: true}); err != nil || v.Fault != nil {
			return v, err
		}
		return verifyWith(ctx, a, faults{trustArchive: true})
	}
	a.trace = traceByLeaf
}

// A cutLog ends where its last batch ends, or before.
type cutLog struct {
	contract.Reader
	end contract.Cursor
}

func cut(ctx context.Context, log contract.Reader, batches []contract.SealedBatch) (
	contract.Reader, error) {
	if len(batches) == 0 {
		return cutLog{log, nil}, nil
	}
	end, err := log.End(ctx)
	return cutLog{log, end.Min(batches[len(batches)-1].Header.To)}, err
}

func (l cutLog) End(context.Context) (contract.Cursor, error) { return l.end, nil }

func traceByLeaf(ctx context.Context, a *Auditor, uti string) (
	rows []contract.TraceRow, under contract.Checkpoint, err error) {
	v, err := a.Verify(ctx)
	if err != nil || v.Fault != nil {
		return nil, under, errors.Join(err, faultError(v.Fault))
	}
	batches, _, err := a.archived(ctx)
	if err != nil {
		return nil, under, err
	}
	var leaves [][]byte
	for _, b := range batches[:v.Batches] {
		leaves = append(leaves, b.Leaves()...)
	}
	end, err := a.Log.End(ctx)
	if err != nil {
		return nil, under, err
	}
	for r, err := range a.Log.Read(ctx, nil, end) {
		if err != nil {
			return nil, under, err
		}
		if r.Stream != "trade/"+uti {
			continue
		}
		leaf := r.Leaf()
		at := slices.IndexFunc(leaves, func(l []byte) bool { return bytes.Equal(l, leaf) })
		row := contract.TraceRow{Recorded: r, Index: int64(at)}
		if at >= 0 {
			row.Proof = proveDown(leaves, row.Index)
		}
		rows = append(rows, row)
	}
	return rows, v.Checkpoint, nil
}

func faultError(f *contract.Fault) error {
	if f == nil {
		return nil
	}
	return f
}
