package main

import (
	"fmt"
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

// moment is the instant that text names: a time, or the last microsecond of a date in the zone.
func moment(text, zone string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return t.UTC(), nil
	}
	place, err := trade.Zone(zone)
	if err != nil {
		return time.Time{}, err
	}
	day, err := time.ParseInLocation(time.DateOnly, text, place)
	if err != nil {
		return time.Time{}, fmt.Errorf("%q is neither a date nor a time", text)
	}
	return day.AddDate(0, 0, 1).Add(-time.Microsecond).UTC(), nil
}
