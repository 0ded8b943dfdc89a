package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"example.com/blotter/capstone"
	"example.com/blotter/labs/kit/trade"
)

type stateCmd struct {
	UTI string `arg:"" help:"The trade."`
	basedOn
}

func (c *stateCmd) Run(ctx context.Context, a *app) error {
	q, err := a.question(ctx, c.asOf)
	if err != nil {
		return err
	}
	system := c.system(q)
	t, used, err := system.Trade(ctx, c.UTI, q.at)
	if err != nil {
		return err
	}
	q.caveat.times, q.caveat.parked = &used.Times, used.Parked
	if t.Status == "" {
		return noTrade(ctx, system, c.UTI)
	}
	answer := tradeAnswer{t, t.Currency.Show(t.SettledAmount)}
	return a.answer(q.caveat, answer, func(w io.Writer) { printTrade(w, t) })
}

// A tradeAnswer is a trade whose amount has all digits of the currency's minor unit.
type tradeAnswer struct {
	trade.Trade
	SettledAmount string `json:"settled_amount"`
}

// endOfTime is after every time of an event.
var endOfTime = time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)

// noTrade tells an unknown trade from one that begins after the times asked.
func noTrade(ctx context.Context, system *capstone.System, uti string) error {
	t, used, err := system.Trade(ctx, uti, trade.AsOf{Effective: endOfTime})
	switch {
	case err == nil && t.Status == "" && len(used.Parked) > 0:
		return &failure{used.Parked[0].String(), "no contract began before that event; " +
			"see: blotter status"}
	case err != nil || t.Status != "":
		return firstOf(err, &failure{fmt.Sprintf("trade %s has not begun by the times asked", uti),
			"see: blotter history " + uti})
	}
	return &failure{fmt.Sprintf("there is no trade %s", uti),
		"look for refused commands: blotter history " + uti}
}

func printTrade(w io.Writer, t trade.Trade) {
	printLine(w, "%s  %s", t.UTI, t.Status)
	labels(w,
		fmt.Sprintf("contract\t%s %s at %s %s per %s", t.Side, t.Instrument, t.Price, t.Currency,
			t.Unit),
		fmt.Sprintf("book\t%s with %s, by %s", t.Book, t.Counterparty, t.Trader),
		fmt.Sprintf("contracted\t%s %s", t.Contracted, t.Unit),
		fmt.Sprintf("open\t%s", t.Open),
		fmt.Sprintf("settled\t%s (%s %s at the contract price)",
			t.Settled, t.Currency.Show(t.SettledAmount), t.Currency),
		fmt.Sprintf("novated\t%s", t.Novated),
		fmt.Sprintf("exercised\t%s", t.Exercised),
		fmt.Sprintf("terminated\t%s", t.Terminated),
	)
}
