package main

import (
	"context"
	"slices"
	"time"

	"example.com/blotter/capstone/logdir"
	"example.com/blotter/labs/kit/contract"
)

// A lag is the distance of a reader from the end of the log: the events it has not read, and the
// age of the first of them. A reader that is ahead has events that the log has lost.
type lag struct {
	Of      string   `json:"of"`
	Events  int64    `json:"events"`
	Seconds *float64 `json:"seconds,omitempty"` // nil in a simulated log, whose times are invented
	Ahead   string   `json:"ahead,omitempty"`
}

// A tail is the events that a reader has not read.
type tail struct {
	of     string // the reader, for people
	from   contract.Cursor
	events int64
	first  time.Time // the earliest recorded_at
}

func (t *tail) see(e contract.Recorded) {
	if e.Position.Offset < t.from.At(e.Position.Partition) {
		return
	}
	t.events++
	if t.first.IsZero() || e.RecordedAt.Before(t.first) {
		t.first = e.RecordedAt
	}
}

// lag returns the distance of the reader from the end. A zero now gives no age.
func (t *tail) lag(of string, end contract.Cursor, now time.Time) lag {
	l := lag{Of: of, Events: t.events}
	if err := t.from.Ahead(t.of, end); err != nil {
		l.Ahead = err.Error()
	}
	if !now.IsZero() {
		l.Seconds = new(float64)
	}
	if l.Seconds != nil && t.events > 0 {
		*l.Seconds = max(0, now.Sub(t.first).Seconds())
	}
	return l
}

func (l *logStatus) count(
	ctx context.Context, log contract.Reader, end contract.Cursor, tails ...*tail,
) error {
	var last time.Time
	for e, err := range log.Read(ctx, nil, end) {
		if err != nil {
			return err
		}
		l.Events++
		if e.RecordedAt.After(last) {
			last = e.RecordedAt
		}
		for _, t := range tails {
			t.see(e)
		}
	}
	if l.Events > 0 {
		l.Last = &last
	}
	return nil
}

// compare finds events that the log has lost: those that a reader has, and those up to the reached
// mark.
func (s *status) compare(end, reached contract.Cursor) {
	if err := reached.Ahead(logdir.Writer, end); err != nil {
		s.Well, s.Problem, s.hint = false, err.Error(), aheadHint
	}
	if slices.ContainsFunc(s.Lag, func(l lag) bool { return l.Ahead != "" }) {
		s.Well, s.hint = false, aheadHint
	}
}
