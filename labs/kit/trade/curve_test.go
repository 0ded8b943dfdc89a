package trade_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/kit/trade"
)

const powerCurve = "power/CET/base"

func (d *desk) curve(as trade.AsOf) trade.Curve {
	c, _ := trade.FoldCurve(powerCurve, d.streams[trade.CurveStream(powerCurve)], as)
	return c
}

// valueOf returns the value of a position in i that is not under delivery, or nil.
func (d *desk) valueOf(i trade.Instrument, quantity string, c trade.Currency) *trade.Decimal {
	s := trade.State{Positions: []trade.Position{{
		PoolKey: trade.PoolKey{Book: "power", Instrument: i.ID(), Currency: c},
		Unit:    trade.MWh, Quantity: dec(quantity),
	}}, Curves: map[string]trade.Curve{powerCurve: d.curve(trade.AsOf{})}}
	return s.ValuedAt(early)[0].MarketValue
}

func TestLongDeliveryIsValuedByItsMonths(t *testing.T) {
	t.Parallel()
	d := newDesk()
	d.do(t, mark("02-03", powerCurve, "EUR", "2025-01", "90", "2025-02", "80", "2025-03", "70"))
	worth := func(delivery, quantity string) *trade.Decimal {
		i := baseMarch
		i.Delivery = period(delivery)
		return d.valueOf(i, quantity, "EUR")
	}
	// 744, 672 and 743 hours: (744·90 + 672·80 + 743·70) / 2159 = 80.00463…
	equal(t, "80004.63", *worth("2025-Q1", "1000"))
	equal(t, "-80004.63", *worth("2025-Q1", "-1000"))
	equal(t, "70", *worth("2025-03-10/2025-03-15", "1"))
	// The last day of January and the first of February weigh the same.
	equal(t, "85", *worth("2025-01-31/2025-02-02", "1"))
	require.Nil(t, worth("2025", "1"), "April is missing")

	d.do(t, mark("02-04", powerCurve, "EUR", "2025-Q1", "77.7777"))
	equal(t, "777.78", *worth("2025-Q1", "10"))

	require.Nil(t, d.valueOf(baseMarch, "1", "USD"), "a mark in another currency does not count")
	long := baseMarch
	long.Delivery = period("2025-01-01/2025-03-01")
	require.Nil(t, d.valueOf(long, "1", "USD"))
	weekend := baseMarch
	weekend.Profile, weekend.Delivery = "peak", period("2025-03-01/2025-03-03")
	require.Nil(t, d.valueOf(weekend, "1", "EUR"), "nothing is delivered")
}

func TestLatestMarkCounts(t *testing.T) {
	t.Parallel()
	d := newDesk()
	first, second := mark("02-03", powerCurve, "EUR", "2025-02", "1", "2025-03",
		"50"), mark("02-05", powerCurve, "EUR", "2025-03", "52")
	d.do(t, first, second, effective("02-04", mark("02-06", powerCurve, "EUR", "2025-03", "51")))
	price := func(as trade.AsOf) string {
		return d.curve(as).Points[period("2025-03")].Price.String()
	}
	require.Equal(t, "52", price(trade.AsOf{}), "a late mark does not replace a later one")
	require.Equal(t, "51", price(trade.AsOf{Effective: at("2025-02-04T23:00:00Z")}))
	require.Equal(t, "50", price(trade.AsOf{Known: at("2025-02-05T23:00:00Z"),
		Effective: at("2025-02-04T23:00:00Z")}))

	correction := mark("02-07", powerCurve, "EUR", "2025-02", "2")
	correction.Corrects = trade.EventID(second.ID, 0)
	d.do(t, correction)
	require.Equal(t, "51", price(trade.AsOf{}),
		"the correction removes the point of the wrong mark")
	require.Equal(t, "2", d.curve(trade.AsOf{}).Points[period("2025-02")].Price.String(),
		"and sets another, in its slot")
	require.Equal(t, "52", price(trade.AsOf{Known: at("2025-02-06T23:00:00Z")}))
}

// A curve is marked in one currency. While a mark is the only one, its currency can be corrected.
func TestOnlyMarkMayChangeItsCurrency(t *testing.T) {
	t.Parallel()
	d := newDesk()
	wrong, right := mark("02-03", powerCurve, "USD", "2025-03", "50"), mark("02-04", powerCurve,
		"EUR", "2025-03", "51")
	d.do(t, bought, wrong, corrects(wrong, right), mark("02-05", powerCurve, "EUR", "2025-04",
		"52"))
	equal(t, "5100", *d.position(t, "power/CET/base@2025-03").MarketValue)
	require.Equal(t, trade.Mark{Price: dec("52"), Currency: "EUR",
		EffectiveAt: at("2025-02-05T12:00:00Z"), Version: 3},
		d.curve(trade.AsOf{}).Points[period("2025-04")])
}

func TestPositionWithoutAMarkHasNoValue(t *testing.T) {
	t.Parallel()
	d := newDesk()
	d.do(t, bought)
	p := d.position(t, "power/CET/base@2025-03")
	require.Nil(t, p.MarketValue)
	require.Nil(t, p.AverageCost.Unrealised)
	require.Nil(t, p.FIFO.Unrealised)
	equal(t, "5000", p.AverageCost.Cost)

	d.do(t, settleAll)
	p = d.position(t, "power/CET/base@2025-03")
	equal(t, "0", *p.MarketValue)
	equal(t, "500", p.AverageCost.Realised)
}
