package readmodel_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/3-projections/projectiontest"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/stack/stacktest"
	projection "example.com/blotter/solutions/3-projections"
	"example.com/blotter/solutions/3-projections/readmodel"
)

// counted is statuses with the number of events that were folded of each stream. after is called
// when the rows of a batch are written.
func counted(split bool, after func(context.Context) error) readmodel.Kind {
	kind := statuses
	kind.Split = split
	kind.Tables += "; CREATE TABLE folded (stream text PRIMARY KEY, n int NOT NULL)"
	kind.Fold = readmodel.Stateless(func(ctx context.Context, tx pgx.Tx,
		fresh []contract.Recorded) error {
		if err := statuses.Fold().Apply(ctx, tx, fresh); err != nil {
			return err
		}
		const count = `
INSERT INTO folded VALUES ($1, 1) ON CONFLICT (stream) DO UPDATE SET n = folded.n + 1`
		for _, r := range fresh {
			if _, err := tx.Exec(ctx, count, r.Stream); err != nil {
				return err
			}
		}
		return after(ctx)
	})
	return kind
}

func goOn(context.Context) error { return nil }

func openCounted(t *testing.T, dsn, schema string, kind readmodel.Kind) *readmodel.Model {
	t.Helper()
	m, err := readmodel.OpenAs(t.Context(), dsn, dsn, schema, kind)
	require.NoError(t, err)
	t.Cleanup(m.Close)
	return m
}

// rowsOf returns the rows of a counted model as text.
func rowsOf(t *testing.T, m *readmodel.Model) (text string) {
	t.Helper()
	const all = `
SELECT coalesce((SELECT string_agg(s::text, ' ' ORDER BY s.stream COLLATE "C") FROM statuses s), '')
    || coalesce((SELECT string_agg(f::text, ' ' ORDER BY f.stream COLLATE "C") FROM folded f), '')
    || coalesce((SELECT string_agg(e::text, ' ' ORDER BY e.stream, e.version) FROM events e), '')`
	require.NoError(t, m.Read(t.Context(), func(tx pgx.Tx) error {
		return tx.QueryRow(t.Context(), all).Scan(&text)
	}))
	return text
}

// unsplit returns the rows of a log that one process folded from one row of checkpoint.
func unsplit(t *testing.T, log *projectiontest.Log, end contract.Cursor) string {
	t.Helper()
	dsn, schema := stacktest.Schema(t)
	m := openCounted(t, dsn, schema, counted(false, goOn))
	require.NoError(t, projection.Project(t.Context(), log, m, end, 1000))
	return rowsOf(t, m)
}

// A projector is one process of a split model.
type projector struct {
	*readmodel.Model
	crash    *bool // at its next batch, when the rows are written
	at, free contract.Cursor
	release  func()
}

var errCrash = errors.New("crash")

func newProjector(t *testing.T, dsn, schema string) *projector {
	crash := new(bool)
	return &projector{crash: crash, Model: openCounted(t, dsn, schema,
		counted(true, func(context.Context) error {
			if *crash {
				return errCrash
			}
			return nil
		}))}
}

// step claims partitions, projects a share of them, crashes in a batch, or ends the claims.
func (p *projector) step(t *testing.T, r *rand.Rand, log contract.Reader, to contract.Cursor) {
	t.Helper()
	var err error
	switch {
	case p.free == nil:
		p.at, err = p.Cursor(t.Context())
		require.NoError(t, err)
		p.free, p.release, err = p.Claim(t.Context(), to, 1+r.Int64N(60))
		require.NoError(t, err)
		return
	case r.IntN(3) > 0:
		*p.crash = r.IntN(4) == 0
		half := p.at.Share(p.free, 1+r.Int64N(2), 2)
		err = projection.Project(t.Context(), log, p.Model, half, 1+r.IntN(20))
		if crashed := *p.crash; crashed && err != nil {
			require.ErrorIs(t, err, errCrash)
		} else {
			require.NoError(t, err)
			return
		}
	}
	p.release()
	p.free, *p.crash = nil, false
}

// claimed returns the partitions that a projector claims.
func (p *projector) claimed() map[int]bool {
	all := map[int]bool{}
	for i, end := range p.free {
		if end > p.at.At(int32(i)) {
			all[i] = true
		}
	}
	return all
}

// Partitions move between two processes, after crashes and without: the rows are those of one fold
// of the whole log, and each event was folded once. No partition is claimed twice, and a process
// that stops with its claims does not hold up the other one.
func TestPartitionsMoveBetweenProcesses(t *testing.T) {
	t.Parallel()
	for seed := range uint64(4) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(seed, 3))
			log := projectiontest.History(seed, 150, 1+r.IntN(6))
			end, err := log.End(t.Context())
			require.NoError(t, err)
			dsn, schema := stacktest.Schema(t)
			const one = "&pool_max_conns=1" // a claim takes no connection of the pool
			both := [2]*projector{newProjector(t, dsn, schema),
				newProjector(t, dsn+one, schema)}
			for range 24 {
				both[r.IntN(2)].step(t, r, log, end)
				for partition := range both[0].claimed() {
					require.NotContains(t, both[1].claimed(), partition)
				}
			}
			if stopped := both[1]; stopped.free != nil {
				defer func() { stopped.release() }()
			}
			if both[0].free != nil {
				both[0].release()
			}
			*both[0].crash = false
			require.NoError(t, projection.Project(t.Context(), log, both[0].Model, end, 20))
			at, err := both[0].Cursor(t.Context())
			require.NoError(t, err)
			require.Equal(t, end, at)
			require.Equal(t, unsplit(t, log, end), rowsOf(t, both[0].Model))
		})
	}
}

// Two processes fold partitions of one model at the same time: neither goes on before both have
// written rows. A rebuild beside them replaces the model.
func TestProcessesFoldAtOnce(t *testing.T) {
	t.Parallel()
	log := projectiontest.History(5, 400, 6)
	end, err := log.End(t.Context())
	require.NoError(t, err)
	dsn, schema := stacktest.Schema(t)
	var met sync.WaitGroup
	met.Add(2)
	meet := func() func(context.Context) error { // in the first batch of a process
		var once sync.Once
		return func(context.Context) error {
			once.Do(met.Done)
			met.Wait()
			return nil
		}
	}
	a := openCounted(t, dsn, schema, counted(true, meet()))
	b := openCounted(t, dsn, schema, counted(true, meet()))
	rebuilder := openCounted(t, dsn, schema, counted(true, goOn))
	failed := make(chan error, 3)
	go func() { failed <- projection.Project(t.Context(), log, a, end, 20) }()
	go func() { failed <- projection.Project(t.Context(), log, b, end, 20) }()
	go func() {
		met.Wait()
		failed <- rebuilder.Rebuild(t.Context(), log, 50)
	}()
	for range cap(failed) {
		require.NoError(t, <-failed)
	}
	require.Equal(t, unsplit(t, log, end), rowsOf(t, a))
}
