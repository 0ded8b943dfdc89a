package confirmations_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/3-projections/projectiontest"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/stack/stacktest"
	"example.com/blotter/labs/kit/trade"
	projection "example.com/blotter/solutions/3-projections"
	"example.com/blotter/solutions/3-projections/confirmations"
	"example.com/blotter/solutions/3-projections/readmodel/readmodeltest"
)

func TestMain(m *testing.M) { stacktest.Main(m) }

func opened(t *testing.T) *confirmations.Model {
	t.Helper()
	dsn, schema := stacktest.Schema(t)
	m, err := confirmations.OpenAs(t.Context(), dsn, dsn, schema, projectiontest.Codec{})
	require.NoError(t, err)
	t.Cleanup(m.Close)
	return m
}

func caughtUp(t *testing.T, m *confirmations.Model, log *projectiontest.Log, batch int) {
	t.Helper()
	end, err := log.End(t.Context())
	require.NoError(t, err)
	require.NoError(t, projection.Project(t.Context(), log, m, end, batch))
}

// folded returns the confirmations of a log, folded from scratch in memory.
func folded(t *testing.T, log *projectiontest.Log, q confirmations.Query) []trade.Confirmation {
	t.Helper()
	streams, utis := map[string][]trade.Event{}, []string{}
	for _, r := range log.Events {
		e, err := contract.Decoded(t.Context(), projectiontest.Codec{}, r)
		require.NoError(t, err)
		if streams[r.Stream] = append(streams[r.Stream], e); e.Version == 1 {
			if uti, ok := strings.CutPrefix(r.Stream, "trade/"); ok {
				utis = append(utis, uti)
			}
		}
	}
	all := []trade.Confirmation{}
	for _, uti := range slices.Sorted(slices.Values(utis)) {
		c := trade.Confirmation{
			ToConfirm: trade.ToConfirmOf(uti, streams["trade/"+uti], q.Known),
			Reported:  trade.ReportedOf(uti, streams["confirmation/"+uti], q.Known),
		}
		if c.Needed() && (q.Book == "" || c.Book == q.Book) &&
			(q.Counterparty == "" || c.Counterparty == q.Counterparty) {
			all = append(all, c)
		}
	}
	return all
}

func requireFolded(t *testing.T, m *confirmations.Model, log *projectiontest.Log,
	q confirmations.Query) {
	t.Helper()
	got, err := m.Confirmations(t.Context(), q)
	require.NoError(t, err)
	require.Equal(t, folded(t, log, q), append([]trade.Confirmation{}, got.Found...), "%+v", q)
}

// Whatever the batches were, the model equals a fold in memory: for all its events, as known at
// every tenth of the log, and for each filter. A rebuilt model is the same.
func TestModelEqualsAFoldInMemory(t *testing.T) {
	t.Parallel()
	seen := map[string]int{}
	for seed := range uint64(5) {
		log := projectiontest.History(seed, 300, 1).Placed(1 + int(seed%3))
		dsn, schema := stacktest.Schema(t)
		batch := 1 + int(seed*seed*7)
		m := readmodeltest.Shared(t, log, batch, func() (*confirmations.Model, error) {
			return confirmations.OpenAs(t.Context(), dsn, dsn, schema, projectiontest.Codec{})
		})
		all := confirmations.Query{}
		requireFolded(t, m, log, all)
		for i := 0; i < len(log.Events); i += 60 {
			requireFolded(t, m, log, confirmations.Query{Known: log.Events[i].RecordedAt})
		}
		for _, c := range folded(t, log, all) {
			status, _ := c.Standing()
			seen[status]++
		}
		requireFolded(t, m, log, confirmations.Query{Book: "Süd"})
		requireFolded(t, m, log, confirmations.Query{Book: "north", Counterparty: "LEI-2"})
		if seed == 0 {
			require.NoError(t, m.Rebuild(t.Context(), log, 64))
			requireFolded(t, m, log, all)
		}
		got, err := m.Confirmations(t.Context(), all)
		require.NoError(t, err)
		end, err := log.End(t.Context())
		require.NoError(t, err)
		require.Equal(t, end, got.Cursor)
	}
	for _, status := range []string{trade.Due, trade.Sent, trade.Matched, trade.Disputed} {
		require.Positive(t, seen[status], "%v", seen)
	}
}

// interrupted is a reader whose caller ends in the middle of a batch.
type interrupted struct {
	*confirmations.Model
	after  int             // Apply succeeds so often
	landed bool            // the batch of the crash is committed
	next   contract.Cursor // of that batch
}

var errCrash = errors.New("crash")

// Apply crashes before the commit, or after it and before the caller hears of it.
func (i *interrupted) Apply(ctx context.Context, events []contract.Recorded,
	next contract.Cursor) error {
	if i.after--; i.after >= 0 {
		return i.Model.Apply(ctx, events, next)
	}
	if i.next = next; i.landed {
		return errors.Join(errCrash, i.Model.Apply(ctx, events, next))
	}
	ctx, cancel := context.WithCancel(ctx)
	cancel()
	return errors.Join(errCrash, i.Model.Apply(ctx, events, next))
}

// After a crash before or after a commit, a model that goes on equals a fold in memory, and so does
// a model to which each batch comes again.
func TestModelSurvivesCrashes(t *testing.T) {
	t.Parallel()
	log := projectiontest.History(11, 240, 2)
	m := opened(t)
	for after := range 6 {
		for _, landed := range []bool{false, true} {
			crashAndCompare(t, log, interrupted{Model: m, after: after, landed: landed})
		}
	}
	end, err := log.End(t.Context())
	require.NoError(t, err)
	caughtUp(t, m, log, 20)
	require.NoError(t, m.Apply(t.Context(), log.Events, end))
	requireFolded(t, m, log, confirmations.Query{})
	requireFolded(t, m, log, confirmations.Query{Known: time.Now()})
}

// crashAndCompare goes on until a crash, and compares the model with the events up to its cursor.
func crashAndCompare(t *testing.T, log *projectiontest.Log, crash interrupted) {
	t.Helper()
	end, err := log.End(t.Context())
	require.NoError(t, err)
	require.ErrorIs(t, projection.Project(t.Context(), log, &crash, end, 6), errCrash)
	got, err := crash.Confirmations(t.Context(), confirmations.Query{})
	require.NoError(t, err)
	require.Equal(t, crash.landed, got.Cursor.Reaches(crash.next))
	covered := &projectiontest.Log{}
	for _, r := range log.Events {
		if got.Cursor.Covers(r.Position) {
			covered.Events = append(covered.Events, r)
		}
	}
	require.Equal(t, folded(t, covered, confirmations.Query{}),
		append([]trade.Confirmation{}, got.Found...))
}

// A SQL reader reads the views of its role, and nothing else.
func TestReadersReadTheirViews(t *testing.T) {
	t.Parallel()
	dsn, schema := stacktest.Schema(t)
	m, err := confirmations.OpenAs(t.Context(), dsn, dsn, schema, projectiontest.Codec{})
	require.NoError(t, err)
	t.Cleanup(m.Close)
	require.Equal(t, 1, stacktest.RequireReader(t, dsn, schema, "auditor"))
}
