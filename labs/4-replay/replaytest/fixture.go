package replaytest

import (
	"context"
	"slices"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/kit/check"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
)

// A Fixture makes what the checks try.
type Fixture struct {
	// Archive gives one of its own, which is empty. What must be released goes to t.Cleanup. It is called from several
	// checks at once.
	Archive func(t check.T) Archive
	// Replayer gives one whose events are decoded by codec.
	Replayer func(codec contract.Codec) contract.Replayer
}

// An Archive is one archive of snapshots as the checks hold it.
type Archive struct {
	Snapshots contract.Snapshots
	// Tamper puts other bytes in the place of a snapshot's state, behind the archive's back.
	Tamper func(t check.T, name string, state []byte)
}

// Suite is the checks of Lab 4, in the order in which they should be met.
func Suite(f Fixture) check.Suite {
	s := check.Suite{Name: "4-replay", Guide: "labs/4-replay/README.md"}
	for _, c := range slices.Concat(archiving, replaying) {
		s.Checks = append(s.Checks, c.bind(f))
	}
	return s
}

// A spec is a check before it has a fixture.
type spec struct {
	check.Check
	try func(t *trial)
}

func (c spec) bind(f Fixture) check.Check {
	c.Func = func(t check.T) { c.try(&trial{T: t, fixture: f}) }
	return c.Check
}

// A trial is one check under way.
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

func (t *trial) replayer() contract.Replayer {
	return watchedReplayer{t.fixture.Replayer(&shelf{}), t}
}

// put must succeed.
func (t *trial) put(a contract.Snapshots, s contract.Snapshot) {
	require.NoError(t, a.Put(t.Context(), s), "put %s", s.Name)
}

// watchedSnapshots is the proxy through which checks reach an archive: the check learns of every answer, so that a TODO
// is never taken for a failure, nor for a success.
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

func (w watchedSnapshots) Names(ctx context.Context) ([]string, error) {
	names, err := w.Snapshots.Names(ctx)
	w.t.Answered("Names", err)
	return names, err
}

// watchedReplayer is the same for a replayer.
type watchedReplayer struct {
	contract.Replayer
	t check.T
}

func (w watchedReplayer) Replay(ctx context.Context, log contract.Reader, to contract.Cursor) (trade.State, int64, error) {
	s, n, err := w.Replayer.Replay(ctx, log, to)
	w.t.Answered("Replay", err)
	return s, n, err
}

func (w watchedReplayer) Compare(archived, replayed []byte) error {
	err := w.Replayer.Compare(archived, replayed)
	w.t.Answered("Compare", err)
	return err
}

// noon is when the first event of a story is recorded.
var noon = time.Date(2025, 3, 3, 12, 0, 0, 0, time.UTC)
