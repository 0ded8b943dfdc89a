package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"example.com/blotter/labs/kit/trade"
)

// table writes rows of tab-separated cells in columns, indented by two. The first row is the heading.
func table(w io.Writer, rows ...string) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, row := range rows {
		fmt.Fprintln(t, "  "+row)
	}
	t.Flush()
}

// asJSON writes v for programs: indented, with a line end.
func asJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// counts writes how many of each there are, three to a line, the most first.
func counts[K ~string](w io.Writer, n map[K]int) {
	keys := slices.SortedFunc(maps.Keys(n), func(a, b K) int { return cmp.Or(cmp.Compare(n[b], n[a]), cmp.Compare(a, b)) })
	for row := range slices.Chunk(keys, 3) {
		var line strings.Builder
		for _, k := range row {
			fmt.Fprintf(&line, "%8d %-30s", n[k], k)
		}
		fmt.Fprintln(w, strings.TrimRight(line.String(), " "))
	}
}

// largest are the n open positions that are worth most, bought or sold.
func largest(positions []trade.Position, n int) []trade.Position {
	var open []trade.Position
	for _, p := range positions {
		if !p.Quantity.IsZero() {
			open = append(open, p)
		}
	}
	value := func(p trade.Position) trade.Decimal {
		if p.MarketValue == nil {
			return p.AverageCost.Cost.Abs()
		}
		return p.MarketValue.Abs()
	}
	slices.SortStableFunc(open, func(a, b trade.Position) int { return value(b).Cmp(value(a)) })
	return open[:min(n, len(open))]
}

// plural is "1 line" or "3 lines".
func plural(n int64, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// money shows an amount, or a dash for what has no mark.
func money(c trade.Currency, amount *trade.Decimal) string {
	if amount == nil {
		return "-"
	}
	return c.Show(*amount)
}

// showPositions is a table of pools.
func showPositions(w io.Writer, positions []trade.Position) {
	rows := []string{"book\tinstrument\tquantity\t\tcost (average)\tmarket value\trealised\tunrealised\trealised (fifo)\tunrealised (fifo)\t"}
	for _, p := range positions {
		rows = append(rows, fmt.Sprintf("%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s",
			p.Book, p.Instrument, p.Quantity, p.Unit, p.Currency.Show(p.AverageCost.Cost), money(p.Currency, p.MarketValue),
			p.Currency.Show(p.AverageCost.Realised), money(p.Currency, p.AverageCost.Unrealised),
			p.Currency.Show(p.FIFO.Realised), money(p.Currency, p.FIFO.Unrealised), p.Currency))
	}
	table(w, rows...)
}

// A bookTotal is the P&L of a book in one currency. What has no mark is counted, never valued at zero.
type bookTotal struct {
	Book              string         `json:"book"`
	Currency          trade.Currency `json:"currency"`
	AverageRealised   trade.Decimal  `json:"average_cost_realised"`
	AverageUnrealised trade.Decimal  `json:"average_cost_unrealised"`
	FIFORealised      trade.Decimal  `json:"fifo_realised"`
	FIFOUnrealised    trade.Decimal  `json:"fifo_unrealised"`
	Total             trade.Decimal  `json:"total"` // the same by both methods
	Unmarked          int            `json:"unmarked"`
}

// totals adds positions up by book and currency; they come sorted by book.
func totals(positions []trade.Position) []bookTotal {
	all := []bookTotal{} // never nil: with --json, nothing is an empty list
	index := map[[2]string]int{}
	for _, p := range positions {
		key := [2]string{p.Book, string(p.Currency)}
		i, ok := index[key]
		if !ok {
			i = len(all)
			index[key] = i
			all = append(all, bookTotal{Book: p.Book, Currency: p.Currency})
		}
		all[i].add(p)
	}
	return all
}

func (t *bookTotal) add(p trade.Position) {
	t.AverageRealised = t.AverageRealised.Add(p.AverageCost.Realised)
	t.FIFORealised = t.FIFORealised.Add(p.FIFO.Realised)
	if p.AverageCost.Unrealised == nil || p.FIFO.Unrealised == nil {
		t.Unmarked++
	} else {
		t.AverageUnrealised = t.AverageUnrealised.Add(*p.AverageCost.Unrealised)
		t.FIFOUnrealised = t.FIFOUnrealised.Add(*p.FIFO.Unrealised)
	}
	t.Total = t.AverageRealised.Add(t.AverageUnrealised)
}

// showTotals is a table of books.
func showTotals(w io.Writer, all []bookTotal) {
	rows := []string{"book\t\trealised\tunrealised\trealised (fifo)\tunrealised (fifo)\ttotal\twithout a mark"}
	for _, t := range all {
		c := t.Currency
		rows = append(rows, fmt.Sprintf("%s\t%s\t%s\t%s\t%s\t%s\t%s\t%d", t.Book, c, c.Show(t.AverageRealised),
			c.Show(t.AverageUnrealised), c.Show(t.FIFORealised), c.Show(t.FIFOUnrealised), c.Show(t.Total), t.Unmarked))
	}
	table(w, rows...)
}
