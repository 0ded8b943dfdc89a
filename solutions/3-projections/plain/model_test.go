package projection_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/3-projections/projectiontest"
	"example.com/blotter/labs/kit/check"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/stack/stacktest"
	projection "example.com/blotter/solutions/3-projections/plain"
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

// Rebuilds that wait for the lock may hold all connections of their pool, which has one here. The
// rebuild that has the lock writes its new rows on another connection. It deletes the partial
// models of the others.
func TestRebuildsDoNotBlockEachOther(t *testing.T) {
	t.Parallel()
	dsn, schema := stacktest.Schema(t)
	o := projection.Options{App: dsn + "&pool_max_conns=1", Owner: dsn, Schema: schema}
	m, err := projection.Open(t.Context(), o, projectiontest.Codec{})
	require.NoError(t, err)
	t.Cleanup(m.Close)
	log := projectiontest.History(34, 60, 2)
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	var all sync.WaitGroup
	var failures [4]error
	for i := range failures {
		all.Go(func() { failures[i] = m.Rebuild(ctx, log, 64) })
	}
	all.Wait()
	require.Contains(t, failures[:], nil, "one of the rebuilds succeeds")
	for _, err := range failures {
		if err != nil {
			require.ErrorContains(t, err, "a rebuild has replaced this model")
		}
	}
	want, err := log.End(t.Context())
	require.NoError(t, err)
	got, err := m.Cursor(t.Context())
	require.NoError(t, err)
	require.Equal(t, want, got)
}
