package trade_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/kit/trade"
)

const quarter = "power/CET/base@2025-Q2"

// underDelivery is a desk with 10 MW of the second quarter, marked by month.
func underDelivery(t *testing.T) *desk {
	n := power("1", "80")
	n.Instrument.Delivery, n.Quantity = period("2025-Q2"), mw("10")
	d := newDesk()
	d.do(t, on("01-02", n),
		mark("01-06", powerCurve, "EUR", "2025-04", "90", "2025-05", "80", "2025-06", "70"))
	return d
}

func settledMWh(quantity, price string) trade.Body {
	return trade.Settle{Quantity: mwh(quantity), Price: dec(price)}
}

// April and May are settled, and June is left: 7,200 MWh at 70.
func TestOnlyHoursThatAreLeftAreValued(t *testing.T) {
	t.Parallel()
	d := underDelivery(t)
	d.do(t, on("05-01", settledMWh("7200", "90")), on("06-01", settledMWh("7440", "80")))
	for _, when := range []string{"2025-06-01T12:00:00Z", "2025-06-15T00:00:00Z",
		"2025-12-31T00:00:00Z"} {
		p := d.positionAt(t, quarter, when)
		equal(t, "7200", p.Quantity)
		equal(t, "504000", *p.MarketValue)
		equal(t, "72000", p.AverageCost.Realised)
		require.Len(t, p.Marks, 1)
		require.Equal(t, "2025-06", p.Marks[0].Delivery)
		equal(t, "7200", p.Undelivered.Add(p.Delivered))
	}
	equal(t, "0", d.positionAt(t, quarter, "2025-12-31T00:00:00Z").Undelivered)
	// On 15 June at 00:00 UTC, 338 of 720 hours are over: two days less 22 hours each ago.
	equal(t, "3820", d.positionAt(t, quarter, "2025-06-15T00:00:00Z").Undelivered)
}

// What is delivered and not settled takes the marks of its own hours.
func TestUnsettledDeliveryHasItsOwnMarks(t *testing.T) {
	t.Parallel()
	d := underDelivery(t)
	p := d.positionAt(t, quarter, "2025-05-31T22:00:00Z")
	equal(t, "7200", p.Undelivered)
	equal(t, "14640", p.Delivered)
	equal(t, "1747200", *p.MarketValue) // 7200·90 + 7440·80 + 7200·70
	require.Len(t, p.Marks, 3)

	d.do(t, on("05-02", settledMWh("7200", "90")))
	p = d.positionAt(t, quarter, "2025-05-31T22:00:00Z")
	equal(t, "7440", p.Delivered)
	equal(t, "1099200", *p.MarketValue)
}

// A termination in June takes from the hours that are left; an amendment adds to them.
func TestFlowsSpreadOverTheHoursLeft(t *testing.T) {
	t.Parallel()
	d := underDelivery(t)
	d.do(t, on("05-02", settledMWh("7200", "90")), on("05-31",
		trade.Cancel{Kind: trade.Terminate, Quantity: mwh("3650")}))
	// On 31 May at 12:00 UTC, 730 hours are left: the termination takes out 5 MW of them.
	p := d.positionAt(t, quarter, "2025-05-31T22:00:00Z")
	equal(t, "3600", p.Undelivered)
	equal(t, "7390", p.Delivered)
	p = d.positionAt(t, quarter, "2025-06-29T22:00:00Z")
	equal(t, "120", p.Undelivered)

	d.do(t, on("06-29", trade.Cancel{Kind: trade.Terminate, Quantity: mwh("5000")}))
	p = d.positionAt(t, quarter, "2025-06-29T22:00:00Z")
	equal(t, "0", p.Undelivered)
	equal(t, "5990", p.Delivered)
}

// Two contracts that net to nothing are flat, even while they deliver.
func TestNettedDeliveryIsFlat(t *testing.T) {
	t.Parallel()
	d := underDelivery(t)
	n := sell(power("1", "80"))
	n.Instrument.Delivery, n.Quantity = period("2025-Q2"), mw("10")
	d.do(t, of("T2", on("01-03", n)))
	p := d.positionAt(t, quarter, "2025-05-31T22:00:00Z")
	equal(t, "0", p.Undelivered)
	equal(t, "0", *p.MarketValue)
	// One side is settled for April: the other has delivered it, and is owed its mark.
	d.do(t, on("05-02", settledMWh("7200", "90")))
	p = d.positionAt(t, quarter, "2025-05-31T22:00:00Z")
	equal(t, "-7200", p.Delivered)
	equal(t, "-648000", *p.MarketValue)
}

// An option is worth nothing after the day of its expiry.
func TestExpiredOptionIsWorthNothing(t *testing.T) {
	t.Parallel()
	d := newDesk()
	n := option("1000", "2.15")
	d.do(t, on("04-01", n), mark("05-14", n.Instrument.Curve(), "USD", "2025-06", "3"))
	p := d.positionAt(t, n.Instrument.ID(), "2025-05-15T23:59:59Z")
	equal(t, "850", *p.AverageCost.Unrealised)
	require.False(t, p.Expired)
	p = d.positionAt(t, n.Instrument.ID(), "2025-05-16T00:00:00Z")
	equal(t, "-2150", *p.AverageCost.Unrealised)
	equal(t, "0", *p.MarketValue)
	require.True(t, p.Expired)
	require.Empty(t, p.Marks)
}

func TestSmallestMarkedPeriodCounts(t *testing.T) {
	t.Parallel()
	d := newDesk()
	worth := func(delivery string) string {
		i := baseMarch
		i.Delivery = period(delivery)
		return d.valueOf(i, "1", "EUR").String()
	}
	d.do(t, mark("02-03", powerCurve, "EUR", "2025", "60", "2025-Q2", "50"))
	require.Equal(t, "50", worth("2025-05"))
	require.Equal(t, "60", worth("2025-07"))
	d.do(t, mark("02-04", powerCurve, "EUR", "2025-05", "40"))
	require.Equal(t, "40", worth("2025-05"))
	require.Equal(t, "50", worth("2025-Q2"), "a mark of exactly this delivery comes first")
	// Two periods of 31 days contain the week: the later mark counts, then the earlier start.
	d.do(t, mark("02-05", powerCurve, "EUR", "2025-05-02/2025-06-02", "41"))
	require.Equal(t, "41", worth("2025-05-05/2025-05-12"))
	d.do(t, mark("02-06", powerCurve, "EUR", "2025-05", "42", "2025-05-02/2025-06-02", "43"))
	require.Equal(t, "42", worth("2025-05-05/2025-05-12"))
	d.do(t, effective("02-06", mark("02-07", powerCurve, "EUR", "2025-05-02/2025-06-02", "44")))
	require.Equal(t, "44", worth("2025-05-05/2025-05-12"), "of one time, the later version")
}

// Without a value there are no used marks, although some of the months are marked.
func TestMissingMarkLeavesNoUsedMarks(t *testing.T) {
	t.Parallel()
	d := underDelivery(t)
	n := power("100", "80")
	n.Instrument.Delivery = period("2025-06-01/2025-08-01")
	d.do(t, of("T2", on("02-03", n)))
	for _, when := range []string{"2025-05-01T00:00:00Z", "2025-06-15T00:00:00Z"} {
		p := d.positionAt(t, n.Instrument.ID(), when)
		require.Nil(t, p.MarketValue)
		require.Empty(t, p.Marks, when)
	}
}
