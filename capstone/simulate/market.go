package simulate

import (
	"time"

	"example.com/blotter/labs/kit/trade"
)

// A market is one curve with its books and traders. Prices are whole ticks of 0.01.
type market struct {
	instrument trade.Instrument // without delivery
	currency   trade.Currency
	level      int64 // the price of an average month
	swing      int64 // the largest move of a day
	grid       int64 // the distance between strikes
	books      []string
	traders    []string
	curve      contract // the model of the curve's stream, with only the last mark
}

func markets() []*market {
	of := func(
		c trade.Commodity, zone, profile string, currency trade.Currency, level, swing int64,
		traders ...string,
	) *market {
		i := trade.Instrument{Commodity: c, Zone: zone, Profile: profile}
		return &market{
			instrument: i, currency: currency, level: level, swing: swing, grid: 500,
			traders: traders, books: []string{string(c) + "-prop", string(c) + "-clients"},
		}
	}
	return []*market{
		of(trade.Power, "CET", "base", "EUR", 8200, 190, "trader/7", "trader/9"),
		of(trade.Power, "CET", "peak", "EUR", 9600, 240, "trader/7", "trader/9"),
		of(trade.Power, "GB", "base", "GBP", 7900, 170, "trader/9"),
		of(trade.Gas, "TTF", "base", "EUR", 4600, 110, "trader/4"),
		of(trade.Gas, "NBP", "base", "GBP", 3900, 100, "trader/4"),
		of(trade.Oil, "BRENT", "", "USD", 7400, 130, "trader/3", "trader/5"),
		of(trade.Oil, "WTI", "", "USD", 7000, 130, "trader/3"),
	}
}

// season is the seasonal difference from the average price of each month, in percent, of gas and
// power.
var season = [12]int64{14, 12, 5, -3, -8, -9, -7, -6, -2, 3, 9, 13}

// ticks returns today's price of a delivery.
func (m *market) ticks(p trade.Period) int64 {
	if m.instrument.Commodity == trade.Oil {
		return m.level
	}
	return m.level * (100 + season[p.Start.UTC().Month()-1]) / 100
}

var tick = trade.Dec("0.01")

func price(ticks int64) trade.Decimal { return trade.Int(ticks).Mul(tick) }

// walk moves the market by a day.
func (d *desk) walk(m *market) {
	m.level = max(m.level+d.rng.Int64N(2*m.swing+1)-m.swing, 2000)
}

// month returns the month n months after that of t. quarter does the same for quarters.
func month(t time.Time, n int) trade.Period {
	first := time.Date(t.Year(), t.Month()+time.Month(n), 1, 0, 0, 0, 0, time.UTC)
	return trade.Period{Start: trade.DayOf(first), End: trade.DayOf(first.AddDate(0, 1, 0))}
}

func quarter(t time.Time, n int) trade.Period {
	first := time.Date(t.Year(), (t.Month()-1)/3*3+1+time.Month(3*n), 1, 0, 0, 0, 0, time.UTC)
	return trade.Period{Start: trade.DayOf(first), End: trade.DayOf(first.AddDate(0, 3, 0))}
}

// deliveries returns the deliveries that are marked at the close, from the one in delivery to the
// last traded one.
func (m *market) deliveries(at time.Time) []trade.Period {
	list := []trade.Period{month(at, 0), month(at, 1), month(at, 2), month(at, 3)}
	if m.instrument.Commodity == trade.Oil {
		return list
	}
	return append(list, quarter(at, 0), quarter(at, 1))
}

// close ends a day: every market moves and is marked. Some marks are wrong. A wrong mark is
// refused, or corrected in the same evening.
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
	send := func(body trade.PriceMarked, want trade.Rule) bool {
		cmd := trade.Command{Actor: "risk/1", Reason: "close", Body: body}
		return d.enter(&m.curve, at, cmd, want)
	}
	switch d.rng.IntN(90) {
	case 0: // a delivery twice, which is refused
		slip.Delivery = wrong.Points[0].Delivery
		wrong.Points = append(wrong.Points, wrong.Points[0])
		send(wrong, trade.BadTerms)
	case 1: // a wrong digit, which is corrected
		slip.Price = slip.Price.Add(trade.Int(10))
		if !send(wrong, "") {
			return
		}
		fix := trade.Command{
			Actor: "risk/2", Reason: "a digit was wrong",
			Corrects: m.curve.history[0].ID, Body: right,
		}
		d.plan(at.Add(20*time.Minute), func(at time.Time) { d.enter(&m.curve, at, fix, "") })
		return
	case 2: // the currency of another column, which is refused
		if wrong.Currency = "NOK"; len(m.curve.history) > 0 {
			send(wrong, trade.OtherCurrency)
		}
	}
	send(right, "")
}

// markOption marks the curve of a live option about once a month: its inner worth, and an amount
// for the time left.
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
	mark := trade.PriceMarked{
		Curve: c.now.Terms.Instrument.Curve(), Currency: c.now.Currency,
		Points: []trade.Point{{Delivery: p, Price: worth}},
	}
	cmd := trade.Command{Actor: "risk/1", Reason: "close", Body: mark}
	d.enter(&contract{}, at, cmd, "")
	d.plan(at.Add(28*day), func(at time.Time) { d.markOption(c, at) })
}
