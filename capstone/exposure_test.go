package capstone_test

import (
	"context"
	"sync"
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

var exposed struct {
	once   sync.Once
	system *capstone.System
}

// exposedSystem returns a system with the sample book. Its tests only read it.
func exposedSystem(t *testing.T) *capstone.System {
	t.Helper()
	exposed.once.Do(func() {
		system, ctx := newSystem(), context.Background()
		_, err := system.Import(ctx, each(sample(t)), func(capstone.Result) {})
		require.NoError(t, err)
		_, err = system.State(ctx) // brings the projection to the end of the log
		require.NoError(t, err)
		exposed.system = system
	})
	require.NotNil(t, exposed.system, "the import failed in another test")
	return exposed.system
}

// If all prices of a curve rise by one, the market value of its positions rises by their deltas and
// their delivered quantities, except for the rounding of each value to the minor unit.
func TestExposuresPredictTheValue(t *testing.T) {
	t.Parallel()
	system := exposedSystem(t)
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

// curves returns one curve with marks of 2025.
func curves(name string, currency trade.Currency, points ...string) map[string]trade.Curve {
	c := trade.Curve{Points: map[trade.Period]trade.Mark{}}
	for i := 0; i < len(points); i += 2 {
		p, err := trade.ParsePeriod(points[i])
		if err != nil {
			panic(err)
		}
		c.Points[p] = trade.Mark{Price: trade.Dec(points[i+1]), Currency: currency}
	}
	return map[string]trade.Curve{name: c}
}

// The first quarter has 744, 672 and 743 hours. Of two books, one lacks a mark.
func TestMovesWorked(t *testing.T) {
	t.Parallel()
	const curve = "power/CET/base"
	quarter, march := position(curve+"@2025-Q1", "2159"), position(curve+"@2025-03", "-43.5")
	june := position(curve+"@2025-06", "10")
	june.Book = "c"
	from := curves(curve, "EUR", "2025-01", "80", "2025-Q1", "70", "2025-06", "60")
	to := curves(curve, "EUR", "2025-01", "82.5", "2025-Q1", "71", "2025-03", "69")
	december := time.Date(2024, 12, 1, 0, 0, 0, 0, time.UTC)
	got, err := capstone.Moves([]trade.Valuation{quarter, march, june}, from, to, december)
	require.NoError(t, err)
	require.Len(t, got, 2)
	// The quarter is marked as such: 2159 × 1. March went from the quarter's 70 to its own 69.
	require.Equal(t, "2202.5", got[0].PnL.String())
	require.Equal(t, []string{"744 744", "672 672", "-43.5 43.5", "743 743"}, shown(got[0].Moves))
	require.Nil(t, got[1].PnL)
	require.Equal(t, 1, got[1].Missing)
	require.Equal(t, []string{"10 -"}, shown(got[1].Moves))
	require.Equal(t, "60", got[1].Moves[0].From.Price.String())
	require.Nil(t, got[1].Moves[0].To)

	// At midnight of 16 January, 384 hours of the month are left, and each month has its own mark.
	quarter.Undelivered = trade.Dec("1799")
	got, err = capstone.Moves([]trade.Valuation{quarter}, from, to,
		time.Date(2025, 1, 15, 23, 0, 0, 0, time.UTC))
	require.NoError(t, err)
	require.Equal(t, []string{"384 960", "672 672", "743 -743"}, shown(got[0].Moves))
	require.Equal(t, "889", got[0].PnL.String())

	// A mark in another currency is no mark.
	dollars := quarter
	dollars.Currency = "USD"
	got, err = capstone.Moves([]trade.Valuation{dollars}, from, to, december)
	require.NoError(t, err)
	require.Equal(t, 3, got[0].Missing)
}

func shown(moves []capstone.Move) (all []string) {
	for _, m := range moves {
		pnl := "-"
		if m.PnL != nil {
			pnl = m.PnL.String()
		}
		all = append(all, m.Delta.String()+" "+pnl)
	}
	return all
}

// The P&L of a move is the difference between two valuations of the same positions: with the curves
// of one day and of the other. Every position is moved alone, so a total is the sum of its
// positions. Rounding differs by at most a cent for each month and each valuation.
func TestMovesAreDifferencesOfValue(t *testing.T) {
	t.Parallel()
	system := exposedSystem(t)
	at := time.Date(2025, 2, 17, 9, 40, 0, 0, time.UTC)
	compared, missing := 0, 0
	for _, days := range [][2]string{{"2025-02-03", "2025-02-16"}, {"2025-05-01", "2025-02-10"},
		{"2025-01-02", "2025-02-16"}} {
		state, err := system.AsOf(t.Context(), system.Projection, trade.AsOf{Effective: at})
		require.NoError(t, err)
		positions := state.ValuedAt(at)
		var value [2][]trade.Valuation
		var marked [2]map[string]trade.Curve
		for n, day := range days {
			when, err := time.Parse(time.DateOnly, day)
			require.NoError(t, err)
			marked[n], err = system.CurvesAt(t.Context(), positions, trade.AsOf{Effective: when})
			require.NoError(t, err)
			state.Curves = marked[n]
			value[n] = state.ValuedAt(at)
		}
		for n, p := range positions {
			if !p.Delivered.IsZero() || p.Undelivered.IsZero() {
				continue // a delivered quantity has no exposure
			}
			got, err := capstone.Moves(positions[n:n+1], marked[0], marked[1], at)
			require.NoError(t, err)
			require.Len(t, got, 1)
			from, to := value[0][n].MarketValue, value[1][n].MarketValue
			if from == nil || to == nil {
				require.Nil(t, got[0].PnL, p.Instrument)
				missing++
				continue
			}
			compared++
			off := to.Sub(*from).Sub(*got[0].PnL).Abs()
			most := trade.Dec("0.01").Mul(trade.Int(int64(2 + len(got[0].Moves))))
			require.LessOrEqual(t, off.Cmp(most), 0, "%s: %s less %s is not %s", p.Instrument, to,
				from, got[0].PnL)
		}
		requireSums(t, positions, marked, at)
	}
	require.Greater(t, compared, 20)
	require.Positive(t, missing)
}

// requireSums compares the totals with the totals of single positions.
func requireSums(t *testing.T, positions []trade.Valuation, marked [2]map[string]trade.Curve,
	at time.Time) {
	t.Helper()
	sums, missing := map[string]trade.Decimal{}, map[string]bool{}
	for n := range positions {
		one, err := capstone.Moves(positions[n:n+1], marked[0], marked[1], at)
		require.NoError(t, err)
		for _, total := range one {
			key := total.Book + string(total.Currency)
			if missing[key] = missing[key] || total.PnL == nil; total.PnL != nil {
				sums[key] = sums[key].Add(*total.PnL)
			}
		}
	}
	all, err := capstone.Moves(positions, marked[0], marked[1], at)
	require.NoError(t, err)
	require.NotEmpty(t, all)
	for _, total := range all {
		key := total.Book + string(total.Currency)
		require.Equal(t, missing[key], total.PnL == nil, key)
		if total.PnL != nil {
			most := trade.Dec("0.01").Mul(trade.Int(int64(12 * len(positions))))
			off := total.PnL.Sub(sums[key]).Abs()
			require.LessOrEqual(t, off.Cmp(most), 0, "%s: %s, not %s", key, total.PnL, sums[key])
		}
	}
}
