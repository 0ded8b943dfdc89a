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

// spacing is the number of legs between two saved states of a pool. A late leg folds at most this
// many legs before it again, and all legs after it.
const spacing = 64

// A poolRow is the state of a pool after its first Legs legs. LegKey is the last of these legs. As
// a start of a refold, a poolRow has only its two keys.
type poolRow struct {
	trade.PoolKey
	trade.LegKey
	Legs  int64           `json:"legs"`
	State json.RawMessage `json:"state"` // of trade.Pool
}

var emptyPool = json.RawMessage("{}")

// poolsAtOnce bounds the legs that are held in memory.
const poolsAtOnce = 500

// refoldPools folds the legs of each pool again, from the last saved state before its first changed
// leg.
func refoldPools(ctx context.Context, tx pgx.Tx, changed firstLegs) error {
	var starts []poolRow
	for _, pool := range slices.SortedFunc(maps.Keys(changed), trade.PoolKey.Compare) {
		starts = append(starts, poolRow{PoolKey: pool, LegKey: changed[pool], State: emptyPool})
	}
	for some := range slices.Chunk(starts, poolsAtOnce) {
		if err := refoldFrom(ctx, tx, some); err != nil {
			return err
		}
	}
	return nil
}

func refoldFrom(ctx context.Context, tx pgx.Tx, starts []poolRow) error {
	saved, err := savedBefore(ctx, tx, starts)
	if err != nil {
		return fmt.Errorf("read saved states: %w", err)
	}
	legs, err := legsAfter(ctx, tx, saved)
	if err != nil {
		return fmt.Errorf("read legs: %w", err)
	}
	var rows []poolRow
	var positions []positionRow
	for _, from := range saved {
		states, pool, err := refold(from, legs[from.PoolKey])
		if err != nil {
			return err
		}
		rows = append(rows, states...)
		if len(states) > 0 {
			positions = append(positions, positionOf(from.PoolKey, pool))
		}
	}
	if err := replacePools(ctx, tx, starts, rows); err != nil {
		return err
	}
	return replacePositions(ctx, tx, starts, positions)
}

// refold returns the states to save from a state on: one every spacing legs, and one after the last
// leg. It also returns the pool after the last leg. A pool without legs has no state to save, and
// is no position any more.
func refold(from poolRow, legs []trade.Leg) (states []poolRow, pool trade.Pool, err error) {
	if err := json.Unmarshal(from.State, &pool); err != nil {
		return nil, pool, fmt.Errorf("state of pool %v after %d legs: %w",
			from.PoolKey, from.Legs, err)
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
		states = append(states, at)
	}
	if len(legs) == 0 && from.Legs > 0 {
		states = append(states, from) // the saved state is the one after the last leg now
	}
	return states, pool, nil
}

// savedBefore returns for each start the last saved state before it, or the empty pool if there is
// none.
func savedBefore(ctx context.Context, tx pgx.Tx, starts []poolRow) ([]poolRow, error) {
	const query = `
SELECT c.book, c.instrument, c.currency, p.effective_at, p.entered_at, p.stream, p.version, p.n,
       p.legs, p.state
FROM jsonb_to_recordset($1::jsonb) AS c(book text, instrument text, currency text,
     effective_at timestamptz, entered_at timestamptz, stream text, version bigint, n int)
CROSS JOIN LATERAL (
    SELECT * FROM pools p
    WHERE (p.book, p.instrument, p.currency) = (c.book, c.instrument, c.currency)
      AND (p.effective_at, p.entered_at, p.stream, p.version, p.n)
          < (c.effective_at, c.entered_at, c.stream, c.version, c.n)
    ORDER BY p.effective_at DESC, p.entered_at DESC, p.stream DESC, p.version DESC, p.n DESC
    LIMIT 1
) p`
	rows, err := tx.Query(ctx, query, starts)
	if err != nil {
		return nil, err
	}
	found, err := pgx.CollectRows(rows, scanPool)
	if err != nil {
		return nil, err
	}
	byPool := map[trade.PoolKey]poolRow{}
	for _, row := range found {
		byPool[row.PoolKey] = row
	}
	saved := make([]poolRow, len(starts))
	for i, start := range starts {
		saved[i] = poolRow{PoolKey: start.PoolKey, State: emptyPool}
		if row, ok := byPool[start.PoolKey]; ok {
			saved[i] = row
		}
	}
	return saved, nil
}

func scanPool(row pgx.CollectableRow) (p poolRow, err error) {
	err = row.Scan(&p.Book, &p.Instrument, &p.Currency,
		&p.EffectiveAt, &p.EnteredAt, &p.Stream, &p.Version, &p.N, &p.Legs, &p.State)
	p.EffectiveAt, p.EnteredAt = p.EffectiveAt.UTC(), p.EnteredAt.UTC()
	return p, err
}

// replacePools deletes the saved states at the starts and after them, and those that were saved
// only as the last state of their pool. It inserts rows.
func replacePools(ctx context.Context, tx pgx.Tx, starts, rows []poolRow) error {
	const remove = `
DELETE FROM pools p
USING jsonb_to_recordset($1::jsonb) AS c(book text, instrument text, currency text,
      effective_at timestamptz, entered_at timestamptz, stream text, version bigint, n int)
WHERE (p.book, p.instrument, p.currency) = (c.book, c.instrument, c.currency)
  AND ((p.effective_at, p.entered_at, p.stream, p.version, p.n)
           >= (c.effective_at, c.entered_at, c.stream, c.version, c.n)
       OR p.legs % $2 <> 0)`
	const insert = `
INSERT INTO pools (book, instrument, currency, legs,
                   effective_at, entered_at, stream, version, n, state)
SELECT book, instrument, currency, legs, effective_at, entered_at, stream, version, n, state
FROM jsonb_to_recordset($1::jsonb) AS p(book text, instrument text, currency text, legs bigint,
     effective_at timestamptz, entered_at timestamptz, stream text, version bigint, n int,
     state jsonb)
ON CONFLICT DO NOTHING`
	if _, err := tx.Exec(ctx, remove, starts, spacing); err != nil {
		return fmt.Errorf("remove states: %w", err)
	}
	if _, err := tx.Exec(ctx, insert, notNull(rows)); err != nil {
		return fmt.Errorf("insert states: %w", err)
	}
	return nil
}

// A positionRow is the result of a pool after its last leg.
type positionRow struct {
	trade.PoolKey
	Quantity        trade.Decimal `json:"quantity"`
	AverageCost     trade.Decimal `json:"average_cost"`
	AverageRealised trade.Decimal `json:"average_realised"`
	FIFOCost        trade.Decimal `json:"fifo_cost"`
	FIFORealised    trade.Decimal `json:"fifo_realised"`
	Places          int32         `json:"places"`
}

func positionOf(key trade.PoolKey, pool trade.Pool) positionRow {
	average, fifo := pool.Average, pool.FIFO
	return positionRow{
		key, average.Quantity, average.Cost, average.Realised, fifo.Cost(), fifo.Realised,
		key.Currency.Places(),
	}
}

// replacePositions replaces the positions of the pools of starts.
func replacePositions(ctx context.Context, tx pgx.Tx, starts []poolRow, rows []positionRow) error {
	const remove = `
DELETE FROM positions p
USING jsonb_to_recordset($1::jsonb) AS c(book text, instrument text, currency text)
WHERE (p.book, p.instrument, p.currency) = (c.book, c.instrument, c.currency)`
	const insert = `
INSERT INTO positions
SELECT *
FROM jsonb_to_recordset($1::jsonb) AS p(book text, instrument text, currency text, quantity numeric,
     average_cost numeric, average_realised numeric, fifo_cost numeric, fifo_realised numeric,
     places int)`
	if _, err := tx.Exec(ctx, remove, starts); err != nil {
		return fmt.Errorf("remove positions: %w", err)
	}
	if _, err := tx.Exec(ctx, insert, notNull(rows)); err != nil {
		return fmt.Errorf("insert positions: %w", err)
	}
	return nil
}

const selectPositions = `
SELECT book, instrument, currency, quantity::text,
       average_cost::text, average_realised::text, fifo_cost::text, fifo_realised::text
FROM positions ORDER BY book, instrument, currency`

// scanPosition returns a pool with one lot in place of all open lots. A position needs only their
// total cost.
func scanPosition(row pgx.CollectableRow) (key trade.PoolKey, pool trade.Pool, err error) {
	pool.FIFO.Lots = make([]trade.Lot, 1)
	average, fifo := &pool.Average, &pool.FIFO
	into := []*trade.Decimal{
		&average.Quantity, &average.Cost, &average.Realised, &fifo.Lots[0].Cost, &fifo.Realised,
	}
	var texts [5]string
	err = row.Scan(&key.Book, &key.Instrument, &key.Currency,
		&texts[0], &texts[1], &texts[2], &texts[3], &texts[4])
	for i, d := range into {
		if err == nil {
			err = d.UnmarshalText([]byte(texts[i]))
		}
	}
	return key, pool, err
}
