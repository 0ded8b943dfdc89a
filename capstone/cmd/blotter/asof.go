package main

import (
	"time"

	"example.com/blotter/labs/kit/trade"
)

// asOf are the two times of a question. Left out, they do not cut.
type asOf struct {
	KnownAt     string `help:"As it was known then: a date (its end, in the book's zone) or a time like 2025-01-16T13:10:00Z." placeholder:"TIME"`
	EffectiveAt string `help:"As it is effective then, likewise." placeholder:"TIME"`
}

func (q asOf) parse(zone string) (at trade.AsOf, err error) {
	if _, err := trade.Zone(zone); err != nil {
		return at, &usageError{"--zone: " + err.Error(), "a date means the end of that day there; the book's own is CET"}
	}
	if at.Known, err = moment(q.KnownAt, zone); err != nil {
		return at, &usageError{"--known-at: " + err.Error(), momentHint}
	}
	if at.Effective, err = moment(q.EffectiveAt, zone); err != nil {
		return at, &usageError{"--effective-at: " + err.Error(), momentHint}
	}
	return at, nil
}

const momentHint = "give a date like 2025-01-16, or a time like 2025-01-16T13:10:00Z"

// moment is the instant that text names: a time, or the last microsecond of a date in the zone. Without a text, it is zero.
func moment(text, zone string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	place, err := trade.Zone(zone)
	if err != nil {
		return time.Time{}, err
	}
	return trade.ParseBookTime(text, place)
}
