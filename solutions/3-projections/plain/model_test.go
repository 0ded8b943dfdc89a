package projection_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/3-projections/projectiontest"
	"example.com/blotter/labs/kit/check"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/stack/stacktest"
	"example.com/blotter/labs/kit/trade"
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

// An older program parks a stream at an event that it cannot decode. A later program takes the next
// event of the stream, and the stream is not parked any more.
func TestLaterProgramUnparksAStream(t *testing.T) {
	t.Parallel()
	log := projectiontest.History(35, 200, 1)
	stream, n := settledEarlier(log.Events)
	require.NotEmpty(t, stream)
	dsn, schema := stacktest.Schema(t)
	o := projection.Options{App: dsn, Owner: dsn, Schema: schema}
	db := projection.NewDatabase()
	for name, open := range map[string]func(contract.Codec) (*projection.Model, error){
		"memory": func(codec contract.Codec) (*projection.Model, error) {
			return projection.InMemory(db, codec, nil), nil
		},
		"postgres": func(codec contract.Codec) (*projection.Model, error) {
			return projection.Open(t.Context(), o, codec)
		},
	} {
		t.Run(name, func(t *testing.T) {
			parked := func(codec contract.Codec, events []contract.Recorded, next int) bool {
				m, err := open(codec)
				require.NoError(t, err)
				defer m.Close()
				err = m.Apply(t.Context(), events, contract.Cursor{int64(next)})
				require.NoError(t, err)
				state, err := m.State(t.Context())
				require.NoError(t, err)
				return slices.ContainsFunc(state.Parked, func(p trade.Parked) bool {
					return p.Stream == stream
				})
			}
			require.True(t, parked(outdated{}, log.Events[:n], n))
			require.False(t, parked(projectiontest.Codec{}, log.Events[n:n+1], n+1))
		})
	}
}

// settledEarlier finds the first event of a contract that was settled before, and its index.
func settledEarlier(events []contract.Recorded) (stream string, n int) {
	settled := map[string]bool{}
	for i, r := range events {
		if settled[r.Stream] {
			return r.Stream, i
		}
		settled[r.Stream] = r.Type == "trade.settled"
	}
	return "", 0
}

// outdated is a codec that does not know settlements.
type outdated struct{ projectiontest.Codec }

func (o outdated) Decode(ctx context.Context, typ string, data []byte) (trade.Body, error) {
	if typ == "trade.settled" {
		return nil, contract.ErrUnknownSchema
	}
	return o.Codec.Decode(ctx, typ, data)
}
