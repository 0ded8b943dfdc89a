package postgres

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"example.com/blotter/labs/kit/trade"
	"example.com/blotter/solutions/3-projections/readmodel"
)

// A tradeRow is a row of trades, which is sent to Postgres as JSON.
type tradeRow struct {
	UTI   string      `json:"uti"`
	State trade.Trade `json:"state"`
	Terms trade.New   `json:"terms"`

	Flows []trade.Flow `json:"flows"`
}

// refoldTrades folds each trade among streams from its first event. It replaces the trade's row,
// and its legs if they changed. It returns the first changed leg of each pool (L3.I4), and the
// parked streams.
func refoldTrades(ctx context.Context, tx pgx.Tx, streams map[string]readmodel.History) (
	firstLegs, []trade.Parked, error) {
	before, err := legsOf(ctx, tx, sortedKeys(streams))
	if err != nil {
		return nil, nil, err
	}
	changed := firstLegs{}
	var (
		rows    []tradeRow
		gone    []string // contracts that have not begun: their first event is illegal or skipped
		renewed []string // streams whose legs changed
		legs    []legRow
		parked  []trade.Parked
	)
	for _, stream := range sortedKeys(streams) {
		uti, ok := strings.CutPrefix(stream, trade.TradeStream(""))
		if !ok {
			continue
		}
		t, illegal := trade.Fold(uti, streams[stream].Events, trade.AsOf{})
		if illegal != nil {
			parked = append(parked, *illegal)
		}
		if t.Status != "" {
			rows = append(rows, tradeRow{uti, t, t.Terms, notNull(t.Flows)})
		} else {
			gone = append(gone, uti)
		}
		if moved := trade.Changed(before[stream], t.Legs); len(moved) > 0 {
			renewed, legs = append(renewed, stream), append(legs, legRows(t.Legs)...)
			changed.add(moved)
		}
	}
	if _, err := tx.Exec(ctx, "DELETE FROM trades WHERE uti = ANY($1)", gone); err != nil {
		return nil, nil, err
	}
	if err := upsertTrades(ctx, tx, rows); err != nil {
		return nil, nil, err
	}
	return changed, parked, replaceLegs(ctx, tx, renewed, legs)
}

func upsertTrades(ctx context.Context, tx pgx.Tx, rows []tradeRow) error {
	const upsert = `
INSERT INTO trades (uti, state, terms, flows)
SELECT uti, state, terms, flows
FROM jsonb_to_recordset($1::jsonb) AS t(uti text, state jsonb, terms jsonb, flows jsonb)
ON CONFLICT (uti) DO UPDATE SET state = excluded.state, terms = excluded.terms,
    flows = excluded.flows`
	_, err := tx.Exec(ctx, upsert, notNull(rows))
	return err
}

// A legRow is a leg as one flat JSON object. Its decimals are strings in JSON and numeric in the
// table; neither form rounds.
type legRow struct {
	trade.PoolKey
	trade.LegKey
	Side     trade.Side    `json:"side"`
	Quantity trade.Decimal `json:"quantity"`
	Amount   trade.Decimal `json:"amount"`
	Exit     bool          `json:"is_exit"`
	OwnCost  trade.Decimal `json:"own_cost"`
}

func legRows(legs []trade.Leg) []legRow {
	rows := make([]legRow, len(legs))
	for i, l := range legs {
		rows[i] = legRow{l.Pool, l.Key, l.Side, l.Quantity, l.Amount, l.Exit, l.OwnCost}
	}
	return rows
}

const legColumns = `l.effective_at, l.entered_at, l.stream, l.version, l.n,
       l.book, l.instrument, l.currency,
       l.side, l.quantity::text, l.amount::text, l.is_exit, l.own_cost::text`

// legsOf returns the legs of streams, those of each stream in the order of their keys.
func legsOf(ctx context.Context, tx pgx.Tx, streams []string) (map[string][]trade.Leg, error) {
	const query = `
SELECT ` + legColumns + `
FROM legs l WHERE l.stream = ANY($1)
ORDER BY l.effective_at, l.entered_at, l.stream, l.version, l.n`
	legs, err := queryLegs(ctx, tx, query, streams)
	byStream := map[string][]trade.Leg{}
	for _, l := range legs {
		byStream[l.Key.Stream] = append(byStream[l.Key.Stream], l)
	}
	return byStream, err
}

// legsAfter returns the legs after each saved state, by pool, in the order of their keys.
func legsAfter(ctx context.Context, tx pgx.Tx, saved []poolRow) (
	map[trade.PoolKey][]trade.Leg, error) {
	const query = `
SELECT ` + legColumns + `
FROM jsonb_to_recordset($1::jsonb) AS f(book text, instrument text, currency text,
     effective_at timestamptz, entered_at timestamptz, stream text, version bigint, n int)
JOIN legs l ON (l.book, l.instrument, l.currency) = (f.book, f.instrument, f.currency)
     AND (l.effective_at, l.entered_at, l.stream, l.version, l.n)
         > (f.effective_at, f.entered_at, f.stream, f.version, f.n)
ORDER BY l.effective_at, l.entered_at, l.stream, l.version, l.n`
	legs, err := queryLegs(ctx, tx, query, saved)
	byPool := map[trade.PoolKey][]trade.Leg{}
	for _, l := range legs {
		byPool[l.Pool] = append(byPool[l.Pool], l)
	}
	return byPool, err
}

func queryLegs(ctx context.Context, tx pgx.Tx, query string, arg any) ([]trade.Leg, error) {
	rows, err := tx.Query(ctx, query, arg)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, scanLeg)
}

func scanLeg(row pgx.CollectableRow) (l trade.Leg, err error) {
	var quantity, amount, ownCost string
	err = row.Scan(&l.Key.EffectiveAt, &l.Key.EnteredAt, &l.Key.Stream, &l.Key.Version, &l.Key.N,
		&l.Pool.Book, &l.Pool.Instrument, &l.Pool.Currency, &l.Side, &quantity, &amount,
		&l.Exit, &ownCost)
	if err != nil {
		return l, err
	}
	l.Key.EffectiveAt, l.Key.EnteredAt = l.Key.EffectiveAt.UTC(), l.Key.EnteredAt.UTC()
	return l, errors.Join(
		l.Quantity.UnmarshalText([]byte(quantity)),
		l.Amount.UnmarshalText([]byte(amount)),
		l.OwnCost.UnmarshalText([]byte(ownCost)))
}

// replaceLegs replaces all legs of streams.
func replaceLegs(ctx context.Context, tx pgx.Tx, streams []string, legs []legRow) error {
	const insert = `
INSERT INTO legs (effective_at, entered_at, stream, version, n,
                  book, instrument, currency, side, quantity, amount, is_exit, own_cost)
SELECT effective_at, entered_at, stream, version, n,
       book, instrument, currency, side, quantity, amount, is_exit, own_cost
FROM jsonb_to_recordset($1::jsonb) AS l(
     effective_at timestamptz, entered_at timestamptz, stream text, version bigint, n int,
     book text, instrument text, currency text, side text, quantity numeric, amount numeric,
     is_exit boolean, own_cost numeric)`
	if _, err := tx.Exec(ctx, "DELETE FROM legs WHERE stream = ANY($1)", streams); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, insert, notNull(legs))
	return err
}

// sortedKeys makes a batch run the same statements each time.
func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// notNull returns rows as a slice that is not nil. For jsonb_to_recordset a nil slice would be
// null, which is no set.
func notNull[R any](rows []R) []R { return append([]R{}, rows...) }
