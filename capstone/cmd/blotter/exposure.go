package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"example.com/blotter/capstone"
	"example.com/blotter/labs/kit/trade"
)

type exposureCmd struct {
	Book string `help:"Only this book."`
	Move string `help:"${exposure_move}" placeholder:"FROM..TO"`
	basedOn
}

func (c *exposureCmd) Run(ctx context.Context, a *app) error {
	if c.Move != "" {
		return c.move(ctx, a)
	}
	positions, caveat, err := a.positions(ctx, c.Book, c.basedOn)
	if err != nil {
		return err
	}
	found, err := capstone.Exposures(positions, caveat.times.Effective)
	if err != nil {
		return err
	}
	all := append([]capstone.Exposure{}, found...) // never nil: nothing is an empty list
	return a.answer(caveat, all, func(w io.Writer) {
		var rows []string
		for _, e := range all {
			rows = append(rows, fmt.Sprintf("%s\t%s\t%s\t%s\t%s\t%s",
				e.Point, e.Curve, e.Month, e.Currency, e.Delta, e.Unit))
		}
		table(w, "point\tcurve\tmonth\tcurrency\tdelta\tunit", rows...)
	})
}

// move answers with the P&L of a historical price move.
func (c *exposureCmd) move(ctx context.Context, a *app) error {
	from, to, err := c.days(a.cli.Zone, time.Now())
	if err != nil {
		return err
	}
	q, positions, err := a.askPositions(ctx, c.Book, c.basedOn)
	if err != nil {
		return err
	}
	var marked [2]map[string]trade.Curve
	for n, day := range []time.Time{from, to} {
		at := trade.AsOf{Known: q.at.Known, Effective: day}
		if marked[n], err = c.system(q).CurvesAt(ctx, positions, at); err != nil {
			return err
		}
	}
	found, err := capstone.Moves(positions, marked[0], marked[1], q.caveat.times.Effective)
	if err != nil {
		return err
	}
	return a.answer(q.caveat, movesJSON(found), func(w io.Writer) { printMoves(w, found) })
}

// days returns the two times of the move.
func (c *exposureCmd) days(zone string, now time.Time) (from, to time.Time, err error) {
	first, second, two := strings.Cut(c.Move, "..")
	if !two || first == "" || second == "" {
		return from, to, &usageError{fmt.Sprintf("--move: %q is not FROM..TO", c.Move), timeHint}
	}
	if from, err = moment(first).parse("--move", zone, now, trade.ParseMoment); err != nil {
		return from, to, err
	}
	to, err = moment(second).parse("--move", zone, now, trade.ParseMoment)
	return from, to, err
}

// A moveAnswer is a capstone.Move as an answer: its amount has all digits of the currency's minor
// unit. So has that of a moveTotal.
type moveAnswer struct {
	capstone.Move
	PnL *string `json:"pnl"` // null where a mark is missing
}

type moveTotal struct {
	capstone.MoveTotal
	PnL   *string      `json:"pnl"`
	Moves []moveAnswer `json:"moves"`
}

func movesJSON(found []capstone.MoveTotal) []moveTotal {
	all := []moveTotal{} // never nil: nothing is an empty list
	for _, t := range found {
		answer := moveTotal{t, amount(t.Currency, t.PnL), nil}
		for _, m := range t.Moves {
			answer.Moves = append(answer.Moves, moveAnswer{m, amount(m.Currency, m.PnL)})
		}
		all = append(all, answer)
	}
	return all
}

func printMoves(w io.Writer, all []capstone.MoveTotal) {
	var rows, sums []string
	for _, t := range all {
		for _, m := range t.Moves {
			rows = append(rows, fmt.Sprintf("%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s", m.Book, m.Curve,
				m.Month, m.Delta, m.Unit, markText(m.From), markText(m.To),
				money(m.Currency, m.PnL), m.Currency))
		}
		sums = append(sums, fmt.Sprintf("%s\t%s\t%s\t%d", t.Book, t.Currency,
			money(t.Currency, t.PnL), t.Missing))
	}
	table(w, "book\tcurve\tmonth\tdelta\tunit\tfrom\tto\tp&l\tcurrency", rows...)
	table(w, "book\tcurrency\tp&l\twithout mark", sums...)
}

// markText shows a mark with its delivery, or a dash where it is missing.
func markText(m *trade.UsedMark) string {
	if m == nil {
		return "-"
	}
	return fmt.Sprintf("%s for %s", m.Price, m.Delivery)
}
