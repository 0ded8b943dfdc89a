package trade_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"pgregory.net/rapid"

	"example.com/blotter/labs/kit/trade"
)

// casts are the contracts of which a history has some: each letter is what they are about (see products).
var casts = [][]string{{"P1", "P2", "O1"}, {"P1", "P2", "P3"}, {"G1", "G2", "O1"}, {"K1", "K2", "P1"}, {"O1", "O2"}}

// products are what contracts are about, and the deliveries that their curves are marked for. A contract that began from an option is on its
// underlying, and keeps the letter.
var products = map[byte]struct {
	instruments []trade.Instrument
	marked      []string
	currency    trade.Currency
}{
	'P': {powers("base", "2025-06", "2025-07"), []string{"2025-06", "2025-07"}, "EUR"},
	'K': {powers("peak", "2025-06", "2025-06-01/2025-08-16"), []string{"2025-06", "2025-07", "2025-08"}, "EUR"},
	'G': {gases("2025-Q3", "2025-07", "2025-07-15/2025-09-05"), []string{"2025-07", "2025-08", "2025-09", "2025-Q3"}, "EUR"},
	'L': {powers("base", "2025-06"), []string{"2025-06"}, "EUR"},
	'O': {[]trade.Instrument{call("70")}, []string{"2025-06", "2025-07"}, "USD"},
}

func powers(profile string, deliveries ...string) (all []trade.Instrument) {
	for _, d := range deliveries {
		all = append(all, trade.Instrument{Commodity: trade.Power, Zone: "CET", Profile: profile, Delivery: period(d)})
	}
	return all
}

func gases(deliveries ...string) (all []trade.Instrument) {
	for _, d := range deliveries {
		all = append(all, trade.Instrument{Commodity: trade.Gas, Zone: "TTF", Profile: "base", Delivery: period(d)})
	}
	return all
}

// histories draws what a careless desk may have put on record: commands in any order, late, ahead and corrected, of which those that
// were refused are left out.
func histories() *rapid.Generator[*desk] {
	return rapid.Custom(func(t *rapid.T) *desk { return history(t, rapid.SampledFrom(casts).Draw(t, "cast"), 1, 50) })
}

func history(t *rapid.T, cast []string, least, most int) *desk {
	d := newDesk()
	for i := range rapid.IntRange(least, most).Draw(t, "commands") {
		d.send(anyCommand(t, d, cast, i))
	}
	return d
}

// send is do for commands that may be refused, as may what follows from them.
func (d *desk) send(cmd trade.Command) {
	e, err := d.try(cmd)
	if err != nil || cmd.UTI == "" {
		return
	}
	for _, follow := range trade.FollowUps(cmd.UTI, d.streams[cmd.Stream()], e) {
		d.send(follow)
	}
}

// first is when the histories begin. Every command is entered an hour after the one before, from May on, when the option may be
// exercised; most take effect then, some before and some after.
var first = at("2025-05-01T08:00:00Z")

func anyCommand(t *rapid.T, d *desk, cast []string, i int) trade.Command {
	uti := rapid.SampledFrom(cast).Draw(t, "uti")
	if taken := d.streams[trade.TradeStream(uti)]; len(taken) > 0 && rapid.IntRange(0, 2).Draw(t, "successor") == 0 {
		uti = rapid.SampledFrom(utis(d)).Draw(t, "any uti")
	}
	cmd := trade.Command{ID: fmt.Sprint("c", i), UTI: uti, EnteredAt: first.Add(time.Duration(i) * time.Hour), Actor: "a", Approver: "b", Reason: "r"}
	switch hours := time.Duration(rapid.IntRange(1, 30).Draw(t, "hours")) * time.Hour; rapid.IntRange(0, 7).Draw(t, "when") {
	case 0, 1:
		cmd.EffectiveAt = cmd.EnteredAt.Add(-hours)
	case 2:
		cmd.EffectiveAt = cmd.EnteredAt.Add(hours)
	}
	history := d.streams[cmd.Stream()]
	if len(history) == 0 {
		cmd.Body = anyNew(t, uti)
		return cmd
	}
	now, err := trade.Fold(uti, history, trade.AsOf{})
	if err != nil {
		panic(err)
	}
	cmd.Body = anyBody(t, now, i)
	if rapid.IntRange(0, 3).Draw(t, "correct") == 0 {
		e := rapid.SampledFrom(history).Draw(t, "corrected")
		cmd.Corrects, cmd.Body = e.ID, restated(t, now, cmd, e)
	}
	if m, ok := cmd.Body.(trade.PriceMarked); ok { // a mark is of a curve, and corrects nothing of the contract
		cmd.UTI, cmd.Corrects = "", [16]byte{}
		if marks := d.streams[trade.CurveStream(m.Curve)]; len(marks) > 0 && rapid.Bool().Draw(t, "correct mark") {
			cmd.Corrects = rapid.SampledFrom(marks).Draw(t, "mark").ID
		}
	}
	return cmd
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
	return trade.MulDiv(trade.Int(rapid.Int64Range(from*100, to*100).Draw(t, label)), trade.Int(1), trade.Int(100), 2)
}

// cash is an amount that may be one of the currency.
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
	n.Quantity = trade.Quantity{Value: number(t, "quantity", 1, 100), Unit: n.Instrument.Commodity.Unit()}
	if n.Quantity.Unit == trade.MWh && rapid.IntRange(0, 4).Draw(t, "capacity") == 0 {
		n.Quantity = mw(rapid.SampledFrom([]string{"0.05", "0.1"}).Draw(t, "MW"))
	}
	n.Price = number(t, "price", 1, 100)
	n.Currency = rapid.SampledFrom([]trade.Currency{p.currency, p.currency, "JPY"}).Draw(t, "currency")
	n.Fee = cash(t, "fee", n.Currency)
	n.Book = rapid.SampledFrom([]string{"x", "x", "y"}).Draw(t, "book")
	return n
}
