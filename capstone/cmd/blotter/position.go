package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"example.com/blotter/labs/kit/trade"
)

type positionCmd struct {
	Book string `help:"Only this book."`
	basedOn
}

func (c *positionCmd) Run(ctx context.Context, a *app) error {
	positions, caveat, err := a.positions(ctx, c.Book, c.basedOn)
	if err != nil {
		return err
	}
	return a.answer(caveat, positionsJSON(positions), func(w io.Writer) {
		printPositions(w, positions)
	})
}

// positions returns the positions of one book, or of all books if it is empty.
func (a *app) positions(
	ctx context.Context, book string, times basedOn,
) ([]trade.Valuation, caveat, error) {
	q, chosen, err := a.askPositions(ctx, book, times)
	return chosen, q.caveat, err
}

// askPositions is positions with the question, for an answer that reads more of the log.
func (a *app) askPositions(
	ctx context.Context, book string, times basedOn,
) (q question, chosen []trade.Valuation, err error) {
	if q, err = a.question(ctx, times.asOf); err != nil {
		return q, nil, err
	}
	system := times.system(q)
	if system.Projection, err = q.ReadModel(ctx); err != nil {
		return q, nil, err
	}
	all, used, err := system.Positions(ctx, q.at)
	if err != nil {
		return q, nil, err
	}
	q.caveat.times = &used.Times
	q.caveat.about(book, used.Mismatches, used.Parked)
	for _, p := range all {
		if book == "" || p.Book == book {
			chosen = append(chosen, p)
		}
	}
	return q, chosen, checkBook(book, len(chosen))
}

// about adds the mismatches and the parked streams that affect a book, or all of them if it is
// empty.
func (c *caveat) about(book string, mismatches []trade.Mismatch, parked []trade.Parked) {
	for _, m := range mismatches {
		if book == "" || slices.Contains(m.Books, book) {
			c.mismatches = append(c.mismatches, m)
		}
	}
	for _, p := range parked {
		if book == "" || p.Book == "" || p.Book == book {
			c.parked = append(c.parked, p)
		}
	}
}

// checkBook fails if a question about one book found nothing.
func checkBook(book string, found int) error {
	if book == "" || found > 0 {
		return nil
	}
	return &failure{fmt.Sprintf("there is no position in a book %q", book),
		"list the books: blotter books"}
}

// A gain is a trade.Gain as an answer: its amounts have all digits of the currency's minor unit.
type gain struct {
	Cost       string  `json:"cost"`
	Realised   string  `json:"realised"`
	Unrealised *string `json:"unrealised"` // null where a mark is missing
}

// A positionAnswer is a trade.Valuation as an answer.
type positionAnswer struct {
	trade.Valuation
	MarketValue *string `json:"market_value"`
	AverageCost gain    `json:"average_cost"`
	FIFO        gain    `json:"fifo"`
}

func positionsJSON(positions []trade.Valuation) []positionAnswer {
	all := []positionAnswer{} // never nil: nothing is an empty list
	for _, p := range positions {
		c := p.Currency
		gainOf := func(g trade.Gain) gain {
			return gain{c.Show(g.Cost), c.Show(g.Realised), amount(c, g.Unrealised)}
		}
		all = append(all, positionAnswer{
			p, amount(c, p.MarketValue), gainOf(p.AverageCost), gainOf(p.FIFO),
		})
	}
	return all
}

// amount returns an amount with its minor units, or nil where a mark is missing.
func amount(c trade.Currency, d *trade.Decimal) *string {
	if d == nil {
		return nil
	}
	shown := c.Show(*d)
	return &shown
}

// printPositions prints a table of pools. The delivered quantity is not settled, and a part of the
// quantity.
func printPositions(w io.Writer, positions []trade.Valuation) {
	header := "book\tinstrument\tquantity\tdelivered\tunit\tcost (average)\tmarket value\t" +
		"realised\tunrealised\trealised (fifo)\tunrealised (fifo)\tcurrency\tmarks"
	var rows []string
	for _, p := range positions {
		c := p.Currency
		rows = append(rows, fmt.Sprintf("%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s",
			p.Book, p.Instrument, p.Quantity, p.Delivered, p.Unit,
			c.Show(p.AverageCost.Cost), money(c, p.MarketValue),
			c.Show(p.AverageCost.Realised), money(c, p.AverageCost.Unrealised),
			c.Show(p.FIFO.Realised), money(c, p.FIFO.Unrealised), c, marks(p)))
	}
	table(w, header, rows...)
}

// marks names the marks that value a position, each with its delivery.
func marks(p trade.Valuation) string {
	if p.Expired {
		return "expired"
	}
	var all []string
	for _, m := range p.Marks {
		all = append(all, fmt.Sprintf("%s for %s", m.Price, m.Delivery))
	}
	return strings.Join(all, ", ")
}

// money shows an amount, or a dash where a mark is missing.
func money(c trade.Currency, amount *trade.Decimal) string {
	if amount == nil {
		return "-"
	}
	return c.Show(*amount)
}

// largest returns the n open positions of the largest value, long or short.
func largest(positions []trade.Valuation, n int) []trade.Valuation {
	var open []trade.Valuation
	for _, p := range positions {
		if !p.Quantity.IsZero() {
			open = append(open, p)
		}
	}
	value := func(p trade.Valuation) trade.Decimal {
		if p.MarketValue == nil {
			return p.AverageCost.Cost.Abs()
		}
		return p.MarketValue.Abs()
	}
	slices.SortStableFunc(open, func(a, b trade.Valuation) int { return value(b).Cmp(value(a)) })
	return open[:min(n, len(open))]
}
