package main

import (
	"context"
	"fmt"
	"io"

	"example.com/blotter/capstone"
)

type exposureCmd struct {
	Book string `help:"Only this book."`
	asOf
}

func (c *exposureCmd) Run(ctx context.Context, a *app) error {
	positions, caveat, err := a.positions(ctx, c.Book, c.asOf)
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
