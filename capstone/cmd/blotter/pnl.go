package main

import (
	"context"
	"fmt"
	"io"

	"example.com/blotter/labs/kit/trade"
)

type pnlCmd struct {
	Book string `help:"Only this book."`
	asOf
}

func (c *pnlCmd) Run(ctx context.Context, a *app) error {
	positions, caveat, err := a.positions(ctx, c.Book, c.asOf)
	if err != nil {
		return err
	}
	all := totals(positions)
	return a.answer(caveat, all, func(w io.Writer) { printTotals(w, all) })
}

// A bookTotal is the P&L of a book in one currency. A position without a mark is counted, and never
// valued at zero.
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

// totals adds up positions by book and currency. The positions are sorted by book.
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

// printTotals prints a table of books.
func printTotals(w io.Writer, all []bookTotal) {
	rows := []string{"book\t\trealised\tunrealised\trealised (fifo)\tunrealised (fifo)\ttotal\t" +
		"without a mark"}
	for _, t := range all {
		c := t.Currency
		rows = append(rows, fmt.Sprintf("%s\t%s\t%s\t%s\t%s\t%s\t%s\t%d", t.Book, c,
			c.Show(t.AverageRealised), c.Show(t.AverageUnrealised),
			c.Show(t.FIFORealised), c.Show(t.FIFOUnrealised), c.Show(t.Total), t.Unmarked))
	}
	table(w, rows...)
}
