package ledger

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
)

// A Poster is the process that turns the trades of a log into entries of a ledger. For each event
// of a trade it posts the change of the balances that the trades call for (Targets). So it posts a
// difference for a correction. At the end it posts the rest: the difference between these balances
// and the posted ones. So the sums tie out after any crash: a crash between two events leaves the
// later one without an entry, which the next run posts. The ids of entries and commands follow from
// the event, so nothing is posted twice.
//
// It opens the accounts and the periods that it needs. An event of a closed period is posted at the
// beginning of the next open one, with its original date. An entry that the ledger refuses waits as
// an exception, and the process goes on. A Poster is for one goroutine.
type Poster struct {
	Desk   *Desk
	Trades contract.Codec
	Ledger string
	// Begin is the version of the posting rules of a ledger without entries; empty for "1".
	Begin string

	books   *Books
	posted  Sums
	causes  map[string]bool // the entries of single events that this fold has yet to meet
	entries map[string]bool
	waiting []waiting
	mended  bool   // a command of somebody else may have removed the cause of an exception
	version string // of the adopted rules
	targets *Targets
	cursor  contract.Cursor
	last    contract.Recorded // the last event of a trade
}

// processActor is the principal of entries that the process posts.
const processActor = "process/ledger"

// ErrNothingToAdopt is an adoption of posting rules under which no balance differs.
var ErrNothingToAdopt = errors.New("no balance differs under these posting rules")

// ErrOvertaken is an entry that another process has posted since this one folded the log.
var ErrOvertaken = errors.New("another process posts into this ledger")

// waiting is an entry that the ledger refused. Its sums are left out of the rest, which would post
// them elsewhere and hide the difference.
type waiting struct {
	toPost
	refusal *trade.Refusal
}

// A PostingError is an entry that the ledger refused, and without which an adoption cannot be.
type PostingError struct {
	Entry   string
	Refusal *trade.Refusal
}

func (e *PostingError) Error() string {
	return fmt.Sprintf("entry %s of the trades cannot be posted: %v", e.Entry, e.Refusal)
}

// CatchUp posts the events up to the end of the log. It returns the number of entries. After an
// error the next call begins again from the log, as it does itself if it is overtaken. Exceptions
// are tried again after a command of somebody else in this ledger, and those below a floor once the
// entries of the process lift it.
func (p *Poster) CatchUp(ctx context.Context) (n int, err error) {
	for {
		more, err := p.catchUp(ctx)
		n += more
		if err == nil {
			return n, nil
		}
		p.reset()
		if !errors.Is(err, ErrOvertaken) {
			return n, err
		}
	}
}

// reset forgets what p has folded.
func (p *Poster) reset() {
	*p = Poster{Desk: p.Desk, Trades: p.Trades, Ledger: p.Ledger, Begin: p.Begin}
}

func (p *Poster) catchUp(ctx context.Context) (n int, err error) {
	to, err := p.Desk.Log.End(ctx)
	if err != nil {
		return 0, err
	}
	if p.books != nil && p.cursor.Equal(to) {
		return 0, nil
	}
	if err := p.takeFacts(ctx, to); err != nil {
		return 0, err
	}
	var late []contract.Recorded // without an entry, but before events that have one
	behind := map[string]bool{}  // their streams
	if n, err = p.retry(ctx); err != nil {
		return n, err
	}
	for r, err := range p.Desk.Log.Read(ctx, p.cursor, to) {
		if err != nil {
			return n, err
		}
		if !strings.HasPrefix(r.Stream, trade.TradeStream("")) {
			continue
		}
		if behind[r.Stream] || len(p.causes) > 0 && !p.met(entryOf(r)) {
			late, behind[r.Stream] = append(late, r), true
			continue
		}
		if n, err = p.take(ctx, r, n); err != nil {
			return n, err
		}
	}
	for _, r := range late {
		if n, err = p.take(ctx, r, n); err != nil {
			return n, err
		}
	}
	if n, err = p.retryFloors(ctx, n); err != nil {
		return n, err
	}
	p.cursor = to
	return p.postRest(ctx, n)
}

// takeFacts folds the events of the ledger before the events of trades: the entries on record
// determine the missing ones.
func (p *Poster) takeFacts(ctx context.Context, to contract.Cursor) error {
	if p.books == nil {
		p.books, p.posted = NewBooks(p.Ledger, p.Desk.Zone), Sums{}
		p.causes, p.entries = map[string]bool{}, map[string]bool{}
		if p.version = p.Begin; p.version == "" {
			p.version = "1"
		}
	}
	for f, err := range Facts(p.Desk.Log.Read(ctx, p.cursor, to), p.Ledger) {
		if err != nil {
			return err
		}
		_, refused := f.Body.(CommandRefused)
		p.mended = p.mended || f.Actor != processActor && !refused
		switch body := f.Body.(type) {
		case JournalEntryPosted:
			p.took(body)
		case AccountDebited, AccountCredited: // as many as lines, and p.posted has their sums
		default:
			p.books.Take(f)
		}
	}
	if p.targets != nil {
		if p.version != p.targets.Rules.Version {
			return ErrOvertaken // by an adoption: its entry is a difference to these targets
		}
		return nil
	}
	rules, err := Rules(p.version)
	p.targets = NewTargets(rules)
	return err
}

// took counts an entry of the process, once. The first one and the adoptions decide the version of
// the rules: an entry by older rules may be on record after an adoption.
func (p *Poster) took(e JournalEntryPosted) {
	if e.Rules == "" || p.entries[e.Entry] {
		return
	}
	if adopts := strings.HasPrefix(e.Entry, adoption); adopts || len(p.entries) == 0 {
		p.version = e.Rules
	}
	p.entries[e.Entry] = true
	p.waitNoMore(e.Entry)
	if strings.HasPrefix(e.Entry, singleEvent) {
		p.causes[e.Entry] = true
	}
	for _, l := range e.Lines {
		p.posted.add(l.Account, l.Currency, l.signed())
	}
}

// Prefixes of the names of the entries that the process posts.
const (
	singleEvent = "T-"     // of one event
	restEvents  = "REST-"  // of the difference that events leave which were met in another order
	adoption    = "RULES-" // of another version of the posting rules, numbered from 1
)

// entryOf returns the name of the entry of an event.
func entryOf(r contract.Recorded) string { return singleEvent + r.ID.String() }

// met reports whether the process has met the event of an entry before: the entry is on record, or
// its refusal is.
func (p *Poster) met(entry string) bool {
	_, refused := p.books.refused[entry]
	return refused || p.entries[entry]
}

// retry posts the exceptions again whose cause may be gone.
func (p *Poster) retry(ctx context.Context) (n int, err error) {
	if !p.mended {
		return 0, nil
	}
	all := p.waiting
	p.waiting, p.mended = nil, false
	for _, w := range all {
		if n, err = p.postOrWait(ctx, w.toPost, n); err != nil {
			return n, err
		}
	}
	return n, nil
}

// retryFloors posts the exceptions that an account was too low for and that it now has room for. A
// later entry of the process lifts an account without a command of somebody else. An exception that
// still does not fit gets no second refusal.
func (p *Poster) retryFloors(ctx context.Context, n int) (int, error) {
	for before := -1; before < n; {
		before = n
		for _, w := range slices.Clone(p.waiting) {
			if w.refusal.Rule != BelowFloor {
				continue
			}
			fits, err := p.fits(ctx, w.toPost)
			if err != nil {
				return n, err
			}
			if !fits {
				continue
			}
			p.waitNoMore(w.entry)
			if n, err = p.postOrWait(ctx, w.toPost, n); err != nil {
				return n, err
			}
		}
	}
	return n, nil
}

// fits reports whether the ledger would take an entry now. It records nothing of the entry.
func (p *Poster) fits(ctx context.Context, of toPost) (bool, error) {
	entry, effective, err := p.entryFor(ctx, of)
	if err != nil {
		return false, err
	}
	return p.Desk.Allows(ctx, p.command(of, "", effective, entry))
}

// waitNoMore takes an entry off the exceptions.
func (p *Poster) waitNoMore(entry string) {
	p.waiting = slices.DeleteFunc(p.waiting, func(w waiting) bool { return w.entry == entry })
}

// postOrWait posts an entry, or keeps it as an exception. The refusal is on record before that.
func (p *Poster) postOrWait(ctx context.Context, of toPost, n int) (int, error) {
	n, err := p.post(ctx, of, n)
	if refused := (*PostingError)(nil); errors.As(err, &refused) {
		p.waiting = append(p.waiting, waiting{of, refused.Refusal})
		return n, nil
	}
	return n, err
}

// Exceptions returns the entries that the ledger refused at the last CatchUp.
func (p *Poster) Exceptions() []Exception {
	all := []Exception{} // never nil: nothing is an empty list
	for _, w := range p.waiting {
		all = append(all, Exception{w.entry, w.cause.ID, *w.refusal})
	}
	return all
}

// take folds one event of a trade, and posts the changes that it makes. They balance, whatever an
// earlier run has posted that met the events in another order.
func (p *Poster) take(ctx context.Context, r contract.Recorded, n int) (int, error) {
	e, err := contract.Decoded(ctx, p.Trades, r)
	if err != nil {
		return n, err
	}
	changed := p.targets.Take(r.Stream, e)
	p.last = r
	name := entryOf(r)
	if delete(p.causes, name); p.entries[name] {
		return n, nil
	}
	text := fmt.Sprintf("%s %s, version %d", r.Type, r.Stream, r.Version)
	return p.postOrWait(ctx, toPost{name, text, r, r.EffectiveAt, changed, Adoption{}}, n)
}

// postRest posts the difference that is left at the end. There is none, unless another run met the
// events of several partitions in another order.
func (p *Poster) postRest(ctx context.Context, n int) (int, error) {
	difference := maps.Clone(p.targets.Sums)
	difference.plus(p.posted, -1)
	for _, w := range p.waiting {
		difference.plus(w.sums, -1)
	}
	name := restEvents + p.last.ID.String()
	for i := 2; p.entries[name]; i++ {
		name = fmt.Sprintf("%s%s.%d", restEvents, p.last.ID, i)
	}
	return p.postOrWait(ctx, toPost{name, "rest of the trades", p.last, p.last.EffectiveAt,
		difference, Adoption{}}, n)
}

// An Adoption names the two principals who adopt posting rules, and their reason.
type Adoption struct{ Actor, Approver, Reason string }

// Adopt posts the entry that brings the balances to another version of the posting rules, at a
// time. From then on the process posts by that version.
func (p *Poster) Adopt(ctx context.Context, version string, at time.Time, by Adoption) error {
	rules, err := Rules(version)
	if err != nil {
		return err
	}
	if _, err := p.CatchUp(ctx); err != nil {
		return err
	}
	if len(p.waiting) > 0 {
		return &PostingError{p.waiting[0].entry, p.waiting[0].refusal}
	}
	targets := NewTargets(rules)
	for _, stream := range slices.Sorted(maps.Keys(p.targets.trades)) {
		for _, e := range p.targets.trades[stream].events {
			targets.Take(stream, e)
		}
	}
	difference := maps.Clone(targets.Sums)
	difference.plus(p.posted, -1)
	if len(difference) == 0 {
		return ErrNothingToAdopt
	}
	n := 1
	for p.entries[fmt.Sprint(adoption, n)] {
		n++
	}
	p.targets, p.version = targets, version
	_, err = p.post(ctx, toPost{fmt.Sprint(adoption, n), "posting rules " + version, p.last, at,
		difference, by}, 0)
	if err != nil {
		p.reset()
	}
	return err
}

// A toPost is an entry that the process makes.
type toPost struct {
	entry, description string
	cause              contract.Recorded
	at                 time.Time
	sums               Sums
	by                 Adoption // zero for an entry of the process alone
}

// post posts an entry, unless it moves nothing. A crash here leaves accounts or a period without an
// entry, and the next run posts it.
func (p *Poster) post(ctx context.Context, of toPost, n int) (int, error) {
	if len(of.sums) == 0 {
		return n, nil
	}
	for _, k := range slices.SortedFunc(maps.Keys(of.sums), key.compare) {
		if err := p.openAccount(ctx, of, k); err != nil {
			return n, err
		}
	}
	entry, effective, err := p.entryFor(ctx, of)
	if err != nil {
		return n, err
	}
	if err := p.do(ctx, of, "", effective, entry); err != nil {
		return n, err
	}
	p.took(JournalEntryPosted{Entry: of.entry, Lines: entry.Lines, Rules: p.version})
	delete(p.causes, of.entry)
	return n + 1, nil
}

// entryFor returns the request that posts an entry, and its effective time in an open period.
func (p *Poster) entryFor(ctx context.Context, of toPost) (PostEntry, time.Time, error) {
	effective, err := p.openPeriod(ctx, of)
	entry := PostEntry{Entry: of.entry, Description: of.description, Lines: of.sums.lines(),
		Rules: p.version, Adopts: of.by != Adoption{}}
	if !effective.Equal(of.at) {
		entry.OriginalAt = of.at
	}
	return entry, effective, err
}

func (p *Poster) openAccount(ctx context.Context, of toPost, k key) error {
	if _, ok := p.books.Accounts[k.account]; ok {
		return nil
	}
	t, _ := typeOf(k.account)
	opened := OpenAccount{Account: k.account, Name: k.account, Type: t, Currency: k.currency}
	p.books.Accounts[k.account] = AccountOpened{Account: k.account, Type: t}
	return p.do(ctx, of, "/account/"+k.account, of.cause.RecordedAt, opened)
}

// openPeriod returns the time at which an event is posted: its own, or the beginning of the next
// open period. It opens a period that nobody has opened yet.
func (p *Poster) openPeriod(ctx context.Context, of toPost) (time.Time, error) {
	at := of.at
	for {
		name := PeriodOf(at, p.Desk.Zone)
		switch p.books.Periods[name] {
		case Open:
			return at, nil
		case "":
			p.books.Periods[name] = Open
			return at, p.do(ctx, of, "/period/"+name, of.cause.RecordedAt, OpenPeriod{name})
		}
		first, err := parsePeriod(name, p.Desk.Zone)
		if err != nil {
			return at, err
		}
		at = first.AddDate(0, 1, 0).UTC()
	}
}

// command returns a command whose id follows from the entry.
func (p *Poster) command(of toPost, what string, effective time.Time, r Request) Command {
	id := "ledger/" + p.Ledger + "/" + of.entry + what
	if what != "" {
		// The first event that needs an account or a period opens it.
		id = "ledger/" + p.Ledger + "/" + trade.EventID(what, 0).String()
	}
	cmd := Command{
		ID: id, Ledger: p.Ledger, EnteredAt: of.cause.RecordedAt, EffectiveAt: effective,
		Actor: processActor, Reason: "posting rules " + p.version,
		Correlation: of.cause.Correlation, Cause: of.cause.ID, Do: r,
	}
	if what == "" && of.by != (Adoption{}) {
		cmd.Actor, cmd.Approver, cmd.Reason = of.by.Actor, of.by.Approver, of.by.Reason
		cmd.ID += "/" + of.cause.ID.String() // after other events it is another command
	}
	return cmd
}

// do sends the command of an entry, or that of an account or a period that it needs.
func (p *Poster) do(
	ctx context.Context, of toPost, what string, effective time.Time, r Request,
) error {
	cmd := p.command(of, what, effective, r)
	id := cmd.ID
	out, err := p.Desk.Do(ctx, cmd)
	for n := 2; err == nil && out.Refusal != nil && out.Again; n++ {
		cmd.ID = fmt.Sprintf("%s/%d", id, n) // its reason may be gone since that refusal
		out, err = p.Desk.Do(ctx, cmd)
	}
	switch {
	case err != nil:
		return err
	case what == "" && (out.Refusal == nil && out.Again || out.breaks(EntryExists)):
		return fmt.Errorf("entry %s: %w", of.entry, ErrOvertaken) // its lines may be others
	case out.Refusal == nil:
		return nil
	}
	first := []trade.Rule{AccountExists, PeriodExists, ReusedCommand}
	if what != "" && slices.Contains(first, out.Refusal.Rule) {
		return nil // another process was first
	}
	return &PostingError{of.entry, out.Refusal}
}

func (o Outcome) breaks(rule trade.Rule) bool { return o.Refusal != nil && o.Refusal.Rule == rule }
