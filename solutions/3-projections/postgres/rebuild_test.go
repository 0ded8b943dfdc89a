package postgres

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/3-projections/projectiontest"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/stack/stacktest"
	projection "example.com/blotter/solutions/3-projections"
)

// Readers and a writer use the model while it is rebuilt. Every reader sees the state of a prefix
// of the log, and never a shorter prefix than before. Events that are applied meanwhile are not
// lost.
func TestRebuildWithConcurrentReaders(t *testing.T) {
	t.Parallel()
	p, log := openTest(t), projectiontest.History(31, 600, 1)
	states := map[string]int{} // canonical state to batches applied
	cursors := []contract.Cursor{nil}
	for n := 0; n <= len(log.Events); n += 100 {
		cursors = append(cursors, after(nil, log.Events[:n]))
		states[fold(t, log, cursors[len(cursors)-1])] = n
	}
	require.NoError(t, projection.Project(t.Context(), log, p, after(nil, log.Events[:300]), 100))

	ctx, stop := context.WithCancel(t.Context())
	var all sync.WaitGroup
	for range 2 {
		all.Go(func() {
			for seen := 300; seen > 0 && ctx.Err() == nil; {
				seen = readAgain(t, p, states, seen)
			}
		})
	}
	all.Go(func() {
		for n := 400; n <= 600; n += 100 {
			next := after(nil, log.Events[:n])
			if err := p.Apply(t.Context(), log.Events[n-100:n], next); err != nil {
				t.Errorf("apply while rebuilding: %v", err)
			}
		}
	})
	for range 3 {
		require.NoError(t, p.Rebuild(t.Context(), &growing{log, after(nil, log.Events[:300])}, 100))
	}
	stop()
	all.Wait()
	require.NoError(t, projection.Project(t.Context(), log, p, end(t, log), 100))
	requireState(t, p, log, end(t, log))
}

// readAgain returns the number of events of the model: one of those in states, and not less than
// seen. It returns 0 after a failure.
func readAgain(t *testing.T, p *Projection, states map[string]int, seen int) int {
	s, err := p.State(t.Context())
	if err != nil {
		t.Errorf("read while rebuilding: %v", err)
		return 0
	}
	n, known := states[string(s.Canonical())]
	if !known || n < seen {
		t.Errorf("a reader found %d events (known: %t) after %d", n, known, seen)
		return 0
	}
	return n
}

// growing is a log whose first End returns an earlier end. The live model may therefore have more
// events than the rebuilt one before the swap.
type growing struct {
	*projectiontest.Log
	end contract.Cursor
}

func (g *growing) End(ctx context.Context) (contract.Cursor, error) {
	if first := g.end; first != nil {
		g.end = nil
		return first, nil
	}
	return g.Log.End(ctx)
}

// A model that is ahead of its log can only be rebuilt.
func TestRebuildAfterTheLogLostItsEnd(t *testing.T) {
	t.Parallel()
	p, log := openTest(t), projectiontest.History(35, 200, 3)
	require.NoError(t, projection.Project(t.Context(), log, p, end(t, log), 64))
	rest := cut{log, after(nil, log.Events[:120])}
	var ahead *contract.AheadError
	require.ErrorAs(t, projection.Project(t.Context(), rest, p, rest.end, 64), &ahead)
	require.NoError(t, p.Rebuild(t.Context(), rest, 64))
	requireState(t, p, log, rest.end)
	require.NoError(t, projection.Project(t.Context(), rest, p, rest.end, 64))
}

// cut is a log without its end.
type cut struct {
	*projectiontest.Log
	end contract.Cursor
}

func (c cut) End(context.Context) (contract.Cursor, error) { return c.end, nil }

func TestRebuildRepairsAChangedModel(t *testing.T) {
	t.Parallel()
	dsn, schema := stacktest.Schema(t)
	p, err := Open(t.Context(), dsn, schema, projectiontest.Codec{})
	require.NoError(t, err)
	t.Cleanup(p.Close)
	log := projectiontest.History(32, 200, 3)
	require.NoError(t, projection.Project(t.Context(), log, p, end(t, log), 64))
	const damage = "DELETE FROM legs; UPDATE pools SET state = '{}'; DELETE FROM trades"
	conn, err := pgx.Connect(t.Context(), dsn)
	require.NoError(t, err)
	defer conn.Close(t.Context())
	_, err = conn.Exec(t.Context(), damage)
	require.NoError(t, err)
	require.NoError(t, p.Rebuild(t.Context(), log, 64))
	requireState(t, p, log, end(t, log))
	cursor, err := p.Cursor(t.Context())
	require.NoError(t, err)
	require.Equal(t, end(t, log), cursor)
}

func TestRebuildDropsAPartialModel(t *testing.T) {
	t.Parallel()
	dsn, schema := stacktest.Schema(t)
	log := projectiontest.History(33, 100, 1)
	p, err := Open(t.Context(), dsn, schema, projectiontest.Codec{})
	require.NoError(t, err)
	t.Cleanup(p.Close)
	half, err := Open(t.Context(), dsn, schema+"_next", projectiontest.Codec{})
	require.NoError(t, err)
	require.NoError(t, projection.Project(t.Context(), log, half, after(nil, log.Events[:50]), 10))
	half.Close()
	require.NoError(t, p.Rebuild(t.Context(), log, 64))
	requireState(t, p, log, end(t, log))
}

// Rebuilds that wait for each other hold no connection of the pool, which has only one here.
func TestRebuildsOfOneModelTakeTurns(t *testing.T) {
	t.Parallel()
	dsn, schema := stacktest.Schema(t)
	one := dsn + "&pool_max_conns=1"
	p, err := OpenAs(t.Context(), one, dsn, schema, projectiontest.Codec{})
	require.NoError(t, err)
	t.Cleanup(p.Close)
	log := projectiontest.History(34, 60, 2)
	// Rebuilds that hold the pool's connection while they wait would never end.
	ctx, stop := context.WithTimeout(t.Context(), 3*time.Minute)
	defer stop()
	var all sync.WaitGroup
	for range 3 {
		all.Go(func() {
			if err := p.Rebuild(ctx, log, 64); err != nil {
				t.Errorf("rebuild: %v", err)
			}
		})
	}
	all.Wait()
	requireState(t, p, log, end(t, log))
}

// With one bad event among 10,000 of 100 streams, 99 streams are up to date. A later program that
// rebuilds the model, and a skip, give the bytes of a fold.
func TestOneBadEventStopsOneStream(t *testing.T) {
	t.Parallel()
	program := &projectiontest.Program{}
	dsn, schema := stacktest.Schema(t)
	p, err := Open(t.Context(), dsn, schema, program)
	require.NoError(t, err)
	t.Cleanup(p.Close)
	rebuild := func(log *projectiontest.Log) (contract.Projection, error) {
		return p, p.Rebuild(t.Context(), log, 2000)
	}
	require.NoError(t, projectiontest.OneBadEvent(t.Context(), p, program, rebuild))
}
