package trade_test

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"example.com/blotter/labs/kit/trade"
)

// casts lists the contracts that a history may have. The first letter names their product.
var casts = [][]string{{"P1", "P2", "O1"}, {"P1", "P2", "P3"}, {"G1", "G2", "O1"},
	{"K1", "K2", "P1"}, {"O1", "O2"}, {"L1", "L2", "L3"}, {"D1", "D2", "D3"}, {"D1", "D2"},
	{"D1", "H1", "H2"}}

// products holds the instruments of the contracts, and the deliveries that their curves are marked
// for. D and H are under delivery while the commands come in. The successor of an option is on its
// underlying, and keeps the letter.
var products = map[byte]struct {
	instruments []trade.Instrument
	marked      []string
	currency    trade.Currency
}{
	'P': {powers("base", "2025-06", "2025-07"), []string{"2025-06", "2025-07"}, "EUR"},
	'K': {powers("peak", "2025-06", "2025-06-01/2025-08-16"),
		[]string{"2025-06", "2025-07", "2025-08"}, "EUR"},
	'G': {gases("2025-Q3", "2025-07", "2025-07-15/2025-09-05"),
		[]string{"2025-07", "2025-08", "2025-09", "2025-Q3"}, "EUR"},
	'D': {powers("base", "2025-Q2", "2025-05", "2025-04-30/2025-05-04", "2025-05-02/2025-05-30"),
		[]string{"2025-04", "2025-05", "2025-06", "2025-Q2", "2025", "2025-04-30/2025-05-31",
			"2025-04-29/2025-05-30"}, "EUR"},
	'H': {gases("2025-Q2", "2025-05-01/2025-05-03"),
		[]string{"2025-04", "2025-05", "2025-06", "2025-Q2"}, "EUR"},
	'L': {powers("base", "2025-06"), []string{"2025-06"}, "EUR"},
	'O': {[]trade.Instrument{call("70")}, []string{"2025-06", "2025-07"}, "USD"},
}

func powers(profile string, deliveries ...string) (all []trade.Instrument) {
	for _, d := range deliveries {
		all = append(all, trade.Instrument{Commodity: trade.Power, Zone: "CET", Profile: profile,
			Delivery: period(d)})
	}
	return all
}

func gases(deliveries ...string) (all []trade.Instrument) {
	for _, d := range deliveries {
		all = append(all, trade.Instrument{Commodity: trade.Gas, Zone: "TTF", Profile: "base",
			Delivery: period(d)})
	}
	return all
}

// histories draws the events of a careless desk: commands in any order, late, ahead and corrected.
// Refused commands are left out.
func histories() *rapid.Generator[*desk] {
	return rapid.Custom(func(t *rapid.T) *desk {
		return history(t,
			rapid.SampledFrom(casts).Draw(t, "cast"), 6, 50)
	})
}

func history(t *rapid.T, cast []string, least, most int) *desk {
	d := newDesk()
	for i := range rapid.IntRange(least, most).Draw(t, "commands") {
		d.send(anyCommand(t, d, cast, i))
	}
	if all := utis(d); len(all) > 0 {
		d.send(aboutConfirmation(t, d, trade.Command{ID: "report", UTI: all[0],
			EnteredAt: first.AddDate(0, 1, 0), Actor: "a", Reason: "r"}))
	}
	return d
}

// send is do for commands that may be refused. It keeps the follow-ups that are refused: there
// must be none.
func (d *desk) send(cmd trade.Command) {
	e, err := d.try(cmd)
	if r := new(trade.Refusal); errors.As(err, &r) {
		d.refused[string(r.Rule)]++
		if strings.HasPrefix(r.Detail, "the follow-up on ") {
			d.refused["for a follow-up: "+string(r.Rule)]++
		}
		if trade.IsFollowUp(cmd.ID) && cmd.OrphanedBy(r) {
			d.orphaned = append(d.orphaned, cmd.UTI)
		}
	}
	if err != nil || cmd.Stream() != trade.TradeStream(cmd.UTI) {
		return
	}
	for _, follow := range trade.FollowUps(cmd.UTI, d.streams[cmd.Stream()], e) {
		d.send(follow)
	}
}

// first is the time of the first command. Each command is entered an hour after the one before,
// from May on, when the option can be exercised. Most take effect then, some before and some
// after.
var first = at("2025-05-01T08:00:00Z")

func anyCommand(t *rapid.T, d *desk, cast []string, i int) trade.Command {
	uti := rapid.SampledFrom(cast).Draw(t, "uti")
	if taken := d.streams[trade.TradeStream(uti)]; len(taken) > 0 && rapid.IntRange(0, 2).Draw(t,
		"successor") == 0 {
		uti = rapid.SampledFrom(utis(d)).Draw(t, "any uti")
	}
	cmd := trade.Command{ID: fmt.Sprint("c", i), UTI: uti,
		EnteredAt: first.Add(time.Duration(i) * time.Hour), Actor: "a", Approver: "b", Reason: "r"}
	switch hours := time.Duration(rapid.IntRange(1, 30).Draw(t,
		"hours")) * time.Hour; rapid.IntRange(0, 7).Draw(t, "when") {
	case 0, 1:
		cmd.EffectiveAt = cmd.EnteredAt.Add(-hours)
	case 2:
		cmd.EffectiveAt = cmd.EnteredAt.Add(hours)
	}
	if all := successors(d); len(all) > 0 && rapid.IntRange(0, 2).Draw(t, "lineage") == 0 {
		return aboutSuccessor(t, d, cmd, rapid.SampledFrom(all).Draw(t, "of"))
	}
	history := d.streams[cmd.Stream()]
	if len(history) == 0 {
		cmd.Body = anyNew(t, uti)
		return cmd
	}
	now, parked := trade.Fold(uti, history, trade.AsOf{})
	if parked != nil {
		panic(parked)
	}
	cmd.Body = anyBody(t, now, i)
	if rapid.IntRange(0, 3).Draw(t, "correct") == 0 {
		e := rapid.SampledFrom(history).Draw(t, "corrected")
		cmd.Corrects, cmd.Body = e.ID, restated(t, now, cmd, e)
	}
	if m, ok := cmd.Body.(trade.PriceMarked); ok { // a mark corrects no event of the contract
		cmd.UTI, cmd.Corrects = "", [16]byte{}
		if marks := d.streams[trade.CurveStream(m.Curve)]; len(marks) > 0 && rapid.Bool().Draw(t,
			"correct mark") {
			cmd.Corrects = rapid.SampledFrom(marks).Draw(t, "mark").ID
		}
	}
	if uti[0] != 'O' && i%6 == 0 {
		return inOtherUnit(cmd, i/6)
	}
	return cmd
}

// aboutSuccessor turns cmd into a correction by hand of a contract that began from another one, or
// of its cause.
func aboutSuccessor(t *rapid.T, d *desk, cmd trade.Command, uti string) trade.Command {
	e := d.streams[trade.TradeStream(uti)][0]
	if rapid.Bool().Draw(t, "at the cause") {
		cmd.UTI = e.Body.(trade.New).PriorUTI
		causes := d.streams[trade.TradeStream(cmd.UTI)]
		e = causes[slices.IndexFunc(causes, func(c trade.Event) bool {
			return trade.Begun(c.Body) == uti
		})]
	} else {
		cmd.UTI = uti
		if rapid.IntRange(0, 3).Draw(t, "when of the NEW") > 0 {
			cmd.EffectiveAt = time.Time{}
		}
	}
	now, parked := trade.Fold(cmd.UTI, d.streams[cmd.Stream()], trade.AsOf{})
	if parked != nil {
		panic(parked)
	}
	cmd.Corrects, cmd.Body = e.ID, restated(t, now, cmd, e)
	return cmd
}

// successors lists the contracts that began from another one.
func successors(d *desk) []string {
	return slices.DeleteFunc(utis(d), func(uti string) bool {
		return d.streams[trade.TradeStream(uti)][0].Actor != trade.FollowUpActor
	})
}

func utis(d *desk) []string {
	var all []string
	for stream := range maps.Keys(d.streams) {
		if uti, ok := strings.CutPrefix(stream, "trade/"); ok {
			all = append(all, uti)
		}
	}
	slices.Sort(all)
	return all
}

func number(t *rapid.T, label string, from, to int64) trade.Decimal {
	return trade.MulDiv(trade.Int(rapid.Int64Range(from*100, to*100).Draw(t, label)), trade.Int(1),
		trade.Int(100), 2)
}

// cash draws an amount with no more places than the currency has.
func cash(t *rapid.T, label string, c trade.Currency) trade.Decimal {
	return number(t, label, -3, 3).Round(c.Places())
}

func anyNew(t *rapid.T, uti string) trade.Body {
	p := products[uti[0]]
	n := power("1", "1")
	n.Instrument = rapid.SampledFrom(p.instruments).Draw(t, "instrument")
	if o := n.Instrument.Option; o != nil {
		other := *o
		other.Kind = rapid.SampledFrom([]string{trade.Call, trade.Put}).Draw(t, "kind")
		n.Instrument.Option = &other
	}
	n.Side = rapid.SampledFrom([]trade.Side{trade.Buy, trade.Sell}).Draw(t, "side")
	n.Quantity = trade.Quantity{Value: number(t, "quantity", 1, 100),
		Unit: n.Instrument.Unit()}
	if n.Quantity.Unit == trade.MWh && rapid.IntRange(0, 4).Draw(t, "capacity") == 0 {
		n.Quantity = mw(rapid.SampledFrom([]string{"0.05", "0.1"}).Draw(t, "MW"))
	}
	n.Price = number(t, "price", -20, 100)
	if n.Instrument.Option != nil {
		n.Price = n.Price.Abs()
	}
	n.Currency = rapid.SampledFrom([]trade.Currency{p.currency, p.currency, "JPY"}).Draw(t,
		"currency")
	n.Fee = cash(t, "fee", n.Currency)
	n.Book = rapid.SampledFrom([]string{"x", "x", "y"}).Draw(t, "book")
	switch rapid.IntRange(0, 9).Draw(t, "reference") {
	case 0:
		n.PriorUTI = rapid.SampledFrom([]string{"Z9", "P1", "D2"}).Filter(func(prior string) bool {
			return prior != uti
		}).Draw(t, "prior")
	case 1:
		n.PriorUTI, n.CarriedIn = "Z9", cash(t, "carried", n.Currency)
	}
	return n
}

// A property is only tested on the histories that are drawn, so they must have every case.
func TestHistoriesHaveEveryCase(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("compares 500 histories, each at four times")
	}
	seen := map[string]int{}
	for seed := range 500 {
		d := histories().Example(seed)
		for stream, events := range d.streams {
			countEvents(seen, stream, events)
		}
		countAnswers(t, seen, d, seed)
		for _, p := range d.state(t).ValuedAt(early) {
			seen[fmt.Sprintf("valued %v in %s", p.MarketValue != nil && !p.Quantity.IsZero(),
				p.Currency)]++
		}
	}
	for _, k := range trade.Kinds() {
		if k.IsCommand() {
			require.Greater(t, seen[k.Operation], 3, "%s: %v", k.Operation, seen)
		}
	}
	for _, what := range []string{
		"late", "ahead", "capacity", "points", "VOIDED",
		"a price behind a lot on its own other side",
		"an exit of its own lot before an older one", "an exit of another contract's lot",
		"an exit of more than the pool holds", "an exit of what the pool does not hold",
		"an exit at another cost than the average", "legs of one time in the order of entry",
		"option leaves by trade.Cancel", "option leaves by trade.Novate",
		"option leaves by trade.Amend",
		"corrected side", "corrected currency", "corrected instrument", "corrected fee",
		"corrected book", "restated TERMINATE", "restated NOVATE to nothing",
		"corrected mark", "mark in JPY", "NEW that continues another",
		"NEW that continues another, restated", "AMEND of both",
		"NEW power/CET/base", "NEW power/CET/peak", "NEW gas/TTF/base", "NEW oil/BRENT",
		"a void before the time of its entry", "a void of a contract that was reduced",
		"a voided successor", "a term changed by hand",
		"a term changed by hand, then a changed cause", "a prior UTI by hand",
		"refused lifecycle.continues-another",
		"refused for a follow-up: lifecycle.already-begun",
		"refused for a follow-up: order.breaks-later-event",
		"an expired option", "left of a delivery",
		"delivered and not settled", "a flow during delivery", "settled before its delivery",
		"more unsettled than the hours delivered", "the mark of a period longer than a month",
		"two periods alike: the later mark", "two periods alike: the earlier start",
		"a mark of exactly the delivery beside others", "a month without a mark",
		"entered in kWh, a price false", "entered in GJ, a price false",
		"entered in therm, a price false", "entered in MMBtu, a price false",
		"entered in kWh, a price true", "entered in GJ, a price true",
		"entered in therm, a price true", "entered in MMBtu, a price true",
		"valued true in JPY", "valued true in EUR", "valued true in USD", "valued false in JPY",
		"valued false in EUR",
	} {
		require.Greater(t, seen[what], 3, "%s: %v", what, seen)
	}
}

// countAnswers adds the cases that the oracle saw, now and at other times. The state is held to the
// oracle at each of them: a case that is counted is compared, too.
func countAnswers(t *testing.T, seen map[string]int, d *desk, seed int) {
	times := rapid.Custom(func(t *rapid.T) trade.AsOf { return anyTimes(t, d) })
	questions := []trade.AsOf{{}}
	for n := range 3 {
		questions = append(questions, times.Example(3*seed+n))
	}
	for i, at := range questions {
		o := naive(d.streams, at)
		holdToOracle(t, trade.StateOf(d.streams, at), o, cmp.Or(at.Effective, early))
		if i == 0 {
			o.checkBirths(t, d)
		}
		for what, n := range o.seen {
			seen[what] += n
		}
	}
	for rule, n := range d.refused {
		seen["refused "+rule] += n
	}
	for what, n := range d.seen {
		seen[what] += n
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
			if b.PriorUTI != "" && e.Actor != trade.FollowUpActor && events[0].ID == e.ID {
				seen["a prior UTI by hand"]++
			}
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
			"side": before.Side != n.Side, "currency": before.Currency != n.Currency,
			"book":       before.Book != n.Book,
			"fee":        !before.Fee.Equal(n.Fee),
			"instrument": before.Instrument.ID() != n.Instrument.ID(),
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

// An amendment of price and quantity equals an amendment of the price, then one of the quantity.
func TestAmendmentOfBothIsTwoAmendments(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		price, quantity := number(t, "price", 1, 100), trade.Quantity{Value: number(t, "quantity",
			1, 200), Unit: trade.MWh}
		first, second := trade.Amend{Kind: trade.Amendment,
			Price: &price}, trade.Amend{Kind: trade.Amendment, Quantity: quantity}
		both := trade.Amend{Kind: trade.Amendment, Price: &price, Quantity: quantity}
		given := []trade.Command{of("T0", on("02-02", anyForward(t))), on("02-03", anyForward(t)),
			on("02-04", trade.Settle{Quantity: trade.Quantity{Value: number(t, "settled", 1, 100),
				Unit: trade.MWh}, Price: number(t, "at", 1, 100)})}
		one, two := newDesk(), newDesk()
		for _, cmd := range given {
			one.send(cmd)
			two.send(cmd)
		}
		if _, err := one.try(on("02-10", both)); err != nil {
			return // to less than is settled: the two amendments would change the price
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
