package trade

import (
	"cmp"
	"maps"
	"time"
)

// A Curve is a price curve as marked: the latest price of each delivery, by (effective_at, slot
// version) of its mark. All prices are in one currency.
type Curve struct{ Points map[Period]Mark }

// A Mark is the price of one delivery, with the place of its event in the history of the curve.
type Mark struct {
	Price       Decimal
	Currency    Currency
	EffectiveAt time.Time
	Version     int64 // of the slot
}

// FoldCurve returns the curve with a name, as known and as effective at the given times. The
// events may come in any order. A correction of a mark removes all its points and sets its own, in
// the same slot. Of a parked stream, the longest legal prefix of the known events counts.
func FoldCurve(name string, events []Event, at AsOf) (Curve, *Parked) {
	l := legalityOf(CurveStream(name), events, at)
	return curveOf(effective(l.line.slots, at.Effective)), l.parked
}

// curveOf sets the points of marks, in the order of their slots.
func curveOf(slots []Slot) Curve {
	c := Curve{Points: map[Period]Mark{}}
	for _, s := range slots {
		c.set(s.Event.Body.(PriceMarked), s.Event.EffectiveAt, s.Version)
	}
	return c
}

// With returns the curve after another mark: a slot of the curve that comes after those of c.
func (c Curve) With(s Slot) Curve {
	next := Curve{maps.Clone(c.Points)}
	next.set(s.Event.Body.(PriceMarked), s.Event.EffectiveAt, s.Version)
	return next
}

func (c Curve) set(m PriceMarked, effective time.Time, slot int64) {
	for _, p := range m.Points {
		c.Points[p.Delivery] = Mark{p.Price, m.Currency, effective.UTC(), slot}
	}
}

// A UsedMark is a mark that a valuation used.
type UsedMark struct {
	Delivery    string    `json:"delivery"` // the period that was marked
	Price       Decimal   `json:"price"`
	EffectiveAt time.Time `json:"effective_at"`
}

// covering returns the mark of the smallest marked period that contains p. Of several such
// periods, the latest mark counts, by effective time and slot version, then the period that starts
// first. Marks in another currency do not count.
func (c Curve) covering(p Period, currency Currency) (UsedMark, bool) {
	var best Period
	found := false
	//determinism:unordered no two periods are equally close
	for q, m := range c.Points {
		if q.Start > p.Start || q.End < p.End || m.Currency != currency {
			continue
		}
		if !found || c.closer(q, best) < 0 {
			best, found = q, true
		}
	}
	return c.used(best), found
}

// MarkOf returns the mark that values one month of an instrument at a time, by the rules of
// State.ValuedAt. ok is false where the mark is missing.
func (c Curve) MarkOf(i Instrument, month Period, in Currency, at time.Time) (UsedMark, bool) {
	m, exact := c.Points[i.Delivery]
	if exact && m.Currency == in && !i.deliveringAt(at) {
		return c.used(i.Delivery), true
	}
	return c.covering(month, in)
}

func (c Curve) used(p Period) UsedMark {
	m := c.Points[p]
	return UsedMark{p.String(), m.Price, m.EffectiveAt}
}

// closer orders the marked periods that contain a month.
func (c Curve) closer(a, b Period) int {
	m, o := c.Points[a], c.Points[b]
	return cmp.Or(
		cmp.Compare(a.End-a.Start, b.End-b.Start),
		o.EffectiveAt.Compare(m.EffectiveAt),
		cmp.Compare(o.Version, m.Version),
		cmp.Compare(a.Start, b.Start),
	)
}
