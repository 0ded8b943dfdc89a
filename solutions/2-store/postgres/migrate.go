package postgres

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"

	"example.com/blotter/labs/kit/contract"
)

//go:embed migrations/*.sql
var migrations embed.FS

// schemaVersion is the version of the last file in migrations.
const schemaVersion = 6

// Migrate creates or updates a log as its owner, and opens nothing. It needs DSN. Afterwards AppDSN
// alone is enough to open the log.
func Migrate(ctx context.Context, opt Options) error {
	if opt.DSN == "" {
		return errors.New("migrate the log: no DSN of its owner is set")
	}
	opt.Clock = func(context.Context) time.Time { return time.Time{} } // nothing is recorded
	if err := opt.check(); err != nil {
		return fmt.Errorf("migrate the log: %w", err)
	}
	return opt.migrate(ctx)
}

func (opt Options) migrate(ctx context.Context) error {
	// not pgx.ParseConfig: DSN may have pool settings
	owner, err := pgxpool.ParseConfig(opt.DSN)
	if err != nil {
		return err
	}
	app := owner
	if opt.AppDSN != "" {
		if app, err = pgxpool.ParseConfig(opt.AppDSN); err != nil {
			return err
		}
	}
	return migrate(ctx, owner.ConnConfig, opt.Schema, app.ConnConfig.User, opt.Simulated)
}

// migrate creates or updates the schema and grants the privileges in it. The user in config becomes
// the owner of a new log, which is simulated or not from then on. Processes that start at the same
// time take turns. The login becomes a member of the application role.
func migrate(
	ctx context.Context, config *pgx.ConnConfig, schema, login string, simulated bool,
) error {
	owner, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return fmt.Errorf("connect as owner: %w", err)
	}
	defer owner.Close(context.WithoutCancel(ctx)) // this also releases the lock
	lock := "select pg_advisory_lock(hashtext('blotter/migrate'), hashtext($1))"
	if _, err := owner.Exec(ctx, lock, schema); err != nil {
		return fmt.Errorf("wait for other migrations: %w", err)
	}
	if _, err := owner.Exec(ctx, "create schema if not exists "+quoted(schema)); err != nil {
		return fmt.Errorf("create schema %s: %w", schema, err)
	}
	if err := runMigrations(ctx, config, schema); err != nil {
		return fmt.Errorf("migrate schema %s: %w", schema, err)
	}
	// AFTER the tables and BEFORE the role may insert events. A crash before it leaves a log
	// without events; the next opener decides.
	timeline := "insert into " + quoted(schema) + ".timeline (simulated) values ($1) " +
		"on conflict do nothing"
	if _, err := owner.Exec(ctx, timeline, simulated); err != nil {
		return fmt.Errorf("write down the timeline of schema %s: %w", schema, err)
	}
	if err := grant(ctx, owner, schema, login); err != nil {
		return fmt.Errorf("grant privileges in schema %s: %w", schema, err)
	}
	return nil
}

func runMigrations(ctx context.Context, config *pgx.ConnConfig, schema string) error {
	steps, done, err := stepsOf(config, schema)
	if err != nil {
		return err
	}
	defer done()
	_, err = steps.Up(ctx)
	return err
}

// stepsOf returns the migrations of a schema. After them the caller calls done.
func stepsOf(
	config *pgx.ConnConfig, schema string,
) (steps *goose.Provider, done func(), err error) {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, nil, err
	}
	config = config.Copy()
	config.RuntimeParams["search_path"] = quoted(schema) + ", pg_temp"
	db := stdlib.OpenDB(*config)
	steps, err = goose.NewProvider(goose.DialectPostgres, db, files,
		goose.WithDisableGlobalRegistry(true))
	if err != nil {
		db.Close()
		return nil, nil, err
	}
	return steps, func() { db.Close() }, nil
}

// roleOf returns the name of a log's application role.
func roleOf(schema string) string { return schema + "_app" }

// grant revokes and grants all privileges of the application role at every start. So they do not
// depend on earlier grants, and a dump that was restored into another cluster gets its role again.
// The role owns nothing and cannot sign in: a session assumes it (SET ROLE), or a login is a member
// of it.
func grant(ctx context.Context, owner *pgx.Conn, schema, login string) error {
	in, role := quoted(schema), quoted(roleOf(schema))
	statements := []string{
		// The role belongs to the whole cluster, but the lock above to this database: a process in
		// another database may create the same role now.
		"do $$ begin create role " + role + " nologin; exception when duplicate_object or " +
			"unique_violation then null; end $$",
		"do $$ begin if not pg_has_role(current_user, '" + roleOf(schema) + "', 'member') then " +
			"grant " + role + " to current_user; end if; end $$",
		"revoke all on all tables in schema " + in + " from public, " + role,
		"revoke all on all functions in schema " + in + " from public, " + role,
		"revoke all on schema " + in + " from public, " + role,
		"grant usage on schema " + in + " to " + role,
		"grant select on all tables in schema " + in + " to " + role,
		"grant insert on " + in + ".events to " + role,
		"grant execute on function " + in + ".sequence_pending() to " + role,
		"grant execute on function " + in + ".commit_frontier(timestamptz) to " + role,
		"grant execute on function " + in + ".hold_places(text[]) to " + role,
		"grant execute on function " + in + ".note_places(text[], text[]) to " + role,
	}
	if login != owner.Config().User {
		statements = append(statements, "grant "+role+" to "+quoted(login))
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

// ErrNoLog is wrapped by the error of Open if the schema holds no log, or a log of another version,
// and the caller may not create or migrate one.
var ErrNoLog = errors.New("no log of this version")

// checkVersion checks that the schema has the version of this program. It changes nothing.
func (s *Store) checkVersion(ctx context.Context) error {
	var version int64
	err := s.pool.QueryRow(ctx,
		"select coalesce(max(version_id), 0) from goose_db_version where is_applied").Scan(&version)
	var refused *pgconn.PgError
	switch {
	case errors.As(err, &refused) &&
		(refused.Code == undefinedTable || refused.Code == invalidParameter):
		return fmt.Errorf("%w in schema %s: %s", ErrNoLog, s.schema, refused.Message)
	case err != nil:
		return fmt.Errorf("open schema %s: %w", s.schema, err)
	case version != schemaVersion:
		return fmt.Errorf("%w in schema %s: it has version %d, this program needs %d", ErrNoLog,
			s.schema, version, schemaVersion)
	}
	return nil
}

// readTimeline keeps the log's timeline, which never changes.
func (s *Store) readTimeline(ctx context.Context) error {
	const simulated = "select simulated from timeline"
	s.timeline.PerStream = true
	if err := s.pool.QueryRow(ctx, simulated).Scan(&s.timeline.Simulated); err != nil {
		return fmt.Errorf("read the timeline of schema %s: %w", s.schema, err)
	}
	return nil
}

// Timeline implements contract.SealableLog.
func (s *Store) Timeline(context.Context) (contract.Timeline, error) { return s.timeline, nil }

func quoted(name string) string { return pgx.Identifier{name}.Sanitize() }
