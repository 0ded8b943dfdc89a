package trade_test

import (
	"cmp"
	"maps"
	"math/big"
	"slices"
	"strings"
	"sync"
	"time"

	"example.com/blotter/labs/kit/trade"
)

// This file holds the values of the oracle. It lists every hour of a delivery, by the clock on the
// wall, and looks at each.

// An oracleFlow changes the quantity that a contract delivers from a time on.
type oracleFlow struct {
	at       time.Time
	quantity *big.Rat // more of the contract is positive
}

func (c *oracleTrade) flow(s oracleSlot, q *big.Rat) {
	c.flows = append(c.flows, oracleFlow{s.last.EffectiveAt, q})
}

// An oracleMark is a price in force.
type oracleMark struct {
	name       string // of the delivery
	start, end time.Time
	price      *big.Rat
	currency   trade.Currency
	event      oracleSlot
}

// curve takes the marks in their order, so that the last of a delivery stays.
func (o *oracle) curve(name string, slots []oracleSlot) {
	o.marks[name] = map[string]oracleMark{}
	for _, s := range slots {
		m := s.last.Body.(trade.PriceMarked)
		for _, p := range m.Points {
			o.marks[name][p.Delivery.String()] = oracleMark{p.Delivery.String(),
				p.Delivery.Start.UTC(), p.Delivery.End.UTC(), rat(p.Price), m.Currency, s}
		}
	}
}

// An oracleHour is an hour of a delivery, with the calendar month that it belongs to.
type oracleHour struct {
	begins time.Time
	month  string
}

// hourLists keeps the list of each delivery: the tests ask for the same few, many times.
var hourLists sync.Map

// hoursOf lists the hours of a delivery on the Continent, in order.
func hoursOf(i trade.Instrument) (all []oracleHour) {
	if known, ok := hourLists.Load(i.ID()); ok {
		return known.([]oracleHour)
	}
	zone, err := trade.Zone("BE")
	if err != nil {
		panic(err)
	}
	const day = 24 * time.Hour
	start, end := i.Delivery.Start.UTC(), i.Delivery.End.UTC()
	for h := start.Add(-2 * day); h.Before(end.Add(2 * day)); h = h.Add(time.Hour) {
		wall := h.In(zone)
		d := time.Date(wall.Year(), wall.Month(), wall.Day(), 0, 0, 0, 0, time.UTC)
		if i.Commodity == trade.Gas && wall.Hour() < 6 {
			d = d.Add(-day) // the gas day began on the day before
		}
		weekend := wall.Weekday() == time.Saturday || wall.Weekday() == time.Sunday
		off := i.Profile == "peak" && (weekend || wall.Hour() < 8 || wall.Hour() >= 20)
		if !d.Before(start) && d.Before(end) && !off {
			all = append(all, oracleHour{h, d.Format("2006-01")})
		}
	}
	hourLists.Store(i.ID(), all)
	return all
}

// A monthly is a quantity by month of delivery.
type monthly map[string]*big.Rat

func (m monthly) add(month string, q *big.Rat) {
	if m[month] == nil {
		m[month] = new(big.Rat)
	}
	m[month] = add(m[month], q)
}

// spread spreads a quantity evenly over the hours that begin at or after a time.
func spread(q *big.Rat, i trade.Instrument, from time.Time) monthly {
	if i.Commodity == trade.Oil { // delivered by the month
		return monthly{i.Delivery.String(): q}
	}
	var left []oracleHour
	for _, h := range hoursOf(i) {
		if !h.begins.Before(from) {
			left = append(left, h)
		}
	}
	all := monthly{}
	for _, h := range left {
		all.add(h.month, quo(q, sign(len(left))))
	}
	return all
}

// An oracleValue is the worth of a pool at a time.
type oracleValue struct {
	undelivered, delivered *big.Rat
	expired                bool
	worth                  *big.Rat // nil where a mark is missing
	marks                  []string // the deliveries of the marks, sorted
}

// value values a pool that holds a quantity.
func (o *oracle) value(pool string, held *big.Rat, at time.Time) oracleValue {
	parts := strings.Split(pool, "|")
	i, err := trade.ParseInstrumentID(parts[1])
	if err != nil {
		panic(err)
	}
	none := new(big.Rat)
	if i.Option != nil && at.UTC().Format(time.DateOnly) > i.Option.Until.Format(time.DateOnly) {
		o.see(held.Sign() != 0, "an expired option")
		return oracleValue{none, none, held.Sign() != 0, none, nil} // it delivers nothing
	}
	v := oracleValue{held, none, false, nil, nil}
	left, unsettled := spread(held, i, time.Time{}), monthly{}
	if h := hoursOf(i); i.Commodity != trade.Oil && h[0].begins.Before(at) {
		v.undelivered, unsettled = o.deliver(pool, at)
		v.delivered = sub(held, v.undelivered)
		left = spread(v.undelivered, i, at)
		o.see(v.delivered.Sign() != 0, "delivered and not settled")
		o.see(v.undelivered.Sign() != 0, "left of a delivery")
	} else if m, ok := o.marks[i.Curve()][i.Delivery.String()]; ok &&
		string(m.currency) == parts[2] && held.Sign() != 0 {
		v.worth = halfEven(mul(held, m.price), placesOf(m.currency))
		v.marks = []string{m.name}
		o.see(len(o.marks[i.Curve()]) > 1, "a mark of exactly the delivery beside others")
		return v
	}
	v.worth, v.marks = o.worth(i, trade.Currency(parts[2]), left, unsettled)
	return v
}

// worth values quantities at the marks of their months, each list in one sum.
func (o *oracle) worth(
	i trade.Instrument, c trade.Currency, lists ...monthly,
) (*big.Rat, []string) {
	worth, used := new(big.Rat), map[string]bool{}
	for _, list := range lists {
		sum := new(big.Rat)
		for month, q := range list {
			if q.Sign() == 0 {
				continue
			}
			m, ok := o.markOf(i, month, c)
			if !ok {
				o.seen["a month without a mark"]++
				return nil, nil
			}
			used[m.name] = true
			sum = add(sum, mul(q, m.price))
		}
		worth = add(worth, halfEven(sum, placesOf(c)))
	}
	return worth, slices.Sorted(maps.Keys(used))
}

// deliver adds up the contracts of a pool: the quantity that is still to be delivered, and the
// delivered one that no settlement has taken.
func (o *oracle) deliver(pool string, at time.Time) (left *big.Rat, unsettled monthly) {
	left, unsettled = new(big.Rat), monthly{}
	for _, c := range o.trades {
		if c.total["open"].Sign() == 0 || c.pool() != pool {
			continue
		}
		l, u := c.deliver(at)
		left = add(left, mul(sign(c.side), l))
		for month, q := range u {
			unsettled.add(month, mul(sign(c.side), q))
		}
	}
	return left, unsettled
}

// deliver looks at every hour once for each flow. Then it settles the earliest hours first: the
// last ones remain.
func (c *oracleTrade) deliver(at time.Time) (left *big.Rat, unsettled monthly) {
	left, unsettled = new(big.Rat), monthly{}
	hours, gone := hoursOf(c.terms.Instrument), monthly{}
	for _, f := range c.flows {
		all, still, over := 0, 0, map[string]int{}
		for _, h := range hours {
			switch {
			case h.begins.Before(f.at):
				continue
			case h.begins.Before(at):
				over[h.month]++
			default:
				still++
			}
			all++
		}
		c.see(f.at.After(hours[0].begins), "a flow during delivery")
		share := func(n int) *big.Rat {
			return halfEven(mul(f.quantity, big.NewRat(int64(n), int64(max(all, 1)))), 6)
		}
		left = add(left, share(still))
		for month, n := range over {
			gone.add(month, share(n))
		}
	}
	c.see(left.Cmp(c.total["open"]) > 0, "settled before its delivery")
	left = between(left, c.total["open"])
	rest := sub(c.total["open"], left)
	first := hours[len(hours)-1].month
	for _, month := range slices.Backward(slices.Sorted(maps.Keys(gone))) {
		q := between(gone[month], rest)
		if rest = sub(rest, q); q.Sign() > 0 {
			unsettled.add(month, q)
			first = month
		}
	}
	c.see(rest.Sign() > 0, "more unsettled than the hours delivered")
	unsettled.add(first, rest)
	return left, unsettled
}

// between returns q, or the end of [0, most] that it lies beyond.
func between(q, most *big.Rat) *big.Rat {
	switch {
	case q.Sign() < 0:
		return new(big.Rat)
	case q.Cmp(most) > 0:
		return most
	}
	return q
}

// markOf returns the mark for a month of a delivery: that of the smallest period which has all days
// of the delivery in this month. Of several, the latest counts, then the one that starts first.
func (o *oracle) markOf(i trade.Instrument, month string, c trade.Currency) (oracleMark, bool) {
	first := period(month).Start
	end := min(period(month).End, i.Delivery.End).UTC()
	start := max(first, i.Delivery.Start).UTC()
	var all []oracleMark
	for _, m := range o.marks[i.Curve()] {
		if m.currency == c && !m.start.After(start) && !m.end.Before(end) {
			all = append(all, m)
		}
	}
	if len(all) == 0 {
		return oracleMark{}, false
	}
	days := func(m oracleMark) int { return int(m.end.Sub(m.start).Hours()) / 24 }
	slices.SortFunc(all, func(a, b oracleMark) int {
		return cmp.Or(
			days(a)-days(b),
			-a.event.last.EffectiveAt.Compare(b.event.last.EffectiveAt),
			-int(a.event.root.Version-b.event.root.Version),
			a.start.Compare(b.start),
		)
	})
	o.see(days(all[0]) > 31, "the mark of a period longer than a month")
	if len(all) > 1 && days(all[0]) == days(all[1]) {
		later := all[0].event.last.ID != all[1].event.last.ID
		o.see(later, "two periods alike: the later mark")
		o.see(!later, "two periods alike: the earlier start")
	}
	return all[0], true
}

func (o *oracle) see(is bool, what string) {
	if is {
		o.seen[what]++
	}
}

func (c *oracleTrade) see(is bool, what string) {
	if is {
		c.seen[what]++
	}
}
