package postgres

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/3-projections/projectiontest"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/stack/stacktest"
	projection "example.com/blotter/solutions/3-projections"
)

// Readers and a writer go on while the model is rebuilt. Whoever reads finds the state of some prefix of the log, never
// half of it, and never less than before; what is applied meanwhile is not lost.
func TestRebuildSwapsTheModelUnderItsReaders(t *testing.T) {
	t.Parallel()
	p, log := openTest(t), projectiontest.History(31, 600, 1)
	states := map[string]int{} // canonical state to batches applied
	cursors := []contract.Cursor{nil}
	for n := 0; n <= len(log.Events); n += 100 {
		cursors = append(cursors, behind(nil, log.Events[:n]))
		states[fold(t, log, cursors[len(cursors)-1])] = n
	}
	require.NoError(t, projection.Project(t.Context(), log, p, behind(nil, log.Events[:300]), 100))

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
			if err := p.Apply(t.Context(), log.Events[n-100:n], behind(nil, log.Events[:n])); err != nil {
				t.Errorf("apply while rebuilding: %v", err)
			}
		}
	})
	for range 3 {
		require.NoError(t, p.Rebuild(t.Context(), &early{log, behind(nil, log.Events[:300])}, 100))
	}
	stop()
	all.Wait()
	require.NoError(t, projection.Project(t.Context(), log, p, end(t, log), 100))
	requireState(t, p, log, end(t, log))
}

// readAgain is how many events the model is of now: one of those in states, and not fewer than were seen before. 0 is a failure.
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

// early is a log that grows: asked first, it ends where it ended a while ago, so the live model may be further when the rebuilt one is ready.
type early struct {
	*projectiontest.Log
	end contract.Cursor
}

func (e *early) End(ctx context.Context) (contract.Cursor, error) {
	if first := e.end; first != nil {
		e.end = nil
		return first, nil
	}
	return e.Log.End(ctx)
}

// A log that lost its end, or was put in another's place, leaves a model that nothing but a rebuild brings back to it.
func TestRebuildBringsAModelBackToALogThatLostItsEnd(t *testing.T) {
	t.Parallel()
	p, log := openTest(t), projectiontest.History(35, 200, 3)
	require.NoError(t, projection.Project(t.Context(), log, p, end(t, log), 64))
	rest := cut{log, behind(nil, log.Events[:120])}
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

func TestRebuildMendsAModelThatWasChangedByHand(t *testing.T) {
	t.Parallel()
	p, log := openTest(t), projectiontest.History(32, 200, 3)
	require.NoError(t, projection.Project(t.Context(), log, p, end(t, log), 64))
	_, err := p.pool.Exec(t.Context(), "DELETE FROM legs; UPDATE pools SET state = '{}'; DELETE FROM trades")
	require.NoError(t, err)
	require.NoError(t, p.Rebuild(t.Context(), log, 64))
	requireState(t, p, log, end(t, log))
	cursor, err := p.Cursor(t.Context())
	require.NoError(t, err)
	require.Equal(t, end(t, log), cursor)
}

func TestRebuildDropsWhatAnEarlierOneLeftBehind(t *testing.T) {
	t.Parallel()
	p, log := openTest(t), projectiontest.History(33, 100, 1)
	half, err := open(t.Context(), p.config, p.next(), p.codec)
	require.NoError(t, err)
	require.NoError(t, projection.Project(t.Context(), log, half, behind(nil, log.Events[:50]), 10))
	half.Close()
	require.NoError(t, p.Rebuild(t.Context(), log, 64))
	requireState(t, p, log, end(t, log))
}

// However few connections the pool has, and however many wait for their turn.
func TestRebuildsOfOneModelTakeTurnsAndLeaveItItsConnections(t *testing.T) {
	t.Parallel()
	dsn, schema := stacktest.Schema(t)
	config, err := pgxpool.ParseConfig(dsn)
	require.NoError(t, err)
	config.MaxConns = 1
	p, err := open(t.Context(), config, schema, projectiontest.Codec{})
	require.NoError(t, err)
	t.Cleanup(p.Close)
	log := projectiontest.History(34, 60, 2)
	ctx, stop := context.WithTimeout(t.Context(), 3*time.Minute) // rebuilds that wait for each other never end
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
