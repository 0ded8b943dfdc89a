package trade_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/kit/trade"
)

// successorNew returns a correction by hand of the NEW of T2, which remain20 began.
func successorNew(day string, d *desk, change func(*trade.New)) trade.Command {
	e := d.streams[trade.TradeStream("T2")][0]
	n := e.Body.(trade.New)
	change(&n)
	cmd := of("T2", approvedBy("control/1", on(day, n)))
	cmd.Corrects = e.ID
	return cmd
}

func TestTermsOfTheCauseAreRefusedByHand(t *testing.T) {
	t.Parallel()
	d := newDesk()
	d.do(t, bought, remain20)
	for name, change := range map[string]func(*trade.New){
		"quantity":         func(n *trade.New) { n.Quantity = mwh("80") },
		"quantity in MW":   func(n *trade.New) { n.Quantity = mw("1") },
		"side":             func(n *trade.New) { n.Side = trade.Sell },
		"price":            func(n *trade.New) { n.Price = dec("51") },
		"currency":         func(n *trade.New) { n.Currency = "GBP" },
		"instrument":       func(n *trade.New) { n.Instrument.Delivery = period("2025-04") },
		"no prior UTI":     func(n *trade.New) { n.PriorUTI = "" },
		"other prior UTI":  func(n *trade.New) { n.PriorUTI = "T9" },
		"carried-in money": func(n *trade.New) { n.CarriedIn = dec("1") },
	} {
		r := d.refusedAs(t, successorNew("02-22", d, change))
		require.Equal(t, trade.ContinuesAnother, r.Rule, "%s: %v", name, r)
	}
	moved := effective("02-23", successorNew("02-23", d, func(n *trade.New) { n.Book = "other" }))
	require.Equal(t, trade.ContinuesAnother, d.refusedAs(t, moved).Rule)
}

// A field that was changed by hand stops following the cause, and the others go on.
func TestHandChangesSurviveTheCause(t *testing.T) {
	t.Parallel()
	d := newDesk()
	d.do(t, bought, remain20)
	d.do(t, successorNew("02-22", d, func(n *trade.New) { n.Trader = "trader/9" }))
	other := power("100", "55")
	other.Book, other.Trader = "clients", "trader/3"
	d.do(t, corrects(bought, on("02-23", other)))
	d.do(t, corrects(remain20, on("02-24", trade.Novate{Role: trade.Remaining,
		Quantity: mwh("25"), NewUTI: "T2", Incoming: "cpty/9"})))
	got := d.trade(t, "T2", trade.AsOf{})
	require.Equal(t, "LIVE 25 = 25 + 0 + 0 + 0 + 0", account(got))
	equal(t, "55", got.Price)
	require.Equal(t, []string{"trader/9", "clients", "cpty/9"},
		[]string{got.Trader, got.Book, got.Counterparty})
}

// So it is with each field that may be changed by hand: a changed cause leaves it alone.
func TestEachHandChangeSurvives(t *testing.T) {
	t.Parallel()
	other := power("100", "55")
	other.Book, other.Trader = "clients", "trader/3"
	restated := trade.Novate{Role: trade.Remaining, Quantity: mwh("20"), NewUTI: "T2",
		Incoming: "cpty/9"}
	for _, change := range []func(*trade.New){
		func(n *trade.New) { n.Trader = "trader/9" }, func(n *trade.New) { n.Book = "other" },
		func(n *trade.New) { n.Counterparty = "cpty/1" }, func(n *trade.New) { n.Fee = dec("-5") },
	} {
		d := newDesk()
		d.do(t, bought, remain20)
		d.do(t, successorNew("02-22", d, change))
		d.do(t, corrects(bought, on("02-23", other)), corrects(remain20, on("02-24", restated)))
		want := power("20", "55")
		want.PriorUTI, want.Book, want.Trader, want.Counterparty = T, "clients", "trader/3",
			"cpty/9"
		change(&want)
		require.Equal(t, digest(want), digest(d.trade(t, "T2", trade.AsOf{}).Terms))
	}
}

// A prior UTI that was entered by hand is a reference: the contract is nobody's successor.
func TestPriorUTIByHandHasNoEffect(t *testing.T) {
	t.Parallel()
	named, unnamed := power("70", "50"), power("60", "51")
	named.PriorUTI = T
	d := newDesk()
	d.do(t, bought, of("T2", on("02-04", named)))
	d.do(t, corrects(of("T2", on("02-04", named)), of("T2", on("02-05", unnamed))))
	require.Equal(t, "LIVE 60 = 60 + 0 + 0 + 0 + 0", account(d.trade(t, "T2", trade.AsOf{})))
	d.do(t, of("T2", on("02-06", voidIt.Body)))
	d.do(t, voidIt)
	require.Empty(t, d.state(t).Positions)
}

// An amendment of a successor is agreed with the new counterparty. It is an event of its own after
// the NEW: it stands when the cause is corrected, and what the cause gave up stays as it is.
func TestAmendmentOfASuccessorIsItsOwn(t *testing.T) {
	t.Parallel()
	d := newDesk()
	d.do(t, bought, remain20, of("T2", on("02-22",
		trade.Amend{Kind: trade.Amendment, Quantity: mwh("30")})))
	require.Equal(t, "LIVE 30 = 30 + 0 + 0 + 0 + 0", account(d.trade(t, "T2", trade.AsOf{})))
	d.do(t, corrects(remain20, on("02-23", onto("25", "T2"))))
	require.Equal(t, "LIVE 100 = 75 + 0 + 25 + 0 + 0", account(d.trade(t, T, trade.AsOf{})))
	before := trade.AsOf{Effective: at("2025-02-21T00:00:00Z")}
	require.Equal(t, "LIVE 25 = 25 + 0 + 0 + 0 + 0", account(d.trade(t, "T2", before)))
	require.Equal(t, "LIVE 30 = 30 + 0 + 0 + 0 + 0", account(d.trade(t, "T2", trade.AsOf{})))
}
