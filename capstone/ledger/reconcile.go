package ledger

import (
	"cmp"
	"maps"
	"math/big"
	"slices"
	"strings"

	"example.com/blotter/labs/kit/trade"
)

// A Tie compares one figure of the trades with the accounts that hold it.
type Tie struct {
	Book       string         `json:"book"`
	Currency   trade.Currency `json:"currency"`
	Figure     string         `json:"figure"` // one of the constants below
	Trades     trade.Decimal  `json:"trades"`
	Ledger     trade.Decimal  `json:"ledger"`
	Difference trade.Decimal  `json:"difference"` // ledger less trades
	Accounts   []string       `json:"accounts"`
}

// The figures of a tie.
const (
	Realised  = "realised"   // P&L, by average cost
	Cash      = "cash"       // received less paid, without the figures of other accounts
	Fees      = "fees"       // if no account of them is one of cash
	Exercised = "exercised"  // the value that exercises carry over; zero once both sides are booked
	OpenMoney = "open items" // the open quantities at their contract prices, as cash to come
	Cost      = "cost"       // of the open positions
	NoTrades  = "no trades"  // an account of the rules whose book has no trades in its currency
)

// figures of one book and currency, by name.
type figures map[Item]trade.Decimal

// Ties compares the trades with the balances of a ledger, per book and currency. The figures come
// from positions, open contracts and the terms of the events, and not from the amounts that were
// posted. Each account belongs to one figure, so errors in two of them do not cancel.
func Ties(streams map[string][]trade.Event, balances []Balance, r PostingRules) []Tie {
	trades := r.figuresOf(streams)
	booked := map[string]trade.Decimal{}
	for _, b := range balances {
		booked[b.Account] = booked[b.Account].Add(b.Balance)
	}
	var all []Tie
	for _, i := range slices.SortedFunc(maps.Keys(trades), compareItems) {
		tie := Tie{Book: i.Book, Currency: i.Currency, Figure: i.Leg, Trades: trades[i],
			Accounts: r.accountsOf(i)}
		for _, account := range tie.Accounts {
			tie.Ledger = tie.Ledger.Add(booked[account])
		}
		if i.Leg == Realised { // income grows on the credit side
			tie.Ledger = tie.Ledger.Neg()
		}
		tie.Difference = tie.Ledger.Sub(tie.Trades)
		all = append(all, tie)
	}
	return append(all, r.strays(all, balances)...)
}

// strays returns the balances of accounts of the rules that no figure of the trades has: each is a
// difference.
func (r PostingRules) strays(ties []Tie, balances []Balance) (all []Tie) {
	tied := map[string]bool{}
	for _, t := range ties {
		for _, account := range t.Accounts {
			tied[account] = true
		}
	}
	for _, b := range balances {
		if !tied[b.Account] && !b.Balance.IsZero() && r.uses(b.Account) {
			all = append(all, Tie{Currency: b.Currency, Figure: NoTrades, Ledger: b.Balance,
				Difference: b.Balance, Accounts: []string{b.Account}})
		}
	}
	return all
}

// uses reports whether an account has the form of one of the rules.
func (r PostingRules) uses(account string) bool {
	for _, rule := range r.Rules {
		for _, form := range []string{rule.Debit, rule.Credit} {
			if before, _, _ := strings.Cut(form, "{"); strings.HasPrefix(account, before) {
				return true
			}
		}
	}
	return false
}

func compareItems(a, b Item) int {
	return cmp.Or(strings.Compare(a.Book, b.Book),
		strings.Compare(string(a.Currency), string(b.Currency)), strings.Compare(a.Leg, b.Leg))
}

// figuresOf returns the figures of the trades. Realised P&L less cost is the sum of all amounts.
// Without the other figures, that sum is cash.
func (r PostingRules) figuresOf(streams map[string][]trade.Event) figures {
	all, s := figures{}, trade.StateOf(streams, trade.AsOf{})
	add := func(book string, c trade.Currency, figure string, amount trade.Decimal) {
		i := Item{Leg: figure, Book: book, Currency: c}
		all[i] = all[i].Add(amount)
	}
	for _, p := range s.Positions {
		add(p.Book, p.Currency, Realised, p.AverageCost.Realised)
		add(p.Book, p.Currency, Cost, p.AverageCost.Cost)
		add(p.Book, p.Currency, Cash, p.AverageCost.Realised.Sub(p.AverageCost.Cost))
		add(p.Book, p.Currency, OpenMoney, trade.Decimal{})
	}
	for _, t := range s.Trades {
		if t.Status == trade.Voided {
			continue
		}
		stream := trade.TradeStream(t.UTI)
		parts := termsOf(t.UTI, trade.Slots(stream, streams[stream], trade.AsOf{}))
		parts[OpenMoney] = exactOpen(t)
		for _, figure := range slices.Sorted(maps.Keys(parts)) {
			add(t.Book, t.Currency, r.figure(figure), parts[figure])
			add(t.Book, t.Currency, Cash, parts[figure].Neg())
		}
	}
	return all
}

// termsOf returns the fees and the carried values of a contract, as its events state them.
func termsOf(uti string, slots []trade.Slot) map[string]trade.Decimal {
	all, now := map[string]trade.Decimal{}, trade.Trade{UTI: uti}
	add := func(figure string, amount trade.Decimal) {
		if !amount.IsZero() {
			all[figure] = all[figure].Add(amount)
		}
	}
	for _, slot := range slots {
		next, refusal := trade.Evolve(now, slot)
		if refusal != nil {
			break
		}
		switch b := slot.Event.Body.(type) {
		case trade.New:
			add(Fees, b.Fee)
			add(Exercised, b.CarriedIn)
		case trade.Novate:
			add(Fees, b.Fee)
		case trade.Cancel:
			add(Fees, b.Fee)
		case trade.Exercise:
			for _, l := range next.Legs[len(now.Legs):] {
				if b.Settlement == trade.Physical {
					add(Exercised, l.Amount)
				}
			}
		}
		now = next
	}
	return all
}

// exactOpen returns OpenItems by exact fractions, so that an error there shows. It rounds once,
// half to even, to the minor unit of the currency.
func exactOpen(t trade.Trade) trade.Decimal {
	if t.Terms.Instrument.Option != nil {
		return trade.Decimal{}
	}
	cents := rational(t.Price)
	cents.Mul(cents, rational(t.Open)).Mul(cents, rational(t.Side.Sign().Neg()))
	unit := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(t.Currency.Places())), nil)
	cents.Mul(cents, new(big.Rat).SetInt(unit))
	whole, rest := new(big.Int).DivMod(cents.Num(), cents.Denom(), new(big.Int))
	half := rest.Lsh(rest, 1).Cmp(cents.Denom())
	if half > 0 || half == 0 && whole.Bit(0) == 1 {
		whole.Add(whole, big.NewInt(1))
	}
	return trade.Dec(new(big.Rat).SetFrac(whole, unit).FloatString(int(t.Currency.Places())))
}

func rational(d trade.Decimal) *big.Rat {
	r, ok := new(big.Rat).SetString(d.String())
	if !ok { // a decimal prints as digits
		panic("ledger: decimal " + d.String())
	}
	return r
}

// figure returns the figure under which a part of the trades is compared: its own, unless the rules
// post it to an account of another part.
func (r PostingRules) figure(part string) string {
	for _, other := range []string{Cash, Fees} {
		if part != Fees && part != Exercised || part == other {
			break
		}
		for _, form := range r.formsOf(part) {
			if slices.Contains(r.formsOf(other), form) {
				return r.figure(other)
			}
		}
	}
	return part
}

// partOf returns the part of the trades that a rule posts, and the form of the account that holds
// it.
func (rule PostingRule) partOf() (part, form string) {
	switch rule.Leg {
	case "open":
		return OpenMoney, rule.Debit
	case "fee":
		return Fees, rule.Debit
	case "carried":
		return Exercised, rule.Debit
	}
	return Cash, rule.Debit
}

// formsOf returns the forms of the accounts to which the rules post a part of the trades.
func (r PostingRules) formsOf(part string) (all []string) {
	for _, rule := range r.Rules {
		if rule.Event == "POOL" {
			if part == Realised {
				all = append(all, rule.Credit)
			} else if part == Cost {
				all = append(all, rule.Debit)
			}
		} else if of, form := rule.partOf(); of == part {
			all = append(all, form)
		}
	}
	return all
}

// accountsOf returns the accounts that hold a figure, sorted.
func (r PostingRules) accountsOf(i Item) []string {
	in := strings.NewReplacer("{book}", i.Book, "{currency}", string(i.Currency))
	var all []string
	for _, part := range []string{Realised, Cost, OpenMoney, Cash, Fees, Exercised} {
		if r.figure(part) != i.Leg {
			continue
		}
		for _, form := range r.formsOf(part) {
			all = append(all, in.Replace(form))
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// A Change is the effect of other posting rules on one account.
type Change struct {
	Account string         `json:"account"`
	Current trade.Decimal  `json:"current"`
	Other   trade.Decimal  `json:"other"`
	Events  []ChangedEvent `json:"events"` // that move the account by other amounts
}

// A ChangedEvent is an event that moves an account by another amount under other rules.
type ChangedEvent struct {
	Stream  string        `json:"stream"`
	Version int64         `json:"version"`
	Current trade.Decimal `json:"current"`
	Other   trade.Decimal `json:"other"`
}

// A WhatIf folds the same events under two versions of the posting rules.
type WhatIf struct {
	current, other *Targets
	changed        map[key][]ChangedEvent
}

// NewWhatIf returns a comparison without events.
func NewWhatIf(current, other PostingRules) *WhatIf {
	return &WhatIf{NewTargets(current), NewTargets(other), map[key][]ChangedEvent{}}
}

// Take takes the next event of a stream.
func (w *WhatIf) Take(stream string, e trade.Event) {
	current, other := w.current.Take(stream, e), w.other.Take(stream, e)
	difference := maps.Clone(other)
	difference.plus(current, -1)
	for k := range difference {
		w.changed[k] = append(w.changed[k],
			ChangedEvent{stream, e.Version, current[k], other[k]})
	}
}

// Changes returns the accounts whose balances would differ, with the events that make them differ.
func (w *WhatIf) Changes() (all []Change) {
	difference := maps.Clone(w.other.Sums)
	difference.plus(w.current.Sums, -1)
	for _, k := range slices.SortedFunc(maps.Keys(difference), key.compare) {
		all = append(all, Change{k.account, w.current.Sums[k], w.other.Sums[k], w.changed[k]})
	}
	return all
}
