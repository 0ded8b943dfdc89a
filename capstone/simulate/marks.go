package simulate

import (
	"time"

	"example.com/blotter/labs/kit/trade"
)

// close ends a day: every market moves and is marked. Now and then the mark is wrong, and mended the same evening if it is not refused.
func (d *desk) close(at time.Time) {
	for _, m := range d.markets {
		d.walk(m)
		at = at.Add(time.Second)
		mark := trade.PriceMarked{Curve: m.instrument.Curve(), Currency: m.currency}
		for _, p := range m.deliveries(at) {
			mark.Points = append(mark.Points, trade.Point{Delivery: p, Price: price(m.ticks(p))})
		}
		d.mark(m, at, mark)
	}
}

func (d *desk) mark(m *market, at time.Time, right trade.PriceMarked) {
	wrong := right
	wrong.Points = append([]trade.Point(nil), right.Points...)
	slip := &wrong.Points[d.rng.IntN(len(wrong.Points))]
	switch d.rng.IntN(90) {
	case 0: // seen at once
		slip.Delivery = wrong.Points[0].Delivery
		wrong.Points = append(wrong.Points, wrong.Points[0])
		d.enter(&m.curve, at, trade.Command{Actor: "risk/1", Reason: "close", Body: wrong}, trade.BadTerms)
	case 1: // seen later
		slip.Price = slip.Price.Add(trade.Int(10))
		if !d.enter(&m.curve, at, trade.Command{Actor: "risk/1", Reason: "close", Body: wrong}, "") {
			return
		}
		fix := trade.Command{Actor: "risk/2", Reason: "a digit was wrong", Corrects: m.curve.history[0].ID, Body: right}
		d.plan(at.Add(20*time.Minute), func(at time.Time) { d.enter(&m.curve, at, fix, "") })
		return
	case 2: // the column beside it
		if wrong.Currency = "NOK"; len(m.curve.history) > 0 {
			d.enter(&m.curve, at, trade.Command{Actor: "risk/1", Reason: "close", Body: wrong}, trade.OtherCurrency)
		}
	}
	d.enter(&m.curve, at, trade.Command{Actor: "risk/1", Reason: "close", Body: right}, "")
}

// markOption marks the curve of an option as long as there is something to value, about once a month: inner worth, and
// something for the time left.
func (d *desk) markOption(c *contract, at time.Time) {
	o := c.now.Terms.Instrument.Option
	if !c.live() || at.After(o.Until) {
		return
	}
	p := c.now.Terms.Instrument.Delivery
	left := int64(o.Until.Sub(at)/day) + 1
	worth := price(c.market.level * left / 2000)
	if inner := c.inTheMoney(); inner.Sign() > 0 {
		worth = worth.Add(inner)
	}
	d.enter(&contract{}, at, trade.Command{Actor: "risk/1", Reason: "close", Body: trade.PriceMarked{
		Curve: c.now.Terms.Instrument.Curve(), Currency: c.now.Currency, Points: []trade.Point{{Delivery: p, Price: worth}},
	}}, "")
	d.plan(at.Add(28*day), func(at time.Time) { d.markOption(c, at) })
}
