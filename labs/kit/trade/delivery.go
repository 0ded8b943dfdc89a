package trade

import (
	"iter"
	"time"
)

// A delivery is the state of a pool under delivery: bought is positive, sold is negative.
type delivery struct {
	months      []Period
	left        []int64   // the hours of each month that are left
	undelivered Decimal   // spread over the hours that are left
	delivered   []Decimal // in each month, and not settled
}

// hoursOf returns the hours of i in each month that begin at or after from.
func hoursOf(i Instrument, from time.Time) []int64 {
	var all []int64
	for _, month := range i.Delivery.Months() {
		part := i
		part.Delivery = month
		h, err := Hours(part, from)
		if err != nil { // of an instrument whose terms were checked
			panic("trade: a contract without hours: " + err.Error())
		}
		all = append(all, h)
	}
	return all
}

func total(hours []int64) (sum int64) {
	for _, h := range hours {
		sum += h
	}
	return sum
}

// deliveringAt reports whether the delivery of a forward over hours has begun.
func (i Instrument) deliveringAt(at time.Time) bool {
	if i.Commodity == Oil || i.Option != nil {
		return false
	}
	return total(hoursOf(i, at)) < total(hoursOf(i, time.Time{}))
}

// deliveryOf adds up the contracts of one pool.
func deliveryOf(i Instrument, contracts iter.Seq[Trade], at time.Time) delivery {
	d := delivery{months: i.Delivery.Months(), left: hoursOf(i, at)}
	d.delivered = make([]Decimal, len(d.months))
	for t := range contracts {
		d.add(i, t, at)
	}
	return d
}

// add adds one contract. Settlements take the earliest hours, so the delivered quantity that is
// not settled belongs to the last hours before the time.
func (d *delivery) add(i Instrument, t Trade, at time.Time) {
	undelivered, byMonth := t.deliveredBy(i, at)
	undelivered = within(undelivered, t.Open)
	unsettled, sign, earliest := t.Open.Sub(undelivered), t.Side.Sign(), len(byMonth)-1
	d.undelivered = d.undelivered.Add(sign.Mul(undelivered))
	for n := len(byMonth) - 1; n >= 0; n-- {
		q := within(byMonth[n], unsettled)
		if q.IsZero() {
			continue
		}
		d.delivered[n] = d.delivered[n].Add(sign.Mul(q))
		unsettled, earliest = unsettled.Sub(q), n
	}
	d.delivered[earliest] = d.delivered[earliest].Add(sign.Mul(unsettled)) // by rounding
}

// deliveredBy returns the quantity that a contract has not delivered at a time, and the quantity
// that it has delivered in each month, as its flows make them. Each flow is spread evenly over the
// hours that are left at its own time; its share of some hours is rounded to six decimals. This is
// one of the named places at which this package rounds.
func (t Trade) deliveredBy(i Instrument, at time.Time) (undelivered Decimal, byMonth []Decimal) {
	if len(t.Flows) == 0 {
		panic("trade: " + t.UTI + " was read without its flows, and has no value")
	}
	byMonth = make([]Decimal, len(i.Delivery.Months()))
	for _, f := range t.Flows {
		from := f.At
		if from.Before(at) {
			from = at
		}
		then, now := hoursOf(i, f.At), hoursOf(i, from)
		hours := Int(total(then))
		if hours.IsZero() {
			continue // nothing was left to deliver
		}
		share := func(h int64) Decimal { return t.rounding.mulDiv(f.Quantity, Int(h), hours, 6) }
		undelivered = undelivered.Add(share(total(now)))
		for n := range byMonth {
			byMonth[n] = byMonth[n].Add(share(then[n] - now[n]))
		}
	}
	return undelivered, byMonth
}

// within returns q, held between zero and limit.
func within(q, limit Decimal) Decimal {
	switch {
	case q.Sign() < 0:
		return Decimal{}
	case q.Cmp(limit) > 0:
		return limit
	}
	return q
}
