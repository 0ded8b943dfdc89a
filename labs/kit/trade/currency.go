package trade

import (
	"fmt"
	"strings"
)

// A Currency is an ISO 4217 code that has a minor unit.
type Currency string

// minorUnits holds the places of an amount in each currency: ISO 4217, list one, as published on
// 2026-01-01. The codes without a minor unit are left out: metals, bond units, special drawing
// rights, and the codes for tests and for no currency.
var minorUnits = currencies(map[int32]string{
	0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
	2: "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BOV BRL BSD BTN BWP BYN BZD " +
		"CAD CDF CHE CHF CHW CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP " +
		"GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK " +
		"LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO " +
		"NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS " +
		"SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST " +
		"XAD XCD XCG YER ZAR ZMW ZWG",
	3: "BHD IQD JOD KWD LYD OMR TND",
	4: "CLF UYW",
})

func currencies(byPlaces map[int32]string) map[Currency]int32 {
	all := map[Currency]int32{}
	for places, codes := range byPlaces {
		for _, code := range strings.Fields(codes) {
			all[Currency(code)] = places
		}
	}
	return all
}

// ParseCurrency accepts the codes of ISO 4217 that have a minor unit.
func ParseCurrency(s string) (Currency, error) {
	if _, ok := minorUnits[Currency(s)]; !ok {
		return "", fmt.Errorf("unknown currency %q: want a code of ISO 4217 with a minor unit, "+
			"such as EUR", s)
	}
	return Currency(s), nil
}

// Places returns the number of digits after the point of an amount in c.
func (c Currency) Places() int32 { return minorUnits[c] }

// Amount returns price times quantity, rounded half to even to the currency's minor unit. This is
// the first of the named places at which this package rounds.
func (c Currency) Amount(price, quantity Decimal) Decimal {
	return HalfEven.amount(c, price, quantity)
}

// amount is Currency.Amount by another rule.
func (r Rounding) amount(c Currency, price, quantity Decimal) Decimal {
	return r.mulDiv(price, quantity, Int(1), c.Places())
}

// Show returns an amount for people, with all digits of the minor unit.
func (c Currency) Show(amount Decimal) string { return amount.Fixed(c.Places()) }
