// Code generated from solutions/3-projections/plain/postgres.go by make generate; DO NOT EDIT.

package projection

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
)

// ddl creates the tables of a schema. Each row belongs to one model, by its number, so a model can
// be built beside the live one, and a swap moves the number in live. Text that is sorted is
// COLLATE "C": bytes compare as in Go.
const ddl = `
CREATE TABLE IF NOT EXISTS live (one boolean PRIMARY KEY DEFAULT true CHECK (one), model int);
CREATE SEQUENCE IF NOT EXISTS numbers;
CREATE TABLE IF NOT EXISTS checkpoint (model int PRIMARY KEY, cursor text NOT NULL);
CREATE TABLE IF NOT EXISTS events (
    model int, stream text COLLATE "C", version bigint, event jsonb NOT NULL,
    PRIMARY KEY (model, stream, version)
);
CREATE TABLE IF NOT EXISTS trades (
    model int, uti text COLLATE "C", trade jsonb NOT NULL, PRIMARY KEY (model, uti)
);
CREATE TABLE IF NOT EXISTS legs (
    model int, stream text COLLATE "C", version bigint, n int,
    effective_at timestamptz NOT NULL, entered_at timestamptz NOT NULL,
    pool text COLLATE "C" NOT NULL, leg jsonb NOT NULL,
    PRIMARY KEY (model, stream, version, n)
);
CREATE INDEX IF NOT EXISTS legs_in_order
    ON legs (model, pool, effective_at, entered_at, stream, version, n);
CREATE TABLE IF NOT EXISTS pools (
    model int, book text COLLATE "C", instrument text COLLATE "C", currency text COLLATE "C",
    legs bigint, saved jsonb NOT NULL,
    PRIMARY KEY (model, book, instrument, currency, legs)
);
CREATE TABLE IF NOT EXISTS curves (
    model int, name text COLLATE "C", curve jsonb NOT NULL, PRIMARY KEY (model, name)
);
CREATE TABLE IF NOT EXISTS parked (
    model int, stream text COLLATE "C", parked jsonb NOT NULL, PRIMARY KEY (model, stream)
);
INSERT INTO checkpoint SELECT 0, 'null' WHERE NOT EXISTS (SELECT FROM live);
INSERT INTO live (model) SELECT 0 WHERE NOT EXISTS (SELECT FROM live);`

// tablesOfRows are the tables whose rows belong to a model.
var tablesOfRows = []string{"checkpoint", "events", "trades", "legs", "pools", "curves", "parked"}

// Options name the model in Postgres.
type Options struct {
	App    string // connects as the role that reads and writes rows
	Owner  string // connects as the role that creates the tables; empty if they exist
	Schema string
	Hook   Hook
}

// Open returns the model in a schema of a database, and creates the schema and its tables as their
// owner.
func Open(ctx context.Context, o Options, codec contract.Codec) (*Model, error) {
	config, err := pgxpool.ParseConfig(o.App)
	if err != nil {
		return nil, fmt.Errorf("open the model: %w", err)
	}
	schema := pgx.Identifier{o.Schema}.Sanitize()
	if o.Owner != "" {
		if err := create(ctx, o.Owner, schema, config.ConnConfig.User); err != nil {
			return nil, fmt.Errorf("create the model in schema %s: %w", o.Schema, err)
		}
	}
	config.ConnConfig.RuntimeParams["search_path"] = schema
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("open the model: %w", err)
	}
	building, err := pgxpool.NewWithConfig(ctx, config.Copy())
	if err != nil {
		pool.Close()
		return nil, fmt.Errorf("open the model: %w", err)
	}
	return newModel(codec, &pgTables{pool, building, liveModel, o.Hook}), nil
}

// create runs ddl as one transaction, and grants the application its rights. Two processes that
// open one model at once take turns.
func create(ctx context.Context, owner, schema, app string) error {
	conn, err := pgx.Connect(ctx, owner)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		const lock = "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))"
		if _, err := tx.Exec(ctx, lock, "create "+schema); err != nil {
			return err
		}
		role := pgx.Identifier{app}.Sanitize()
		for _, statement := range []string{
			"CREATE SCHEMA IF NOT EXISTS " + schema,
			"SET LOCAL search_path = " + schema,
			ddl,
			"GRANT USAGE ON SCHEMA " + schema + " TO " + role,
			"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA " + schema + " TO " +
				role,
			"GRANT USAGE ON ALL SEQUENCES IN SCHEMA " + schema + " TO " + role,
		} {
			if _, err := tx.Exec(ctx, statement); err != nil {
				return err
			}
		}
		return nil
	})
}

type pgTables struct {
	pool *pgxpool.Pool
	// building has the connections of tables beside these. A swap needs one while it holds the
	// lock: if it came from pool, those that wait for the lock could hold all of them.
	building *pgxpool.Pool
	model    int // or liveModel
	hook     Hook
}

func (p *pgTables) close() {
	if p.model == liveModel { // tables beside it share its connections
		p.pool.Close()
		p.building.Close()
	}
}

func (p *pgTables) begin(ctx context.Context) (tx, error) {
	t, err := p.pool.Begin(ctx)
	return &pgTx{pgTables: p, tx: t}, err
}

// inSnapshot runs f on one snapshot of all tables.
func (p *pgTables) inSnapshot(ctx context.Context, name string, f func(*pgTx) error) error {
	if err := p.hook.call(ctx, name); err != nil {
		return err
	}
	options := pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
	return pgx.BeginTxFunc(ctx, p.pool, options, func(t pgx.Tx) error {
		return f(&pgTx{pgTables: &pgTables{pool: p.pool, model: p.model}, tx: t})
	})
}

func (p *pgTables) cursor(ctx context.Context) (c contract.Cursor, err error) {
	err = p.inSnapshot(ctx, "read the cursor", func(t *pgTx) error {
		c, err = t.readCursor(ctx, "")
		return err
	})
	return c, err
}

func (p *pgTables) read(ctx context.Context) (all rows, err error) {
	err = p.inSnapshot(ctx, "read the model", func(t *pgTx) error {
		if all.Cursor, err = t.readCursor(ctx, ""); err != nil {
			return err
		}
		err = errors.Join(
			list(ctx, t, &all.Events, "SELECT event FROM events WHERE model = $1"+
				" ORDER BY stream, version"),
			list(ctx, t, &all.Trades, "SELECT trade FROM trades WHERE model = $1 ORDER BY uti"),
			list(ctx, t, &all.Curves, "SELECT curve FROM curves WHERE model = $1 ORDER BY name"),
			list(ctx, t, &all.Parked, "SELECT parked FROM parked WHERE model = $1"+
				" ORDER BY stream"),
			list(ctx, t, &all.Pools, "SELECT jsonb_build_object('book', book,"+
				" 'instrument', instrument, 'currency', currency,"+
				" 'Saved', jsonb_agg(saved ORDER BY legs)) FROM pools WHERE model = $1"+
				" GROUP BY book, instrument, currency ORDER BY book, instrument, currency"))
		return err
	})
	return all, err
}

// list appends the rows of a query, each a JSON value.
func list[T any](ctx context.Context, t *pgTx, to *[]T, query string) error {
	found, err := jsonRows[T](ctx, t, "read the model", query)
	*to = found
	return err
}

func (p *pgTables) beside(ctx context.Context) (tables, error) {
	next := &pgTables{pool: p.building, building: p.building, hook: p.hook}
	err := p.building.QueryRow(ctx, "INSERT INTO checkpoint SELECT nextval('numbers'), 'null'"+
		" RETURNING model").Scan(&next.model)
	return next, err
}

type pgTx struct {
	*pgTables
	tx     pgx.Tx
	number int // of the model
	known  bool
}

// exec executes a statement whose first argument is the model's number.
func (t *pgTx) exec(ctx context.Context, name, sql string, args ...any) error {
	if err := t.before(ctx, name); err != nil {
		return err
	}
	if _, err := t.tx.Exec(ctx, sql, append([]any{t.number}, args...)...); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// jsonRows returns the rows of a query whose first argument is the model's number.
func jsonRows[T any](ctx context.Context, t *pgTx, name, sql string, args ...any) ([]T, error) {
	if err := t.before(ctx, name); err != nil {
		return nil, err
	}
	found, err := t.tx.Query(ctx, sql, append([]any{t.number}, args...)...)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	all, err := pgx.CollectRows(found, pgx.RowTo[T])
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return all, nil
}

// before calls the hook, and finds the number of the live model.
func (t *pgTx) before(ctx context.Context, statement string) error {
	if err := t.hook.call(ctx, statement); err != nil {
		t.rollback(ctx)
		return fmt.Errorf("%s: %w", statement, err)
	}
	if t.model != liveModel {
		t.number = t.model
		return nil
	}
	if t.known {
		return nil
	}
	t.known = true
	return t.tx.QueryRow(ctx, "SELECT model FROM live").Scan(&t.number)
}

// lockCursor locks the row of live first. The statement waits for a swap, and then returns the new
// model's number.
func (t *pgTx) lockCursor(ctx context.Context) (contract.Cursor, error) {
	if err := t.before(ctx, "lock the cursor"); err != nil {
		return nil, err
	}
	if t.model == liveModel {
		err := t.tx.QueryRow(ctx, "SELECT model FROM live FOR UPDATE").Scan(&t.number)
		if err != nil {
			return nil, fmt.Errorf("lock the cursor: %w", err)
		}
	}
	return t.readCursor(ctx, " FOR UPDATE")
}

func (t *pgTx) readCursor(ctx context.Context, lock string) (contract.Cursor, error) {
	found, err := jsonRows[string](ctx, t, "read the cursor",
		"SELECT cursor FROM checkpoint WHERE model = $1"+lock)
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, errReplaced
	}
	return contract.ParseCursor(found[0])
}

func (t *pgTx) moveCursor(ctx context.Context, to contract.Cursor) error {
	return t.exec(ctx, "move the cursor", "UPDATE checkpoint SET cursor = $2 WHERE model = $1",
		to.String())
}

func (t *pgTx) events(ctx context.Context, streams []string) ([]contract.Recorded, error) {
	return jsonRows[contract.Recorded](ctx, t, "read events",
		"SELECT event FROM events WHERE model = $1 AND stream = ANY($2)"+
			" ORDER BY stream, version", streams)
}

func (t *pgTx) legs(ctx context.Context, streams []string) ([]trade.Leg, error) {
	return jsonRows[trade.Leg](ctx, t, "read legs",
		"SELECT leg FROM legs WHERE model = $1 AND stream = ANY($2)"+
			" ORDER BY effective_at, entered_at, stream, version, n", streams)
}

func (t *pgTx) legsAfter(ctx context.Context, pool trade.PoolKey, key trade.LegKey) (
	[]trade.Leg, error) {
	return jsonRows[trade.Leg](ctx, t, "read the legs of a pool",
		"SELECT leg FROM legs WHERE model = $1 AND pool = $2"+
			" AND (effective_at, entered_at, stream, version, n) > ($3, $4, $5, $6, $7)"+
			" ORDER BY effective_at, entered_at, stream, version, n",
		poolText(pool), key.EffectiveAt, key.EnteredAt, key.Stream, key.Version, key.N)
}

func (t *pgTx) saved(ctx context.Context, pool trade.PoolKey) ([]contract.SavedPool, error) {
	return jsonRows[contract.SavedPool](ctx, t, "read the saved states of a pool",
		"SELECT saved FROM pools WHERE model = $1"+
			" AND (book, instrument, currency) = ($2, $3, $4) ORDER BY legs",
		pool.Book, pool.Instrument, string(pool.Currency))
}

func (t *pgTx) insertEvents(ctx context.Context, events []contract.Recorded) error {
	return t.exec(ctx, "insert events",
		"INSERT INTO events SELECT $1, e->>'Stream', (e->>'Version')::bigint, e"+
			" FROM jsonb_array_elements($2) e", array(events))
}

// putTrades replaces the legs first. Each leg is a row of its own, in the order of its pool.
func (t *pgTx) putTrades(ctx context.Context, trades []tradeRow) error {
	var streams []string
	var legs []legRow
	for _, row := range trades {
		streams = append(streams, trade.TradeStream(row.Trade.UTI))
		for _, l := range row.Legs {
			legs = append(legs, legRow{poolText(l.Pool), l})
		}
	}
	err := t.exec(ctx, "delete legs", "DELETE FROM legs WHERE model = $1 AND stream = ANY($2)",
		streams)
	if err != nil {
		return err
	}
	err = t.exec(ctx, "insert legs",
		"INSERT INTO legs SELECT $1, k.stream, k.version, k.n, k.effective_at, k.entered_at,"+
			" l->>'Pool', l->'Leg'"+
			" FROM jsonb_array_elements($2) l, jsonb_to_record(l->'Leg'->'key')"+
			" k(stream text, version bigint, n int, effective_at timestamptz,"+
			" entered_at timestamptz)", array(legs))
	if err != nil {
		return err
	}
	return t.exec(ctx, "put trades",
		"WITH gone AS (DELETE FROM trades WHERE model = $1 AND uti IN (SELECT t->'Trade'->>'uti'"+
			" FROM jsonb_array_elements($2) t WHERE t->'Trade'->>'status' = ''))"+
			" INSERT INTO trades SELECT $1, t->'Trade'->>'uti', t FROM jsonb_array_elements($2) t"+
			" WHERE t->'Trade'->>'status' <> ''"+
			" ON CONFLICT (model, uti) DO UPDATE SET trade = excluded.trade", array(trades))
}

type legRow struct {
	Pool string
	Leg  trade.Leg
}

func (t *pgTx) putCurves(ctx context.Context, curves []curveRow) error {
	return t.exec(ctx, "put curves",
		"INSERT INTO curves SELECT $1, c->>'Name', c FROM jsonb_array_elements($2) c"+
			" ON CONFLICT (model, name) DO UPDATE SET curve = excluded.curve", array(curves))
}

func (t *pgTx) putParked(ctx context.Context, parked []parkedRow) error {
	return t.exec(ctx, "put parked streams",
		"WITH gone AS (DELETE FROM parked WHERE model = $1 AND stream IN (SELECT p->>'Stream'"+
			" FROM jsonb_array_elements($2) p"+
			" WHERE p->'Parked' = 'null' AND p->'Skipped' = 'null'))"+
			" INSERT INTO parked SELECT $1, p->>'Stream', p FROM jsonb_array_elements($2) p"+
			" WHERE p->'Parked' <> 'null' OR p->'Skipped' <> 'null'"+
			" ON CONFLICT (model, stream) DO UPDATE SET parked = excluded.parked", array(parked))
}

func (t *pgTx) replaceSaved(ctx context.Context, pool trade.PoolKey, after int64,
	states []contract.SavedPool) error {
	err := t.exec(ctx, "delete saved states of a pool",
		"DELETE FROM pools WHERE model = $1 AND (book, instrument, currency) = ($2, $3, $4)"+
			" AND legs > $5", pool.Book, pool.Instrument, string(pool.Currency), after)
	if err != nil {
		return err
	}
	return t.exec(ctx, "insert saved states of a pool",
		"INSERT INTO pools SELECT $1, $2, $3, $4, (s->>'Legs')::bigint, s"+
			" FROM jsonb_array_elements($5) s",
		pool.Book, pool.Instrument, string(pool.Currency), array(states))
}

// replace deletes the rows of all other models, even the partial ones of rebuilds that crashed.
func (t *pgTx) replace(ctx context.Context, next tables) error {
	other, ok := next.(*pgTables)
	if !ok {
		return errors.New("the new model is in another database")
	}
	moved, err := jsonRows[int](ctx, t, "replace the model", "UPDATE live SET model = $2"+
		" WHERE model = $1 AND EXISTS (SELECT FROM checkpoint WHERE model = $2)"+
		" RETURNING model", other.model)
	if err != nil {
		return err
	}
	if len(moved) == 0 {
		return errReplaced
	}
	t.number = other.model
	for _, table := range tablesOfRows {
		sql := "DELETE FROM " + table + " WHERE model <> $1"
		if err := t.exec(ctx, "delete "+table, sql); err != nil {
			return err
		}
	}
	return nil
}

func (t *pgTx) commit(ctx context.Context) error {
	if err := t.hook.call(ctx, "commit"); err != nil {
		t.rollback(ctx)
		return fmt.Errorf("commit: %w", err)
	}
	if err := t.tx.Commit(ctx); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return t.hook.call(ctx, "committed")
}

func (t *pgTx) rollback(ctx context.Context) {
	_ = t.tx.Rollback(context.WithoutCancel(ctx)) // the connection ends the transaction, too
}

// poolText is the key of a pool as one column.
func poolText(p trade.PoolKey) string {
	return fmt.Sprintf("%s\n%s\n%s", p.Book, p.Instrument, p.Currency)
}

// array returns rows as a JSON array, even if there are none.
func array[T any](rows []T) json.RawMessage {
	text, err := json.Marshal(append([]T{}, rows...))
	if err != nil {
		panic(fmt.Sprintf("a row that does not marshal: %v", err)) // every field is plain data
	}
	return text
}
