package postgres

import (
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
	projection "example.com/blotter/solutions/3-projections"
)

// Apply takes the events that are new to the model, and moves its cursor, in one transaction. The number of
// statements does not depend on the number of events, but for one round of them to every few thousand.
func (p *Projection) Apply(ctx context.Context, events []contract.Recorded, next contract.Cursor) error {
	err := pgx.BeginFunc(ctx, p.pool, func(tx pgx.Tx) error {
		cursor, err := lockCursor(ctx, tx)
		if err != nil {
			return err
		}
		if fresh := projection.Fresh(events, cursor); len(fresh) > 0 {
			if err := p.take(ctx, tx, fresh); err != nil {
				return err
			}
		}
		return moveCursor(ctx, tx, cursor.Max(next))
	})
	// A crash before the commit leaves no trace of the batch, and the cursor before it: it will be read again. A crash
	// after it, even if the caller never hears of the commit, leaves all of it, and the cursor behind it: read again,
	// it changes nothing.
	if err != nil {
		return fmt.Errorf("project %d events up to %s: %w", len(events), next, err)
	}
	return nil
}

// eventsAtOnce bounds what of a batch is held in memory beside the events themselves: the histories of their streams.
const eventsAtOnce = 5000

// take puts fresh events on the model's record and carries on what follows from them. Pools come last, once for all events: a leg that
// comes late has all legs behind it folded again.
func (p *Projection) take(ctx context.Context, tx pgx.Tx, fresh []contract.Recorded) error {
	changed := map[trade.PoolKey]trade.LegKey{}
	for some := range slices.Chunk(fresh, eventsAtOnce) {
		moved, err := p.record(ctx, tx, some)
		if err != nil {
			return err
		}
		earliest(changed, moved)
	}
	if err := refoldPools(ctx, tx, changed); err != nil {
		return fmt.Errorf("refold pools: %w", err)
	}
	return nil
}

// record takes events as far as their own streams go, and says from which leg on each pool has to be folded again.
func (p *Projection) record(ctx context.Context, tx pgx.Tx, fresh []contract.Recorded) (map[trade.PoolKey]trade.LegKey, error) {
	streams, err := p.histories(ctx, tx, fresh)
	if err != nil {
		return nil, err
	}
	if err := insertEvents(ctx, tx, fresh); err != nil {
		return nil, fmt.Errorf("insert events: %w", err)
	}
	if err := insertRefusals(ctx, tx, fresh, streams); err != nil {
		return nil, fmt.Errorf("insert refusals: %w", err)
	}
	changed, err := refoldTrades(ctx, tx, streams)
	if err != nil {
		return nil, fmt.Errorf("refold trades: %w", err)
	}
	if err := refoldCurves(ctx, tx, streams); err != nil {
		return nil, fmt.Errorf("refold curves: %w", err)
	}
	return changed, nil
}

// lockCursor makes those who apply take turns, until the transaction ends.
func lockCursor(ctx context.Context, tx pgx.Tx) (contract.Cursor, error) {
	return scanCursor(tx.QueryRow(ctx, "SELECT cursor FROM checkpoint FOR UPDATE"))
}

func moveCursor(ctx context.Context, tx pgx.Tx, to contract.Cursor) error {
	if _, err := tx.Exec(ctx, "UPDATE checkpoint SET cursor = $1", to.String()); err != nil {
		return fmt.Errorf("move the cursor: %w", err)
	}
	return nil
}

func scanCursor(row pgx.Row) (contract.Cursor, error) {
	var text string
	if err := row.Scan(&text); err != nil {
		return nil, fmt.Errorf("read the cursor: %w", err)
	}
	return contract.ParseCursor(text)
}
