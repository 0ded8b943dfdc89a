package postgres

import (
	"testing"

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
			require.Equal(t, contract.Timeline{Simulated: simulated}, found)
		}
	}
}
