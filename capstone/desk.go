package capstone

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"example.com/blotter/capstone/canary"
	"example.com/blotter/capstone/lines"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
)

// A Desk decides one command against the history of its stream and records one outcome.
type Desk struct {
	Log    contract.Store
	Codec  contract.Codec
	Source string // is recorded with every event: where its command came from
	// Now is the clock of a real-time log. It is nil for a simulated log, whose clock follows the
	// commands.
	Now func() time.Time

	// curves holds the first two marks of each curve's stream. They determine its currency.
	curves sync.Map
}

// An Outcome is the recorded outcome of a command. A refusal is an outcome too.
type Outcome struct {
	Event    contract.Recorded
	Refusal  *trade.Refusal     // nil if the command was accepted
	Again    bool               // the outcome was on record already, and nothing was written
	Warnings []string           // those of an accepted command; see trade.Command.Warnings
	Orphaned []OrphanedFollowUp // the follow-ups of Event, and theirs, that were refused

	// past is the history that the desk decided against, and read holds those of the contracts that
	// follow-ups reach. They are empty if the outcome was on record already.
	past history
	read histories
}

// A ReusedCommandError is a command whose id is on record for another command.
type ReusedCommandError struct {
	CommandID string
	Refused   trade.Rule // the rule that the command on record broke; empty if it was accepted
}

func (e *ReusedCommandError) Error() string {
	was := "was accepted"
	if e.Refused != "" {
		was = fmt.Sprintf("was refused (%s)", e.Refused)
	}
	return fmt.Sprintf("command_id %q is on record with other content, which %s: use a new id",
		e.CommandID, was)
}

// An UnwritableError is a command whose event cannot be written as it is, such as one with a value
// that the version of its schema lacks while a canary runs. Nothing was recorded.
type UnwritableError struct {
	CommandID string
	Err       error // contract.ErrUnencodable
}

func (e *UnwritableError) Error() string {
	return fmt.Sprintf("command_id %q: %v", e.CommandID, e.Err)
}

func (e *UnwritableError) Unwrap() error { return e.Err }

// ErrReserved is a command with an id that is reserved (trade.IsReserved).
var ErrReserved = fmt.Errorf("the program keeps command ids for itself that begin with %s",
	trade.ReservedPrefixes())

// A request is a command with the ids that make its event traceable.
type request struct {
	trade.Command
	correlation uuid.UUID
	// causation also tells a command that is sent again from another one with the same id.
	causation uuid.UUID
	// causes means that the stream has an event from which another contract may have begun: the
	// event of the command may have follow-ups.
	causes bool
	// read holds the histories that were read for the cause of a follow-up. The follow-ups of one
	// command share it. If another writer has appended since, the desk reads again.
	read histories
}

// Do decides cmd and records the outcome. It issues no follow-ups: System.Do does both. A command
// that is sent again gets the recorded outcome.
func (d *Desk) Do(ctx context.Context, cmd trade.Command) (Outcome, error) {
	if trade.IsReserved(cmd.ID) {
		return Outcome{}, fmt.Errorf("command %q: %w", cmd.ID, ErrReserved)
	}
	return d.send(ctx, cmd)
}

// Approve is Do for a refused command that is sent again under the id of its approval
// (trade.ApprovalID). No other command may have one: it would block the approval for good.
func (d *Desk) Approve(ctx context.Context, cmd trade.Command) (Outcome, error) {
	if !trade.IsApproval(cmd.ID) {
		return Outcome{}, fmt.Errorf("command %q: want the id of an approval", cmd.ID)
	}
	return d.send(ctx, cmd)
}

func (d *Desk) send(ctx context.Context, cmd trade.Command) (Outcome, error) {
	out, err := d.do(ctx, request{
		Command: cmd, correlation: trade.EventID(cmd.ID, 0), causation: cmd.ContentID(),
	})
	if err == nil && out.Refusal == nil {
		out.Warnings = cmd.Warnings()
	}
	return out, err
}

// do looks for a recorded outcome BEFORE it decides: a second decision, taken later, could differ.
func (d *Desk) do(ctx context.Context, r request) (Outcome, error) {
	for {
		recorded, err := d.Log.Find(ctx, trade.EventID(r.ID, 0))
		if err == nil {
			return d.again(ctx, r, recorded)
		}
		if !errors.Is(err, contract.ErrNotFound) {
			return Outcome{}, err
		}
		out, err := d.decide(ctx, r)
		if !overtaken(err) {
			return out, err
		}
		r.read = nil
	}
}

// overtaken reports whether another writer appended to the stream between our read and our append,
// or recorded this very command. It also reports whether the store was fenced, as after a long
// absence of a broker: it then takes the partition over again, or names the new owner. In each case
// the desk has to look again.
func overtaken(err error) bool {
	var conflict *contract.ConflictError
	var ended *contract.EndedError
	var reused *contract.ReusedError
	return errors.As(err, &conflict) || errors.As(err, &ended) || errors.As(err, &reused) ||
		errors.Is(err, contract.ErrFenced)
}

// again returns the outcome that is on record for r. The type of the event tells an accepted
// command from a refused one, also if this program cannot decode the event: only the rule is then
// unknown.
func (d *Desk) again(ctx context.Context, r request, recorded contract.Recorded) (Outcome, error) {
	out := Outcome{Event: recorded, Again: true}
	e, err := contract.Decoded(ctx, d.Codec, recorded)
	if err != nil {
		return Outcome{}, err
	}
	switch body := e.Body.(type) {
	case trade.CommandRefused:
		out.Refusal = &trade.Refusal{Rule: trade.Rule(body.Rule), Detail: body.Detail}
	case trade.Unreadable:
		kind, _ := trade.KindOfType(recorded.Type)
		if _, refused := kind.Zero.(trade.CommandRefused); refused {
			out.Refusal = &trade.Refusal{Rule: trade.IsUnreadable, Detail: body.Cause}
		}
	}
	if recorded.Causation != r.causation {
		reused := &ReusedCommandError{CommandID: r.ID}
		if out.Refusal != nil {
			reused.Refused = out.Refusal.Rule
		}
		return Outcome{}, reused
	}
	return out, nil
}

func (d *Desk) decide(ctx context.Context, r request) (Outcome, error) {
	if d.Now != nil && !trade.IsFollowUp(r.ID) { // a follow-up has the entry time of its cause
		if refusal := r.CheckEntry(d.Now()); refusal != nil {
			return d.refuse(ctx, r, refusal)
		}
	}
	past, expected, err := d.pastOf(ctx, r)
	if err != nil {
		return Outcome{}, err
	}
	if r.read == nil {
		r.read = histories{}
	}
	linked, err := d.linked(ctx, r, past)
	if err != nil {
		return Outcome{}, err
	}
	decision, err := trade.Decide(linked, r.Command)
	var refusal *trade.Refusal
	if errors.As(err, &refusal) {
		return d.refuse(ctx, r, refusal)
	}
	if err != nil {
		return Outcome{}, err
	}
	r.causes = slices.ContainsFunc(past.recorded, func(e contract.Recorded) bool {
		return begins(e) || skips(e)
	})
	event, err := d.append(ctx, r, r.Stream(), expected, decision)
	return Outcome{Event: event, past: past, read: r.read}, err
}

// refuse records that r was refused, with the line that asked for it.
func (d *Desk) refuse(ctx context.Context, r request, refusal *trade.Refusal) (Outcome, error) {
	event, err := d.append(ctx, r, r.RefusedStream(), contract.Any, trade.Decision{
		EffectiveAt: r.EnteredAt,
		Body: trade.CommandRefused{
			CommandID: r.ID, Digest: r.Digest(),
			Rule: string(refusal.Rule), Detail: refusal.Detail,
			Line: string(lines.Format(r.Command)),
		},
	})
	return Outcome{Event: event, Refusal: refusal}, err
}

// linked returns the history of r, and those of the contracts that its follow-ups reach, along the
// chain.
func (d *Desk) linked(
	ctx context.Context, r request, past history,
) (map[string][]trade.Event, error) {
	all := map[string][]trade.Event{r.Stream(): past.events}
	due := trade.Linked(past.events, r.Command)
	for len(due) > 0 {
		stream := due[0]
		due = due[1:]
		if _, done := all[stream]; done {
			continue
		}
		h, err := d.readOnce(ctx, r, stream)
		if err != nil {
			return nil, err
		}
		all[stream] = h.events
		if _, confirms := r.Body.(trade.Confirm); !confirms { // it reaches no other contract
			due = append(due, trade.Successors(h.events)...)
		}
	}
	return all, nil
}

// Successors returns the streams of all contracts that began from that of cmd, and from those in
// turn, if cmd may change them.
func (d *Desk) Successors(ctx context.Context, cmd trade.Command) ([]string, error) {
	if !cmd.ChangesSuccessors() {
		return nil, nil
	}
	past, err := d.history(ctx, cmd.Stream(), math.MaxInt64)
	if err != nil {
		return nil, err
	}
	linked, err := d.linked(ctx, request{Command: cmd, read: histories{}}, past)
	delete(linked, cmd.Stream())
	return slices.Sorted(maps.Keys(linked)), err
}

// pastOf returns the history that r is decided against, and the version that its stream must still
// have when the decision is appended.
func (d *Desk) pastOf(ctx context.Context, r request) (history, int64, error) {
	if _, mark := r.Body.(trade.PriceMarked); mark && r.Corrects == uuid.Nil {
		return d.firstMarks(ctx, r.Stream())
	}
	if past, ok := r.read[r.Stream()]; ok {
		return past, int64(len(past.events)), nil
	}
	past, err := d.history(ctx, r.Stream(), math.MaxInt64)
	return past, int64(len(past.events)), err
}

// readOnce reads a stream, unless r brings its history.
func (d *Desk) readOnce(ctx context.Context, r request, stream string) (history, error) {
	if h, ok := r.read[stream]; ok {
		return h, nil
	}
	h, err := d.history(ctx, stream, math.MaxInt64)
	if err == nil {
		r.read[stream] = h
	}
	return h, err
}

// firstMarks returns the history that a new mark is decided against. Only the curve's currency
// matters, which cannot change after the second mark. Once a curve has two marks they are kept, and
// the years of marks after them are not read again. So a process may add marks to a curve that
// another writer has parked meanwhile: they do not count, and the state names the curve.
func (d *Desk) firstMarks(ctx context.Context, stream string) (history, int64, error) {
	if first, ok := d.curves.Load(stream); ok {
		return first.(history), contract.Any, nil
	}
	past, err := d.history(ctx, stream, math.MaxInt64)
	legal, parked := trade.Legal(stream, past.events)
	if parked != nil || err != nil {
		return past, int64(len(past.events)), err // a mark of a parked curve is refused
	}
	marks := 0
	for i, e := range legal {
		if e.Corrects == uuid.Nil {
			marks++
		}
		if marks == 2 {
			first := history{events: slices.Clone(legal[:i+1])}
			d.curves.Store(stream, first)
			return first, contract.Any, nil
		}
	}
	return past, int64(len(past.events)), nil
}

// append makes an event of a decision and appends it to the stream.
func (d *Desk) append(
	ctx context.Context, r request, stream string, expected int64, decision trade.Decision,
) (contract.Recorded, error) {
	payload, err := d.Codec.Encode(canary.OnStream(ctx, stream), decision.Body)
	if errors.Is(err, contract.ErrUnencodable) {
		err = &UnwritableError{r.ID, err}
	}
	if err != nil {
		return contract.Recorded{}, err
	}
	event := contract.Event{
		ID:          trade.EventID(r.ID, 0),
		Stream:      stream,
		Type:        payload.Type,
		Schema:      payload.Schema,
		Fingerprint: payload.Fingerprint,
		EffectiveAt: decision.EffectiveAt,
		Corrects:    decision.Corrects,
		Actor:       r.Actor,
		Approver:    r.Approver,
		Reason:      r.Reason,
		Correlation: r.correlation,
		Causation:   r.causation,
		EnteredAt:   r.EnteredAt.UTC().Truncate(time.Microsecond),

		SourceRecordedAt: r.SourceRecordedAt,
		CommandID:        r.ID,
		Source:           cmp.Or(r.Source, d.Source),
		SourceLine:       r.SourceLine,
		SubmittedBy:      r.SubmittedBy,
		Ends:             ends(decision.Body),
		Data:             payload.Data,
	}
	goesOn := r.causes || trade.IsFollowUp(r.ID) || begins(contract.Recorded{Event: event})
	if ctx, err = inTurn(ctx, !goesOn); err != nil {
		return contract.Recorded{}, err
	}
	receipts, err := d.Log.Append(ctx, stream, expected, event)
	if err != nil {
		return contract.Recorded{}, err
	}
	return contract.Recorded{
		Event: event, Version: receipts[0].Version, RecordedAt: receipts[0].RecordedAt,
	}, nil
}

// ends reports whether a body is the last one of its stream. No event may follow a void; the store
// holds every writer to that.
func ends(b trade.Body) bool {
	cancel, ok := b.(trade.Cancel)
	return ok && cancel.Kind == trade.Void
}

// A history is the beginning of a stream, as recorded and decoded.
type history struct {
	recorded []contract.Recorded
	events   []trade.Event
}

// histories are histories by stream.
type histories map[string]history

// history reads a stream up to a version.
func (d *Desk) history(ctx context.Context, stream string, to int64) (h history, err error) {
	for recorded, err := range d.Log.Stream(ctx, stream) {
		if err != nil {
			return history{}, err
		}
		if h, err = d.extend(ctx, h, recorded); err != nil || recorded.Version == to {
			return h, err
		}
	}
	return h, nil
}

// extend returns h with one more event.
func (d *Desk) extend(
	ctx context.Context, h history, recorded contract.Recorded,
) (history, error) {
	event, err := contract.Decoded(ctx, d.Codec, recorded)
	if err != nil {
		return history{}, err
	}
	return history{append(h.recorded, recorded), append(h.events, event)}, nil
}
