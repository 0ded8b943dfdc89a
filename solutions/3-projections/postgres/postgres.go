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
//	checkpoint  the cursor                     ◀─ moved in the same transaction
//
// A trade is read from trades and legs. No table has a market value: it depends on the time of
// valuation, which a question gives.
package postgres

import (
	"context"
	"embed"
	"fmt"
	"io/fs"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"

	"example.com/blotter/labs/kit/contract"
)

// Projection is contract.Rebuilder in Postgres. It keeps nothing in memory. Several processes may
// use one model; those that apply events take turns.
type Projection struct {
	config *pgxpool.Config
	schema string
	codec  contract.Codec
	pool   *pgxpool.Pool
}

var _ contract.Rebuilder = (*Projection)(nil)

// Open connects to the database at dsn, and creates or migrates the schema of the model. Postgres
// cuts names at 63 bytes: leave room in the schema's name for the suffixes of a rebuild.
func Open(ctx context.Context, dsn, schema string, codec contract.Codec) (*Projection, error) {
	config, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		return nil, fmt.Errorf("open the projection: %w", err)
	}
	return open(ctx, config, schema, codec)
}

func open(ctx context.Context, config *pgxpool.Config, schema string, codec contract.Codec) (
	*Projection, error) {
	config = config.Copy()
	config.ConnConfig.RuntimeParams["search_path"] = quoted(schema)
	if err := migrate(ctx, config.ConnConfig, schema); err != nil {
		return nil, fmt.Errorf("migrate the projection's schema %s: %w", schema, err)
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("open the projection: %w", err)
	}
	return &Projection{config: config, schema: schema, codec: codec, pool: pool}, nil
}

// Close ends the connections. Every applied event is in the database already.
func (p *Projection) Close() { p.pool.Close() }

//go:embed migrations/*.sql
var files embed.FS

// migrate creates the schema and its tables, or brings them up to date. The schema itself records
// the versions that were run, so they move with it. Each migration is one transaction: a crash
// leaves the schema at one of the versions.
func migrate(ctx context.Context, config *pgx.ConnConfig, schema string) error {
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
	_, err = provider.Up(ctx)
	return err
}

func quoted(name string) string { return pgx.Identifier{name}.Sanitize() }
