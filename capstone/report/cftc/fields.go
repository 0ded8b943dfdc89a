package cftc

import (
	"io"
	"strings"
	"time"

	"example.com/blotter/capstone/report"
	"example.com/blotter/labs/kit/trade"
)

// V32 is the specification in use since 29 January 2024.
var V32 = report.RuleSet{
	Name: "cftc-v3.2", Regime: "CFTC",
	Source: "CFTC Technical Specification, Parts 43 and 45, version 3.2 (1 March 2023)",
	From:   day("2024-01-29"), Fields: fields, File: "csv", Write: write,
	Messages: Messages, CatchUp: catchUp, Crosses: true, Valuation: Value,
	Scope: scope, Deadline: deadline,
	ScopeSource: "CEA section 1a(47)(B)(ii) and 17 CFR 45.8 (unverified)",
	DeadlineSource: "17 CFR 45.3 and 45.4 for a dealer; others, and 17 CFR 45.14 for " +
		"corrections, are unverified",
}

func day(s string) trade.Day {
	d, err := trade.ParseDay(s)
	if err != nil {
		panic(err)
	}
	return d
}

// scope leaves out a product that is no swap, such as a forward that is to be delivered (CEA
// section 1a(47)(B)(ii)), and a swap that the other side reports (17 CFR 45.8).
func scope(in report.Input) report.Value {
	v := in.Product("swap")
	if v.Gap != nil {
		return v
	}
	if v.Text == "false" {
		return report.Text("the product is no swap")
	}
	s := in.Message.State
	v = in.Look(report.Role, "CFTC/"+s.Book+"/"+s.Counterparty, "reporting_side")
	if v.Gap == nil && v.Text == "they" {
		return report.Text("the counterparty reports")
	}
	if v.Gap != nil {
		return v
	}
	return report.Value{}
}

// deadline returns the business days of 17 CFR 45.3 and 45.4: one for a swap dealer, else two; one
// for a valuation, and seven for a correction (45.14).
func deadline(in report.Input) report.Deadline {
	switch {
	case in.Message.Value != nil:
		return report.Deadline{Days: 1, Calendar: "US"}
	case in.Message.Action.Kind == report.Correction || in.Message.Action.Kind == report.Void:
		return report.Deadline{Days: 7, Calendar: "US"}
	case in.LookOr(report.Book, in.Message.State.Book, "swap_dealer", "true") == "true":
		return report.Deadline{Days: 1, Calendar: "US"}
	}
	return report.Deadline{Days: 2, Calendar: "US"}
}

const spec = "Tech. Spec. v3.2, section 2, #"

// transaction returns a field that a valuation leaves blank ("Valuation NR").
func transaction(number, name, format string, rule func(report.Input) report.Value) report.Field {
	f := both(number, name, format, rule)
	f.Rule = func(in report.Input) report.Value {
		if in.Message.Type == Value {
			return report.Value{}
		}
		return rule(in)
	}
	return f
}

// valuation returns a field that only a valuation has ("Transaction NR").
func valuation(number, name, format string, rule func(report.Input) report.Value) report.Field {
	f := both(number, name, format, rule)
	f.Rule = func(in report.Input) report.Value {
		if in.Message.Type != Value {
			return report.Value{}
		}
		return rule(in)
	}
	return f
}

func both(number, name, format string, rule func(report.Input) report.Value) report.Field {
	return report.Field{Number: number, Name: name, Format: format, Source: spec + number,
		Rule: rule}
}

// unverified marks a part of a rule that no official text states.
func unverified(f report.Field, note string) report.Field {
	f.Unverified, f.Source = true, f.Source+"; unverified: "+note
	return f
}

// constant is the value of a field for every contract that this record can hold.
func constant(s string) func(report.Input) report.Value {
	return func(report.Input) report.Value { return report.Text(s) }
}

func option(rule func(report.Input, trade.Option) report.Value) func(report.Input) report.Value {
	return func(in report.Input) report.Value {
		if o := in.Message.State.Terms.Instrument.Option; o != nil {
			return rule(in, *o)
		}
		return report.Value{}
	}
}

func forward(rule func(report.Input) report.Value) func(report.Input) report.Value {
	return func(in report.Input) report.Value {
		if in.Message.State.Terms.Instrument.Option != nil {
			return report.Value{}
		}
		return rule(in)
	}
}

// boolean spells a stated true or false as the specification does.
func boolean(v report.Value) report.Value {
	if v.Gap == nil {
		v.Text = strings.ToUpper(v.Text[:1]) + v.Text[1:]
	}
	return v
}

func currency(in report.Input) report.Value {
	return report.Text(string(in.Message.State.Currency))
}

// fields are the data elements that apply to a forward or option on a commodity, in the order of
// the specification. Left out are those of clearing, packages, allocations, other payments,
// schedules, floating legs and collateral: the record has none of them.
var fields = []report.Field{
	transaction("1", "Cleared", "Char(1)", constant("N")),
	both("13", "Counterparty 1 (reporting counterparty)", "Char(20)", book("lei")),
	both("14", "Counterparty 2", "Char(20)", party("lei")),
	both("15", "Counterparty 2 identifier source", "Char(4)", constant("LEID")),
	transaction("16", "Counterparty 1 financial entity indicator", "Boolean",
		book("financial_entity")),
	transaction("17", "Counterparty 2 financial entity indicator", "Boolean",
		party("financial_entity")),
	transaction("18", "Buyer identifier", "Char(20)", side(trade.Buy)),
	transaction("19", "Seller identifier", "Char(20)", side(trade.Sell)),
	both("22", "Submitter identifier", "Char(20)", book("lei")),
	transaction("23", "Counterparty 1 federal entity indicator", "Boolean", book("federal_entity")),
	transaction("24", "Counterparty 2 federal entity indicator", "Boolean",
		party("federal_entity")),
	transaction("25", "Custom basket indicator", "Boolean", constant("False")),
	both("26", "Action type", "Char(4)", func(in report.Input) report.Value {
		return report.Text(in.Message.Type)
	}),
	transaction("27", "Event type", "Char(4)", func(in report.Input) report.Value {
		return report.Text(in.Message.Event)
	}),
	transaction("28", "Amendment indicator", "Boolean", func(in report.Input) report.Value {
		return report.Text(in.Message.Extra.(detail).amendment)
	}),
	// Only compressions and credit events have one, and the record has neither.
	transaction("29", "Event identifier", "Varchar(52)", constant("")),
	transaction("30", "Event timestamp", "YYYY-MM-DDThh:mm:ssZ", eventTime),
	transaction("31", "Notional amount", "Num(25,5)", notional),
	transaction("32", "Notional currency", "Char(3)", currency),
	transaction("43", "Quantity unit of measure", "Varchar(4)", product("unit")),
	transaction("44", "Total notional quantity", "Num(25,5)", func(in report.Input) report.Value {
		return number(quantity(in.Message), 5)
	}),
	transaction("45", "Package indicator", "Boolean", constant("False")),
	transaction("68", "Post-priced swap indicator", "Boolean", constant("False")),
	transaction("69", "Price", "Num(18,13)", forward(func(in report.Input) report.Value {
		return number(in.Message.State.Price, 13)
	})),
	transaction("70", "Price currency", "Char(3)", forward(currency)),
	transaction("71", "Price notation", "Char(1)", forward(constant("1"))),
	transaction("72", "Price unit of measure", "Varchar(4)", forward(product("unit"))),
	transaction("76", "Strike price", "Num(18,13)",
		option(func(_ report.Input, o trade.Option) report.Value { return number(o.Strike, 13) })),
	transaction("77", "Strike price currency/currency pair", "Char(3)",
		option(func(in report.Input, _ trade.Option) report.Value { return currency(in) })),
	transaction("78", "Strike price notation", "Char(1)",
		option(func(report.Input, trade.Option) report.Value { return report.Text("1") })),
	transaction("79", "Option premium amount", "Num(25,5)", option(premium)),
	transaction("80", "Option premium currency", "Char(3)", option(ifPremium(currency))),
	transaction("81", "Option premium payment date", "YYYY-MM-DD", option(ifPremium(premiumDate))),
	unverified(transaction("82", "First exercise date", "YYYY-MM-DD", option(firstExercise)),
		"a window that begins after the execution"),
	transaction("88", "Final contractual settlement date", "YYYY-MM-DD", finalSettlement),
	transaction("89", "Settlement currency", "Char(3)", settlementCurrency),
	transaction("91", "Allocation indicator", "Char(4)", constant("UNAL")),
	transaction("92", "Non-standardized term indicator", "Boolean", constant("False")),
	transaction("93", "Block trade election indicator", "Boolean", constant("False")),
	unverified(transaction("94", "Effective date", "YYYY-MM-DD", effectiveDate),
		"for an option, the first day of its window"),
	unverified(transaction("95", "Expiration date", "YYYY-MM-DD", expiration),
		"for an option, the last day of its window"),
	transaction("96", "Execution timestamp", "YYYY-MM-DDThh:mm:ssZ",
		func(in report.Input) report.Value { return instant(in.Message.Action.ExecutedAt) }),
	both("97", "Reporting timestamp", "YYYY-MM-DDThh:mm:ssZ", func(in report.Input) report.Value {
		return instant(in.Known)
	}),
	transaction("98", "Platform identifier", "Char(4)", product("venue")),
	transaction("99", "Prime brokerage transaction indicator", "Boolean", constant("False")),
	transaction("101", "Prior UTI (for one-to-one and one-to-many relations between transactions)",
		"Varchar(52)", priorUTI),
	both("103", "Unique transaction identifier (UTI)", "Varchar(52)",
		func(in report.Input) report.Value { return uti(in.Message.Action.UTI) }),
	transaction("104", "Jurisdiction", "Char(4)", constant("CFTC")),
	valuation("109", "Delta", "Num(25,5)", option(delta)),
	valuation("110", "Valuation amount", "Num(25,5)", worth),
	valuation("111", "Valuation currency", "Char(3)", currency),
	unverified(valuation("112", "Valuation method", "Char(4)", constant("MTMA")),
		"appendix D, the classification of the inputs, was not read"),
	valuation("113", "Valuation timestamp", "YYYY-MM-DD", func(in report.Input) report.Value {
		return date(in.Message.Value.At)
	}),
	valuation("116", "Initial margin collateral portfolio code", "Varchar(52)",
		party("initial_margin_portfolio")),
	valuation("124", "Variation margin collateral portfolio code", "Varchar(52)",
		party("variation_margin_portfolio")),
}

func book(attribute string) func(report.Input) report.Value {
	return func(in report.Input) report.Value { return spelled(attribute, in.Book(attribute)) }
}

func party(attribute string) func(report.Input) report.Value {
	return func(in report.Input) report.Value { return spelled(attribute, in.Party(attribute)) }
}

func product(attribute string) func(report.Input) report.Value {
	return func(in report.Input) report.Value { return in.Product(attribute) }
}

func spelled(attribute string, v report.Value) report.Value {
	if strings.HasSuffix(attribute, "_entity") {
		return boolean(v)
	}
	return v
}

// side returns the LEI of the side that buys or sells: ours, or the counterparty's.
func side(s trade.Side) func(report.Input) report.Value {
	return func(in report.Input) report.Value {
		if in.Message.State.Side == s {
			return in.Book("lei")
		}
		return in.Party("lei")
	}
}

// eventTime returns when the event happened. That of a correction, of an error and of a revival is
// the entry that found it: the reporting counterparty determines it (#30). It is never before the
// execution.
func eventTime(in report.Input) report.Value {
	a := in.Message.Action
	at := a.Event.EffectiveAt
	switch in.Message.Type {
	case New:
		at = a.ExecutedAt
	case Correct, Err, Revive:
		at = a.Event.EnteredAt
	}
	if at.Before(a.ExecutedAt) {
		at = a.ExecutedAt
	}
	return instant(at)
}

// quantity returns the outstanding quantity after the event, or the quantity that a termination
// ends (#31 and footnote 41).
func quantity(m report.Message) trade.Decimal {
	if m.Type == Terminate && !m.State.Open.IsZero() {
		return m.State.Open
	}
	return report.Remaining(m.State)
}

// notional returns price times quantity; of an option, strike times quantity (appendix B).
func notional(in report.Input) report.Value {
	price := in.Message.State.Price
	if o := in.Message.State.Terms.Instrument.Option; o != nil {
		price = o.Strike
	}
	return number(price.Mul(quantity(in.Message)), 5)
}

func premium(in report.Input, _ trade.Option) report.Value {
	s := in.Message.State
	return number(s.Price.Mul(s.Contracted), 5)
}

func ifPremium(
	rule func(report.Input) report.Value,
) func(report.Input, trade.Option) report.Value {
	return func(in report.Input, _ trade.Option) report.Value {
		if s := in.Message.State; s.Price.Sign() <= 0 || s.Contracted.IsZero() {
			return report.Value{}
		}
		return rule(in)
	}
}

func premiumDate(in report.Input) report.Value {
	return daysAfter(in.Product("premium_days"), trade.DayOf(in.Message.Action.ExecutedAt))
}

// daysAfter returns the date that is a stated number of days after another one.
func daysAfter(v report.Value, from trade.Day) report.Value {
	if v.Gap == nil {
		days := trade.Day(0)
		for _, c := range v.Text {
			days = 10*days + trade.Day(c-'0')
		}
		v.Text = (from + days).String()
	}
	return v
}

// firstExercise returns the first day of the window, or the day of execution if that is later.
func firstExercise(in report.Input, o trade.Option) report.Value {
	if executed := in.Message.Action.ExecutedAt; executed.After(o.From) {
		return date(executed)
	}
	return date(o.From)
}

func effectiveDate(in report.Input) report.Value {
	i := in.Message.State.Terms.Instrument
	if i.Option != nil {
		return date(i.Option.From)
	}
	return report.Text(i.Delivery.Start.String())
}

func lastDay(i trade.Instrument) trade.Day {
	if i.Option != nil {
		return trade.DayOf(i.Option.Until.UTC())
	}
	return i.Delivery.End - 1
}

func expiration(in report.Input) report.Value {
	return report.Text(lastDay(in.Message.State.Terms.Instrument).String())
}

func finalSettlement(in report.Input) report.Value {
	return daysAfter(in.Product("settlement_days"), lastDay(in.Message.State.Terms.Instrument))
}

func settlementCurrency(in report.Input) report.Value {
	v := in.Product("settlement")
	switch {
	case v.Gap != nil:
		return v
	case v.Text == "cash":
		return currency(in)
	}
	return report.Value{}
}

func priorUTI(in report.Input) report.Value {
	if in.Message.Type != New || in.Message.Event == Trade {
		return report.Value{}
	}
	return uti(in.Message.Action.PriorUTI)
}

func uti(s string) report.Value {
	if report.CheckUTI(s) != nil {
		return report.Lacks(report.Trade, s, "UTI of ISO 23897")
	}
	return report.Text(s)
}

func delta(in report.Input, _ trade.Option) report.Value { return in.Product("delta") }

func worth(in report.Input) report.Value {
	if in.Message.Value.Amount == nil {
		return report.Lacks(report.Curve, in.Message.State.Terms.Instrument.Curve(), "mark")
	}
	return number(*in.Message.Value.Amount, 5)
}

func instant(t time.Time) report.Value {
	return report.Text(t.UTC().Format("2006-01-02T15:04:05Z"))
}

func date(t time.Time) report.Value { return report.Text(t.UTC().Format(time.DateOnly)) }

// number prints a decimal with at most the given places, rounded half up (section 1.3).
func number(d trade.Decimal, places int) report.Value {
	text := d.Abs().String()
	whole, fraction, _ := strings.Cut(text, ".")
	if len(fraction) <= places {
		return report.Text(d.String())
	}
	cut := trade.Dec(whole + "." + fraction[:places])
	if fraction[places] >= '5' {
		cut = cut.Add(trade.Dec("0." + strings.Repeat("0", places-1) + "1"))
	}
	if d.Sign() < 0 {
		cut = cut.Neg()
	}
	return report.Text(cut.String())
}

func write(w io.Writer, _ report.Header) report.Writer { return report.CSV(w, fields) }
