package ledger

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
)

// A Command asks a ledger for one change.
type Command struct {
	ID          string // unique for all time: sending a command again is safe
	Ledger      string
	EnteredAt   time.Time
	EffectiveAt time.Time // zero: EnteredAt
	Actor       string    // opaque principal
	Approver    string    // the second principal, where a rule requires one
	Reason      string
	Correlation uuid.UUID // zero: that of the command alone
	Cause       uuid.UUID // the event that a process handled; zero for a command by hand
	Do          Request
}

// A Request is the change that a command asks for: one of the types below.
type Request interface {
	// reads returns the streams that the decision needs, as far as s determines them.
	reads(s *State, at time.Time) []string
	decide(d *decision)
}

// The requests about accounts.
type (
	// OpenAccount begins an account. An empty Normal is that of the type.
	OpenAccount struct {
		Account, Name string
		Type          AccountType
		Normal        Side
		Currency      trade.Currency
		Floor         *trade.Decimal // the least balance on the normal side; nil for none
	}
	// RenameAccount changes the name for people.
	RenameAccount struct{ Account, Name string }
	// BlockAccount stops postings to an account.
	BlockAccount struct{ Account string }
	// UnblockAccount allows them again.
	UnblockAccount struct{ Account string }
	// CloseAccount ends an account whose balance is zero.
	CloseAccount struct{ Account string }
	// ReopenAccount allows postings to a closed account again. It needs an approver.
	ReopenAccount struct{ Account string }
)

// The requests about entries.
type (
	// CreateEntry records a draft, which moves no balance.
	CreateEntry struct {
		Entry, Description string
		Lines              []Line
	}
	// PostEntry posts an entry; without lines, it posts the draft of that name.
	PostEntry struct {
		Entry, Description string
		Lines              []Line
		OriginalAt         time.Time // the date that a late entry belongs to; zero for none
		Rules              string    // the version of the posting rules; empty by hand
		Adopts             bool      // it adopts these rules, which needs an approver
		// OtherHalf is the stream of the other half of a transfer; empty for none.
		OtherHalf string `json:",omitempty"`
	}
	// TransferEntry posts Lines in the ledger of the command, and ToLines under the same name in
	// the ledger To. Each half balances by itself, such as through an account for transfers.
	TransferEntry struct {
		Entry, Description, To string
		Lines, ToLines         []Line
	}
	// ReverseEntry posts the entry By, which takes Entry back.
	ReverseEntry struct{ Entry, By string }
	// CorrectEntry takes Entry back by the entry Reversal, and posts Replacement in its place.
	CorrectEntry struct {
		Entry, Reversal, Replacement, Description string
		Lines                                     []Line
	}
)

// The requests about periods. A period is a month, such as 2025-03.
type (
	// OpenPeriod allows postings into a month.
	OpenPeriod struct{ Period string }
	// ClosePeriod ends them.
	ClosePeriod struct{ Period string }
	// ReopenPeriod allows them again. It needs an approver.
	ReopenPeriod struct{ Period string }
)

// The rules that refuse a command. They are names in the manner of trade.Rule.
const (
	BadCommand       trade.Rule = "ledger.invalid"             // a name or a text is malformed
	NeedsApprover    trade.Rule = "ledger.needs-approver"      // no second principal
	AccountExists    trade.Rule = "account.exists"             // opened before
	NoAccount        trade.Rule = "account.unknown"            // never opened
	NotOpen          trade.Rule = "account.not-open"           // blocked or closed
	NotBlocked       trade.Rule = "account.not-blocked"        // nothing to unblock
	AccountIsNotShut trade.Rule = "account.not-closed"         // nothing to reopen
	NotEmpty         trade.Rule = "account.not-empty"          // closing would lose a balance
	OtherCurrency    trade.Rule = "account.other-currency"     // the account carries another one
	BelowFloor       trade.Rule = "account.below-floor"        // at some effective time
	EntryExists      trade.Rule = "entry.exists"               // an entry of that name is on record
	NoEntry          trade.Rule = "entry.unknown"              // none is on record
	NotPosted        trade.Rule = "entry.not-posted"           // a draft cannot be reversed
	AlreadyReversed  trade.Rule = "entry.already-reversed"     // at most once
	HalfOfTransfer   trade.Rule = "entry.half-of-transfer"     // is reversed, not corrected
	ReversedEarly    trade.Rule = "entry.reversed-before"      // before it took effect
	Unbalanced       trade.Rule = "entry.unbalanced"           // in one currency
	TooFewLines      trade.Rule = "entry.too-few-lines"        // fewer than two, or too many
	BadAmount        trade.Rule = "entry.bad-amount"           // not positive, or finer than a cent
	NotBegun         trade.Rule = "period.not-open"            // no posting was ever allowed
	IsClosed         trade.Rule = "period.closed"              // no posting is allowed any more
	OtherZone        trade.Rule = "period.other-zone"          // its month begins at another time
	PeriodExists     trade.Rule = "period.exists"              // opened before
	PeriodIsNotShut  trade.Rule = "period.not-closed"          // nothing to reopen
	ReusedCommand    trade.Rule = "command.reused"             // the id has other content
	OriginalNotSoon  trade.Rule = "entry.original-after-entry" // belongs to a later date
	mostLines                   = 500
	longestText                 = 200
	approvedReversal            = "takes back an entry of a closed period"
)

// A Draft is an event that a decision wants on record.
type Draft struct {
	Stream string
	Body   Body
}

// A Decision is the outcome of an accepted command: events of one atomic append, in which every
// stream has the version of the state that was decided on. Guards are streams that must still have
// their version, too, and get no event.
type Decision struct {
	Events []Draft
	Guards map[string]int64
}

// decision collects the events of one command.
type decision struct {
	*State
	Command
	Decision
	refusal *trade.Refusal
}

// Decide turns a command into events, or into a refusal that names the broken rule. It needs the
// streams of Reads in the state.
func Decide(s *State, cmd Command) (Decision, *trade.Refusal) {
	d := &decision{State: s, Command: cmd, Decision: Decision{Guards: map[string]int64{}}}
	d.checkEnvelope()
	if d.refusal == nil {
		cmd.Do.decide(d)
	}
	if n := len(d.Events); n > contract.MaxAppend {
		d.refuse(TooFewLines, "%d events for the lines, want at most %d: reverse the entry, and "+
			"post the other one by a second command", n, contract.MaxAppend)
	}
	if d.refusal != nil {
		return Decision{}, d.refusal
	}
	return d.Decision, nil
}

// Reads returns the streams that a decision about cmd needs. Later streams may depend on the
// content of earlier ones: the caller loads those that s lacks, and asks again until it lacks none.
func Reads(s *State, cmd Command) []string { return cmd.Do.reads(s, cmd.at()) }

// at returns the effective time of c.
func (c Command) at() time.Time {
	if c.EffectiveAt.IsZero() {
		return c.EnteredAt
	}
	return c.EffectiveAt
}

// Kind returns the name of the request for people and records, such as PostEntry.
func (c Command) Kind() string { return fmt.Sprintf("%T", c.Do)[len("ledger."):] }

// Subject returns the name of the entry, account or period that c is about.
func (c Command) Subject() string {
	switch r := c.Do.(type) {
	case OpenAccount:
		return r.Account
	case RenameAccount:
		return r.Account
	case BlockAccount:
		return r.Account
	case UnblockAccount:
		return r.Account
	case CloseAccount:
		return r.Account
	case ReopenAccount:
		return r.Account
	case CreateEntry:
		return r.Entry
	case PostEntry:
		return r.Entry
	case TransferEntry:
		return r.Entry
	case ReverseEntry:
		return r.Entry
	case CorrectEntry:
		return r.Entry
	case OpenPeriod:
		return r.Period
	case ClosePeriod:
		return r.Period
	case ReopenPeriod:
		return r.Period
	}
	return ""
}

// ContentID distinguishes the same command, sent again, from another command that reuses its id.
// The time of entry is no part of it: a command may be sent again later.
func (c Command) ContentID() uuid.UUID {
	c.EnteredAt, c.EffectiveAt = time.Time{}, c.EffectiveAt.UTC()
	text, err := json.Marshal(struct {
		Kind string
		Command
	}{c.Kind(), c})
	if err != nil { // every field is plain data
		panic(fmt.Sprintf("ledger: a command that does not marshal: %v", err))
	}
	sum := sha256.Sum256(append([]byte("blotter/ledger-command/v1\x00"), text...))
	return trade.EventID(fmt.Sprintf("%x", sum), 0)
}

// refuse keeps the first broken rule.
func (d *decision) refuse(rule trade.Rule, format string, args ...any) {
	if d.refusal == nil {
		d.refusal = &trade.Refusal{Rule: rule, Detail: fmt.Sprintf(format, args...)}
	}
}

func (d *decision) emit(stream string, b Body) {
	d.Events = append(d.Events, Draft{stream, b})
}

func (d *decision) checkEnvelope() {
	for _, name := range []struct {
		what, value string
		of          trade.Alphabet
	}{{"command id", d.Command.ID, trade.CommandIDs}, {"actor", d.Actor, trade.Principals}} {
		if !name.of.Has(name.value) {
			d.refuse(BadCommand, "%s %q: want %s", name.what, name.value, name.of.Want)
		}
	}
	if d.Approver != "" && !trade.Principals.Has(d.Approver) {
		d.refuse(BadCommand, "approver %q: want %s", d.Approver, trade.Principals.Want)
	}
	d.checkID("ledger", d.State.Ledger)
	d.checkText("reason", d.Reason)
	if d.Reason == "" {
		d.refuse(BadCommand, "the reason is empty")
	}
}

func (d *decision) checkID(what, id string) {
	if !ids.MatchString(id) {
		d.refuse(BadCommand, "%s %q: want letters, digits and . _ : -, at most 80 characters",
			what, id)
	}
}

func (d *decision) checkText(what, text string) {
	if len(text) > longestText || !texts.MatchString(text) || !trade.IsNormal(text) {
		d.refuse(BadCommand, "%s %q: want at most %d bytes of NFC without | ; and control "+
			"characters", what, text, longestText)
	}
}

// needApprover refuses a command without a second principal.
func (d *decision) needApprover(why string) {
	if d.Approver == "" || d.Approver == d.Actor {
		d.refuse(NeedsApprover, "%s %s, and needs an approver other than %s", d.Kind(), why,
			d.Actor)
	}
}

func account(s *State, name string) []string { return []string{AccountStream(s.Ledger, name)} }
func period(s *State, name string) []string  { return []string{PeriodStream(s.Ledger, name)} }

func (r OpenAccount) reads(s *State, _ time.Time) []string    { return account(s, r.Account) }
func (r RenameAccount) reads(s *State, _ time.Time) []string  { return account(s, r.Account) }
func (r BlockAccount) reads(s *State, _ time.Time) []string   { return account(s, r.Account) }
func (r UnblockAccount) reads(s *State, _ time.Time) []string { return account(s, r.Account) }
func (r CloseAccount) reads(s *State, _ time.Time) []string   { return account(s, r.Account) }
func (r ReopenAccount) reads(s *State, _ time.Time) []string  { return account(s, r.Account) }
func (r OpenPeriod) reads(s *State, _ time.Time) []string     { return period(s, r.Period) }
func (r ClosePeriod) reads(s *State, _ time.Time) []string    { return period(s, r.Period) }
func (r ReopenPeriod) reads(s *State, _ time.Time) []string   { return period(s, r.Period) }

func (r OpenAccount) decide(d *decision) {
	if len(r.Account) > longestAccount || !accounts.MatchString(r.Account) {
		d.refuse(BadCommand, "account %q: want parts of letters, digits and . _ - with colons "+
			"between, at most %d characters", r.Account, longestAccount)
	}
	d.checkText("name", r.Name)
	side := r.Normal
	if side == "" {
		side = r.Type.Normal()
	}
	_, currency := trade.ParseCurrency(string(r.Currency))
	if r.Type.Normal() == "" || side != Debit && side != Credit || currency != nil {
		d.refuse(BadCommand, "account %s has type %q, normal side %q and currency %q: want %s",
			r.Account, r.Type, r.Normal, r.Currency,
			"asset, liability, equity, income or expense; debit or credit; and a code of ISO 4217")
	}
	opened := AccountOpened{Account: r.Account, Name: r.Name, Type: r.Type, Normal: side,
		Currency: r.Currency}
	if r.Floor != nil {
		opened.Floor = r.Floor.String()
		if r.Floor.Sign() > 0 || r.Floor.Places() > r.Currency.Places() {
			d.refuse(BadCommand, "the floor %s is above zero, the balance of a new account, or "+
				"finer than the minor unit of %s", r.Floor, r.Currency)
		}
	}
	if d.Accounts[r.Account].Status != "" {
		d.refuse(AccountExists, "account %s is %s", r.Account, d.Accounts[r.Account].Status)
	}
	d.emit(AccountStream(d.State.Ledger, r.Account), opened)
}

// change emits b for an account with one of the stages.
func (d *decision) change(name string, b Body, rule trade.Rule, from ...Status) {
	switch a := d.Accounts[name]; {
	case a.Status == "":
		d.refuse(NoAccount, "no account %s was opened", name)
	case !slices.Contains(from, a.Status):
		d.refuse(rule, "account %s is %s", name, a.Status)
	}
	d.emit(AccountStream(d.State.Ledger, name), b)
}

func (r RenameAccount) decide(d *decision) {
	d.checkText("name", r.Name)
	d.change(r.Account, AccountRenamed{r.Name}, NotOpen, Open, Blocked)
}

func (r BlockAccount) decide(d *decision) {
	d.change(r.Account, AccountBlocked(r), NotOpen, Open)
}

func (r UnblockAccount) decide(d *decision) {
	d.change(r.Account, AccountUnblocked(r), NotBlocked, Blocked)
}

func (r CloseAccount) decide(d *decision) {
	if balance := d.Accounts[r.Account].Balance; !balance.IsZero() {
		d.refuse(NotEmpty, "account %s has a balance of %s", r.Account, balance)
	}
	d.change(r.Account, AccountClosed(r), NotOpen, Open, Blocked)
}

func (r ReopenAccount) decide(d *decision) {
	d.needApprover("changes closed books")
	d.change(r.Account, AccountReopened(r), AccountIsNotShut, Closed)
}

// turn emits b for a period with a stage.
func (d *decision) turn(name string, b Body, rule trade.Rule, from Status) {
	if _, err := parsePeriod(name, d.Zone); err != nil {
		d.refuse(BadCommand, "%v", err)
	}
	if p := d.Periods[name]; p.Status != from {
		d.refuse(rule, "period %s is %s", name, orNothing(p.Status))
	}
	d.emit(PeriodStream(d.State.Ledger, name), b)
}

func orNothing(s Status) Status {
	if s == "" {
		return "not begun"
	}
	return s
}

func (r OpenPeriod) decide(d *decision) {
	d.turn(r.Period, PeriodOpened{r.Period, d.Zone.String()}, PeriodExists, "")
}

func (r ClosePeriod) decide(d *decision) { d.turn(r.Period, PeriodClosed(r), NotBegun, Open) }

func (r ReopenPeriod) decide(d *decision) {
	d.needApprover("changes closed books")
	d.turn(r.Period, PeriodReopened(r), PeriodIsNotShut, Closed)
}

// posting returns the streams that a posting of lines reads.
func posting(s *State, at time.Time, lines []Line, entries ...string) []string {
	streams := []string{PeriodStream(s.Ledger, PeriodOf(at, s.Zone))}
	for _, e := range entries {
		streams = append(streams, JournalStream(s.Ledger, e))
	}
	for _, l := range lines {
		streams = append(streams, AccountStream(s.Ledger, l.Account))
	}
	slices.Sort(streams)
	return slices.Compact(streams)
}

func (r CreateEntry) reads(s *State, _ time.Time) []string {
	return []string{JournalStream(s.Ledger, r.Entry)}
}

func (r PostEntry) reads(s *State, at time.Time) []string {
	return posting(s, at, r.linesOf(s.Entries[r.Entry]), r.Entry)
}

// linesOf returns the lines to post: those of r, or else of the draft.
func (r PostEntry) linesOf(e Entry) []Line {
	if r.Lines == nil && e.Created != nil {
		return e.Created.Lines
	}
	return r.Lines
}

// taken returns the lines of an entry that is to be taken back, the streams of its period, and
// that of the entry that it took back itself.
func taken(s *State, entry string) (lines []Line, streams []string) {
	e := s.Entries[entry]
	if e.Posted == nil {
		return nil, nil
	}
	streams = period(s, PeriodOf(e.PostedAt, s.Zone))
	if of := e.Posted.Reverses; of != "" {
		streams = append(streams, JournalStream(s.Ledger, of))
	}
	return e.Posted.Lines, streams
}

func (r ReverseEntry) reads(s *State, at time.Time) []string {
	lines, streams := taken(s, r.Entry)
	return append(posting(s, at, lines, r.Entry, r.By), streams...)
}

func (r CorrectEntry) reads(s *State, at time.Time) []string {
	lines, streams := taken(s, r.Entry)
	all := slices.Concat(lines, r.Lines)
	return append(posting(s, at, all, r.Entry, r.Reversal, r.Replacement), streams...)
}

// fresh refuses an entry whose name is on record, or is reserved for the process of postings.
func (d *decision) fresh(entry string) {
	d.checkID("entry", entry)
	p, _ := d.Do.(PostEntry)
	for _, prefix := range []string{singleEvent, restEvents, adoption} {
		if p.Rules == "" && strings.HasPrefix(entry, prefix) {
			d.refuse(BadCommand, "entry %q: names that begin with %s are those of posting rules",
				entry, prefix)
		}
	}
	if e := d.Entries[entry]; e.Version > 0 {
		d.refuse(EntryExists, "entry %s is on record", entry)
	}
}

func (r CreateEntry) decide(d *decision) {
	d.fresh(r.Entry)
	d.checkText("description", r.Description)
	d.checkLines(r.Lines)
	d.emit(JournalStream(d.State.Ledger, r.Entry), JournalCreated(r))
}

func (r PostEntry) decide(d *decision) {
	e := d.Entries[r.Entry]
	if draft := e.Created; draft != nil && e.Posted == nil && r.Lines == nil {
		if r.Description == "" {
			r.Description = draft.Description
		}
	} else {
		d.fresh(r.Entry)
	}
	if r.Adopts {
		d.needApprover("adopts posting rules")
	}
	posted := JournalEntryPosted{Entry: r.Entry, Description: r.Description,
		Lines: r.linesOf(e), Rules: r.Rules, OtherHalf: r.OtherHalf}
	if !r.OriginalAt.IsZero() {
		posted.OriginalAt = r.OriginalAt.UTC().Format(time.RFC3339Nano)
		if r.OriginalAt.After(d.at()) {
			d.refuse(OriginalNotSoon, "entry %s belongs to %s, after %s", r.Entry,
				posted.OriginalAt, d.at().UTC().Format(time.RFC3339Nano))
		}
	}
	d.post(posted)
}

// checkHalf refuses the correction of a half of a transfer.
func (d *decision) checkHalf(entry string) {
	if p := d.Entries[entry].Posted; p != nil && p.OtherHalf != "" {
		d.refuse(HalfOfTransfer, "entry %s is a half of a transfer: reverse it and the other "+
			"half, %s, and send another transfer", entry, p.OtherHalf)
	}
}

// checkReversal refuses to take back the reversal of a half of a transfer: the half would count
// again, and no check would find its money on the way.
func (d *decision) checkReversal(entry string) {
	p := d.Entries[entry].Posted
	if p == nil || p.Reverses == "" {
		return
	}
	if half := d.Entries[p.Reverses].Posted; half != nil && half.OtherHalf != "" {
		d.refuse(HalfOfTransfer, "entry %s reverses %s, a half of a transfer: send another "+
			"transfer", entry, p.Reverses)
	}
}

func (r ReverseEntry) decide(d *decision) {
	d.fresh(r.By)
	if lines := d.reverse(r.Entry, r.By); d.refusal == nil {
		d.post(JournalEntryPosted{Entry: r.By, Description: "reversal of " + r.Entry,
			Lines: lines, Reverses: r.Entry})
	}
}

func (r CorrectEntry) decide(d *decision) {
	d.fresh(r.Reversal)
	d.fresh(r.Replacement)
	if r.Reversal == r.Replacement {
		d.refuse(EntryExists, "the reversal and the replacement are both %s", r.Reversal)
	}
	d.checkHalf(r.Entry)
	if lines := d.reverse(r.Entry, r.Reversal); d.refusal == nil {
		d.post(JournalEntryPosted{Entry: r.Reversal, Description: "reversal of " + r.Entry,
			Lines: lines, Reverses: r.Entry}, JournalEntryPosted{Entry: r.Replacement,
			Description: r.Description, Lines: r.Lines, Replaces: r.Entry})
	}
}

// reverse marks an entry as taken back, and returns the lines that take it back. A guard keeps the
// period of the entry as it is until then: whether it is closed decides about the approver.
func (d *decision) reverse(entry, by string) []Line {
	e := d.Entries[entry]
	of := PeriodOf(e.PostedAt, d.Zone)
	d.checkReversal(entry)
	switch {
	case e.Version == 0:
		d.refuse(NoEntry, "no entry %s is on record", entry)
		return nil
	case e.Posted == nil:
		d.refuse(NotPosted, "entry %s is a draft", entry)
		return nil
	case e.ReversedBy != "":
		d.refuse(AlreadyReversed, "entry %s was reversed by %s", entry, e.ReversedBy)
	case d.at().Before(e.PostedAt):
		d.refuse(ReversedEarly, "entry %s takes effect %s, after its reversal at %s", entry,
			e.PostedAt.UTC().Format(time.RFC3339Nano), d.at().UTC().Format(time.RFC3339Nano))
	case d.Periods[of].Status == Closed:
		d.needApprover(approvedReversal)
	}
	d.Guards[PeriodStream(d.State.Ledger, of)] = d.Periods[of].Version
	d.emit(JournalStream(d.State.Ledger, entry), JournalEntryReversed{entry, by})
	return reversed(e.Posted.Lines)
}

// post emits entries that take effect at one time, with the events of their accounts. The floors
// hold for all entries together.
func (d *decision) post(entries ...JournalEntryPosted) {
	d.guardPeriod()
	moved := map[string]trade.Decimal{}
	for _, e := range entries {
		d.checkText("description", e.Description)
		d.checkLines(e.Lines)
		d.checkBalance(e)
		d.emit(JournalStream(d.State.Ledger, e.Entry), e)
		for _, l := range e.Lines {
			d.checkAccount(l)
			moved[l.Account] = moved[l.Account].Add(l.signed())
			d.emit(AccountStream(d.State.Ledger, l.Account), l.event(e.Entry))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(moved)) {
		a := d.Accounts[name]
		if when, balance, broken := a.breaksFloor(d.at(), moved[name]); broken {
			d.refuse(BelowFloor, "account %s would be at %s %s at %s, below its floor of %s", name,
				a.Currency.Show(balance), a.Currency, when.UTC().Format(time.RFC3339Nano), a.Floor)
		}
	}
}

func (l Line) event(entry string) Body {
	if l.Side == Debit {
		return AccountDebited{entry, l.Amount, l.Currency}
	}
	return AccountCredited{entry, l.Amount, l.Currency}
}

// guardPeriod refuses a posting into a period that is not open. The guard keeps it open until the
// posting is on record.
func (d *decision) guardPeriod() {
	name := PeriodOf(d.at(), d.Zone)
	p := d.Periods[name]
	switch {
	case p.Status == "":
		d.refuse(NotBegun, "period %s is not begun", name)
	case p.Zone != "" && p.Zone != d.Zone.String():
		d.refuse(OtherZone, "period %s is a month in the zone %s, and the desk goes by %s", name,
			p.Zone, d.Zone)
	case p.Status == Closed:
		d.refuse(IsClosed, "period %s is closed: post into an open one with the original date, or "+
			"reopen it", name)
	}
	d.Guards[PeriodStream(d.State.Ledger, name)] = p.Version
}

func (d *decision) checkLines(lines []Line) {
	if len(lines) < 2 || len(lines) > mostLines {
		d.refuse(TooFewLines, "%d lines, want 2 to %d", len(lines), mostLines)
	}
	for _, l := range lines {
		_, unknown := trade.ParseCurrency(string(l.Currency))
		switch {
		case l.Side != Debit && l.Side != Credit || unknown != nil:
			d.refuse(BadCommand, "a line of %s has side %q and currency %q", l.Account, l.Side,
				l.Currency)
		case l.Amount.Sign() <= 0 || l.Amount.Places() > l.Currency.Places():
			d.refuse(BadAmount, "a line of %s has the amount %s: want a positive one with at "+
				"most %d decimals", l.Account, l.Amount, l.Currency.Places())
		}
	}
}

// checkBalance refuses an entry whose debits and credits differ in a currency.
func (d *decision) checkBalance(e JournalEntryPosted) {
	sums := map[trade.Currency]trade.Decimal{}
	for _, l := range e.Lines {
		sums[l.Currency] = sums[l.Currency].Add(l.signed())
	}
	for _, c := range slices.Sorted(maps.Keys(sums)) {
		if !sums[c].IsZero() {
			d.refuse(Unbalanced, "entry %s: debits less credits come to %s %s", e.Entry,
				c.Show(sums[c]), c)
		}
	}
}

func (d *decision) checkAccount(l Line) {
	switch a := d.Accounts[l.Account]; {
	case a.Status == "":
		d.refuse(NoAccount, "no account %s was opened", l.Account)
	case a.Status != Open:
		d.refuse(NotOpen, "account %s is %s", l.Account, a.Status)
	case a.Currency != l.Currency:
		d.refuse(OtherCurrency, "account %s is in %s, not %s", l.Account, a.Currency, l.Currency)
	}
}
