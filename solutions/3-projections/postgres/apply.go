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

// Apply adds the events that are new to the model, and moves its cursor, in one transaction. The
// number of statements is the same for one event and for thousands; only every eventsAtOnce events
// add a round of statements.
func (p *Projection) Apply(ctx context.Context, events []contract.Recorded,
	next contract.Cursor) error {
	err := pgx.BeginFunc(ctx, p.pool, func(tx pgx.Tx) error {
		cursor, err := lockCursor(ctx, tx)
		if err != nil {
			return err
		}
		if fresh := projection.Fresh(events, cursor); len(fresh) > 0 {
			if err := p.applyFresh(ctx, tx, fresh); err != nil {
				return err
			}
		}
		return moveCursor(ctx, tx, cursor.Max(next))
	})
	// A crash before the commit leaves no trace of the batch and the cursor before it: the batch is
	// read again. A crash after the commit leaves the whole batch and the cursor after it, even if
	// the caller never hears of the commit: reading the batch again changes nothing.
	if err != nil {
		return fmt.Errorf("project %d events up to %s: %w", len(events), next, err)
	}
	return nil
}

// eventsAtOnce bounds the histories of streams that are held in memory during a batch.
const eventsAtOnce = 5000

// firstLegs holds the first changed leg of each pool.
type firstLegs map[trade.PoolKey]trade.LegKey

// add keeps the earlier leg of each pool.
func (f firstLegs) add(changed map[trade.PoolKey]trade.LegKey) {
	for pool, leg := range changed {
		if first, ok := f[pool]; !ok || leg.Compare(first) < 0 {
			f[pool] = leg
		}
	}
}

// applyFresh inserts new events and refolds the rows that depend on them. Pools come last, once for
// the whole batch, because a late leg refolds all legs after it.
func (p *Projection) applyFresh(ctx context.Context, tx pgx.Tx, fresh []contract.Recorded) error {
	changed := firstLegs{}
	for some := range slices.Chunk(fresh, eventsAtOnce) {
		legs, err := p.applyStreams(ctx, tx, some)
		if err != nil {
			return err
		}
		changed.add(legs)
	}
	if err := refoldPools(ctx, tx, changed); err != nil {
		return fmt.Errorf("refold pools: %w", err)
	}
	return nil
}

// applyStreams inserts new events and refolds all rows except pools. It returns the first changed
// leg of each pool.
func (p *Projection) applyStreams(ctx context.Context, tx pgx.Tx, fresh []contract.Recorded) (
	firstLegs, error) {
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
	changed, trades, err := refoldTrades(ctx, tx, streams)
	if err != nil {
		return nil, fmt.Errorf("refold trades: %w", err)
	}
	curves, err := refoldCurves(ctx, tx, streams)
	if err != nil {
		return nil, fmt.Errorf("refold curves: %w", err)
	}
	return changed, park(ctx, tx, append(trades, curves...))
}

// lockCursor locks the cursor until the transaction ends: processes that apply events take turns.
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
