package ledger

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"example.com/blotter/labs/kit/trade"
)

// A Posted entry has all that reports need.
type Posted struct {
	JournalEntryPosted
	Event       uuid.UUID
	EffectiveAt time.Time
	EnteredAt   time.Time
	RecordedAt  time.Time
	Cause       uuid.UUID // the event that a process handled
}

// Compare orders entries by effective time, then by time of entry and name. The time of recording
// selects, and never orders.
func (p Posted) Compare(o Posted) int {
	return cmp.Or(p.EffectiveAt.Compare(o.EffectiveAt), p.EnteredAt.Compare(o.EnteredAt),
		cmp.Compare(p.Entry, o.Entry))
}

// Books is the read side of one ledger: it takes the facts one by one, in the order of each stream,
// and answers as known and as effective at any two times. The streams of different accounts and
// entries may come in any order.
type Books struct {
	Ledger   string
	Zone     *time.Location           // of its dates
	Accounts map[string]AccountOpened // by name, with the present name for people
	Periods  map[string]Status
	entries  []*Posted // in the order of Posted.Compare
	moves    map[move]trade.Decimal
	refused  map[string][]refused // by entry of the process, in the order of recording
}

// An Exception is an entry of the trades that the ledger refused. The process posts it once the
// cause of the refusal is gone.
type Exception struct {
	Entry   string
	Cause   uuid.UUID // the event of a trade
	Refusal trade.Refusal
}

type refused struct {
	Exception
	at time.Time // recorded
}

// A move is the part of an account in an entry.
type move struct {
	entry, account string
	currency       trade.Currency
}

// NewBooks returns the books of a ledger without events.
func NewBooks(ledger string, zone *time.Location) *Books {
	return &Books{
		Ledger: ledger, Zone: zone, Accounts: map[string]AccountOpened{},
		Periods: map[string]Status{}, moves: map[move]trade.Decimal{},
		refused: map[string][]refused{},
	}
}

// Take takes the next fact of the ledger.
func (b *Books) Take(f Fact) {
	_, name, _ := Of(f.Stream)
	switch body := f.Body.(type) {
	case JournalEntryPosted:
		p := &Posted{body, f.ID, f.EffectiveAt.UTC(), f.EnteredAt.UTC(), f.RecordedAt, f.Causation}
		i := sort.Search(len(b.entries), func(i int) bool { return b.entries[i].Compare(*p) > 0 })
		b.entries = slices.Insert(b.entries, i, p)
		for _, l := range body.Lines {
			b.move(move{body.Entry, l.Account, l.Currency}, l.signed().Neg())
		}
	case AccountDebited:
		b.move(move{body.Entry, name, body.Currency}, body.Amount)
	case AccountCredited:
		b.move(move{body.Entry, name, body.Currency}, body.Amount.Neg())
	case AccountOpened:
		b.Accounts[name] = body
	case AccountRenamed:
		a := b.Accounts[name]
		a.Name = body.Name
		b.Accounts[name] = a
	case CommandRefused:
		if f.Actor == processActor && strings.HasPrefix(body.Subject, singleEvent) {
			why := trade.Refusal{Rule: trade.Rule(body.Rule), Detail: body.Detail}
			b.refused[body.Subject] = append(b.refused[body.Subject],
				refused{Exception{body.Subject, f.Causation, why}, f.RecordedAt})
		}
	case PeriodOpened:
		b.Periods[name] = Open
		b.keepZone(body.Zone)
	case PeriodReopened:
		b.Periods[name] = Open
	case PeriodClosed:
		b.Periods[name] = Closed
	}
}

// keepZone takes the zone in which the ledger keeps its months, so that a report has the dates of
// the ledger, whoever asks.
func (b *Books) keepZone(name string) {
	for _, point := range trade.DeliveryPoints() {
		if zone, err := trade.Zone(point); err == nil && zone.String() == name {
			b.Zone = zone
			return
		}
	}
}

// move adds the event of an account, and takes off the line of an entry. The rest is
// the difference.
func (b *Books) move(m move, amount trade.Decimal) {
	if b.moves[m] = b.moves[m].Add(amount); b.moves[m].IsZero() {
		delete(b.moves, m)
	}
}

// Rules returns the version of the posting rules by which the ledger's process posts: that of the
// last adoption, or else of its entries. It is empty without such an entry.
func (b *Books) Rules() (version string) {
	last := 0
	for _, p := range b.entries {
		n := 0
		if number, ok := strings.CutPrefix(p.Entry, adoption); ok {
			n, _ = strconv.Atoi(number)
		}
		if p.Rules != "" && n >= last {
			last, version = n, p.Rules
		}
	}
	return version
}

// Check returns a line for each account and entry whose events of the account differ from the entry
// as it was posted. Balances fold the entries alone, so the events of the accounts are a second
// witness.
func (b *Books) Check() (differences []string) {
	for m, left := range b.moves {
		differences = append(differences, fmt.Sprintf("account %s: its events for entry %s differ "+
			"from the entry by %s %s", m.account, m.entry, left, m.currency))
	}
	slices.Sort(differences)
	return differences
}

// Entries returns the entries that are known and take effect at the given times, in order.
func (b *Books) Entries(at trade.AsOf) []*Posted {
	until := len(b.entries)
	if !at.Effective.IsZero() {
		until = sort.Search(len(b.entries), func(i int) bool {
			return b.entries[i].EffectiveAt.After(at.Effective)
		})
	}
	if at.Known.IsZero() {
		return slices.Clone(b.entries[:until])
	}
	var known []*Posted
	for _, p := range b.entries[:until] {
		if at.Knows(p.RecordedAt) {
			known = append(known, p)
		}
	}
	return known
}

// Exceptions returns the entries of single events that were refused and are not posted, as known at
// a time, with their last refusals.
func (b *Books) Exceptions(at trade.AsOf) []Exception {
	last := map[string]Exception{}
	for _, all := range b.refused {
		for _, r := range all {
			if at.Knows(r.at) {
				last[r.Entry] = r.Exception
			}
		}
	}
	for _, p := range b.Entries(trade.AsOf{Known: at.Known}) {
		delete(last, p.Entry)
	}
	found := make([]Exception, 0, len(last))
	for _, entry := range slices.Sorted(maps.Keys(last)) {
		found = append(found, last[entry])
	}
	return found
}

// A Balance is the sums of an account.
type Balance struct {
	Account  string         `json:"account"`
	Name     string         `json:"name"`
	Type     AccountType    `json:"type"`
	Currency trade.Currency `json:"currency"`
	Debits   trade.Decimal  `json:"debits"`
	Credits  trade.Decimal  `json:"credits"`
	Balance  trade.Decimal  `json:"balance"` // debits less credits
}

// A key names a balance.
type key struct {
	account  string
	currency trade.Currency
}

// Balances returns the balance of each account that an entry moves, by name.
func (b *Books) Balances(at trade.AsOf) []Balance {
	sums := map[key]Balance{}
	for _, p := range b.Entries(at) {
		for _, l := range p.Lines {
			k := key{l.Account, l.Currency}
			sums[k] = sums[k].add(l)
		}
	}
	all := make([]Balance, 0, len(sums))
	for k, s := range sums {
		s.Account, s.Currency = k.account, k.currency
		s.Name, s.Type = b.Accounts[k.account].Name, b.Accounts[k.account].Type
		all = append(all, s)
	}
	slices.SortFunc(all, func(x, y Balance) int {
		return cmp.Or(cmp.Compare(x.Account, y.Account), cmp.Compare(x.Currency, y.Currency))
	})
	return all
}

func (s Balance) add(l Line) Balance {
	if l.Side == Debit {
		s.Debits = s.Debits.Add(l.Amount)
	} else {
		s.Credits = s.Credits.Add(l.Amount)
	}
	s.Balance = s.Balance.Add(l.signed())
	return s
}

// A Trial is a trial balance: all balances, and per currency their sums. Debits and credits are
// equal, and the balances come to zero.
type Trial struct {
	Balances []Balance `json:"balances"`
	Totals   []Balance `json:"totals"` // one for each currency, without an account
}

// Trial returns the trial balance.
func (b *Books) Trial(at trade.AsOf) Trial {
	t := Trial{Balances: b.Balances(at)}
	sums := map[trade.Currency]Balance{}
	for _, s := range t.Balances {
		sum := sums[s.Currency]
		sum.Debits, sum.Credits = sum.Debits.Add(s.Debits), sum.Credits.Add(s.Credits)
		sum.Balance = sum.Balance.Add(s.Balance)
		sums[s.Currency] = sum
	}
	for _, c := range slices.Sorted(maps.Keys(sums)) {
		sum := sums[c]
		sum.Currency = c
		t.Totals = append(t.Totals, sum)
	}
	return t
}

// Balanced returns an error that names the currencies in which the sums are not zero.
func (t Trial) Balanced() error {
	for _, sum := range t.Totals {
		if !sum.Balance.IsZero() || !sum.Debits.Equal(sum.Credits) {
			return fmt.Errorf("the trial balance in %s is off by %s", sum.Currency, sum.Balance)
		}
	}
	return nil
}

// A Row is one movement of an account in a statement.
type Row struct {
	EffectiveAt time.Time      `json:"effective_at"`
	Entry       string         `json:"entry"`
	Description string         `json:"description"`
	Account     string         `json:"account"`
	Amount      trade.Decimal  `json:"amount"` // debits are positive
	Currency    trade.Currency `json:"currency"`
	Balance     trade.Decimal  `json:"balance"` // after the movement
}

// Statement returns the movements of an account with its running balance.
func (b *Books) Statement(account string, at trade.AsOf) []Row {
	return b.rows(at, func(l Line) bool { return l.Account == account })
}

// General returns the general ledger: the statements of all accounts, by account.
func (b *Books) General(at trade.AsOf) []Row {
	rows := b.rows(at, func(Line) bool { return true })
	slices.SortStableFunc(rows, func(x, y Row) int {
		return cmp.Or(cmp.Compare(x.Account, y.Account), cmp.Compare(x.Currency, y.Currency))
	})
	return rows
}

func (b *Books) rows(at trade.AsOf, shows func(Line) bool) (rows []Row) {
	running := map[key]trade.Decimal{}
	for _, p := range b.Entries(at) {
		for _, l := range p.Lines {
			if !shows(l) {
				continue
			}
			k := key{l.Account, l.Currency}
			running[k] = running[k].Add(l.signed())
			rows = append(rows, Row{p.EffectiveAt, p.Entry, p.Description, l.Account, l.signed(),
				l.Currency, running[k]})
		}
	}
	return rows
}

// Gain returns income less expenses per currency: the profit of the income statement.
func (b *Books) Gain(at trade.AsOf) map[trade.Currency]trade.Decimal {
	gain := map[trade.Currency]trade.Decimal{}
	for _, s := range b.Balances(at) {
		if s.Type == Income || s.Type == Expense {
			gain[s.Currency] = gain[s.Currency].Sub(s.Balance)
		}
	}
	return gain
}
