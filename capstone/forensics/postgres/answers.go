package postgres

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"example.com/blotter/capstone/forensics"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
	"example.com/blotter/solutions/3-projections/readmodel"
)

// A city is a set of clocks.
type city struct {
	name     string
	location *time.Location
}

// cities are the clocks of all delivery points. A point that gets other clocks makes another model
// necessary: change a comment of tables.sql, and the model is made again.
var cities = func() (all []city) {
	for _, point := range trade.DeliveryPoints() {
		location, _ := trade.Zone(point)
		c := city{location.String(), location}
		if !slices.ContainsFunc(all, func(o city) bool { return o.name == c.name }) {
			all = append(all, c)
		}
	}
	return all
}()

// In returns the index of a snapshot of the model.
func (m *Model) In(ctx context.Context, f func(forensics.Index) error) error {
	return m.Read(ctx, func(tx pgx.Tx) error { return f(index{tx, m.codec}) })
}

// Through returns the last recorded time in the model, and its cursor.
func (m *Model) Through(ctx context.Context) (at time.Time, cursor contract.Cursor, err error) {
	err = m.Read(ctx, func(tx pgx.Tx) error {
		if cursor, err = readmodel.CursorOf(ctx, tx); err != nil {
			return err
		}
		var last *time.Time
		err := tx.QueryRow(ctx, "SELECT max(recorded_at) FROM facts").Scan(&last)
		if last != nil {
			at = last.UTC()
		}
		return err
	})
	return at, cursor, err
}

// An index is the model in one snapshot.
type index struct {
	tx    pgx.Tx
	codec contract.Codec
}

var _ forensics.Index = index{}

const envelope = `f.id, f.stream, f.version, f.type, f.effective_at, f.entered_at, f.recorded_at,
 f.actor, f.approver, f.submitted_by, f.reason, f.command_id, f.source, f.corrects,
 f.correlation, f.causation`

func into(f *forensics.Fact) []any {
	return []any{&f.ID, &f.Stream, &f.Version, &f.Type, &f.EffectiveAt, &f.EnteredAt,
		&f.RecordedAt, &f.Actor, &f.Approver, &f.SubmittedBy, &f.Reason, &f.CommandID, &f.Source,
		&f.Corrects, &f.Correlation, &f.Causation}
}

// inUTC gives the times of a fact the zone that they have in memory.
func inUTC(f *forensics.Fact) {
	f.EffectiveAt, f.EnteredAt, f.RecordedAt =
		f.EffectiveAt.UTC(), f.EnteredAt.UTC(), f.RecordedAt.UTC()
}

// A statement is a query with its conditions and their arguments.
type statement struct {
	columns, from, order string
	first                string // a table whose first rows are the answer: the others join them
	where                []string
	args                 []any
}

// and adds a condition, in which ? stands for the argument.
func (s *statement) and(condition string, arg any) {
	s.args = append(s.args, arg)
	s.where = append(s.where,
		strings.ReplaceAll(condition, "?", fmt.Sprintf("$%d", len(s.args))))
}

// text returns the query for the first rows; limit 0 is all of them. With a first table, the limit
// comes BEFORE the join, so that no plan joins the rows after it.
func (s *statement) text(limit int) string {
	where, page := "", " ORDER BY "+s.order
	if len(s.where) > 0 {
		where = " WHERE " + strings.Join(s.where, " AND ")
	}
	if limit > 0 {
		page += fmt.Sprintf(" LIMIT %d", limit)
	}
	from := s.from + where
	if s.first != "" {
		alias := s.first[len(s.first)-1:]
		from = "(SELECT * FROM " + s.first + where + page + ") " + alias +
			" JOIN facts f USING (id)"
	}
	return "SELECT " + envelope + s.columns + " FROM " + from + page
}

// during adds the conditions of a question on times. recorded and at are the columns of the known
// time and of the window.
func (s *statement) during(q forensics.Question, recorded, effective, at string) {
	for _, limit := range []struct {
		condition string
		at        time.Time
	}{
		{recorded + " <= ?", q.Known}, {effective + " <= ?", q.Effective},
		{at + " >= ?", q.From}, {at + " <= ?", q.Until},
	} {
		if !limit.at.IsZero() {
			s.and(limit.condition, limit.at)
		}
	}
}

const byRecord = "f.recorded_at, f.stream, f.version"

// statementOf returns the query of a question, except for those about fields and rebooked deals.
// Each has an index in the order of its answer.
func statementOf(q forensics.Question) statement {
	s := statement{from: "facts f", order: byRecord}
	switch q.Kind {
	case forensics.Principal:
		s.columns, s.first = ", t.roles", "touches t"
		s.order = "t.recorded_at, t.stream, t.version"
		s.and("t.principal = ?", q.Principal)
		s.during(q, "t.recorded_at", "t.effective_at", "t.recorded_at")
	case forensics.OutOfHours:
		zone, _ := trade.Zone(q.Zone)
		s.first, s.order = "odd_hours o",
			"o.entered_at, o.stream, o.version"
		s.and("o.city = ?", zone.String())
		if q.Principal != "" {
			s.and("o.actor = ?", q.Principal)
		}
		s.during(q, "o.recorded_at", "o.effective_at", "o.entered_at")
	case forensics.FourEyes:
		s.columns, s.where = ", f.breach", []string{"f.breach <> ''"}
		s.during(q, "f.recorded_at", "f.effective_at", "f.recorded_at")
	case forensics.AfterClose:
		s.columns, s.where = ", f.closed", []string{"f.closed <> ''"}
		s.during(q, "f.recorded_at", "f.effective_at", "f.recorded_at")
	case forensics.Late:
		column := "f.backdating"
		if q.Entry {
			column = "f.delay"
		}
		s.columns, s.order = ", "+column, column+" DESC, f.stream, f.version"
		s.and(column+" >= ?", q.Over.Microseconds())
		s.during(q, "f.recorded_at", "f.effective_at", "f.recorded_at")
	}
	return s
}

// Find implements forensics.Index.
func (in index) Find(ctx context.Context, q forensics.Question) ([]forensics.Finding, error) {
	switch q.Kind {
	case forensics.Field:
		return in.field(ctx, q)
	case forensics.Rebook:
		return in.rebooked(ctx, q)
	}
	s := statementOf(q)
	return in.findings(ctx, &s, q.Limit, func(f *forensics.Finding, micros *int64) []any {
		switch q.Kind {
		case forensics.Principal:
			return []any{&f.Roles}
		case forensics.FourEyes:
			return []any{&f.Breach}
		case forensics.AfterClose:
			return []any{&f.Status}
		case forensics.Late:
			return []any{micros}
		}
		return nil
	})
}

// findings runs a query. rest returns the places of its columns after the envelope.
func (in index) findings(ctx context.Context, s *statement, limit int,
	rest func(f *forensics.Finding, micros *int64) []any) (all []forensics.Finding, err error) {
	rows, err := in.tx.Query(ctx, s.text(limit), s.args...)
	if err != nil {
		return nil, fmt.Errorf("ask the index: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var f forensics.Finding
		var micros int64
		if err := rows.Scan(append(into(&f.Fact), rest(&f, &micros)...)...); err != nil {
			return nil, fmt.Errorf("ask the index: %w", err)
		}
		inUTC(&f.Fact)
		f.Seconds = micros / int64(time.Second/time.Microsecond)
		all = append(all, f)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("ask the index: %w", err)
	}
	return all, nil
}

// field returns the changes of a field. The value before a change is that of the row before, so the
// conditions come after it.
func (in index) field(ctx context.Context, q forensics.Question) ([]forensics.Finding, error) {
	s := statement{columns: ", c.old, c.value", order: "f.version", from: `(
SELECT stream, version, value, coalesce(lag(value) OVER (ORDER BY version), '') AS old
FROM changes WHERE stream = $1 AND field = $2) c JOIN facts f USING (stream, version)`,
		args: []any{q.Stream, q.Field}, where: []string{"c.old <> c.value"}}
	s.during(q, "f.recorded_at", "f.effective_at", "f.recorded_at")
	return in.findings(ctx, &s, q.Limit, func(f *forensics.Finding, _ *int64) []any {
		return []any{&f.Old, &f.New}
	})
}

func (in index) rebooked(ctx context.Context, q forensics.Question) ([]forensics.Finding, error) {
	s := statement{order: "p.recorded_at, f.stream, f.version, c.recorded_at, d.stream, d.version",
		columns: `, b.uti, b.book, b.instrument, b.side, b.counterparty, b.quantity::text,
 b.price::text, c.uti, c.book, c.instrument, c.side, c.counterparty, c.quantity::text,
 c.price::text`,
		from: `rebooks p JOIN facts f ON f.id = p.booked JOIN deals b ON b.id = p.booked
 JOIN deals c ON c.id = p.replaced JOIN facts d ON d.id = p.replaced`}
	s.and("p.gap <= ?", q.Within.Microseconds())
	s.and("p.apart <= ?", q.Tolerance)
	s.during(q, "p.recorded_at", "f.effective_at", "p.recorded_at")
	return in.findings(ctx, &s, q.Limit, func(f *forensics.Finding, _ *int64) []any {
		f.Booked, f.Replaced = &forensics.Deal{}, &forensics.Deal{}
		return append(intoDeal(f.Booked), intoDeal(f.Replaced)...)
	})
}

func intoDeal(d *forensics.Deal) []any {
	return []any{&d.UTI, &d.Book, &d.Instrument, &d.Side, &d.Counterparty,
		decimal{&d.Quantity}, decimal{&d.Price}}
}

// A decimal reads the text of a number.
type decimal struct{ into *trade.Decimal }

// Scan implements sql.Scanner.
func (d decimal) Scan(src any) (err error) {
	*d.into, err = trade.ParseDecimal(fmt.Sprint(src))
	return err
}

// Facts implements forensics.Index.
func (in index) Facts(ctx context.Context, ids []uuid.UUID) ([]forensics.Fact, error) {
	return in.facts(ctx, "facts f WHERE f.id = ANY($1)", ids)
}

// Effects implements forensics.Index.
func (in index) Effects(ctx context.Context, ids []uuid.UUID) ([]forensics.Fact, error) {
	return in.facts(ctx, `facts f WHERE f.causation = ANY($1) OR (f.corrects = ANY($1)
 AND f.corrects <> '00000000-0000-0000-0000-000000000000')`, ids)
}

func (in index) facts(ctx context.Context, from string, arg any) (
	all []forensics.Fact, err error) {
	rows, err := in.tx.Query(ctx,
		"SELECT "+envelope+" FROM "+from+" ORDER BY "+byRecord, arg)
	if err != nil {
		return nil, fmt.Errorf("ask the index: %w", err)
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (f forensics.Fact, err error) {
		err = row.Scan(into(&f)...)
		inUTC(&f)
		return f, err
	})
}

// Links implements forensics.Index.
func (in index) Links(ctx context.Context, utis []string) ([]forensics.Link, error) {
	rows, err := in.tx.Query(ctx, "SELECT "+envelope+", l.from_uti, l.to_uti"+
		" FROM links l JOIN facts f USING (id)"+
		" WHERE l.from_uti = ANY($1) OR l.to_uti = ANY($1) ORDER BY "+byRecord, utis)
	if err != nil {
		return nil, fmt.Errorf("ask the index: %w", err)
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (l forensics.Link, err error) {
		err = row.Scan(append(into(&l.Fact), &l.FromUTI, &l.ToUTI)...)
		inUTC(&l.Fact)
		return l, err
	})
}

// Book implements forensics.Index.
func (in index) Book(ctx context.Context, book string) (map[string][]trade.Event, error) {
	const where = `
WHERE stream = ANY(ARRAY(SELECT stream FROM changes WHERE field = 'book' AND value = $1))
   OR stream >= 'curve/' AND stream < 'curve0'`
	streams := map[string][]trade.Event{}
	events := readmodel.Events(ctx, in.tx, in.codec, where, book)
	for e, err := range events {
		if err != nil {
			return nil, err
		}
		streams[e.Stream] = append(streams[e.Stream], e.Event)
	}
	return streams, nil
}

// History implements forensics.Index.
func (in index) History(ctx context.Context, stream string) (
	[]forensics.Fact, []trade.Event, error) {
	facts, err := in.facts(ctx, "facts f WHERE f.stream = $1", stream)
	if err != nil {
		return nil, nil, err
	}
	var events []trade.Event
	for e, err := range readmodel.Events(ctx, in.tx, in.codec, "WHERE stream = $1", stream) {
		if err != nil {
			return nil, nil, err
		}
		events = append(events, e.Event)
	}
	return facts, events, nil
}
