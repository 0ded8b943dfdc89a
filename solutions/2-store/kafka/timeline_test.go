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
