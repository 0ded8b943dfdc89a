package trade

import "time"

// A Curve is a price curve as marked: the latest price of each delivery, by (effective_at, slot version) of its mark. All are in one
// currency.
type Curve struct{ Points map[Period]Mark }

// A Mark is the price of one delivery.
type Mark struct {
	Price    Decimal
	Currency Currency
}

// FoldCurve is the curve of that name, as known and as effective at the times given. The events come in any order. A corrected
// mark takes all its points back and sets those of its correction, in the same slot. A correction of no event that is there
// panics: StateOf and Book say so with an error.
func FoldCurve(name string, events []Event, at AsOf) Curve {
	c, bad := foldCurve(events, at)
	if bad != nil {
		panic("trade: the history of curve " + name + " is illegal: " + bad.Error())
	}
	return c
}

func foldCurve(events []Event, at AsOf) (Curve, *SlotError) {
	line, bad := timelineOf(events, at)
	if bad != nil {
		return Curve{}, bad
	}
	c := Curve{Points: map[Period]Mark{}}
	for _, s := range effective(line.slots, at.Effective) {
		m, ok := s.Event.Body.(PriceMarked)
		if !ok {
			return Curve{}, &SlotError{s.Version, refuse(WrongKind, "%T is not an event of a curve", s.Event.Body)}
		}
		c.set(m)
	}
	return c, nil
}

func (c Curve) set(m PriceMarked) {
	for _, p := range m.Points {
		c.Points[p.Delivery] = Mark{p.Price, m.Currency}
	}
}

// Value is what quantity of i is worth, rounded once, to the currency's minor unit. A point for the very delivery comes
// first. Otherwise the delivery is cut at the ends of months, and worth the mean of their points, each weighted by
// the hours delivered in it:
//
//	round(quantity · Σ(hours · price) / Σ hours)
//
// Oil has no hours and needs no mean: it is delivered by the month. ok is false where a point is missing, or is
// in another currency.
//
// It knows no time of valuation: the months that are over weigh like those to come, and a point for the very delivery comes before
// points of its months that are newer. Of a base quarter of 2,159 hours, marked 90, 80 and 70 by month, a third may be all that
// is left: it is the last month, and worth 70, but valued at the mean of 80.00. Who delivers by the month and marks by the month
// has no such difference.
func (c Curve) Value(i Instrument, quantity Decimal, currency Currency) (value Decimal, ok bool) {
	if m, ok := c.Points[i.Delivery]; ok {
		return currency.Amount(m.Price, quantity), m.Currency == currency
	}
	var weighted, hours Decimal
	for _, part := range i.Delivery.months() {
		m, ok := c.Points[month(part.Start)]
		i.Delivery = part
		h, err := Hours(i, time.Time{})
		if !ok || m.Currency != currency || err != nil {
			return Decimal{}, false
		}
		weighted, hours = weighted.Add(m.Price.Mul(Int(h))), hours.Add(Int(h))
	}
	if hours.IsZero() {
		return Decimal{}, false
	}
	return MulDiv(quantity, weighted, hours, currency.Places()), true
}
