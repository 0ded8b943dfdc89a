package trade_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"example.com/blotter/labs/kit/trade"
)

// legs turns pairs of quantity and amount into legs of one pool, each of its own contract.
func legs(pairs ...string) []trade.Leg {
	var all []trade.Leg
	for i := 0; i < len(pairs); i += 2 {
		l := trade.Leg{Quantity: dec(pairs[i]), Amount: dec(pairs[i+1]), Side: trade.Buy,
			Pool: trade.PoolKey{Currency: "EUR"}}
		l.Key.Stream = string(rune('A' + i/2))
		if l.Quantity.Sign() < 0 {
			l.Side = trade.Sell
		}
		all = append(all, l)
	}
	return all
}

func net(legs []trade.Leg) trade.Pool {
	var p trade.Pool
	for _, l := range legs {
		p.Apply(l)
	}
	return p
}

func TestPools(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name             string
		legs             []trade.Leg
		quantity         string
		cost, realised   string // by average cost
		costF, realisedF string // by FIFO
		lots             int
	}{
		{"a short position is bought back", legs("-100", "5000", "40", "-2200"), "-60", "-3000",
			"-200", "-3000", "-200", 1},
		{"a rounded share leaves the remainder", legs("3", "-1.00", "-1", "0.50"), "2", "0.67",
			"0.17", "0.67", "0.17", 1},
		{"the last close takes all", legs("3", "-1.00", "-1", "0.50", "-1", "0.50", "-1", "0.50"),
			"0", "0", "0.5", "0", "0.5", 0},
		{"a leg that crosses zero is split", legs("10", "-100", "-15", "165"), "-5", "-55", "10",
			"-55", "10", 1},
		{"the rounded part closes, the rest opens", legs("1", "-1.00", "-3", "1.00"), "-2", "-0.67",
			"-0.67", "-0.67", "-0.67", 1},
		{"lots go first in, first out", legs("10", "-100", "10", "-200", "-15", "300"), "5", "75",
			"75", "100", "100", 1},
		{"a closing leg reduces at any amount", legs("10", "-100", "-4", "-7"), "6", "60", "-47",
			"60", "-47", 1},
	} {
		p := net(c.legs)
		equal(t, c.quantity, p.Average.Quantity)
		equal(t, c.cost, p.Average.Cost)
		equal(t, c.realised, p.Average.Realised)
		equal(t, c.costF, p.FIFO.Cost())
		equal(t, c.realisedF, p.FIFO.Realised)
		require.Len(t, p.FIFO.Lots, c.lots, c.name)
	}
}

func TestRepricingIsCostOfTheOpenQuantity(t *testing.T) {
	t.Parallel()
	two := legs("10", "-100", "10", "-200")
	reprice := two[0]
	reprice.Quantity, reprice.Amount = dec("0"), dec("-5")

	open := net(append(two, reprice))
	equal(t, "305", open.Average.Cost)
	equal(t, "105", open.FIFO.Lots[0].Cost)

	firstLotGone := net(append(two, legs("-10", "150")[0], reprice))
	equal(t, "155", firstLotGone.Average.Cost)
	equal(t, "45", firstLotGone.FIFO.Realised)

	short := net(append(two, legs("-30", "600")[0], reprice))
	equal(t, "-200", short.Average.Cost)
	equal(t, "95", short.Average.Realised)
}

// A settlement of a quantity that another contract had closed opens a lot of its own contract, on
// the other side. That lot was sold, and the new price does not concern it.
func TestRepricingSkipsLotsOnTheOtherSide(t *testing.T) {
	t.Parallel()
	d := newDesk()
	d.do(t, of("T0", on("02-03", sell(power("100", "50")))), on("02-04", power("50", "52")),
		on("02-20", trade.Settle{Quantity: mwh("30"), Price: dec("55")}), on("02-21",
			trade.Amend{Kind: trade.Amendment, Price: ref("60")}))
	p := d.position(t, "power/CET/base@2025-03")
	// 50 are bought back for 2 more each, and each of the 20 left costs 8 more.
	equal(t, "-260", p.AverageCost.Realised)
	equal(t, "-260", p.FIFO.Realised)
	equal(t, "-4150", p.FIFO.Cost) // 50 of 100 at 50, and 30 at 55: cash received for both
}

// anyLegs draws legs of a few contracts, in the order of their keys.
func anyLegs() *rapid.Generator[[]trade.Leg] {
	one := rapid.Custom(func(t *rapid.T) trade.Leg {
		return trade.Leg{
			Key: trade.LegKey{Stream: rapid.SampledFrom([]string{"A", "B", "C"}).Draw(t,
				"stream")},
			Side: rapid.SampledFrom([]trade.Side{trade.Buy, trade.Sell}).Draw(t, "side"),
			Pool: trade.PoolKey{Currency: rapid.SampledFrom([]trade.Currency{"EUR"}).Draw(t,
				"currency")},
			Quantity: trade.MulDiv(trade.Int(rapid.Int64Range(-9, 9).Draw(t, "quantity")),
				trade.Int(1), trade.Int(rapid.Int64Range(1, 3).Draw(t, "per")), 2),
			Amount: trade.MulDiv(trade.Int(rapid.Int64Range(-9999, 9999).Draw(t, "cents")),
				trade.Int(1), trade.Int(100), 2),
		}
	})
	return rapid.SliceOfN(one, 0, 30)
}

// For any legs, realised - cost is the sum of the amounts by both methods, so their totals agree
// at any mark. The test also checks the quantity and the side that each method holds.
func TestBothMethodsAgreeOnTheTotal(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var p trade.Pool
		var amounts, quantity trade.Decimal
		for _, l := range anyLegs().Draw(t, "legs") {
			p.Apply(l)
			amounts, quantity = amounts.Add(l.Amount), quantity.Add(l.Quantity)

			equal(t, amounts.String(), p.Average.Realised.Sub(p.Average.Cost))
			equal(t, amounts.String(), p.FIFO.Realised.Sub(p.FIFO.Cost()))
			equal(t, quantity.String(), p.Average.Quantity)
			held := trade.Decimal{}
			for _, lot := range p.FIFO.Lots {
				held = held.Add(lot.Quantity)
				require.Equal(t, quantity.Sign(), lot.Quantity.Sign(), "all lots are on one side")
			}
			equal(t, quantity.String(), held)
			if quantity.IsZero() {
				equal(t, "0", p.Average.Cost)
				require.Empty(t, p.FIFO.Lots)
			}
			require.LessOrEqual(t, p.Average.Cost.Places(), int32(2))
		}
	})
}

func TestPoolSurvivesJSON(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		p := net(anyLegs().Draw(t, "legs"))
		text, err := json.Marshal(p)
		require.NoError(t, err)
		var back trade.Pool
		require.NoError(t, json.Unmarshal(text, &back))
		again, err := json.Marshal(back)
		require.NoError(t, err)
		require.Equal(t, string(text), string(again))

		next := legs("-7", "31.13")[0]
		copied := p.Clone()
		p.Apply(next)
		back.Apply(next)
		require.Equal(t, p.Average.Realised.String(), back.Average.Realised.String())
		require.Equal(t, p.FIFO.Realised.String(), back.FIFO.Realised.String())
		unchanged, err := json.Marshal(copied)
		require.NoError(t, err)
		require.Equal(t, string(text), string(unchanged), "a clone shares nothing")
	})
}

func TestChangedNamesTheEarliestLegPerPool(t *testing.T) {
	t.Parallel()
	leg := func(day int, book, quantity string) trade.Leg {
		return trade.Leg{
			Key: trade.LegKey{EffectiveAt: time.Date(2025, 1, day, 0, 0, 0, 0, time.UTC),
				Stream: "A", Version: int64(day)},
			Pool: trade.PoolKey{Book: book}, Quantity: dec(quantity),
		}
	}
	a1, a2, a3 := leg(1, "a", "1"), leg(2, "a", "1"), leg(3, "a", "1")
	days := func(before, after []trade.Leg) map[string]int {
		got := map[string]int{}
		for pool, first := range trade.Changed(before, after) {
			got[pool.Book] = first.EffectiveAt.Day()
		}
		return got
	}
	require.Empty(t, days([]trade.Leg{a1, a2}, []trade.Leg{a1, a2}))
	require.Equal(t, map[string]int{"a": 3}, days([]trade.Leg{a1, a2}, []trade.Leg{a1, a2, a3}))
	require.Equal(t, map[string]int{"a": 2}, days([]trade.Leg{a1, a2, a3}, []trade.Leg{a1, a3}),
		"one went")
	require.Equal(t, map[string]int{"a": 1}, days([]trade.Leg{a1, a2}, nil), "all went")
	require.Equal(t, map[string]int{"a": 2}, days([]trade.Leg{a1, a2, a3},
		[]trade.Leg{a1, leg(2, "a", "5"), a3}), "one changed")
	require.Equal(t, map[string]int{"a": 1, "b": 1}, days([]trade.Leg{a1},
		[]trade.Leg{leg(1, "b", "1")}), "one moved to another pool")
}

// B was entered before A. Both take effect at once, and the sale takes the lot of B. The correction
// of A, entered later still, moves nothing, and neither does a correction with an earlier time.
func TestLegsOfOneTimeGoByEntry(t *testing.T) {
	t.Parallel()
	began := effective("02-03", of("A", on("02-05", power("100", "50"))))
	for name, entered := range map[string]string{"later": "02-20", "earlier": "02-01"} {
		d := newDesk()
		d.do(t, effective("02-03", of("B", on("02-04", power("100", "60")))), began,
			of("C", on("02-06", sell(power("100", "70")))))
		equal(t, "1000", d.position(t, "power/CET/base@2025-03").FIFO.Realised)
		dearer := of("A", on("02-05", power("100", "51")))
		dearer.EnteredAt = at("2025-" + entered + "T12:00:00Z")
		d.do(t, corrects(began, effective("02-03", dearer)))
		p := d.position(t, "power/CET/base@2025-03")
		require.Equal(t, "1000 5100", p.FIFO.Realised.String()+" "+p.FIFO.Cost.String(), name)
	}
}

// Contracts of one time that were entered at one time go by the names of their streams, whichever
// was recorded first.
func TestLegsOfOneEntryGoByStream(t *testing.T) {
	t.Parallel()
	d := newDesk()
	d.do(t, of("B", on("02-04", power("100", "60"))), of("A", on("02-04", power("100", "50"))),
		of("C", on("02-06", sell(power("100", "70")))))
	equal(t, "2000", d.position(t, "power/CET/base@2025-03").FIFO.Realised)
}

// A rule of rounding moves cents between the realised P&L and the cost, and makes none.
func TestPoolsByRounding(t *testing.T) {
	t.Parallel()
	rules := []trade.Rounding{trade.HalfEven, trade.HalfUp, trade.Up, trade.Down}
	for _, c := range []struct {
		legs     []trade.Leg
		realised [4]string // by rule
	}{
		{legs("2", "-0.05", "-1", "1"), [4]string{"0.98", "0.97", "0.97", "0.98"}},
		{legs("2", "-0.15", "-1", "1"), [4]string{"0.92", "0.92", "0.92", "0.93"}},
		{legs("3", "-0.04", "-1", "1"), [4]string{"0.99", "0.99", "0.98", "0.99"}},
		{legs("3", "-0.05", "-1", "1"), [4]string{"0.98", "0.98", "0.98", "0.99"}},
		{legs("2", "-0.04", "-1", "1"), [4]string{"0.98", "0.98", "0.98", "0.98"}},
		{legs("-2", "0.05", "1", "-1"), [4]string{"-0.98", "-0.97", "-0.97", "-0.98"}},
		{legs("1", "-0.02", "-2", "0.05"), [4]string{"0", "0.01", "0.01", "0"}},
	} {
		for i, rule := range rules {
			p, cash := trade.Pool{Rounding: rule}, trade.Decimal{}
			for _, leg := range c.legs {
				p.Apply(leg)
				cash = cash.Add(leg.Amount)
			}
			require.Equal(t, c.realised[i], p.Average.Realised.String(), "%q %v", rule, c.legs)
			require.Equal(t, c.realised[i], p.FIFO.Realised.String(), "%q %v", rule, c.legs)
			require.Equal(t, cash.String(), p.Average.Realised.Sub(p.Average.Cost).String())
			require.Equal(t, cash.String(), p.FIFO.Realised.Sub(p.FIFO.Cost()).String())
		}
	}
}
