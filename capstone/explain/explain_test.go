package explain_test

import (
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/blotter/capstone/explain"
	"example.com/blotter/labs/3-projections/projectiontest"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
)

// histories is the number of random histories of a test.
func histories() uint64 {
	if testing.Short() {
		return 40
	}
	return 200
}

// history returns a random history, with late, corrected, illegal and skipped events.
func history(t *testing.T, seed uint64, n int) map[string][]trade.Event {
	t.Helper()
	streams := map[string][]trade.Event{}
	for _, r := range projectiontest.History(seed, n, 2).Events {
		e, err := contract.Decoded(t.Context(), projectiontest.Codec{}, r)
		require.NoError(t, err)
		streams[r.Stream] = append(streams[r.Stream], e)
	}
	return streams
}

// The parts of a difference add up to it exactly, for random histories and pairs of questions. The
// P&L at both ends is that of the plain fold.
func TestPartsAddUpToTheDifference(t *testing.T) {
	t.Parallel()
	parts := map[explain.Class]int{}
	var pools, books int
	for seed := range histories() {
		streams, r := history(t, seed, 70), rand.New(rand.NewPCG(seed, 2))
		if seed%3 > 0 {
			mark(r, streams)
		}
		from, to := twoQuestions(r, streams)
		all := explain.Between(streams, from, to)
		was, is := values(streams, from, explain.Rules{}), values(streams, to, explain.Rules{})
		requireEnds(t, was, is, all)
		pools += requireParts(t, was, is, all)
		for _, d := range all {
			if d.Unmarked == 0 {
				books++
			}
			for _, p := range d.Parts {
				parts[p.Class]++
			}
		}
	}
	require.Greater(t, books, int(histories())/2, "books with a mark for every position")
	require.Greater(t, pools, 2*int(histories()), "pools with a mark, and a part")
	for _, class := range explain.Classes() {
		require.Greater(t, parts[class], 10, class)
	}
}

// requireEnds requires that the ends of each difference are the sums of the plain fold.
func requireEnds(t *testing.T, from, to map[trade.PoolKey]explain.Value, all []explain.Difference) {
	t.Helper()
	for _, d := range all {
		before, after := nothing(), nothing()
		for _, key := range keys(from, to) {
			if key.Book == d.Book && key.Currency == d.Currency {
				before, after = before.Plus(of(from, key)), after.Plus(of(to, key))
			}
		}
		require.Equal(t, show(before), show(d.From))
		require.Equal(t, show(after), show(d.To))
		require.Equal(t, d.Unmarked > 0, d.Change.Unrealised == nil)
		if change := d.To.Minus(d.From); change.Unrealised != nil {
			require.Equal(t, show(change), show(d.Change))
		}
	}
	for _, key := range keys(from, to) {
		require.True(t, slices.ContainsFunc(all, func(d explain.Difference) bool {
			return d.Book == key.Book && d.Currency == key.Currency
		}), "%v is in no difference", key)
	}
}

// requireParts requires that the parts of each pool add up to its difference, and so those of each
// book. It returns the number of pools with parts and a difference.
func requireParts(
	t *testing.T, from, to map[trade.PoolKey]explain.Value, all []explain.Difference,
) (n int) {
	t.Helper()
	sums := map[trade.PoolKey]explain.Value{}
	for _, d := range all {
		sum := nothing()
		for _, p := range d.Parts {
			require.Equal(t, []any{d.Book, d.Currency}, []any{p.Book, p.Currency})
			require.Equal(t, p.Class == explain.Time, p.Cause == nil)
			if p.Unrealised == nil { // a later part has the change
				p.Unrealised = new(trade.Decimal)
			}
			sums[p.PoolKey], sum = of(sums, p.PoolKey).Plus(p.Value), sum.Plus(p.Value)
		}
		if d.Change.Unrealised != nil {
			require.Equal(t, show(d.Change), show(sum), "%s %s", d.Book, d.Currency)
		}
	}
	for _, key := range keys(from, to) {
		want := of(to, key).Minus(of(from, key))
		if want.Unrealised != nil {
			require.Equal(t, show(want), show(of(sums, key)), "%v", key)
			if _, parted := sums[key]; parted {
				n++
			}
		}
	}
	return n
}

func nothing() explain.Value { return explain.Value{Unrealised: new(trade.Decimal)} }

// of returns the value of a pool. A pool without legs has none.
func of(values map[trade.PoolKey]explain.Value, key trade.PoolKey) explain.Value {
	if v, ok := values[key]; ok {
		return v
	}
	return nothing()
}

func keys(of ...map[trade.PoolKey]explain.Value) []trade.PoolKey {
	all := map[trade.PoolKey]explain.Value{}
	for _, values := range of {
		maps.Copy(all, values)
	}
	return slices.SortedFunc(maps.Keys(all), trade.PoolKey.Compare)
}

// mark puts marks for the positions of a history before its other marks.
func mark(r *rand.Rand, streams map[string][]trade.Event) {
	for i, p := range trade.StateOf(streams, trade.AsOf{}).Positions {
		instrument, _ := trade.ParseInstrumentID(p.Instrument)
		m := trade.PriceMarked{Curve: p.Curve(), Currency: p.Currency}
		for _, month := range instrument.Delivery.Months() {
			price := trade.MulDiv(trade.Int(r.Int64N(9000)), trade.Int(1), trade.Int(100), 2)
			m.Points = append(m.Points, trade.Point{Delivery: month, Price: price})
		}
		stream := trade.CurveStream(m.Curve)
		for n := range streams[stream] {
			streams[stream][n].Version++
			if first, ok := streams[stream][0].Body.(trade.PriceMarked); ok {
				m.Currency = first.Currency
			}
		}
		before := at("2024-10-01T00:00").Add(time.Duration(-i) * time.Hour)
		streams[stream] = slices.Insert(streams[stream], 0, trade.Event{
			ID: trade.EventID("mark", uint32(i)), Version: 1, EffectiveAt: before,
			EnteredAt: before, RecordedAt: before, Body: m,
		})
	}
}

// twoQuestions draws two questions, of which the second is asked later.
func twoQuestions(r *rand.Rand, streams map[string][]trade.Event) (from, to trade.AsOf) {
	var recorded, effective []time.Time
	for _, events := range streams {
		for _, e := range events {
			recorded = append(recorded, e.RecordedAt)
			effective = append(effective, e.EffectiveAt)
		}
	}
	draw := func(of []time.Time) (earlier, later time.Time) {
		slices.SortFunc(of, time.Time.Compare)
		i, j := r.IntN(len(of)), r.IntN(len(of))
		return of[min(i, j)], of[max(i, j)].Add(time.Duration(r.IntN(90*24)) * time.Hour)
	}
	from.Known, to.Known = draw(recorded)
	from.Effective, to.Effective = draw(effective)
	if r.IntN(4) == 0 {
		to.Effective = from.Effective // a restatement
	}
	return from, to
}

// values returns the P&L of the plain fold.
func values(
	streams map[string][]trade.Event, at trade.AsOf, r explain.Rules,
) map[trade.PoolKey]explain.Value {
	all, state := map[trade.PoolKey]explain.Value{}, r.Rounding.StateOf(streams, at)
	curves := maps.Clone(state.Curves)
	for curve, by := range r.Curves {
		state.Curves[curve] = curves[by]
	}
	for _, v := range state.ValuedAt(at.Effective) {
		gain := v.AverageCost
		if r.FIFO {
			gain = v.FIFO
		}
		all[v.PoolKey] = explain.Value{Realised: gain.Realised, Unrealised: gain.Unrealised}
	}
	return all
}

func show(v explain.Value) string {
	if v.Unrealised == nil {
		return v.Realised.String() + " and -"
	}
	return v.Realised.String() + " and " + v.Unrealised.String()
}

// Every kind of event that a command can ask for has a class, and no other kind has.
func TestEveryKindHasAClass(t *testing.T) {
	t.Parallel()
	seen := map[explain.Class]bool{explain.Time: true, explain.Restated: true}
	for _, k := range trade.Kinds() {
		class := explain.ClassOf(k.Zero)
		require.Equal(t, k.IsCommand(), class != "", k.Operation)
		seen[class] = true
	}
	require.Equal(t, explain.Restated, explain.ClassOf(trade.Cancel{Kind: trade.Void}))
	for _, class := range explain.Classes() {
		require.True(t, seen[class], class)
	}
}

// A kind exits if its reductions are exits in the pool: see trade.Leg.
func TestExitsMakeExitLegs(t *testing.T) {
	t.Parallel()
	n := 0
	for stream, events := range history(t, 7, 400) {
		for _, s := range trade.Slots(stream, events, trade.AsOf{}) {
			c, _ := trade.Fold(strings.TrimPrefix(stream, "trade/"), events, trade.AsOf{})
			k := trade.KindOf(s.Event.Body)
			_, reduces := trade.Reduction(s.Event.Body)
			for _, leg := range c.Legs {
				if reduces && leg.Key.Version == s.Version {
					require.Equal(t, k.Exits(), leg.Exit, k.Operation)
					n++
				}
			}
		}
	}
	require.Greater(t, n, 20)
}
