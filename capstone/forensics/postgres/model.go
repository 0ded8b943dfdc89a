// Package postgres is the index of forensics in Postgres: a read model with a table for each kind
// of question (see tables.sql). No question reads the log or all of a table.
package postgres

import (
	"context"
	_ "embed"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"example.com/blotter/capstone/forensics"
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
		Tables: tables, Readers: []string{"auditor", "compliance"}, Split: true,
	}
	kind.Fold = readmodel.Stateless(func(ctx context.Context, tx pgx.Tx,
		fresh []contract.Recorded) error {
		return fold(ctx, tx, codec, fresh)
	})
	m, err := readmodel.OpenAs(ctx, app, owner, schema, kind)
	return &Model{m, codec}, err
}

// fold adds the rows of fresh events.
func fold(ctx context.Context, tx pgx.Tx, codec contract.Codec, fresh []contract.Recorded) error {
	streams := map[string][]forensics.Entry{}
	var contracts []contract.Recorded
	for _, r := range fresh {
		if isTrade(r.Stream) {
			contracts = append(contracts, r)
		}
		body, err := bodyOf(ctx, codec, r)
		if err != nil {
			return err
		}
		streams[r.Stream] = append(streams[r.Stream], forensics.Entry{Recorded: r, Body: body})
	}
	histories, err := readmodel.Histories(ctx, tx, codec, contracts, nil)
	if err != nil {
		return err
	}
	w := newWriter()
	for _, stream := range slices.Sorted(maps.Keys(streams)) {
		entries, earlier := streams[stream], histories[stream].Events
		if isTrade(stream) {
			earlier = earlier[:len(earlier)-len(entries)]
		}
		for _, row := range forensics.RowsOf(stream, earlier, entries) {
			w.add(row)
		}
	}
	return w.write(ctx, tx)
}

func isTrade(stream string) bool { return strings.HasPrefix(stream, trade.TradeStream("")) }

// bodyOf decodes an event of the domain of trades. The body of any other event is nil.
func bodyOf(ctx context.Context, codec contract.Codec, r contract.Recorded) (trade.Body, error) {
	if _, known := trade.KindOfType(r.Type); !known {
		return nil, nil
	}
	e, err := contract.Decoded(ctx, codec, r)
	return e.Body, err
}

// A writer collects the rows of a batch.
type writer struct {
	facts, touches, hours, changes, links, deals *readmodel.Rows
	begun, cancelled                             []uuid.UUID // the events with deals
}

func newWriter() *writer {
	return &writer{
		facts: readmodel.NewRows("facts (id, stream, version, type, effective_at, entered_at, " +
			"recorded_at, actor, approver, submitted_by, reason, command_id, source, corrects, " +
			"correlation, causation, backdating, delay, closed, breach)"),
		touches: readmodel.NewRows(
			"touches (principal, recorded_at, stream, version, id, effective_at, roles)"),
		hours: readmodel.NewRows(
			"odd_hours (city, entered_at, stream, version, actor, recorded_at, " +
				"effective_at, id)"),
		changes: readmodel.NewRows("changes (stream, field, version, value)"),
		links:   readmodel.NewRows("links (id, from_uti, to_uti)"),
		deals: readmodel.NewRows("deals (id, cancelled, recorded_at, uti, book, instrument, " +
			"side, counterparty, quantity, price)"),
	}
}

func (w *writer) add(r forensics.Row) {
	w.facts.Add(r.ID, r.Stream, r.Version, r.Type, r.EffectiveAt, r.EnteredAt, r.RecordedAt,
		r.Actor, r.Approver, r.SubmittedBy, r.Reason, r.CommandID, r.Source, r.Corrects,
		r.Correlation, r.Causation, r.Backdating().Microseconds(), r.Delay().Microseconds(),
		string(r.Closed), string(r.Breach))
	touches := r.Touches()
	for _, principal := range slices.Sorted(maps.Keys(touches)) {
		w.touches.Add(principal, r.RecordedAt, r.Stream, r.Version, r.ID, r.EffectiveAt,
			touches[principal])
	}
	for _, c := range cities {
		if forensics.IsOutOfHours(r.EnteredAt, c.location) {
			w.hours.Add(c.name, r.EnteredAt, r.Stream, r.Version, r.Actor, r.RecordedAt,
				r.EffectiveAt, r.ID)
		}
	}
	for _, c := range r.Changes {
		w.changes.Add(r.Stream, c.Field, r.Version, c.Value)
	}
	for _, l := range r.Links {
		w.links.Add(r.ID, l.FromUTI, l.ToUTI)
	}
	w.addDeal(r, r.Cancelled, true)
	w.addDeal(r, r.Booked, false)
}

func (w *writer) addDeal(r forensics.Row, d *forensics.Deal, cancelled bool) {
	if d == nil {
		return
	}
	w.deals.Add(r.ID, cancelled, r.RecordedAt, d.UTI, d.Book, d.Instrument, string(d.Side),
		d.Counterparty, d.Quantity, d.Price)
	if cancelled {
		w.cancelled = append(w.cancelled, r.ID)
	} else {
		w.begun = append(w.begun, r.ID)
	}
}

// insertPairs pairs the deals of which one is new. Events of several partitions do not come in the
// order of their times, so either may be the later one of the feed. Differences are rounded up:
// div and mod are exact.
const insertPairs = `
INSERT INTO rebooks (recorded_at, booked, replaced, gap, apart)
SELECT b.recorded_at, b.id, c.id,
       (extract(epoch FROM b.recorded_at - c.recorded_at) * 1000000)::bigint,
       greatest(
           CASE c.quantity WHEN 0 THEN 0 ELSE
               div(abs(b.quantity - c.quantity) * 1000000, abs(c.quantity)) +
               (mod(abs(b.quantity - c.quantity) * 1000000, abs(c.quantity)) > 0)::int END,
           CASE c.price WHEN 0 THEN 0 ELSE
               div(abs(b.price - c.price) * 1000000, abs(c.price)) +
               (mod(abs(b.price - c.price) * 1000000, abs(c.price)) > 0)::int END)
FROM deals %s JOIN deals %s USING (book, instrument, side)
WHERE c.cancelled AND NOT b.cancelled AND %s.id = ANY($1) AND b.uti <> c.uti
  AND b.recorded_at BETWEEN c.recorded_at AND c.recorded_at + $2::interval
  AND abs(b.quantity - c.quantity) * 1000000 <= $3 * abs(c.quantity)
  AND abs(b.price - c.price) * 1000000 <= $3 * abs(c.price)
ON CONFLICT DO NOTHING`

func (w *writer) write(ctx context.Context, tx pgx.Tx) error {
	for _, rows := range []*readmodel.Rows{w.facts, w.touches, w.hours, w.changes, w.links} {
		if err := rows.Copy(ctx, tx); err != nil {
			return err
		}
	}
	return w.writeDeals(ctx, tx)
}

// writeDeals writes the deals and their pairs. Two deals of a pair may come from two partitions.
// The lock lasts until the transaction ends, and its holder sees the deals of all before it:
// otherwise two processes with one deal each would not see the pair.
func (w *writer) writeDeals(ctx context.Context, tx pgx.Tx) error {
	if len(w.begun)+len(w.cancelled) == 0 {
		return nil
	}
	if _, err := tx.Exec(ctx, "LOCK TABLE deals IN SHARE ROW EXCLUSIVE MODE"); err != nil {
		return fmt.Errorf("wait for the deals of another process: %w", err)
	}
	if err := w.deals.Copy(ctx, tx); err != nil {
		return err
	}
	for _, pairs := range []struct {
		of, with string
		fresh    []uuid.UUID
	}{{"b", "c", w.begun}, {"c", "b", w.cancelled}} {
		if len(pairs.fresh) == 0 {
			continue
		}
		insert := fmt.Sprintf(insertPairs, pairs.of, pairs.with, pairs.of)
		_, err := tx.Exec(ctx, insert, pairs.fresh, forensics.MostWithin,
			int64(forensics.MostTolerance))
		if err != nil {
			return fmt.Errorf("pair deals: %w", err)
		}
	}
	return nil
}
