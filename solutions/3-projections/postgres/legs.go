package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"

	"example.com/blotter/labs/kit/trade"
)

// A legRow is a leg as one flat JSON object. Its decimals are strings there and numeric in the table: neither rounds.
type legRow struct {
	trade.PoolKey
	trade.LegKey
	Side     trade.Side    `json:"side"`
	Quantity trade.Decimal `json:"quantity"`
	Amount   trade.Decimal `json:"amount"`
}

func legRows(legs []trade.Leg) []legRow {
	rows := make([]legRow, len(legs))
	for i, l := range legs {
		rows[i] = legRow{l.Pool, l.Key, l.Side, l.Quantity, l.Amount}
	}
	return rows
}

const legColumns = `l.effective_at, l.stream, l.version, l.n, l.book, l.instrument, l.currency, l.side, l.quantity::text, l.amount::text`

// legsOf are the legs of streams, each in the order of keys.
func legsOf(ctx context.Context, tx pgx.Tx, streams []string) (map[string][]trade.Leg, error) {
	const query = "SELECT " + legColumns + " FROM legs l WHERE l.stream = ANY($1) ORDER BY l.effective_at, l.stream, l.version, l.n"
	legs, err := queryLegs(ctx, tx, query, streams)
	of := map[string][]trade.Leg{}
	for _, l := range legs {
		of[l.Key.Stream] = append(of[l.Key.Stream], l)
	}
	return of, err
}

// legsAfter are the legs of the pools of from that come after the leg named there, by pool and key.
func legsAfter(ctx context.Context, tx pgx.Tx, from []poolRow) (map[trade.PoolKey][]trade.Leg, error) {
	const query = `
SELECT ` + legColumns + `
FROM jsonb_to_recordset($1::jsonb) AS f(book text, instrument text, currency text,
                                        effective_at timestamptz, stream text, version bigint, n int)
JOIN legs l ON (l.book, l.instrument, l.currency) = (f.book, f.instrument, f.currency)
           AND (l.effective_at, l.stream, l.version, l.n) > (f.effective_at, f.stream, f.version, f.n)
ORDER BY l.effective_at, l.stream, l.version, l.n`
	legs, err := queryLegs(ctx, tx, query, from)
	of := map[trade.PoolKey][]trade.Leg{}
	for _, l := range legs {
		of[l.Pool] = append(of[l.Pool], l)
	}
	return of, err
}

func queryLegs(ctx context.Context, tx pgx.Tx, query string, arg any) ([]trade.Leg, error) {
	rows, err := tx.Query(ctx, query, arg)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, scanLeg)
}

func scanLeg(row pgx.CollectableRow) (trade.Leg, error) {
	var (
		l                trade.Leg
		quantity, amount string
	)
	err := row.Scan(&l.Key.EffectiveAt, &l.Key.Stream, &l.Key.Version, &l.Key.N,
		&l.Pool.Book, &l.Pool.Instrument, &l.Pool.Currency, &l.Side, &quantity, &amount)
	if err != nil {
		return l, err
	}
	l.Key.EffectiveAt = l.Key.EffectiveAt.UTC()
	if err := l.Quantity.UnmarshalText([]byte(quantity)); err != nil {
		return l, err
	}
	return l, l.Amount.UnmarshalText([]byte(amount))
}

// replaceLegs puts legs in the place of all that streams had.
func replaceLegs(ctx context.Context, tx pgx.Tx, streams []string, legs []legRow) error {
	const insert = `
INSERT INTO legs (effective_at, stream, version, n, book, instrument, currency, side, quantity, amount)
SELECT effective_at, stream, version, n, book, instrument, currency, side, quantity, amount
FROM jsonb_to_recordset($1::jsonb) AS l(effective_at timestamptz, stream text, version bigint, n int,
     book text, instrument text, currency text, side text, quantity numeric, amount numeric)`
	if _, err := tx.Exec(ctx, "DELETE FROM legs WHERE stream = ANY($1)", streams); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, insert, list(legs))
	return err
}
