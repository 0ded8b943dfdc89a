package memory_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/3-projections/projectiontest"
	"example.com/blotter/labs/kit/check"
	"example.com/blotter/labs/kit/contract"
	projection "example.com/blotter/solutions/3-projections"
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

// With one bad event among 10,000 of 100 streams, 99 streams are up to date. A later program that
// applies the events again, and a skip, give the bytes of a fold.
func TestOneBadEventStopsOneStream(t *testing.T) {
	t.Parallel()
	program := &projectiontest.Program{}
	p := memory.New(program)
	rebuild := func(log *projectiontest.Log) (contract.Projection, error) {
		end, err := log.End(t.Context())
		require.NoError(t, err)
		p := memory.New(program)
		return p, projection.Project(t.Context(), log, p, end, 2000)
	}
	require.NoError(t, projectiontest.OneBadEvent(t.Context(), p, program, rebuild))
}
