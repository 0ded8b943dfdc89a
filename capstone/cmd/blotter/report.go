package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/google/uuid"

	"example.com/blotter/capstone"
	"example.com/blotter/capstone/explain"
	"example.com/blotter/labs/kit/trade"
)

// A report shows differences, each with its ends and its parts.
type report struct {
	all  []explain.Difference
	ends [2]string // their names
	at   [2]trade.AsOf
	top  int // the number of parts in the table of each book; 0 for all
}

// A reportRow is an end or a part as an answer. The parts of a book and a currency add up to the
// difference of the ends.
type reportRow struct {
	Book       string         `json:"book"`
	Currency   trade.Currency `json:"currency"`
	Part       string         `json:"part"` // an end, a class or the difference
	Realised   string         `json:"realised"`
	Unrealised *string        `json:"unrealised"` // null where a mark is missing
	Total      *string        `json:"total"`

	KnownAt     *time.Time `json:"known_at"` // of an end
	EffectiveAt *time.Time `json:"effective_at"`

	Instrument *string    `json:"instrument"` // of a part
	Stream     *string    `json:"stream"`
	Version    *int64     `json:"version"`
	Event      *uuid.UUID `json:"event"`
	Operation  *string    `json:"operation"`
	Corrects   *uuid.UUID `json:"corrects"`
	Actor      *string    `json:"actor"`
	RecordedAt *time.Time `json:"recorded_at"`
}

func (r report) rows() []reportRow {
	rows := []reportRow{} // never nil: nothing is an empty list
	for _, d := range r.all {
		row := func(part string, v explain.Value) *reportRow {
			rows = append(rows, reportRow{
				Book: d.Book, Currency: d.Currency, Part: part,
				Realised:   d.Currency.Show(v.Realised),
				Unrealised: amount(d.Currency, v.Unrealised),
				Total:      amount(d.Currency, v.Total()),
			})
			return &rows[len(rows)-1]
		}
		end := func(i int, v explain.Value) {
			last := row(r.ends[i], v)
			last.KnownAt, last.EffectiveAt = &r.at[i].Known, &r.at[i].Effective
		}
		end(0, d.From)
		for _, p := range d.Parts {
			last := row(string(p.Class), p.Value)
			last.Instrument = &p.Instrument
			if c := p.Cause; c != nil {
				last.Stream, last.Version, last.Event = &c.Stream, &c.Version, &c.Event
				last.Operation, last.Actor = &c.Operation, &c.Actor
				last.EffectiveAt, last.RecordedAt = &c.EffectiveAt, &c.RecordedAt
				if c.Corrects != uuid.Nil {
					last.Corrects = &c.Corrects
				}
			}
		}
		end(1, d.To)
		row("difference", d.Change)
	}
	return rows
}

// print shows the ends and the classes of each book, and then its largest parts.
func (r report) print(w io.Writer) {
	var sums, parts []string
	for _, d := range r.all {
		row := func(part string, v explain.Value) {
			sums = append(sums, fmt.Sprintf("%s\t%s\t%s\t%s\t%s\t%s", d.Book, d.Currency, part,
				d.Currency.Show(v.Realised), money(d.Currency, v.Unrealised),
				money(d.Currency, v.Total())))
		}
		row(r.ends[0], d.From)
		for _, class := range explain.Classes() {
			if v, any := d.Sum(class); any {
				row(string(class), v)
			}
		}
		row(r.ends[1], d.To)
		row("difference", d.Change)
		parts = append(parts, r.parts(d)...)
	}
	table(w, "book\tcurrency\tpart\trealised\tunrealised\ttotal", sums...)
	if len(parts) > 0 {
		fmt.Fprintln(w)
		table(w, "book\tpart\tinstrument\trealised\ttotal\tcurrency\tevent\tplace\tby\tid",
			parts...)
	}
	if r.at[0] != r.at[1] { // the caveat has the times of the second end
		line, _ := strings.CutPrefix(timesLine(capstone.Times{AsOf: r.at[0]}), "(")
		fmt.Fprintf(w, "(%s: %s\n", r.ends[0], line)
	}
}

// parts returns a row for each of the largest parts of a difference, and one for the others.
func (r report) parts(d explain.Difference) (rows []string) {
	all := d.Largest()
	shown := len(all)
	if r.top > 0 {
		shown = min(shown, r.top)
	}
	for _, p := range all[:shown] {
		var event, place, by, id string
		if c := p.Cause; c != nil {
			event, place = c.Operation, fmt.Sprintf("%s %d", c.Stream, c.Version)
			by, id = c.Actor, c.Event.String()
			if c.Corrects != uuid.Nil {
				event += " (correction)"
			}
		}
		rows = append(rows, fmt.Sprintf("%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s", d.Book, p.Class,
			p.Instrument, d.Currency.Show(p.Realised), money(d.Currency, p.Total()), d.Currency,
			event, place, by, id))
	}
	if n := len(all) - shown; n > 0 {
		rows = append(rows, fmt.Sprintf("%s\t%s", d.Book, plural(int64(n), "smaller part")))
	}
	return rows
}
