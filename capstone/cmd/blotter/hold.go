package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"example.com/blotter/capstone/governance"
	"example.com/blotter/capstone/session"
	"example.com/blotter/labs/kit/trade"
)

// holdCmd has the commands about legal holds.
type holdCmd struct {
	Place holdPlaceCmd `cmd:"" help:"Keep records for as long as the hold is in force."`
	List  holdListCmd  `cmd:"" help:"List the holds: who placed and lifted them, and why."`
	Lift  holdLiftCmd  `cmd:"" help:"Lift a hold; two people do."`
}

type holdPlaceCmd struct {
	Hold         string `arg:"" help:"The id of the hold, such as case-17."`
	Trade        string `help:"Records of this contract."`
	Book         string `help:"Records of contracts that were in this book."`
	Principal    string `help:"Records of this person: who acted, or traded the contract."`
	Counterparty string `help:"Records of contracts with this counterparty."`
	From         string `help:"Records of this day and later (UTC)." placeholder:"DATE"`
	To           string `help:"Records of this day and earlier (UTC)." placeholder:"DATE"`
	Approver     string `help:"The second person, if there is one."`
	said
}

// Run puts the hold on record, then sets the legal-hold flags in the archive.
func (c *holdPlaceCmd) Run(ctx context.Context, a *app) error {
	p := governance.Placed{Hold: c.Hold, Trade: c.Trade, Book: c.Book, Principal: c.Principal,
		Counterparty: c.Counterparty}
	from, err := utcDay("--from", c.From, 0)
	if err != nil {
		return err
	}
	to, err := utcDay("--to", c.To, 1)
	if err != nil {
		return err
	}
	p.From, p.To = from, to
	s, g, err := a.governor(ctx, session.Write)
	if err != nil {
		return err
	}
	items, err := g.Place(ctx, c.entry("hold", c.Approver), p)
	if err != nil {
		return err
	}
	return a.held(s, "placed", c.Hold, items)
}

// utcDay returns the beginning of a day, or of the day after it.
func utcDay(flag, text string, after int) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	day, err := trade.ParseDay(text)
	if err != nil {
		return time.Time{}, &usageError{flag + ": " + err.Error(), "give a date like 2025-05-01"}
	}
	return (day + trade.Day(after)).UTC(), nil
}

// held says how many objects a hold keeps.
func (a *app) held(s *session.Session, did, hold string, items []governance.Item) error {
	covers, flagged := 0, 0
	for _, item := range items {
		if item.State == governance.StateGone {
			continue
		}
		if item.Held {
			flagged++
		}
		for _, id := range item.Holds {
			if id == hold {
				covers++
			}
		}
	}
	answer := map[string]any{"hold": hold, "objects": covers, "flagged": flagged}
	return a.answer(of(s), answer, func(w io.Writer) {
		printLine(w, "%s hold %s: it covers %s; %d in all have a legal-hold flag", did, hold,
			plural(int64(covers), "object"), flagged)
	})
}

// governor opens the log and the parts that keep its records.
func (a *app) governor(ctx context.Context, access session.Access) (
	*session.Session, *governance.Governor, error) {
	s, err := a.open(ctx, access)
	if err != nil {
		return nil, nil, err
	}
	g, err := s.Governor(ctx)
	return s, g, err
}

type holdListCmd struct{}

func (c *holdListCmd) Run(ctx context.Context, a *app) error {
	s, err := a.open(ctx, session.Query)
	if err != nil {
		return err
	}
	holds, err := s.Holds(ctx)
	if err != nil {
		return err
	}
	all := append([]governance.Hold{}, holds.All...) // never nil: none is an empty list
	return a.answer(of(s), all, func(w io.Writer) {
		var rows []string
		for _, h := range all {
			lifted := "in force"
			if h.Lifted != nil {
				lifted = fmt.Sprintf("lifted %s by %s, %s: %s", h.Lifted.At.Format(time.DateOnly),
					h.Lifted.Actor, h.Lifted.Approver, h.Lifted.Reason)
			}
			rows = append(rows, fmt.Sprintf("%s\t%s\t%s\t%s\t%s\t%s", h.Hold, scopeOf(h.Placed),
				h.By.At.Format(time.DateOnly), h.By.Actor, h.By.Reason, lifted))
		}
		table(w, "hold\tcovers\tplaced\tby\treason\tstate", rows...)
	})
}

func scopeOf(p governance.Placed) string {
	var parts []string
	for _, f := range [][2]string{{"trade", p.Trade}, {"book", p.Book},
		{"principal", p.Principal}, {"counterparty", p.Counterparty}} {
		if f[1] != "" {
			parts = append(parts, f[0]+"="+f[1])
		}
	}
	if !p.From.IsZero() {
		parts = append(parts, "from="+p.From.Format(time.DateOnly))
	}
	if !p.To.IsZero() {
		parts = append(parts, "before="+p.To.Format(time.DateOnly))
	}
	return strings.Join(parts, " ")
}

type holdLiftCmd struct {
	Hold     string `arg:"" help:"The id of the hold."`
	Approver string `required:"" help:"The second person, who approves."`
	said
}

func (c *holdLiftCmd) Run(ctx context.Context, a *app) error {
	s, g, err := a.governor(ctx, session.Write)
	if err != nil {
		return err
	}
	items, err := g.Lift(ctx, c.entry("hold", c.Approver), c.Hold)
	if err != nil {
		return err
	}
	return a.held(s, "lifted", c.Hold, items)
}

// retentionCmd has the commands about the retention of the archive.
type retentionCmd struct {
	Plan    retentionPlanCmd    `cmd:"" help:"List what may go when, and why."`
	Apply   retentionApplyCmd   `cmd:"" help:"Lock the archive as policy and holds say."`
	Dispose retentionDisposeCmd `cmd:"" help:"Remove what is due, with a certificate."`
}

type retentionPlanCmd struct{}

func (c *retentionPlanCmd) Run(ctx context.Context, a *app) error {
	s, g, err := a.governor(ctx, session.Query)
	if err != nil {
		return err
	}
	items, err := g.Plan(ctx)
	if err != nil {
		return err
	}
	return a.answer(of(s), items, func(w io.Writer) { printPlan(w, items) })
}

func printPlan(w io.Writer, items []governance.Item) {
	var rows []string
	for _, i := range items {
		due := i.Due.At.Format(time.DateOnly)
		if i.Open != "" {
			due = "after the end of " + i.Open
		}
		rows = append(rows, fmt.Sprintf("%s\t%d\t%d\t%s\t%s\t%s\t%s\t%s", cmp.Or(i.Name, "-"),
			i.Batch, i.Events, i.State, due, i.Until.Format(time.DateOnly),
			cmp.Or(strings.Join(i.Holds, " "), "-"), i.Rule))
	}
	table(w, "object\tbatch\tevents\tstate\tdue\tlocked until\tholds\trule", rows...)
}

type retentionApplyCmd struct{}

func (c *retentionApplyCmd) Run(ctx context.Context, a *app) error {
	s, g, err := a.governor(ctx, session.Write)
	if err != nil {
		return err
	}
	items, err := g.Apply(ctx)
	if err != nil {
		return err
	}
	return a.answer(of(s), items, func(w io.Writer) { printPlan(w, items) })
}

type retentionDisposeCmd struct {
	Approver string `required:"" help:"The second person, who approves."`
	said
}

// Run exits 1 if an object of the certificate stays.
func (c *retentionDisposeCmd) Run(ctx context.Context, a *app) error {
	s, g, err := a.governor(ctx, session.Write)
	if err != nil {
		return err
	}
	done, err := g.Dispose(ctx, c.entry("dispose", c.Approver))
	if err != nil {
		return err
	}
	answer := map[string]any{"certificate": done.Order, "deleted": done.Deleted, "kept": done.Kept,
		"more": done.More}
	err = a.answer(of(s), answer, func(w io.Writer) {
		if done.Order == "" {
			printLine(w, "nothing is due: see blotter retention plan")
			return
		}
		printLine(w, "removed %s; the certificate is event %s", plural(int64(len(done.Deleted)),
			"object"), done.Order)
		printLine(w, "  seal it: blotter seal")
		if done.More > 0 {
			printLine(w, "  %s more may go: dispose again", plural(int64(done.More), "object"))
		}
	})
	if err == nil && len(done.Kept) > 0 {
		err = &failure{fmt.Sprintf("%s of the certificate stays: %s: %s", done.Kept[0].Object,
			"not removed", done.Kept[0].Why), "find out who locked it; the outcome is on record"}
	}
	return err
}
