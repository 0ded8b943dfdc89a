package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"example.com/blotter/capstone"
	"example.com/blotter/capstone/explain"
	"example.com/blotter/capstone/session"
	"example.com/blotter/labs/kit/trade"
)

type explainCmd struct {
	Book    string `help:"Only this book."`
	From    moment `required:"" help:"${explain_from}" placeholder:"DAY"`
	To      moment `help:"${explain_to}" placeholder:"DAY"`
	KnownAt moment `help:"${explain_known_at}" placeholder:"T1..T2"`
	Top     int    `default:"20" help:"${explain_top}" placeholder:"N"`
}

func (c *explainCmd) Run(ctx context.Context, a *app) error {
	from, to, err := c.effective(a.cli.Zone, time.Now())
	if err != nil {
		return err
	}
	h, s, err := a.history(ctx, session.AsOfQuery)
	if err != nil {
		return err
	}
	if from.Known, to.Known, err = c.known(ctx, a, s, from, to); err != nil {
		return err
	}
	if to.Effective.Before(from.Effective) || to.Known.Before(from.Known) {
		return &usageError{"the second question is earlier than the first",
			"give the earlier day to --from, and the earlier time first to --known-at"}
	}
	all := ofBook(explain.Between(h.streams, from, to), c.Book)
	caveat := h.caveat(s, to, c.Book)
	caveat.mayChange = caveat.simulated
	r := report{all, [2]string{"from", "to"}, [2]trade.AsOf{from, to}, c.Top}
	return firstOf(checkBook(c.Book, len(all)), a.answer(caveat, r.rows(), r.print))
}

// effective returns the questions with their effective times.
func (c *explainCmd) effective(zone string, now time.Time) (from, to trade.AsOf, err error) {
	from.Effective, err = c.From.parse("--from", zone, now, trade.ParseMoment)
	if err == nil {
		to.Effective, err = c.To.parse("--to", zone, now, trade.ParseMoment)
	}
	if to.Effective.IsZero() {
		to.Effective = from.Effective
	}
	return from, to, err
}

// known returns the times at which the questions are known: those of --known-at, or else each day
// as known at its end. One day alone is explained from its end to now.
func (c *explainCmd) known(
	ctx context.Context, a *app, s *session.Session, from, to trade.AsOf,
) (first, second time.Time, err error) {
	words := [2]moment{c.From, c.To}
	if c.KnownAt != "" {
		t1, t2, ok := strings.Cut(string(c.KnownAt), "..")
		if !ok || t1 == "" || t2 == "" {
			return first, second, &usageError{fmt.Sprintf("--known-at: %q is not T1..T2",
				string(c.KnownAt)), timeHint}
		}
		words = [2]moment{moment(t1), moment(t2)}
	}
	if first, err = a.knownAt(ctx, s, words[0]); err != nil {
		return first, second, err
	}
	if words[1] != "" {
		second, err = a.knownAt(ctx, s, words[1])
		return first, second, err
	}
	now, err := s.System().Now(ctx)
	return first, now.Known, err
}

// knownAt parses the known time of a question. It refuses a time whose answer may still change.
func (a *app) knownAt(ctx context.Context, s *session.Session, m moment) (time.Time, error) {
	if trade.IsPresent(string(m)) {
		return s.System().Frontier(ctx)
	}
	known, err := m.parse("--known-at", a.cli.Zone, time.Now(), trade.ParseMoment)
	if err == nil {
		err = s.System().CheckKnown(ctx, known)
	}
	return known, err
}

// caveat returns the caveat of an answer about a book, or about all books if it is empty.
func (h history) caveat(s *session.Session, at trade.AsOf, book string) caveat {
	c := of(s)
	c.about(book, trade.Mismatches(h.streams, at.Known), trade.StateOf(h.streams, at).Parked)
	later := 0
	for stream, events := range h.streams {
		if trade.Folds(stream) {
			later += trade.Later(stream, events, at)
		}
	}
	return c.with(capstone.Times{AsOf: at, Later: later})
}

// ofBook returns the differences of a book, or all if it is empty.
func ofBook(all []explain.Difference, book string) []explain.Difference {
	return slices.DeleteFunc(all, func(d explain.Difference) bool {
		return book != "" && d.Book != book
	})
}
