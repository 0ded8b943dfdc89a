package postgres

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"

	"example.com/blotter/labs/kit/trade"
)

const legColumns = `l.effective_at, l.entered_at, l.stream, l.version, l.n,
       l.book, l.instrument, l.currency,
       l.side, l.quantity::text, l.amount::text, l.is_exit, l.own_cost::text`

// legsOf returns the legs of streams, those of each stream in the order of their keys.
func legsOf(ctx context.Context, tx pgx.Tx, streams []string) (map[string][]trade.Leg, error) {
	const query = `
SELECT ` + legColumns + `
FROM legs l WHERE l.stream = ANY($1)
ORDER BY l.effective_at, l.entered_at, l.stream, l.version, l.n`
	if len(streams) == 0 {
		return nil, nil
	}
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
