package ledger

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"example.com/blotter/labs/kit/trade"
)

// WriteHledger writes the entries in the journal format of hledger, which ledger-cli reads, too
// (hledger manual, "Journal"), so that an independent program can add them up:
//
//	account assets:cash:EUR  ; type: A
//
//	2025-03-31 (E-1) March
//	    assets:cash:EUR    EUR 10.00
//	    income:fees        EUR -10.00
//
// A date is that of the effective time in the ledger's zone. Entries of one day keep their order.
func (b *Books) WriteHledger(w io.Writer, at trade.AsOf) error {
	out := &printer{w: w}
	out.line("; ledger %s", b.Ledger)
	entries := b.Entries(at)
	for _, c := range currenciesOf(entries) {
		out.line("commodity %s", hledgerAmount(trade.Int(1000), c))
	}
	for _, name := range slices.Sorted(maps.Keys(b.Accounts)) {
		out.line("account %s  ; type: %s", name, hledgerTypes[b.Accounts[name].Type])
	}
	for _, p := range entries {
		out.line("\n%s (%s) %s", p.EffectiveAt.In(b.Zone).Format(time.DateOnly), p.Entry,
			p.Description)
		for _, l := range p.Lines {
			out.line("    %s  %s", l.Account, hledgerAmount(l.signed(), l.Currency))
		}
	}
	return out.err
}

var hledgerTypes = map[AccountType]string{
	Asset: "A", Liability: "L", Equity: "E", Income: "R", Expense: "X",
}

// A printer keeps the first error.
type printer struct {
	w   io.Writer
	err error
}

func (p *printer) line(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, format+"\n", args...)
	}
}

func hledgerAmount(amount trade.Decimal, c trade.Currency) string {
	text := c.Show(amount)
	if c.Places() == 0 {
		text += "." // a commodity directive needs a decimal mark
	}
	return string(c) + " " + text
}

func currenciesOf(entries []*Posted) []trade.Currency {
	found := map[trade.Currency]bool{}
	for _, p := range entries {
		for _, l := range p.Lines {
			found[l.Currency] = true
		}
	}
	return slices.Sorted(maps.Keys(found))
}
