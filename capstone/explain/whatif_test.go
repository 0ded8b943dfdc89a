package explain_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"example.com/blotter/capstone/explain"
	"example.com/blotter/labs/kit/trade"
)

// The parts of what-if add up to the difference exactly, for random histories, changes and times.
// The P&L at both ends is that of the plain fold. The history itself is unchanged.
func TestWhatIfAddsUp(t *testing.T) {
	t.Parallel()
	pools, changed := 0, map[string]int{}
	for seed := range histories() {
		streams, r := history(t, seed, 50), rand.New(rand.NewPCG(seed, 3))
		if seed%3 > 0 {
			mark(r, streams)
		}
		before := trade.StateOf(streams, trade.AsOf{}).Digest()
		_, to := twoQuestions(r, streams)
		is := explain.History{Streams: streams}
		would, what := changeOf(t, r, is)
		all := explain.WhatIf(is, would, to.Effective)
		at := trade.AsOf{Effective: to.Effective}
		was, now := values(streams, at, is.Rules), values(would.Streams, at, would.Rules)
		requireEnds(t, was, now, all)
		if n := requireParts(t, was, now, all); n > 0 {
			pools, changed[what] = pools+n, changed[what]+1
		}
		require.Equal(t, before, trade.StateOf(streams, trade.AsOf{}).Digest())
	}
	require.Greater(t, pools, int(histories())/4)
	for _, what := range []string{"method", "rounding", "curves", "without", "with"} {
		require.Positive(t, changed[what], what)
	}
}

// changeOf draws a change of a history or of its rules.
func changeOf(
	t *testing.T, r *rand.Rand, h explain.History,
) (changed explain.History, what string) {
	t.Helper()
	switch r.IntN(5) {
	case 3:
		h.Rules.Rounding = trade.Down
		return h, "rounding"
	case 0:
		h.Rules.FIFO = true
		return h, "method"
	case 1:
		curves := slices.Sorted(maps.Keys(trade.StateOf(h.Streams, trade.AsOf{}).Curves))
		h.Rules.Curves = map[string]string{}
		for _, curve := range curves {
			h.Rules.Curves[curve] = curves[r.IntN(len(curves))]
		}
		return h, "curves"
	case 2:
		var ids []uuid.UUID
		for _, stream := range slices.Sorted(maps.Keys(h.Streams)) {
			for _, e := range h.Streams[stream] {
				if trade.Folds(stream) && r.IntN(30) == 0 {
					ids = append(ids, e.ID)
				}
			}
		}
		var err error
		h.Streams, err = explain.Without(h.Streams, ids...)
		require.NoError(t, err)
		return h, "without"
	}
	return withAmendments(r, h), "with"
}

// withAmendments changes the prices of live contracts, and enters some of the changes late.
func withAmendments(r *rand.Rand, h explain.History) explain.History {
	for i, c := range trade.StateOf(h.Streams, trade.AsOf{}).Trades {
		price := trade.Int(r.Int64N(100))
		entered := at("2025-03-04T00:00").Add(time.Duration(r.IntN(900)) * time.Hour)
		command := trade.Command{
			ID: fmt.Sprint("w", i), UTI: c.UTI, EnteredAt: entered, Actor: "ops/2",
			Approver: "ops/1", Reason: "what if",
			EffectiveAt: entered.Add(-time.Duration(r.IntN(900)) * time.Hour),
			Body:        trade.Amend{Kind: trade.Amendment, Price: &price},
		}
		if next, err := explain.With(h.Streams, command); err == nil {
			h.Streams = next
		}
	}
	return h
}

// Without the correction to 25, 50 are open at 75 and not 45: 25 more. As the correction was
// recorded the mark was 72, so it took 2 for each of 5. The mark then added 3 for each.
func TestWhatIfWithoutACorrection(t *testing.T) {
	t.Parallel()
	is := explain.History{Streams: story(t, novated)}
	would, err := explain.Without(is.Streams, trade.EventID("c4", 0))
	require.NoError(t, err)
	all := explain.WhatIf(is, explain.History{Streams: would}, at("2025-01-16T23:59"))
	require.Equal(t, []string{
		"CRUDE USD from -10 and 225 to -10 and 250",
		"price moves: MARK c5 by ops/2: 0 and 15",
		"novations and fees: NOVATE c4 by ops/2: 0 and 10",
	}, told(all))
}

// 100 at 50 and 100 at 60 cost 55 by average. Of them, 100 are sold at 58. That realises 3 each by
// average cost, and 8 each by FIFO. The rest is worth 58 by both, so the total is the same.
func TestWhatIfByFIFO(t *testing.T) {
	t.Parallel()
	const deal = `"book":"B","counterparty":"ACME","trader":"trader/1","commodity":"oil",` +
		`"zone":"BRENT","delivery":"2025-06","quantity":"100","unit":"bbl","currency":"USD",`
	is := explain.History{Streams: story(t, `
	2025-01-10T09:00 MARK - "curve":"oil/BRENT","currency":"USD",
		"points":[{"delivery":"2025-06","price":"58"}]
	2025-01-10T10:00 NEW A `+deal+`"side":"buy","price":"50"
	2025-01-10T11:00 NEW B `+deal+`"side":"buy","price":"60"
	2025-01-10T12:00 NEW C `+deal+`"side":"sell","price":"58"`)}
	would := is
	would.Rules.FIFO = true
	require.Equal(t, []string{
		"B USD from 300 and 300 to 800 and -200",
		"new trades: NEW c4 by ops/2: 500 and -500",
	}, told(explain.WhatIf(is, would, at("2025-01-11T00:00"))))
}

// Of 2 for 0.05 in all, one is sold for 1. Its cost of 0.025 is 0.02, or 0.03 with the half up.
func TestWhatIfByRounding(t *testing.T) {
	t.Parallel()
	const deal = `"book":"B","counterparty":"ACME","trader":"trader/1","commodity":"oil",` +
		`"zone":"BRENT","delivery":"2025-06","unit":"bbl","currency":"USD",`
	is := explain.History{Streams: story(t, `
	2025-01-10T10:00 NEW A `+deal+`"side":"buy","price":"0.025","quantity":"2"
	2025-01-10T11:00 NEW B `+deal+`"side":"sell","price":"1","quantity":"1"`)}
	would := is
	would.Rules.Rounding = trade.HalfUp
	require.Equal(t, []string{
		"B USD from 0.98 and - to 0.97 and -",
		"new trades: NEW c2 by ops/2: -0.01 and 0.01",
	}, told(explain.WhatIf(is, would, at("2025-01-11T00:00"))))
}

// A world folds its contracts by its own rounding, and by the same as the whole fold.
func TestWorldFoldsByItsRounding(t *testing.T) {
	t.Parallel()
	differ := 0
	for seed := range histories() {
		streams := history(t, seed, 50)
		from, _ := twoQuestions(rand.New(rand.NewPCG(seed, 5)), streams)
		rules := explain.Rules{Rounding: trade.Up}
		contracts := explain.Contracts(explain.History{Streams: streams, Rules: rules}, from)
		for _, want := range rules.Rounding.StateOf(streams, from).Trades {
			got := contracts[trade.TradeStream(want.UTI)]
			require.Equal(t, want.Flows, got.Flows)
			require.Equal(t, want.Legs, got.Legs)
			require.Equal(t, want.Open, got.Open)
			even, _ := trade.Fold(want.UTI, streams[trade.TradeStream(want.UTI)], from)
			if !reflect.DeepEqual(even.Legs, got.Legs) {
				differ++
			}
		}
	}
	require.Positive(t, differ, "contracts on which the rounding tells")
}

// A sale of 45 at 77 closes the position at its cost of 70 each: 7 each, and not 5.
func TestWhatIfWithASale(t *testing.T) {
	t.Parallel()
	is := explain.History{Streams: story(t, novated)}
	sale := commandIn(t, "w1", `2025-01-16T18:00 NEW W "book":"CRUDE","counterparty":"ACME",`+
		`"trader":"trader/1","side":"sell","commodity":"oil","zone":"BRENT","delivery":"2025-06",`+
		`"quantity":"45","unit":"bbl","price":"77","currency":"USD"`)
	would, err := explain.With(is.Streams, sale)
	require.NoError(t, err)
	require.Equal(t, []string{
		"CRUDE USD from -10 and 225 to 305 and 0",
		"new trades: NEW a follow-up by ops/2: 315 and -225",
	}, told(explain.WhatIf(is, explain.History{Streams: would}, at("2025-01-16T23:59"))))
	_, err = explain.With(would, sale)
	require.ErrorContains(t, err, "command w1: its event ")
	sale.ID, sale.UTI = "w2", "T70"
	_, err = explain.With(is.Streams, sale)
	require.ErrorContains(t, err, string(trade.AlreadyBegun))
}

// An event goes with its corrections, and with the contract that began from it.
func TestWithoutTakesConsequences(t *testing.T) {
	t.Parallel()
	const deal = `"book":"B","counterparty":"ACME","trader":"trader/1","commodity":"oil",` +
		`"zone":"BRENT","delivery":"2025-06","quantity":"100","unit":"bbl","currency":"USD",`
	streams := story(t, `
	2025-01-10T10:00 NEW A `+deal+`"side":"buy","price":"50"
	2025-01-10T11:00 NOVATE A "role":"remaining","quantity":"60","unit":"bbl","new_uti":"N",
		"incoming":"NEWCO"
	2025-01-10T12:00 AMEND A "kind":"correction","corrects":"c2","restated":{"op":"NOVATE",
		"role":"remaining","quantity":"40","unit":"bbl","new_uti":"N","incoming":"NEWCO"}
	2025-01-10T13:00 SETTLE N "quantity":"10","unit":"bbl","price":"51"`)
	require.Len(t, streams["trade/N"], 3)
	rest, err := explain.Without(streams, trade.EventID("c2", 0))
	require.NoError(t, err)
	require.Len(t, rest["trade/A"], 1)
	require.Empty(t, rest["trade/N"])
	rest, err = explain.Without(streams, trade.EventID("c3", 0))
	require.NoError(t, err)
	require.Len(t, rest["trade/A"], 2)
	require.Len(t, rest["trade/N"], 2, "the restatement goes, and the contract remains")
	_, err = explain.Without(streams, uuid.UUID{1})
	require.ErrorContains(t, err, "no event 01000000-")
}

// A skipped event counts for nothing. Without the event, its skip goes too, and the difference is
// empty.
func TestWithoutTakesTheSkip(t *testing.T) {
	t.Parallel()
	is := explain.History{Streams: story(t, novated)}
	stream, later := "trade/T70", at("2025-01-16T20:00")
	stray := trade.Event{ID: uuid.UUID{7}, Version: 4, EffectiveAt: later, RecordedAt: later,
		Body: trade.Settle{Quantity: trade.Quantity{Value: trade.Int(900), Unit: "bbl"},
			Price: trade.Int(1)}}
	skip := trade.Event{ID: uuid.UUID{8}, Version: 5, EffectiveAt: later, RecordedAt: later,
		Body: trade.EventSkipped{Version: 4, Event: stray.ID, Rule: string(trade.Exceeds)}}
	clean := is.Streams[stream]
	is.Streams[stream] = append(slices.Clone(clean), stray)
	_, parked := trade.Legal(stream, is.Streams[stream])
	require.NotNil(t, parked)
	is.Streams[stream] = append(is.Streams[stream], skip)
	would, err := explain.Without(is.Streams, stray.ID)
	require.NoError(t, err)
	require.Equal(t, clean, would[stream])
	all := explain.WhatIf(is, explain.History{Streams: would}, at("2025-01-16T23:59"))
	require.Equal(t, []string{"CRUDE USD from -10 and 225 to -10 and 225"}, told(all))
}

// An unmarked position that a change leaves as it is has no value, and the change is zero.
func TestWhatIfOfAnUnmarkedPosition(t *testing.T) {
	t.Parallel()
	is := explain.History{Streams: story(t, novated)}
	would := is
	would.Rules.FIFO = true
	all := explain.WhatIf(is, would, at("2025-01-14T00:00"))
	require.Equal(t, []string{"CRUDE USD from 0 and - to 0 and -"}, told(all))
	require.True(t, all[0].Change.IsZero())
	would.Rules.Curves = map[string]string{"oil/BRENT": "oil/WTI"}
	all = explain.WhatIf(is, would, at("2025-01-16T23:59"))
	require.Equal(t, "CRUDE USD from -10 and 225 to -10 and -, 1 without a mark", told(all)[0])
}

// A rule of rounding holds at every place where the fold or the valuation rounds. In each example a
// half is rounded: to the even cent, or up.
func TestWhatIfRoundsAtEveryPlace(t *testing.T) {
	t.Parallel()
	const (
		oil = `"book":"B","counterparty":"ACME","trader":"trader/1","commodity":"oil",` +
			`"zone":"BRENT","delivery":"2025-06","unit":"bbl","currency":"USD",`
		mark = `
	2025-01-10T09:00 MARK - "curve":"oil/BRENT","currency":"USD",
		"points":[{"delivery":"2025-06","price":"`
	)
	for place, c := range map[string]struct{ story, want string }{
		"Currency.Amount": {mark + `1"}]
	2025-01-10T10:00 NEW A ` + oil + `"side":"buy","price":"0.335","quantity":"3"`,
			"B USD from 0 and 2 to 0 and 1.99"},
		"State.ValuedAt": {mark + `0.335"}]
	2025-01-10T10:00 NEW A ` + oil + `"side":"buy","price":"1","quantity":"3"`,
			"B USD from 0 and -2 to 0 and -1.99"},
		"the split of a leg": {`
	2025-01-10T10:00 NEW A ` + oil + `"side":"buy","price":"0","quantity":"1"
	2025-01-10T11:00 NEW B ` + oil + `"side":"sell","price":"0.025","quantity":"2"`,
			"B USD from 0.02 and - to 0.03 and -"},
		"a share of the pool's cost": {`
	2025-01-10T10:00 NEW A ` + oil + `"side":"buy","price":"0.025","quantity":"2"
	2025-01-10T11:00 NEW B ` + oil + `"side":"sell","price":"1","quantity":"1"`,
			"B USD from 0.98 and - to 0.97 and -"},
		"a share of the booked cost": {mark + `1"}]
	2025-01-10T10:00 NEW A ` + oil + `"side":"buy","price":"1","quantity":"2","fee":"-0.05"
	2025-01-10T11:00 CANCEL A "kind":"terminate","quantity":"1","unit":"bbl"`,
			"B USD from -0.02 and -0.03 to -0.03 and -0.02"},
		"the share of some hours": {`
	2025-01-10T09:00 MARK - "curve":"power/CET/base","currency":"EUR",
		"points":[{"delivery":"2025-07","price":"0"},{"delivery":"2025-08","price":"10000"}]
	2025-01-10T10:00 NEW A "book":"B","counterparty":"ACME","trader":"trader/1",
		"commodity":"power","zone":"CET","profile":"base","delivery":"2025-07-01/2025-09-01",
		"unit":"MWh","currency":"EUR","side":"buy","price":"0","quantity":"0.000005"`,
			"B EUR from 0 and 0.02 to 0 and 0.03"},
	} {
		is := explain.History{Streams: story(t, c.story)}
		would := is
		would.Rules.Rounding = trade.HalfUp
		all := explain.WhatIf(is, would, at("2025-07-31T22:00")) // half of July and August
		require.Equal(t, c.want, told(all)[0], place)
	}
}

// The work of explain and what-if is in proportion to the events: to marks, to contracts of one
// pool, and to both. Allocations stand for the work, because they do not depend on the machine.
func TestWorkGrowsWithTheEvents(t *testing.T) {
	const few, factor = 60, 4
	allocations := func(marks, contracts int) (explained, compared float64) {
		streams := desk(marks, contracts)
		from, to := trade.AsOf{Known: at("2025-01-01T00:00"), Effective: at("2025-01-01T00:00")},
			trade.AsOf{Known: at("2025-12-01T00:00"), Effective: at("2025-12-01T00:00")}
		is := explain.History{Streams: streams}
		would := explain.History{Streams: streams, Rules: explain.Rules{Rounding: trade.HalfUp}}
		return testing.AllocsPerRun(1, func() { explain.Between(streams, from, to) }),
			testing.AllocsPerRun(1, func() { explain.WhatIf(is, would, to.Effective) })
	}
	for _, grown := range [][2]int{{factor, 1}, {1, factor}, {factor, factor}} {
		explained, compared := allocations(few, few)
		explained4, compared4 := allocations(few*grown[0], few*grown[1])
		require.Less(t, explained4/explained, 1.3*factor, "explain %v", grown)
		require.Less(t, compared4/compared, 1.3*factor, "what-if %v", grown)
	}
}

// desk returns a curve with marks, and contracts of one pool that begin at the same time as they.
func desk(marks, contracts int) map[string][]trade.Event {
	streams := map[string][]trade.Event{}
	add := func(stream string, n int, b trade.Body) {
		when := at("2025-02-01T00:00").Add(time.Duration(n) * time.Hour)
		streams[stream] = append(streams[stream], trade.Event{
			ID: trade.EventID(stream, uint32(n)), Version: int64(len(streams[stream]) + 1),
			EffectiveAt: when, EnteredAt: when, RecordedAt: when, Actor: "ops/1", Body: b,
		})
	}
	june, err := trade.ParsePeriod("2025-06")
	if err != nil {
		panic(err)
	}
	for n := range marks {
		add(trade.CurveStream("oil/BRENT"), n, trade.PriceMarked{Curve: "oil/BRENT",
			Currency: "USD", Points: []trade.Point{{Delivery: june, Price: trade.Int(int64(n))}}})
	}
	for n := range contracts {
		add(trade.TradeStream(fmt.Sprint("T", n)), n, trade.New{
			Book: "B", Counterparty: "ACME", Trader: "trader/1", Side: trade.Buy, Currency: "USD",
			Instrument: trade.Instrument{Commodity: trade.Oil, Zone: "BRENT", Delivery: june},
			Quantity:   trade.Quantity{Value: trade.Int(1), Unit: trade.BBL}, Price: trade.Int(70),
		})
	}
	return streams
}
