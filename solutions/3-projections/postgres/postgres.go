// Package postgres is the projection in tables of one Postgres schema.
//
// The search_path of the connections selects the schema of all statements. The statements are
// therefore constants, and a rebuilt model replaces the live one by taking the name of its schema.
//
//	events      the events of the model, as recorded
//	refusals    refused commands, and rules    ◀─ for reports in SQL; not a part of the state
//	trades      a row for each contract        ◀─ refolded for each event of the contract
//	legs        effects of contracts on pools  ◀─ replaced for a trade whose legs changed
//	pools       saved states of pools          ◀─ refolded from the one before a changed leg
//	positions   the result of each pool        ◀─ replaced for each pool that was refolded
//	curves      prices as marked
//	parked      streams with an illegal event  ◀─ the rows above have only the events before it
//	checkpoint  the cursor                     ◀─ moved in the same transaction
//
// A trade is read from trades and legs. No table has a market value: it depends on the time of
// valuation, which a question gives.
package postgres

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"

	"example.com/blotter/labs/kit/contract"
)

// Projection is contract.Rebuilder in Postgres. It keeps nothing in memory. Several processes may
// use one model; those that apply events take turns.
type Projection struct {
	config *pgxpool.Config // of the application: it reads the model and applies events
	owner  *pgxpool.Config // creates, migrates and rebuilds the model; nil if somebody else does
	schema string
	codec  contract.Codec
	pool   *pgxpool.Pool // with config
}

var _ contract.Rebuilder = (*Projection)(nil)

// Open connects to the database at dsn, and creates or migrates the schema of the model. Postgres
// cuts names at 63 bytes: leave room in the schema's name for the suffixes of a rebuild.
func Open(ctx context.Context, dsn, schema string, codec contract.Codec) (*Projection, error) {
	return OpenAs(ctx, dsn, dsn, schema, codec)
}

// OpenAs is Open for an application that may read and write rows, and nothing else: app signs it
// in. owner creates, migrates and rebuilds the model, and grants the privileges. If owner is empty,
// the model must exist in the version of this program.
func OpenAs(ctx context.Context, app, owner, schema string, codec contract.Codec) (
	*Projection, error) {
	config, err := pgxpool.ParseConfig(app)
	if err != nil {
		return nil, fmt.Errorf("open the projection: %w", err)
	}
	if owner == "" {
		return open(ctx, config, nil, schema, codec)
	}
	migrating, err := pgxpool.ParseConfig(owner)
	if err != nil {
		return nil, fmt.Errorf("open the projection: %w", err)
	}
	return open(ctx, config, migrating, schema, codec)
}

func open(ctx context.Context, app, owner *pgxpool.Config, schema string, codec contract.Codec) (
	*Projection, error) {
	p := &Projection{config: app.Copy(), schema: schema, codec: codec}
	p.config.ConnConfig.RuntimeParams["search_path"] = quoted(schema)
	if owner != nil {
		p.owner = owner.Copy()
		p.owner.ConnConfig.RuntimeParams["search_path"] = quoted(schema)
		user := app.ConnConfig.User
		if err := migrate(ctx, p.owner.ConnConfig, schema, user); err != nil {
			return nil, fmt.Errorf("migrate the projection's schema %s: %w", schema, err)
		}
	}
	pool, err := pgxpool.NewWithConfig(ctx, p.config)
	if err != nil {
		return nil, fmt.Errorf("open the projection: %w", err)
	}
	p.pool = pool
	if owner == nil {
		if err := p.checkVersion(ctx); err != nil {
			pool.Close()
			return nil, err
		}
	}
	return p, nil
}

// ErrNoModel is wrapped by the error of OpenAs without an owner, if the schema holds no model of
// this version.
var ErrNoModel = errors.New("no read model of this version")

func (p *Projection) checkVersion(ctx context.Context) error {
	names, err := fs.Glob(files, "migrations/*.sql")
	if err != nil {
		return err
	}
	var version int
	const query = "SELECT count(*) FROM goose_db_version WHERE is_applied AND version_id > 0"
	var missing *pgconn.PgError
	switch err := p.pool.QueryRow(ctx, query).Scan(&version); {
	case errors.As(err, &missing) && missing.Code == "42P01": // undefined_table
		return fmt.Errorf("%w in schema %s", ErrNoModel, p.schema)
	case err != nil:
		return fmt.Errorf("open schema %s: %w", p.schema, err)
	case version != len(names):
		return fmt.Errorf("%w in schema %s: it has %d migrations, this program needs %d",
			ErrNoModel, p.schema, version, len(names))
	}
	return nil
}

// Close ends the connections. Every applied event is in the database already.
func (p *Projection) Close() { p.pool.Close() }

//go:embed migrations/*.sql
var files embed.FS

// migrate creates the schema and its tables, or brings them up to date. The schema itself records
// the versions that were run, so they move with it. Each migration is one transaction: a crash
// leaves the schema at one of the versions. The privileges are granted again every time.
func migrate(ctx context.Context, config *pgx.ConnConfig, schema, app string) error {
	db := stdlib.OpenDB(*config)
	defer db.Close()
	session, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer session.Close()
	// Two processes that open one model at once take turns. The lock ends with its session, which
	// ends with db.
	const lock = "SELECT pg_advisory_lock(hashtextextended($1, 0))"
	if _, err := session.ExecContext(ctx, lock, "migrate "+schema); err != nil {
		return fmt.Errorf("wait for another migration: %w", err)
	}
	create := "CREATE SCHEMA IF NOT EXISTS " + quoted(schema)
	if _, err := session.ExecContext(ctx, create); err != nil {
		return fmt.Errorf("create the schema: %w", err)
	}
	migrations, err := fs.Sub(files, "migrations")
	if err != nil {
		return err
	}
	local := goose.WithDisableGlobalRegistry(true)
	provider, err := goose.NewProvider(goose.DialectPostgres, db, migrations, local)
	if err != nil {
		return err
	}
	if _, err = provider.Up(ctx); err != nil || app == config.User {
		return err
	}
	for _, privileges := range []string{
		"USAGE ON SCHEMA " + quoted(schema),
		"SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA " + quoted(schema),
	} {
		grant := "GRANT " + privileges + " TO " + quoted(app)
		if _, err := session.ExecContext(ctx, grant); err != nil {
			return fmt.Errorf("%s: %w", grant, err)
		}
	}
	const read = "REVOKE INSERT, UPDATE, DELETE ON goose_db_version FROM "
	_, err = session.ExecContext(ctx, read+quoted(app))
	return err
}

func quoted(name string) string { return pgx.Identifier{name}.Sanitize() }
