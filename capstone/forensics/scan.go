package forensics

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"example.com/blotter/labs/kit/trade"
)

// A Log is an Index in memory. It looks at every row for each question.
type Log struct {
	rows    []Row // in the order of Fact.compare
	streams map[string][]trade.Event
}

var _ Index = (*Log)(nil)

// NewLog returns the index of entries of whole streams, which may come in any order.
func NewLog(entries []Entry) *Log {
	streams := map[string][]Entry{}
	for _, e := range entries {
		streams[e.Stream] = append(streams[e.Stream], e)
	}
	l := &Log{streams: map[string][]trade.Event{}}
	for stream, all := range streams {
		slices.SortFunc(all, func(a, b Entry) int { return cmp.Compare(a.Version, b.Version) })
		l.rows = append(l.rows, RowsOf(stream, nil, all)...)
		for _, e := range all {
			l.streams[stream] = append(l.streams[stream], e.event())
		}
	}
	slices.SortFunc(l.rows, func(a, b Row) int { return a.compare(b.Fact) })
	return l
}

// Find implements Index.
func (l *Log) Find(_ context.Context, q Question) (all []Finding, err error) {
	switch q.Kind {
	case Field:
		all = l.field(q)
	case Rebook:
		all = l.rebooked(q)
	default:
		for _, r := range l.rows {
			if f, ok := q.matches(r); ok && q.selects(r.Fact) {
				all = append(all, f)
			}
		}
	}
	switch q.Kind {
	case Late:
		slices.SortStableFunc(all, func(a, b Finding) int {
			return cmp.Or(cmp.Compare(q.delay(b.Fact), q.delay(a.Fact)), a.compareStream(b.Fact))
		})
	case OutOfHours:
		slices.SortStableFunc(all, func(a, b Finding) int {
			return cmp.Or(a.EnteredAt.Compare(b.EnteredAt), a.compareStream(b.Fact))
		})
	}
	if q.Limit > 0 && len(all) > q.Limit {
		all = all[:q.Limit]
	}
	return all, nil
}

// matches reports whether a row is of the kind that q asks for.
func (q Question) matches(r Row) (f Finding, ok bool) {
	f.Fact = r.Fact
	switch q.Kind {
	case Principal:
		f.Roles, ok = r.Touches()[q.Principal]
	case OutOfHours:
		zone, _ := trade.Zone(q.Zone)
		ok = IsOutOfHours(r.EnteredAt, zone) && (q.Principal == "" || q.Principal == r.Actor)
	case FourEyes:
		f.Breach, ok = r.Breach, r.Breach != ""
	case Late:
		f.Seconds, ok = int64(q.delay(r.Fact)/time.Second), q.delay(r.Fact) >= q.Over
	case AfterClose:
		f.Status, ok = r.Closed, r.Closed != ""
	}
	return f, ok
}

func (q Question) delay(f Fact) time.Duration {
	if q.Entry {
		return f.Delay()
	}
	return f.Backdating()
}

// selects reports whether an event counts for q, by its times.
func (q Question) selects(f Fact) bool {
	at := f.RecordedAt
	if q.Kind == OutOfHours {
		at = f.EnteredAt
	}
	return q.Knows(f.RecordedAt) && q.Counts(f.EffectiveAt) &&
		!at.Before(q.From) && (q.Until.IsZero() || !at.After(q.Until))
}

func (l *Log) field(q Question) (all []Finding) {
	old := ""
	for _, r := range l.rows {
		if r.Stream != q.Stream {
			continue
		}
		for _, c := range r.Changes {
			if c.Field != q.Field || c.Value == old {
				continue
			}
			if q.selects(r.Fact) {
				all = append(all, Finding{Fact: r.Fact, Old: old, New: c.Value})
			}
			old = c.Value
		}
	}
	return all
}

func (l *Log) rebooked(q Question) (all []Finding) {
	for _, b := range l.rows {
		if b.Booked == nil || !q.selects(b.Fact) {
			continue
		}
		for _, c := range l.rows {
			gap := b.RecordedAt.Sub(c.RecordedAt)
			if c.Cancelled != nil && gap >= 0 && gap <= q.Within &&
				c.Cancelled.like(*b.Booked, q.Tolerance) {
				all = append(all, Finding{Fact: b.Fact, Booked: b.Booked, Replaced: c.Cancelled})
			}
		}
	}
	return all
}

// like reports whether another contract has the same book, instrument and side, and a quantity and
// a price within a tolerance in parts per million.
func (d Deal) like(o Deal, tolerance int64) bool {
	within := func(a, b trade.Decimal) bool {
		return b.Sub(a).Abs().Mul(trade.Int(million)).Cmp(a.Abs().Mul(trade.Int(tolerance))) <= 0
	}
	return d.UTI != o.UTI && d.Book == o.Book && d.Instrument == o.Instrument &&
		d.Side == o.Side && within(d.Quantity, o.Quantity) && within(d.Price, o.Price)
}

const million = 1_000_000

// Facts implements Index.
func (l *Log) Facts(_ context.Context, ids []uuid.UUID) ([]Fact, error) {
	return l.facts(func(f Fact) bool { return slices.Contains(ids, f.ID) }), nil
}

// Effects implements Index.
func (l *Log) Effects(_ context.Context, ids []uuid.UUID) ([]Fact, error) {
	return l.facts(func(f Fact) bool {
		return slices.Contains(ids, f.Causation) || slices.Contains(ids, f.Corrects)
	}), nil
}

func (l *Log) facts(wanted func(Fact) bool) (all []Fact) {
	for _, r := range l.rows {
		if wanted(r.Fact) {
			all = append(all, r.Fact)
		}
	}
	return all
}

// Links implements Index.
func (l *Log) Links(_ context.Context, utis []string) (all []Link, err error) {
	for _, r := range l.rows {
		for _, link := range r.Links {
			if slices.Contains(utis, link.FromUTI) || slices.Contains(utis, link.ToUTI) {
				all = append(all, link)
			}
		}
	}
	return all, nil
}

// Book implements Index.
func (l *Log) Book(_ context.Context, book string) (map[string][]trade.Event, error) {
	streams := map[string][]trade.Event{}
	for _, r := range l.rows {
		if slices.Contains(r.Changes, Change{"book", book}) ||
			strings.HasPrefix(r.Stream, trade.CurveStream("")) {
			streams[r.Stream] = l.streams[r.Stream]
		}
	}
	return streams, nil
}

// History implements Index.
func (l *Log) History(_ context.Context, stream string) ([]Fact, []trade.Event, error) {
	facts := l.facts(func(f Fact) bool { return f.Stream == stream })
	slices.SortFunc(facts, Fact.compareStream)
	return facts, l.streams[stream], nil
}
