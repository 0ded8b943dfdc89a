package trade_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/kit/trade"
)

// A NEW in MW that is entered during delivery says which hours it leaves out. With an effective
// time, it was meant so.
func TestWarnsOfHoursLeftOut(t *testing.T) {
	t.Parallel()
	n := power("1", "50")
	n.Quantity = mw("10")
	late := on("03-10", n) // at noon
	want := []string{"229 of 743 hours are left out, those of 2025-03 that began from " +
		"2025-02-28T23:00:00Z to 2025-03-10T12:00:00Z: give effective_at to count them"}
	require.Equal(t, want, late.Warnings())
	late.EnteredAt = at("2025-03-10T11:00:00.000001Z")
	require.Equal(t, want, late.Warnings())

	require.Empty(t, effective("03-10", late).Warnings())
	require.Empty(t, on("02-10", n).Warnings(), "before delivery")
	require.Empty(t, on("03-10", power("1", "50")).Warnings(), "in MWh")
}

// Another currency than that of the delivery point is accepted with a warning.
func TestWarnsOfAnotherCurrency(t *testing.T) {
	t.Parallel()
	n := power("1", "50")
	n.Currency = "GBP"
	d := newDesk()
	d.do(t, on("02-03", n))
	want := []string{"currency GBP: CET is usually traded in EUR"}
	require.Equal(t, want, on("02-03", n).Warnings())
	require.Equal(t, want, mark("02-03", "power/CET/base", "GBP", "2025-03", "50").Warnings())
	require.Empty(t, mark("02-03", "power/CET/base", "EUR", "2025-03", "50").Warnings())
	require.Empty(t, on("02-03", trade.Settle{}).Warnings())
}
