package audittest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/stretchr/testify/require"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"example.com/blotter/labs/kit/check"
	"example.com/blotter/labs/kit/contract"
)

// An Answer is a student's answer to Lab 5: four pure functions, an auditor, and a witness.
type Answer struct {
	Root             func(leaves [][]byte) contract.Hash
	Prove            func(leaves [][]byte, index int64) []contract.Hash
	CheckInclusion   inclusionFunc
	CheckConsistency consistencyFunc
	// Auditor opens an auditor of the log Origin with the keys of Keys. Opening again is a restart.
	Auditor func(log contract.Reader, archive Bucket) LabAuditor
	// Witness returns a witness of the log Origin that has not cosigned anything yet.
	Witness func() LabWitness
}

type (
	inclusionFunc = func(root contract.Hash, size, index int64, leaf []byte,
		proof []contract.Hash) error
	consistencyFunc = func(size int64, root contract.Hash, old int64, oldRoot contract.Hash,
		proof []contract.Hash) error
)

// A LabAuditor is the auditor of Lab 5.
type LabAuditor interface {
	contract.Auditor
	Trace(ctx context.Context, uti string) ([]contract.TraceRow, contract.Checkpoint, error)
}

// A LabWitness is the witness of Lab 5.
type LabWitness interface {
	Cosign(signed []byte, proof []contract.Hash) error
}

// Origin is the name of the logs of the lab.
const Origin = "example.com/blotter/lab5"

// Keys returns the keys of the logs of the lab: the same in every run.
func Keys() (note.Signer, note.Verifier) { return keysOf(Origin, "lab") }

func keysOf(origin, seed string) (note.Signer, note.Verifier) {
	random := sha256.Sum256([]byte(seed))
	secret, public, err := note.GenerateKey(bytes.NewReader(random[:]), origin)
	if err == nil {
		var signer note.Signer
		var verifier note.Verifier
		if signer, err = note.NewSigner(secret); err == nil {
			if verifier, err = note.NewVerifier(public); err == nil {
				return signer, verifier
			}
		}
	}
	panic(err) // the origin names a key
}

// Lab returns the checks of Lab 5 in the order in which a student should meet them.
func Lab(a Answer) check.Suite {
	s := check.Suite{Name: "5-audit", Guide: "labs/5-audit/README.md",
		Files: []string{"tree.go", "seal.go", "verify.go", "witness.go", "trace.go"}}
	for _, c := range slices.Concat(proving, publishing, extending, verifying, witnessing,
		tracing, duelling) {
		c.Func = func(t check.T) { c.try(&labTrial{t, a}) }
		c.Read = sections[c.Operation]
		s.Checks = append(s.Checks, c.Check)
	}
	return s
}

// The operations of the lab, as its stubs name them.
const (
	root        = "L5.root"
	prove       = "L5.prove"
	inclusion   = "L5.inclusion"
	seal        = "L5.seal"
	consistency = "L5.consistency"
	verify      = "L5.verify"
	cosign      = "L5.cosign"
	trace       = "L5.trace"
)

// sections are the places of the guide that explain an operation.
var sections = map[string]string{
	root: "section 1, exercise 1", prove: "section 1, exercise 1",
	inclusion: "section 1, exercise 1", seal: "section 2, exercise 2",
	consistency: "section 3, exercise 3", verify: "section 4, exercise 4",
	cosign: "section 5, exercise 5", trace: "section 6, exercise 6",
}

// A labSpec is a check of the lab without its answer.
type labSpec struct {
	check.Check
	try func(t *labTrial)
}

// A labTrial is one run of a check of the lab.
type labTrial struct {
	check.T
	answer Answer
}

// newLog returns an empty log, whose events depend on the seed of the check.
func (t *labTrial) newLog(partitions int) *Log {
	log := NewLog(partitions)
	log.seed = t.Seed()
	return log
}

func (t *labTrial) root(leaves [][]byte) contract.Hash {
	h := t.answer.Root(leaves)
	t.Answered("Root", nil)
	return h
}

func (t *labTrial) prove(leaves [][]byte, index int64) []contract.Hash {
	proof := t.answer.Prove(leaves, index)
	t.Answered("Prove", nil)
	return proof
}

func (t *labTrial) checkInclusion(p inclusionProof) error {
	err := t.answer.CheckInclusion(p.root, p.size, p.index, p.leaf, p.proof)
	t.Answered("CheckInclusion", err)
	return err
}

func (t *labTrial) checkConsistency(p consistencyProof) error {
	err := t.answer.CheckConsistency(p.size, p.root, p.old, p.oldRoot, p.proof)
	t.Answered("CheckConsistency", err)
	return err
}

// trySeal seals a log as a process does after its start.
func (t *labTrial) trySeal(log *Log, to Bucket) (contract.Checkpoint, error) {
	c, err := t.answer.Auditor(log, to).Seal(t.Context())
	t.Answered("Seal", err)
	return c, err
}

func (t *labTrial) seal(log *Log, to Bucket) contract.Checkpoint {
	c, err := t.trySeal(log, to)
	require.NoError(t, err, "Seal")
	return c
}

func (t *labTrial) verify(log *Log, to Bucket) contract.Verification {
	v, err := t.answer.Auditor(log, to).Verify(t.Context())
	t.Answered("Verify", err)
	require.NoError(t, err, "Verify: a difference is a Fault, not an error")
	return v
}

func (t *labTrial) trace(log *Log, from Bucket, uti string) (
	[]contract.TraceRow, contract.Checkpoint, error) {
	rows, under, err := t.answer.Auditor(log, from).Trace(t.Context(), uti)
	t.Answered("Trace", err)
	return rows, under, err
}

// A merkle is a tree of golang.org/x/mod/sumdb/tlog, with which the checks compare answers.
type merkle struct {
	leaves [][]byte
	stored []tlog.Hash
}

func merkleOf(leaves [][]byte) *merkle {
	m := &merkle{leaves: leaves}
	for i, leaf := range leaves {
		hashes := must(tlog.StoredHashes(int64(i), leaf, m))
		m.stored = append(m.stored, hashes...)
	}
	return m
}

// grown returns a tree of n different leaves. Those below common are the same in every one.
func (t *labTrial) grown(n, common int, name string) *merkle {
	var leaves [][]byte
	for i := range n {
		leaf := fmt.Sprintf("leaf %d", t.Seed()+uint64(i))
		if i >= common {
			leaf += " of " + name
		}
		leaves = append(leaves, []byte(leaf))
	}
	return merkleOf(leaves)
}

// ReadHashes implements tlog.HashReader.
func (m *merkle) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	var hashes []tlog.Hash
	for _, i := range indexes {
		hashes = append(hashes, m.stored[i])
	}
	return hashes, nil
}

// root returns the root of the first n leaves.
func (m *merkle) root(n int64) contract.Hash {
	if n == 0 {
		return sha256.Sum256(nil)
	}
	return contract.Hash(must(tlog.TreeHash(n, m)))
}

// must returns a value. It panics if the tree of a check is not well-formed.
func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func (m *merkle) inclusion(size, index int64) inclusionProof {
	var proof []contract.Hash
	for _, h := range must(tlog.ProveRecord(size, index, m)) {
		proof = append(proof, contract.Hash(h))
	}
	return inclusionProof{m.root(size), size, index, m.leaves[index], proof}
}

func (m *merkle) consistency(size, old int64) consistencyProof {
	var proof []contract.Hash
	for _, h := range must(tlog.ProveTree(size, old, m)) {
		proof = append(proof, contract.Hash(h))
	}
	return consistencyProof{size, m.root(size), old, m.root(old), proof}
}

type inclusionProof struct {
	root        contract.Hash
	size, index int64
	leaf        []byte
	proof       []contract.Hash
}

type consistencyProof struct {
	size    int64
	root    contract.Hash
	old     int64
	oldRoot contract.Hash
	proof   []contract.Hash
}

// texts returns hashes in a short form.
func texts(hashes []contract.Hash) []string {
	short := []string{}
	for _, h := range hashes {
		short = append(short, fmt.Sprintf("%x…", h[:6]))
	}
	return short
}

// signed returns the signed note of a checkpoint.
func signed(origin string, size int64, root contract.Hash, key note.Signer) []byte {
	text := fmt.Sprintf("%s\n%d\n%s\n", origin, size, base64.StdEncoding.EncodeToString(root[:]))
	return must(note.Sign(&note.Note{Text: text}, key))
}

// batches returns the batches of an archive in the order of their names.
func (s *Shelf) batches() (all []contract.SealedBatch) {
	for _, name := range s.names(batchNames) {
		var b contract.SealedBatch
		if err := json.Unmarshal(s.objects[name], &b); err != nil {
			panic(err) // given code wrote it
		}
		all = append(all, b)
	}
	return all
}

// putBatch replaces a batch, as an administrator of the archive can.
func (s *Shelf) putBatch(b contract.SealedBatch) {
	s.objects[fmt.Sprintf("%s%012d", batchNames, b.First)] = must(json.Marshal(b))
}

// checkpoints returns the size and the root of each checkpoint in an archive.
func (s *Shelf) checkpoints() map[int64]contract.Hash {
	all := map[int64]contract.Hash{}
	_, key := Keys()
	for _, name := range s.names(checkpointNames) {
		n := must(note.Open(s.objects[name], note.VerifierList(key)))
		var size int64
		var hash string
		must(fmt.Sscanf(strings.TrimPrefix(n.Text, Origin+"\n"), "%d\n%s\n", &size, &hash))
		all[size] = contract.Hash(must(tlog.ParseHash(hash)))
	}
	return all
}

// leaves returns the leaves of batches.
func leavesOf(batches []contract.SealedBatch) (all [][]byte) {
	for _, b := range batches {
		all = append(all, b.Leaves()...)
	}
	return all
}
