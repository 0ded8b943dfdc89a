package postgres

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
)

//go:embed migrations/*.sql
var migrations embed.FS

// newest is the version of the last file in migrations.
const newest = 2

// migrate brings the schema up to date and states the rights in it. Whoever is in config becomes the owner of a new log.
// Two processes that start at once take turns.
func migrate(ctx context.Context, config *pgx.ConnConfig, schema string) error {
	owner, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return fmt.Errorf("connect as owner: %w", err)
	}
	defer owner.Close(context.WithoutCancel(ctx)) // and with it goes the lock
	if _, err := owner.Exec(ctx, "select pg_advisory_lock(hashtext('blotter/migrate'), hashtext($1))", schema); err != nil {
		return fmt.Errorf("wait for other migrations: %w", err)
	}
	if _, err := owner.Exec(ctx, "create schema if not exists "+quoted(schema)); err != nil {
		return fmt.Errorf("create schema %s: %w", schema, err)
	}
	if err := up(ctx, config, schema); err != nil {
		return fmt.Errorf("migrate schema %s: %w", schema, err)
	}
	if err := grant(ctx, owner, schema); err != nil {
		return fmt.Errorf("state the rights in schema %s: %w", schema, err)
	}
	return nil
}

func up(ctx context.Context, config *pgx.ConnConfig, schema string) error {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	config = config.Copy()
	config.RuntimeParams["search_path"] = quoted(schema) + ", pg_temp"
	db := stdlib.OpenDB(*config)
	defer db.Close()
	provider, err := goose.NewProvider(goose.DialectPostgres, db, files, goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return err
	}
	_, err = provider.Up(ctx)
	return err
}

// roleOf is the application's role of a log.
func roleOf(schema string) string { return schema + "_app" }

// grant states the rights of the application's role, from nothing, at every start: rights are a state, not a history, and a
// dump that was restored into another cluster finds its role again. The role owns nothing and cannot sign in: a session
// takes it on (SET ROLE), or a login is made a member of it.
func grant(ctx context.Context, owner *pgx.Conn, schema string) error {
	in, role := quoted(schema), quoted(roleOf(schema))
	statements := []string{
		// The role is of the whole cluster, and the lock above of this database: another one may be making the same role.
		"do $$ begin create role " + role + " nologin; exception when duplicate_object or unique_violation then null; end $$",
		"do $$ begin if not pg_has_role(current_user, '" + roleOf(schema) + "', 'member') then grant " + role + " to current_user; end if; end $$",
		"revoke all on all tables in schema " + in + " from public, " + role,
		"revoke all on all functions in schema " + in + " from public, " + role,
		"revoke all on schema " + in + " from public, " + role,
		"grant usage on schema " + in + " to " + role,
		"grant select on all tables in schema " + in + " to " + role,
		"grant insert on " + in + ".events to " + role,
		"grant execute on function " + in + ".sequence_pending() to " + role,
	}
	tx, err := owner.Begin(ctx)
	if err != nil {
		return err
	}
	defer tx.Rollback(context.WithoutCancel(ctx))
	for _, statement := range statements {
		if _, err := tx.Exec(ctx, statement); err != nil {
			return fmt.Errorf("%s: %w", statement, err)
		}
	}
	return tx.Commit(ctx)
}

// ErrNoLog is wrapped by the error of opening a schema that holds no log, or one of another version, without the right to
// make one.
var ErrNoLog = errors.New("no log of this version")

// migrated says whether the schema is what this program expects. It changes nothing.
func (s *Store) migrated(ctx context.Context) error {
	var version int64
	err := s.pool.QueryRow(ctx, "select coalesce(max(version_id), 0) from goose_db_version where is_applied").Scan(&version)
	var refused *pgconn.PgError
	switch {
	case errors.As(err, &refused) && (refused.Code == undefinedTable || refused.Code == invalidParameter):
		return fmt.Errorf("%w in schema %s: %s", ErrNoLog, s.schema, refused.Message)
	case err != nil:
		return fmt.Errorf("open schema %s: %w", s.schema, err)
	case version != newest:
		return fmt.Errorf("%w in schema %s: it has version %d, this program wants %d", ErrNoLog, s.schema, version, newest)
	}
	return nil
}

func quoted(name string) string { return pgx.Identifier{name}.Sanitize() }
