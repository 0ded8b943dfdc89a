package main

import (
	"context"
	"time"

	"example.com/blotter/capstone/session"
	"example.com/blotter/labs/kit/trade"
)

// asOf are the flags for the two times of a question. By default all events count.
type asOf struct {
	KnownAt     string `help:"${known_at}" placeholder:"TIME"`
	EffectiveAt string `help:"${effective_at}" placeholder:"TIME"`
}

func (q asOf) parse(zone string) (at trade.AsOf, err error) {
	if _, err := trade.Zone(zone); err != nil {
		return at, &usageError{"--zone: " + err.Error(),
			"a date means the end of that day there; the book's own is CET"}
	}
	if at.Known, err = endOf(q.KnownAt, zone); err != nil {
		return at, &usageError{"--known-at: " + err.Error(), timeHint}
	}
	if at.Effective, err = endOf(q.EffectiveAt, zone); err != nil {
		return at, &usageError{"--effective-at: " + err.Error(), timeHint}
	}
	return at, nil
}

const timeHint = "give a date like 2025-01-16, or a time like 2025-01-16T13:10:00Z"

// endOf parses a time, or a date as its last microsecond in the zone. An empty text is the zero
// time.
func endOf(text, zone string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	place, err := trade.Zone(zone)
	if err != nil {
		return time.Time{}, err
	}
	return trade.ParseBookTime(text, place)
}

// A question is a log with the two times of a query.
type question struct {
	*session.Session
	at     trade.AsOf
	caveat caveat
}

// question opens the log for a query. It refuses a time whose answer may still change.
func (a *app) question(ctx context.Context, times asOf) (q question, err error) {
	if q.at, err = times.parse(a.cli.Zone); err != nil {
		return q, err
	}
	access := session.Query
	if !q.at.Known.IsZero() {
		access = session.AsOfQuery
	}
	if q.Session, err = a.open(ctx, access); err != nil {
		return q, err
	}
	q.caveat = of(q.Session)
	q.caveat.mayChange = q.caveat.simulated && access == session.AsOfQuery
	return q, q.System().CheckKnown(ctx, q.at.Known)
}
