package postgres

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"example.com/blotter/labs/kit/trade"
	"example.com/blotter/solutions/3-projections/readmodel"
)

// park replaces the illegal events of streams: those that park them, and those that are skipped.
func park(ctx context.Context, tx pgx.Tx, streams map[string]readmodel.History,
	parked []trade.Parked) error {
	var rows []any
	for _, p := range parked {
		rows = append(rows, p)
	}
	for _, stream := range sortedKeys(streams) {
		if trade.Folds(stream) {
			for _, s := range trade.Skips(stream, streams[stream].Events) {
				rows = append(rows, s)
			}
		}
	}
	const remove = "DELETE FROM parked WHERE stream = ANY($1)"
	if _, err := tx.Exec(ctx, remove, sortedKeys(streams)); err != nil {
		return fmt.Errorf("park streams: %w", err)
	}
	const insert = `
INSERT INTO parked (stream, version, event, actor, rule, detail, book, skipped_by)
SELECT stream, version, event, actor, rule, coalesce(detail, ''), coalesce(book, ''), skipped_by
FROM jsonb_to_recordset($1::jsonb) AS p(stream text, version bigint, event uuid, actor text,
                                        rule text, detail text, book text, skipped_by uuid)`
	if _, err := tx.Exec(ctx, insert, notNull(rows)); err != nil {
		return fmt.Errorf("park streams: %w", err)
	}
	return nil
}

// readParked reads the parked streams and the skipped events into s, sorted.
func readParked(ctx context.Context, tx pgx.Tx, s *trade.State) error {
	const query = `
SELECT stream, version, event, actor, rule, detail, book, skipped_by
FROM parked ORDER BY stream, version`
	rows, err := tx.Query(ctx, query)
	if err != nil {
		return fmt.Errorf("read parked streams: %w", err)
	}
	var p trade.Parked
	var by *uuid.UUID
	columns := []any{&p.Stream, &p.Version, &p.Event, &p.Actor, &p.Rule, &p.Detail, &p.Book, &by}
	_, err = pgx.ForEachRow(rows, columns, func() error {
		if by == nil {
			s.Parked = append(s.Parked, p)
		} else {
			s.Skipped = append(s.Skipped, trade.Skipped{
				Stream: p.Stream, Version: p.Version, Event: p.Event, Actor: p.Actor,
				Rule: p.Rule, By: *by,
			})
		}
		return nil
	})
	return err
}
