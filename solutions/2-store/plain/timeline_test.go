package store_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/stack/stacktest"
	store "example.com/blotter/solutions/2-store/plain"
)

// Whether a log is simulated is in the first mark of each partition. Later openers read it.
func TestTimelineIsInTheFirstMarks(t *testing.T) {
	t.Parallel()
	for _, simulated := range []bool{false, true} {
		opts := store.Options{
			Brokers: stacktest.Kafka(t), Prefix: stacktest.Prefix(t) + "log", Partitions: 3,
			Clock: func(context.Context) time.Time { return time.Time{} }, Simulated: simulated,
		}
		s, err := store.Open(t.Context(), opts)
		require.NoError(t, err)
		require.NoError(t, s.Close())
		opts.Simulated = !simulated // and it writes more marks
		for _, opts.ReadOnly = range []bool{false, true, false} {
			s, err := store.Open(t.Context(), opts)
			require.NoError(t, err)
			found, err := s.Timeline(t.Context())
			require.NoError(t, err)
			require.Equal(t, contract.Timeline{Simulated: simulated}, found)
			require.NoError(t, s.Close())
		}
	}
}

// A frontier on record binds every later owner, whatever its clock says.
func TestFrontierOnRecordBindsTheNextOwner(t *testing.T) {
	t.Parallel()
	late := time.Date(2025, 3, 30, 13, 0, 0, 0, time.UTC)
	opts := store.Options{
		Brokers: stacktest.Kafka(t), Prefix: stacktest.Prefix(t) + "log", Partitions: 3,
		Heads: noHeads{}, Clock: func(context.Context) time.Time { return late },
	}
	s, err := store.Open(t.Context(), opts)
	require.NoError(t, err)
	frontier, err := s.CommitFrontier(t.Context())
	require.NoError(t, err)
	require.Equal(t, late.Add(-time.Microsecond), frontier)
	require.NoError(t, s.Close())

	opts.Clock = func(context.Context) time.Time { return late.Add(-time.Hour) } // it was set back
	s, err = store.Open(t.Context(), opts)
	require.NoError(t, err)
	defer s.Close()
	for i := range byte(8) {
		e := contract.Event{
			ID: uuid.UUID{i + 1}, Stream: fmt.Sprintf("UTI-%d", i), Type: "trade.new", Schema: 1,
			EffectiveAt: late, EnteredAt: late, CommandID: "c-1",
			Actor: "desk-7", Reason: "agreed", Source: "test", Data: make([]byte, 5),
		}
		receipts, err := s.Append(t.Context(), e.Stream, 0, e)
		require.NoError(t, err)
		require.Equal(t, late, receipts[0].RecordedAt.Truncate(time.Second))
	}
	end, err := s.End(t.Context())
	require.NoError(t, err)
	for _, err := range s.Read(t.Context(), nil, end) {
		require.NoError(t, err, "readers skip the marks")
	}
}
