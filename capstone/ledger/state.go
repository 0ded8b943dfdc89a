package ledger

import (
	"slices"
	"sort"
	"time"

	"example.com/blotter/labs/kit/trade"
)

// A Status is the stage of an account or a period.
type Status string

// The stages. An account that was never opened, and a period likewise, has none.
const (
	Open    Status = "open"
	Blocked Status = "blocked"
	Closed  Status = "closed"
)

// An Account is the state of one account.
type Account struct {
	AccountOpened
	Status   Status
	Version  int64         // of its stream
	Balance  trade.Decimal // at the end of all times, in which debits are positive
	movement []movement    // of an account with a floor, by effective time
	saved    int64         // version of its latest snapshot
}

// A movement is the change of a balance at a time. It counts on the normal side of the account.
type movement struct {
	at     time.Time
	amount trade.Decimal
}

// A Period is the state of one period.
type Period struct {
	Status  Status
	Version int64
	Zone    string // of its month; empty in an old one
}

// An Entry is the state of one entry.
type Entry struct {
	Version    int64
	Created    *JournalCreated
	Posted     *JournalEntryPosted
	PostedAt   time.Time // its effective time
	ReversedBy string
}

// A State is the part of a ledger that a decision reads: every stream of the maps is complete up to
// its version.
type State struct {
	Ledger   string
	Zone     *time.Location // of its periods and dates
	Accounts map[string]Account
	Periods  map[string]Period
	Entries  map[string]Entry

	remembered bool // a part of it came from the memory of a desk, and may be old
}

// NewState returns the state of a ledger without events.
func NewState(ledger string, zone *time.Location) *State {
	return &State{
		Ledger: ledger, Zone: zone,
		Accounts: map[string]Account{}, Periods: map[string]Period{}, Entries: map[string]Entry{},
	}
}

// Evolve takes the next event of a stream of the ledger.
func (s *State) Evolve(f Fact) {
	_, name, _ := Of(f.Stream)
	switch body := f.Body.(type) {
	case JournalCreated, JournalEntryPosted, JournalEntryReversed:
		s.Entries[name] = s.Entries[name].evolve(f)
	case PeriodOpened:
		s.Periods[name] = Period{Open, f.Version, body.Zone}
	case PeriodReopened:
		s.Periods[name] = Period{Open, f.Version, s.Periods[name].Zone}
	case PeriodClosed:
		s.Periods[name] = Period{Closed, f.Version, s.Periods[name].Zone}
	case CommandRefused: // changes nothing
	default:
		s.Accounts[name] = s.Accounts[name].evolve(f)
	}
}

func (e Entry) evolve(f Fact) Entry {
	e.Version = f.Version
	switch b := f.Body.(type) {
	case JournalCreated:
		e.Created = &b
	case JournalEntryPosted:
		e.Posted, e.PostedAt = &b, f.EffectiveAt
	case JournalEntryReversed:
		e.ReversedBy = b.By
	}
	return e
}

func (a Account) evolve(f Fact) Account {
	a.Version = f.Version
	switch b := f.Body.(type) {
	case AccountOpened:
		a.AccountOpened, a.Status = b, Open
	case AccountRenamed:
		a.Name = b.Name
	case AccountBlocked:
		a.Status = Blocked
	case AccountUnblocked, AccountReopened:
		a.Status = Open
	case AccountClosed:
		a.Status = Closed
	case AccountDebited:
		return a.moved(f.EffectiveAt, b.Amount)
	case AccountCredited:
		return a.moved(f.EffectiveAt, b.Amount.Neg())
	}
	return a
}

// moved returns the account after a change of its balance, in which a debit is positive.
func (a Account) moved(at time.Time, amount trade.Decimal) Account {
	a.Balance = a.Balance.Add(amount)
	if a.Floor == "" {
		return a
	}
	m := movement{at, a.Normal.signed(amount)}
	i := sort.Search(len(a.movement), func(i int) bool { return a.movement[i].at.After(at) })
	a.movement = slices.Insert(a.movement, i, m) // the account before is not used any more
	return a
}

// breaksFloor returns the first time from at on at which the account would be below its floor if
// its balance changed by amount, in which a debit is positive; and its balance then, on the normal
// side.
func (a Account) breaksFloor(at time.Time, amount trade.Decimal) (
	when time.Time, balance trade.Decimal, broken bool,
) {
	if a.Floor == "" {
		return when, balance, false
	}
	floor, all := trade.Dec(a.Floor), a.movement
	after := a.Normal.signed(a.Balance.Add(amount)) // the last movement
	for i := len(all) - 1; ; i-- {
		from, last := at, i < 0 || !all[i].at.After(at)
		if !last {
			from = all[i].at
		}
		// The movements of one time count together.
		within := i+1 < len(all) && all[i+1].at.Equal(from)
		if !within && after.Cmp(floor) < 0 {
			when, balance, broken = from, after, true
		}
		if last {
			return when, balance, broken
		}
		after = after.Sub(all[i].amount)
	}
}
