package trade

import (
	"iter"
	"slices"
	"time"
)

// A Valuation is a position and its worth at a time. Without a mark there is no worth, and no
// unrealised P&L: they are nil, and never zero.
type Valuation struct {
	PoolKey
	Unit     Unit    `json:"unit"`
	Quantity Decimal `json:"quantity"` // bought is positive, sold is negative

	// Quantity is the sum of these two. Delivered is delivered and not yet settled. Both are zero
	// for an option that has expired.
	Undelivered Decimal `json:"undelivered"`
	Delivered   Decimal `json:"delivered"`
	Expired     bool    `json:"expired,omitempty"` // an open option after its day of expiry

	MarketValue *Decimal   `json:"market_value"`
	AverageCost Gain       `json:"average_cost"`
	FIFO        Gain       `json:"fifo"`
	Marks       []UsedMark `json:"marks"` // that the market value comes from

	rounding Rounding
}

// A Gain is a Result and the gain so far by the open quantity.
type Gain struct {
	Result
	Unrealised *Decimal `json:"unrealised"` // market value less cost
}

// A Flow changes the quantity that a contract delivers: NEW, an amended quantity, and every
// reduction except a settlement. It is spread over the hours of the delivery that are left at its
// time. More of the contract is positive.
type Flow struct {
	At       time.Time
	Quantity Decimal
}

// addFlow adds the change of a slot to the quantity to deliver.
func (t *Trade) addFlow(s *Slot, quantity Decimal) {
	if quantity.IsZero() {
		return
	}
	f := Flow{s.Event.EffectiveAt.UTC(), quantity}
	t.Flows = append(t.Flows[:len(t.Flows):len(t.Flows)], f) // another Trade may share the array
}

// ValuedAt values the positions of s at a time, with the marks of s. It needs the whole trades, as
// StateOf and Book return them. At the zero time nothing is delivered, and nothing has expired.
//
//   - A flat position is worth nothing, marked or not.
//   - An option is worth nothing after the day of expiry in its instrument's name (UTC).
//   - Before its delivery begins, a position is worth the mark of exactly this delivery. Without
//     such a mark, each month takes the mark of the smallest marked period that contains it, and
//     the price is the mean by hours. Oil has no hours: it is delivered by the month.
//   - Once delivery has begun, the undelivered quantity is worth the mean of the months by the
//     hours that are left in each, and the delivered quantity the marks of its own hours.
//
// A worth is rounded to the currency's minor unit, once for the undelivered part and once for the
// delivered part.
func (s State) ValuedAt(at time.Time) []Valuation {
	open := map[PoolKey][]Trade{}
	for _, t := range s.Trades {
		if !t.Open.IsZero() {
			key := PoolKey{t.Book, t.Instrument, t.Currency}
			open[key] = append(open[key], t)
		}
	}
	var all []Valuation
	for _, p := range s.Positions {
		contracts := slices.Values(open[p.PoolKey])
		all = append(all, p.ValuedAt(at, contracts, s.Curves[p.Curve()], s.Rounding))
	}
	return all
}

// ValuedAt values a position of open contracts, in any order, by the rules of State.ValuedAt. It
// reads all of them only while they are delivered. A position of closed contracts is flat.
func (p Position) ValuedAt(at time.Time, open iter.Seq[Trade], c Curve, r Rounding) Valuation {
	v := Valuation{
		PoolKey: p.PoolKey, Unit: p.Unit, Quantity: p.Quantity, Undelivered: p.Quantity,
		AverageCost: Gain{Result: p.AverageCost}, FIFO: Gain{Result: p.FIFO},
		Marks: []UsedMark{}, rounding: r,
	}
	if p.Quantity.IsZero() && isEmpty(open) { // most pools of an old book
		v.worth(Decimal{})
		return v
	}
	switch i := p.instrument(); {
	case i.expired(at):
		v.Expired = !p.Quantity.IsZero()
		v.Undelivered = Decimal{}
		v.worth(Decimal{})
	case i.deliveringAt(at):
		v.valueParts(deliveryOf(i, open, at), c)
	default:
		v.valueWhole(i, c)
	}
	if v.MarketValue == nil { // a mark is missing, so the others have no effect
		v.Marks = []UsedMark{}
	}
	return v
}

func isEmpty(contracts iter.Seq[Trade]) bool {
	for range contracts {
		return false
	}
	return true
}

// worth sets the market value and the unrealised P&L.
func (v *Valuation) worth(value Decimal) {
	average, fifo := value.Sub(v.AverageCost.Cost), value.Sub(v.FIFO.Cost)
	v.MarketValue, v.AverageCost.Unrealised, v.FIFO.Unrealised = &value, &average, &fifo
}

// use notes a mark.
func (v *Valuation) use(m UsedMark) {
	same := func(o UsedMark) bool { return o.Delivery == m.Delivery }
	if !slices.ContainsFunc(v.Marks, same) {
		v.Marks = append(v.Marks, m)
	}
}

// expired reports whether the day of expiry in the name of an option is over.
func (i Instrument) expired(at time.Time) bool {
	return i.Option != nil && !at.Before(DayOf(i.Option.Until.UTC()).UTC().AddDate(0, 0, 1))
}

// valueWhole values a position whose delivery has not begun.
func (v *Valuation) valueWhole(i Instrument, c Curve) {
	if v.Quantity.IsZero() {
		v.worth(Decimal{})
		return
	}
	if m, ok := c.Points[i.Delivery]; ok && m.Currency == v.Currency {
		v.use(c.used(i.Delivery))
		v.worth(v.rounding.amount(v.Currency, m.Price, v.Quantity))
		return
	}
	months := i.Delivery.Months()
	hours := []int64{1} // oil is delivered by the month
	if i.Commodity != Oil {
		hours = hoursOf(i, time.Time{})
	}
	if value, ok := v.mean(months, hours, v.Quantity, c); ok {
		v.worth(value)
	}
}

// mean returns the worth of a quantity that is spread over hours of months. ok is false where a
// mark is missing.
func (v *Valuation) mean(months []Period, hours []int64, q Decimal, c Curve) (Decimal, bool) {
	var weighted, all Decimal
	for n, h := range hours {
		if h == 0 {
			continue
		}
		m, ok := c.covering(months[n], v.Currency)
		if !ok {
			return Decimal{}, false
		}
		v.use(m)
		weighted, all = weighted.Add(m.Price.Mul(Int(h))), all.Add(Int(h))
	}
	if all.IsZero() {
		return Decimal{}, false
	}
	return v.rounding.mulDiv(q, weighted, all, v.Currency.Places()), true
}

// valueParts values a position whose delivery has begun.
func (v *Valuation) valueParts(d delivery, c Curve) {
	v.Undelivered = d.undelivered
	v.Delivered = v.Quantity.Sub(d.undelivered)
	var value Decimal
	if !d.undelivered.IsZero() {
		left, ok := v.mean(d.months, d.left, d.undelivered, c)
		if !ok {
			return
		}
		value = left
	}
	var delivered Decimal
	for n, q := range d.delivered {
		if q.IsZero() {
			continue
		}
		m, ok := c.covering(d.months[n], v.Currency)
		if !ok {
			return
		}
		v.use(m)
		delivered = delivered.Add(m.Price.Mul(q))
	}
	v.worth(value.Add(v.rounding.amount(v.Currency, delivered, Int(1))))
}
