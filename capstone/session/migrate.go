package session

import (
	"context"
	"fmt"

	"example.com/blotter/capstone/logdir"
	"example.com/blotter/capstone/vault"
)

// Migrate creates or migrates the Postgres schemas of a log, as their owner, and gives the
// application its privileges. It writes no log. A program that has no rights to migrate can open
// the log afterwards. Migrate returns the names of the schemas.
func Migrate(ctx context.Context, c Config) (schemas []string, err error) {
	d, err := c.Folder()
	if err != nil {
		return nil, err
	}
	s, err := OpenStack(c)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	at, err := s.Postgres(ctx)
	if err != nil {
		return nil, err
	}
	if at.MigrationDSN == "" {
		return nil, &logdir.UsageError{
			What:   "no role is named that may create and migrate schemas",
			Remedy: "set BLOTTER_POSTGRES_MIGRATION_DSN to its connection string",
		}
	}
	name := d.Settings().Name
	store, err := StoreOf(d.Settings().Store)
	if err != nil {
		return nil, err
	}
	if store.Migrate != nil {
		if err := store.Migrate(ctx, at, d.Settings()); err != nil {
			return nil, fmt.Errorf("migrate %s: %w", name.LogSchema(), err)
		}
		schemas = append(schemas, name.LogSchema())
	}
	if err := vault.Migrate(ctx, at.DSN, at.MigrationDSN, name.VaultSchema()); err != nil {
		return schemas, err
	}
	schemas = append(schemas, name.VaultSchema())
	for _, row := range models {
		m, err := row.open(ctx, at.DSN, at.MigrationDSN, row.schema(name), nil)
		if err != nil {
			return schemas, err
		}
		m.Close()
		schemas = append(schemas, row.schema(name))
	}
	return schemas, nil
}
