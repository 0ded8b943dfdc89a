package postgres

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/3-projections/projectiontest"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/stack/stacktest"
	projection "example.com/blotter/solutions/3-projections"
)

// A crash before every statement of Apply in turn, commit included: the model is that of the batches before, and the same
// batch then goes in as if nothing had been.
func TestACrashAnywhereInApplyLeavesAPrefix(t *testing.T) {
	t.Parallel()
	p, saboteur := openTraced(t)
	log := projectiontest.History(21, 400, 2)
	var cursor contract.Cursor
	crashes := 0
	for from := 0; from < len(log.Events); from += 100 {
		batch, next := log.Events[from:from+100], behind(cursor, log.Events[from:from+100])
		before := fold(t, log, cursor)
		for statement := 1; ; statement++ {
			saboteur.arm(statement)
			err := p.Apply(t.Context(), batch, next)
			saboteur.disarm()
			if err == nil {
				break
			}
			require.ErrorIs(t, err, context.Canceled, "crash at statement %d", statement)
			crashes++
			found, err := p.State(t.Context())
			require.NoError(t, err)
			require.Equal(t, before, string(found.Canonical()), "after a crash at statement %d", statement)
		}
		requireState(t, p, log, next)
		cursor = next
	}
	require.Greater(t, crashes, 4*8, "each batch was tried at every statement")
}

// The time that Apply takes grows with its events by what they are, and not by round trips.
func TestApplySendsAsManyStatementsForThousandEventsAsForFifty(t *testing.T) {
	t.Parallel()
	const most = 1 << 20
	p, tracer := openTraced(t)
	log := projectiontest.History(22, 1100, 2)
	var sent []int
	for _, to := range []int{50, 100, 1100} {
		tracer.arm(most)
		require.NoError(t, projection.Project(t.Context(), log, p, behind(nil, log.Events[:to]), 2000))
		sent = append(sent, most-tracer.left)
	}
	requireState(t, p, log, behind(nil, log.Events))
	require.Equal(t, sent[1], sent[2], "statements for 1000 events, and for 50")
	require.Less(t, sent[2], 40)
}

func openTraced(t *testing.T) (*Projection, *saboteur) {
	t.Helper()
	dsn, schema := stacktest.Schema(t)
	config, err := pgxpool.ParseConfig(dsn)
	require.NoError(t, err)
	tracer := &saboteur{}
	config.ConnConfig.Tracer = tracer
	p, err := open(t.Context(), config, schema, projectiontest.Codec{})
	require.NoError(t, err)
	t.Cleanup(p.Close)
	return p, tracer
}

func behind(cursor contract.Cursor, events []contract.Recorded) contract.Cursor {
	for _, r := range events {
		cursor = cursor.After(r.Position)
	}
	return cursor
}

// A saboteur ends the context of the n-th statement after it was armed, before the statement is sent.
// pgx then closes the connection, as the death of its process would.
type saboteur struct{ left int }

func (s *saboteur) arm(n int) { s.left = n }
func (s *saboteur) disarm()   { s.left = 0 }

func (s *saboteur) strike(ctx context.Context) context.Context {
	if s.left == 0 {
		return ctx
	}
	if s.left--; s.left > 0 {
		return ctx
	}
	ctx, cancel := context.WithCancel(ctx)
	cancel()
	return ctx
}

func (s *saboteur) TraceQueryStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	return s.strike(ctx)
}
func (s *saboteur) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

func (s *saboteur) TraceCopyFromStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceCopyFromStartData) context.Context {
	return s.strike(ctx)
}
func (s *saboteur) TraceCopyFromEnd(context.Context, *pgx.Conn, pgx.TraceCopyFromEndData) {}
