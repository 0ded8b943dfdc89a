// Package confirmations is a read model for the confirmations of contracts.
//
//	confirmations  the terms to confirm of a contract  ◀─ refolded for each event of the contract
//	               the reports about them              ◀─ refolded for each of their events
//
// The model has no status: whether a confirmation is late depends on the time of the question. See
// trade.Confirmation.
package confirmations

import (
	"context"
	_ "embed"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
	"example.com/blotter/solutions/3-projections/readmodel"
)

//go:embed tables.sql
var tables string

// A Model is the read model. It keeps nothing in memory.
type Model struct {
	*readmodel.Model
	codec contract.Codec
}

// OpenAs opens the model in a schema: see readmodel.OpenAs.
func OpenAs(ctx context.Context, app, owner, schema string, codec contract.Codec) (*Model, error) {
	kind := readmodel.Kind{
		Tables: tables, Readers: []string{"auditor"}, Split: true,
		Takes: func(stream string) bool { return isTrade(stream) || isConfirmation(stream) },
	}
	kind.Fold = readmodel.Stateless(func(ctx context.Context, tx pgx.Tx,
		fresh []contract.Recorded) error {
		streams, err := readmodel.Histories(ctx, tx, codec, fresh, nil)
		if err != nil {
			return err
		}
		if err := put(ctx, tx, streams); err != nil {
			return fmt.Errorf("put confirmations: %w", err)
		}
		return nil
	})
	m, err := readmodel.OpenAs(ctx, app, owner, schema, kind)
	return &Model{m, codec}, err
}

func isTrade(stream string) bool { return strings.HasPrefix(stream, trade.TradeStream("")) }

func isConfirmation(stream string) bool {
	return strings.HasPrefix(stream, trade.ConfirmationStream(""))
}

// utiOf returns the contract of a stream that the model takes.
func utiOf(stream string) string {
	return strings.TrimPrefix(trade.Subject(stream), trade.TradeStream(""))
}

func put(ctx context.Context, tx pgx.Tx, streams map[string]readmodel.History) error {
	const putTerms = `
INSERT INTO confirmations (uti, terms) SELECT c->>'uti', c FROM jsonb_array_elements($1::jsonb) c
ON CONFLICT (uti) DO UPDATE SET terms = excluded.terms`
	const putReported = `
INSERT INTO confirmations (uti, reported) SELECT key, value FROM jsonb_each($1::jsonb)
ON CONFLICT (uti) DO UPDATE SET reported = excluded.reported`
	terms, reported := []trade.ToConfirm{}, map[string]trade.Reported{}
	for _, stream := range slices.Sorted(maps.Keys(streams)) {
		uti, events := utiOf(stream), streams[stream].Events
		if isTrade(stream) {
			terms = append(terms, trade.ToConfirmOf(uti, events, time.Time{}))
		} else {
			reported[uti] = trade.ReportedOf(uti, events, time.Time{})
		}
	}
	if _, err := tx.Exec(ctx, putTerms, terms); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, putReported, reported)
	return err
}

// A Query selects confirmations. A field that is empty does not limit.
type Query struct {
	Book, Counterparty string
	Known              time.Time // the events recorded by then; zero for all events of the model
}

// An Answer has the confirmations that are needed, by UTI, and the cursor of the model.
type Answer struct {
	Cursor contract.Cursor
	Found  []trade.Confirmation
}

// Confirmations returns the confirmations that a query selects. The model keeps the answer for all
// its events. As known at a time, they are folded again.
func (m *Model) Confirmations(ctx context.Context, q Query) (a Answer, err error) {
	err = m.Read(ctx, func(tx pgx.Tx) error {
		if a.Cursor, err = readmodel.CursorOf(ctx, tx); err != nil {
			return err
		}
		if q.Known.IsZero() {
			a.Found, err = kept(ctx, tx)
		} else {
			a.Found, err = m.folded(ctx, tx, q.Known)
		}
		return err
	})
	if err != nil {
		return a, fmt.Errorf("read confirmations: %w", err)
	}
	a.Found = slices.DeleteFunc(a.Found, func(c trade.Confirmation) bool {
		return !c.Needed() || q.Book != "" && q.Book != c.Book ||
			q.Counterparty != "" && q.Counterparty != c.Counterparty
	})
	return a, nil
}

func kept(ctx context.Context, tx pgx.Tx) ([]trade.Confirmation, error) {
	const query = `
SELECT terms, coalesce(reported, '{"reports": []}')
FROM confirmations WHERE terms IS NOT NULL ORDER BY uti`
	rows, err := tx.Query(ctx, query)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (c trade.Confirmation, err error) {
		return c, row.Scan(&c.ToConfirm, &c.Reported)
	})
}

// folded folds the events of the model that were recorded by a time.
func (m *Model) folded(ctx context.Context, tx pgx.Tx, known time.Time) (
	all []trade.Confirmation, err error) {
	streams := map[string][]trade.Event{}
	for e, err := range readmodel.Events(ctx, tx, m.codec, "WHERE recorded_at <= $1", known) {
		if err != nil {
			return nil, err
		}
		streams[e.Stream] = append(streams[e.Stream], e.Event)
	}
	for _, stream := range slices.Sorted(maps.Keys(streams)) {
		if uti := utiOf(stream); isTrade(stream) {
			all = append(all, trade.Confirmation{
				ToConfirm: trade.ToConfirmOf(uti, streams[stream], known),
				Reported: trade.ReportedOf(uti, streams[trade.ConfirmationStream(uti)],
					known),
			})
		}
	}
	return all, nil
}
