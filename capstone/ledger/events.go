package ledger

import (
	"time"

	"github.com/google/uuid"

	"example.com/blotter/labs/kit/trade"
)

// A Body is the body of an event of a ledger.
type Body interface{ EventType() string }

// AccountOpened begins an account.
type AccountOpened struct {
	Account  string         `avro:"account"`
	Name     string         `avro:"name"`
	Type     AccountType    `avro:"type"`
	Normal   Side           `avro:"normal"`
	Currency trade.Currency `avro:"currency"`
	// Floor is the least balance on the normal side; empty if there is none.
	Floor string `avro:"floor"`
}

// AccountRenamed gives an account another name for people.
type AccountRenamed struct {
	Name string `avro:"name"`
}

// AccountBlocked stops postings to an account, until AccountUnblocked.
type AccountBlocked struct {
	Account string `avro:"account"`
}

// AccountUnblocked allows postings to a blocked account again.
type AccountUnblocked struct {
	Account string `avro:"account"`
}

// AccountClosed ends an account.
type AccountClosed struct {
	Account string `avro:"account"`
}

// AccountReopened allows postings to a closed account again.
type AccountReopened struct {
	Account string `avro:"account"`
}

// AccountDebited is a debit of an account by an entry.
type AccountDebited struct {
	Entry    string         `avro:"entry"`
	Amount   trade.Decimal  `avro:"amount"`
	Currency trade.Currency `avro:"currency"`
}

// AccountCredited is a credit of an account by an entry.
type AccountCredited struct {
	Entry    string         `avro:"entry"`
	Amount   trade.Decimal  `avro:"amount"`
	Currency trade.Currency `avro:"currency"`
}

// JournalCreated is the draft of an entry. It moves no balance.
type JournalCreated struct {
	Entry       string `avro:"entry"`
	Description string `avro:"description"`
	Lines       []Line `avro:"lines"`
}

// JournalEntryPosted is an entry. Balances are the fold of these events alone.
type JournalEntryPosted struct {
	Entry       string `avro:"entry"`
	Description string `avro:"description"`
	Lines       []Line `avro:"lines"`
	Reverses    string `avro:"reverses"` // the entry that this one reverses; empty for none
	Replaces    string `avro:"replaces"` // the entry that this one corrects; empty for none
	// OriginalAt is the date that a late entry belongs to: RFC 3339, or empty. Since version 2.
	OriginalAt string `avro:"original_at"`
	// Rules is the version of the posting rules that made the entry; empty for an entry by hand.
	// Since version 2.
	Rules string `avro:"rules"`
	// OtherHalf is the stream of the other half of a transfer between ledgers; empty for none.
	// Since version 3.
	OtherHalf string `avro:"other_half"`
}

// JournalEntryReversed is on the stream of an entry that another one has reversed.
type JournalEntryReversed struct {
	Entry string `avro:"entry"`
	By    string `avro:"by"`
}

// PeriodOpened allows postings into a period.
type PeriodOpened struct {
	Period string `avro:"period"`
	// Zone is the time zone of the month, such as Europe/Berlin; empty before version 2.
	Zone string `avro:"zone"`
}

// PeriodClosed ends postings into a period.
type PeriodClosed struct {
	Period string `avro:"period"`
}

// PeriodReopened allows postings into a closed period again.
type PeriodReopened struct {
	Period string `avro:"period"`
}

// CommandRefused records a refused command.
type CommandRefused struct {
	Command string `avro:"command"` // the kind of the command
	Subject string `avro:"subject"` // the entry, account or period
	Rule    string `avro:"rule"`
	Detail  string `avro:"detail"`
}

// The types of the events.
func (AccountOpened) EventType() string        { return "ledger.account-opened" }
func (AccountRenamed) EventType() string       { return "ledger.account-renamed" }
func (AccountBlocked) EventType() string       { return "ledger.account-blocked" }
func (AccountUnblocked) EventType() string     { return "ledger.account-unblocked" }
func (AccountClosed) EventType() string        { return "ledger.account-closed" }
func (AccountReopened) EventType() string      { return "ledger.account-reopened" }
func (AccountDebited) EventType() string       { return "ledger.account-debited" }
func (AccountCredited) EventType() string      { return "ledger.account-credited" }
func (JournalCreated) EventType() string       { return "ledger.journal-created" }
func (JournalEntryPosted) EventType() string   { return "ledger.journal-entry-posted" }
func (JournalEntryReversed) EventType() string { return "ledger.journal-entry-reversed" }
func (PeriodOpened) EventType() string         { return "ledger.period-opened" }
func (PeriodClosed) EventType() string         { return "ledger.period-closed" }
func (PeriodReopened) EventType() string       { return "ledger.period-reopened" }
func (CommandRefused) EventType() string       { return "ledger.command-refused" }

// A Fact is one recorded event of a ledger: its place, its times and its body.
type Fact struct {
	Stream      string
	Version     int64
	ID          uuid.UUID
	EffectiveAt time.Time
	EnteredAt   time.Time
	RecordedAt  time.Time
	Actor       string
	Causation   uuid.UUID
	Body        Body
}
