package store_test

import (
	"context"
	"testing"
	"time"

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
