package postgres

import (
	"context"
	"embed"
	"fmt"
	"io/fs"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
)

//go:embed migrations/*.sql
var files embed.FS

// migrate makes the schema and brings its tables up to date. The versions that were run are kept in the schema itself,
// so they move with it. Each migration is a transaction: a crash leaves the schema at one of them.
func migrate(ctx context.Context, config *pgx.ConnConfig, schema string) error {
	db := stdlib.OpenDB(*config)
	defer db.Close()
	session, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer session.Close()
	// Two processes that open one model at once take turns. The lock ends with its session, which ends with db.
	if _, err := session.ExecContext(ctx, "SELECT pg_advisory_lock(hashtextextended($1, 0))", "migrate "+schema); err != nil {
		return fmt.Errorf("wait for a turn: %w", err)
	}
	if _, err := session.ExecContext(ctx, "CREATE SCHEMA IF NOT EXISTS "+quoted(schema)); err != nil {
		return fmt.Errorf("create the schema: %w", err)
	}
	migrations, err := fs.Sub(files, "migrations")
	if err != nil {
		return err
	}
	provider, err := goose.NewProvider(goose.DialectPostgres, db, migrations, goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return err
	}
	_, err = provider.Up(ctx)
	return err
}

func quoted(name string) string { return pgx.Identifier{name}.Sanitize() }
