package ledger

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"example.com/blotter/capstone/domain"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
)

// A Desk decides commands against a log and records each outcome, also a refusal. It is safe for
// concurrent use, and desks of several processes may share a log: the log refuses a decision that
// another one has overtaken.
type Desk struct {
	Log    contract.Atomic
	Codec  *domain.Codec
	Zone   *time.Location
	Source string // of the events: the file or client that their commands came from

	// Snapshots keep the states of accounts with long histories; nil for none. A snapshot is due
	// after every so many events of its account; 0 means DefaultEvery.
	Snapshots Snapshots
	Every     int64
	LogID     string      // of the log, if it has an id: a snapshot of another log is not used
	Warn      func(error) // of a snapshot that is not used or not written; nil ignores them

	// known has the Account or Period of a stream, up to the last version that this desk saw.
	// Another process may have appended since: then the append conflicts, and the desk reads again.
	known sync.Map
	newer sync.Mutex // of replacements in known
	locks sync.Map   // *sync.Mutex by stream
}

// An Outcome is the recorded outcome of a command.
type Outcome struct {
	Refusal *trade.Refusal // nil if the command was accepted
	Again   bool           // it was on record already, and nothing was written
}

// Do decides cmd and records the outcome. A transfer has a second half, which is a command of its
// own: see transfer.go.
func (d *Desk) Do(ctx context.Context, cmd Command) (Outcome, error) {
	out, err := d.one(ctx, cmd)
	if err != nil {
		return out, err
	}
	return d.whole(ctx, cmd, out)
}

// Recorded returns the outcome of a command that is on record, and continues a transfer whose
// second half is missing. found is false if nothing is on record under the id of the command.
func (d *Desk) Recorded(ctx context.Context, cmd Command) (out Outcome, found bool, err error) {
	if out, found, err = d.recorded(ctx, cmd); found {
		out, err = d.whole(ctx, cmd, out)
	}
	return out, found, err
}

// whole returns the outcome of a command that may have a second half, after that of the first.
func (d *Desk) whole(ctx context.Context, cmd Command, first Outcome) (Outcome, error) {
	if t, ok := cmd.Do.(TransferEntry); ok && first.Refusal == nil {
		return d.secondHalf(ctx, cmd, t, first)
	}
	return first, nil
}

// one decides cmd and records the outcome. A command that is sent again gets the recorded outcome.
// Two kinds of refusals are not recorded: ReusedCommand, of an id that has other content, and those
// of a command whose id, ledger, actor or reason is malformed.
func (d *Desk) one(ctx context.Context, cmd Command) (Outcome, error) {
	ctx = contract.At(ctx, cmd.EnteredAt) // only the clock of a simulated log reads it
	// The stream of a new entry is taken for empty, and read only if the log says otherwise.
	for isNew := cmd.isNew(); ; isNew = false {
		out, err := d.try(ctx, cmd, isNew)
		var conflict *contract.ConflictError
		if !errors.As(err, &conflict) {
			return out, err
		}
		d.known.Delete(conflict.Stream)
		// The other append may be this command, sent twice.
		if out, found, err := d.recorded(ctx, cmd); found || err != nil {
			return out, err
		}
	}
}

// isNew reports whether the command posts lines under a name that should be new.
func (c Command) isNew() bool {
	r, ok := c.Do.(PostEntry)
	return ok && r.Lines != nil
}

// try decides once. It holds the locks of all accounts, so that the postings of one process do not
// conflict with each other.
func (d *Desk) try(ctx context.Context, cmd Command, isNew bool) (Outcome, error) {
	s, unlock, err := d.load(ctx, cmd, isNew)
	if err != nil {
		return Outcome{}, err
	}
	decision, refusal := Decide(s, cmd)
	if refusal != nil && s.remembered { // another process may have removed its reason
		unlock()
		for _, stream := range Reads(s, cmd) {
			d.known.Delete(stream)
		}
		if s, unlock, err = d.load(ctx, cmd, false); err != nil {
			return Outcome{}, err
		}
		decision, refusal = Decide(s, cmd)
	}
	defer unlock()
	if refusal != nil {
		if out, found, err := d.recorded(ctx, cmd); found || err != nil {
			return out, err
		}
		return Outcome{Refusal: refusal}, d.refuse(ctx, cmd, refusal)
	}
	return d.append(ctx, s, cmd, decision)
}

// Allows reports whether cmd would be accepted now. It records nothing.
func (d *Desk) Allows(ctx context.Context, cmd Command) (bool, error) {
	s, unlock, err := d.load(ctx, cmd, false)
	if err != nil {
		return false, err
	}
	defer unlock()
	_, refusal := Decide(s, cmd)
	return refusal == nil, nil
}

// load returns the state of all streams that the decision reads, whose accounts are locked.
func (d *Desk) load(ctx context.Context, cmd Command, isNew bool) (
	_ *State, unlock func(), err error,
) {
	var streams []string
	for {
		unlock = d.lock(streams)
		s := NewState(cmd.Ledger, d.Zone)
		for _, stream := range streams {
			if _, ok := strings.CutPrefix(stream, journalStreams); ok && isNew {
				continue
			}
			if err := d.loadStream(ctx, s, stream); err != nil {
				unlock()
				return nil, nil, err
			}
		}
		all := Reads(s, cmd)
		slices.Sort(all)
		if all = slices.Compact(all); slices.Equal(all, streams) {
			return s, unlock, nil
		}
		unlock() // an entry named more accounts: all are locked again, in order
		streams = all
	}
}

// lock locks the streams of accounts in their order, so that two commands never wait for each
// other. Every posting reads a period, and entries are many: neither is locked.
func (d *Desk) lock(sorted []string) (unlock func()) {
	var held []*sync.Mutex
	for _, stream := range sorted {
		if !strings.HasPrefix(stream, accountStreams) {
			continue
		}
		m, _ := d.locks.LoadOrStore(stream, new(sync.Mutex))
		m.(*sync.Mutex).Lock()
		held = append(held, m.(*sync.Mutex))
	}
	return func() {
		for _, m := range held {
			m.Unlock()
		}
	}
}

// loadStream sets the state of one stream, from memory if it is known.
func (d *Desk) loadStream(ctx context.Context, s *State, stream string) error {
	_, name, _ := Of(stream)
	known, ok := d.known.Load(stream)
	switch known := known.(type) {
	case Account:
		s.Accounts[name] = known
	case Period:
		s.Periods[name] = known
	}
	if ok {
		s.remembered = true
		return nil
	}
	snapshot := d.latest(stream)
	last, found, err := d.fold(ctx, s, stream, snapshot)
	if err == nil && !found && snapshot != nil {
		d.warn(&SnapshotError{stream, fmt.Sprintf("is of another history: version %d of the log "+
			"is not its event %s", snapshot.Version, snapshot.Event)})
		last, _, err = d.fold(ctx, s, stream, nil)
	}
	if err != nil {
		return err
	}
	d.snapshot(s, last)
	d.keep(s, stream)
	return nil
}

// fold sets the state of one stream from a snapshot and the events after it, or without a snapshot
// from all events. found is false if the event that the snapshot ends with is not on record.
func (d *Desk) fold(ctx context.Context, s *State, stream string, from *Snapshot) (
	last contract.Event, found bool, err error,
) {
	begin := int64(1)
	if from != nil {
		begin = from.Version
	}
	for r, err := range contract.StreamFrom(ctx, d.Log, stream, begin) {
		if err != nil {
			return last, found, err
		}
		last = r.Event
		if from != nil && !found {
			if !from.endsWith(r) {
				return last, false, nil
			}
			_, name, _ := Of(stream)
			s.Accounts[name], found = from.Account(), true
			continue
		}
		f, _, err := FactOf(r)
		if err != nil {
			return last, found, err
		}
		s.Evolve(f)
	}
	return last, found, nil
}

// keep remembers the state of an account or a period, unless a later one is known: a period is not
// locked while it is read. Entries are many, and seldom read again.
func (d *Desk) keep(s *State, stream string) {
	d.newer.Lock()
	defer d.newer.Unlock()
	_, name, _ := Of(stream)
	known, _ := d.known.Load(stream)
	if _, ok := strings.CutPrefix(stream, accountStreams); ok {
		if k, _ := known.(Account); k.Version <= s.Accounts[name].Version {
			d.known.Store(stream, s.Accounts[name])
		}
	}
	if _, ok := strings.CutPrefix(stream, periodStreams); ok {
		if k, _ := known.(Period); k.Version <= s.Periods[name].Version {
			d.known.Store(stream, s.Periods[name])
		}
	}
}

// append records a decision whole or not at all. A crash before the append leaves nothing. A crash
// after it leaves an outcome that the caller does not know: the same command, sent again, finds it.
func (d *Desk) append(
	ctx context.Context, s *State, cmd Command, decision Decision,
) (Outcome, error) {
	var appends []contract.StreamAppend
	place := map[string]int{}
	for i, draft := range decision.Events {
		e, err := d.Codec.Event(ctx, draft.Stream, uint32(i), d.entry(cmd), draft.Body)
		if err != nil {
			return Outcome{}, err
		}
		n, ok := place[draft.Stream]
		if !ok {
			n, place[draft.Stream] = len(appends), len(appends)
			appends = append(appends, contract.StreamAppend{Stream: draft.Stream,
				Expected: s.version(draft.Stream)})
		}
		appends[n].Events = append(appends[n].Events, e)
	}
	var guards []contract.Guard
	for stream, version := range decision.Guards {
		guards = append(guards, contract.Guard{Stream: stream, Version: version})
	}
	receipts, err := d.Log.AppendAll(ctx, appends, guards...)
	var reused *contract.ReusedError
	switch {
	case errors.As(err, &reused) || errors.Is(err, contract.ErrPartial):
		out, found, again := d.recorded(ctx, cmd)
		if !found && again == nil {
			return Outcome{}, err
		}
		return out, again
	case err != nil: // the append may be on record: nothing that it concerns is known any more
		for _, a := range appends {
			d.known.Delete(a.Stream)
		}
		return Outcome{}, err
	}
	return d.took(s, cmd, decision, appends, receipts), nil
}

// took brings the known states up to date with a recorded append.
func (d *Desk) took(s *State, cmd Command, decision Decision, appends []contract.StreamAppend,
	receipts [][]contract.Receipt,
) Outcome {
	again, versions := false, map[string]int64{}
	for i, a := range appends {
		versions[a.Stream] = receipts[i][0].Version
		again = again || versions[a.Stream] != a.Expected+1 // receipts of an earlier time
	}
	for _, draft := range decision.Events {
		if again {
			d.known.Delete(draft.Stream)
			continue
		}
		s.Evolve(Fact{Stream: draft.Stream, Version: versions[draft.Stream],
			EffectiveAt: cmd.at(), Body: draft.Body})
		versions[draft.Stream]++
	}
	for _, a := range appends {
		if !again {
			d.snapshot(s, a.Events[len(a.Events)-1])
			d.keep(s, a.Stream)
		}
	}
	return Outcome{Again: again}
}

// version returns the version of a stream.
func (s *State) version(stream string) int64 {
	_, name, _ := Of(stream)
	if _, ok := strings.CutPrefix(stream, accountStreams); ok {
		return s.Accounts[name].Version
	}
	if _, ok := strings.CutPrefix(stream, periodStreams); ok {
		return s.Periods[name].Version
	}
	return s.Entries[name].Version
}

func (d *Desk) entry(cmd Command) domain.Entry {
	causation := cmd.Cause
	if causation == uuid.Nil {
		causation = cmd.ContentID()
	}
	return domain.Entry{
		CommandID: cmd.ID, Actor: cmd.Actor, Approver: cmd.Approver, Reason: cmd.Reason,
		Source: d.Source, EnteredAt: cmd.EnteredAt, EffectiveAt: cmd.EffectiveAt,
		Correlation: cmd.Correlation, Causation: causation,
	}
}

// refuse records a refusal.
func (d *Desk) refuse(ctx context.Context, cmd Command, r *trade.Refusal) error {
	stream := RefusalStream(cmd.Ledger)
	entry := d.entry(cmd)
	if !ids.MatchString(cmd.Ledger) || entry.Reason == "" || !trade.CommandIDs.Has(cmd.ID) ||
		!trade.Principals.Has(cmd.Actor) {
		return nil // nobody could find it: the envelope itself is malformed
	}
	e, err := d.Codec.Event(ctx, stream, 0, entry, CommandRefused{
		Command: cmd.Kind(), Subject: cmd.Subject(), Rule: string(r.Rule), Detail: r.Detail,
	})
	if err != nil {
		return err
	}
	_, err = d.Log.Append(ctx, stream, contract.Any, e)
	return err
}

// recorded returns the outcome of a command that is on record.
func (d *Desk) recorded(ctx context.Context, cmd Command) (out Outcome, found bool, err error) {
	r, err := d.Log.Find(ctx, trade.EventID(cmd.ID, 0))
	if errors.Is(err, contract.ErrNotFound) {
		return out, false, nil
	}
	if err != nil {
		return out, false, err
	}
	if r.Causation != d.entry(cmd).Causation {
		return Outcome{Refusal: &trade.Refusal{Rule: ReusedCommand, Detail: fmt.Sprintf(
			"command %q is on record with other content: use a new id", cmd.ID)}}, true, nil
	}
	f, _, err := FactOf(r)
	if refused, ok := f.Body.(CommandRefused); ok {
		out.Refusal = &trade.Refusal{Rule: trade.Rule(refused.Rule), Detail: refused.Detail}
	}
	out.Again = true
	return out, err == nil, err
}

// FactOf decodes an event of a ledger. ok is false for an event of another domain.
func FactOf(r contract.Recorded) (f Fact, ok bool, err error) {
	decode, ok := decoders[r.Type]
	if !ok {
		return f, false, nil
	}
	body, err := decode(r)
	return Fact{
		Stream: r.Stream, Version: r.Version, ID: r.ID, EffectiveAt: r.EffectiveAt,
		EnteredAt: r.EnteredAt, RecordedAt: r.RecordedAt, Actor: r.Actor, Causation: r.Causation,
		Body: body,
	}, true, err
}

// decoders has every type of event.
var decoders = map[string]func(contract.Recorded) (Body, error){
	AccountOpened{}.EventType():        decode[AccountOpened],
	AccountRenamed{}.EventType():       decode[AccountRenamed],
	AccountBlocked{}.EventType():       decode[AccountBlocked],
	AccountUnblocked{}.EventType():     decode[AccountUnblocked],
	AccountClosed{}.EventType():        decode[AccountClosed],
	AccountReopened{}.EventType():      decode[AccountReopened],
	AccountDebited{}.EventType():       decode[AccountDebited],
	AccountCredited{}.EventType():      decode[AccountCredited],
	JournalCreated{}.EventType():       decode[JournalCreated],
	JournalEntryPosted{}.EventType():   decode[JournalEntryPosted],
	JournalEntryReversed{}.EventType(): decode[JournalEntryReversed],
	PeriodOpened{}.EventType():         decode[PeriodOpened],
	PeriodClosed{}.EventType():         decode[PeriodClosed],
	PeriodReopened{}.EventType():       decode[PeriodReopened],
	CommandRefused{}.EventType():       decode[CommandRefused],
}

func decode[B Body](r contract.Recorded) (Body, error) { return domain.Decode[B](r) }

// Facts yields the facts of one ledger, or of all if it is "", from a part of the log.
func Facts(events iter.Seq2[contract.Recorded, error], ledger string) iter.Seq2[Fact, error] {
	return func(yield func(Fact, error) bool) {
		for r, err := range events {
			if err != nil {
				yield(Fact{}, err)
				return
			}
			of, _, ok := Of(r.Stream)
			if !ok || ledger != "" && of != ledger {
				continue
			}
			f, ok, err := FactOf(r)
			if (ok || err != nil) && (!yield(f, err) || err != nil) {
				return
			}
		}
	}
}
