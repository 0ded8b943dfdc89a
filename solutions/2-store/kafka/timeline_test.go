package kafka_test

import (
	"testing"

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
