package readmodel

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"example.com/blotter/labs/kit/contract"
	projection "example.com/blotter/solutions/3-projections"
)

// Rebuild builds a new model from the beginning of the log, beside the live one, and replaces the
// live one with it (L3.I5). Until then the live model is read and updated as usual.
//
// A crash before the swap leaves the live model, and a partial new one that the next Rebuild drops.
func (m *Model) Rebuild(ctx context.Context, log contract.Reader, size int) error {
	if m.owner == nil {
		return errors.New("a rebuild needs the role that owns the read model")
	}
	owner, err := pgx.ConnectConfig(ctx, m.owner.ConnConfig.Copy())
	if err != nil {
		return fmt.Errorf("connect as owner: %w", err)
	}
	defer owner.Close(context.WithoutCancel(ctx))
	release, err := m.lockRebuild(ctx)
	if err != nil {
		return err
	}
	defer release()
	drop := "DROP SCHEMA IF EXISTS " + quoted(m.next()) + " CASCADE"
	if _, err := owner.Exec(ctx, drop); err != nil {
		return fmt.Errorf("drop the partial model of an earlier rebuild: %w", err)
	}
	next, err := open(ctx, m.config, m.owner, m.next(), m.live, m.kind)
	if err != nil {
		return err
	}
	defer next.Close()
	if err := catchUp(ctx, log, next, size); err != nil {
		return fmt.Errorf("rebuild: %w", err)
	}
	if err := m.swap(ctx, owner, log, next, size); err != nil {
		return fmt.Errorf("swap in the rebuilt model: %w", err)
	}
	return nil
}

// nextSuffix is of the schema in which a rebuild makes the new model.
const nextSuffix = "_next"

func (m *Model) next() string     { return m.schema + nextSuffix }
func (m *Model) replaced() string { return m.schema + "_gone" }

// lockRebuild waits until no other process rebuilds this model. The lock belongs to a connection,
// so it ends with its process at the latest. The connection is not one of the pool's. Otherwise the
// rebuilds that wait could hold all connections of the pool, and the rebuild that has the lock
// needs one.
func (m *Model) lockRebuild(ctx context.Context) (release func(), err error) {
	conn, err := pgx.ConnectConfig(ctx, m.config.ConnConfig.Copy())
	if err != nil {
		return nil, fmt.Errorf("connect to lock the rebuild: %w", err)
	}
	release = func() { _ = conn.Close(context.WithoutCancel(ctx)) }
	const lock = "SELECT pg_advisory_lock(hashtextextended($1, 0))"
	if _, err := conn.Exec(ctx, lock, "rebuild "+m.schema); err != nil {
		release()
		return nil, fmt.Errorf("wait for another rebuild: %w", err)
	}
	return release, nil
}

// swap gives next the live model's name. It first stops all processes that apply events, so that
// the live model stands still, and brings next up to date. The feed is not read again for the new
// model, so an event that only the old model had would be lost. Then swap waits for the current
// readers.
//
// The renames are one transaction. A crash before its commit leaves the live model; after it, the
// new one.
func (m *Model) swap(ctx context.Context, owner *pgx.Conn, log contract.Reader,
	next *Model, size int) error {
	return pgx.BeginFunc(ctx, owner, func(tx pgx.Tx) error {
		// EXCLUSIVE admits readers, and conflicts with the row lock that Apply takes first.
		if _, err := tx.Exec(ctx, "LOCK TABLE checkpoint IN EXCLUSIVE MODE"); err != nil {
			return err
		}
		if err := catchUp(ctx, log, next, size); err != nil {
			return err
		}
		next.Close()
		for _, step := range []string{
			"LOCK TABLE checkpoint IN ACCESS EXCLUSIVE MODE",
			"ALTER SCHEMA " + quoted(m.schema) + " RENAME TO " + quoted(m.replaced()),
			"ALTER SCHEMA " + quoted(next.schema) + " RENAME TO " + quoted(m.schema),
			"DROP SCHEMA " + quoted(m.replaced()) + " CASCADE",
		} {
			if _, err := tx.Exec(ctx, step); err != nil {
				return fmt.Errorf("%s: %w", step, err)
			}
		}
		return nil
	})
}

// catchUp brings next to the end of the log. In swap the live model already stands still when
// catchUp asks for the end: next then has every event of the live model, except events that the log
// has lost. A model holds only the events of its log.
func catchUp(ctx context.Context, log contract.Reader, next *Model, size int) error {
	end, err := log.End(ctx)
	if err != nil {
		return fmt.Errorf("ask for the end of the log: %w", err)
	}
	return projection.Project(ctx, log, next, end, size)
}
