package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"example.com/blotter/labs/kit/trade"
)

// park inserts the streams that became parked. A parked stream stays so by its first illegal event.
func park(ctx context.Context, tx pgx.Tx, parked []trade.Parked) error {
	const insert = `
INSERT INTO parked (stream, version, event, actor, rule, detail, book)
SELECT stream, version, event, actor, rule, detail, book
FROM jsonb_to_recordset($1::jsonb) AS p(stream text, version bigint, event uuid, actor text,
                                        rule text, detail text, book text)
ON CONFLICT (stream) DO NOTHING`
	if _, err := tx.Exec(ctx, insert, notNull(parked)); err != nil {
		return fmt.Errorf("park streams: %w", err)
	}
	return nil
}

// readParked returns the parked streams, sorted.
func readParked(ctx context.Context, tx pgx.Tx) ([]trade.Parked, error) {
	const query = `
SELECT stream, version, event, actor, rule, detail, book FROM parked ORDER BY stream`
	rows, err := tx.Query(ctx, query)
	if err != nil {
		return nil, fmt.Errorf("read parked streams: %w", err)
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[trade.Parked])
}
