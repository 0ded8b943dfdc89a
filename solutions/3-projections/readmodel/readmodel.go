// Package readmodel is the common part of read models in Postgres. A model is a Kind: its tables,
// and a function that folds new events into them. This package adds the rest: the schema and its
// privileges, the cursor and its lock, snapshots for readers, rebuild and swap.
//
//	checkpoint  the cursor: a row, or one a partition ◀─ moved in the transaction of the rows
//	events      the events of the model, as recorded  ◀─ inserted after the fold of new events
//	...         the tables of the kind
//
// The search_path of the connections selects the schema of all statements. The statements are
// therefore constants, and a rebuilt model replaces the live one by taking the name of its schema.
//
// A model follows from the log, so none of its rows need to be kept. If the tables of its kind or
// the rules of the fold change, Open drops the schema and creates it again, and the next update
// folds the log from its beginning. The version of a schema is trade.StateFormat and the digest of
// the SQL that created it.
package readmodel

import (
	"context"
	"crypto/sha256"
	_ "embed"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/exaring/otelpgx"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
	projection "example.com/blotter/solutions/3-projections"
)

// A Kind is a kind of read model.
type Kind struct {
	// Tables is the SQL that creates the tables of the model.
	Tables string
	// Readers are the roles of SQL readers, such as risk. Each may read the views of the model
	// whose names begin with it and _, and no table. The role in the database has the model's
	// schema before its name, and cannot sign in. Two databases of one cluster share it.
	Readers []string
	// Takes reports whether the model depends on the events of a stream. If it is nil, the model
	// depends on all streams.
	Takes func(stream string) bool
	// Split says that each row of the tables follows from streams of one place
	// (contract.PlaceOf), or that the fold locks the tables whose rows do not. Processes then fold
	// different partitions at once. Such a fold keeps nothing: see Stateless.
	Split bool
	// Fold returns a fold that knows nothing of the model.
	Fold func() Fold
}

// A Fold changes the rows of a model for events that are new to it. The table events does not have
// them yet: see Histories. A fold may keep in memory the rows that it read and wrote. It is used
// again only if the model is exactly as its last transaction left it, so these rows are the
// model's. After an error it is not used again.
type Fold interface {
	Apply(ctx context.Context, tx pgx.Tx, fresh []contract.Recorded) error
}

// Stateless returns the folds of a kind that keep nothing.
func Stateless(apply func(context.Context, pgx.Tx, []contract.Recorded) error) func() Fold {
	return func() Fold { return stateless(apply) }
}

type stateless func(context.Context, pgx.Tx, []contract.Recorded) error

func (f stateless) Apply(ctx context.Context, tx pgx.Tx, fresh []contract.Recorded) error {
	return f(ctx, tx, fresh)
}

// version is the version of the kind's schema. Rows follow from the rules of the fold, too, and
// trade.StateFormat names those.
func (k Kind) version() string {
	return fmt.Sprintf("%s, tables %x", trade.StateFormat,
		sha256.Sum256([]byte(tables+k.Tables)))
}

// A Model is a read model in Postgres. Several processes may use one model; those that apply events
// take turns. A model keeps nothing in memory but its last fold, with the transaction after which
// that fold may continue.
type Model struct {
	kind   Kind
	config *pgxpool.Config // of the application: it reads the model and applies events
	owner  *pgxpool.Config // creates and rebuilds the model; nil if somebody else does
	schema string
	live   string        // the schema's name after a swap, after which roles are named
	pool   *pgxpool.Pool // with config
	kept   atomic.Pointer[keptFold]
	claims sync.Mutex // one caller of Claim has it
}

// A keptFold is a fold and the transaction that committed its last rows.
type keptFold struct {
	Fold
	transaction string
}

var _ contract.Applier = (*Model)(nil)

// OpenAs opens the model in a schema for an application that may read and write rows, and nothing
// else: app signs it in. owner creates and rebuilds the model, and grants the privileges. If owner
// is empty, the model must exist in the version of this program. Postgres cuts names at 63 bytes:
// leave room in the schema's name for the suffixes of a rebuild.
func OpenAs(ctx context.Context, app, owner, schema string, kind Kind) (*Model, error) {
	config, err := pgxpool.ParseConfig(app)
	if err != nil {
		return nil, fmt.Errorf("open the read model: %w", err)
	}
	if owner == "" {
		return Open(ctx, config, nil, schema, kind)
	}
	owning, err := pgxpool.ParseConfig(owner)
	if err != nil {
		return nil, fmt.Errorf("open the read model: %w", err)
	}
	return Open(ctx, config, owning, schema, kind)
}

// Open is OpenAs with parsed connection strings.
func Open(ctx context.Context, app, owner *pgxpool.Config, schema string, kind Kind) (
	*Model, error) {
	return open(ctx, app, owner, schema, schema, kind)
}

func open(ctx context.Context, app, owner *pgxpool.Config, schema, live string, kind Kind) (
	*Model, error) {
	m := &Model{kind: kind, config: app.Copy(), schema: schema, live: live}
	m.config.ConnConfig.RuntimeParams["search_path"] = quoted(schema)
	// The queries within a span have spans, if the program has set a provider: see package otel.
	m.config.ConnConfig.Tracer = otelpgx.NewTracer(otelpgx.WithDisableAcquireTracer())
	if owner != nil {
		if err := m.checkNames(); err != nil {
			return nil, err
		}
		m.owner = owner.Copy()
		m.owner.ConnConfig.RuntimeParams["search_path"] = quoted(schema)
		if err := m.create(ctx); err != nil {
			return nil, fmt.Errorf("create the read model in schema %s: %w", schema, err)
		}
	}
	pool, err := pgxpool.NewWithConfig(ctx, m.config)
	if err != nil {
		return nil, fmt.Errorf("open the read model: %w", err)
	}
	m.pool = pool
	if owner == nil {
		if err := m.checkVersion(ctx); err != nil {
			pool.Close()
			return nil, err
		}
	}
	return m, nil
}

// longestName is the most bytes of a name in Postgres, which cuts a longer one: two models would
// share a role.
const longestName = 63

func (m *Model) checkNames() error {
	for _, reader := range m.kind.Readers {
		if role := m.live + "_" + reader; len(role) > longestName {
			return fmt.Errorf("the role %s of schema %s has %d bytes, and a name in Postgres at "+
				"most %d: take a shorter name for the schema", role, m.schema, len(role),
				longestName)
		}
	}
	return nil
}

// ErrNoModel is wrapped by the error of OpenAs without an owner, if the schema holds no model of
// this version.
var ErrNoModel = errors.New("no read model of this version")

// The version is a comment on the table checkpoint, which only the owner can write. It has the name
// of the table after a swap, too.
const selectVersion = `
SELECT to_regclass('checkpoint') IS NOT NULL,
       coalesce(obj_description(to_regclass('checkpoint'), 'pg_class'), '')`

func (m *Model) checkVersion(ctx context.Context) error {
	var found bool
	var version string
	if err := m.pool.QueryRow(ctx, selectVersion).Scan(&found, &version); err != nil {
		return fmt.Errorf("open schema %s: %w", m.schema, err)
	}
	switch {
	case !found:
		return fmt.Errorf("%w in schema %s", ErrNoModel, m.schema)
	case version != m.kind.version():
		return fmt.Errorf("%w in schema %s: it has version %q, this program needs %q",
			ErrNoModel, m.schema, version, m.kind.version())
	}
	return nil
}

// Close ends the connections. Every applied event is in the database already.
func (m *Model) Close() { m.pool.Close() }

//go:embed tables.sql
var tables string

// create creates the schema and its tables, unless they exist in this version. The privileges are
// granted again every time. It is one transaction: a crash leaves the schema as it was.
func (m *Model) create(ctx context.Context) error {
	conn, err := pgx.ConnectConfig(ctx, m.owner.ConnConfig.Copy())
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		// Two processes that open one model at once take turns.
		const lock = "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))"
		if _, err := tx.Exec(ctx, lock, "create "+m.schema); err != nil {
			return fmt.Errorf("wait for another process: %w", err)
		}
		var found bool
		var version string
		if err := tx.QueryRow(ctx, selectVersion).Scan(&found, &version); err != nil {
			return err
		}
		var steps []string
		if found && version != m.kind.version() {
			// A reader locks checkpoint first, so the drop does, too: no two wait for each other.
			steps = append(steps, "LOCK TABLE checkpoint IN ACCESS EXCLUSIVE MODE",
				"DROP SCHEMA "+quoted(m.schema)+" CASCADE")
		}
		if version != m.kind.version() {
			steps = append(steps, "CREATE SCHEMA IF NOT EXISTS "+quoted(m.schema), tables,
				m.kind.Tables, "COMMENT ON TABLE checkpoint IS '"+m.kind.version()+"'")
		}
		steps = append(append(steps, m.grants()...), m.readers()...)
		for _, step := range steps {
			if _, err := tx.Exec(ctx, step); err != nil {
				return fmt.Errorf("%.60s: %w", step, err)
			}
		}
		return nil
	})
}

// grants are the statements that give the application its privileges.
func (m *Model) grants() []string {
	app, schema := m.config.ConnConfig.User, quoted(m.schema)
	if app == m.owner.ConnConfig.User {
		return nil
	}
	return []string{
		"GRANT USAGE ON SCHEMA " + schema + " TO " + quoted(app),
		"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA " + schema + " TO " +
			quoted(app),
	}
}

// readers are the statements that create the roles of SQL readers, and give them their views. A
// rebuilt model has the roles of the live one, since the swap gives it that name.
func (m *Model) readers() (all []string) {
	live := m.live
	for _, reader := range m.kind.Readers {
		role := quoted(live + "_" + reader)
		all = append(all,
			// A role belongs to the whole cluster: another database may create it now. An owner
			// that may not create roles uses those that somebody created beforehand.
			`DO $$ BEGIN
IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '`+live+"_"+reader+`'::name) THEN
    CREATE ROLE `+role+` NOLOGIN;
END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
WHEN insufficient_privilege THEN RAISE insufficient_privilege
    USING MESSAGE = 'the owner may not create the role of readers; create it: '
        || 'CREATE ROLE `+role+` NOLOGIN';
END $$`,
			"REVOKE ALL ON ALL TABLES IN SCHEMA "+quoted(m.schema)+" FROM "+role,
			"GRANT USAGE ON SCHEMA "+quoted(m.schema)+" TO "+role,
			`DO $$ DECLARE v regclass; BEGIN
FOR v IN SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE n.nspname = '`+m.schema+`' AND c.relkind = 'v'
           AND starts_with(c.relname, '`+reader+`_') LOOP
    EXECUTE format('GRANT SELECT ON %s TO %I', v, '`+live+"_"+reader+`');
END LOOP; END $$`)
	}
	return all
}

func quoted(name string) string { return pgx.Identifier{name}.Sanitize() }

// Apply adds the events that are new to the model, and moves its cursor, in one transaction.
func (m *Model) Apply(ctx context.Context, events []contract.Recorded,
	next contract.Cursor) error {
	var kept *keptFold
	err := pgx.BeginFunc(ctx, m.pool, func(tx pgx.Tx) error {
		at, err := m.lock(ctx, tx, next)
		if err != nil || len(at.rows) == 0 {
			return err
		}
		fold := m.foldAfter(at.writer)
		if err := m.applyFresh(ctx, tx, fold, projection.Fresh(events, at.cursor)); err != nil {
			return err
		}
		const move = "UPDATE checkpoint SET cursor = $1 WHERE part = ANY($2) RETURNING " +
			lastWriter
		var after string
		err = tx.QueryRow(ctx, move, at.cursor.Max(next).String(), at.rows).Scan(&after)
		if err != nil {
			return fmt.Errorf("move the cursor: %w", err)
		}
		if !m.kind.Split {
			kept = &keptFold{fold, after}
		}
		return nil
	})
	// A crash before the commit leaves no trace of the batch and the cursor before it: the batch is
	// read again. A crash after the commit leaves the whole batch and the cursor after it, even if
	// the caller never hears of the commit: reading the batch again changes nothing.
	if err != nil {
		return fmt.Errorf("project %d events up to %s: %w", len(events), next, err)
	}
	m.kept.Store(kept)
	return nil
}

// A locked is the progress of a model whose rows of checkpoint are locked.
type locked struct {
	rows   []int32
	cursor contract.Cursor
	writer string // see lastWriter; of a model with one row
}

// lock locks the rows of checkpoint that next moves, until the transaction ends: processes that
// apply events of one partition take turns. A model that is not split has one row, so its processes
// always do. Rows are locked in the order of partitions, so no two processes wait for each other.
func (m *Model) lock(ctx context.Context, tx pgx.Tx, next contract.Cursor) (at locked, err error) {
	at.rows = []int32{0}
	if m.kind.Split {
		if at.cursor, at.rows, err = behind(ctx, tx, next); err != nil {
			return at, err
		}
	}
	const lock = "SELECT cursor, " + lastWriter + ` FROM checkpoint
WHERE part = ANY($1) ORDER BY part FOR UPDATE`
	rows, err := tx.Query(ctx, lock, at.rows)
	if err != nil {
		return at, fmt.Errorf("read the cursor: %w", err)
	}
	var text string
	_, err = pgx.ForEachRow(rows, []any{&text, &at.writer}, func() error {
		cursor, err := contract.ParseCursor(text)
		at.cursor = at.cursor.Max(cursor)
		return err
	})
	if err != nil {
		return at, fmt.Errorf("read the cursor: %w", err)
	}
	return at, nil
}

// behind returns the cursor of a split model, and the partitions in which it is behind next. Each
// has a row of checkpoint then.
func behind(ctx context.Context, tx pgx.Tx, next contract.Cursor) (
	at contract.Cursor, parts []int32, err error) {
	// The swap of a rebuild holds back this lock. It comes BEFORE any query: otherwise the swap
	// would wait for that query's lock, and this one for the swap.
	if _, err := tx.Exec(ctx, "LOCK TABLE checkpoint IN ROW EXCLUSIVE MODE"); err != nil {
		return nil, nil, fmt.Errorf("wait for the swap of a rebuild: %w", err)
	}
	if at, err = CursorOf(ctx, tx); err != nil {
		return nil, nil, err
	}
	for p, end := range next {
		if at.At(int32(p)) < end {
			parts = append(parts, int32(p))
		}
	}
	const add = `
INSERT INTO checkpoint SELECT part, 'null' FROM unnest($1::int[]) part ORDER BY part
ON CONFLICT DO NOTHING`
	if _, err := tx.Exec(ctx, add, parts); err != nil {
		return nil, nil, fmt.Errorf("add the rows of partitions: %w", err)
	}
	return at, parts, nil
}

// lastWriter names the last transaction of a model. Every transaction of Apply writes the row of
// checkpoint, and so gives it another xmin. The table of a rebuilt model is another one. A server
// that was restored from a backup, or took over from another, may give the number of a lost
// transaction again: the cursor tells such a transaction from the lost one.
const lastWriter = "tableoid || ' ' || xmin::text || ' ' || cursor"

// foldAfter returns the kept fold if a transaction was its own, and otherwise a new fold. While the
// fold is in use nothing is kept, so a fold that fails is lost.
func (m *Model) foldAfter(transaction string) Fold {
	if kept := m.kept.Swap(nil); kept != nil && kept.transaction == transaction {
		return kept.Fold
	}
	return m.kind.Fold()
}

func (m *Model) applyFresh(ctx context.Context, tx pgx.Tx, fold Fold,
	fresh []contract.Recorded) error {
	var taken []contract.Recorded
	for _, r := range fresh {
		if m.kind.Takes == nil || m.kind.Takes(r.Stream) {
			taken = append(taken, r)
		}
	}
	if len(taken) == 0 {
		return nil
	}
	if err := fold.Apply(ctx, tx, taken); err != nil {
		return err
	}
	return insertEvents(ctx, tx, taken)
}

// Read runs f on a snapshot of the model: every statement of f sees the same commits. Read and the
// swap of a rebuild wait for each other, so f never reads one table of the old model and another
// table of the new one.
func (m *Model) Read(ctx context.Context, f func(pgx.Tx) error) error {
	snapshot := pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
	return pgx.BeginTxFunc(ctx, m.pool, snapshot, func(tx pgx.Tx) error {
		// The first query fixes the snapshot, so LOCK comes BEFORE it (PostgreSQL manual, section
		// 13.3.1).
		if _, err := tx.Exec(ctx, "LOCK TABLE checkpoint IN ACCESS SHARE MODE"); err != nil {
			return fmt.Errorf("wait for the swap of a rebuild: %w", err)
		}
		return f(tx)
	})
}

// CursorOf returns the progress of the model of a snapshot.
func CursorOf(ctx context.Context, tx pgx.Tx) (at contract.Cursor, err error) {
	rows, err := tx.Query(ctx, "SELECT cursor FROM checkpoint")
	if err != nil {
		return nil, fmt.Errorf("read the cursor: %w", err)
	}
	var text string
	_, err = pgx.ForEachRow(rows, []any{&text}, func() error {
		cursor, err := contract.ParseCursor(text)
		if cursor != nil {
			at = at.Max(cursor)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the cursor: %w", err)
	}
	return at, nil
}

// Cursor returns the model's progress.
func (m *Model) Cursor(ctx context.Context) (cursor contract.Cursor, err error) {
	err = m.Read(ctx, func(tx pgx.Tx) error {
		cursor, err = CursorOf(ctx, tx)
		return err
	})
	return cursor, err
}
