package memory_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/3-projections/projectiontest"
	"example.com/blotter/labs/kit/check"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/solutions/3-projections/memory"
)

func TestProjection(t *testing.T) {
	t.Parallel()
	check.Run(t, projectiontest.Suite(projectiontest.Fixture{
		Volatile: true,
		Open: func(_ check.T, codec contract.Codec) projectiontest.Model {
			return projectiontest.Model{Projection: memory.New(codec)}
		},
	}))
}

// L3.I3: interleavings of partitions, sizes of batches, places where the catch-up ends, and batches
// that come again give the same bytes.
func TestAnyWayGivesTheSameBytes(t *testing.T) {
	t.Parallel()
	for seed := range uint64(1000) {
		p := memory.New(projectiontest.Codec{})
		require.NoError(t, projectiontest.Wander(t.Context(), p, seed))
	}
}
