package trade_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/kit/trade"
)

type refusalCase struct {
	name  string
	given []trade.Command
	when  trade.Command
	rule  trade.Rule
}

func unapproved(cmd trade.Command) trade.Command {
	cmd.Approver = ""
	return cmd
}

func approvedBy(who string, cmd trade.Command) trade.Command {
	cmd.Approver = who
	return cmd
}

func settledOver(q trade.Quantity, from, to string) trade.Settle {
	return trade.Settle{Quantity: q, Price: dec("55"), From: at(from), To: at(to)}
}

func refusals() []refusalCase {
	one := []trade.Command{bought}
	carriesIn := power("100", "50")
	carriesIn.PriorUTI, carriesIn.CarriedIn = "T0", dec("-60")
	zero := trade.Novate{Role: trade.Remaining, Quantity: mwh("0"), NewUTI: "T2",
		Incoming: "cpty/8"}
	annulled := []trade.Command{bought, remain20, corrects(remain20, on("02-21", zero))}
	physical := exercises("05-06", trade.Exercise{Quantity: bbl("10"), Settlement: trade.Physical,
		NewUTI: "T2"})
	update := on("02-10", trade.Amend{Kind: trade.Update, Trader: "trader/2"})
	renamed := power("100", "50")
	renamed.Trader = "trader/2"
	free := on("02-20", trade.Settle{Quantity: mwh("30")}) // at a price of zero
	euro, dollar := mark("02-03", "power/CET/base", "EUR", "2025-03", "50"), mark("02-04",
		"power/CET/base", "USD", "2025-03", "51")
	amendMW := on("03-02", trade.Amend{Kind: trade.Amendment, Quantity: mw("1")})
	return []refusalCase{
		{"SETTLE of nothing", nil, settleAll, trade.NotBegun},
		{"AMEND of nothing", nil, on("02-10", trade.Amend{Kind: trade.Update, Trader: "x"}),
			trade.NotBegun},
		{"SETTLE effective before NEW", one, effective("01-20", settlePart), trade.NotBegun},
		{"CANCEL void of nothing", nil, voidIt, trade.NotBegun},
		{"CANCEL void with an effective time", one, effective("02-03", voidIt), trade.BadTerms},
		{"SETTLE corrected to void", []trade.Command{bought, settlePart},
			corrects(settlePart, voidIt), trade.WrongKind},
		{"NEW again", one, on("02-10", power("5", "50")), trade.AlreadyBegun},
		{"NEW earlier", one, effective("01-20", on("02-10", power("5", "50"))), trade.AlreadyBegun},
		{"NEW of a closed one", []trade.Command{bought, settleAll}, on("02-21", power("5", "50")),
			trade.AlreadyBegun},
		{"SETTLE of a closed one", []trade.Command{bought, settleAll}, on("02-21", settlePart.Body),
			trade.NotLive},
		{"SETTLE of a closed one, effective before", []trade.Command{bought, settleAll},
			effective("02-10", on("02-21", settlePart.Body)), trade.NotLive},
		{"AMEND of a closed one", []trade.Command{bought, terminate},
			on("02-21", trade.Amend{Kind: trade.Amendment, Price: ref("1")}), trade.NotLive},
		{"AMEND corrected to after it was closed", []trade.Command{bought, update, settleAll},
			corrects(update, effective("02-21", update)), trade.NotLive},
		{"SETTLE of a voided one", []trade.Command{bought, voidIt}, on("02-26", settlePart.Body),
			trade.IsVoided},
		{"void of a voided one", []trade.Command{bought, voidIt}, on("02-26", voidIt.Body),
			trade.IsVoided},
		{"NEW of a voided one", []trade.Command{bought, voidIt}, on("02-26", power("5", "50")),
			trade.IsVoided},
		{"correction of a voided one", []trade.Command{bought, voidIt},
			corrects(bought, on("02-26", power("5", "50"))), trade.IsVoided},
		{"void after NOVATE remaining", []trade.Command{bought, remain20}, voidIt,
			trade.HasFollowUps},
		{"void after a physical EXERCISE", []trade.Command{boughtOpt, physical},
			on("05-07", voidIt.Body), trade.HasFollowUps},
		{"void of what a novation began", []trade.Command{bought, remain20},
			of("T2", on("02-21", voidIt.Body)), trade.ContinuesAnother},
		{"void of what an exercise began", []trade.Command{boughtOpt, physical},
			of("T2", on("05-07", voidIt.Body)), trade.ContinuesAnother},
		{"SETTLE of more than is open", one, on("02-20", trade.Settle{Quantity: mwh("100.000001"),
			Price: dec("55")}), trade.Exceeds},
		{"NOVATE of more than is open then", []trade.Command{bought, settlePart},
			on("02-21", trade.Novate{Role: trade.Transferor, Quantity: mwh("71"), NewUTI: "X",
				Incoming: "c"}), trade.Exceeds},
		{"TERMINATE in MW of more than is open", one, on("02-21",
			trade.Cancel{Kind: trade.Terminate, Quantity: mw("1")}), trade.Exceeds},
		{"EXERCISE of more than is open", []trade.Command{boughtOpt},
			exercises("05-06", trade.Exercise{Quantity: bbl("101")}), trade.Exceeds},
		{"SETTLE of zero", one, on("02-20", trade.Settle{Quantity: mwh("0"), Price: dec("55")}),
			trade.NotPositive},
		{"TERMINATE of less than zero", one, on("02-20", trade.Cancel{Kind: trade.Terminate,
			Quantity: mwh("-1")}), trade.NotPositive},
		{"NEW of zero", nil, on("02-03", power("0", "50")), trade.NotPositive},
		{"NEW of negative MW", nil, on("02-03",
			func() trade.New { n := power("1", "50"); n.Quantity = mw("-1"); return n }()),
			trade.NotPositive},
		{"SETTLE in the wrong unit", one, on("02-20", trade.Settle{Quantity: bbl("1"),
			Price: dec("55")}), trade.WrongUnit},
		{"AMEND in the wrong unit", one, on("02-20", trade.Amend{Kind: trade.Amendment,
			Quantity: bbl("1")}), trade.WrongUnit},
		{"oil in MW", nil, on("02-03", func() trade.New {
			n := option("1",
				"2")
			n.Quantity = mw("1")
			return n
		}()), trade.WrongUnit},
		{"a part of oil in MW", []trade.Command{boughtOpt}, on("05-06",
			trade.Settle{Quantity: mw("1")}), trade.WrongUnit},
		{"a part of oil in therms", []trade.Command{boughtOpt}, on("05-06",
			trade.Settle{Quantity: therm("1")}), trade.WrongUnit},
		{"oil at a price per MWh", nil, per(trade.MWh, on("02-03", option("1", "2"))),
			trade.WrongUnit},
		{"a price per MW", nil, per(trade.MW, on("02-03", power("1", "2"))), trade.WrongUnit},
		{"therms without the unit of the price", one, on("02-20",
			trade.Settle{Quantity: therm("1"), Price: dec("55")}), trade.WrongUnit},
		{"a unit of the price without a price", one, per(trade.GJ, on("02-20",
			trade.Cancel{Kind: trade.Terminate})), trade.BadTerms},
		{"a quantity that rounds to zero", []trade.Command{bought, settlePart},
			corrects(settlePart, per(trade.MWh, on("02-21", trade.Settle{Price: dec("55"),
				Quantity: trade.Quantity{Value: dec("0.0005"), Unit: trade.KWh}}))),
			trade.BadTerms},
		{"more places than an entered value has", one, on("02-20", trade.Cancel{
			Kind: trade.Terminate, Quantity: trade.Quantity{Unit: trade.KWh,
				Value: dec("0.0000000001").Mul(dec("1000000.1"))}}), trade.BadTerms},
		{"a correction to zero in the wrong unit", []trade.Command{bought, settlePart},
			corrects(settlePart, on("02-21", trade.Settle{Quantity: bbl("0"), Price: dec("55")})),
			trade.WrongUnit},
		{"SETTLE in MW without a period", one, on("04-02", trade.Settle{Quantity: mw("1"),
			Price: dec("55")}), trade.NoPeriod},
		{"SETTLE in MW of hours before delivery", one, on("04-02", settledOver(mw("1"),
			"2025-02-01T00:00:00Z", "2025-02-28T00:00:00Z")), trade.NothingToDeliver},
		{"SETTLE of hours before delivery", one, on("04-02", settledOver(mwh("1"),
			"2025-02-01T00:00:00Z", "2025-02-28T00:00:00Z")), trade.NothingToDeliver},
		{"SETTLE before its period ends", one, on("03-15", settledOver(mwh("1"),
			"2025-03-01T00:00:00Z", "2025-03-16T00:00:00Z")), trade.SettledEarly},
		{"SETTLE of a period that ends before it begins", one, on("04-02", settledOver(mwh("1"),
			"2025-03-16T00:00:00Z", "2025-03-01T00:00:00Z")), trade.BadTerms},
		{"SETTLE of half a period", one, on("04-02", trade.Settle{Price: dec("55"),
			To: at("2025-03-16T00:00:00Z")}), trade.BadTerms},
		{"SETTLE of a period too fine", one, on("04-02", settledOver(mwh("1"),
			"2025-03-01T00:00:00.0000001Z", "2025-03-16T00:00:00Z")), trade.BadTerms},
		{"TERMINATE in MW after delivery", one, on("04-02", trade.Cancel{Kind: trade.Terminate,
			Quantity: mw("1")}), trade.NothingToDeliver},
		{"NEW after delivery", nil, on("04-02", power("1", "50")), trade.DeliveryOver},
		{"NEW in MW after delivery", nil, on("04-02",
			func() trade.New { n := power("1", "50"); n.Quantity = mw("1"); return n }()),
			trade.DeliveryOver},
		{"NEW of oil after its month", nil, on("07-01", func() trade.New {
			n := option("1", "2")
			n.Instrument = brentJune
			return n
		}()),
			trade.DeliveryOver},
		{"NEW corrected to after delivery", one, corrects(bought, effective("04-01",
			on("04-02", power("1", "50")))), trade.DeliveryOver},
		{"NEW of an option with a window into delivery", nil, on("02-03", func() trade.New {
			n := option("1", "2")
			o := *n.Instrument.Option
			o.Until = at("2025-05-31T23:00:00.000001Z") // midnight of 1 June in London
			n.Instrument.Option = &o
			return n
		}()), trade.ExpiresLate},
		{"AMEND in MW during delivery", one, amendMW, trade.AmendInDelivery},
		{"AMEND to less than is out", []trade.Command{bought, settlePart},
			on("02-21", trade.Amend{Kind: trade.Amendment, Quantity: mwh("29")}),
			trade.BelowReduced},
		{"AMEND to the same quantity and price", one, on("02-10",
			trade.Amend{Kind: trade.Amendment, Quantity: mwh("100.0"), Price: ref("50.00")}),
			trade.NoChange},
		{"AMEND of nothing at all", one, on("02-10", trade.Amend{Kind: trade.Amendment}),
			trade.NoChange},
		{"AMEND amendment of a name", one, on("02-10", trade.Amend{Kind: trade.Amendment,
			Price: ref("51"), Trader: "trader/2"}), trade.NoChange},
		{"AMEND update of a price", one, on("02-10", trade.Amend{Kind: trade.Update,
			Price: ref("51"), Trader: "trader/2"}), trade.NoChange},
		{"AMEND update to the same", one, on("02-10", trade.Amend{Kind: trade.Update,
			Trader: "trader/1"}), trade.NoChange},
		{"AMEND update of nothing", one, on("02-10", trade.Amend{Kind: trade.Update}),
			trade.NoChange},
		{"MARK in another currency", []trade.Command{euro}, dollar, trade.OtherCurrency},
		{"MARK in another currency, effective before", []trade.Command{euro},
			effective("01-04", dollar), trade.OtherCurrency},
		{"MARK in another currency, of another delivery", []trade.Command{euro},
			mark("02-04", "power/CET/base", "USD", "2025-04", "51"), trade.OtherCurrency},
		{"one of two marks corrected to another currency", []trade.Command{euro,
			mark("02-04", "power/CET/base", "EUR", "2025-04", "51")}, corrects(euro, dollar),
			trade.OtherCurrency},
		{"MARK in the currency of one that is corrected", []trade.Command{euro,
			corrects(euro, dollar)}, mark("02-05", "power/CET/base", "EUR", "2025-03", "51"),
			trade.OtherCurrency},
		{"CONFIRM of nothing", nil, on("02-04", sent(bought)), trade.UnknownTerms},
		{"CONFIRM after the event of another contract", []trade.Command{bought, of("T2", bought)},
			on("02-04", sent(of("T2", bought))), trade.UnknownTerms},
		{"CONFIRM that corrects an event of its contract", one,
			corrects(bought, on("02-04", sent(bought))), trade.UnknownEvent},
		{"EXERCISE of a forward", one, exercises("05-06", trade.Exercise{Quantity: mwh("10")}),
			trade.NotAnOption},
		{"EXERCISE before the window", []trade.Command{boughtOpt},
			exercises("04-30", trade.Exercise{}), trade.OutsideWindow},
		{"EXERCISE after expiry", []trade.Command{boughtOpt}, exercises("05-16", trade.Exercise{}),
			trade.OutsideWindow},
		{"a correction of no event", one, corrects(settlePart, on("02-21", settlePart.Body)),
			trade.UnknownEvent},
		{"a correction in an empty stream", nil, corrects(bought, on("02-21", bought.Body)),
			trade.UnknownEvent},
		{"NEW corrected to SETTLE", one, corrects(bought, on("02-21", settlePart.Body)),
			trade.WrongKind},
		{"NEW by hand with an amount carried in", nil, on("02-03", carriesIn), trade.BadTerms},
		{"NEW corrected to carry an amount in", one, corrects(bought, on("02-21", carriesIn)),
			trade.BadTerms},
		{"NEW corrected to void", one, corrects(bought, on("02-21", voidIt.Body)), trade.WrongKind},
		{"SETTLE corrected to NEW", []trade.Command{bought, settlePart},
			corrects(settlePart, on("02-21", bought.Body)), trade.WrongKind},
		{"NOVATE corrected to another UTI", []trade.Command{bought, remain20},
			corrects(remain20, on("02-21", trade.Novate{Role: trade.Remaining, Quantity: mwh("20"),
				NewUTI: "T9", Incoming: "cpty/8"})), trade.WrongKind},
		{"NOVATE corrected to another role", []trade.Command{bought, remain20},
			corrects(remain20, on("02-21", trade.Novate{Role: trade.Transferor, Quantity: mwh("20"),
				NewUTI: "T2", Incoming: "cpty/8"})), trade.WrongKind},
		{"NOVATE corrected to SETTLE", []trade.Command{bought, remain20},
			corrects(remain20, on("02-21", settlePart.Body)), trade.WrongKind},
		{"EXERCISE corrected from cash to physical", []trade.Command{boughtOpt,
			exercises("05-06", trade.Exercise{})}, corrects(exercises("05-06", trade.Exercise{}),
			physical), trade.WrongKind},
		{"NOVATE that is annulled, corrected", annulled, corrects(remain20,
			on("02-22", remain20.Body)), trade.WrongKind},
		{"a correction of a closed one without approver", []trade.Command{bought, settleAll},
			unapproved(corrects(settleAll, on("02-21", settlePart.Body))), trade.NeedsApprover},
		{"a name on a closed one corrected without approver", []trade.Command{bought, settleAll},
			unapproved(corrects(bought, on("02-21", renamed))), trade.NeedsApprover},
		{"a settled quantity corrected without approver", []trade.Command{bought, free},
			unapproved(corrects(free, on("02-21", trade.Settle{Quantity: mwh("20")}))),
			trade.NeedsApprover},
		{"a correction of a closed one approved by its actor", []trade.Command{bought, settleAll},
			approvedBy("trader/1", corrects(settleAll, on("02-21", settlePart.Body))),
			trade.NeedsApprover},
		{"a void of a closed one without approver", []trade.Command{bought, settleAll},
			unapproved(voidIt), trade.NeedsApprover},
		{"a void of one settled in part without approver", []trade.Command{bought, settlePart},
			unapproved(voidIt), trade.NeedsApprover},
		{"a settlement price corrected without approver", []trade.Command{bought, settlePart},
			unapproved(corrects(settlePart, on("02-21", trade.Settle{Quantity: mwh("30"),
				Price: dec("56")}))), trade.NeedsApprover},
		{"NEW corrected before a SETTLE without approver", []trade.Command{bought, settlePart},
			unapproved(corrects(bought, on("02-21", power("100", "51")))), trade.NeedsApprover},
		{"AMEND of the price before a SETTLE without approver",
			[]trade.Command{bought, settlePart}, effective("02-10", on("02-21",
				trade.Amend{Kind: trade.Amendment, Price: ref("51")})), trade.NeedsApprover},
		{"a late SETTLE that leaves less than a later one takes",
			[]trade.Command{bought, on("02-20",
				trade.Settle{Quantity: mwh("90"), Price: dec("55")})},
			effective("02-10", on("02-21", trade.Settle{Quantity: mwh("11"),
				Price: dec("55")})), trade.BreaksLater},
		{"a late SETTLE in full", []trade.Command{bought, settlePart},
			effective("02-10", on("02-21", settleAll.Body)), trade.BreaksLater},
		{"SETTLE of one voided before it", []trade.Command{bought, voidIt},
			on("02-26", settlePart.Body), trade.IsVoided},
		{"SETTLE effective before a void", []trade.Command{bought, voidIt},
			effective("02-10", on("02-26", settlePart.Body)), trade.IsVoided},
		{"NEW corrected to less than is out", []trade.Command{bought, settlePart},
			corrects(bought, on("02-21", power("29", "50"))), trade.BreaksLater},
		{"NEW corrected to a time after its SETTLE", []trade.Command{bought, settlePart},
			corrects(bought, effective("02-22", on("02-22", bought.Body))), trade.BreaksLater},
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	for _, c := range append(refusals(), badTerms()...) {
		d := newDesk()
		d.do(t, c.given...)
		r := d.refusedAs(t, c.when)
		require.Equal(t, c.rule, r.Rule, "%s: %v", c.name, r)
		require.NotEmpty(t, r.Detail, c.name)
	}
}

// A rule that no case produces is a rule that nobody needs.
func TestEveryRuleIsProduced(t *testing.T) {
	t.Parallel()
	produced := map[string]bool{
		string(trade.IsParked):     true, // by TestCommandToAParkedStreamIsRefused
		string(trade.IsUnreadable): true, // by TestUnreadableEventParksItsStream
		// Command.CheckEntry produces it, not Decide: see TestEntryInTheFutureIsRefused.
		string(trade.EnteredInFuture): true,
	}
	for _, c := range append(refusals(), badTerms()...) {
		produced[string(c.rule)] = true
	}
	file, err := parser.ParseFile(token.NewFileSet(), "refusal.go", nil, 0)
	require.NoError(t, err)
	rules := 0
	ast.Inspect(file, func(n ast.Node) bool {
		if v, ok := n.(*ast.ValueSpec); ok {
			text, err := strconv.Unquote(v.Values[0].(*ast.BasicLit).Value)
			require.NoError(t, err)
			require.True(t, produced[text], "no test produces %s", text)
			rules++
		}
		return true
	})
	require.NotZero(t, rules)
}

func badTerms() []refusalCase {
	term := func(name string, change func(*trade.New)) refusalCase {
		n := power("100", "50")
		change(&n)
		return refusalCase{"NEW with " + name, nil, on("02-03", n), trade.BadTerms}
	}
	opt := func(name string, change func(*trade.Option)) refusalCase {
		n := option("100", "2")
		o := *n.Instrument.Option
		n.Instrument.Option = &o
		change(&o)
		return refusalCase{"an option with " + name, nil, on("02-03", n), trade.BadTerms}
	}
	second := func(name string, body trade.Body) refusalCase {
		return refusalCase{name, []trade.Command{bought}, on("02-20", body), trade.BadTerms}
	}
	onOption := func(name string, b trade.Exercise) refusalCase {
		return refusalCase{"EXERCISE " + name, []trade.Command{boughtOpt}, on("05-06", b),
			trade.BadTerms}
	}
	marked := func(name string, cmd trade.Command) refusalCase {
		return refusalCase{"MARK " + name, nil, cmd, trade.BadTerms}
	}
	timeless := bought
	timeless.EnteredAt = trade.Event{}.EffectiveAt
	beyond := bought
	beyond.EffectiveAt = at("9999-12-31T23:59:59Z").Add(time.Hour)
	lastDay := trade.DayOf(at("9999-12-31T00:00:00Z"))
	endless, n := boughtOpt, boughtOpt.Body.(trade.New)
	window := *n.Instrument.Option
	window.Until = beyond.EffectiveAt
	n.Instrument.Option = &window
	endless.Body = n
	return []refusalCase{
		term("no book", func(n *trade.New) { n.Book = "" }),
		term("no counterparty", func(n *trade.New) { n.Counterparty = "" }),
		term("a trader that is not UTF-8", func(n *trade.New) { n.Trader = "\xff" }),
		term("a book with U+0000", func(n *trade.New) { n.Book = "a\x00b" }),
		term("a counterparty with a blank", func(n *trade.New) { n.Counterparty = "cpty/7 " }),
		term("a prior contract that is a curve",
			func(n *trade.New) { n.PriorUTI = "curve/power/CET/base" }),
		term("no side", func(n *trade.New) { n.Side = "" }),
		term("an unknown currency", func(n *trade.New) { n.Currency = "XXX" }),
		term("an unknown zone", func(n *trade.New) { n.Instrument.Zone = "MARS" }),
		term("a zone that has an option in its name", func(n *trade.New) {
			n.Instrument, n.Quantity = brentJune, bbl("1")
			n.Instrument.Zone = "BRENT/call/70/2025-05-15"
		}),
		term("a profile that has an option in it", func(n *trade.New) {
			n.Instrument, n.Quantity = brentJune, bbl("1")
			n.Instrument.Profile = "call/70/2025-05-15"
		}),
		term("an unknown profile", func(n *trade.New) { n.Instrument.Profile = "night" }),
		term("gas in a power zone", func(n *trade.New) { n.Instrument.Commodity = trade.Gas }),
		term("a delivery that ends before it begins",
			func(n *trade.New) { n.Instrument.Delivery = trade.Period{Start: 20000, End: 20000} }),
		term("a delivery before 1970", func(n *trade.New) {
			n.Instrument, n.Quantity = brentJune, bbl("1")
			n.Instrument.Delivery = period("1969-12")
		}),
		term("a delivery into a year of five digits", func(n *trade.New) {
			n.Instrument.Delivery = trade.Period{Start: lastDay, End: lastDay + 1}
		}),
		term("an endless delivery", func(n *trade.New) { n.Instrument.Delivery.End = 1 << 30 }),
		term("no hour of delivery", func(n *trade.New) {
			n.Instrument.Profile, n.Instrument.Delivery = "peak", period("2025-03-01/2025-03-03")
		}),
		term("oil by the quarter", func(n *trade.New) {
			n.Instrument = brentJune
			n.Instrument.Delivery = period("2025-Q2")
		}),
		term("too fine a price", func(n *trade.New) { n.Price = dec("50.0000001") }),
		term("too large a price", func(n *trade.New) { n.Price = dec("1000000000000") }),
		term("too fine a quantity", func(n *trade.New) { n.Quantity = mwh("0.0000001") }),
		term("too fine a fee", func(n *trade.New) { n.Fee = dec("0.001") }),
		term("a fee of half a yen", func(n *trade.New) { n.Currency, n.Fee = "JPY", dec("0.5") }),
		term("a capacity that is not its quantity", func(n *trade.New) { n.Capacity = dec("1") }),
		term("a capacity too fine", func(n *trade.New) {
			n.Quantity, n.Capacity = mw("0.0000001"), dec("0")
		}),
		term("itself as prior contract", func(n *trade.New) { n.PriorUTI = T }),
		term("an amount carried in from nowhere", func(n *trade.New) { n.CarriedIn = dec("1") }),
		term("too fine an amount carried in", func(n *trade.New) {
			n.PriorUTI, n.CarriedIn = "T0",
				dec("0.001")
		}),
		opt("no kind", func(o *trade.Option) { o.Kind = "" }),
		opt("too fine a strike", func(o *trade.Option) { o.Strike = dec("0.0000001") }),
		opt("a window that ends before it begins",
			func(o *trade.Option) { o.Until = o.From.Add(-1000) }),
		opt("no window", func(o *trade.Option) {
			o.From, o.Until = timeless.EnteredAt,
				timeless.EnteredAt
		}),
		opt("a window in nanoseconds", func(o *trade.Option) { o.Until = o.Until.Add(1) }),
		{"NEW of an option below zero", nil, on("02-03", option("100", "-1")), trade.BadTerms},
		{"NEW without a UTI", nil, of("", bought), trade.BadTerms},
		{"NEW under the name of a curve", nil, of("curve/power/CET/base", bought), trade.BadTerms},
		{"NEW at no time", nil, timeless, trade.BadTerms},
		{"NEW in a year of five digits", nil, beyond, trade.BadTerms},
		{"NEW of an option until a year of five digits", nil, endless, trade.BadTerms},
		second("AMEND of no kind", trade.Amend{Kind: "correction", Price: ref("1")}),
		second("CANCEL of no kind", trade.Cancel{}),
		second("a void with a fee", trade.Cancel{Kind: trade.Void, Fee: dec("1")}),
		second("a void in part", trade.Cancel{Kind: trade.Void, Quantity: mwh("1")}),
		second("an update to a name with U+0000", trade.Amend{Kind: trade.Update, Trader: "a\x00"}),
		second("an update to what is not UTF-8", trade.Amend{Kind: trade.Update,
			Counterparty: "\xff"}),
		second("a settlement by a source with U+0000", trade.Settle{Price: dec("1"),
			PriceSource: "\x00"}),
		second("a novation into a curve", trade.Novate{Role: trade.Remaining,
			NewUTI: "curve/power/CET/base", Incoming: "c"}),
		second("a novation to a party with U+0000", trade.Novate{Role: trade.Remaining,
			NewUTI: "T2", Incoming: "\x00"}),
		second("a termination with too fine a fee", trade.Cancel{Kind: trade.Terminate,
			Fee: dec("0.001")}),
		second("a novation without role", trade.Novate{NewUTI: "T2", Incoming: "c"}),
		second("a novation without new UTI", trade.Novate{Role: trade.Transferor, Incoming: "c"}),
		second("a novation without incoming party", trade.Novate{Role: trade.Transferor,
			NewUTI: "T2"}),
		second("a novation to itself", trade.Novate{Role: trade.Remaining, NewUTI: T,
			Incoming: "c"}),
		second("a novation with too fine a fee", trade.Novate{Role: trade.Remaining, NewUTI: "T2",
			Incoming: "c", Fee: dec("0.001")}),
		second("a settlement with too fine a price", trade.Settle{Price: dec("1.0000001")}),
		{"a second novation into one contract", []trade.Command{bought, remain20},
			on("02-21", remain20.Body), trade.BadTerms},
		second("a confirmation of no kind", confirm("", bought)),
		second("a confirmation without reference", trade.Confirm{Kind: trade.Matched,
			Event: trade.EventID(bought.ID, 0)}),
		second("a confirmation that is sent by no method", confirm(trade.Sent, bought)),
		second("a method with a blank", trade.Confirm{Kind: trade.Sent, Method: "by hand",
			Event: trade.EventID(bought.ID, 0), Reference: "CONF-1"}),
		second("a dispute without a difference", confirm(trade.Disputed, bought)),
		second("a dispute about the trader", trade.Confirm{Kind: trade.Disputed,
			Event: trade.EventID(bought.ID, 0), Reference: "CONF-1",
			Differences: []trade.Difference{{Term: "trader", Theirs: "x"}}}),
		second("a dispute about nothing", trade.Confirm{Kind: trade.Disputed,
			Event: trade.EventID(bought.ID, 0), Reference: "CONF-1",
			Differences: []trade.Difference{{Term: "price"}}}),
		onOption("without settlement", trade.Exercise{UnderlyingPrice: dec("76")}),
		onOption("into delivery without a UTI", trade.Exercise{UnderlyingPrice: dec("76"),
			Settlement: trade.Physical}),
		onOption("into itself", trade.Exercise{UnderlyingPrice: dec("76"),
			Settlement: trade.Physical, NewUTI: T}),
		onOption("into a curve", trade.Exercise{UnderlyingPrice: dec("76"),
			Settlement: trade.Physical, NewUTI: "curve/oil/BRENT"}),
		onOption("for cash, with a UTI", trade.Exercise{UnderlyingPrice: dec("76"),
			Settlement: trade.Cash, NewUTI: "T2"}),
		onOption("at too fine a price", trade.Exercise{Settlement: trade.Cash,
			UnderlyingPrice: dec("76.0000001")}),
		marked("of no curve", mark("02-03", "power/MARS/base", "EUR", "2025-03", "1")),
		marked("in no currency", mark("02-03", "power/CET/base", "XXX", "2025-03", "1")),
		marked("without points", mark("02-03", "power/CET/base", "EUR")),
		marked("of a point twice", mark("02-03", "power/CET/base", "EUR", "2025-03", "1", "2025-03",
			"2")),
		marked("of a year of five digits", func() trade.Command {
			cmd := mark("02-03", "power/CET/base", "EUR", "2025-03", "1")
			cmd.Body.(trade.PriceMarked).Points[0].Delivery = trade.Period{Start: lastDay,
				End: lastDay + 1}
			return cmd
		}()),
		marked("of an option below zero", mark("02-03", "oil/BRENT/call/70/2025-05-15", "USD",
			"2025-06", "-1")),
		marked("of an empty delivery", func() trade.Command {
			cmd := mark("02-03", "power/CET/base", "EUR", "2025-03", "1")
			cmd.Body.(trade.PriceMarked).Points[0].Delivery.End = 0
			return cmd
		}()),
	}
}

// WTI traded at -13.10 on 20 April 2020. Any good may be sold for nothing or less.
func TestAgreedPricesMayBeNegative(t *testing.T) {
	t.Parallel()
	oil, gas := option("100", "-13.10"), power("100", "0")
	oil.Instrument, gas.Instrument = brentJune, gases("2025-03")[0]
	for _, n := range []trade.New{power("100", "-5"), power("100", "0"), oil, gas} {
		d := newDesk()
		d.do(t, on("02-03", n), on("02-10", trade.Amend{Kind: trade.Amendment, Price: ref("-2")}),
			on("02-11", trade.Amend{Kind: trade.Amendment, Price: ref("0")}),
			on("02-12", trade.Amend{Kind: trade.Amendment, Price: ref("-3.5")}),
			on("04-20", trade.Settle{Price: dec("-1")}))
		equal(t, "250", d.position(t, n.Instrument.ID()).FIFO.Realised)
	}
}

// An option may be given away, and its strike may be anything that a price may be.
func TestPremiumMayBeZero(t *testing.T) {
	t.Parallel()
	for strike, worth := range map[string]string{"70": "600", "0": "7600", "-5": "8100"} {
		d := newDesk()
		n := option("100", "0")
		n.Instrument = call(strike)
		d.do(t, on("04-01", n), exercises("05-06", trade.Exercise{UnderlyingPrice: dec("76")}))
		equal(t, worth, d.position(t, n.Instrument.ID()).FIFO.Realised)
	}
}

// WTI settled at -37.63 on 20 April 2020.
func TestPublishedPricesMayBeNegative(t *testing.T) {
	t.Parallel()
	oil, put := option("10", "20"), option("100", "2")
	oil.Instrument, put.Instrument.Option.Kind = brentJune, trade.Put

	d := newDesk()
	d.do(t, on("02-03", oil), mark("02-03", "oil/BRENT", "USD", "2025-06", "-37.63"),
		mark("02-03", "gas/TTF/base", "EUR", "2025-03", "0"))
	equal(t, "-376.3", *d.position(t, "oil/BRENT@2025-06").MarketValue)
	d.do(t, on("02-20", trade.Settle{Price: dec("-37.63")}))
	equal(t, "-576.3", d.position(t, "oil/BRENT@2025-06").FIFO.Realised)
	d = newDesk()
	d.do(t, on("04-01", put), exercises("05-06", trade.Exercise{UnderlyingPrice: dec("-37.63")}))
	equal(t, "10563", d.position(t, put.Instrument.ID()).FIFO.Realised) // 100 · (70 + 37.63 - 2)
}

func TestMarkCorrectsAnUnknownEvent(t *testing.T) {
	t.Parallel()
	cmd := mark("02-03", "power/CET/base", "EUR", "2025-03", "1")
	cmd.Corrects = uuid.Max
	r := newDesk().refusedAs(t, cmd)
	require.Equal(t, trade.UnknownEvent, r.Rule)
}

func TestBreaksLaterNamesTheBrokenEvent(t *testing.T) {
	t.Parallel()
	d := newDesk()
	d.do(t, bought, settlePart)
	r := d.refusedAs(t, effective("02-10", on("02-21", settleAll.Body)))
	require.Equal(t, "version 2, a SETTLE effective 2025-02-20T12:00:00Z, would no longer be "+
		"legal: lifecycle.not-live: T1 is SETTLED", r.Detail)
}
