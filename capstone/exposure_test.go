package capstone_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/blotter/capstone"
	"example.com/blotter/labs/kit/trade"
)

// position returns the open position of an instrument, as its valuation.
func position(instrument, undelivered string) trade.Valuation {
	q := trade.Dec(undelivered)
	key := trade.PoolKey{Book: "b", Instrument: instrument, Currency: "EUR"}
	return trade.Valuation{PoolKey: key, Unit: "MWh", Quantity: q, Undelivered: q}
}

// A delta is spread over the hours that are left. The first quarter of 2025 has 744, 672 and 743
// hours on the Continent: the clocks change in March. At midnight of 16 January, 384 hours of the
// month are left.
func TestExposuresByMonth(t *testing.T) {
	t.Parallel()
	positions := []trade.Valuation{
		position("power/CET/base@2025-Q1", "2159"), position("power/CET/base@2025-03", "-43"),
		position("power/CET/base@2025-02", "0"), position("oil/BRENT@2025-06", "-70.5"),
		position("oil/BRENT/call/70/2025-05-15@2025-06", "10"),
	}
	before := []capstone.Exposure{
		{"BRENT", "oil/BRENT", "2025-06", "EUR", "MWh", trade.Dec("-70.5")},
		{"BRENT", "oil/BRENT/call/70/2025-05-15", "2025-06", "EUR", "MWh", trade.Dec("10")},
		{"CET", "power/CET/base", "2025-01", "EUR", "MWh", trade.Dec("744")},
		{"CET", "power/CET/base", "2025-02", "EUR", "MWh", trade.Dec("672")},
		{"CET", "power/CET/base", "2025-03", "EUR", "MWh", trade.Dec("700")},
	}
	got, err := capstone.Exposures(positions, time.Date(2024, 12, 1, 0, 0, 0, 0, time.UTC))
	require.NoError(t, err)
	require.Equal(t, before, got)

	positions[0] = position("power/CET/base@2025-Q1", "1799")
	got, err = capstone.Exposures(positions, time.Date(2025, 1, 15, 23, 0, 0, 0, time.UTC))
	require.NoError(t, err)
	before[2].Delta = trade.Dec("384")
	require.Equal(t, before, got)

	unknown := []trade.Valuation{position("power/MARS/base@2025", "1")}
	_, err = capstone.Exposures(unknown, time.Time{})
	require.ErrorContains(t, err, "power/MARS/base")
}

// A mark in EUR does not value a position in USD, so the two do not offset each other.
func TestExposuresOfEachCurrency(t *testing.T) {
	t.Parallel()
	bought, sold := position("oil/BRENT@2025-06", "100"), position("oil/BRENT@2025-06", "-100")
	sold.Currency = "USD"
	got, err := capstone.Exposures([]trade.Valuation{sold, bought}, time.Time{})
	require.NoError(t, err)
	require.Equal(t, []capstone.Exposure{
		{"BRENT", "oil/BRENT", "2025-06", "EUR", "MWh", trade.Dec("100")},
		{"BRENT", "oil/BRENT", "2025-06", "USD", "MWh", trade.Dec("-100")},
	}, got)
}

// Shares are rounded to six decimals, and their sum is the quantity.
func TestExposuresAddUp(t *testing.T) {
	t.Parallel()
	for _, at := range []time.Time{{}, time.Date(2025, 5, 17, 3, 20, 0, 0, time.UTC)} {
		got, err := capstone.Exposures(
			[]trade.Valuation{position("power/CET/peak@2025", "-1000.000001")}, at)
		require.NoError(t, err)
		var sum trade.Decimal
		for _, e := range got {
			require.Negative(t, e.Delta.Sign(), e.Month)
			sum = sum.Add(e.Delta)
		}
		require.Equal(t, "-1000.000001", sum.String())
		require.Len(t, got, map[bool]int{true: 12, false: 8}[at.IsZero()])
	}
}

// If all prices of a curve rise by one, the market value of its positions rises by their deltas and
// their delivered quantities, except for the rounding of each value to the minor unit.
func TestExposuresPredictTheValue(t *testing.T) {
	t.Parallel()
	system := newSystem()
	_, err := system.Import(t.Context(), each(sample(t)), func(capstone.Result) {})
	require.NoError(t, err)
	_, err = system.State(t.Context()) // brings the projection to the end of the log
	require.NoError(t, err)
	state, err := system.AsOf(t.Context(), system.Projection, trade.AsOf{})
	require.NoError(t, err)
	at := time.Date(2025, 6, 17, 9, 40, 0, 0, time.UTC)
	before := state.ValuedAt(at)
	for name, curve := range state.Curves {
		for delivery, mark := range curve.Points {
			mark.Price = mark.Price.Add(trade.Int(1))
			state.Curves[name].Points[delivery] = mark
		}
	}
	moved, want, marked := map[string]trade.Decimal{}, map[string]trade.Decimal{}, before[:0:0]
	for n, after := range state.ValuedAt(at) {
		if after.MarketValue == nil {
			continue
		}
		curve := after.Curve()
		marked = append(marked, before[n])
		moved[curve] = moved[curve].Add(after.MarketValue.Sub(*before[n].MarketValue))
		want[curve] = want[curve].Add(before[n].Delivered)
	}
	exposures, err := capstone.Exposures(marked, at)
	require.NoError(t, err)
	for _, e := range exposures {
		want[e.Curve] = want[e.Curve].Add(e.Delta)
	}
	require.Greater(t, len(moved), 3)
	for curve, change := range moved {
		off := change.Sub(want[curve]).Abs()
		most := trade.Dec("0.02").Mul(trade.Int(int64(len(marked))))
		require.LessOrEqual(t, off.Cmp(most), 0, "%s: moved by %s, want %s", curve, change,
			want[curve])
	}
}
