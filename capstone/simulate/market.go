package simulate

import (
	"time"

	"example.com/blotter/labs/kit/trade"
)

// A market is one curve with who trades on it. Prices are whole ticks of 0.01.
type market struct {
	instrument trade.Instrument // without delivery
	currency   trade.Currency
	level      int64 // the price of an average month
	swing      int64 // the most it moves in a day
	grid       int64 // distance of strikes
	books      []string
	traders    []string
	curve      contract // the model of the curve's stream: only its last mark is kept
}

func markets() []*market {
	of := func(c trade.Commodity, zone, profile string, currency trade.Currency, level, swing int64, traders ...string) *market {
		i := trade.Instrument{Commodity: c, Zone: zone, Profile: profile}
		return &market{
			instrument: i, currency: currency, level: level, swing: swing, grid: 500, traders: traders,
			books: []string{string(c) + "-prop", string(c) + "-clients"},
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

// season is how much dearer than the average a month is, in percent, for what is burnt to keep warm.
var season = [12]int64{14, 12, 5, -3, -8, -9, -7, -6, -2, 3, 9, 13}

// ticks is the price of a delivery today.
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

// month is the month that begins n months after that of t; quarter likewise.
func month(t time.Time, n int) trade.Period {
	first := time.Date(t.Year(), t.Month()+time.Month(n), 1, 0, 0, 0, 0, time.UTC)
	return trade.Period{Start: trade.DayOf(first), End: trade.DayOf(first.AddDate(0, 1, 0))}
}

func quarter(t time.Time, n int) trade.Period {
	first := time.Date(t.Year(), (t.Month()-1)/3*3+1+time.Month(3*n), 1, 0, 0, 0, 0, time.UTC)
	return trade.Period{Start: trade.DayOf(first), End: trade.DayOf(first.AddDate(0, 3, 0))}
}

// deliveries is what is marked at the close: from what is being delivered to what is traded furthest out.
func (m *market) deliveries(at time.Time) []trade.Period {
	list := []trade.Period{month(at, 0), month(at, 1), month(at, 2), month(at, 3)}
	if m.instrument.Commodity == trade.Oil {
		return list
	}
	return append(list, quarter(at, 0), quarter(at, 1))
}
