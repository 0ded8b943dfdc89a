package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/jackc/pgx/v5"

	"example.com/blotter/labs/kit/trade"
)

// spacing is the number of legs from one kept state of a pool to the next: a late leg costs at most so many folds more
// than there are legs behind it.
const spacing = 64

// A poolRow is a pool after so many of its legs, the last of which is LegKey.
type poolRow struct {
	trade.PoolKey
	trade.LegKey
	Legs  int64           `json:"legs"`
	State json.RawMessage `json:"state"` // of trade.Pool
}

// poolsAtOnce bounds the legs that are held in memory.
const poolsAtOnce = 500

// refoldPools folds the legs of each pool in changed again, from the last state kept before the leg named there.
func refoldPools(ctx context.Context, tx pgx.Tx, changed map[trade.PoolKey]trade.LegKey) error {
	for places := range slices.Chunk(placesOf(changed), poolsAtOnce) {
		if err := refoldFrom(ctx, tx, places); err != nil {
			return err
		}
	}
	return nil
}

func refoldFrom(ctx context.Context, tx pgx.Tx, places []poolRow) error {
	from, err := keptBefore(ctx, tx, places)
	if err != nil {
		return fmt.Errorf("find where to begin: %w", err)
	}
	legs, err := legsAfter(ctx, tx, from)
	if err != nil {
		return fmt.Errorf("read legs: %w", err)
	}
	var rows []poolRow
	var positions []positionRow
	for _, f := range from {
		folded, pool, err := refold(f, legs[f.PoolKey])
		if err != nil {
			return err
		}
		rows = append(rows, folded...)
		if len(folded) > 0 {
			positions = append(positions, positionRow{
				f.PoolKey, pool.Average.Quantity, pool.Average.Cost, pool.Average.Realised, pool.FIFO.Cost(), pool.FIFO.Realised,
			})
		}
	}
	if err := replacePools(ctx, tx, places, rows); err != nil {
		return err
	}
	return replacePositions(ctx, tx, places, positions)
}

// placesOf is changed as rows, in the order of pools.
func placesOf(changed map[trade.PoolKey]trade.LegKey) []poolRow {
	var places []poolRow
	for _, pool := range slices.SortedFunc(maps.Keys(changed), trade.PoolKey.Compare) {
		places = append(places, poolRow{PoolKey: pool, LegKey: changed[pool], State: json.RawMessage("{}")})
	}
	return places
}

// refold is the states to keep from the one at from on: every spacing legs, and behind the last leg. A pool that has no leg
// left keeps none, and so is no position any more. It gives the pool behind the last leg, too.
func refold(from poolRow, legs []trade.Leg) (kept []poolRow, pool trade.Pool, err error) {
	if err := json.Unmarshal(from.State, &pool); err != nil {
		return nil, pool, fmt.Errorf("state of pool %v after %d legs: %w", from.PoolKey, from.Legs, err)
	}
	at := from
	for i, l := range legs {
		pool.Apply(l)
		at.LegKey, at.Legs = l.Key, at.Legs+1
		if last := i == len(legs)-1; !last && at.Legs%spacing != 0 {
			continue
		}
		state, err := json.Marshal(pool)
		if err != nil {
			return nil, pool, err
		}
		at.State = state
		kept = append(kept, at)
	}
	if len(legs) == 0 && from.Legs > 0 {
		kept = append(kept, from) // the state kept is behind the last leg now
	}
	return kept, pool, nil
}

// keptBefore is, for each place, the last state kept before it: the empty pool before all legs if there is none.
func keptBefore(ctx context.Context, tx pgx.Tx, places []poolRow) ([]poolRow, error) {
	const query = `
SELECT c.book, c.instrument, c.currency, p.effective_at, p.stream, p.version, p.n, p.legs, p.state
FROM jsonb_to_recordset($1::jsonb) AS c(book text, instrument text, currency text,
                                        effective_at timestamptz, stream text, version bigint, n int)
CROSS JOIN LATERAL (
    SELECT * FROM pools p
    WHERE (p.book, p.instrument, p.currency) = (c.book, c.instrument, c.currency)
      AND (p.effective_at, p.stream, p.version, p.n) < (c.effective_at, c.stream, c.version, c.n)
    ORDER BY p.effective_at DESC, p.stream DESC, p.version DESC, p.n DESC
    LIMIT 1
) p`
	rows, err := tx.Query(ctx, query, places)
	if err != nil {
		return nil, err
	}
	kept, err := pgx.CollectRows(rows, scanPool)
	if err != nil {
		return nil, err
	}
	found := map[trade.PoolKey]poolRow{}
	for _, k := range kept {
		found[k.PoolKey] = k
	}
	from := make([]poolRow, len(places))
	for i, place := range places {
		from[i] = poolRow{PoolKey: place.PoolKey, State: json.RawMessage("{}")}
		if k, ok := found[place.PoolKey]; ok {
			from[i] = k
		}
	}
	return from, nil
}

func scanPool(row pgx.CollectableRow) (poolRow, error) {
	var p poolRow
	err := row.Scan(&p.Book, &p.Instrument, &p.Currency, &p.EffectiveAt, &p.Stream, &p.Version, &p.N, &p.Legs, &p.State)
	p.EffectiveAt = p.EffectiveAt.UTC()
	return p, err
}

// replacePools takes away what was kept at places or behind them, and what was kept only because it was the last, and puts
// rows there.
func replacePools(ctx context.Context, tx pgx.Tx, places, rows []poolRow) error {
	const remove = `
DELETE FROM pools p
USING jsonb_to_recordset($1::jsonb) AS c(book text, instrument text, currency text,
                                         effective_at timestamptz, stream text, version bigint, n int)
WHERE (p.book, p.instrument, p.currency) = (c.book, c.instrument, c.currency)
  AND ((p.effective_at, p.stream, p.version, p.n) >= (c.effective_at, c.stream, c.version, c.n) OR p.legs % $2 <> 0)`
	const insert = `
INSERT INTO pools (book, instrument, currency, legs, effective_at, stream, version, n, state)
SELECT book, instrument, currency, legs, effective_at, stream, version, n, state
FROM jsonb_to_recordset($1::jsonb) AS p(book text, instrument text, currency text, legs bigint,
     effective_at timestamptz, stream text, version bigint, n int, state jsonb)
ON CONFLICT DO NOTHING`
	if _, err := tx.Exec(ctx, remove, places, spacing); err != nil {
		return fmt.Errorf("remove states: %w", err)
	}
	if _, err := tx.Exec(ctx, insert, list(rows)); err != nil {
		return fmt.Errorf("insert states: %w", err)
	}
	return nil
}
