package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"example.com/blotter/labs/kit/trade"
)

// A positionRow is what a pool comes to behind its last leg.
type positionRow struct {
	trade.PoolKey
	Quantity        trade.Decimal `json:"quantity"`
	AverageCost     trade.Decimal `json:"average_cost"`
	AverageRealised trade.Decimal `json:"average_realised"`
	FIFOCost        trade.Decimal `json:"fifo_cost"`
	FIFORealised    trade.Decimal `json:"fifo_realised"`
}

// replacePositions puts rows in the place of what the pools of places came to.
func replacePositions(ctx context.Context, tx pgx.Tx, places []poolRow, rows []positionRow) error {
	const remove = `
DELETE FROM positions p
USING jsonb_to_recordset($1::jsonb) AS c(book text, instrument text, currency text)
WHERE (p.book, p.instrument, p.currency) = (c.book, c.instrument, c.currency)`
	const insert = `
INSERT INTO positions
SELECT * FROM jsonb_to_recordset($1::jsonb) AS p(book text, instrument text, currency text, quantity numeric,
     average_cost numeric, average_realised numeric, fifo_cost numeric, fifo_realised numeric)`
	if _, err := tx.Exec(ctx, remove, places); err != nil {
		return fmt.Errorf("remove positions: %w", err)
	}
	if _, err := tx.Exec(ctx, insert, list(rows)); err != nil {
		return fmt.Errorf("insert positions: %w", err)
	}
	return nil
}

const selectPositions = `
SELECT book, instrument, currency, quantity::text, average_cost::text, average_realised::text, fifo_cost::text, fifo_realised::text
FROM positions ORDER BY book, instrument, currency`

// scanPosition gives a pool with one lot for all that are open: what they cost together is what a position is about.
func scanPosition(row pgx.CollectableRow) (key trade.PoolKey, pool trade.Pool, err error) {
	pool.FIFO.Lots = make([]trade.Lot, 1)
	into := []*trade.Decimal{
		&pool.Average.Quantity, &pool.Average.Cost, &pool.Average.Realised, &pool.FIFO.Lots[0].Cost, &pool.FIFO.Realised,
	}
	var texts [5]string
	err = row.Scan(&key.Book, &key.Instrument, &key.Currency, &texts[0], &texts[1], &texts[2], &texts[3], &texts[4])
	for i, d := range into {
		if err == nil {
			err = d.UnmarshalText([]byte(texts[i]))
		}
	}
	return key, pool, err
}
