package ledger_test

import (
	"fmt"
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/blotter/capstone/ledger"
	"example.com/blotter/labs/kit/trade"
)

// naive adds up the accounts' events in fractions: another source, another arithmetic, no order.
func naive(facts []ledger.Fact, at trade.AsOf) map[string]*big.Rat {
	sums := map[string]*big.Rat{}
	add := func(f ledger.Fact, amount string, sign int64) {
		x, _ := new(big.Rat).SetString(amount)
		name := f.Stream[len("account/main/"):]
		if sums[name] == nil {
			sums[name] = new(big.Rat)
		}
		sums[name].Add(sums[name], x.Mul(x, big.NewRat(sign, 1)))
	}
	for _, f := range facts {
		if !at.Known.IsZero() && f.RecordedAt.After(at.Known) ||
			!at.Effective.IsZero() && f.EffectiveAt.After(at.Effective) {
			continue
		}
		switch b := f.Body.(type) {
		case ledger.AccountDebited:
			add(f, b.Amount.String(), 1)
		case ledger.AccountCredited:
			add(f, b.Amount.String(), -1)
		}
	}
	return sums
}

// Balances at 1,000 random pairs of times equal a fold that is written differently. Each trial
// balance comes to zero in each currency.
func TestBalancesAtAnyTwoTimes(t *testing.T) {
	t.Parallel()
	d := random(t, 7, 1000)
	require.Empty(t, d.books.Check())
	r := rand.New(rand.NewPCG(8, 1))
	for range 1000 {
		at := trade.AsOf{Known: start.Add(time.Duration(r.IntN(d.n)) * time.Minute),
			Effective: start.Add(time.Duration(r.Int64N(370*24)) * time.Hour)}
		trial := d.books.Trial(at)
		require.NoError(t, trial.Balanced())
		want := naive(d.facts, at)
		require.Len(t, trial.Balances, len(want))
		for _, b := range trial.Balances {
			got, _ := new(big.Rat).SetString(b.Balance.String())
			require.Zero(t, got.Cmp(want[b.Account]), "%s at %v", b.Account, at)
		}
	}
}

// No account with a floor is below it at any effective time, and a refused entry would have been.
func TestFloorHoldsAtEveryTime(t *testing.T) {
	t.Parallel()
	d := random(t, 9, 800)
	floored := 0
	for name, a := range d.state.Accounts {
		if a.Floor == "" {
			continue
		}
		floored++
		low, _ := lowest(d, name, nil)
		require.GreaterOrEqual(t, low.Cmp(trade.Dec(a.Floor)), 0, name)
		r := rand.New(rand.NewPCG(10, uint64(floored)))
		for i := range 60 {
			at := start.Add(time.Duration(r.Int64N(360*24)) * time.Hour)
			p := take(d.state.Accounts[name], r, at, i)
			low, cents := lowest(d, name, &p)
			refusal := d.do(at, p.PostEntry)
			require.Equal(t, cents, refusal != nil, "%s: lowest %s, %v", name, low, refusal)
		}
	}
	require.Greater(t, floored, 5)
}

// A taking lowers the balance of an account at a time.
type taking struct {
	ledger.PostEntry
	at     time.Time
	amount trade.Decimal // on the normal side
}

func take(a ledger.Account, r *rand.Rand, at time.Time, i int) taking {
	amount := trade.Int(1 + r.Int64N(400))
	line := func(name string, side ledger.Side) ledger.Line {
		return ledger.Line{Account: name, Side: side, Amount: amount, Currency: a.Currency}
	}
	other := map[trade.Currency]string{"EUR": "income:a3", "JPY": "expense:a19",
		"TND": "asset:a5"}[a.Currency]
	return taking{ledger.PostEntry{Entry: fmt.Sprint(a.Account, "-", i), Lines: []ledger.Line{
		line(a.Account, a.Normal.Opposite()), line(other, a.Normal)}}, at, amount}
}

// lowest returns the least balance at any time, with a taking, and whether it is below the floor.
func lowest(d *desk, name string, p *taking) (trade.Decimal, bool) {
	a := d.state.Accounts[name]
	byTime := map[time.Time]trade.Decimal{}
	for _, row := range d.books.Statement(name, trade.AsOf{}) {
		amount := row.Amount
		if a.Normal == ledger.Credit {
			amount = amount.Neg()
		}
		byTime[row.EffectiveAt] = byTime[row.EffectiveAt].Add(amount)
	}
	if p != nil {
		byTime[p.at.UTC()] = byTime[p.at.UTC()].Sub(p.amount)
	}
	var times []time.Time
	for at := range byTime {
		times = append(times, at)
	}
	slices.SortFunc(times, time.Time.Compare)
	var sum, low trade.Decimal
	for _, at := range times {
		if sum = sum.Add(byTime[at]); sum.Cmp(low) < 0 {
			low = sum
		}
	}
	return low, low.Cmp(trade.Dec(a.Floor)) < 0
}
