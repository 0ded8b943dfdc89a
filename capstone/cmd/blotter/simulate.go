package main

import (
	"bufio"
	"context"
	"fmt"
	"runtime/debug"

	"example.com/blotter/capstone/lines"
	"example.com/blotter/capstone/simulate"
	"example.com/blotter/labs/kit/trade"
)

type simulateCmd struct {
	Seed   uint64 `help:"Seed of the book; the same seed gives the same book." default:"1"`
	Trades int    `help:"Number of trades." default:"500"`
	From   string `help:"First day of the book." default:"2025-01-01"`
	Days   int    `help:"Length of the book in days." default:"365"`
}

func (c *simulateCmd) Run(ctx context.Context, a *app) error {
	day, err := trade.ParseDay(c.From)
	if err != nil {
		return &usageError{fmt.Sprintf("--from: %q is not a date", c.From),
			"give a date like 2025-01-01"}
	}
	if c.Trades < 1 || c.Days < 1 {
		return &usageError{"--trades and --days must be at least 1", "see: blotter simulate --help"}
	}
	from := day.UTC()
	last := from.AddDate(0, 0, c.Days)
	if from.Year() < 1970 || last.Before(from) || last.Year() > 9900 { // deliveries are years later
		return &usageError{
			fmt.Sprintf("a book of %d days from %s is not within the years 1970 to 9900",
				c.Days, c.From),
			"see: blotter simulate --help"}
	}
	debug.SetGCPercent(50) // most memory of a large book holds its contracts, not garbage
	out := bufio.NewWriter(a.stdout)
	book := simulate.Config{Seed: c.Seed, Trades: c.Trades, From: from, Days: c.Days}
	for step := range simulate.Book(book) {
		if err := ctx.Err(); err != nil {
			return err
		}
		out.Write(lines.Format(step.Command)) // Flush returns the first error of a write
		out.WriteByte('\n')
	}
	return out.Flush()
}
