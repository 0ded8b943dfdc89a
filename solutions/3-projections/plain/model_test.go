package projection_test

import (
	"testing"

	"example.com/blotter/labs/3-projections/projectiontest"
	"example.com/blotter/labs/kit/check"
	"example.com/blotter/labs/kit/contract"
)

// The model passes the checks of every projection, too: those that the lab leaves out test the code
// that it provides.
func TestProjection(t *testing.T) {
	t.Parallel()
	a := answer()
	for name, database := range map[string]func(check.T) projectiontest.Database{
		"memory": a.Memory, "postgres": a.Postgres,
	} {
		open := func(t check.T, codec contract.Codec) projectiontest.Model {
			db := database(t)
			process := func(t check.T) contract.Projection {
				m := db(t, codec, nil)
				t.Cleanup(m.Close)
				return m
			}
			return projectiontest.Model{Projection: process(t), Reopen: process}
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			check.Run(t, projectiontest.Suite(projectiontest.Fixture{Open: open}))
		})
	}
}
