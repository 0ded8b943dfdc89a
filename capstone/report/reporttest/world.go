package reporttest

import (
	"fmt"
	"math/big"
	"strings"

	"example.com/blotter/capstone/report"
)

// LEI returns a legal entity identifier that begins with a text of capital letters and digits.
func LEI(begin string) string {
	body := (begin + strings.Repeat("0", 18))[:18]
	n, ok := new(big.Int).SetString(spelled(body+"00"), 10)
	if !ok {
		panic("reporttest: no LEI begins with " + begin)
	}
	return body + fmt.Sprintf("%02d", 98-n.Mod(n, big.NewInt(97)).Int64())
}

// ISIN returns a securities identifier that begins with a text of capital letters and digits.
func ISIN(begin string) string {
	body := (begin + strings.Repeat("0", 11))[:11]
	for check := range 10 {
		if code := body + fmt.Sprint(check); report.CheckISIN(code) == nil {
			return code
		}
	}
	panic("reporttest: no ISIN begins with " + begin)
}

func spelled(s string) string {
	var b strings.Builder
	for _, c := range s {
		if c >= 'A' {
			fmt.Fprint(&b, c-'A'+10)
		} else {
			b.WriteRune(c)
		}
	}
	return b.String()
}

// World returns a desk with the reference data of a small market: the books POWER and GAS, the
// counterparties ACME, BETA and GAMMA (of which ACME-OLD is an earlier name of ACME), the traders
// anna and ben, the calendars TARGET and US without holidays, and power for DE-LU, gas at TTF, and
// oil.
func World() *Desk {
	d := New()
	const day = "2024-12-01"
	for _, calendar := range []string{"TARGET", "US"} {
		d.State(day, report.Calendar, calendar, "zone", "UTC")
	}
	for _, book := range []string{"POWER", "GAS"} {
		d.State(day, report.Book, book, "lei", LEI("OURFIRM"), "investment_firm", "true",
			"financial_entity", "true", "federal_entity", "false", "swap_dealer", "false")
	}
	for _, p := range []string{"ACME", "BETA", "GAMMA", "ACME-OLD"} {
		d.State(day, report.Party, p, "lei", LEI(strings.TrimSuffix(p, "-OLD")),
			"financial_entity", "false", "federal_entity", "false",
			"initial_margin_portfolio", "NOTAPPLICABLE",
			"variation_margin_portfolio", "NOTAPPLICABLE")
		for _, book := range []string{"POWER", "GAS"} {
			d.State(day, report.Role, "CFTC/"+book+"/"+p, "reporting_side", "we")
		}
	}
	for _, t := range []string{"anna", "ben"} {
		d.State(day, report.Trader, t, "acer_trader_id", t+"-1",
			"national_id", "DE"+strings.ToUpper(t)+"123456789",
			"branch_country", "DE")
	}
	for _, c := range [][2]string{
		{"power/DE-LU/base", "10Y1001A1001A82H"}, {"power/DE-LU/peak", "10Y1001A1001A82H"},
		{"gas/TTF/base", "21YNL----TTF---1"},
	} {
		class, eic := c[0], c[1]
		for _, key := range []string{class, class + "/option"} {
			d.State(day, report.Product, key, "eic", eic, "remit", "standard", "mifir", "in",
				"venue", "XXXX", "full_name", "FORWARD "+strings.ToUpper(key), "cfi", cfi(key),
				"underlying_isin", ISIN("DE000A1"), "settlement", "physical", "swap", "true",
				"unit", "MWHO", "settlement_days", "14", "premium_days", "2", "delta", "0.5")
		}
	}
	return d
}

func cfi(class string) string {
	if strings.HasSuffix(class, "/option") {
		return "HTAVPC"
	}
	return "JTTXFP"
}
