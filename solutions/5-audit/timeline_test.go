package audit_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/5-audit/audittest"
	"example.com/blotter/labs/kit/contract"
	audit "example.com/blotter/solutions/5-audit"
)

// A stated log states its timeline and its frontier, whatever its events are.
type stated struct {
	*audittest.Log
	timeline contract.Timeline
	frontier time.Time
}

func (l *stated) Timeline(context.Context) (contract.Timeline, error) { return l.timeline, nil }

func (l *stated) CommitFrontier(context.Context) (time.Time, error) { return l.frontier, nil }

// openAt is open with a clock that stands still at a time.
func openAt(t *testing.T, log contract.SealableLog, at time.Time) *audit.Auditor {
	t.Helper()
	signer, verifier := keys(t)
	a, err := audit.Open(audit.Options{
		Log: log, Archive: new(audit.Memory), Origin: origin, Signer: signer, Verifier: verifier,
		Clock: func() time.Time { return at },
	})
	require.NoError(t, err)
	return a
}

// Two logs have the same events, and are sealed at the same time. One says that it is simulated:
// the tree has it.
func TestTimelineIsInTheTree(t *testing.T) {
	t.Parallel()
	roots := map[contract.Hash]bool{}
	for _, simulated := range []bool{false, true} {
		log := &stated{Log: audittest.NewLog(1), timeline: contract.Timeline{Simulated: simulated}}
		log.Add(3)
		c, err := openAt(t, log, audittest.Noon.Add(3*time.Microsecond)).Seal(t.Context())
		require.NoError(t, err)
		roots[c.Root] = true
	}
	require.Len(t, roots, 2)
}

// No seal continues the tree of a log that now states another timeline.
func TestSealRefusesAnotherTimeline(t *testing.T) {
	t.Parallel()
	log := audittest.NewLog(1)
	log.Add(3)
	auditor := open(t, log, new(audit.Memory))
	_, err := auditor.Seal(t.Context())
	require.NoError(t, err)
	log.Add(1)
	log.Simulate()
	_, err = auditor.Seal(t.Context())
	require.ErrorIs(t, err, audit.ErrForked)
	require.ErrorContains(t, err, "sealed as kept in real time, and says now that it is simulated")
}

// Times go on within a partition of Kafka, and within a stream of Postgres: there, an event of
// another stream may be earlier.
func TestTimesGoOnWithinTheirScope(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		perStream bool
		stream    string
		offenders int
	}{
		{false, "trade/UTI-9", 1}, {true, "trade/UTI-9", 0}, {true, "trade/UTI-0", 1},
	} {
		log := &stated{Log: audittest.NewLog(1),
			timeline: contract.Timeline{PerStream: tc.perStream}}
		log.Add(9)
		log.AddAt(tc.stream, audittest.Noon)
		auditor := openAt(t, log, tomorrow())
		c, err := auditor.Seal(t.Context())
		require.NoError(t, err)
		require.Len(t, c.Offenders, tc.offenders, "%+v", tc)
		v, err := auditor.Verify(t.Context())
		require.NoError(t, err)
		require.Len(t, v.Offenders, tc.offenders, "%+v", tc)
	}
}

// A busy log records an event while a seal asks for its frontier.
type busy struct {
	*audittest.Log
	once sync.Once
}

func (l *busy) CommitFrontier(ctx context.Context) (time.Time, error) {
	l.once.Do(func() { l.Add(1) })
	return l.Log.CommitFrontier(ctx)
}

// A batch has every event up to the frontier that it states. Otherwise a later seal would accuse an
// honest event.
func TestBatchIsCompleteToItsFrontier(t *testing.T) {
	t.Parallel()
	log := &busy{Log: audittest.NewLog(1)}
	log.Add(3)
	auditor := open(t, log, new(audit.Memory))
	c, err := auditor.Seal(t.Context())
	require.NoError(t, err)
	end, err := log.End(t.Context())
	require.NoError(t, err)
	require.Equal(t, end, c.End)
	log.Add(1)
	c, err = auditor.Seal(t.Context())
	require.NoError(t, err)
	require.Empty(t, c.Offenders)
}

// A foreign log is opened by a role that does not own it, and commits no frontier.
type foreignLog struct{ *audittest.Log }

func (l foreignLog) CommitFrontier(ctx context.Context) (time.Time, error) {
	at, _, err := l.Committed(ctx)
	return at, err
}

// A counted log counts the frontiers that were committed.
type counted struct {
	*audittest.Log
	commits int
}

func (l *counted) CommitFrontier(ctx context.Context) (time.Time, error) {
	l.commits++
	return l.Log.CommitFrontier(ctx)
}

// The first seal that can do so puts it on record in a simulated log that the log was sealed, and
// later seals do not repeat it.
func TestLaterSealMarksASimulatedLog(t *testing.T) {
	t.Parallel()
	log, archive := audittest.NewLog(1), new(audit.Memory)
	log.Simulate()
	owned := &counted{Log: log}
	for i, as := range []contract.SealableLog{foreignLog{log}, foreignLog{log}, owned, owned} {
		log.Add(2)
		a := open(t, as, archive)
		a.Committed = log.Committed
		_, err := a.Seal(t.Context())
		require.NoError(t, err)
		_, begun, err := log.Committed(t.Context())
		require.NoError(t, err)
		require.Equal(t, i >= 2, begun)
	}
	require.Equal(t, 1, owned.commits)
	v, err := open(t, log, archive).Verify(t.Context())
	require.NoError(t, err)
	require.Nil(t, v.Fault)
}
