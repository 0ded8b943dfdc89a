package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"example.com/blotter/labs/kit/trade"
	"example.com/blotter/solutions/3-projections/confirmations"
)

type confirmationsCmd struct {
	Status       string   `help:"${confirm_status}" enum:"${confirm_statuses}" default:""`
	Book         string   `help:"Only confirmations of trades of this book."`
	Counterparty string   `help:"Only confirmations of trades with this counterparty."`
	Days         int      `help:"${confirm_days}" default:"2"`
	Holiday      []string `help:"${confirm_holiday}" placeholder:"DATE"`
	asOf
}

// A confirmationAnswer is a trade.Confirmation at the time of a question.
type confirmationAnswer struct {
	Status   string    `json:"status"`
	Late     bool      `json:"late"`
	Deadline time.Time `json:"deadline"`
	trade.Confirmation
}

// Run brings the read model of confirmations to the end of the log, and asks it.
func (c *confirmationsCmd) Run(ctx context.Context, a *app) error {
	calendar, err := c.calendar(a.cli.Zone)
	if err != nil {
		return err
	}
	q, err := a.question(ctx, c.asOf)
	if err != nil {
		return err
	}
	system := q.System()
	used, err := system.Now(ctx)
	if err != nil {
		return err
	}
	if used.Effective = used.Known; !q.at.Effective.IsZero() {
		used.Effective = q.at.Effective
	}
	if !q.at.Known.IsZero() {
		used.Known = q.at.Known
	}
	model, err := q.ConfirmationsModel(ctx)
	if err != nil {
		return err
	}
	if err := system.CatchUp(ctx, model); err != nil {
		return err
	}
	answer, err := model.Confirmations(ctx, confirmations.Query{
		Book: c.Book, Counterparty: c.Counterparty, Known: q.at.Known,
	})
	if err != nil {
		return err
	}
	found := []confirmationAnswer{} // never nil: nothing is an empty list
	for _, confirmation := range answer.Found {
		status, _ := confirmation.Standing()
		late := confirmation.Late(used.Effective, c.Days, calendar)
		if c.Status == "" || c.Status == status || c.Status == "late" && late {
			found = append(found, confirmationAnswer{status, late,
				confirmation.Deadline(c.Days, calendar), confirmation})
		}
	}
	return a.answer(q.caveat.with(used), found, func(w io.Writer) {
		printConfirmations(w, found)
	})
}

// calendar returns the business days of the book.
func (c *confirmationsCmd) calendar(zone string) (in trade.Calendar, err error) {
	if in.Zone, err = trade.Zone(zone); err != nil {
		return in, &usageError{"--zone: " + err.Error(), "name one of these"}
	}
	if c.Days < 0 || c.Days > 366 {
		return in, &usageError{fmt.Sprintf("--days: %d business days", c.Days),
			"give 0 to 366 days"}
	}
	in.Holidays = map[trade.Day]bool{}
	for _, text := range c.Holiday {
		day, err := trade.ParseDay(text)
		if err != nil {
			return in, &usageError{"--holiday: " + err.Error(), "give a date like 2025-05-01"}
		}
		in.Holidays[day] = true
	}
	return in, nil
}

func printConfirmations(w io.Writer, found []confirmationAnswer) {
	var rows []string
	for _, c := range found {
		late, parked, reference := "", "", ""
		if c.Late {
			late = "late"
		}
		if c.Parked || c.Waiting {
			parked = "parked"
		}
		if _, last := c.Standing(); last != nil {
			reference = last.Reference
		}
		rows = append(rows, fmt.Sprintf("%s\t%s\t%s\t%s\t%s\t%d\t%s\t%s\t%s\t%s\t%s", c.UTI,
			c.Status, late, c.Book, c.Counterparty, c.Version, c.Event,
			c.Since.Format(time.RFC3339Nano), c.Deadline.Format(time.RFC3339Nano), reference,
			parked))
	}
	table(w, "uti\tstatus\tlate\tbook\tcounterparty\tversion\tconfirms event\tsince\tdeadline\t"+
		"reference\tparked", rows...)
}
