package trade_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"example.com/blotter/labs/kit/trade"
)

// An arrival is an event with its stream, as the feed delivers it.
type arrival struct {
	stream string
	event  trade.Event
}

// arrivals draws an order that keeps the versions of each stream in order. Some events come twice.
func (d *desk) arrivals(t *rapid.T) []arrival {
	next := map[string]int{}
	var left []string
	for stream, events := range d.streams {
		for range events {
			left = append(left, stream)
		}
	}
	slices.Sort(left)
	var all []arrival
	for _, stream := range rapid.Permutation(left).Draw(t, "order") {
		a := arrival{stream, d.streams[stream][next[stream]]}
		next[stream]++
		all = append(all, a)
		if rapid.IntRange(0, 9).Draw(t, "again") == 0 {
			all = append(all, a)
		}
	}
	return all
}

// all lists the events stream by stream.
func (d *desk) all() (all []arrival) {
	for stream, events := range d.streams {
		for _, e := range events {
			all = append(all, arrival{stream, e})
		}
	}
	return all
}

func bookOf(t require.TestingT, arrivals []arrival) *trade.Book {
	b := trade.NewBook()
	for _, a := range arrivals {
		require.NoError(t, b.Apply(a.stream, a.event))
	}
	return b
}

// The pools have more legs than lie between two checkpoints, from contracts in every state, and the
// events come in any order.
func TestLongPoolsEqualANaiveFold(t *testing.T) {
	t.Parallel()
	var cast []string
	for i := range 60 {
		cast = append(cast, fmt.Sprint("L", i))
	}
	type told struct {
		*desk
		arrivals []arrival
	}
	long := rapid.Custom(func(t *rapid.T) told {
		d := history(t, cast, 1500, 1500)
		return told{d, d.arrivals(t)}
	})
	histories := 5
	if testing.Short() {
		histories = 1
	}
	for seed := range histories {
		history := long.Example(seed)
		legs := 0
		for _, p := range naive(history.streams, trade.AsOf{}).pools() {
			legs = max(legs, p.legs)
		}
		require.Greater(t, legs, 64, "seed %d", seed)
		holdToOracle(t, bookOf(t, history.arrivals).State(),
			naive(history.streams, trade.AsOf{}), early)
	}
}

// One set of events gives one state, to the byte: by steps in any order, or from scratch, and
// with any recorded times.
func TestAnyArrivalOrderGivesTheSameBytes(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		d := histories().Draw(t, "history")
		want := d.state(t)
		require.Equal(t, string(want.Canonical()),
			string(bookOf(t, d.arrivals(t)).State().Canonical()))

		backwards := map[string][]trade.Event{"refused/x": {{Version: 1,
			Body: trade.CommandRefused{}}}}
		for stream, events := range d.streams {
			for _, e := range slices.Backward(events) {
				e.RecordedAt = time.Time{}
				backwards[stream] = append(backwards[stream], e)
			}
		}
		again := trade.StateOf(backwards, trade.AsOf{})
		require.Empty(t, again.Parked)
		require.Equal(t, want.Digest(), again.Digest())
	})
}

// The state as known at a time equals the state that the book had at that time.
func TestStateAsKnownIsTheFormerState(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		d := histories().Draw(t, "history")
		all := d.all()
		slices.SortFunc(all, func(a, b arrival) int {
			return a.event.RecordedAt.Compare(b.event.RecordedAt)
		})
		if len(all) == 0 {
			return
		}
		n := rapid.IntRange(1, len(all)).Draw(t, "events")
		then := trade.StateOf(d.streams, trade.AsOf{Known: all[n-1].event.RecordedAt})
		require.Empty(t, then.Parked)
		require.Equal(t, string(bookOf(t, all[:n]).State().Canonical()), string(then.Canonical()))
	})
}

// The pool has many more legs than lie between two checkpoints. Some legs come late, and some are
// corrected.
func TestLateLegsInALongPool(t *testing.T) {
	t.Parallel()
	for seed := range uint64(2) {
		random := rand.New(rand.NewPCG(seed, 1))
		d := newDesk()
		b := trade.NewBook()
		take := func(cmd trade.Command) {
			e, err := d.try(cmd)
			require.NoError(t, err)
			require.NoError(t, b.Apply(cmd.Stream(), e))
		}
		for i := range 600 {
			cmd := someTrade(random, i)
			if random.IntN(8) == 0 {
				cmd.EffectiveAt = cmd.EnteredAt.Add(-time.Duration(random.IntN(i+1)) * time.Hour)
			}
			take(cmd)
			if i > 0 && random.IntN(8) == 0 {
				earlier := someTrade(random, random.IntN(i))
				take(trade.Command{ID: fmt.Sprint("fix", i), UTI: earlier.UTI,
					Corrects: trade.EventID(earlier.ID, 0), EnteredAt: cmd.EnteredAt,
					Actor: cmd.Actor, Reason: cmd.Reason, Body: earlier.Body})
			}
			if i%200 == 199 {
				require.Equal(t, string(d.state(t).Canonical()), string(b.State().Canonical()),
					"seed %d, after %d", seed, i)
			}
		}
		require.Equal(t, string(d.state(t).Canonical()), string(b.State().Canonical()), "seed %d",
			seed)
	}
}

func someTrade(random *rand.Rand, i int) trade.Command {
	n := power("1", "50")
	n.Instrument.Delivery = period("2026")
	if n.Quantity.Value = trade.Int(random.Int64N(50) + 1); random.IntN(2) == 0 {
		n.Side = trade.Sell
	}
	return trade.Command{ID: fmt.Sprint("n", i), UTI: fmt.Sprint("T", i),
		EnteredAt: first.Add(time.Duration(i) * time.Hour), Actor: "a", Reason: "r", Body: n}
}

func TestBookRefusesEventsOutOfOrder(t *testing.T) {
	t.Parallel()
	d := newDesk()
	d.do(t, bought, settlePart)
	h := d.streams[trade.TradeStream(T)]
	b := bookOf(t, []arrival{{trade.TradeStream(T), h[0]}})
	before := b.State().Digest()
	gap := h[1]
	gap.Version = 3
	require.ErrorContains(t, b.Apply(trade.TradeStream(T), gap),
		"stream trade/T1: version 3 comes after 1")
	require.ErrorContains(t, b.Apply(trade.TradeStream("T2"), gap),
		"stream trade/T2: version 3 comes after 0")
	require.NoError(t, b.Apply("refused/T1", gap), "not a stream of the book")
	require.Equal(t, before, b.State().Digest())

	require.NoError(t, b.Apply(trade.TradeStream(T), h[1]), "and goes on where it was")
	got, ok := b.Trade(T)
	require.True(t, ok)
	equal(t, "70", got.Open)
	_, ok = b.Trade("T9")
	require.False(t, ok)
}

// BenchmarkBookInOrder shows that an event in order costs the same in a short pool and in a long
// one.
func BenchmarkBookInOrder(b *testing.B) {
	for _, n := range []int{1_000, 20_000} {
		b.Run(fmt.Sprint("after-", n), func(b *testing.B) {
			random := rand.New(rand.NewPCG(1, 2))
			event := func(i int) (string, trade.Event) {
				cmd := someTrade(random, i)
				return cmd.Stream(), trade.Event{ID: trade.EventID(cmd.ID, 0), Version: 1,
					EffectiveAt: cmd.EnteredAt, Body: cmd.Body}
			}
			book := trade.NewBook()
			for i := range n {
				_ = book.Apply(event(i))
			}
			for i := n; b.Loop(); i++ {
				_ = book.Apply(event(i))
			}
		})
	}
}
