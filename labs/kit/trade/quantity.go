package trade

import "fmt"

// A Unit is what a quantity counts. Energy and volume are conserved; capacity is only a way to say a quantity.
type Unit string

const (
	MWh Unit = "MWh" // energy: power and gas
	BBL Unit = "bbl" // volume: oil
	MW  Unit = "MW"  // capacity: in commands only, converted over the hours not yet delivered
)

// A Quantity is a number of units. The zero Quantity (no unit) in a command means "in full".
type Quantity struct {
	Value Decimal `json:"value"`
	Unit  Unit    `json:"unit"`
}

// IsZero says whether q was left out: no unit and no value.
func (q Quantity) IsZero() bool { return q.Unit == "" && q.Value.IsZero() }

func (q Quantity) String() string { return q.Value.String() + " " + string(q.Unit) }

// A Currency is an ISO 4217 code that this kit knows the minor unit of.
type Currency string

// minorUnits are the places behind the point of an amount (ISO 4217, list one).
var minorUnits = map[Currency]int32{"EUR": 2, "GBP": 2, "USD": 2, "CHF": 2, "NOK": 2, "JPY": 0}

// ParseCurrency takes the codes whose minor unit is known.
func ParseCurrency(s string) (Currency, error) {
	if _, ok := minorUnits[Currency(s)]; !ok {
		return "", fmt.Errorf("unknown currency %q: want one of CHF, EUR, GBP, JPY, NOK, USD", s)
	}
	return Currency(s), nil
}

// Places is the number of digits behind the point of an amount in c.
func (c Currency) Places() int32 { return minorUnits[c] }

// Amount is what quantity costs at price, rounded half to even to the currency's minor unit. This is the first of the
// named places that round.
func (c Currency) Amount(price, quantity Decimal) Decimal {
	return price.Mul(quantity).Round(c.Places())
}

// Show is an amount for people, with all digits of the minor unit.
func (c Currency) Show(amount Decimal) string { return amount.Fixed(c.Places()) }
