package main

import (
	"bufio"
	"context"
	"fmt"
	"runtime/debug"
	"time"

	"example.com/blotter/capstone/lines"
	"example.com/blotter/capstone/simulate"
)

type simulateCmd struct {
	Seed   uint64 `help:"The same seed gives the same book." default:"1"`
	Trades int    `help:"How many trades to begin." default:"500"`
	From   string `help:"First day of the book." default:"2025-01-01"`
	Days   int    `help:"How many days it spans." default:"365"`
}

func (c *simulateCmd) Run(ctx context.Context, a *app) error {
	from, err := time.Parse(time.DateOnly, c.From)
	if err != nil {
		return &usageError{fmt.Sprintf("--from: %q is not a date", c.From), "give a date like 2025-01-01"}
	}
	if c.Trades < 1 || c.Days < 1 {
		return &usageError{"--trades and --days are at least 1", "see: blotter simulate --help"}
	}
	if last := from.AddDate(0, 0, c.Days); from.Year() < 1970 || last.Before(from) || last.Year() > 9900 { // deliveries come years later
		return &usageError{fmt.Sprintf("a book of %d days from %s is not within the years 1970 to 9900", c.Days, c.From), "see: blotter simulate --help"}
	}
	debug.SetGCPercent(50) // the contracts of a large book are long-lived, and garbage is the smaller part
	out := bufio.NewWriter(a.stdout)
	for step := range simulate.Book(simulate.Config{Seed: c.Seed, Trades: c.Trades, From: from, Days: c.Days}) {
		if err := ctx.Err(); err != nil {
			return err
		}
		out.Write(lines.Format(step.Command)) // the writer keeps its first error for Flush
		out.WriteByte('\n')
	}
	return out.Flush()
}
