package postgres

import (
	"context"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/3-projections/projectiontest"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/stack/stacktest"
	projection "example.com/blotter/solutions/3-projections"
)

// The faults of a projector, and the tests that cause them:
//
//	a crash between any two statements of Apply    TestACrashInApplyLeavesAPrefix
//	a crash between any two statements of Rebuild  TestACrashInRebuildLeavesAModel
//	two projectors                                 TestTwoProjectorsCountOnce
//	a rebalance of the log's owners under load     TestARebalanceUnderLoadCountsOnce
//	a swap while others read                       TestRebuildWithConcurrentReaders
//	a swap while others read and append            TestRebuildWhileAppendsGoOn
//	batches that come again, of any size           TestAnyWayGivesTheSameBytes
//	an event that is illegal or not readable       TestOneBadEventStopsOneStream
//
// In each the model ends as a fold in memory.

// Each statement of Apply, the commit included, fails once. The model is then that of the batches
// before, the list of parked streams included, and applying the same batch again succeeds.
func TestACrashInApplyLeavesAPrefix(t *testing.T) {
	t.Parallel()
	p, crasher := openTraced(t)
	log := projectiontest.History(21, 400, 2)
	for i := 10; i < len(log.Events); i += 40 {
		log.Events[i].Corrects = uuid.Max // illegal: no event has this id
	}
	require.Contains(t, fold(t, log, end(t, log)), `{"parked":`)
	var cursor contract.Cursor
	crashes := 0
	for from := 0; from < len(log.Events); from += 100 {
		batch, next := log.Events[from:from+100], after(cursor, log.Events[from:from+100])
		before := fold(t, log, cursor)
		for statement := 1; ; statement++ {
			crasher.arm(statement)
			err := p.Apply(t.Context(), batch, next)
			crasher.disarm()
			if err == nil {
				break
			}
			require.ErrorIs(t, err, context.Canceled, "crash at statement %d", statement)
			crashes++
			found, err := p.State(t.Context())
			require.NoError(t, err)
			require.Equal(t, before, string(found.Canonical()),
				"after a crash at statement %d", statement)
		}
		requireState(t, p, log, next)
		cursor = next
	}
	require.Greater(t, crashes, 4*8, "every statement of each batch failed once")
}

// A statement of Rebuild fails: each of them in turn, or each seventh one. The model is then whole:
// the old one or the new one. A rebuild without a crash gives the new one.
func TestACrashInRebuildLeavesAModel(t *testing.T) {
	t.Parallel()
	p, crasher := openTraced(t)
	log := projectiontest.History(23, 120, 2)
	early := after(nil, log.Events[:60])
	require.NoError(t, projection.Project(t.Context(), log, p, early, 60))
	was, will := fold(t, log, early), fold(t, log, end(t, log))
	step := 1
	if testing.Short() {
		step = 7
	}
	for statement := 1; ; statement += step {
		crasher.arm(statement)
		err := p.Rebuild(t.Context(), log, 60)
		crasher.disarm()
		if err == nil {
			require.Greater(t, statement, 40, "crashes")
			break
		}
		require.ErrorIs(t, err, context.Canceled, "crash at statement %d", statement)
		found, err := p.State(t.Context())
		require.NoError(t, err)
		require.Contains(t, []string{was, will}, string(found.Canonical()),
			"after a crash at statement %d", statement)
	}
	requireState(t, p, log, end(t, log))
}

// Apply sends as many statements for 1000 events as for 50: the number of round trips is constant.
func TestStatementsOfApplyDoNotGrow(t *testing.T) {
	t.Parallel()
	const most = 1 << 20
	p, tracer := openTraced(t)
	log := projectiontest.History(22, 1100, 2)
	var sent []int
	for _, to := range []int{50, 100, 1100} {
		tracer.arm(most)
		next := after(nil, log.Events[:to])
		require.NoError(t, projection.Project(t.Context(), log, p, next, 2000))
		sent = append(sent, most-tracer.left)
	}
	requireState(t, p, log, after(nil, log.Events))
	require.Equal(t, sent[1], sent[2], "statements for 50 events (first) and for 1000")
	require.Less(t, sent[2], 40)
}

func openTraced(t *testing.T) (*Projection, *crasher) {
	t.Helper()
	dsn, schema := stacktest.Schema(t)
	config, err := pgxpool.ParseConfig(dsn)
	require.NoError(t, err)
	tracer := &crasher{}
	config.ConnConfig.Tracer = tracer
	p, err := open(t.Context(), config, config, schema, projectiontest.Codec{})
	require.NoError(t, err)
	t.Cleanup(p.Close)
	return p, tracer
}

// after returns the cursor after the last of events.
func after(cursor contract.Cursor, events []contract.Recorded) contract.Cursor {
	for _, r := range events {
		cursor = cursor.After(r.Position)
	}
	return cursor
}

// A crasher ends the context of the n-th statement after arm, before the statement is sent. pgx
// then closes the connection, as a crash of the process would.
type crasher struct{ left int }

func (c *crasher) arm(n int) { c.left = n }
func (c *crasher) disarm()   { c.left = 0 }

func (c *crasher) count(ctx context.Context) context.Context {
	if c.left == 0 {
		return ctx
	}
	if c.left--; c.left > 0 {
		return ctx
	}
	ctx, cancel := context.WithCancel(ctx)
	cancel()
	return ctx
}

func (c *crasher) TraceQueryStart(ctx context.Context, _ *pgx.Conn,
	_ pgx.TraceQueryStartData) context.Context {
	return c.count(ctx)
}
func (c *crasher) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

func (c *crasher) TraceCopyFromStart(ctx context.Context, _ *pgx.Conn,
	_ pgx.TraceCopyFromStartData) context.Context {
	return c.count(ctx)
}
func (c *crasher) TraceCopyFromEnd(context.Context, *pgx.Conn, pgx.TraceCopyFromEndData) {}
