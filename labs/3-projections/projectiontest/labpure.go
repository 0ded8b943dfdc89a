package projectiontest

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/kit/check"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
)

var foldingBatches = []labSpec{
	{Check: check.Check{
		ID: "L3.1", Points: 2, Invariant: "L3.I3", Operation: foldRows,
		Title: "the first batch gives one row for each contract and each curve in it",
		Hint: "collect the events by stream first, and fold each stream once: trade.Fold, " +
			"trade.FoldCurve; a stream of refusals gives no row",
		More: "for _, stream := range sorted names: cut the prefix trade.TradeStream(\"\") or " +
			"trade.CurveStream(\"\") with strings.CutPrefix; fold what is left under that " +
			"name",
		Misconception: "that each event makes a row",
	}, try: firstBatch},
	{Check: check.Check{
		ID: "L3.2", Points: 2, Invariant: "L3.I3", Operation: foldRows,
		Title: "a later batch gives the rows of its streams, from all their events",
		Hint:  "begin with taken[stream].Events, and append the events of the batch",
		More: "streams[e.Stream] = append(slices.Clone(taken[e.Stream].Events), …) for the " +
			"first event of a stream, and append for the others; then fold as for the first" +
			" batch",
		Misconception: "that the events of a batch are enough to fold its contracts",
	}, try: laterBatches},
	{Check: check.Check{
		ID: "L3.3", Points: 3, Invariant: "L3.I4", Operation: foldRows,
		Title: "of each pool, the first leg that any contract of the batch changes counts",
		Hint: "trade.Changed compares the legs of one contract; of two contracts in one pool the " +
			"leg with the smaller key counts (LegKey.Compare)",
		More: "for pool, leg := range trade.Changed(taken[stream].Legs, t.Legs): keep leg if " +
			"Pools has none for the pool, or a larger one",
		Misconception: "that a batch changes a pool at one place",
	}, try: firstChangedLegs},
}

// takenFor returns what a model with events has taken of the streams of a batch.
func takenFor(batch, events []contract.Recorded) map[string]contract.Taken {
	all, taken := takenOf(events), map[string]contract.Taken{}
	for _, r := range batch {
		taken[r.Stream] = all[r.Stream]
	}
	return taken
}

// takenOf returns what a model has taken after events.
func takenOf(events []contract.Recorded) map[string]contract.Taken {
	taken := map[string]contract.Taken{}
	for stream, all := range streamsOf(events) {
		of := contract.Taken{Events: all}
		if uti, ok := strings.CutPrefix(stream, trade.TradeStream("")); ok {
			t, _ := trade.Fold(uti, all, trade.AsOf{})
			of.Legs = t.Legs
		}
		taken[stream] = of
	}
	return taken
}

func decoded(events []contract.Recorded) []contract.StreamEvent {
	var all []contract.StreamEvent
	for _, r := range events {
		e, err := contract.Decoded(context.Background(), Codec{}, r)
		if err != nil {
			panic(err) // this package encoded it
		}
		all = append(all, contract.StreamEvent{Stream: r.Stream, Event: e})
	}
	return all
}

func firstBatch(t *labTrial) {
	for _, n := range []int{1, 20, 80} {
		events := History(21+t.Seed(), n, 1).Events
		got, err := t.fold(takenFor(events, nil), decoded(events))
		require.NoError(t, err, "fold the first %d events", n)
		requireRows(t, events, events, got)
	}
}

func laterBatches(t *labTrial) {
	events := History(22+t.Seed(), 200, 1).Events
	n := 0
	for _, batch := range batches(events, rand.New(rand.NewPCG(22, 2)).IntN) {
		taken := takenFor(batch, events[:n])
		// An array with room for more: a model may reuse it.
		for stream, of := range taken {
			of.Events = append(slices.Clone(of.Events), trade.Event{})[:len(of.Events)]
			taken[stream] = of
		}
		got, err := t.fold(taken, decoded(batch))
		require.NoError(t, err, "fold events %d to %d", n+1, n+len(batch))
		n += len(batch)
		requireRows(t, events[:n], batch, got)
		for _, stream := range slices.Sorted(maps.Keys(taken)) {
			of := taken[stream].Events
			next := of[:len(of)+1][len(of)]
			require.True(t.Hint("begin with a copy of taken[stream].Events: append to a slice of "+
				"the caller may write into the caller's array"), next.Body == nil,
				"Fold wrote into the array of taken[%q].Events", stream)
		}
	}
}

// requireRows compares the rows of a batch with those of a fold of all events. The contracts may be
// in any order.
func requireRows(t *labTrial, all, batch []contract.Recorded, got contract.Changes) {
	in := streamsOf(batch)
	want := trade.State{Curves: map[string]trade.Curve{}}
	whole := fold(all)
	for _, c := range whole.Trades {
		if in[trade.TradeStream(c.UTI)] != nil {
			want.Trades = append(want.Trades, c)
		}
	}
	for name, c := range whole.Curves {
		if in[trade.CurveStream(name)] != nil {
			want.Curves[name] = c
		}
	}
	trades := slices.SortedFunc(slices.Values(got.Trades), func(a, b trade.Trade) int {
		return strings.Compare(a.UTI, b.UTI)
	})
	utis := func(trades []trade.Trade) string {
		var all []string
		for _, c := range trades {
			all = append(all, c.UTI)
		}
		return strings.Join(all, " ")
	}
	require.Equal(t, utis(want.Trades), utis(trades),
		"contracts of the rows after %d events, of which %d are in the batch", len(all), len(batch))
	require.Equal(t, slices.Sorted(maps.Keys(want.Curves)), slices.Sorted(maps.Keys(got.Curves)),
		"curves of the rows")
	rows := trade.State{Trades: trades, Curves: got.Curves}
	requireSame(t, want, rows, "after %d events, of which %d are in the batch, Fold", len(all),
		len(batch))
	for i, c := range want.Trades {
		require.Equal(t, legTexts(c.Legs), legTexts(trades[i].Legs), "legs of %s", c.UTI)
	}
}

func legTexts(legs []trade.Leg) []string {
	all := []string{}
	for _, l := range legs {
		all = append(all, fmt.Sprintf("%s of version %d: %s for %s", l.Key.EffectiveAt,
			l.Key.Version, l.Quantity, l.Amount))
	}
	return all
}

func keyText(key trade.LegKey, changed bool) string {
	if !changed {
		return "the pool does not change"
	}
	return fmt.Sprintf("%s of %s, version %d", key.EffectiveAt.Format(time.RFC3339), key.Stream,
		key.Version)
}

func firstChangedLegs(t *labTrial) {
	for seed := range uint64(5) {
		events := History(seed+t.Seed(), 240, 1).Events
		for n := 60; n < len(events); n += 60 {
			batch := events[n : n+60]
			taken := takenFor(batch, events[:n])
			got, err := t.fold(taken, decoded(batch))
			require.NoError(t, err, "fold events %d to %d", n+1, n+60)
			want := map[trade.PoolKey]trade.LegKey{}
			for stream, of := range takenFor(batch, events[:n+60]) {
				for pool, leg := range trade.Changed(taken[stream].Legs, of.Legs) {
					if first, ok := want[pool]; !ok || leg.Compare(first) < 0 {
						want[pool] = leg
					}
				}
			}
			pools := maps.Clone(want)
			maps.Copy(pools, got.Pools)
			for _, pool := range slices.SortedFunc(maps.Keys(pools), trade.PoolKey.Compare) {
				first, changed := want[pool]
				named, isNamed := got.Pools[pool]
				require.Equal(t, keyText(first, changed), keyText(named, isNamed),
					"the first leg of %v that events %d to %d change", pool, n+1, n+60)
			}
		}
	}
}

var advancing = []labSpec{
	{Check: check.Check{
		ID: "L3.4", Points: 2, Invariant: "L3.I2", Operation: advance,
		Title:         "the events that the cursor does not cover are new, in their order",
		Hint:          "Cursor.Covers compares a position with the offset of its own partition",
		More:          "one loop: if !cursor.Covers(r.Position) { fresh = append(fresh, r) }",
		Misconception: "that a batch is either new or old as a whole",
	}, try: freshEvents},
	{Check: check.Check{
		ID: "L3.5", Points: 2, Invariant: "L3.I2", Operation: advance,
		Title: "the cursor moves to next, past holes, and never back in any partition",
		Hint: "take the later offset of both cursors in each partition; do not derive the " +
			"cursor from the events",
		More:          "return fresh, cursor.Max(next), nil",
		Misconception: "that the position of the last event is the reader's progress",
	}, try: nextCursor},
}

func freshEvents(t *labTrial) {
	log := History(23+t.Seed(), 20, 3)
	for _, n := range []int{0, 6, 12, 20} {
		cursor := after(nil, log.Events[:n])
		for _, from := range []int{0, 4, 12} {
			batch := log.Events[from:]
			fresh, _, err := t.advance(cursor, batch, after(nil, log.Events))
			require.NoError(t, err)
			require.Equal(t, positions(log.Events[max(n, from):]), positions(fresh),
				"the new ones of events %d to 20, for a model at %s", from+1, cursor)
		}
	}
	// One partition is ahead: some events in the middle of the batch are old.
	ahead := contract.Cursor{0, log.end[1], 0}
	fresh, _, err := t.advance(ahead, log.Events, log.end)
	require.NoError(t, err)
	want := slices.DeleteFunc(slices.Clone(log.Events), func(r contract.Recorded) bool {
		return r.Position.Partition == 1
	})
	require.Equal(t, positions(want), positions(fresh),
		"the new ones of events 1 to 20, for a model at %s", ahead)
}

func positions(events []contract.Recorded) string {
	var all []string
	for _, r := range events {
		all = append(all, r.Position.String())
	}
	return strings.Join(all, " ")
}

func nextCursor(t *labTrial) {
	log := History(24+t.Seed(), 60, 3)
	for _, tc := range []struct{ name, cursor, next, want string }{
		{"a hole after the last event", "[3,4,0]", "[9,8,7]", "[9,8,7]"},
		{"an old batch", "[9,8,7]", "[3,4,0]", "[9,8,7]"},
		{"a batch that is old in one partition", "[9,2,7]", "[3,8,7]", "[9,8,7]"},
		{"more partitions than before", "[9]", "[9,8,7]", "[9,8,7]"},
	} {
		cursor, next := cursorOf(tc.cursor), cursorOf(tc.next)
		for _, batch := range [][]contract.Recorded{nil, log.Events[:5]} {
			_, to, err := t.advance(cursor, batch, next)
			require.NoError(t, err)
			require.Equal(t, tc.want, to.String(), "%s: the cursor %s after a batch of %d up to %s",
				tc.name, cursor, len(batch), next)
		}
	}
}

func cursorOf(text string) contract.Cursor {
	c, err := contract.ParseCursor(text)
	if err != nil {
		panic(err)
	}
	return c
}

var refolding = []labSpec{
	{Check: check.Check{
		ID: "L3.13", Points: 3, Invariant: "L3.I4", Operation: refold,
		Title: "the fold begins at the last saved state before the first changed leg",
		Hint: "compare s.Last with first: a state whose last leg is the changed one holds the " +
			"leg's old amount",
		More: "take states as long as s.Last.Compare(first) < 0; the last of them, or the " +
			"zero state, is the start: ask after(start) for the legs",
		Misconception: "that a state up to and including the changed leg can be kept",
	}, try: refoldStart},
	{Check: check.Check{
		ID: "L3.14", Points: 3, Invariant: "L3.I4", Operation: refold,
		Title: "states are saved after every Spacing legs and after the last leg, and nowhere else",
		Hint: "a state that was saved as the last one is not the last any more when legs come " +
			"after it; a Pool holds a slice, so save pool.Clone(); without legs there is no state",
		More: "drop the start from the kept states if start.Legs%contract.Spacing != 0 and " +
			"legs follow; then for each leg apply it to a clone of start.Pool, and append a" +
			" state with pool.Clone() where Legs%contract.Spacing == 0 or the leg is the " +
			"last",
		Misconception: "that a saved state and the pool that goes on may share their lots",
	}, try: savedStates},
}

// legsOfPool returns the legs of the longest pool of a history, in the order of their keys.
func legsOfPool(seed uint64, events int) []trade.Leg {
	pools := map[trade.PoolKey][]trade.Leg{}
	var longest trade.PoolKey
	for _, c := range fold(History(seed, events, 1).Events).Trades {
		for _, l := range c.Legs {
			pools[l.Pool] = append(pools[l.Pool], l)
			if len(pools[l.Pool]) > len(pools[longest]) {
				longest = l.Pool
			}
		}
	}
	slices.SortFunc(pools[longest], func(a, b trade.Leg) int { return a.Key.Compare(b.Key) })
	return pools[longest]
}

// statesOf returns the states that are saved of legs.
func statesOf(legs []trade.Leg) []contract.SavedPool {
	states, pool := []contract.SavedPool{}, trade.Pool{}
	for i, l := range legs {
		pool.Apply(l)
		if n := int64(i + 1); n%contract.Spacing == 0 || i == len(legs)-1 {
			states = append(states, contract.SavedPool{Legs: n, Last: l.Key, Pool: pool.Clone()})
		}
	}
	return states
}

func refoldStart(t *labTrial) {
	legs := legsOfPool(longSeed, 400)[:3*contract.Spacing+5]
	for changed := range legs {
		now := slices.Clone(legs)
		now[changed].Amount = now[changed].Amount.Add(trade.Int(7))
		_, from, err := t.refoldFrom(statesOf(legs), legs[changed].Key, now)
		require.NoError(t, err)
		require.NotEqualValues(t, -1, from.Legs, "Refold did not ask for legs")
		want := int64(changed) / contract.Spacing * contract.Spacing
		require.Equal(t, want, from.Legs, "leg %d of %d changed; states are saved after legs %s: "+
			"the number of legs in the state where the fold begins", changed+1, len(legs),
			legCounts(statesOf(legs)))
	}
}

func savedStates(t *labTrial) {
	legs := legsOfPool(longSeed, 400)
	t.requireRefold(legs[:3], legs[0], nil, "all 3 legs are gone")
	for _, n := range []int{1, 3, contract.Spacing, contract.Spacing + 1, 3*contract.Spacing - 1} {
		for _, added := range []int{1, 2, contract.Spacing} {
			when := fmt.Sprintf("%d more came after %d legs", added, n)
			t.requireRefold(legs[:n], legs[n], legs[:n+added], when)
		}
		when := fmt.Sprintf("the last two of %d legs are gone", n+2)
		t.requireRefold(legs[:n+2], legs[n], legs[:n], when)
		late := slices.Delete(slices.Clone(legs[:n+9]), n/2, n/2+1)
		when = fmt.Sprintf("leg %d of %d came late", n/2+1, n+9)
		t.requireRefold(late, legs[n/2], legs[:n+9], when)
	}
}

// requireRefold requires the states of a pool whose legs changed from first on, and that the states
// before the change, which belong to the caller, stay as they were.
func (t *labTrial) requireRefold(before []trade.Leg, first trade.Leg, now []trade.Leg,
	when string) {
	saved := statesOf(before)
	got, err := t.refold(saved, first.Key, now)
	require.NoError(t, err)
	requireStates(t, now, got, when)
	requireStates(t.Hint("saved belongs to the caller: append to a slice of your own, and clone "+
		"the pool of the start before you apply legs to it"), before, saved,
		"Refold wrote into saved ("+when+")")
}

// requireStates requires the states of legs: after the same numbers of legs, with the same last
// legs and pools.
func requireStates(t check.T, legs []trade.Leg, got []contract.SavedPool, when string) {
	want := statesOf(legs)
	require.Equal(t, legCounts(want), legCounts(got),
		"%s: the numbers of legs after which states are saved", when)
	for i, s := range want {
		require.Equal(t, s.Last, got[i].Last, "%s: the last leg of state %d", when, s.Legs)
		require.Equal(t, poolText(s.Pool), poolText(got[i].Pool),
			"%s: the pool after %d legs", when, s.Legs)
	}
}

func legCounts(states []contract.SavedPool) string {
	counts := []int64{}
	for _, s := range states {
		counts = append(counts, s.Legs)
	}
	return fmt.Sprint(counts)
}

func poolText(p trade.Pool) string {
	text := fmt.Sprintf("average: %s at %s, realised %s; FIFO: realised %s, lots",
		p.Average.Quantity, p.Average.Cost, p.Average.Realised, p.FIFO.Realised)
	for _, l := range p.FIFO.Lots {
		text += fmt.Sprintf(" %s of %s at %s", l.Quantity, l.Stream, l.Cost)
	}
	return text
}
