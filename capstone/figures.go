package capstone

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"example.com/blotter/labs/kit/trade"
)

// A Figure is a number that two systems must agree on. Its key is all but Value.
type Figure struct {
	Name       string `json:"figure"` // trades, position or realised
	Book       string `json:"book"`
	Instrument string `json:"instrument,omitempty"` // of a position
	Currency   string `json:"currency,omitempty"`
	Day        string `json:"day,omitempty"` // of a realised P&L, such as 2025-03-31
	Value      string `json:"value"`
}

// FigureColumns returns the header of a CSV file of figures.
func FigureColumns() []string {
	return []string{"figure", "book", "instrument", "currency", "day", "value"}
}

func (f Figure) compare(o Figure) int {
	return slices.Compare(f.key(), o.key())
}

func (f Figure) key() []string {
	return []string{f.Name, f.Book, f.Instrument, f.Currency, f.Day}
}

// FiguresOf returns the figures of a state, sorted: the number of contracts of each book, each
// position that is not zero, and what each book realised on each day of a zone, by average cost.
func FiguresOf(state trade.State, zone *time.Location) (all []Figure) {
	trades := map[string]int{}
	for _, t := range state.Trades {
		if t.Status != trade.Voided {
			trades[t.Book]++
		}
	}
	for book, n := range trades {
		all = append(all, Figure{Name: "trades", Book: book, Value: fmt.Sprint(n)})
	}
	for _, p := range state.Positions {
		if !p.Quantity.IsZero() {
			all = append(all, Figure{
				Name: "position", Book: p.Book, Instrument: p.Instrument,
				Currency: string(p.Currency), Value: p.Quantity.String(),
			})
		}
	}
	for _, e := range trade.Earnings(state.Trades, zone) {
		all = append(all, Figure{
			Name: "realised", Book: e.Book, Currency: string(e.Currency), Day: e.Day,
			Value: e.Currency.Show(e.Realised),
		})
	}
	slices.SortFunc(all, Figure.compare)
	return all
}

// ReadFigures reads figures as CSV (RFC 4180) with the header of FigureColumns. A value is a
// decimal.
func ReadFigures(r io.Reader) (all []Figure, err error) {
	header := false
	rows, columns := csv.NewReader(r), strings.Join(FigureColumns(), ",")
	for {
		row, err := rows.Read()
		switch {
		case errors.Is(err, io.EOF) && header:
			return all, nil
		case errors.Is(err, io.EOF):
			return nil, fmt.Errorf("no header: want %s", columns)
		case err != nil:
			return nil, err
		}
		line, _ := rows.FieldPos(0)
		if !header {
			if header = strings.Join(row, ",") == columns; !header {
				return nil, fmt.Errorf("line %d: want the header %s", line, columns)
			}
			continue
		}
		if _, err := trade.ParseDecimal(row[5]); err != nil {
			return nil, fmt.Errorf("line %d: value: %w", line, err)
		}
		all = append(all, Figure{row[0], row[1], row[2], row[3], row[4], row[5]})
	}
}

// A Break is a difference between the other system and this one.
type Break struct {
	Line   int    `json:"line,omitempty"`   // of the file; zero for a stream or a figure
	Stream string `json:"stream,omitempty"` // that exists
	*Figure
	Rule   string `json:"rule"` // of a line, or stream.exists, source-time.order, figure.differs, …
	Detail string `json:"detail"`
}

// Place names the place of a break, for people.
func (b Break) Place() string {
	switch {
	case b.Figure != nil:
		return strings.Join(slices.DeleteFunc(b.Figure.key(), func(s string) bool {
			return s == ""
		}), " ")
	case b.Stream != "":
		return "stream " + b.Stream
	}
	return fmt.Sprintf("line %d", b.Line)
}

// Compare returns a break for each figure that differs, or that one side lacks, unless it is zero.
// Both lists are sorted by it. A figure twice is a break, too.
func Compare(theirs, ours []Figure) (breaks []Break) {
	slices.SortStableFunc(theirs, Figure.compare)
	slices.SortStableFunc(ours, Figure.compare)
	found := func(f Figure, rule, format string, args ...any) {
		if rule != "figure.differs" && trade.Dec(f.Value).IsZero() {
			return
		}
		breaks = append(breaks, Break{Figure: &f, Rule: rule, Detail: fmt.Sprintf(format, args...)})
	}
	for len(theirs) > 0 || len(ours) > 0 {
		order := -1 // which list has the first key
		switch {
		case len(theirs) == 0:
			order = 1
		case len(ours) > 0:
			order = theirs[0].compare(ours[0])
		}
		switch {
		case order < 0:
			found(theirs[0], "figure.theirs-only", "%s in their figures, none here",
				theirs[0].Value)
			theirs = theirs[1:]
		case order > 0:
			found(ours[0], "figure.ours-only", "%s here, none in their figures", ours[0].Value)
			ours = ours[1:]
		default:
			if !trade.Dec(theirs[0].Value).Equal(trade.Dec(ours[0].Value)) {
				found(ours[0], "figure.differs", "%s here, %s in their figures",
					ours[0].Value, theirs[0].Value)
			}
			theirs, ours = theirs[1:], ours[1:]
		}
	}
	return breaks
}
