package postgres

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"example.com/blotter/labs/kit/trade"
)

// setEventsAside replaces the illegal events of a stream: the one that parks it, and those that are
// skipped.
func (c *changes) setEventsAside(name string, s *stream) {
	if s.setAside {
		c.setAside = append(c.setAside, name)
	}
	p, skipped := s.Parked(), s.Skipped()
	if s.setAside = p != nil || len(skipped) > 0; p != nil {
		c.park(*p)
	}
	for _, e := range skipped {
		c.parked.Add(e.Stream, e.Version, e.Event, e.Actor, string(e.Rule), "", "", e.By)
	}
}

func (c *changes) park(p trade.Parked) {
	c.parked.Add(p.Stream, p.Version, p.Event, p.Actor, string(p.Rule), p.Detail, p.Book, nil)
}

// CountParked returns the number of parked streams.
func (p *Projection) CountParked(ctx context.Context) (n int64, err error) {
	err = p.Read(ctx, func(tx pgx.Tx) error {
		return tx.QueryRow(ctx,
			"SELECT count(DISTINCT stream) FROM parked WHERE skipped_by IS NULL").Scan(&n)
	})
	return n, err
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
