package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/jackc/pgx/v5"

	"example.com/blotter/labs/kit/trade"
	"example.com/blotter/solutions/3-projections/readmodel"
)

// spacing is the least number of legs between two saved states of a pool. A state has every open
// lot, so a pool of more lots has as many legs between two states: the states together are not
// larger than the legs. A late leg folds at most as many legs before it again, and all after it.
const spacing = 256

// A legID names a leg. LegKey, which also orders it, has times.
type legID struct {
	stream  string
	version int64
	n       int
}

func idOf(l trade.Leg) legID { return legID{l.Key.Stream, l.Key.Version, l.Key.N} }

// A poolChange is the legs of a pool that go and come.
type poolChange struct {
	first trade.LegKey // the earliest of them
	gone  map[legID]bool
	added []trade.Leg
}

// A savedPool is the state of a pool after its first legs. last is the last of them.
type savedPool struct {
	legs int64
	last trade.LegKey
	pool trade.Pool
}

// A ledger is a pool from a saved state on.
type ledger struct {
	base   savedPool
	legs   []trade.Leg // after base, in order
	saved  []savedPool // after base, in order
	pool   trade.Pool  // after the last leg, if it is folded
	folded bool
}

func (g *ledger) empty() bool { return g.base.legs == 0 && len(g.legs) == 0 }

// has reports whether the ledger has all legs from a key on.
func (g *ledger) has(first trade.LegKey) bool {
	return g.base.legs == 0 || g.base.last.Compare(first) < 0
}

// change folds the legs from c.first on again. It returns the states that it saved, and reports
// whether it dropped some.
func (g *ledger) change(c *poolChange) (saved []savedPool, dropped bool) {
	slices.SortFunc(c.added, func(a, b trade.Leg) int { return a.Key.Compare(b.Key) })
	if n := len(g.legs); g.folded && n > 0 && g.legs[n-1].Key.Compare(c.first) < 0 {
		return g.extend(c.added), false
	}
	keep := slices.IndexFunc(g.saved, func(s savedPool) bool {
		return s.last.Compare(c.first) >= 0
	})
	if dropped = keep >= 0; dropped {
		g.saved = g.saved[:keep]
	}
	from := g.lastSaved()
	at := int(from.legs - g.base.legs)
	tail := slices.DeleteFunc(slices.Clone(g.legs[at:]), func(l trade.Leg) bool {
		return c.gone[idOf(l)]
	})
	g.legs, g.pool, g.folded = g.legs[:at], from.pool.Clone(), true
	return g.extend(merged(tail, c.added)), dropped
}

func (g *ledger) lastSaved() savedPool {
	if n := len(g.saved); n > 0 {
		return g.saved[n-1]
	}
	return g.base
}

// extend takes legs that come after all others, and returns the states that it saved.
func (g *ledger) extend(legs []trade.Leg) []savedPool {
	before := len(g.saved)
	last := g.lastSaved().legs
	for _, l := range legs {
		g.legs = append(g.legs, l)
		g.pool.Apply(l)
		n := g.base.legs + int64(len(g.legs))
		if n-last >= int64(max(spacing, len(g.pool.FIFO.Lots))) {
			g.saved = append(g.saved, savedPool{n, l.Key, g.pool.Clone()})
			last = n
		}
	}
	return g.saved[before:]
}

// merged merges two ordered lists of legs.
func merged(a, b []trade.Leg) []trade.Leg {
	all := make([]trade.Leg, 0, len(a)+len(b))
	for len(a) > 0 && len(b) > 0 {
		from := &a
		if b[0].Key.Compare(a[0].Key) < 0 {
			from = &b
		}
		all = append(all, (*from)[0])
		*from = (*from)[1:]
	}
	return append(append(all, a...), b...)
}

// A poolRow is a saved state as a row. As a start of a refold, it has only its two keys.
type poolRow struct {
	trade.PoolKey
	trade.LegKey
	Legs  int64      `json:"legs"`
	State trade.Pool `json:"-"`
}

// poolsAtOnce bounds the legs that are held in memory.
const poolsAtOnce = 500

// refoldPools changes the pools of c, and reads those that f lacks from the last saved state before
// their first changed leg. The legs in the table are still those of before.
func (f *folding) refoldPools(ctx context.Context, tx pgx.Tx, c *changes) error {
	keys := slices.SortedFunc(maps.Keys(c.pools), trade.PoolKey.Compare)
	for some := range slices.Chunk(keys, poolsAtOnce) {
		read, err := f.readPools(ctx, tx, some, c.pools)
		if err != nil {
			return err
		}
		if err := f.changePools(ctx, tx, some, c.pools, read); err != nil {
			return err
		}
		if f.kept > mostKept {
			f.pools = map[trade.PoolKey]*ledger{}
		}
	}
	return nil
}

// readPools reads the pools that f lacks. It returns the places from which on they change.
func (f *folding) readPools(ctx context.Context, tx pgx.Tx, keys []trade.PoolKey,
	changed map[trade.PoolKey]*poolChange) ([]poolRow, error) {
	var starts []poolRow
	for _, key := range keys {
		if g := f.pools[key]; g == nil || !g.has(changed[key].first) {
			starts = append(starts, poolRow{PoolKey: key, LegKey: changed[key].first})
		}
	}
	if len(starts) == 0 {
		return nil, nil
	}
	saved, err := savedBefore(ctx, tx, starts)
	if err != nil {
		return nil, fmt.Errorf("read saved states: %w", err)
	}
	legs, err := legsAfter(ctx, tx, saved)
	if err != nil {
		return nil, fmt.Errorf("read legs: %w", err)
	}
	for _, from := range saved {
		base := savedPool{from.Legs, from.LegKey, from.State}
		f.pools[from.PoolKey] = &ledger{base: base, legs: legs[from.PoolKey]}
		f.kept += len(legs[from.PoolKey])
	}
	return starts, nil
}

// changePools changes pools, and replaces their saved states and their positions. The states of the
// pools in read are in the table only.
func (f *folding) changePools(ctx context.Context, tx pgx.Tx, keys []trade.PoolKey,
	changed map[trade.PoolKey]*poolChange, read []poolRow) error {
	stale, states := read, readmodel.NewRows("pools (book, instrument, currency, legs, "+
		"effective_at, entered_at, stream, version, n, state)")
	var positions []positionRow
	for _, key := range keys {
		g, c := f.pools[key], changed[key]
		f.kept += len(c.added)
		saved, dropped := g.change(c)
		if dropped {
			stale = append(stale, poolRow{PoolKey: key, LegKey: c.first})
		}
		for _, s := range saved {
			if err := addState(states, key, s); err != nil {
				return err
			}
		}
		if !g.empty() {
			positions = append(positions, positionOf(key, g.pool))
		}
	}
	if err := removeStates(ctx, tx, stale); err != nil {
		return err
	}
	if err := states.Copy(ctx, tx); err != nil {
		return err
	}
	return replacePositions(ctx, tx, keys, positions)
}

func addState(rows *readmodel.Rows, key trade.PoolKey, s savedPool) error {
	state, err := json.Marshal(s.pool)
	if err != nil {
		return fmt.Errorf("state of pool %v after %d legs: %w", key, s.legs, err)
	}
	rows.Add(key.Book, key.Instrument, string(key.Currency), s.legs, s.last.EffectiveAt,
		s.last.EnteredAt, s.last.Stream, s.last.Version, s.last.N, readmodel.JSON(state))
	return nil
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
		saved[i] = poolRow{PoolKey: start.PoolKey}
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

// removeStates deletes the saved states at the starts and after them.
func removeStates(ctx context.Context, tx pgx.Tx, starts []poolRow) error {
	const remove = `
DELETE FROM pools p
USING jsonb_to_recordset($1::jsonb) AS c(book text, instrument text, currency text,
      effective_at timestamptz, entered_at timestamptz, stream text, version bigint, n int)
WHERE (p.book, p.instrument, p.currency) = (c.book, c.instrument, c.currency)
  AND (p.effective_at, p.entered_at, p.stream, p.version, p.n)
      >= (c.effective_at, c.entered_at, c.stream, c.version, c.n)`
	if len(starts) == 0 {
		return nil
	}
	if _, err := tx.Exec(ctx, remove, starts); err != nil {
		return fmt.Errorf("remove saved states: %w", err)
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

// replacePositions replaces the positions of pools.
func replacePositions(ctx context.Context, tx pgx.Tx, keys []trade.PoolKey,
	rows []positionRow) error {
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
	if _, err := tx.Exec(ctx, remove, keys); err != nil {
		return fmt.Errorf("remove positions: %w", err)
	}
	if _, err := tx.Exec(ctx, insert, append([]positionRow{}, rows...)); err != nil {
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
