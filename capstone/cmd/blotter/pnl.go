package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"

	"example.com/blotter/labs/kit/trade"
)

type pnlCmd struct {
	Book string `help:"Only this book."`
	basedOn
}

func (c *pnlCmd) Run(ctx context.Context, a *app) error {
	positions, caveat, err := a.positions(ctx, c.Book, c.basedOn)
	if err != nil {
		return err
	}
	all := totals(positions)
	return a.answer(caveat, all, func(w io.Writer) { printTotals(w, all) })
}

// A bookTotal is the P&L of a book in one currency. A position without a mark is counted, and no
// sum leaves it out: the sums that need its value are nil.
type bookTotal struct {
	Book              string
	Currency          trade.Currency
	AverageRealised   trade.Decimal
	AverageUnrealised *trade.Decimal
	FIFORealised      trade.Decimal
	FIFOUnrealised    *trade.Decimal
	Total             *trade.Decimal // the same by both methods
	Unmarked          int
}

// A profit is what a method of costing makes of a book.
type profit struct {
	Realised   string  `json:"realised"`
	Unrealised *string `json:"unrealised"` // null where a mark is missing
}

// MarshalJSON gives amounts all digits of the currency's minor unit.
func (t bookTotal) MarshalJSON() ([]byte, error) {
	c := t.Currency
	return json.Marshal(struct {
		Book        string         `json:"book"`
		Currency    trade.Currency `json:"currency"`
		AverageCost profit         `json:"average_cost"`
		FIFO        profit         `json:"fifo"`
		Total       *string        `json:"total"`
		Unmarked    int            `json:"unmarked"`
	}{
		t.Book, c, profit{c.Show(t.AverageRealised), amount(c, t.AverageUnrealised)},
		profit{c.Show(t.FIFORealised), amount(c, t.FIFOUnrealised)}, amount(c, t.Total), t.Unmarked,
	})
}

// totals adds up positions by book and currency. The positions are sorted by book.
func totals(positions []trade.Valuation) []bookTotal {
	all := []bookTotal{} // never nil: with --json, nothing is an empty list
	index := map[[2]string]int{}
	for _, p := range positions {
		key := [2]string{p.Book, string(p.Currency)}
		i, ok := index[key]
		if !ok {
			i = len(all)
			index[key] = i
			all = append(all, newTotal(p))
		}
		all[i].add(p)
	}
	return all
}

func newTotal(p trade.Valuation) bookTotal {
	return bookTotal{
		Book: p.Book, Currency: p.Currency, AverageUnrealised: &trade.Decimal{},
		FIFOUnrealised: &trade.Decimal{}, Total: &trade.Decimal{},
	}
}

func (t *bookTotal) add(p trade.Valuation) {
	t.AverageRealised = t.AverageRealised.Add(p.AverageCost.Realised)
	t.FIFORealised = t.FIFORealised.Add(p.FIFO.Realised)
	if p.MarketValue == nil {
		t.Unmarked++
	}
	t.AverageUnrealised = sum(t.AverageUnrealised, p.AverageCost.Unrealised)
	t.FIFOUnrealised = sum(t.FIFOUnrealised, p.FIFO.Unrealised)
	t.Total = sum(&t.AverageRealised, t.AverageUnrealised)
}

// sum is nil if a part of it is.
func sum(a, b *trade.Decimal) *trade.Decimal {
	if a == nil || b == nil {
		return nil
	}
	c := a.Add(*b)
	return &c
}

// printTotals prints a table of books.
func printTotals(w io.Writer, all []bookTotal) {
	header := "book\tcurrency\trealised\tunrealised\trealised (fifo)\tunrealised (fifo)\ttotal\t" +
		"without a mark"
	var rows []string
	for _, t := range all {
		c := t.Currency
		rows = append(rows, fmt.Sprintf("%s\t%s\t%s\t%s\t%s\t%s\t%s\t%d", t.Book, c,
			c.Show(t.AverageRealised), money(c, t.AverageUnrealised),
			c.Show(t.FIFORealised), money(c, t.FIFOUnrealised), money(c, t.Total), t.Unmarked))
	}
	table(w, header, rows...)
}
