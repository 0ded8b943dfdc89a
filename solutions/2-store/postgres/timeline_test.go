package postgres

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/kit/contract"
)

// Whether a log is simulated is a row that exists before the first event. Later openers read it.
func TestTimelineIsARowOfTheLog(t *testing.T) {
	t.Parallel()
	for _, simulated := range []bool{false, true} {
		made, dsn := open(t, func(o *Options) { o.Simulated = simulated })
		for _, again := range []Options{
			{DSN: dsn, Simulated: !simulated}, {DSN: dsn, Simulated: !simulated, ReadOnly: true},
		} {
			again.Schema, again.Clock = made.schema, stoppedAtNoon
			found, err := openAt(t, again).Timeline(t.Context())
			require.NoError(t, err)
			require.Equal(t, contract.Timeline{Simulated: simulated, PerStream: true}, found)
		}
	}
}

// A simulated log has on record that a frontier was committed. It has no time, so that it binds no
// event: the times of events are those of a log without it.
func TestSimulatedFrontierHasNoTime(t *testing.T) {
	t.Parallel()
	s, dsn := open(t, func(o *Options) { o.Simulated, o.Clock = true, contract.SimulatedClock })
	_, begun, err := s.Committed(t.Context())
	require.NoError(t, err)
	require.False(t, begun)
	frontier, err := s.CommitFrontier(t.Context())
	require.NoError(t, err)
	require.Zero(t, frontier)
	again := openAt(t, Options{DSN: dsn, Schema: s.schema, Clock: contract.SimulatedClock})
	for i, at := range []time.Time{{}, noon, {}} {
		receipts, err := again.Append(contract.At(t.Context(), at), "trade/A", int64(i),
			event("trade/A", i+1))
		require.NoError(t, err)
		want := []time.Time{{}, noon, noon.Add(time.Microsecond)}[i]
		require.Equal(t, want, receipts[0].RecordedAt)
	}
	at, begun, err := again.Committed(t.Context())
	require.NoError(t, err)
	require.True(t, begun)
	require.Zero(t, at)
}

// A frontier on record binds every later append of every process, whatever its clock says.
func TestFrontierOnRecordBindsEveryProcess(t *testing.T) {
	t.Parallel()
	late := noon.Add(time.Hour)
	s, dsn := open(t, func(o *Options) {
		o.Clock = func(context.Context) time.Time { return late }
	})
	beside := openAt(t, Options{DSN: dsn, Schema: s.schema, Clock: stoppedAtNoon})
	frontier, err := s.CommitFrontier(t.Context())
	require.NoError(t, err)
	require.Equal(t, late.Add(-time.Microsecond), frontier)
	after := openAt(t, Options{DSN: dsn, Schema: s.schema, Clock: stoppedAtNoon})
	for i, process := range []*Store{beside, after} {
		name := []string{"trade/A", "trade/B"}[i]
		receipts, err := process.Append(t.Context(), name, 0, event(name, 1))
		require.NoError(t, err)
		require.Equal(t, late, receipts[0].RecordedAt)
		again, err := process.CommitFrontier(t.Context())
		require.NoError(t, err)
		require.Equal(t, frontier, again, "a frontier never moves back")
	}
	reader := openAt(t, Options{DSN: dsn, Schema: s.schema, Clock: stoppedAtNoon, ReadOnly: true})
	seen, err := reader.CommitFrontier(t.Context())
	require.NoError(t, err)
	require.Equal(t, frontier, seen)
}

// No caller can push the times of a log ahead of the server's clock.
func TestFrontierStaysBeforeTheServersClock(t *testing.T) {
	t.Parallel()
	made, dsn := open(t)
	app := session(t, login(t, dsn, made.schema)+"&search_path="+made.schema)
	var until time.Time
	asked := time.Now().AddDate(70, 0, 0)
	require.NoError(t, app.QueryRow(t.Context(), commitFrontier, asked).Scan(&until))
	require.Less(t, time.Until(until), time.Hour)
}
