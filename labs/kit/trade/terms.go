package trade

import (
	"time"
)

// Limits of the terms of a contract. They are those of the event schemas, so every command that
// Decide accepts can be recorded.
const (
	QuantityPlaces = 6 // digits after the point of a quantity
	PricePlaces    = 6 // digits after the point of a price
)

// tooLarge bounds quantities, prices and fees, so that an amount, which is a product of two of
// them, stays within MaxDigits.
var (
	tooLarge       = Dec("1000000000000")
	tooLargeAmount = tooLarge.Mul(tooLarge)
)

// maxDays is the longest delivery: thirty years.
const maxDays = 30*365 + 8

// check refuses wrong terms of a contract that is to begin under uti.
func (n New) check(uti string) *Refusal {
	if r := n.Instrument.check(); r != nil {
		return r
	}
	if r := n.checkParties(uti); r != nil {
		return r
	}
	if r := checkQuantity(n.Quantity, n.Instrument.Unit()); r != nil {
		return r
	}
	c := n.Capacity
	if c.Sign() < 0 || c.Places() > QuantityPlaces || c.Cmp(tooLarge) >= 0 {
		return refuse(BadTerms, "capacity %s MW is negative, has more than %d places, or is too "+
			"large", n.Capacity, QuantityPlaces)
	}
	if r := n.Instrument.checkPrice("price", n.Price); r != nil {
		return r
	}
	if r := checkFee(n.Fee, n.Currency); r != nil {
		return r
	}
	if n.CarriedIn.IsZero() {
		return nil
	}
	if n.PriorUTI == "" {
		return refuse(BadTerms, "an amount is carried in, but no prior contract is named")
	}
	if n.CarriedIn.Places() > n.Currency.Places() || n.CarriedIn.Abs().Cmp(tooLargeAmount) >= 0 {
		return refuse(BadTerms, "carried in %s is finer than the minor unit of %s, or too large",
			n.CarriedIn, n.Currency)
	}
	return nil
}

// checkDelivery refuses a delivery that is over when the contract takes effect. A contract that
// began from another one continues its delivery: a novation may transfer a quantity that is
// delivered and not settled.
func (n New) checkDelivery(s Slot) *Refusal {
	// No clock is a day from UTC, so a delivery is not over a day before it begins.
	dayBefore := (n.Instrument.Delivery.Start - 1).UTC()
	if s.By == FollowUpActor || s.Event.EffectiveAt.Before(dayBefore) {
		return nil
	}
	end := n.Instrument.ends()
	if s.Event.EffectiveAt.Before(end) {
		return nil
	}
	return refuse(DeliveryOver, "the contract takes effect %s, but the delivery of %s ended %s",
		rfc3339(s.Event.EffectiveAt), n.Instrument.ID(), rfc3339(end))
}

func (n New) checkParties(uti string) *Refusal {
	if r := UTIs.check("uti", uti); r != nil {
		return r
	}
	if r := References.check("book", n.Book); r != nil {
		return r
	}
	if r := References.check("counterparty", n.Counterparty); r != nil {
		return r
	}
	if r := Principals.check("trader", n.Trader); r != nil {
		return r
	}
	if n.PriorUTI == uti {
		return refuse(BadTerms, "the contract names itself as its prior contract")
	}
	if n.PriorUTI != "" {
		if r := UTIs.check("prior UTI", n.PriorUTI); r != nil {
			return r
		}
	}
	if n.Side != Buy && n.Side != Sell {
		return refuse(BadTerms, "side %q: want buy or sell", n.Side)
	}
	if _, err := ParseCurrency(string(n.Currency)); err != nil {
		return refuse(BadTerms, "%v", err)
	}
	return nil
}

// check refuses an instrument that the calendar does not know.
func (i Instrument) check() *Refusal {
	known, err := ParseCurve(i.Underlying().Curve())
	if err != nil {
		return refuse(BadTerms, "%v", err)
	}
	// A zone or a profile with a slash could make the curve's name that of an option.
	if known != (Instrument{Commodity: i.Commodity, Zone: i.Zone, Profile: i.Profile}) {
		return refuse(BadTerms, "zone %q with profile %q is not one of %s",
			i.Zone, i.Profile, i.Commodity)
	}
	if r := i.Delivery.check(); r != nil {
		return r
	}
	if i.Commodity == Oil && !i.Delivery.isMonth() {
		return refuse(BadTerms, "oil is delivered over one month, not over %s", i.Delivery)
	}
	if i.Profile == "peak" && !i.Delivery.hasWeekday() {
		return refuse(BadTerms, "%s has no hour of delivery", i.ID())
	}
	if i.Option != nil {
		return i.checkOption()
	}
	return nil
}

func (p Period) check() *Refusal {
	if p.Start < 0 {
		return refuse(BadTerms, "delivery %s begins before 1970", p)
	}
	if p.End <= p.Start || p.End-p.Start > maxDays {
		return refuse(BadTerms, "delivery %s ends before it begins, or takes more than thirty "+
			"years", p)
	}
	if !hasFourDigitYear(p.End.UTC()) { // ParsePeriod could not read its name
		return refuse(BadTerms, "delivery %s does not end within the year 9999", p)
	}
	return nil
}

func (i Instrument) checkOption() *Refusal {
	o := i.Option
	switch {
	case o.Kind != Call && o.Kind != Put:
		return refuse(BadTerms, "option kind %q: want call or put", o.Kind)
	case o.From.IsZero() || o.Until.Before(o.From):
		return refuse(BadTerms, "the exercise window ends %s, before it begins %s",
			rfc3339(o.Until), rfc3339(o.From))
	case !hasFourDigitYear(o.From) || !hasFourDigitYear(o.Until):
		return refuse(BadTerms, "the exercise window from %s to %s is not within the years 1 to "+
			"9999", rfc3339(o.From), rfc3339(o.Until))
	case !isMicros(o.From) || !isMicros(o.Until):
		return refuse(BadTerms, "the exercise window is finer than a microsecond")
	case o.Until.After(i.begins()):
		return refuse(ExpiresLate, "the exercise window ends %s, but the delivery of %s begins %s",
			rfc3339(o.Until), i.ID(), rfc3339(i.begins()))
	}
	return i.Underlying().checkPrice("strike", o.Strike)
}

// checkPrice checks a price per unit of i, agreed or published. Any commodity may be worth nothing
// or less: on 20 April 2020, WTI traded at -13.10 and settled at -37.63. An option may be worth
// nothing, as at its expiry, and is never worth less.
func (i Instrument) checkPrice(what string, p Decimal) *Refusal {
	switch {
	case p.Places() > PricePlaces || p.Abs().Cmp(tooLarge) >= 0:
		return refuse(BadTerms, "%s %s has more than %d places, or is too large",
			what, p, PricePlaces)
	case i.Option != nil && p.Sign() < 0:
		return refuse(BadTerms, "%s %s: an option is never worth less than nothing", what, p)
	}
	return nil
}

// checkQuantity takes a positive quantity in the contract's unit.
func checkQuantity(q Quantity, unit Unit) *Refusal {
	switch {
	case q.Unit != unit:
		return refuse(WrongUnit, "quantity %s, but the contract is in %s", q, unit)
	case q.Value.Sign() <= 0:
		return refuse(NotPositive, "quantity %s", q)
	case q.Value.Places() > QuantityPlaces || q.Value.Cmp(tooLarge) >= 0:
		return refuse(BadTerms, "quantity %s has more than %d places, or is too large",
			q, QuantityPlaces)
	}
	return nil
}

func checkFee(fee Decimal, c Currency) *Refusal {
	if fee.Places() > c.Places() || fee.Abs().Cmp(tooLarge) >= 0 {
		return refuse(BadTerms, "fee %s is finer than the minor unit of %s, or too large", fee, c)
	}
	return nil
}

func (m PriceMarked) check() *Refusal {
	i, err := ParseCurve(m.Curve)
	if err != nil {
		return refuse(BadTerms, "%v", err)
	}
	if _, err := ParseCurrency(string(m.Currency)); err != nil {
		return refuse(BadTerms, "%v", err)
	}
	if len(m.Points) == 0 {
		return refuse(BadTerms, "a mark of %s without points", m.Curve)
	}
	seen := map[Period]bool{}
	for _, p := range m.Points {
		if r := p.Delivery.check(); r != nil {
			return r
		}
		if seen[p.Delivery] {
			return refuse(BadTerms, "%s is marked twice", p.Delivery)
		}
		seen[p.Delivery] = true
		if r := i.checkPrice("mark", p.Price); r != nil {
			return r
		}
	}
	return nil
}

// hasFourDigitYear reports whether the year of t has four digits. RFC 3339 and JSON have no others.
func hasFourDigitYear(t time.Time) bool {
	year := t.UTC().Year()
	return 1 <= year && year <= 9999
}

func isMicros(t time.Time) bool { return t.Equal(t.Truncate(time.Microsecond)) }

func rfc3339(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }
