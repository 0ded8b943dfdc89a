package mifir

import (
	"time"

	"example.com/blotter/capstone/report"
	"example.com/blotter/labs/kit/trade"
)

// The passages. The text of Annex I was read in a copy of legislation.gov.uk's, not in the Official
// Journal. The elements were read in classes generated from ESMA's draft schema.
const (
	annex    = "2017/590 Annex I Table 2"
	buyers   = "Buyr/AcctOwnr/Id/LEI"
	sellers  = "Sellr/AcctOwnr/Id/LEI"
	money    = "Tx/Pric/Pric/MntryVal/"
	other    = "FinInstrm/Othr/"
	general  = other + "FinInstrmGnlAttrbts/"
	deriv    = other + "DerivInstrmAttrbts/"
	strike   = deriv + "StrkPric/Pric/MntryVal/"
	decision = "InvstmtDcsnPrsn/Prsn/"
	executes = "ExctgPrsn/Prsn/"
)

// Fields is the table of fields that apply to commodity derivatives, in the order of their elements
// below New. A cancellation has fields 1, 2, 4 and 6 only. A field that applies to other
// instruments, to clients or to venues is left out: 3, 8 to 15, 17 to 24, 26, 27, 31, 35, 37 to 40,
// 45, 48, 49, 54 and 61 to 63.
var Fields = []report.Field{
	{Number: "1", Name: "Report status", Format: "NEWT or CANC: New or Cxl", Source: annex,
		Unverified: true,
		Rule:       func(in report.Input) report.Value { return report.Text(in.Message.Type) }},
	{Number: "2", Name: "Transaction reference number", Format: "ALPHANUM-52", Element: "TxId",
		Source: annex, Rule: func(in report.Input) report.Value {
			return report.Text(in.Message.Extra.(transaction).Reference)
		}},
	{Number: "4", Name: "Executing entity identification code", Format: "LEI",
		Element: "ExctgPty", Source: annex, Rule: ours},
	{Number: "5", Name: "Investment firm covered by Directive 2014/65/EU", Format: "true or false",
		Element: "InvstmtPtyInd", Source: annex, Rule: ifNew(func(in report.Input) report.Value {
			return in.Book("investment_firm")
		})},
	{Number: "6", Name: "Submitting entity identification code", Format: "LEI",
		Element: "SubmitgPty", Source: annex, Rule: ours},
	{Number: "7", Name: "Buyer identification code", Format: "LEI", Element: buyers,
		Source: annex, Rule: ifNew(sideOf(trade.Buy))},
	{Number: "16", Name: "Seller identification code", Format: "LEI", Element: sellers,
		Source: annex, Rule: ifNew(sideOf(trade.Sell))},
	{Number: "25", Name: "Transmission of order indicator", Format: "false: we execute ourselves",
		Element: "OrdrTrnsmssn/TrnsmssnInd", Source: annex, Rule: always("false")},
	{Number: "28", Name: "Trading date time", Format: "UTC, to the microsecond",
		Element: "Tx/TradDt", Source: annex, Rule: of(func(t transaction) string {
			return t.At.Format("2006-01-02T15:04:05.000000Z")
		})},
	{Number: "29", Name: "Trading capacity", Format: "DEAL: on own account",
		Element: "Tx/TradgCpcty", Source: annex, Rule: always("DEAL")},
	{Number: "30", Name: "Quantity", Format: "DECIMAL-18/17 units of the delivery point",
		Element: "Tx/Qty/Unit", Source: annex, Rule: of(func(t transaction) string {
			return t.Quantity.Round(17).String()
		})},
	{Number: "32", Name: "Derivative notional increase/decrease", Format: "INCR or DECR",
		Element: "Tx/DerivNtnlChng", Source: annex, Unverified: true,
		Rule: of(func(t transaction) string { return t.Change })},
	{Number: "33", Name: "Price", Format: "DECIMAL-18/13 per unit of field 30",
		Element: money + "Amt", Source: annex, Rule: of(func(t transaction) string {
			return t.Price.Abs().Round(13).String()
		})},
	{Number: "34", Name: "Price currency", Format: "CURRENCYCODE_3", Element: money + "Amt/@Ccy",
		Source: annex, Rule: of(currency)},
	{Number: "33", Name: "Price, sign", Format: "false for a negative price",
		Element: money + "Sgn", Source: annex, Unverified: true,
		Rule: of(func(t transaction) string { return sign(t.Price) })},
	{Number: "36", Name: "Venue", Format: "MIC, XOFF or XXXX", Element: "Tx/TradVn",
		Source: annex, Rule: ifNew(func(in report.Input) report.Value {
			return in.Product("venue")
		})},
	{Number: "41", Name: "Instrument identification code", Format: "ISIN, if ESMA lists it",
		Element: "FinInstrm/Id", Source: annex, Rule: ifNew(func(in report.Input) report.Value {
			return report.Text(isin(in))
		})},
	{Number: "42", Name: "Instrument full name", Format: "ALPHANUM-350",
		Element: general + "FullNm", Source: annex, Rule: unlisted(product("full_name"))},
	{Number: "43", Name: "Instrument classification", Format: "CFI_CODE",
		Element: general + "ClssfctnTp", Source: annex, Rule: unlisted(product("cfi"))},
	{Number: "44", Name: "Notional currency 1", Format: "CURRENCYCODE_3",
		Element: general + "NtnlCcy", Source: annex, Rule: unlisted(of(currency))},
	{Number: "55", Name: "Expiry date", Format: "last day of exercise, or of delivery",
		Element: deriv + "XpryDt", Source: annex, Unverified: true,
		Rule: unlisted(of(func(t transaction) string { return expiry(t.State).String() }))},
	{Number: "46", Name: "Price multiplier", Format: "1: field 30 is in the unit of field 33",
		Element: deriv + "PricMltplr", Source: annex, Rule: unlisted(always("1"))},
	{Number: "47", Name: "Underlying instrument code", Format: "ISIN",
		Element: deriv + "UndrlygInstrm/Othr/Sngl/ISIN", Source: annex,
		Rule: unlisted(product("underlying_isin"))},
	{Number: "50", Name: "Option type", Format: "CALL or PUTO", Element: deriv + "OptnTp",
		Source: annex, Rule: unlisted(ofOption(func(o trade.Option) string {
			return map[string]string{trade.Call: "CALL", trade.Put: "PUTO"}[o.Kind]
		}))},
	{Number: "51", Name: "Strike price", Format: "DECIMAL-18/13", Element: strike + "Amt",
		Source: annex, Rule: unlisted(ofOption(func(o trade.Option) string {
			return o.Strike.Abs().Round(13).String()
		}))},
	{Number: "52", Name: "Strike price currency", Format: "CURRENCYCODE_3",
		Element: strike + "Amt/@Ccy", Source: annex, Rule: unlisted(of(func(t transaction) string {
			if t.State.Terms.Instrument.Option == nil {
				return ""
			}
			return currency(t)
		}))},
	{Number: "51", Name: "Strike price, sign", Format: "false for a negative price",
		Element: strike + "Sgn", Source: annex, Unverified: true,
		Rule: unlisted(ofOption(func(o trade.Option) string { return sign(o.Strike) }))},
	{Number: "53", Name: "Option exercise style", Format: "AMER; EURO if the window is one day",
		Element: deriv + "OptnExrcStyle", Source: annex,
		Rule: unlisted(of(func(t transaction) string { return style(t.State) }))},
	{Number: "56", Name: "Delivery type", Format: "PHYS or CASH", Element: deriv + "DlvryTp",
		Source: annex, Rule: unlisted(delivery)},
	{Number: "58", Name: "Country of the branch supervising the decision",
		Format: "COUNTRYCODE_2", Element: decision + "CtryOfBrnch", Source: annex,
		Rule: ifNew(trader("branch_country"))},
	{Number: "57", Name: "Investment decision within firm", Format: "NATIONAL_ID",
		Element: decision + "Othr/Id", Source: annex, Rule: ifNew(trader("national_id"))},
	{Number: "57", Name: "Investment decision within firm, scheme", Format: "NIDN",
		Element: decision + "Othr/SchmeNm/Cd", Source: annex, Unverified: true,
		Rule: always("NIDN")},
	{Number: "60", Name: "Country of the branch supervising the execution",
		Format: "COUNTRYCODE_2", Element: executes + "CtryOfBrnch", Source: annex,
		Rule: ifNew(trader("branch_country"))},
	{Number: "59", Name: "Execution within firm", Format: "NATIONAL_ID",
		Element: executes + "Othr/Id", Source: annex, Rule: ifNew(trader("national_id"))},
	{Number: "59", Name: "Execution within firm, scheme", Format: "NIDN",
		Element: executes + "Othr/SchmeNm/Cd", Source: annex, Unverified: true,
		Rule: always("NIDN")},
	{Number: "64", Name: "Commodity derivative indicator", Format: "false: it reduces no risk",
		Element: "AddtlAttrbts/RskRdcgTx", Source: annex, Unverified: true,
		Rule: always("false")},
	{Number: "65", Name: "Securities financing transaction indicator", Format: "false",
		Element: "AddtlAttrbts/SctiesFincgTxInd", Source: annex, Rule: always("false")},
}

// A rule computes one field.
type rule = func(report.Input) report.Value

// ifNew keeps a field blank in a cancellation.
func ifNew(r rule) rule {
	return func(in report.Input) report.Value {
		if in.Message.Type == cancellation {
			return report.Value{}
		}
		return r(in)
	}
}

// unlisted keeps a field blank in a cancellation, and for an instrument that ESMA lists: fields 42
// to 56 describe only the other ones.
func unlisted(r rule) rule {
	return ifNew(func(in report.Input) report.Value {
		if isin(in) != "" {
			return report.Value{}
		}
		return r(in)
	})
}

func always(text string) rule {
	return ifNew(func(report.Input) report.Value { return report.Text(text) })
}

// of is the rule that the transaction alone decides.
func of(text func(transaction) string) rule {
	return ifNew(func(in report.Input) report.Value {
		return report.Text(text(in.Message.Extra.(transaction)))
	})
}

// ofOption is the rule that an option decides. It is blank for a forward.
func ofOption(text func(trade.Option) string) rule {
	return of(func(t transaction) string {
		if o := t.State.Terms.Instrument.Option; o != nil {
			return text(*o)
		}
		return ""
	})
}

func product(attribute string) rule {
	return func(in report.Input) report.Value { return in.Product(attribute) }
}

func trader(attribute string) rule {
	return func(in report.Input) report.Value { return in.Trader(attribute) }
}

func ours(in report.Input) report.Value { return in.Book("lei") }

// sideOf returns the party on a side of the contract. A decrease of the notional keeps the sides:
// field 32 has the direction.
func sideOf(side trade.Side) rule {
	return func(in report.Input) report.Value {
		if in.Message.State.Side == side {
			return ours(in)
		}
		return in.Party("lei")
	}
}

// isin returns the code of an instrument that ESMA lists, or "".
func isin(in report.Input) string { return in.Product("isin").Text }

func currency(t transaction) string { return string(t.State.Currency) }

func sign(d trade.Decimal) string {
	if d.Sign() < 0 {
		return "false"
	}
	return ""
}

// expiry returns the last day on which an option can be exercised, or on which a forward delivers.
func expiry(t trade.Trade) trade.Day {
	i := t.Terms.Instrument
	if i.Option != nil {
		return local(i, i.Option.Until)
	}
	return i.Delivery.End - 1
}

// local returns the date of a time at the delivery point.
func local(i trade.Instrument, at time.Time) trade.Day {
	zone, err := trade.Zone(i.Zone)
	if err != nil { // the terms were checked
		panic(err)
	}
	return trade.DayOf(at.In(zone))
}

func style(t trade.Trade) string {
	i := t.Terms.Instrument
	switch o := i.Option; {
	case o == nil:
		return ""
	case local(i, o.From) == local(i, o.Until):
		return "EURO"
	}
	return "AMER"
}

func delivery(in report.Input) report.Value {
	v := in.Product("settlement")
	if v.Gap == nil {
		v.Text = map[string]string{"physical": "PHYS", "cash": "CASH"}[v.Text]
	}
	return v
}
