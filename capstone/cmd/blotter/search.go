package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"example.com/blotter/capstone/session"
	"example.com/blotter/solutions/3-projections/search"
)

type searchCmd struct {
	Words []string          `arg:"" optional:"" help:"${search_words}"`
	Where map[string]string `help:"${search_where}" placeholder:"NAME=VALUE" mapsep:"none"`
}

// Run brings the read model for searches to the end of the log, and asks it.
func (c *searchCmd) Run(ctx context.Context, a *app) error {
	q, err := c.query()
	if err != nil {
		return err
	}
	s, err := a.open(ctx, session.Query)
	if err != nil {
		return err
	}
	system := s.System()
	model, err := s.SearchModel(ctx)
	if err != nil {
		return err
	}
	if err := system.CatchUp(ctx, model); err != nil {
		return err
	}
	answer, err := model.Search(ctx, q)
	if err != nil {
		return err
	}
	used, err := system.TimesTo(ctx, answer.Cursor)
	if err != nil {
		return err
	}
	found := append([]search.Found{}, answer.Found...) // never nil: nothing is an empty list
	return a.answer(of(s).with(used), found, func(w io.Writer) { printFound(w, found) })
}

// query refuses a search without a condition, and an attribute that no contract has.
func (c *searchCmd) query() (q search.Query, err error) {
	q = search.Query{Where: c.Where, Words: strings.Join(c.Words, " ")}
	known := search.Attributes()
	if len(q.Where) == 0 && strings.TrimSpace(q.Words) == "" {
		return q, &usageError{"a search needs words or --where",
			"the attributes of --where are " + strings.Join(known, ", ")}
	}
	for name := range q.Where {
		if !slices.Contains(known, name) {
			return q, &usageError{fmt.Sprintf("--where: a contract has no attribute %q", name),
				"the attributes are " + strings.Join(known, ", ")}
		}
	}
	return q, nil
}

func printFound(w io.Writer, found []search.Found) {
	var rows []string
	for _, f := range found {
		var reasons []string
		for _, r := range f.Reasons {
			reasons = append(reasons, fmt.Sprintf("v%d %s: %s", r.Version, r.Type, r.Reason))
		}
		rows = append(rows, fmt.Sprintf("%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s",
			f.UTI, f.Status, f.Book, f.Counterparty, f.Trader, f.Side, f.Instrument, f.Open, f.Unit,
			f.Price, f.Currency, strings.Join(reasons, "; ")))
	}
	table(w, "uti\tstatus\tbook\tcounterparty\ttrader\tside\tinstrument\topen\tunit\tprice\t"+
		"currency\treasons", rows...)
}
