// Package replaytest holds the checks of Lab 4: the rules that every contract.Snapshots and every
// contract.Replayer must satisfy.
//
//	check.Run(t, replaytest.Suite(replaytest.Fixture{
//		Archive:  func(t check.T) replaytest.Archive { … },
//		Replayer: func(codec contract.Codec) contract.Replayer { return replay.New(codec) },
//	}))
package replaytest

import (
	"context"
	"slices"

	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/kit/check"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
)

// A Fixture makes the implementations that the checks try.
type Fixture struct {
	// Archive returns a new, empty archive. It calls t.Cleanup to release resources. Several checks
	// call it at once.
	Archive func(t check.T) Archive
	// Replayer returns a replayer of events that codec decodes.
	Replayer func(codec contract.Codec) contract.Replayer
}

// An Archive is one archive of snapshots.
type Archive struct {
	Snapshots contract.Snapshots
	// Tamper replaces the bytes of a snapshot's state without the archive's knowledge.
	Tamper func(t check.T, name string, state []byte)
}

// Suite returns the checks of Lab 4, in the order in which to meet them.
func Suite(f Fixture) check.Suite {
	s := check.Suite{Name: "4-replay", Guide: "labs/4-replay/README.md"}
	for _, c := range slices.Concat(archiving, replaying) {
		c.Func = func(t check.T) { c.try(&trial{T: t, fixture: f}) }
		s.Checks = append(s.Checks, c.Check)
	}
	return s
}

// A spec is a check without its fixture.
type spec struct {
	check.Check
	try func(t *trial)
}

// A trial is one run of a check.
type trial struct {
	check.T
	fixture Fixture
	tamper  func(t check.T, name string, state []byte)
}

func (t *trial) archive() contract.Snapshots {
	a := t.fixture.Archive(t)
	t.tamper = a.Tamper
	return watchedSnapshots{a.Snapshots, t}
}

func (t *trial) replayer(codec contract.Codec) contract.Replayer {
	return watchedReplayer{t.fixture.Replayer(codec), t}
}

// put must succeed.
func (t *trial) put(a contract.Snapshots, s contract.Snapshot) {
	require.NoError(t, a.Put(t.Context(), s), "put %s", s.Name)
}

// watchedSnapshots is the proxy between the checks and an archive. The check learns of every
// answer, so a TODO counts neither as a failure nor as a success.
type watchedSnapshots struct {
	contract.Snapshots
	t check.T
}

func (w watchedSnapshots) Put(ctx context.Context, s contract.Snapshot) error {
	err := w.Snapshots.Put(ctx, s)
	w.t.Answered("Put", err)
	return err
}

func (w watchedSnapshots) Get(ctx context.Context, name string) (contract.Snapshot, error) {
	s, err := w.Snapshots.Get(ctx, name)
	w.t.Answered("Get", err)
	return s, err
}

func (w watchedSnapshots) List(ctx context.Context) ([]contract.Snapshot, error) {
	all, err := w.Snapshots.List(ctx)
	w.t.Answered("List", err)
	return all, err
}

// watchedReplayer is the same proxy for a replayer.
type watchedReplayer struct {
	contract.Replayer
	t check.T
}

func (w watchedReplayer) Replay(ctx context.Context, log contract.Reader, to contract.Cursor) (
	trade.State, int64, error) {
	s, n, err := w.Replayer.Replay(ctx, log, to)
	w.t.Answered("Replay", err)
	return s, n, err
}

func (w watchedReplayer) Compare(archived, replayed []byte) error {
	err := w.Replayer.Compare(archived, replayed)
	w.t.Answered("Compare", err)
	return err
}
