package trade_test

import (
	"math/big"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"example.com/blotter/labs/kit/trade"
)

// The book is the oracle's, in any order of arrival, and every contract that began from another
// one began as its cause says.
func TestBookEqualsANaiveFold(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		d := histories().Draw(t, "history")
		want := naive(d.streams, trade.AsOf{})
		holdToOracle(t, bookOf(t, d.arrivals(t)).State(), want, early)
		want.checkBirths(t, d)
	})
}

// So is the state as known at any time and as effective at any other, valued at that one.
func TestStateAsOfEqualsANaiveFold(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		d := histories().Draw(t, "history")
		for range 3 {
			at := anyTimes(t, d)
			got := trade.StateOf(d.streams, at)
			require.Empty(t, got.Parked)
			holdToOracle(t, got, naive(d.streams, at), at.Effective)
		}
	})
}

// anyTimes draws the two times of a question. Half of the effective times are soon after an event
// took effect. The others are times at which a delivery, a month or an option ends.
func anyTimes(t *rapid.T, d *desk) (as trade.AsOf) {
	var known, effective []time.Time
	for _, events := range d.streams {
		for _, e := range events {
			known, effective = append(known, e.RecordedAt), append(effective, e.EffectiveAt)
		}
	}
	slices.SortFunc(known, time.Time.Compare)
	slices.SortFunc(effective, time.Time.Compare)
	if len(known) > 0 && rapid.IntRange(0, 2).Draw(t, "as known") == 0 {
		as.Known = rapid.SampledFrom(known).Draw(t, "known")
	}
	as.Effective = at(rapid.SampledFrom([]string{
		"2025-05-03T22:00:00Z", "2025-05-15T23:59:59.999999Z", "2025-05-16T00:00:00Z",
		"2025-05-31T22:00:00Z", "2025-06-15T00:00:00Z", "2025-07-31T20:30:00Z",
		"2025-12-31T00:00:00Z",
	}).Draw(t, "effective"))
	if len(effective) > 0 && rapid.Bool().Draw(t, "soon") {
		as.Effective = rapid.SampledFrom(effective).Draw(t, "soon after").Add(
			time.Duration(rapid.IntRange(0, 9).Draw(t, "half hours")) * 30 * time.Minute)
	}
	return as
}

// holdToOracle compares every quantity, cost and value.
func holdToOracle(t require.TestingT, got trade.State, want *oracle, at time.Time) {
	require.Len(t, got.Trades, len(want.trades))
	for _, tr := range got.Trades {
		want.trades[tr.UTI].check(t, tr)
	}
	pools := want.pools()
	require.Len(t, got.Positions, len(pools))
	for _, p := range got.ValuedAt(at) {
		name := p.Book + "|" + p.Instrument + "|" + string(p.Currency)
		same(t, pools[name].quantity, p.Quantity, name+" quantity")
		same(t, pools[name].cost, p.AverageCost.Cost, name+" cost")
		same(t, pools[name].realised, p.AverageCost.Realised, name+" realised")
		same(t, pools[name].costFIFO, p.FIFO.Cost, name+" FIFO cost")
		same(t, pools[name].realisedFIFO, p.FIFO.Realised, name+" FIFO realised")
		want.value(name, pools[name].quantity, at).check(t, p)
	}
}

// check compares the totals of a contract, and its terms unless it is voided.
func (c *oracleTrade) check(t require.TestingT, got trade.Trade) {
	require.Equal(t, c.status, got.Status, got.UTI)
	for i, q := range []trade.Decimal{got.Contracted, got.Open, got.Settled, got.Novated,
		got.Exercised, got.Terminated, got.SettledAmount} {
		same(t, c.total[accounts[i]], q, got.UTI+" "+accounts[i])
	}
	if c.status == trade.Voided {
		require.Empty(t, got.Legs, got.UTI)
		return
	}
	same(t, c.price, got.Price, got.UTI+" price")
	n := c.terms
	require.Equal(t, []any{n.Book, n.Counterparty, n.Trader, n.Side, n.Instrument.ID(), n.Currency,
		n.PriorUTI}, []any{got.Book, got.Counterparty, got.Trader, got.Side, got.Instrument,
		got.Currency, got.PriorUTI}, got.UTI)
}

// check compares the value of a position, and the marks that it comes from.
func (v oracleValue) check(t require.TestingT, p trade.Valuation) {
	same(t, v.undelivered, p.Undelivered, p.Instrument+" undelivered")
	same(t, v.delivered, p.Delivered, p.Instrument+" delivered")
	require.Equal(t, v.expired, p.Expired, p.Instrument)
	var marks []string
	for _, m := range p.Marks {
		marks = append(marks, m.Delivery)
	}
	slices.Sort(marks)
	require.Equal(t, v.marks, marks, p.Instrument)
	if v.worth == nil {
		require.Nil(t, p.MarketValue)
		require.Nil(t, p.AverageCost.Unrealised)
		require.Nil(t, p.FIFO.Unrealised)
		return
	}
	require.NotNil(t, p.MarketValue, p.Instrument)
	same(t, v.worth, *p.MarketValue, p.Instrument+" value")
	equal(t, p.AverageCost.Realised.Add(*p.AverageCost.Unrealised).String(),
		p.FIFO.Realised.Add(*p.FIFO.Unrealised))
}

func same(t require.TestingT, want *big.Rat, got trade.Decimal, what string) {
	require.Zero(t, want.Cmp(rat(got)), "%s: want %s, got %s", what, want.FloatString(6), got)
}
