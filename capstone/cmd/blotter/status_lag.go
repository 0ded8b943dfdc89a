package main

import (
	"context"
	"errors"
	"slices"
	"time"

	"example.com/blotter/capstone"
	"example.com/blotter/labs/kit/contract"
)

// A lag is the distance of a reader from the end of the log, in all and in each partition. A reader
// that is ahead has events that the log has lost.
type lag struct {
	Of string `json:"of"`
	behind
	Ahead      string         `json:"ahead,omitempty"`
	Other      bool           `json:"other_version,omitempty"` // no event counts as read
	Partitions []partitionLag `json:"partitions"`
}

// A partitionLag is the distance of a reader from the end of one partition.
type partitionLag struct {
	Partition int32 `json:"partition"`
	Offset    int64 `json:"offset"` // the first one that it has not read
	End       int64 `json:"end"`    // of the partition
	behind
}

// behind is the number of events that a reader has not read, and the age of the first of them.
type behind struct {
	Events  int64    `json:"events"`
	Seconds *float64 `json:"seconds,omitempty"` // nil in a simulated log, whose times are invented
}

// A tail is the events that a reader has not read.
type tail struct {
	name       string // the reader, for programs
	of         string // the reader, for people
	from       contract.Cursor
	other      bool // the reader is a read model of another version
	all        unread
	partitions []unread
}

// newTail returns the tail of a reader at a cursor, in a log with an end.
func newTail(name, of string, from, end contract.Cursor) *tail {
	return &tail{name: name, of: of, from: from, partitions: make([]unread, len(end))}
}

// unread counts events that a reader has not read.
type unread struct {
	events int64
	first  time.Time // the earliest recorded_at
}

func (u *unread) add(e contract.Recorded) {
	u.events++
	if u.first.IsZero() || e.RecordedAt.Before(u.first) {
		u.first = e.RecordedAt
	}
}

func (t *tail) see(e contract.Recorded) {
	if !t.from.Covers(e.Position) {
		t.all.add(e)
		t.partitions[e.Position.Partition].add(e)
	}
}

// lag returns the distance of the reader from the end. A zero now gives no age.
func (t *tail) lag(end contract.Cursor, now time.Time) lag {
	l := lag{Of: t.name, behind: t.all.behind(now), Other: t.other, Partitions: []partitionLag{}}
	if err := t.from.Ahead(t.of, end); err != nil {
		l.Ahead = err.Error()
	}
	for n, u := range t.partitions {
		l.Partitions = append(l.Partitions, partitionLag{int32(n), t.from.At(int32(n)),
			end.At(int32(n)), u.behind(now)})
	}
	return l
}

func (u unread) behind(now time.Time) behind {
	b := behind{Events: u.events}
	if now.IsZero() {
		return b
	}
	b.Seconds = new(float64)
	if u.events > 0 {
		*b.Seconds = max(0, now.Sub(u.first).Seconds())
	}
	return b
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
		if capstone.Claimed(e) {
			l.Claimed++
		}
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

// checkEnd takes the answer of logdir.Dir.CheckEnd. It also looks for a reader that is ahead: that
// reader has events that the log has lost. Other errors are returned.
func (s *status) checkEnd(err error) error {
	var lost *contract.AheadError
	switch {
	case errors.As(err, &lost):
		s.Well, s.Problem, s.hint = false, err.Error(), aheadHint
	case err != nil:
		return err
	case slices.ContainsFunc(s.Lag, func(l lag) bool { return l.Ahead != "" }):
		s.Well, s.hint = false, aheadHint
	}
	return nil
}
