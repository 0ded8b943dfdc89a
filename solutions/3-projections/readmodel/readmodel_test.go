package readmodel_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/3-projections/projectiontest"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/stack/stacktest"
	"example.com/blotter/labs/kit/trade"
	"example.com/blotter/schemas"
	projection "example.com/blotter/solutions/3-projections"
	"example.com/blotter/solutions/3-projections/readmodel"
)

func TestMain(m *testing.M) { stacktest.Main(m) }

// statuses is the smallest model with rows: the status of each contract.
var statuses = readmodel.Kind{
	Tables: `CREATE TABLE statuses (stream text PRIMARY KEY, status text NOT NULL)`,
	Takes:  func(stream string) bool { return strings.HasPrefix(stream, trade.TradeStream("")) },
	Fold: readmodel.Stateless(func(ctx context.Context, tx pgx.Tx,
		fresh []contract.Recorded) error {
		streams, err := readmodel.Histories(ctx, tx, projectiontest.Codec{}, fresh, nil)
		if err != nil {
			return err
		}
		const put = `
INSERT INTO statuses VALUES ($1, $2) ON CONFLICT (stream) DO UPDATE SET status = excluded.status`
		for stream, h := range streams {
			t, _ := trade.Fold(stream[len(trade.TradeStream("")):], h.Events, trade.AsOf{})
			if _, err := tx.Exec(ctx, put, stream, string(t.Status)); err != nil {
				return err
			}
		}
		return nil
	}),
}

// A model needs its tables and a fold. Histories brings late events of earlier batches into place,
// and a rebuild gives the same rows.
func TestModelNeedsTablesAndAFold(t *testing.T) {
	t.Parallel()
	dsn, schema := stacktest.Schema(t)
	m, err := readmodel.OpenAs(t.Context(), dsn, dsn, schema, statuses)
	require.NoError(t, err)
	t.Cleanup(m.Close)
	log := projectiontest.History(7, 200, 2)
	end, err := log.End(t.Context())
	require.NoError(t, err)
	require.NoError(t, projection.Project(t.Context(), log, m, end, 30))
	want := map[string]string{}
	streams := map[string][]trade.Event{}
	for _, r := range log.Events {
		if statuses.Takes(r.Stream) {
			e, err := contract.Decoded(t.Context(), projectiontest.Codec{}, r)
			require.NoError(t, err)
			streams[r.Stream] = append(streams[r.Stream], e)
		}
	}
	for stream, events := range streams {
		folded, _ := trade.Fold(stream[len(trade.TradeStream("")):], events, trade.AsOf{})
		want[stream] = string(folded.Status)
	}
	require.Greater(t, len(want), 10)
	require.Equal(t, want, statusesOf(t, m))
	require.NoError(t, m.Rebuild(t.Context(), log, 50))
	require.Equal(t, want, statusesOf(t, m))
	cursor, err := m.Cursor(t.Context())
	require.NoError(t, err)
	require.Equal(t, end, cursor)
}

func statusesOf(t *testing.T, m *readmodel.Model) map[string]string {
	t.Helper()
	found := map[string]string{}
	require.NoError(t, m.Read(t.Context(), func(tx pgx.Tx) error {
		rows, err := tx.Query(t.Context(), "SELECT stream, status FROM statuses")
		if err != nil {
			return err
		}
		var stream, status string
		_, err = pgx.ForEachRow(rows, []any{&stream, &status}, func() error {
			found[stream] = status
			return nil
		})
		return err
	}))
	return found
}

// lost is a codec whose registry has lost every schema.
type lost struct{ projectiontest.Codec }

func (lost) Decode(context.Context, string, []byte) (trade.Body, error) {
	return nil, contract.ErrUnknownSchema
}

// The model keeps the schemas of its events. While the registry has lost one of the catalog, a
// reader of earlier events stops, and none of them is unreadable.
func TestEarlierEventsNameTheirSchemas(t *testing.T) {
	t.Parallel()
	dsn, schema := stacktest.Schema(t)
	m, err := readmodel.OpenAs(t.Context(), dsn, dsn, schema, statuses)
	require.NoError(t, err)
	t.Cleanup(m.Close)
	log := projectiontest.History(7, 20, 1)
	for i, e := range log.Events {
		if known, ok := schemas.Latest(e.Type); ok {
			log.Events[i].Schema, log.Events[i].Fingerprint = known.Version, known.Fingerprint
		}
	}
	end, err := log.End(t.Context())
	require.NoError(t, err)
	require.NoError(t, projection.Project(t.Context(), log, m, end, 30))
	require.ErrorIs(t, m.Read(t.Context(), func(tx pgx.Tx) error {
		for _, err := range readmodel.Events(t.Context(), tx, lost{}, "") {
			if err != nil {
				return err
			}
		}
		return nil
	}), contract.ErrUnknownSchema)
}

// A model of other tables is dropped, and folded again from the log. A model of the same tables
// keeps its rows. An application that owns nothing refuses the other tables.
func TestOtherTablesEmptyTheModel(t *testing.T) {
	t.Parallel()
	dsn, schema := stacktest.Schema(t)
	log := projectiontest.History(8, 60, 1)
	end, err := log.End(t.Context())
	require.NoError(t, err)
	open := func(owner string, kind readmodel.Kind) (*readmodel.Model, error) {
		m, err := readmodel.OpenAs(t.Context(), dsn, owner, schema, kind)
		if err == nil {
			t.Cleanup(m.Close)
		}
		return m, err
	}
	m, err := open(dsn, statuses)
	require.NoError(t, err)
	require.NoError(t, projection.Project(t.Context(), log, m, end, 30))
	m, err = open(dsn, statuses)
	require.NoError(t, err)
	require.NotEmpty(t, statusesOf(t, m))

	changed := statuses
	changed.Tables += "; CREATE INDEX ON statuses (status)"
	_, err = open("", changed)
	require.ErrorIs(t, err, readmodel.ErrNoModel)
	m, err = open(dsn, changed)
	require.NoError(t, err)
	cursor, err := m.Cursor(t.Context())
	require.NoError(t, err)
	require.Empty(t, cursor)
	require.Empty(t, statusesOf(t, m))
	require.NoError(t, projection.Project(t.Context(), log, m, end, 30))
	require.NotEmpty(t, statusesOf(t, m))
}

// A change of the rules of the fold empties the model, too: rows of streams without a new event
// would stay those of the old rules.
func TestOtherFoldEmptiesTheModel(t *testing.T) {
	t.Parallel()
	dsn, schema := stacktest.Schema(t)
	conn, err := pgx.Connect(t.Context(), dsn)
	require.NoError(t, err)
	defer conn.Close(t.Context())
	open := func() contract.Cursor {
		m, err := readmodel.OpenAs(t.Context(), dsn, dsn, schema, statuses)
		require.NoError(t, err)
		defer m.Close()
		before, err := m.Cursor(t.Context())
		require.NoError(t, err)
		require.NoError(t, m.Apply(t.Context(), nil, contract.Cursor{1}))
		return before
	}
	require.Empty(t, open())
	require.NotEmpty(t, open())
	const version = "SELECT obj_description('checkpoint'::regclass, 'pg_class')"
	var now string
	require.NoError(t, conn.QueryRow(t.Context(), version).Scan(&now))
	earlier := strings.Replace(now, trade.StateFormat, "blotter/state/v1", 1)
	require.NotEqual(t, now, earlier)
	_, err = conn.Exec(t.Context(), "COMMENT ON TABLE checkpoint IS '"+earlier+"'")
	require.NoError(t, err)
	require.Empty(t, open())
}

// A drop waits for a reader before it locks any other table. Otherwise the reader, which wants
// those tables, would wait for the drop.
func TestDropWaitsForReaders(t *testing.T) {
	t.Parallel()
	dsn, schema := stacktest.Schema(t)
	m, err := readmodel.OpenAs(t.Context(), dsn, dsn, schema, statuses)
	require.NoError(t, err)
	t.Cleanup(m.Close)
	_, away := stacktest.Schema(t)
	conn, err := pgx.Connect(t.Context(), dsn)
	require.NoError(t, err)
	defer conn.Close(t.Context())
	// DROP SCHEMA locks the tables in the order of their entries in pg_depend: checkpoint is last.
	_, err = conn.Exec(t.Context(), "ALTER TABLE checkpoint SET SCHEMA "+away+
		"; ALTER TABLE "+away+".checkpoint SET SCHEMA "+schema)
	require.NoError(t, err)
	changed := statuses
	changed.Tables += "; CREATE INDEX ON statuses (status)"
	dropped := make(chan error, 1)
	require.NoError(t, m.Read(t.Context(), func(tx pgx.Tx) error {
		go func() {
			other, err := readmodel.OpenAs(t.Context(), dsn, dsn, schema, changed)
			if err == nil {
				other.Close()
			}
			dropped <- err
		}()
		const waiting = `
SELECT count(*) > 0 FROM pg_locks WHERE relation = 'checkpoint'::regclass AND NOT granted`
		for waits := false; !waits; {
			if err := tx.QueryRow(t.Context(), waiting).Scan(&waits); err != nil {
				return err
			}
		}
		var n int
		return tx.QueryRow(t.Context(), "SELECT count(*) FROM statuses").Scan(&n)
	}))
	require.NoError(t, <-dropped)
}

// A counting keeps the number of events that it took. It fails once if it is told to.
type counting struct {
	taken int
	fail  *error
}

func (c *counting) Apply(_ context.Context, _ pgx.Tx, fresh []contract.Recorded) error {
	c.taken += len(fresh)
	err := *c.fail
	*c.fail = nil
	return err
}

// A fold continues only after its own last transaction. After an error, another process's events or
// a swap there is a new fold.
func TestFoldContinuesAfterItself(t *testing.T) {
	t.Parallel()
	dsn, schema := stacktest.Schema(t)
	log := projectiontest.History(9, 100, 1)
	var fail error
	var last *counting
	kind := readmodel.Kind{Fold: func() readmodel.Fold {
		last = &counting{fail: &fail}
		return last
	}}
	var models [2]*readmodel.Model
	for i := range models {
		m, err := readmodel.OpenAs(t.Context(), dsn, dsn, schema, kind)
		require.NoError(t, err)
		t.Cleanup(m.Close)
		models[i] = m
	}
	from := 0
	apply := func(m *readmodel.Model) error {
		next := contract.Cursor(nil).After(log.Events[from+9].Position)
		return m.Apply(t.Context(), log.Events[from:from+10], next)
	}
	broken := errors.New("broken")
	for n, step := range []struct {
		model int
		fail  error
		taken int // by the fold, with all events that it took before
	}{
		{0, nil, 10}, {0, nil, 20}, // continues
		{1, nil, 10}, // of another process
		{0, nil, 10}, // after that process
		{0, broken, 20}, {0, nil, 10}, {0, nil, 20},
	} {
		fail = step.fail
		require.ErrorIs(t, apply(models[step.model]), step.fail, "step %d", n)
		require.Equal(t, step.taken, last.taken, "step %d", n)
		if step.fail == nil {
			from += 10
		}
	}
	end := contract.Cursor(nil).After(log.Events[from-1].Position)
	require.NoError(t, models[1].Rebuild(t.Context(), cut{log, end}, 50))
	require.NoError(t, apply(models[0]))
	require.Equal(t, 10, last.taken, "after a swap")
}

// cut is a log without its end.
type cut struct {
	*projectiontest.Log
	end contract.Cursor
}

func (c cut) End(context.Context) (contract.Cursor, error) { return c.end, nil }
