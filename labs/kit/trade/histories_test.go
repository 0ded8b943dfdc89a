package trade_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"example.com/blotter/labs/kit/trade"
)

// A property holds of what is drawn, and of nothing else: so this is what is drawn.
func TestHistoriesHaveWhatTheBookIsHeldTo(t *testing.T) {
	t.Parallel()
	seen := map[string]int{}
	for seed := range 400 {
		d := histories().Example(seed)
		for stream, events := range d.streams {
			countEvents(seen, stream, events)
		}
		for _, p := range naive(d.streams).pools() {
			seen["a price behind a lot on its own other side"] += p.passed
		}
		for _, p := range d.state(t).Positions {
			seen[fmt.Sprintf("valued %v in %s", p.MarketValue != nil && !p.Quantity.IsZero(), p.Currency)]++
		}
	}
	for _, k := range trade.Kinds() {
		if k.IsCommand() {
			require.Greater(t, seen[k.Operation], 3, "%s: %v", k.Operation, seen)
		}
	}
	for _, what := range []string{
		"late", "ahead", "capacity", "points", "VOIDED", "a price behind a lot on its own other side",
		"corrected side", "corrected currency", "corrected instrument", "corrected fee", "corrected book", "restated TERMINATE", "restated NOVATE to nothing",
		"corrected mark", "mark in JPY", "NEW that continues another", "NEW that continues another, restated", "AMEND of both",
		"NEW power/CET/base", "NEW power/CET/peak", "NEW gas/TTF/base", "NEW oil/BRENT",
		"valued true in JPY", "valued true in EUR", "valued true in USD", "valued false in JPY", "valued false in EUR",
	} {
		require.Greater(t, seen[what], 3, "%s: %v", what, seen)
	}
}

func countEvents(seen map[string]int, stream string, events []trade.Event) {
	stands := map[uuid.UUID]trade.Event{}
	for i, e := range events {
		stands[e.ID] = e
		seen[trade.KindOf(e.Body).Operation]++
		was, corrects := stands[e.Corrects]
		if i > 0 && !corrects && e.EffectiveAt.Before(events[i-1].EffectiveAt) {
			seen["late"]++
		}
		if e.EffectiveAt.After(e.RecordedAt) {
			seen["ahead"]++
		}
		switch b := e.Body.(type) {
		case trade.New:
			countNew(seen, b, was)
		case trade.PriceMarked:
			seen["points"] += len(b.Points) - 1
			seen["mark in "+string(b.Currency)]++
			if corrects {
				seen["corrected mark"]++
			}
		case trade.Amend:
			if b.Price != nil && !b.Quantity.IsZero() {
				seen["AMEND of both"]++
			}
		case trade.Cancel:
			if _, before := was.Body.(trade.Cancel); before {
				seen["restated TERMINATE"]++
			}
		case trade.Novate:
			if corrects && b.Quantity.Value.IsZero() {
				seen["restated NOVATE to nothing"]++
			}
		}
	}
	if uti, ok := strings.CutPrefix(stream, "trade/"); ok {
		now, _ := trade.Fold(uti, events, trade.AsOf{})
		seen[string(now.Status)]++
	}
}

func countNew(seen map[string]int, n trade.New, was trade.Event) {
	seen["NEW "+n.Instrument.Underlying().Curve()]++
	if !n.Capacity.IsZero() {
		seen["capacity"]++
	}
	name := "NEW that continues another"
	before, corrects := was.Body.(trade.New)
	if corrects {
		name += ", restated"
		for what, changed := range map[string]bool{
			"side": before.Side != n.Side, "currency": before.Currency != n.Currency, "book": before.Book != n.Book,
			"fee": !before.Fee.Equal(n.Fee), "instrument": before.Instrument.ID() != n.Instrument.ID(),
		} {
			if changed {
				seen["corrected "+what]++
			}
		}
	}
	if n.PriorUTI != "" {
		seen[name]++
	}
}

// To agree on a new price and a new quantity at once is to agree on the price first, and then on the quantity.
func TestAnAmendmentOfBothIsOneOfThePriceAndThenOneOfTheQuantity(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		price, quantity := number(t, "price", 1, 100), trade.Quantity{Value: number(t, "quantity", 1, 200), Unit: trade.MWh}
		first, second := trade.Amend{Kind: trade.Amendment, Price: &price}, trade.Amend{Kind: trade.Amendment, Quantity: quantity}
		both := trade.Amend{Kind: trade.Amendment, Price: &price, Quantity: quantity}
		given := []trade.Command{of("T0", on("02-02", anyForward(t))), on("02-03", anyForward(t)),
			on("02-04", trade.Settle{Quantity: trade.Quantity{Value: number(t, "settled", 1, 100), Unit: trade.MWh}, Price: number(t, "at", 1, 100)})}
		one, two := newDesk(), newDesk()
		for _, cmd := range given {
			one.send(cmd)
			two.send(cmd)
		}
		if _, err := one.try(on("02-10", both)); err != nil {
			return // less than is settled: of the two, the price alone would be taken
		}
		two.send(on("02-10", first))
		two.send(on("02-10", second))
		require.Equal(t, string(two.state(t).Canonical()), string(one.state(t).Canonical()))
	})
}

func anyForward(t *rapid.T) trade.New {
	n := power("1", "1")
	n.Side = rapid.SampledFrom([]trade.Side{trade.Buy, trade.Sell}).Draw(t, "side")
	n.Quantity.Value, n.Price = number(t, "open", 1, 100), number(t, "agreed", 1, 100)
	return n
}
