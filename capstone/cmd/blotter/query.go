package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"example.com/blotter/capstone"
	"example.com/blotter/capstone/session"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
)

// asOf are the flags for the two times of a question. By default all events on record count, of
// which those that take effect later are left out.
type asOf struct {
	KnownAt     moment `help:"${known_at}" placeholder:"TIME"`
	EffectiveAt moment `help:"${effective_at}" placeholder:"TIME"`
}

// basedOn are the flags of a question that also chooses whose record makes an event known.
type basedOn struct {
	asOf
	Basis string `help:"${basis}" enum:"record,source" default:"record"`
}

// system returns the flow over the log of q, which answers on the chosen basis.
func (b basedOn) system(q question) *capstone.System {
	s := q.System()
	s.BySource = b.Basis == "source"
	return s
}

// parse returns the two times, asked at now.
func (q asOf) parse(zone string, now time.Time) (at trade.AsOf, err error) {
	if at.Known, err = q.KnownAt.parse("--known-at", zone, now, trade.ParseMoment); err != nil {
		return at, err
	}
	at.Effective, err = q.EffectiveAt.parse("--effective-at", zone, now, trade.ParseMoment)
	return at, err
}

const timeHint = "give a date like 2025-01-16, a time like 2025-01-16T13:10:00Z, " +
	"or now, today, yesterday, -1d"

// A moment is a flag for a time, in the words of trade.ParseMoment. An absent flag is empty.
type moment string

// Decode takes the next argument also where it begins with a hyphen, as -1d does.
func (m *moment) Decode(c *kong.DecodeContext) error {
	token := c.Scan.Pop()
	text, ok := token.Value.(string)
	if !ok || strings.HasPrefix(text, "--") && !token.IsValue() {
		return fmt.Errorf("expected a time but got %q", token)
	}
	*m = moment(text)
	return nil
}

// parse reads the moment of a flag with one of the parsers of trade. Without the flag it is the
// zero time.
func (m moment) parse(flag, zone string, now time.Time,
	parse func(string, *time.Location, time.Time) (time.Time, error),
) (time.Time, error) {
	place, err := trade.Zone(zone)
	if err != nil {
		return time.Time{}, &usageError{"--zone: " + err.Error(),
			"name one of these; a date means the end of that day in its zone"}
	}
	if m == "" {
		return time.Time{}, nil
	}
	t, err := parse(string(m), place, now)
	if err != nil {
		err = &usageError{flag + ": " + err.Error(), timeHint}
	}
	return t, err
}

// A question is a log with the two times of a query.
type question struct {
	*session.Session
	at     trade.AsOf
	caveat caveat
	end    contract.Cursor // of the log that the answer has read; nil before
}

// question opens the log for a query. It refuses a time whose answer may still change.
func (a *app) question(ctx context.Context, times asOf) (q question, err error) {
	return a.questionAs(ctx, times, session.Query)
}

// questionAs is question with an access: Query, or Write for an answer that goes on record.
func (a *app) questionAs(
	ctx context.Context, times asOf, access session.Access,
) (q question, err error) {
	if q.at, err = times.parse(a.cli.Zone, time.Now()); err != nil {
		return q, err
	}
	past := !q.at.Known.IsZero()
	if past && access == session.Query {
		access = session.AsOfQuery
	}
	if q.Session, err = a.open(ctx, access); err != nil {
		return q, err
	}
	q.caveat = of(q.Session)
	q.caveat.mayChange = q.caveat.simulated && past
	system := q.System()
	if trade.IsPresent(string(times.KnownAt)) {
		q.at.Known, err = system.Frontier(ctx)
		return q, err
	}
	return q, system.CheckKnown(ctx, q.at.Known)
}
