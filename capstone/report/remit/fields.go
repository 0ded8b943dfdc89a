package remit

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"example.com/blotter/capstone/report"
	"example.com/blotter/labs/kit/trade"
)

// The passages that were read. The schema names the field of each element.
const (
	schema = "REMITTable1_V3.xsd"
	trum46 = schema + "; TRUM 4.6"
	trum47 = schema + "; TRUM 4.7"
	faq263 = schema + "; ACER FAQ 2.6.3"
	faq244 = trum46 + "; ACER FAQ 2.1.44"
)

const (
	info     = "contractInfo/contract/"
	options  = info + "optionDetails/"
	hours    = info + "contractTradingHours/"
	profile  = info + "deliveryProfile/"
	entity   = "/reportingEntityID/lei"
	notional = "notionalAmountDetails/"
	total    = "totalNotionalContractQuantity/"
)

// Fields is the table of fields in the order of their elements, for a contract that two parties
// make without an organised market place. A field that does not apply to such a contract is left
// out: 12 to 20, 25, 29, 33, 34, 36 and 55 to 57. An element that begins with a slash is one of the
// file.
var Fields = []report.Field{
	{Number: "6", Name: "ID of the reporting entity", Format: "LEI", Element: entity,
		Source: schema, Rule: ours},
	{Number: "7", Name: "Type of code used in field 6", Format: "name of the element",
		Source: schema, Rule: always("lei")},
	{Number: "1", Name: "ID of the market participant", Format: "LEI",
		Element: "idOfMarketParticipant/lei", Source: schema, Rule: ours},
	{Number: "2", Name: "Type of code used in field 1", Format: "name of the element",
		Source: schema, Rule: always("lei")},
	{Number: "3", Name: "ID of the trader", Format: "1 to 100 of A-Z a-z 0-9 _ - blank",
		Element: "traderID/traderIdForMarketParticipant", Source: schema,
		Rule: func(in report.Input) report.Value { return in.Trader("acer_trader_id") }},
	{Number: "4", Name: "ID of the other market participant", Format: "LEI",
		Element: "otherMarketParticipant/lei", Source: schema + "; ACER FAQ 1.1.33", Rule: theirs},
	{Number: "5", Name: "Type of code used in field 4", Format: "name of the element",
		Source: schema, Rule: always("lei")},
	{Number: "8", Name: "Beneficiary ID", Format: "blank: we are the principal",
		Source: schema, Rule: always("")},
	{Number: "9", Name: "Type of code used in field 8", Format: "blank", Source: schema,
		Rule: always("")},
	{Number: "10", Name: "Trading capacity", Format: "P", Element: "tradingCapacity",
		Source: schema, Rule: always("P")},
	{Number: "11", Name: "Buy/sell indicator", Format: "B or S", Element: "buySellIndicator",
		Source: schema, Rule: of(func(r record) string {
			return choose(r.State.Side == trade.Buy, "B", "S")
		})},
	{Number: "21", Name: "Contract ID", Format: "NA", Element: info + "contractId",
		Source: schema + "; TRUM 4.3", Unverified: true, Rule: always("NA")},
	{Number: "22", Name: "Contract name", Format: "BILCONTRACT", Element: info + "contractName",
		Source: schema + "; TRUM 4.3", Unverified: true, Rule: always("BILCONTRACT")},
	{Number: "23", Name: "Contract type", Format: "FW or OP_FW", Element: info + "contractType",
		Source: schema, Rule: ofOption("OP_FW", "FW")},
	{Number: "24", Name: "Energy commodity", Format: "EL or NG", Element: info + "energyCommodity",
		Source: schema, Rule: of(func(r record) string {
			return choose(r.State.Terms.Instrument.Commodity == trade.Power, "EL", "NG")
		})},
	{Number: "26", Name: "Settlement method", Format: "P; O for an option, whose holder chooses",
		Element: info + "settlementMethod", Source: schema, Unverified: true,
		Rule: ofOption("O", "P")},
	{Number: "27", Name: "Organised market place ID", Format: "XBIL",
		Element: info + "organisedMarketPlaceIdentifier/bil", Source: schema,
		Rule: always("XBIL")},
	{Number: "28", Name: "Contract trading hours, from", Format: "00:00Z by default",
		Element: hours + "startTime", Source: faq263, Rule: always("00:00:00Z")},
	{Number: "28", Name: "Contract trading hours, to", Format: "24:00Z by default",
		Element: hours + "endTime", Source: faq263, Rule: always("24:00:00Z")},
	{Number: "44", Name: "Option style", Format: "A; E if the window is one day",
		Element: options + "optionStyle", Source: schema, Rule: ofWindow(style)},
	{Number: "45", Name: "Option type", Format: "C or P", Element: options + "optionType",
		Source: schema, Rule: ofWindow(func(o trade.Option, _ *time.Location) string {
			return choose(o.Kind == trade.Call, "C", "P")
		})},
	{Number: "46", Name: "Option exercise date", Format: "the last date of the window",
		Element: options + "optionExerciseDate", Source: schema, Unverified: true,
		Rule: ofWindow(func(o trade.Option, zone *time.Location) string {
			return trade.DayOf(o.Until.In(zone)).String()
		})},
	{Number: "47", Name: "Option strike price", Format: "number of 20 digits, 5 decimals",
		Element: options + "optionStrikePrice/value", Source: schema,
		Rule: ofWindow(func(o trade.Option, _ *time.Location) string { return number(o.Strike) })},
	{Number: "47", Name: "Option strike price, currency", Format: "currency",
		Element: options + "optionStrikePrice/currency", Source: schema,
		Rule: of(func(r record) string {
			return choose(r.State.Terms.Instrument.Option != nil, currency(r), "")
		})},
	{Number: "48", Name: "Delivery point or zone", Format: "EIC of type Y, Z or W",
		Element: info + "deliveryPointOrZone", Source: trum46, Rule: zone},
	{Number: "49", Name: "Delivery start date", Format: "date",
		Element: info + "deliveryStartDate", Source: trum46, Rule: of(func(r record) string {
			return r.State.Terms.Instrument.Delivery.Start.String()
		})},
	{Number: "50", Name: "Delivery end date", Format: "date of the last day of delivery",
		Element: info + "deliveryEndDate", Source: trum46, Unverified: true,
		Rule: of(func(r record) string {
			return (r.State.Terms.Instrument.Delivery.End - 1).String()
		})},
	{Number: "51", Name: "Duration", Format: "D W M Q S Y O", Element: info + "duration",
		Source: trum46, Unverified: true,
		Rule: of(func(r record) string {
			return duration(r.State.Terms.Instrument.Delivery)
		})},
	{Number: "52", Name: "Load type", Format: "BL, PL, or GD for gas", Element: info + "loadType",
		Source: trum46, Unverified: true,
		Rule: of(func(r record) string {
			return loadType(r.State.Terms.Instrument)
		})},
	{Number: "53", Name: "Days of the week", Format: "MOtoFR for peak",
		Element: profile + "daysOfTheWeek", Source: trum46, Unverified: true,
		Rule: of(func(r record) string {
			return choose(r.State.Terms.Instrument.Profile == "peak", "MOtoFR", "")
		})},
	{Number: "54", Name: "Load delivery intervals, from", Format: "local time, hh:mm:ss",
		Element: profile + "loadDeliveryStartTime", Source: faq244, Rule: of(func(r record) string {
			from, _ := intervals(r.State.Terms.Instrument)
			return from
		})},
	{Number: "54", Name: "Load delivery intervals, to", Format: "local time, hh:mm:ss",
		Element: profile + "loadDeliveryEndTime", Source: faq244, Rule: of(func(r record) string {
			_, to := intervals(r.State.Terms.Instrument)
			return to
		})},
	{Number: "27", Name: "Organised market place ID of the trade", Format: "XBIL",
		Element: "organisedMarketPlaceIdentifier/bil", Source: schema, Rule: always("XBIL")},
	{Number: "30", Name: "Transaction timestamp", Format: "date-time in UTC",
		Element: "transactionTime", Source: schema, Rule: of(func(r record) string {
			return stamp(r.Step.Slot.Event.EffectiveAt)
		})},
	{Number: "31", Name: "Unique transaction ID", Format: "1 to 100 of A-Z a-z 0-9 _ -",
		Element: "uniqueTransactionIdentifier/uniqueTransactionIdentifier", Source: schema,
		Rule: uti},
	{Number: "32", Name: "Linked transaction ID", Format: "UTI of the contract that it continues",
		Element: "linkedTransactionId", Source: schema + "; ACER FAQ 1.1.12",
		Rule: prior},
	{Number: "35", Name: "Price", Format: "number of 20 digits, 5 decimals",
		Element: "priceDetails/price", Source: schema, Rule: of(func(r record) string {
			return number(r.State.Price)
		})},
	{Number: "37", Name: "Price currency", Format: "currency", Source: schema,
		Element: "priceDetails/priceCurrency", Rule: of(currency)},
	{Number: "38", Name: "Notional amount", Format: "price (strike of an option) x field 41",
		Element: notional + "notionalAmount", Source: schema, Unverified: true,
		Rule: of(func(r record) string { return number(notionalAmount(r)) })},
	{Number: "39", Name: "Notional currency", Format: "currency",
		Element: notional + "notionalCurrency", Source: schema, Rule: of(currency)},
	{Number: "40", Name: "Quantity", Format: "mean capacity: field 41 over its hours or gas days",
		Element: "quantity/value", Source: schema, Unverified: true, Rule: of(capacity)},
	{Number: "42", Name: "Quantity unit of field 40", Format: "MW, or MWh/d for gas",
		Element: "quantity/unit", Source: schema, Rule: of(func(r record) string {
			return choose(r.State.Terms.Instrument.Commodity == trade.Power, "MW",
				string(r.State.Unit)+"/d")
		})},
	{Number: "41", Name: "Total notional contract quantity", Format: "number", Source: schema,
		Element: total + "value",
		Rule:    of(func(r record) string { return number(r.Quantity) })},
	{Number: "42", Name: "Quantity unit of field 41", Format: "MWh or MMBtu", Source: schema,
		Element: total + "unit", Rule: of(func(r record) string { return string(r.State.Unit) })},
	{Number: "43", Name: "Termination date", Format: "date-time of C", Element: "terminationDate",
		Source: schema, Unverified: true, Rule: of(func(r record) string {
			return choose(r.Type == "C", stamp(r.Step.Slot.Event.EffectiveAt), "")
		})},
	{Number: "58", Name: "Action type", Format: "N M E C", Element: "actionType", Source: trum47,
		Unverified: true,
		Rule:       func(in report.Input) report.Value { return report.Text(in.Message.Type) }},
}

func always(text string) func(report.Input) report.Value {
	return func(report.Input) report.Value { return report.Text(text) }
}

// of is the rule that the record alone decides.
func of(text func(record) string) func(report.Input) report.Value {
	return func(in report.Input) report.Value {
		return report.Text(text(in.Message.Extra.(record)))
	}
}

func ofOption(option, forward string) func(report.Input) report.Value {
	return of(func(r record) string {
		return choose(r.State.Terms.Instrument.Option != nil, option, forward)
	})
}

// ofWindow is the rule that an option decides, on the clocks of its delivery point. It is blank for
// a forward.
func ofWindow(text func(trade.Option, *time.Location) string) func(report.Input) report.Value {
	return of(func(r record) string {
		i := r.State.Terms.Instrument
		if i.Option == nil {
			return ""
		}
		zone, err := trade.Zone(i.Zone)
		if err != nil { // the terms were checked
			panic(err)
		}
		return text(*i.Option, zone)
	})
}

func choose(yes bool, a, b string) string {
	if yes {
		return a
	}
	return b
}

func ours(in report.Input) report.Value { return in.Book("lei") }

// theirs returns the LEI of the counterparty. Another party can take over by a novation only, and
// so it has another UTI (ACER FAQ 1.1.33).
func theirs(in report.Input) report.Value {
	v, before := in.Party("lei"), in.Message.Extra.(record).Step.Before.Counterparty
	if before == "" || before == in.Message.State.Counterparty || v.Gap != nil {
		return v
	}
	if was := in.Look(report.Party, before, "lei"); was.Text != v.Text {
		return report.Value{Gap: &report.Gap{Kind: report.Party, Key: in.Message.State.Counterparty,
			Attribute: "lei of " + before + ": record a novation, with another UTI"}}
	}
	return v
}

var (
	pointType = regexp.MustCompile(`^[0-9]{2}[YZW]`)
	utiForm   = regexp.MustCompile("^(?:" + utiPattern + ")$")
)

func zone(in report.Input) report.Value {
	v := in.Product("eic")
	if v.Gap == nil && !pointType.MatchString(v.Text) {
		i := in.Message.State.Terms.Instrument
		return report.Value{Gap: &report.Gap{Kind: report.Product, Key: report.ClassOf(i),
			Attribute: "eic of type Y, Z or W"}}
	}
	return v
}

// uti returns the UTI. The desk allows points and colons, and the schema does not.
func uti(in report.Input) report.Value {
	if text := in.Message.Action.UTI; utiForm.MatchString(text) {
		return report.Text(text)
	}
	return report.Value{Gap: &report.Gap{Kind: "contract", Key: in.Message.Action.UTI,
		Attribute: "UTI that ACER's schema allows"}}
}

// prior returns the UTI of the contract from which this one began, by a novation or an exercise.
func prior(in report.Input) report.Value { return report.Text(in.Message.Action.PriorUTI) }

func number(d trade.Decimal) string { return d.Round(5).String() }

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.999999Z07:00") }

// currency returns the code of a currency, or OTH for one that the schema lacks.
func currency(r record) string {
	code := string(r.State.Currency)
	return choose(strings.Contains(" "+currencies+" ", " "+code+" "), code, "OTH")
}

func notionalAmount(r record) trade.Decimal {
	price := r.State.Price
	if o := r.State.Terms.Instrument.Option; o != nil {
		price = o.Strike
	}
	return price.Mul(r.Quantity)
}

// capacity returns the quantity over the hours of delivery, or for gas over the gas days.
func capacity(r record) string {
	i := r.State.Terms.Instrument
	parts := int64(i.Delivery.End - i.Delivery.Start)
	if i.Commodity == trade.Power {
		n, err := trade.Hours(i, time.Time{})
		if err != nil { // the terms were checked
			panic(err)
		}
		parts = n
	}
	return trade.MulDiv(r.Quantity, trade.Int(1), trade.Int(parts), 5).String()
}

// style returns E for an option with one day of exercise, else A.
func style(o trade.Option, zone *time.Location) string {
	return choose(trade.DayOf(o.From.In(zone)) == trade.DayOf(o.Until.In(zone)), "E", "A")
}

// duration returns the code of the shortest usual product of a period. A season begins in April or
// October; a year begins with any quarter.
func duration(p trade.Period) string {
	start := p.Start.UTC()
	ends := func(years, months, days int) bool {
		return trade.DayOf(start.AddDate(years, months, days)) == p.End
	}
	month := int(start.Month())
	switch {
	case ends(0, 0, 1):
		return "D"
	case ends(0, 0, 7):
		return "W"
	case start.Day() != 1:
		return "O"
	case ends(0, 1, 0):
		return "M"
	case ends(0, 3, 0) && month%3 == 1:
		return "Q"
	case ends(0, 6, 0) && (month == 4 || month == 10):
		return "S"
	case ends(1, 0, 0) && month%3 == 1:
		return "Y"
	}
	return "O"
}

func loadType(i trade.Instrument) string {
	switch {
	case i.Commodity == trade.Gas:
		return "GD"
	case i.Profile == "peak":
		return "PL"
	}
	return "BL"
}

// intervals returns the local times of a day's delivery. A day that ends when it begins has all its
// hours (ACER FAQ 2.1.44); midnight is written 24:00:00 at the end.
func intervals(i trade.Instrument) (from, to string) {
	p, _ := trade.FindDeliveryPoint(i.Zone) // the terms were checked
	first, last := p.DayBegins, p.DayBegins+24
	if i.Profile == "peak" {
		first, last = p.PeakFrom, p.PeakFrom+12
	}
	if last > 24 {
		last -= 24
	}
	return clock((first + 24) % 24), clock(last)
}

func clock(hour int) string { return fmt.Sprintf("%02d:00:00", hour) }
