package books_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/blotter/capstone/books"
	"example.com/blotter/labs/kit/trade"
)

func TestFirstBookRefusals(t *testing.T) {
	t.Parallel()
	want := readmeTable(t, "(?m)^\\| `(f-\\d+)` \\| `([a-z.-]+)` \\|")
	require.Equal(t, want, imported(t, open(t, books.First)).refused)
}

func equal(t *testing.T, want string, got trade.Decimal) {
	t.Helper()
	require.Equal(t, want, got.Fixed(2))
}

func TestFirstBookCostMethods(t *testing.T) {
	t.Parallel()
	d := imported(t, open(t, books.First))
	p := d.position(t, "gas-prop", "gas/TTF/base@2025-04", "", "2025-02-18")
	equal(t, "360.00", p.AverageCost.Realised)
	equal(t, "30.00", *p.AverageCost.Unrealised)
	equal(t, "480.00", p.FIFO.Realised)
	equal(t, "-90.00", *p.FIFO.Unrealised)
	rich := d.position(t, "gas-prop", "gas/TTF/base@2025-04", "2025-01-31T18:00:00Z", "2025-01-31")
	equal(t, "6330.00", *rich.AverageCost.Unrealised) // 150 x (94.20 - 52)
}

func TestFirstBookBaseLoad(t *testing.T) {
	t.Parallel()
	d := imported(t, open(t, books.First))
	worth := func(effective string) (realised, unrealised trade.Decimal) {
		p := d.position(t, "power-prop", "power/CET/base@2025-03", "", effective)
		return p.AverageCost.Realised, *p.AverageCost.Unrealised
	}
	_, before := worth("2025-02-09")
	equal(t, "31577.50", before)
	fee, after := worth("2025-02-10")
	equal(t, "18946.50", after)
	equal(t, "-31.00", fee.Add(after).Sub(before))
	end, none := worth("2025-04-30")
	equal(t, "0.00", none)
	equal(t, "13819.80", end.Sub(fee))
	equal(t, "172800.00", d.trade(t, "PWR-10", "", "2025-03-31").SettledAmount)
	equal(t, "356640.00", d.trade(t, "PWR-10", "", "").SettledAmount) // and 183,840.00
}

func TestFirstBookTwoTimes(t *testing.T) {
	t.Parallel()
	d := imported(t, open(t, books.First))
	for _, c := range []struct{ known, effective, open string }{
		{"2025-01-16T13:10:00Z", "2025-01-16", "50"},
		{"2025-01-16T13:20:00Z", "2025-01-16", "45"},
		{"2025-01-16T13:10:00Z", "2025-01-15", "70"},
		{"2025-01-16T13:20:00Z", "2025-01-15", "70"},
	} {
		require.Equal(t, c.open, d.trade(t, "PWR-70", c.known, c.effective).Open.String(), c)
	}
}

func TestFirstBookExercise(t *testing.T) {
	t.Parallel()
	d := imported(t, open(t, books.First))
	total := trade.Decimal{}
	const option, underlying = "oil/BRENT/call/70/2025-05-15@2025-06", "oil/BRENT@2025-06"
	for _, instrument := range []string{option, underlying} {
		p := d.position(t, "oil-options", instrument, "", "")
		total = total.Add(p.AverageCost.Realised).Add(*p.AverageCost.Unrealised)
	}
	equal(t, "40892.50", total)
}
