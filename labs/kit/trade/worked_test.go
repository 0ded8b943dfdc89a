package trade_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/kit/trade"
)

func equal(t require.TestingT, want string, got trade.Decimal) {
	require.Equal(t, dec(want).String(), got.String())
}

func TestWorkedAverageCostAndFIFO(t *testing.T) {
	t.Parallel()
	d := newDesk()
	d.do(t,
		of("A", on("02-03", power("100", "50"))),
		of("B", on("02-04", power("50", "56"))),
		of("C", on("02-05", sell(power("120", "55")))),
		mark("02-05", "power/CET/base", "EUR", "2025-03", "53"),
	)
	p := d.position(t, "power/CET/base@2025-03")
	equal(t, "30", p.Quantity)
	equal(t, "360.00", p.AverageCost.Realised)
	equal(t, "30.00", *p.AverageCost.Unrealised)
	equal(t, "480.00", p.FIFO.Realised)
	equal(t, "-90.00", *p.FIFO.Unrealised)
}

// 100 are bought at 50. Then 80 at 56 are agreed instead. Nothing was sold, so nothing is realised.
func TestWorkedAmendmentOfPriceAndQuantity(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ quantity, cost string }{{"80", "4480.00"}, {"150", "8400.00"}} {
		d := newDesk()
		d.do(t, on("02-03", power("100", "50")),
			on("02-10", trade.Amend{Kind: trade.Amendment, Quantity: mwh(c.quantity),
				Price: ref("56")}))
		p := d.position(t, "power/CET/base@2025-03")
		equal(t, c.cost, p.AverageCost.Cost)
		equal(t, c.cost, p.FIFO.Cost)
		equal(t, "0", p.AverageCost.Realised)
		equal(t, "0", p.FIFO.Realised)
	}
}

func TestWorkedForwardNovatedAndSettled(t *testing.T) {
	t.Parallel()
	const pool = "power/CET/base@2025-03"
	d := newDesk()
	n := power("1", "80.00")
	n.Quantity = mw("10")
	d.do(t, on("02-03", n), mark("02-03", "power/CET/base", "EUR", "2025-03", "84.25"))
	equal(t, "7430", d.trade(t, T, trade.AsOf{}).Contracted)
	equal(t, "10", d.trade(t, T, trade.AsOf{}).Terms.Capacity)
	before := d.position(t, pool).AverageCost
	equal(t, "31577.50", *before.Unrealised)

	d.do(t, on("02-10", trade.Novate{Role: trade.Transferor, Quantity: mw("4"),
		Fee: dec("12600.00"), NewUTI: "T2", Incoming: "cpty/8"}))
	after := d.position(t, pool).AverageCost
	equal(t, "18946.50", *after.Unrealised)
	change := after.Realised.Add(*after.Unrealised).Sub(before.Realised).Sub(*before.Unrealised)
	equal(t, "-31.00", change)
	require.NotContains(t, d.streams, trade.TradeStream("T2"), "the new contract is not ours")

	d.do(t, on("03-10", trade.Settle{Quantity: mwh("2160"), Price: dec("83.10")}))
	equal(t, "172800.00", d.trade(t, T, trade.AsOf{}).SettledAmount)
	d.do(t, on("03-31", trade.Settle{Quantity: mwh("2298"), Price: dec("83.10")}))
	settled := d.trade(t, T, trade.AsOf{})
	equal(t, "183840.00", settled.SettledAmount.Sub(dec("172800")))
	require.Equal(t, trade.Settled, settled.Status)
	flat := d.position(t, pool)
	equal(t, "13819.80", flat.AverageCost.Realised.Sub(after.Realised))
	equal(t, "0", *flat.MarketValue)
	equal(t, "0", flat.AverageCost.Cost)
}

func TestWorkedOptionExercised(t *testing.T) {
	t.Parallel()
	d := newDesk()
	n := option("10000", "2.15")
	n.Fee = dec("-7.50")
	d.do(t, on("04-01", n),
		mark("05-06", n.Instrument.Curve(), "USD", "2025-06", "6.40"),
		mark("05-06", "oil/BRENT", "USD", "2025-06", "76.00"),
		on("05-06", trade.Exercise{Quantity: bbl("4000"), UnderlyingPrice: dec("76.00"),
			Settlement: trade.Physical, NewUTI: "T2"}),
	)
	total := trade.Decimal{}
	for _, p := range d.state(t).ValuedAt(early) {
		require.NotNil(t, p.MarketValue, p.Instrument)
		total = total.Add(p.AverageCost.Realised).Add(*p.AverageCost.Unrealised)
	}
	equal(t, "40892.50", total)
	began := d.trade(t, "T2", trade.AsOf{})
	require.Equal(t, T, began.PriorUTI)
	equal(t, "4000", began.Open)
	equal(t, "70", began.Price)
	equal(t, "0", *d.position(t, "oil/BRENT@2025-06").AverageCost.Unrealised)
}

// 20 of 70 are novated on the 16th, entered at 13:03. At 13:15 that is corrected to 25.
func TestWorkedTwoTimes(t *testing.T) {
	t.Parallel()
	d := newDesk()
	novate := effective("02-16", on("02-16", trade.Novate{Role: trade.Transferor,
		Quantity: mwh("20"), NewUTI: "T2", Incoming: "cpty/8"}))
	novate.EnteredAt = at("2025-02-16T13:03:00Z")
	b := novate.Body.(trade.Novate)
	b.Quantity = mwh("25")
	correction := corrects(novate, on("02-16", b))
	correction.EnteredAt = at("2025-02-16T13:15:00Z")
	d.do(t, on("02-03", power("70", "50")), novate, correction)

	for _, c := range []struct{ known, effective, residual string }{
		{"2025-02-16T13:10:00Z", "2025-02-16", "50"},
		{"2025-02-16T13:20:00Z", "2025-02-16", "45"},
		{"2025-02-16T13:10:00Z", "2025-02-15", "70"},
		{"2025-02-16T13:20:00Z", "2025-02-15", "70"},
	} {
		until, err := trade.ParseMoment(c.effective, trade.BookZone(), time.Time{})
		require.NoError(t, err)
		got := d.trade(t, T, trade.AsOf{Known: at(c.known), Effective: until})
		require.Equal(t, c.residual, got.Open.String(), "as known at %s, as effective on %s",
			c.known, c.effective)
	}
}

// The example of the package's introduction: 100 bought at 80, 40 delivered at 90, marked at 85.
// Then the price is corrected to 81.
func TestWorkedExampleOfTheIntroduction(t *testing.T) {
	t.Parallel()
	d := newDesk()
	begin := on("02-03", power("100", "80"))
	d.do(t, begin, on("03-31", trade.Settle{Quantity: mwh("40"), Price: dec("90")}),
		mark("03-31", "power/CET/base", "EUR", "2025-03", "85"))
	pool := func() trade.Gain { return d.position(t, "power/CET/base@2025-03").AverageCost }
	equal(t, "4800", pool().Cost)
	equal(t, "400", pool().Realised)
	equal(t, "300", *pool().Unrealised)

	d.do(t, corrects(begin, on("04-01", power("100", "81"))))
	equal(t, "4860", pool().Cost)
	equal(t, "360", pool().Realised)
}
