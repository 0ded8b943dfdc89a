package postgres

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
	"example.com/blotter/solutions/3-projections/readmodel"
)

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

// apply refolds the rows that depend on new events. Pools come last, because a late leg refolds all
// legs after it. The number of statements is the same for one event and for thousands.
func (p *Projection) apply(ctx context.Context, tx pgx.Tx, fresh []contract.Recorded) error {
	streams, err := p.histories(ctx, tx, fresh)
	if err != nil {
		return err
	}
	if err := insertRefusals(ctx, tx, fresh, streams); err != nil {
		return fmt.Errorf("insert refusals: %w", err)
	}
	changed, trades, err := refoldTrades(ctx, tx, streams)
	if err != nil {
		return fmt.Errorf("refold trades: %w", err)
	}
	curves, err := refoldCurves(ctx, tx, streams)
	if err != nil {
		return fmt.Errorf("refold curves: %w", err)
	}
	if err := park(ctx, tx, streams, append(trades, curves...)); err != nil {
		return err
	}
	if err := refoldPools(ctx, tx, changed); err != nil {
		return fmt.Errorf("refold pools: %w", err)
	}
	if err := insertInstruments(ctx, tx, changed); err != nil {
		return fmt.Errorf("insert instruments: %w", err)
	}
	return nil
}

// histories returns the streams of fresh events. Of a continued curve only the last earlier event
// is read, which states the currency of all.
func (p *Projection) histories(ctx context.Context, tx pgx.Tx, fresh []contract.Recorded) (
	map[string]readmodel.History, error) {
	continued, err := continuedCurves(ctx, tx, fresh)
	if err != nil {
		return nil, err
	}
	if err := p.readLast(ctx, tx, continued); err != nil {
		return nil, err
	}
	return readmodel.Histories(ctx, tx, p.codec, fresh, continued)
}

// readLast adds the last event of the model to histories that skip the events before it. The event
// stands in its slot, since no later one corrects it. So it may stand alone, as an own mark.
func (p *Projection) readLast(ctx context.Context, tx pgx.Tx,
	streams map[string]readmodel.History) error {
	names := sortedKeys(streams)
	var versions []int64
	for _, name := range names {
		versions = append(versions, streams[name].Next())
	}
	const last = "WHERE (stream, version) IN (SELECT * FROM unnest($1::text[], $2::bigint[]))"
	for e, err := range readmodel.Events(ctx, tx, p.codec, last, names, versions) {
		if err != nil {
			return err
		}
		e.Event.Corrects = uuid.Nil
		streams[e.Stream] = streams[e.Stream].With(e.Event)
	}
	return nil
}

// insertRefusals inserts the refusals among fresh events, whose bodies are in streams.
func insertRefusals(ctx context.Context, tx pgx.Tx, fresh []contract.Recorded,
	streams map[string]readmodel.History) error {
	var rows [][]any
	for _, r := range fresh {
		h := streams[r.Stream]
		e := h.Events[r.Version-h.Skipped-1]
		if refused, ok := e.Body.(trade.CommandRefused); ok {
			rows = append(rows, []any{
				r.Stream, r.Version, refused.CommandID, string(refused.Rule), refused.Detail,
				r.RecordedAt,
			})
		}
	}
	columns := []string{"stream", "version", "command_id", "rule", "detail", "recorded_at"}
	_, err := tx.CopyFrom(ctx, pgx.Identifier{"refusals"}, columns, pgx.CopyFromRows(rows))
	return err
}
