package memory_test

import (
	"testing"

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
