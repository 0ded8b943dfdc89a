package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"example.com/blotter/labs/kit/contract"
	projection "example.com/blotter/solutions/3-projections"
)

// Rebuild makes the model again from the beginning of the log, beside the live one, and puts it in its place (L3.I5).
// Meanwhile the live model is read, and applied to, as ever.
//
// A crash before the swap leaves the live model, and half of a new one that the next Rebuild drops.
func (p *Projection) Rebuild(ctx context.Context, log contract.Reader, size int) error {
	release, err := p.lockRebuild(ctx)
	if err != nil {
		return err
	}
	defer release()
	if _, err := p.pool.Exec(ctx, "DROP SCHEMA IF EXISTS "+quoted(p.next())+" CASCADE"); err != nil {
		return fmt.Errorf("drop what an earlier rebuild left: %w", err)
	}
	next, err := open(ctx, p.config, p.next(), p.codec)
	if err != nil {
		return err
	}
	defer next.Close()
	end, err := log.End(ctx)
	if err != nil {
		return fmt.Errorf("end of the log: %w", err)
	}
	if err := projection.Project(ctx, log, next, end, size); err != nil {
		return fmt.Errorf("rebuild: %w", err)
	}
	if err := p.swap(ctx, log, next, size); err != nil {
		return fmt.Errorf("swap in the rebuilt model: %w", err)
	}
	return nil
}

func (p *Projection) next() string     { return p.schema + "_next" }
func (p *Projection) outgoing() string { return p.schema + "_gone" }

// lockRebuild waits until nobody else rebuilds this model. The lock belongs to a connection, and so ends with the process
// at the latest. That connection is none of the pool's: many who wait would hold all of those, and whoever has the lock
// needs one.
func (p *Projection) lockRebuild(ctx context.Context) (release func(), err error) {
	conn, err := pgx.ConnectConfig(ctx, p.config.ConnConfig.Copy())
	if err != nil {
		return nil, fmt.Errorf("connect to lock the rebuild: %w", err)
	}
	release = func() { _ = conn.Close(context.WithoutCancel(ctx)) }
	if _, err := conn.Exec(ctx, "SELECT pg_advisory_lock(hashtextextended($1, 0))", "rebuild "+p.schema); err != nil {
		release()
		return nil, fmt.Errorf("wait for another rebuild: %w", err)
	}
	return release, nil
}

// swap gives next the live model's name. It first stops those who apply, so that the live model cannot get ahead, and brings next
// up to it: the feed is not read again, so an event that only the outgoing model had would be lost. Then it waits for
// the readers under way.
//
// The renames are one transaction. A crash before its commit leaves the live model; after it, the new one.
func (p *Projection) swap(ctx context.Context, log contract.Reader, next *Projection, size int) error {
	return pgx.BeginFunc(ctx, p.pool, func(tx pgx.Tx) error {
		// EXCLUSIVE lets readers in, and conflicts with the row lock that Apply takes first.
		if _, err := tx.Exec(ctx, "LOCK TABLE checkpoint IN EXCLUSIVE MODE"); err != nil {
			return err
		}
		if err := catchUp(ctx, log, next, size); err != nil {
			return err
		}
		next.Close()
		for _, step := range []string{
			"LOCK TABLE checkpoint IN ACCESS EXCLUSIVE MODE",
			"ALTER SCHEMA " + quoted(p.schema) + " RENAME TO " + quoted(p.outgoing()),
			"ALTER SCHEMA " + quoted(next.schema) + " RENAME TO " + quoted(p.schema),
			"DROP SCHEMA " + quoted(p.outgoing()) + " CASCADE",
		} {
			if _, err := tx.Exec(ctx, step); err != nil {
				return fmt.Errorf("%s: %w", step, err)
			}
		}
		return nil
	})
}

// catchUp brings next to the end of the log. The live model stands still by now, and the end is asked for after that: so next has all that the live
// one has, unless the log has lost it. A model is what its log says, and no more.
func catchUp(ctx context.Context, log contract.Reader, next *Projection, size int) error {
	end, err := log.End(ctx)
	if err != nil {
		return fmt.Errorf("end of the log: %w", err)
	}
	return projection.Project(ctx, log, next, end, size)
}
