package ledger

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
)

// A PostingRules is one version of the rules that turn trades into entries.
type PostingRules struct {
	Version string        `json:"version"`
	What    string        `json:"what"` // for people
	Rules   []PostingRule `json:"rules"`
}

// A PostingRule debits one account and credits another with the amounts of one leg of one kind of
// event. A negative amount swaps the sides. The names of the accounts may have {book}, which is the
// book of the trade, and must have {currency}.
//
//	NEW, AMEND, NOVATE, CANCEL, SETTLE  open      the contracted value of the open quantity
//	NEW, AMEND, NOVATE, CANCEL          premium   of an option; of a forward, cents from rounding
//	NEW, NOVATE, CANCEL                 fee
//	NEW, EXERCISE                       carried   the value that an exercise carries over
//	SETTLE, EXERCISE                    cash      the rest: paid out
//	POOL                                realised  P&L by average cost
type PostingRule struct {
	Event  string `json:"event"`
	Leg    string `json:"leg"`
	Debit  string `json:"debit"`
	Credit string `json:"credit"`
}

//go:embed postingrules.json
var postingRules []byte

// Rules returns the version of the built-in posting rules with a name. The first version has the
// name "1".
func Rules(version string) (PostingRules, error) {
	all, err := ParseRules(postingRules)
	if err != nil {
		return PostingRules{}, err
	}
	for _, r := range all {
		if r.Version == version {
			return r, nil
		}
	}
	return PostingRules{}, fmt.Errorf("no version %q of the posting rules", version)
}

// ParseRules reads versions of posting rules. It refuses a version without a rule that every
// history may need, so that no amount is lost.
func ParseRules(text []byte) ([]PostingRules, error) {
	var all []PostingRules
	err := contract.CheckMembers(text)
	if err == nil {
		err = json.Unmarshal(text, &all)
	}
	if err != nil {
		return nil, fmt.Errorf("posting rules: %w", err)
	}
	for _, version := range all {
		if version.Version == "" || len(version.Rules) == 0 {
			return nil, fmt.Errorf("posting rules: a version has no name or no rules")
		}
		for _, need := range legs {
			if _, err := version.find(need.Event, need.Leg); err != nil {
				return nil, err
			}
		}
		for _, r := range version.Rules {
			for _, account := range []string{r.Debit, r.Credit} {
				if _, ok := typeOf(account); !ok || !strings.Contains(account, "{currency}") {
					return nil, fmt.Errorf("posting rules %s: account %q: want one that begins "+
						"with assets, liabilities, equity, income or expenses, and has {currency}",
						version.Version, account)
				}
			}
		}
	}
	return all, nil
}

// legs has all pairs of an event and a leg.
var legs = []Item{
	{Event: "NEW", Leg: "open"}, {Event: "NEW", Leg: "premium"}, {Event: "NEW", Leg: "fee"},
	{Event: "NEW", Leg: "carried"}, {Event: "AMEND", Leg: "open"},
	{Event: "AMEND", Leg: "premium"}, {Event: "SETTLE", Leg: "open"},
	{Event: "SETTLE", Leg: "cash"}, {Event: "NOVATE", Leg: "open"},
	{Event: "NOVATE", Leg: "premium"}, {Event: "NOVATE", Leg: "fee"},
	{Event: "CANCEL", Leg: "open"}, {Event: "CANCEL", Leg: "premium"},
	{Event: "CANCEL", Leg: "fee"}, {Event: "EXERCISE", Leg: "cash"},
	{Event: "EXERCISE", Leg: "carried"}, {Event: "POOL", Leg: "realised"},
}

func (r PostingRules) find(event, leg string) (PostingRule, error) {
	for _, rule := range r.Rules {
		if rule.Event == event && rule.Leg == leg {
			return rule, nil
		}
	}
	return PostingRule{}, fmt.Errorf("posting rules %s: no rule for leg %s of %s", r.Version, leg,
		event)
}

// typeOf returns the type of an account from the first part of its name.
func typeOf(account string) (AccountType, bool) {
	first, _, _ := strings.Cut(account, ":")
	t, ok := map[string]AccountType{"assets": Asset, "liabilities": Liability, "equity": Equity,
		"income": Income, "expenses": Expense}[first]
	return t, ok
}

// An Item is a sum of money of a trade or a pool, in the sign of cash to us.
type Item struct {
	Event, Leg, Book string
	Currency         trade.Currency
}

// Sums are amounts by account and currency, in which debits are positive.
type Sums map[key]trade.Decimal

func (s Sums) add(account string, c trade.Currency, amount trade.Decimal) {
	k := key{account, c}
	if s[k] = s[k].Add(amount); s[k].IsZero() {
		delete(s, k)
	}
}

// plus adds all amounts of o, times a sign.
func (s Sums) plus(o Sums, sign int64) {
	//determinism:unordered each sum changes for itself
	for k, amount := range o {
		s.add(k.account, k.currency, amount.Mul(trade.Int(sign)))
	}
}

// lines returns the lines that move the accounts by the sums, by account.
func (s Sums) lines() (all []Line) {
	keys := slices.SortedFunc(maps.Keys(s), key.compare)
	for _, k := range keys {
		all = append(all, LineOf(k.account, s[k], k.currency))
	}
	return all
}

func (k key) compare(o key) int {
	if c := strings.Compare(k.account, o.account); c != 0 {
		return c
	}
	return strings.Compare(string(k.currency), string(o.currency))
}

// post adds an item to the accounts that its rule names.
func (r PostingRules) post(s Sums, i Item, amount trade.Decimal) {
	rule, err := r.find(i.Event, i.Leg)
	if err != nil { // ParseRules has looked for every pair
		panic("ledger: " + err.Error())
	}
	in := strings.NewReplacer("{book}", i.Book, "{currency}", string(i.Currency))
	s.add(in.Replace(rule.Debit), i.Currency, amount)
	s.add(in.Replace(rule.Credit), i.Currency, amount.Neg())
}

// Targets folds the events of trades, and says which balances they call for under some rules. The
// streams may come in any order; the balances depend on the set of events alone.
type Targets struct {
	Rules  PostingRules
	trades map[string]*tradeItems
	pools  map[trade.PoolKey]*trade.Ledger
	Sums   Sums
}

type tradeItems struct {
	events []trade.Event
	legs   []trade.Leg
	sums   Sums
}

// NewTargets returns the targets of no events.
func NewTargets(r PostingRules) *Targets {
	return &Targets{r, map[string]*tradeItems{}, map[trade.PoolKey]*trade.Ledger{}, Sums{}}
}

// Take takes the next event of a stream. It returns the changes of the targets, which balance in
// each currency.
func (t *Targets) Take(stream string, e trade.Event) Sums {
	uti, ok := strings.CutPrefix(stream, trade.TradeStream(""))
	if !ok {
		return nil
	}
	of := t.trades[stream]
	if of == nil {
		of = &tradeItems{}
		t.trades[stream] = of
	}
	changed := Sums{}
	changed.plus(of.sums, -1)
	before := of.legs
	of.events = append(of.events, e)
	of.sums, of.legs = t.sumsOf(uti, of.events)
	changed.plus(of.sums, 1)
	//determinism:unordered each pool changes for itself, and sums are exact
	for pool, from := range trade.Changed(before, of.legs) {
		t.realise(changed, pool, func(g *trade.Ledger) { g.Replace(stream, pool, from, of.legs) })
	}
	t.Sums.plus(changed, 1)
	return changed
}

// realise adds the change of a pool's realised P&L.
func (t *Targets) realise(changed Sums, pool trade.PoolKey, change func(*trade.Ledger)) {
	g := t.pools[pool]
	if g == nil {
		g = trade.NewLedger(trade.HalfEven)
		t.pools[pool] = g
	}
	before := g.Pool().Average.Realised
	change(g)
	item := Item{"POOL", "realised", pool.Book, pool.Currency}
	t.Rules.post(changed, item, g.Pool().Average.Realised.Sub(before))
}

// sumsOf returns the sums of one trade, without realised P&L, and its legs.
func (t *Targets) sumsOf(uti string, events []trade.Event) (Sums, []trade.Leg) {
	sums, now := Sums{}, trade.Trade{UTI: uti}
	for _, slot := range trade.Slots(trade.TradeStream(uti), events, trade.AsOf{}) {
		next, refusal := trade.Evolve(now, slot)
		if refusal != nil || next.Status == trade.Voided {
			return Sums{}, nil // a legal history is refused by no slot before its void
		}
		//determinism:unordered sums are exact
		for item, amount := range items(now, next, slot.Event.Body) {
			t.Rules.post(sums, item, amount)
		}
		now = next
	}
	return sums, now.Legs
}

// items returns the sums of money that one event moves: the amounts of its legs, in parts.
func items(before, after trade.Trade, b trade.Body) map[Item]trade.Decimal {
	all, rest := map[Item]trade.Decimal{}, trade.Decimal{}
	for _, l := range after.Legs[len(before.Legs):] {
		rest = rest.Add(l.Amount)
	}
	event := trade.KindOf(b).Operation
	put := func(leg string, amount trade.Decimal) {
		rest = rest.Sub(amount)
		if !amount.IsZero() {
			all[Item{event, leg, after.Book, after.Currency}] = amount
		}
	}
	leg := "cash"
	switch b := b.(type) {
	case trade.New:
		put("fee", b.Fee)
		put("carried", b.CarriedIn)
		leg = "premium"
	case trade.Novate:
		put("fee", b.Fee)
		leg = "premium"
	case trade.Cancel:
		put("fee", b.Fee)
		leg = "premium"
	case trade.Amend:
		leg = "premium"
	case trade.Exercise:
		if b.Settlement == trade.Physical {
			leg = "carried"
		}
	}
	put("open", OpenItems(after).Sub(OpenItems(before)))
	put(leg, rest)
	return all
}

// OpenItems returns the money that the open quantity of a contract is still to be paid for at its
// price, in the sign of cash to us. An option has none: its premium was paid at the beginning.
func OpenItems(t trade.Trade) trade.Decimal {
	if t.Status == "" || t.Terms.Instrument.Option != nil {
		return trade.Decimal{}
	}
	return t.Side.Sign().Neg().Mul(t.Currency.Amount(t.Price, t.Open))
}
