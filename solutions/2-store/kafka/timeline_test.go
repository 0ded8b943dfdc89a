package kafka_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/kit/contract"
)

// Whether a log is simulated is in the first mark of each partition. Later openers read it.
func TestTimelineIsInTheFirstMarks(t *testing.T) {
	t.Parallel()
	for _, simulated := range []bool{false, true} {
		opts := options(broker(t), "log")
		opts.Partitions, opts.Simulated = 3, simulated
		require.NoError(t, open(t, opts).Close())
		opts.Simulated = !simulated // and it writes more marks
		for _, opts.ReadOnly = range []bool{false, true, false} {
			s := open(t, opts)
			found, err := s.Timeline(t.Context())
			require.NoError(t, err)
			require.Equal(t, contract.Timeline{Simulated: simulated}, found)
			require.NoError(t, s.Close())
		}
	}
}

// A simulated log has on record that a frontier was committed. It has no time, so that it binds no
// event: the times of events are those of a log without it.
func TestSimulatedFrontierHasNoTime(t *testing.T) {
	t.Parallel()
	opts := options(broker(t), "log")
	opts.Partitions, opts.Simulated, opts.Clock = 3, true, contract.SimulatedClock
	s := open(t, opts)
	record := func(n int, at time.Time) time.Time {
		receipts, err := s.Append(contract.At(t.Context(), at), name(0), contract.Any,
			event(name(0), n))
		require.NoError(t, err)
		return receipts[0].RecordedAt
	}
	require.Equal(t, noon, record(1, noon))
	_, begun, err := s.Committed(t.Context())
	require.NoError(t, err)
	require.False(t, begun)
	for range 2 {
		frontier, err := s.CommitFrontier(t.Context())
		require.NoError(t, err)
		require.Zero(t, frontier)
	}
	require.Equal(t, noon.Add(time.Microsecond), record(2, time.Time{}))
	require.NoError(t, s.Close())

	s = open(t, opts)
	at, begun, err := s.Committed(t.Context())
	require.NoError(t, err)
	require.True(t, begun)
	require.Zero(t, at)
	require.Equal(t, noon.Add(2*time.Microsecond), record(3, noon))
}

// A frontier on record binds every later owner, whatever its clock says, and readers know it.
func TestFrontierOnRecordBindsTheNextOwner(t *testing.T) {
	t.Parallel()
	opts := options(broker(t), "log")
	opts.Partitions = 3
	opts.Clock = func(context.Context) time.Time { return noon.Add(time.Hour) }
	s := open(t, opts)
	_, err := s.Append(t.Context(), name(0), 0, event(name(0), 1))
	require.NoError(t, err)
	frontier, err := s.CommitFrontier(t.Context())
	require.NoError(t, err)
	require.Equal(t, noon.Add(time.Hour-time.Microsecond), frontier, "of the quiet partitions")
	require.NoError(t, s.Close())

	opts.Clock = func(context.Context) time.Time { return noon } // it was set back
	reading := opts
	reading.ReadOnly = true
	seen, err := open(t, reading).CommitFrontier(t.Context())
	require.NoError(t, err)
	require.Equal(t, frontier, seen, "the frontier that a process without partitions uses")
	s = open(t, opts)
	for i := range 8 {
		receipts, err := s.Append(t.Context(), name(i), contract.Any, event(name(i), 2))
		require.NoError(t, err)
		require.True(t, receipts[0].RecordedAt.After(frontier), receipts[0].RecordedAt)
	}
	end, err := s.End(t.Context())
	require.NoError(t, err)
	events := 0
	for _, err := range s.Read(t.Context(), nil, end) {
		require.NoError(t, err, "readers skip the marks")
		events++
	}
	require.Equal(t, 9, events)
}
