package ledger

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"example.com/blotter/labs/kit/trade"
)

// A Tie compares one figure of the trades with the accounts that hold it.
type Tie struct {
	Book       string         `json:"book"`
	Currency   trade.Currency `json:"currency"`
	Figure     string         `json:"figure"` // realised, cash, open items, cost or no trades
	Trades     trade.Decimal  `json:"trades"`
	Ledger     trade.Decimal  `json:"ledger"`
	Difference trade.Decimal  `json:"difference"` // ledger less trades
	Accounts   []string       `json:"accounts"`
}

// The figures of a tie.
const (
	Realised  = "realised"   // P&L, by average cost
	Cash      = "cash"       // received less paid
	OpenMoney = "open items" // the open quantities at their contract prices, as cash to come
	Cost      = "cost"       // of the open positions
	NoTrades  = "no trades"  // an account of the rules whose book has no trades in its currency
)

// figures of one book and currency, by name.
type figures map[Item]trade.Decimal

// Ties compares the state of all trades with the balances of a ledger, per book and currency. The
// figures come from positions and open contracts, and not from the amounts that were posted.
func Ties(s trade.State, balances []Balance, r PostingRules) []Tie {
	trades := figuresOf(s)
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
// Without the open items, that sum is cash.
func figuresOf(s trade.State) figures {
	all := figures{}
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
		add(t.Book, t.Currency, OpenMoney, OpenItems(t))
		add(t.Book, t.Currency, Cash, OpenItems(t).Neg())
	}
	return all
}

// accountsOf returns the accounts that hold a figure, sorted.
func (r PostingRules) accountsOf(i Item) []string {
	in := strings.NewReplacer("{book}", i.Book, "{currency}", string(i.Currency))
	var all []string
	for _, rule := range r.Rules {
		account := rule.Debit
		switch pool := rule.Event == "POOL"; {
		case pool && i.Leg == Realised:
			account = rule.Credit
		case pool && i.Leg == Cost:
		case pool, i.Leg == Realised, i.Leg == Cost, (rule.Leg == "open") != (i.Leg == OpenMoney):
			continue
		}
		all = append(all, in.Replace(account))
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
