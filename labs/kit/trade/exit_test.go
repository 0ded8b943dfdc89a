package trade_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"example.com/blotter/labs/kit/trade"
)

// A result is the position of a pool, by both methods.
type result struct{ quantity, cost, realised, costFIFO, realisedFIFO string }

func resultOf(p trade.Valuation) result {
	return result{p.Quantity.String(), p.AverageCost.Cost.String(), p.AverageCost.Realised.String(),
		p.FIFO.Cost.String(), p.FIFO.Realised.String()}
}

// alike is the result of a pool for which the methods agree.
func alike(quantity, cost, realised string) result {
	return result{quantity, cost, realised, cost, realised}
}

var (
	terminated = trade.Cancel{Kind: trade.Terminate}
	transfer   = trade.Novate{Role: trade.Transferor, NewUTI: "X", Incoming: "cpty/8"}
	remain     = trade.Novate{Role: trade.Remaining, NewUTI: "B2", Incoming: "cpty/8"}
)

// transferred transfers a part for a fee.
func transferred(quantity, fee string) trade.Novate {
	n := transfer
	n.Quantity, n.Fee = mwh(quantity), dec(fee)
	return n
}

// A is bought at 50 and B at 60. What leaves other than by a trade takes its own lot with it.
func TestExitTakesItsOwnLot(t *testing.T) {
	t.Parallel()
	a := func(b trade.Body) trade.Command { return of("A", on("02-10", b)) }
	b := func(b trade.Body) trade.Command { return of("B", on("02-10", b)) }
	sold := of("C", on("02-05", sell(power("100", "70"))))
	soldToo := func(q string) trade.Command { return of("D", on("02-06", sell(power(q, "70")))) }
	lower := trade.Amend{Kind: trade.Amendment, Quantity: mwh("40")}
	lowerAndDearer := trade.Amend{Kind: trade.Amendment, Quantity: mwh("40"), Price: ref("65")}
	dearBefore := approvedBy("control/1", effective("02-04", on("02-20",
		trade.Amend{Kind: trade.Amendment, Price: ref("52")})))
	withFee := power("100", "60")
	withFee.Fee = dec("-10")
	feeForgotten := corrects(of("B", on("02-04", power("100", "60"))),
		of("B", on("02-22", withFee)))
	for name, c := range map[string]struct {
		want result
		cmds []trade.Command
	}{
		"terminated":       {alike("100", "5000", "0"), []trade.Command{b(terminated)}},
		"transferred":      {alike("100", "5000", "0"), []trade.Command{b(transfer)}},
		"novated, we stay": {alike("200", "11000", "0"), []trade.Command{b(remain)}},
		"a fee is realised": {alike("175", "9500", "9"),
			[]trade.Command{b(transferred("25", "9"))}},
		"a lower quantity": {alike("140", "7400", "0"), []trade.Command{b(lower)}},
		"lower and dearer": {alike("140", "7600", "0"), []trade.Command{b(lowerAndDearer)}},
		"its lot was sold": {alike("0", "0", "1000"), []trade.Command{sold, a(transfer)}},
		"its lot was sold, and two are left": {alike("150", "11000", "1500"),
			[]trade.Command{of("E", on("02-05", power("100", "80"))), sold,
				a(transferred("50", "0"))}},
		"an average leaves the range of prices": {result{"25", "1000", "1500", "1500", "2000"},
			[]trade.Command{sold, b(transferred("75", "0"))}},
		"the pool holds a part of it": {alike("-60", "-3600.6", "2600.4"),
			[]trade.Command{sold, soldToo("60"), b(transferred("100", "1"))}},
		"the pool holds none of it": {alike("-100", "-6000", "3000"),
			[]trade.Command{sold, soldToo("100"), b(transfer)}},
		"its price was higher before": {alike("150", "8600", "0"),
			[]trade.Command{a(transferred("50", "0")), of("A", dearBefore)}},
		"its quantity is corrected": {alike("190", "10500", "0"),
			[]trade.Command{a(transferred("30", "0")), corrects(a(transferred("30", "0")),
				of("A", on("02-21", transferred("10", "0"))))}},
		"its share of the fee goes along": {alike("175", "9507.5", "-2.5"),
			[]trade.Command{b(transferred("25", "0")), feeForgotten}},
	} {
		d := newDesk()
		d.do(t, of("A", on("02-03", power("100", "50"))), of("B", on("02-04", power("100", "60"))))
		d.do(t, c.cmds...)
		require.Equal(t, c.want, resultOf(d.position(t, "power/CET/base@2025-03")), name)
	}
}

// A has a booked cost of 0.01. The share of each reduction is rounded, and the last takes all.
func TestLastExitTakesTheRestOfTheCost(t *testing.T) {
	t.Parallel()
	d := newDesk()
	n := power("3", "1")
	n.Fee = dec("2.99")
	d.do(t, of("A", on("02-03", n)), of("B", on("02-03", power("3", "1"))))
	for i, want := range []string{"3.01", "3.01", "3"} {
		day := []string{"02-04", "02-05", "02-06"}[i]
		d.do(t, of("A", on(day, transferred("1", "0"))))
		equal(t, want, d.position(t, "power/CET/base@2025-03").AverageCost.Cost)
	}
}

// An option's premium is cash that was paid. An exit brings the fee, and no premium back.
func TestOptionLeavesWithoutItsPremium(t *testing.T) {
	t.Parallel()
	partly := func(q, fee string) trade.Cancel {
		return trade.Cancel{Kind: trade.Terminate, Quantity: bbl(q), Fee: dec(fee)}
	}
	paid := transfer
	paid.Fee = dec("3000")
	stays := remain
	stays.Fee, stays.Quantity = dec("3000"), bbl("1000")
	for name, c := range map[string]struct {
		quantity string
		exit     trade.Body
		want     result
	}{
		"terminated":       {"1000", partly("1000", "3000"), alike("0", "0", "850")},
		"transferred":      {"1000", paid, alike("0", "0", "850")},
		"in part":          {"10000", partly("4000", "12000"), alike("6000", "12900", "3400")},
		"novated, we stay": {"1000", stays, alike("1000", "2150", "3000")},
		"a lower quantity": {"1000", trade.Amend{Kind: trade.Amendment, Quantity: bbl("400")},
			alike("400", "860", "0")},
		"let go for nothing": {"1000", partly("1000", "0"), alike("0", "0", "-2150")},
	} {
		d := newDesk()
		n := option(c.quantity, "2.15")
		d.do(t, on("04-01", n), on("04-15", c.exit))
		require.Equal(t, c.want, resultOf(d.position(t, n.Instrument.ID())), name)
	}
}

// An exit moves P&L between realised and unrealised, and never changes the total. A sale to the
// market, of the same quantity for the same amount, gives the same total.
func TestExitsLeaveTheTotalAsItWas(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		d := histories().Draw(t, "history")
		traded := map[trade.PoolKey]*trade.Pool{}
		for _, leg := range legsInOrder(t, d) {
			if traded[leg.Pool] == nil {
				traded[leg.Pool] = &trade.Pool{}
			}
			leg.Exit = false
			traded[leg.Pool].Apply(leg)
		}
		for _, p := range d.state(t).Positions {
			want := traded[p.PoolKey].Average
			total := want.Realised.Sub(want.Cost).String()
			equal(t, total, p.AverageCost.Realised.Sub(p.AverageCost.Cost))
			equal(t, total, p.FIFO.Realised.Sub(p.FIFO.Cost))
			equal(t, want.Quantity.String(), p.Quantity)
		}
	})
}

// legsInOrder returns the legs of all contracts.
func legsInOrder(t require.TestingT, d *desk) []trade.Leg {
	var all []trade.Leg
	for _, uti := range utis(d) {
		all = append(all, d.trade(t, uti, trade.AsOf{}).Legs...)
	}
	slices.SortFunc(all, func(a, b trade.Leg) int { return a.Key.Compare(b.Key) })
	return all
}
