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

// histories draws what a careless desk may have put on record: commands in any order, late and corrected, of which those that
// were refused are left out.
func histories() *rapid.Generator[*desk] {
	return rapid.Custom(func(t *rapid.T) *desk {
		d := newDesk()
		for i := range rapid.IntRange(1, 50).Draw(t, "commands") {
			cmd := anyCommand(t, d, i)
			e, err := d.try(cmd)
			if err != nil || cmd.UTI == "" {
				continue
			}
			for _, follow := range trade.FollowUps(cmd.UTI, d.streams[cmd.Stream()], e) {
				_, _ = d.try(follow)
			}
		}
		return d
	})
}

// first is when the histories begin. Every command is entered an hour after the one before, from May on, when the option may be
// exercised; most take effect then, some before.
var first = at("2025-05-01T08:00:00Z")

func anyCommand(t *rapid.T, d *desk, i int) trade.Command {
	uti := rapid.SampledFrom([]string{"P1", "P2", "O1"}).Draw(t, "uti")
	if taken := d.streams[trade.TradeStream(uti)]; len(taken) > 0 && rapid.Bool().Draw(t, "successor") {
		uti = rapid.SampledFrom(utis(d)).Draw(t, "any uti")
	}
	cmd := trade.Command{ID: fmt.Sprint("c", i), UTI: uti, EnteredAt: first.Add(time.Duration(i) * time.Hour), Actor: "a", Approver: "b", Reason: "r"}
	if rapid.IntRange(0, 3).Draw(t, "late") == 0 {
		cmd.EffectiveAt = cmd.EnteredAt.Add(-time.Duration(rapid.IntRange(1, 30).Draw(t, "hours")) * time.Hour)
	}
	history := d.streams[cmd.Stream()]
	if len(history) == 0 {
		cmd.Body = anyNew(t, uti)
		return cmd
	}
	cmd.Body = anyBody(t, uti, i)
	if rapid.IntRange(0, 3).Draw(t, "correct") == 0 {
		e := rapid.SampledFrom(history).Draw(t, "corrected")
		cmd.Corrects = e.ID
		cmd.Body = restated(t, cmd, e)
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

func anyNew(t *rapid.T, uti string) trade.Body {
	n := power("1", "1")
	if uti[0] == 'O' {
		n = option("1", "1")
		o := *n.Instrument.Option
		o.Kind = rapid.SampledFrom([]string{trade.Call, trade.Put}).Draw(t, "kind")
		n.Instrument.Option = &o
	}
	n.Side = rapid.SampledFrom([]trade.Side{trade.Buy, trade.Sell}).Draw(t, "side")
	n.Quantity.Value = number(t, "quantity", 1, 100)
	n.Price = number(t, "price", 1, 100)
	n.Fee = number(t, "fee", -3, 3)
	n.Book = rapid.SampledFrom([]string{"x", "x", "y"}).Draw(t, "book")
	return n
}

func anyBody(t *rapid.T, uti string, i int) trade.Body {
	q := trade.Quantity{}
	if rapid.IntRange(0, 4).Draw(t, "in part") > 0 {
		q = trade.Quantity{Value: number(t, "part", 0, 40), Unit: trade.MWh}
		if uti[0] == 'O' {
			q.Unit = trade.BBL
		}
	}
	price, next := number(t, "at", 1, 100), fmt.Sprintf("%s-%d", uti, i)
	switch rapid.IntRange(0, 9).Draw(t, "event") {
	case 0:
		return trade.Amend{Kind: trade.Amendment, Price: &price}
	case 1:
		a := trade.Amend{Kind: trade.Amendment, Quantity: q}
		if rapid.Bool().Draw(t, "both") {
			a.Price = &price
		}
		return a
	case 2:
		return trade.Amend{Kind: trade.Update, Trader: "trader/" + price.String()}
	case 3:
		return trade.Cancel{Kind: trade.Terminate, Quantity: q, Fee: number(t, "fee", -3, 3)}
	case 4:
		if rapid.IntRange(0, 3).Draw(t, "void") == 0 {
			return trade.Cancel{Kind: trade.Void}
		}
		return anyMark(t, uti)
	case 5:
		role := rapid.SampledFrom([]string{trade.Transferor, trade.Remaining}).Draw(t, "role")
		return trade.Novate{Role: role, Quantity: q, Fee: number(t, "fee", -3, 3), NewUTI: next, Incoming: "in"}
	case 6, 7:
		b := trade.Exercise{Quantity: q, UnderlyingPrice: price, Settlement: trade.Physical, NewUTI: next}
		if rapid.Bool().Draw(t, "cash") {
			b.Settlement, b.NewUTI = trade.Cash, ""
		}
		return b
	case 8:
		return anyMark(t, uti)
	}
	return trade.Settle{Quantity: q, Price: price}
}

func anyMark(t *rapid.T, uti string) trade.Body {
	m := trade.PriceMarked{Curve: "power/CET/base", Currency: "EUR", Points: []trade.Point{{Delivery: period("2025-03"), Price: number(t, "mark", 1, 100)}}}
	if uti[0] == 'O' {
		m.Curve = rapid.SampledFrom([]string{"oil/BRENT", call("70").Curve()}).Draw(t, "curve")
		m.Currency, m.Points[0].Delivery = "USD", period("2025-06")
	}
	return m
}

// restated is a body that may stand in the slot of e: what stands there with other figures, often.
func restated(t *rapid.T, cmd trade.Command, e trade.Event) trade.Body {
	switch b := e.Body.(type) {
	case trade.New:
		n := b
		n.Quantity.Value, n.Price = number(t, "new quantity", 1, 100), number(t, "new price", 1, 100)
		n.Book = rapid.SampledFrom([]string{"x", "y"}).Draw(t, "new book")
		return n
	case trade.Novate:
		b.Quantity.Value = number(t, "new quantity", 0, 20)
		return b
	case trade.Exercise:
		b.Quantity.Value = number(t, "new quantity", 0, 20)
		return b
	case trade.Settle:
		b.Quantity.Value = number(t, "new quantity", 0, 20)
		return b
	}
	return cmd.Body
}
