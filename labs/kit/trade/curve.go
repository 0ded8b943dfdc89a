package trade

import "time"

// A Curve is a price curve as marked: the latest price of each delivery, by (effective_at, slot
// version) of its mark. All prices are in one currency.
type Curve struct{ Points map[Period]Mark }

// A Mark is the price of one delivery.
type Mark struct {
	Price    Decimal
	Currency Currency
}

// FoldCurve returns the curve with a name, as known and as effective at the given times. The
// events may come in any order. A correction of a mark removes all its points and sets its own, in
// the same slot. A correction of an unknown event panics; StateOf and Book return an error
// instead.
func FoldCurve(name string, events []Event, at AsOf) Curve {
	c, err := foldCurve(events, at)
	if err != nil {
		panic("trade: the history of curve " + name + " is illegal: " + err.Error())
	}
	return c
}

func foldCurve(events []Event, at AsOf) (Curve, error) {
	line, bad := timelineOf(events, at)
	if bad != nil {
		return Curve{}, bad
	}
	c := Curve{Points: map[Period]Mark{}}
	for _, s := range effective(line.slots, at.Effective) {
		m, ok := s.Event.Body.(PriceMarked)
		if !ok {
			return Curve{}, &SlotError{s.Version, refuse(WrongKind, "%T is not an event of a curve",
				s.Event.Body)}
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

// Value returns the worth of a quantity of i, rounded once, to the currency's minor unit. A point
// for exactly this delivery comes first. Otherwise the delivery is cut at the ends of months, and
// its price is the mean of their points, weighted by the hours delivered in each:
//
//	round(quantity · Σ(hours · price) / Σ hours)
//
// Oil has no hours and needs no mean: it is delivered by the month. ok is false where a point is
// missing or in another currency.
//
// Value knows no time of valuation. Past months weigh as much as future ones, and a point for
// exactly this delivery comes before newer points of its months. Example: a base quarter of 2,159
// hours is marked 90, 80 and 70 by month. When only the last month is left to deliver, it is worth
// 70, but valued at the mean of 80. A contract that is delivered by the month, and marked by the
// month, has no such difference.
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
