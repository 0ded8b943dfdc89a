// Package replaytest holds the checks of Lab 4: replays, an archive of snapshots, and the search
// for the first event at which two histories differ.
//
//	check.Run(t, replaytest.Lab(replaytest.Answer{
//		Compare: replay.Compare, Bisect: replay.Bisect,
//		Replayer: func(c contract.Codec) replaytest.Replayer { return replay.New(c) },
//		…
//	}))
package replaytest

import (
	"context"
	"crypto/sha256"
	"slices"

	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/kit/check"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
)

// An Answer is a student's answer to Lab 4.
type Answer struct {
	Compare  func(archived, replayed []byte) error
	Replayer func(contract.Codec) Replayer
	Bisect   func(n int, same func(place int) (bool, error)) (int, error)
	// Archive returns the archive of snapshots in some storage.
	Archive func(contract.Objects) contract.Snapshots
	// Memory and S3 return new, empty storage. Several checks call them at once. Without S3, the
	// checks of an archive run in memory only.
	Memory, S3 func(t check.T) Storage
}

// A Replayer derives states from a log alone.
type Replayer interface {
	Replay(ctx context.Context, log contract.Reader, to contract.Cursor) (trade.State, int64, error)
	// Chain returns the events before to, by recorded_at, stream and version, with a digest for
	// each (L4.I6).
	Chain(ctx context.Context, log contract.Reader, to contract.Cursor) (
		[]contract.Recorded, [][sha256.Size]byte, error)
	AsOf(ctx context.Context, log contract.Reader, at trade.AsOf) (trade.State, error)
}

// Storage is object storage whose objects a check can change.
type Storage struct {
	contract.Objects
	// Tamper replaces an object without the storage's knowledge. Nil content removes it.
	Tamper func(t check.T, key string, content []byte)
}

// The operations of the lab, as its stubs name them.
const (
	compare = "L4.compare"
	replay  = "L4.replay"
	get     = "L4.get"
	put     = "L4.put"
	chain   = "L4.chain"
	bisect  = "L4.bisect"
	asOf    = "L4.asof"
)

// sections are the places of the guide that explain an operation.
var sections = map[string]string{
	compare: "section 1, exercise 1", replay: "section 2, exercise 2",
	get: "section 3, exercise 3", put: "section 4, exercise 4",
	chain: "section 5, exercise 5", bisect: "section 5, exercise 5",
	asOf: "section 6, exercise 6",
}

// Lab returns the checks of Lab 4, in the order in which a student should meet them. Checks of an
// archive run in memory first, and then on S3.
func Lab(a Answer) check.Suite {
	s := check.Suite{Name: "4-replay", Guide: "labs/4-replay/README.md",
		Files: []string{"compare.go", "replay.go", "archive.go", "chain.go", "asof.go"}}
	for _, c := range slices.Concat(comparing, replaying, getting, putting, forensic, asking) {
		s.Checks = append(s.Checks, c.bind(a))
	}
	return s
}

// A spec is a check without its answer. A check of an archive has on, which is tried in each
// storage.
type spec struct {
	check.Check
	try func(t *trial)
	on  func(t *trial)
}

func (c spec) bind(a Answer) check.Check {
	c.Read = sections[c.Operation]
	c.Func = func(t check.T) {
		if c.try != nil {
			c.try(&trial{T: t, answer: a})
			return
		}
		t.Logf("in memory")
		c.on(&trial{T: t, answer: a, storage: a.Memory(t)})
		if a.S3 != nil {
			t.Logf("on S3, after the storage in memory")
			c.on(&trial{T: t, answer: a, storage: a.S3(t)})
		}
	}
	return c.Check
}

// A trial is one run of a check. Its methods call the answer, and report each result to the check,
// so a TODO counts neither as a failure nor as a success.
type trial struct {
	check.T
	answer  Answer
	storage Storage
}

func (t *trial) compare(archived, replayed []byte) error {
	err := t.answer.Compare(archived, replayed)
	t.Answered("Compare", err)
	return err
}

func (t *trial) replay(log contract.Reader, to contract.Cursor) (trade.State, int64, error) {
	s, n, err := t.answer.Replayer(codec).Replay(t.Context(), log, to)
	t.Answered("Replay", err)
	return s, n, err
}

// chain must succeed.
func (t *trial) chain(log contract.Reader, to contract.Cursor) (
	[]contract.Recorded, [][sha256.Size]byte) {
	events, digests, err := t.tryChain(log, to)
	require.NoError(t, err, "chain of the events before %s", to)
	require.Len(t, digests, len(events), "digests, for as many events")
	return events, digests
}

func (t *trial) tryChain(log contract.Reader, to contract.Cursor) (
	[]contract.Recorded, [][sha256.Size]byte, error) {
	events, digests, err := t.answer.Replayer(codec).Chain(t.Context(), log, to)
	t.Answered("Chain", err)
	return events, digests, err
}

func (t *trial) bisect(n int, same func(int) (bool, error)) (int, error) {
	k, err := t.answer.Bisect(n, same)
	t.Answered("Bisect", err)
	return k, err
}

func (t *trial) asOf(log contract.Reader, at trade.AsOf) (trade.State, error) {
	s, err := t.answer.Replayer(codec).AsOf(t.Context(), log, at)
	t.Answered("AsOf", err)
	return s, err
}

// archive returns the student's archive in some storage.
func (t *trial) archive(o contract.Objects) contract.Snapshots {
	return watched{t.answer.Archive(o), t}
}

// watched is the proxy between the checks and an archive.
type watched struct {
	contract.Snapshots
	t check.T
}

func (w watched) Put(ctx context.Context, s contract.Snapshot) error {
	err := w.Snapshots.Put(ctx, s)
	w.t.Answered("Put", err)
	return err
}

func (w watched) Get(ctx context.Context, name string) (contract.Snapshot, error) {
	s, err := w.Snapshots.Get(ctx, name)
	w.t.Answered("Get", err)
	return s, err
}
