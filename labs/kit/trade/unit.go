package trade

import "fmt"

// A Unit is the unit of a quantity, or the one that a price is per. Energy and volume are
// conserved. Capacity is only a way to state a quantity in a command.
type Unit string

const (
	MWh   Unit = "MWh"   // energy: power and gas
	MMBtu Unit = "MMBtu" // energy: gas at Henry Hub
	KWh   Unit = "kWh"   // energy: only in commands
	GJ    Unit = "GJ"    // energy: only in commands
	Therm Unit = "therm" // energy: only in commands
	BBL   Unit = "bbl"   // volume: oil
	MW    Unit = "MW"    // capacity: only in commands, converted over the hours not yet delivered
)

// Units returns the units that a quantity may be entered in.
func Units() []Unit { return append(PriceUnits(), MW) }

// PriceUnits returns the units that a price may be entered per.
func PriceUnits() []Unit { return []Unit{MWh, BBL, MMBtu, KWh, GJ, Therm} }

// megajoules is the one table of units of energy. Each is an exact number of megajoules, so a
// factor between two of them is an exact fraction:
//
//   - The watt-hour is 3,600 J exactly: 1 W is 1 J/s (SI Brochure, 9th edition, table 4).
//   - The therm is that of the British gas market: 29.3071 kWh (ICE, contract specification of UK
//     NBP Natural Gas Futures). It is not a tenth of an MMBtu.
//   - The Btu is that of the International Table: 1055.05585262 J exactly (NIST Special Publication
//     811, 2008 edition, appendix B.8, footnote 9). An MMBtu is a million of them.
var megajoules = map[Unit]Decimal{
	MWh:   Dec("3600"),
	KWh:   Dec("3.6"),
	GJ:    Dec("1000"),
	Therm: Dec("105.50556"),
	MMBtu: Dec("1055.05585262"),
}

// A Quantity is a number of units. The zero Quantity, which has no unit, means "in full" in a
// command.
type Quantity struct {
	Value Decimal `json:"value"`
	Unit  Unit    `json:"unit"`
}

// IsZero reports whether q was left out: it has no unit and no value.
func (q Quantity) IsZero() bool { return q.Unit == "" && q.Value.IsZero() }

func (q Quantity) String() string { return q.Value.String() + " " + string(q.Unit) }

// An Entered is a quantity or a price as it was entered, in another unit of energy than that of
// the delivery point. The value on record is Value · Numerator / Denominator, rounded half to even
// to six decimals. Here 1,000 therms of NBP come to 29.3071 MWh, and 0.81 GBP per therm to
// 27.638354 per MWh:
//
//	Field     Value  Unit   Numerator  Denominator
//	quantity  1000   therm  105.50556  3600
//	price     0.81   therm  3600       105.50556
type Entered struct {
	Field string // as an import line names it, such as option.strike or points[0].price
	Value Decimal
	Unit  Unit // of the quantity, or the one that the price was per
	// The factor is an exact fraction of the megajoules of the two units: of a quantity, Unit's
	// over those of the recorded unit, and of a price the reverse.
	Numerator, Denominator Decimal
}

// String returns e for people: 1000 therm × 105.50556/3600, or 0.81 per therm × 3600/105.50556.
func (e Entered) String() string {
	unit := string(e.Unit)
	if e.Field != "quantity" {
		unit = "per " + unit
	}
	return fmt.Sprintf("%s %s × %s/%s", e.Value, unit, e.Numerator, e.Denominator)
}

// A measured body has quantities or prices.
type measured interface {
	Body
	// converted returns the body with all of them converted by c, and with the list of c.
	converted(c *converter) Body
}

// converted returns the body of c in the unit of its contract or curve. The unit is "" if none has
// begun, which Evolve refuses.
func (c Command) converted(to Unit) (Body, *Refusal) {
	if to == "" {
		return c.Body, nil
	}
	body, conv := c.Body, &converter{to: to, per: c.PriceUnit}
	if b, ok := body.(measured); ok {
		body = b.converted(conv)
	}
	if c.PriceUnit != "" && !conv.priced && conv.refusal == nil {
		return body, refuse(BadTerms, "a unit of the price, %s, without a price", c.PriceUnit)
	}
	return body, conv.refusal
}

// ownUnit returns the unit of the contract or curve, as far as it follows from c alone, or "".
func (c Command) ownUnit() Unit {
	switch b := c.Body.(type) {
	case New:
		return b.Instrument.Unit()
	case PriceMarked:
		i, _ := ParseCurve(b.Curve)
		return i.Unit()
	}
	return ""
}

// saidPriceUnit returns the unit of the prices of c, or "" if it is the default that follows from c
// alone.
func (c Command) saidPriceUnit() Unit {
	own := c.ownUnit()
	n, begins := c.Body.(New)
	if c.PriceUnit != own || begins && n.Quantity.Unit != own && n.Quantity.Unit != MW {
		return c.PriceUnit
	}
	return ""
}

// A converter converts the values of one body.
type converter struct {
	to      Unit // of the contract or curve
	per     Unit // the unit of the prices; see Command.PriceUnit
	other   Unit // the unit of the quantity, if that was converted
	priced  bool // there is a price
	entered []Entered
	refusal *Refusal // the first
}

// quantity leaves units that are not of energy to Evolve, and MW to resolve.
func (c *converter) quantity(q Quantity) Quantity {
	from, to := megajoules[q.Unit], megajoules[c.to]
	if q.Unit == c.to || from.IsZero() || to.IsZero() {
		return q
	}
	c.other = q.Unit
	return Quantity{c.convert(Entered{"quantity", q.Value, q.Unit, from, to}), c.to}
}

// price takes no other unit for granted where the quantity has one: a price per kWh and one per MWh
// differ by a thousand.
func (c *converter) price(field string, p Decimal) Decimal {
	c.priced = true
	from, to := megajoules[c.per], megajoules[c.to]
	switch {
	case c.per == c.to || c.per == "" && c.other == "":
		return p
	case c.per == "":
		c.refuse(WrongUnit, "the quantity is in %s: say which unit the %s is per", c.other, field)
		return p
	case from.IsZero() || to.IsZero():
		c.refuse(WrongUnit, "%s per %s, but the contract is in %s", field, c.per, c.to)
		return p
	}
	return c.convert(Entered{field, p, c.per, to, from})
}

// convert is one of the named places at which this package rounds.
func (c *converter) convert(e Entered) Decimal {
	value := MulDiv(e.Value, e.Numerator, e.Denominator, QuantityPlaces)
	switch {
	case e.Value.Places() > MaxPlaces:
		c.refuse(BadTerms, "%s %s has more than %d places", e.Field, e.Value, MaxPlaces)
	case value.IsZero() && !e.Value.IsZero():
		c.refuse(BadTerms, "%s %s is zero in %s, to %d places", e.Field, e, c.to, QuantityPlaces)
	}
	c.entered = append(c.entered, e)
	return value
}

func (c *converter) refuse(rule Rule, format string, args ...any) {
	if c.refusal == nil {
		c.refusal = refuse(rule, format, args...)
	}
}
