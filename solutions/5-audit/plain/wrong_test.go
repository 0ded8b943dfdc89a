package audit

import (
	"context"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/5-audit/audittest"
	"example.com/blotter/labs/cmd/lab/grade/gradetest"
	"example.com/blotter/labs/kit/check"
	"example.com/blotter/labs/kit/contract"
)

// Update is the flag that rewrites the golden files, the guide's table of checks and its picture.
var Update = flag.Bool("update", false, "rewrite the golden files")

// A wrongAnswer is the reference with one fault.
type wrongAnswer struct {
	name   string // of the fault
	finds  string // checks that find this fault; testdata/wrong has the text of the first
	hint   string // a part of the failure text of the first check, meant for this fault
	change func(*answer)
}

// An answer is a student's answer: functions, and methods that take the place of the reference's.
type answer struct {
	root        func([][]byte) contract.Hash
	prove       func([][]byte, int64) []contract.Hash
	inclusion   inclusionFunc
	consistency consistencyFunc
	seal        func(context.Context, *Auditor) (contract.Checkpoint, error)
	verify      func(context.Context, *Auditor) (contract.Verification, error)
	trace       traceFunc
	cosign      func(*Witness, []byte, []contract.Hash) error
}

type (
	inclusionFunc = func(root contract.Hash, size, index int64, leaf []byte,
		proof []contract.Hash) error
	consistencyFunc = func(size int64, root contract.Hash, old int64, oldRoot contract.Hash,
		proof []contract.Hash) error
	traceFunc = func(ctx context.Context, a *Auditor, uti string) (
		[]contract.TraceRow, contract.Checkpoint, error)
)

// variant is an auditor with the methods of an answer.
type variant struct {
	*Auditor
	answer
}

func (v variant) Seal(ctx context.Context) (contract.Checkpoint, error) {
	return v.seal(ctx, v.Auditor)
}

func (v variant) Verify(ctx context.Context) (contract.Verification, error) {
	return v.verify(ctx, v.Auditor)
}

func (v variant) Trace(ctx context.Context, uti string) (
	[]contract.TraceRow, contract.Checkpoint, error) {
	return v.trace(ctx, v.Auditor, uti)
}

// watching is a witness with the method of an answer.
type watching struct {
	*Witness
	answer
}

func (w watching) Cosign(signed []byte, proof []contract.Hash) error {
	return w.cosign(w.Witness, signed, proof)
}

// suiteOf returns the checks of the reference with a change.
func suiteOf(change func(*answer)) check.Suite {
	a := answer{
		Root, Prove, CheckInclusion, CheckConsistency,
		func(ctx context.Context, a *Auditor) (contract.Checkpoint, error) { return a.Seal(ctx) },
		func(ctx context.Context, a *Auditor) (contract.Verification, error) {
			return a.Verify(ctx)
		},
		func(ctx context.Context, a *Auditor, uti string) (
			[]contract.TraceRow, contract.Checkpoint, error) {
			return a.Trace(ctx, uti)
		},
		func(w *Witness, signed []byte, proof []contract.Hash) error {
			return w.Cosign(signed, proof)
		},
	}
	change(&a)
	signer, verifier := audittest.Keys()
	return audittest.Lab(audittest.Answer{
		Root: a.root, Prove: a.prove, CheckInclusion: a.inclusion, CheckConsistency: a.consistency,
		Auditor: func(log contract.Reader, archive audittest.Bucket) audittest.LabAuditor {
			return variant{New(Options{
				Log: log, Archive: archive, Origin: audittest.Origin,
				Signer: signer, Verifier: verifier,
			}), a}
		},
		Witness: func() audittest.LabWitness {
			return watching{NewWitness(audittest.Origin, verifier), a}
		},
	})
}

// treeWith is Root with other prefixes and another split.
func treeWith(leaves [][]byte, leaf, node []byte, split func(int64) int64) contract.Hash {
	n := int64(len(leaves))
	if n < 2 {
		return Root(leaves)
	}
	var halves [2]contract.Hash
	for i, half := range [][][]byte{leaves[:split(n)], leaves[split(n):]} {
		if halves[i] = treeWith(half, leaf, node, split); len(half) == 1 {
			halves[i] = plainHash(leaf, half[0])
		}
	}
	return plainHash(node, halves[0][:], halves[1][:])
}

// sealing faults, for sealWith.
type sealFaults struct {
	publishFirst, noHeader, noPrevious, emptyBatches, forgetLeft, adoptAny, trustArchive bool
	trustHeaders, trustEnd, ignoreError                                                  bool
}

// sealWith is Seal with faults.
func sealWith(f sealFaults) func(*answer) {
	return func(to *answer) {
		to.seal = func(ctx context.Context, a *Auditor) (c contract.Checkpoint, err error) {
			batches, checkpoints, err := a.archived(ctx)
			if err != nil {
				return c, err
			}
			if len(checkpoints) > 0 {
				c = checkpoints[len(checkpoints)-1]
			}
			var leaves [][]byte
			next := contract.BatchHeader{Number: 1}
			for _, b := range batches {
				if b.First >= c.Size && f.forgetLeft {
					break
				}
				trusts := f.trustHeaders || f.noPrevious || f.noHeader
				if !trusts && !follows(b, int64(len(leaves)), next) {
					return c, ErrForked
				}
				if b.First >= c.Size && !f.adoptAny {
					events, err := a.read(ctx, b.Header.From, b.Header.To)
					if at := difference(b, events); err != nil || at != nil {
						return c, ErrForked
					}
				}
				leaves = append(leaves, b.Leaves()...)
				next = contract.BatchHeader{Number: b.Header.Number + 1, From: b.Header.To}
				if !f.noPrevious {
					next.Previous = hash(0, b.Header.Leaf())
				}
			}
			forked := int64(len(leaves)) < c.Size || c.Size > 0 && Root(leaves[:c.Size]) != c.Root
			if forked && !f.trustArchive && !f.noHeader {
				return c, ErrForked
			}
			if next.To, err = a.Log.End(ctx); err != nil {
				return c, err
			}
			if !next.To.Reaches(next.From) && !f.trustEnd {
				return c, ErrForked
			}
			events, err := a.read(ctx, next.From, next.To)
			if err != nil {
				return c, err
			}
			next.Events = int64(len(events))
			b := contract.SealedBatch{
				First: int64(len(leaves)), Header: next, Events: sealedEvents(events),
			}
			if len(events) > 0 || f.emptyBatches {
				added := b.Leaves()
				if f.noHeader {
					added = added[:len(events)]
				}
				leaves = append(leaves, added...)
			}
			if int64(len(leaves)) == c.Size {
				return c, nil
			}
			first := func() error {
				if b.First == int64(len(leaves)) {
					return nil
				}
				return a.putBatch(ctx, b)
			}
			if f.publishFirst {
				if c, err = a.publish(ctx, int64(len(leaves)), Root(leaves)); err != nil {
					return c, err
				}
				return c, first()
			}
			if err := first(); err != nil && !f.ignoreError {
				return c, err
			}
			return a.publish(ctx, int64(len(leaves)), Root(leaves))
		}
	}
}

// faults of verifyWith.
type faults struct {
	trustLog, trustArchive, blameLog, countLeft, trustHeaders, lastDifference bool
	lastCheckpoint                                                            bool
}

func verifying(f faults) func(*answer) {
	return func(to *answer) {
		to.verify = func(ctx context.Context, a *Auditor) (contract.Verification, error) {
			return verifyWith(ctx, a, f)
		}
	}
}

// verifyWith is Verify with faults.
func verifyWith(ctx context.Context, a *Auditor, f faults) (v contract.Verification, err error) {
	batches, checkpoints, err := a.archived(ctx)
	if err != nil {
		return v, err
	}
	if f.countLeft && len(batches) > 0 {
		last := batches[len(batches)-1]
		checkpoints = append(checkpoints, contract.Checkpoint{
			Size: last.First + int64(len(last.Leaves())), Root: Root(allLeaves(batches)),
		})
	}
	if f.lastCheckpoint && len(checkpoints) > 0 {
		checkpoints = checkpoints[len(checkpoints)-1:]
	}
	var leaves [][]byte
	next := contract.BatchHeader{Number: 1}
	var differs *contract.Fault
	for _, c := range checkpoints {
		for int64(len(leaves)) < c.Size {
			if v.Batches == len(batches) || batches[v.Batches].First != int64(len(leaves)) {
				v.Fault = archiveFault(nil, "a batch is missing")
				return v, nil
			}
			b := batches[v.Batches]
			h := b.Header
			events, err := a.read(ctx, h.From, h.To)
			if err != nil {
				return v, err
			}
			if at := difference(b, events); at != nil && !f.trustLog {
				if differs == nil || f.lastDifference {
					differs = at
				}
			}
			if !follows(b, int64(len(leaves)), next) && !f.trustHeaders {
				v.Fault = archiveFault(nil, "a batch does not follow the one before")
				return v, nil
			}
			leaves = append(leaves, b.Leaves()...)
			next = contract.BatchHeader{
				Number: h.Number + 1, Previous: hash(0, h.Leaf()), From: h.To,
			}
			v.Batches, v.Sealed = v.Batches+1, v.Sealed+h.Events
		}
		right := int64(len(leaves)) == c.Size && Root(leaves) == c.Root
		if f.blameLog && differs != nil {
			right = true
		}
		if !right && !f.trustArchive {
			v.Fault = archiveFault(nil, "its batches do not give a signed root")
			return v, nil
		}
		v.Checkpoint = c
		if v.Fault = differs; differs != nil {
			return v, nil
		}
	}
	end, err := a.Log.End(ctx)
	if err != nil {
		return v, err
	}
	events, err := a.read(ctx, next.From, end)
	v.Unanchored = int64(len(events))
	return v, err
}

func allLeaves(batches []contract.SealedBatch) (leaves [][]byte) {
	for _, b := range batches {
		leaves = append(leaves, b.Leaves()...)
	}
	return leaves
}

// traceWith changes the rows of a trace that does not verify the log first, or that does.
func traceWith(verify bool, change func([]contract.TraceRow) []contract.TraceRow) func(*answer) {
	return func(to *answer) {
		to.trace = func(ctx context.Context, a *Auditor, uti string) (
			[]contract.TraceRow, contract.Checkpoint, error) {
			rows, under, err := a.Trace(ctx, uti)
			if err == nil || verify {
				return change(rows), under, err
			}
			batches, checkpoints, err := a.archived(ctx)
			if err != nil {
				return nil, under, err
			}
			leaves, end := allLeaves(batches), contract.Cursor(nil)
			if end, err = a.Log.End(ctx); err != nil {
				return nil, under, err
			}
			events, err := a.read(ctx, nil, end)
			for _, r := range events {
				if r.Stream == "trade/"+uti {
					at := slices.IndexFunc(leaves, func(l []byte) bool {
						return string(l) == string(r.Leaf())
					})
					row := contract.TraceRow{Recorded: r, Index: int64(at)}
					if at >= 0 {
						row.Proof = Prove(leaves, row.Index)
					}
					rows = append(rows, row)
				}
			}
			return change(rows), checkpoints[len(checkpoints)-1], err
		}
	}
}

var wrongs = []wrongAnswer{
	{
		name: "hashes leaves and nodes alike", finds: "L5.1",
		hint: "nothing tells a leaf from a node",
		change: func(a *answer) {
			a.root = func(leaves [][]byte) contract.Hash {
				if len(leaves) == 1 {
					return plainHash(leaves[0])
				}
				return treeWith(leaves, nil, nil, split)
			}
		},
	},
	{
		name: "splits in halves", finds: "L5.1",
		hint: "the left subtree is always full",
		change: func(a *answer) {
			a.root = func(leaves [][]byte) contract.Hash {
				half := func(n int64) int64 { return n / 2 }
				return treeWith(leaves, []byte{0}, []byte{1}, half)
			}
		},
	},
	{
		name: "proves from the root down", finds: "L5.2",
		hint: "the proof in that half, and then the root of the other half",
		change: func(a *answer) {
			a.prove = func(leaves [][]byte, index int64) []contract.Hash {
				proof := Prove(leaves, index)
				slices.Reverse(proof)
				return proof
			}
		},
	},
	{
		name: "hashes always to the right", finds: "L5.3",
		hint: "the index says whether it is the left one or the right one",
		change: func(a *answer) {
			a.inclusion = func(root contract.Hash, _, _ int64, leaf []byte,
				proof []contract.Hash) error {
				h := hash(0, leaf)
				for _, beside := range proof {
					h = hash(1, h[:], beside[:])
				}
				if h != root {
					return errRefused
				}
				return nil
			}
		},
	},
	{
		name: "ignores hashes that are left over", finds: "L5.4",
		hint: "every hash of the proof must be used",
		change: func(a *answer) {
			a.inclusion = func(root contract.Hash, size, index int64, leaf []byte,
				proof []contract.Hash) error {
				err := CheckInclusion(root, size, index, leaf, proof)
				for n := range proof {
					if CheckInclusion(root, size, index, leaf, proof[:n]) == nil {
						return nil
					}
				}
				return err
			}
		},
	},
	{
		name: "ignores hashes before the first", finds: "L5.4",
		hint: "at the leaf, no hash may be left over",
		change: func(a *answer) {
			a.inclusion = func(root contract.Hash, size, index int64, leaf []byte,
				proof []contract.Hash) error {
				err := CheckInclusion(root, size, index, leaf, proof)
				for n := range proof {
					if CheckInclusion(root, size, index, leaf, proof[n+1:]) == nil {
						return nil
					}
				}
				return err
			}
		},
	},
	{
		name: "takes an index past the end", finds: "L5.4",
		hint: "an index outside of the tree has no leaf",
		change: func(a *answer) {
			a.inclusion = func(root contract.Hash, size, index int64, leaf []byte,
				proof []contract.Hash) error {
				return CheckInclusion(root, size, (index%size+size)%size, leaf, proof)
			}
		},
	},
	{
		name: "takes a node for a leaf", finds: "L5.4",
		hint: "otherwise a node passes as a leaf",
		change: func(a *answer) {
			a.inclusion = func(root contract.Hash, size, index int64, leaf []byte,
				proof []contract.Hash) error {
				err := CheckInclusion(root, size, index, leaf, proof)
				if h := hash(1, leaf); err != nil && len(proof) == 1 && size == 2 &&
					index == 0 && hash(1, h[:], proof[0][:]) == root {
					return nil
				}
				return err
			}
		},
	},
	{
		name: "leaves the header out of the tree", finds: "L5.5",
		hint: "the batch's header is its last leaf", change: sealWith(sealFaults{noHeader: true}),
	},
	{
		name: "names no batch before", finds: "L5.6",
		hint:   "Previous is hash(0, …) of the leaf of the last header",
		change: sealWith(sealFaults{noPrevious: true}),
	},
	{
		name: "seals offsets without events", finds: "L5.7",
		hint:   "events, and not offsets, make a batch",
		change: sealWith(sealFaults{emptyBatches: true}),
	},
	{
		name: "publishes the checkpoint first", finds: "L5.8",
		hint: "publish is the last write", change: sealWith(sealFaults{publishFirst: true}),
	},
	{
		name: "ignores an error of the first write", finds: "L5.8",
		hint:   "after an error of a write the object may be missing",
		change: sealWith(sealFaults{ignoreError: true}),
	},
	{
		name: "begins at the last checkpoint", finds: "L5.9",
		hint:   "begin with all batches of the archive",
		change: sealWith(sealFaults{forgetLeft: true}),
	},
	{
		name: "adopts any batch", finds: "L5.10",
		hint: "each batch after it with the log", change: sealWith(sealFaults{adoptAny: true}),
	},
	{
		name: "signs any header that a crash left", finds: "L5.10",
		hint:   "no signature covers the header of a batch that a crash left",
		change: sealWith(sealFaults{trustHeaders: true}),
	},
	{
		name: "signs on top of any archive", finds: "L5.10",
		hint:   "compare the first c.Size leaves of the archive with the root",
		change: sealWith(sealFaults{trustArchive: true}),
	},
	{
		name: "signs a batch past the end of the log", finds: "L5.10",
		hint:   "the end of the log must reach the To of each batch",
		change: sealWith(sealFaults{trustEnd: true}),
	},
	{
		name: "begins with the old root", finds: "L5.11",
		hint: "carry two roots on the way up",
		change: func(a *answer) {
			a.consistency = func(size int64, root contract.Hash, old int64,
				oldRoot contract.Hash, proof []contract.Hash) error {
				was, is, _ := climbConsistency(size, old, oldRoot, proof, true)
				if was != oldRoot || is != root {
					return errRefused
				}
				return nil
			}
		},
	},
	{
		name: "compares the new root only", finds: "L5.12",
		hint: "the proof must give the old root, too",
		change: func(a *answer) {
			a.consistency = func(size int64, root contract.Hash, old int64,
				oldRoot contract.Hash, proof []contract.Hash) error {
				if old < 1 || old > size {
					return errRefused
				}
				_, is, whole := climbConsistency(size, old, oldRoot, proof, old&(old-1) == 0)
				if is != root || !whole {
					return errRefused
				}
				return nil
			}
		},
	},
	{
		name: "ignores hashes before the first of two trees", finds: "L5.12",
		hint: "where the way down ends, no hash may be left over",
		change: func(a *answer) {
			a.consistency = func(size int64, root contract.Hash, old int64,
				oldRoot contract.Hash, proof []contract.Hash) error {
				err := CheckConsistency(size, root, old, oldRoot, proof)
				if err != nil && old < size && len(proof) > 0 {
					return CheckConsistency(size, root, old, oldRoot, proof[1:])
				}
				return err
			}
		},
	},
	{
		name: "finds a shorter log consistent", finds: "L5.12",
		hint: "a log never shrinks",
		change: func(a *answer) {
			a.consistency = func(size int64, root contract.Hash, old int64,
				oldRoot contract.Hash, proof []contract.Hash) error {
				if old > size {
					size, root, old, oldRoot = old, oldRoot, size, root
					if size == old+1 {
						return nil
					}
				}
				return CheckConsistency(size, root, old, oldRoot, proof)
			}
		},
	},
	{
		name: "counts a batch without a checkpoint as sealed", finds: "L5.13",
		hint:   "after the last batch that a checkpoint covers",
		change: verifying(faults{countLeft: true}),
	},
	{
		name: "does not read the log", finds: "L5.14 L5.22",
		hint:   "difference(b, events) of each batch and its range finds the place",
		change: verifying(faults{trustLog: true}),
	},
	{
		name: "believes an archive that equals the log", finds: "L5.15 L5.22",
		hint: "the signature decides", change: verifying(faults{trustArchive: true}),
	},
	{
		name: "looks at the last checkpoint only", finds: "L5.15",
		hint:   "at each checkpoint",
		change: verifying(faults{lastCheckpoint: true}),
	},
	{
		name: "blames the log at once", finds: "L5.15",
		hint: "before you blame the log", change: verifying(faults{blameLog: true}),
	},
	{
		name: "believes a signed header", finds: "L5.16",
		hint:   "the sealer itself may leave events out",
		change: verifying(faults{trustHeaders: true}),
	},
	{
		name: "names the last difference", finds: "L5.21",
		hint: "keep the first difference", change: verifying(faults{lastDifference: true}),
	},
	{
		name: "wants a proof for the first checkpoint", finds: "L5.17",
		hint: "the first checkpoint has no proof",
		change: func(a *answer) {
			a.cosign = func(w *Witness, signed []byte, proof []contract.Hash) error {
				if w.last.Size == 0 && len(proof) == 0 {
					return errRefused
				}
				return w.Cosign(signed, proof)
			}
		},
	},
	{
		name: "cosigns every signed note", finds: "L5.18",
		hint: "an older checkpoint hides events",
		change: func(a *answer) {
			a.cosign = func(w *Witness, signed []byte, _ []contract.Hash) (err error) {
				w.last, err = openCheckpoint(signed, w.origin, w.key)
				return err
			}
		},
	},
	{
		name: "cosigns an older checkpoint with a proof", finds: "L5.18",
		hint: "the proof must lead from the last checkpoint to the next, and not back",
		change: func(a *answer) {
			a.cosign = func(w *Witness, signed []byte, proof []contract.Hash) error {
				c, err := openCheckpoint(signed, w.origin, w.key)
				if err == nil && c.Size < w.last.Size && CheckConsistency(w.last.Size, w.last.Root,
					c.Size, c.Root, proof) == nil {
					w.last = c
					return nil
				}
				return w.Cosign(signed, proof)
			}
		},
	},
	{
		name: "remembers a checkpoint before it checks it", finds: "L5.18",
		hint: "a refused checkpoint must not take the place of the last one",
		change: func(a *answer) {
			a.cosign = func(w *Witness, signed []byte, proof []contract.Hash) error {
				err := w.Cosign(signed, proof)
				if c, bad := openCheckpoint(signed, w.origin, w.key); bad == nil {
					w.last = c
				}
				return err
			}
		},
	},
	{
		name: "takes the version for the index", finds: "L5.19",
		hint: "the index of an event is that of its leaf in the whole tree",
		change: traceWith(true, func(rows []contract.TraceRow) []contract.TraceRow {
			for i := range rows {
				rows[i].Index = rows[i].Version - 1
			}
			return rows
		}),
	},
	{
		name: "leaves unanchored events out", finds: "L5.19",
		hint: "has index -1 and no proof",
		change: traceWith(true, func(rows []contract.TraceRow) []contract.TraceRow {
			return slices.DeleteFunc(rows, func(r contract.TraceRow) bool { return r.Index < 0 })
		}),
	},
	{
		name: "proves events that no checkpoint covers", finds: "L5.19",
		hint: "no checkpoint covers a batch that a crash left",
		change: func(to *answer) {
			to.trace = func(ctx context.Context, a *Auditor, uti string) (
				[]contract.TraceRow, contract.Checkpoint, error) {
				rows, under, err := a.Trace(ctx, uti)
				if err != nil {
					return rows, under, err
				}
				batches, _, err := a.archived(ctx)
				leaves := allLeaves(batches)
				for i, row := range rows {
					at := slices.IndexFunc(leaves, func(l []byte) bool {
						return string(l) == string(row.Leaf())
					})
					if at >= 0 {
						rows[i].Index, rows[i].Proof = int64(at), Prove(leaves, int64(at))
					}
				}
				return rows, under, err
			}
		},
	},
	{
		name: "proves the rows that are left", finds: "L5.20",
		hint: "call Verify first",
		change: traceWith(false, func(rows []contract.TraceRow) []contract.TraceRow {
			return rows
		}),
	},
}

// plainHash is SHA-256 of the parts, without a prefix of its own.
func plainHash(parts ...[]byte) contract.Hash {
	joined := slices.Concat(parts...)
	if len(joined) == 0 {
		return Root(nil)
	}
	return hash(joined[0], joined[1:])
}

// Each wrong answer fails the checks that are meant to find it. A golden file has the text of the
// first.
func TestSuiteFindsWrongAnswers(t *testing.T) {
	t.Parallel()
	var scores gradetest.Scores
	if !testing.Short() {
		t.Cleanup(func() { scores.Compare(t, *Update) }) // after the parallel subtests
	}
	found := map[string]bool{}
	for _, w := range wrongs {
		for _, id := range strings.Fields(w.finds) {
			found[id] = true
		}
		t.Run(w.name, func(t *testing.T) {
			t.Parallel()
			requireFound(t, w, &scores)
		})
	}
	for _, c := range suiteOf(func(*answer) {}).Checks {
		require.True(t, found[c.ID], "no wrong answer has %s in finds", c.ID)
	}
}

// requireFound requires that the listed checks fail. The long run also tries the others, and takes
// down the score.
func requireFound(t *testing.T, w wrongAnswer, scores *gradetest.Scores) {
	expected := strings.Fields(w.finds)
	s := suiteOf(w.change)
	scores.Add(w.name, []check.Suite{s}, append(othersLost(t, w), expected...))
	for _, c := range s.Checks {
		if !slices.Contains(expected, c.ID) {
			continue
		}
		v := check.Judge(t.Context(), s, c)
		require.Equal(t, check.Failed, v.Outcome, "%s: %s", c.ID, v.Text)
		if c.ID == expected[0] {
			require.Contains(t, v.Text, w.hint, "the hint for this fault")
			golden(t, w.name, v.Text)
		}
	}
}

// othersLost returns the checks that fail, too, in a long run.
func othersLost(t *testing.T, w wrongAnswer) (lost []string) {
	if testing.Short() {
		return nil
	}
	s := suiteOf(w.change)
	for _, c := range s.Checks {
		if !slices.Contains(strings.Fields(w.finds), c.ID) &&
			check.Judge(t.Context(), s, c).Outcome != check.Passed {
			lost = append(lost, c.ID)
		}
	}
	return lost
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", "wrong", strings.ReplaceAll(name, " ", "-")+".golden")
	if *Update {
		require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
		require.NoError(t, os.WriteFile(file, []byte(got), 0o644))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, string(want), got,
		"to rewrite it: go test ./solutions/5-audit/plain -run Wrong -update")
}

// A stub is to do, or blocked by another one, in every check.
func TestStubsAreToDo(t *testing.T) {
	t.Parallel()
	todo := func(name string) error { return check.TODO("L5." + name) }
	s := suiteOf(func(a *answer) {
		a.root = func([][]byte) contract.Hash { panic(todo("root")) }
		a.prove = func([][]byte, int64) []contract.Hash { panic(todo("prove")) }
		a.inclusion = func(contract.Hash, int64, int64, []byte, []contract.Hash) error {
			return todo("inclusion")
		}
		a.consistency = func(int64, contract.Hash, int64, contract.Hash, []contract.Hash) error {
			return todo("consistency")
		}
		a.seal = func(context.Context, *Auditor) (c contract.Checkpoint, err error) {
			return c, todo("seal")
		}
		a.verify = func(context.Context, *Auditor) (v contract.Verification, err error) {
			return v, todo("verify")
		}
		a.trace = func(context.Context, *Auditor, string) (
			rows []contract.TraceRow, c contract.Checkpoint, err error) {
			return nil, c, todo("trace")
		}
		a.cosign = func(*Witness, []byte, []contract.Hash) error { return todo("cosign") }
	})
	for _, v := range check.JudgeAll(t.Context(), s) {
		require.Contains(t, []check.Outcome{check.Todo, check.Blocked}, v.Outcome,
			"%s: %s", v.Check.ID, v.Text)
	}
}

// An answer that is always the same earns nothing, whatever it is.
func TestConstantAnswersEarnNothing(t *testing.T) {
	t.Parallel()
	for name, err := range map[string]error{"nothing": nil, "an error": errRefused} {
		s := suiteOf(func(a *answer) {
			fault := archiveFault(nil, "nobody knows")
			a.root = func([][]byte) (h contract.Hash) { return h }
			a.prove = func([][]byte, int64) []contract.Hash { return nil }
			a.inclusion = func(contract.Hash, int64, int64, []byte, []contract.Hash) error {
				return err
			}
			a.consistency = func(int64, contract.Hash, int64, contract.Hash,
				[]contract.Hash) error {
				return err
			}
			a.seal = func(context.Context, *Auditor) (c contract.Checkpoint, _ error) {
				return c, err
			}
			a.verify = func(context.Context, *Auditor) (v contract.Verification, _ error) {
				if err != nil {
					v.Fault = fault
				}
				return v, nil
			}
			a.trace = func(context.Context, *Auditor, string) (
				rows []contract.TraceRow, c contract.Checkpoint, _ error) {
				return nil, c, err
			}
			a.cosign = func(*Witness, []byte, []contract.Hash) error { return err }
		})
		for _, v := range check.JudgeAll(t.Context(), s) {
			require.Equal(t, check.Failed, v.Outcome, "%s: the answer %s", v.Check.ID, name)
		}
	}
}
