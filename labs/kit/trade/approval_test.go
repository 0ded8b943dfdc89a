package trade_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/kit/trade"
)

// A second principal is needed if and only if the contract is closed, or an existing reduction
// comes to something else. refusal_test.go has the rows that are refused.
func TestFourEyes(t *testing.T) {
	t.Parallel()
	price := func(p string) trade.Amend { return trade.Amend{Kind: trade.Amendment, Price: ref(p)} }
	more := trade.Amend{Kind: trade.Amendment, Quantity: mwh("120")}
	free := power("100", "50")
	free.Fee = dec("-3")
	for name, c := range map[string]struct {
		given []trade.Command
		when  trade.Command
	}{
		"a void of one that nothing left": {nil, voidIt},
		"a correction before any reduction": {nil,
			corrects(bought, on("02-04", power("90", "51")))},
		"an amendment after a reduction": {[]trade.Command{settlePart},
			on("02-21", price("51"))},
		"an amended quantity before one": {[]trade.Command{settlePart},
			effective("02-10", on("02-21", more))},
		"an update before one": {[]trade.Command{settlePart}, effective("02-10", on("02-21",
			trade.Amend{Kind: trade.Update, Trader: "trader/2"}))},
		"a fee corrected after one": {[]trade.Command{settlePart},
			corrects(bought, on("02-21", free))},
		"another reduction": {[]trade.Command{settlePart}, on("02-21",
			trade.Settle{Quantity: mwh("70"), Price: dec("56")})},
		"a reduction moved in time": {[]trade.Command{settlePart},
			corrects(settlePart, effective("02-19", on("02-21", settlePart.Body)))},
		"a reduction in another contract of the pool": {[]trade.Command{of("T2", bought),
			of("T2", settleAll)}, corrects(bought, on("02-21", power("90", "51")))},
	} {
		d := newDesk()
		d.do(t, append([]trade.Command{bought}, c.given...)...)
		_, err := d.try(unapproved(c.when))
		require.NoError(t, err, name)
	}
}

// The approval makes the refused command good.
func TestApprovedVoidOfAClosedContract(t *testing.T) {
	t.Parallel()
	d := newDesk()
	d.do(t, bought, settleAll)
	require.Equal(t, trade.NeedsApprover, d.refusedAs(t, approvedBy("trader/1", voidIt)).Rule)
	d.do(t, approvedBy("control/1", voidIt))
	require.Empty(t, d.state(t).Positions)
}

// An amendment of a closed contract is accepted where it belongs in time.
func TestAmendOfAClosedContract(t *testing.T) {
	t.Parallel()
	late := func(a trade.Amend) trade.Command {
		a.Kind = trade.Amendment
		return approvedBy("control/1", effective("02-10", on("02-25", a)))
	}
	d := newDesk()
	d.do(t, bought, on("02-20", trade.Settle{Price: dec("55")}))
	require.Equal(t, trade.NeedsApprover,
		d.refusedAs(t, unapproved(late(trade.Amend{Price: ref("51")}))).Rule)
	d.do(t, late(trade.Amend{Price: ref("51")}))
	closed := d.trade(t, T, trade.AsOf{})
	require.Equal(t, "SETTLED 100 = 0 + 100 + 0 + 0 + 0", account(closed))
	equal(t, "5100", closed.SettledAmount)
	equal(t, "400", d.position(t, "power/CET/base@2025-03").AverageCost.Realised)

	require.Equal(t, trade.BreaksLater,
		d.refusedAs(t, late(trade.Amend{Quantity: mwh("90")})).Rule)
	d.do(t, late(trade.Amend{Quantity: mwh("130")}))
	require.Equal(t, "LIVE 130 = 30 + 100 + 0 + 0 + 0", account(d.trade(t, T, trade.AsOf{})),
		"a higher quantity opens it again")
}

// The successor of a full novation follows an amendment from before it.
func TestAmendBeforeAFullNovation(t *testing.T) {
	t.Parallel()
	d := newDesk()
	d.do(t, bought, on("02-20", trade.Novate{Role: trade.Remaining, NewUTI: "T2",
		Incoming: "cpty/8"}), approvedBy("control/1", effective("02-10", on("02-25",
		trade.Amend{Kind: trade.Amendment, Price: ref("51")}))))
	require.Equal(t, "NOVATED 100 = 0 + 0 + 100 + 0 + 0", account(d.trade(t, T, trade.AsOf{})))
	equal(t, "51", d.trade(t, "T2", trade.AsOf{}).Price)
}
