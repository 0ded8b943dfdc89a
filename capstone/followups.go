package capstone

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
)

// FollowUps issues the commands that follow from events: the NEW of the contract after a novation
// in which we remain, or after a physical exercise, and the corrections of that contract. The desk
// records them; it does not know of FollowUps.
type FollowUps struct {
	Desk    *Desk
	SweptTo SavedCursor // nil: each sweep reads the whole log
}

// A SavedCursor keeps the cursor of a process that reads the log. Losing it costs only time.
type SavedCursor interface {
	Load() (contract.Cursor, error) // nil if there is none
	Save(contract.Cursor) error
}

// An OrphanedFollowUp is a follow-up that is not on record, or was refused: two contracts no longer
// match. It stops being orphaned when its cause is annulled, when its cause is restated and the new
// follow-up is accepted, and when the other contract is voided.
type OrphanedFollowUp struct {
	Cause   contract.Recorded
	Command trade.Command
	Refusal *trade.Refusal // nil: the follow-up is not on record
}

// A followUp is a request with its cause.
type followUp struct {
	request
	cause contract.Recorded
}

// begins reports whether another contract may begin from an event of this type.
func begins(e contract.Recorded) bool {
	kind, _ := trade.KindOfType(e.Type)
	return kind.Begins()
}

// changes reports whether an event may change a contract that began from its own before: the event
// takes an earlier slot or an earlier time, voids the contract, or lets events count that waited.
func changes(e contract.Recorded) bool {
	kind, _ := trade.KindOfType(e.Type)
	return strings.HasPrefix(e.Stream, trade.TradeStream("")) &&
		(e.Corrects != uuid.Nil || kind.ChangesTerms() || e.Ends || skips(e))
}

// skips reports whether an event skips another one.
func skips(e contract.Recorded) bool {
	kind, _ := trade.KindOfType(e.Type)
	_, ok := kind.Zero.(trade.EventSkipped)
	return ok
}

// Issue has the desk record the follow-ups of an outcome's event, then the follow-ups of each of
// those. It returns the refused ones, whether they were refused now or before. A follow-up that is
// on record is left as it is.
func (f *FollowUps) Issue(ctx context.Context, out Outcome) ([]OrphanedFollowUp, error) {
	if out.Refusal != nil {
		return nil, nil
	}
	due, err := f.due(ctx, out)
	if err != nil {
		return nil, err
	}
	var orphaned []OrphanedFollowUp
	for _, next := range due {
		next.read = out.read
		more, err := f.issue(ctx, next)
		if err != nil {
			return nil, fmt.Errorf("follow-up of event %s: %w", out.Event.ID, err)
		}
		orphaned = append(orphaned, more...)
	}
	return orphaned, nil
}

// issue has the desk record one follow-up, then issues those of its event.
func (f *FollowUps) issue(ctx context.Context, next followUp) ([]OrphanedFollowUp, error) {
	out, err := f.Desk.do(ctx, next.request)
	if err != nil {
		return nil, err
	}
	delete(next.read, next.Stream()) // it has grown
	if next.OrphanedBy(out.Refusal) {
		return []OrphanedFollowUp{{next.cause, next.Command, out.Refusal}}, nil
	}
	return f.Issue(ctx, out)
}

// due returns the follow-ups to issue after an outcome. If its event may change a contract that
// began before, the follow-ups of all earlier causes in the stream come first: a desk that died, or
// is slow, may not have issued them yet, and there would be no contract to change.
func (f *FollowUps) due(ctx context.Context, out Outcome) ([]followUp, error) {
	cause := out.Event
	if !begins(cause) && !changes(cause) {
		return nil, nil
	}
	past, err := f.upTo(ctx, cause, out.past)
	if err != nil {
		return nil, err
	}
	if !changes(cause) {
		return past.followUps(cause), nil
	}
	var all []followUp
	for _, earlier := range past.recorded {
		if begins(earlier) || skips(earlier) || len(all) > 0 && changes(earlier) {
			all = append(all, past.followUps(earlier)...)
		}
	}
	return all, nil
}

// upTo returns the stream of cause up to and including cause: later events do not change its
// follow-ups. It reads the stream unless past is the history right before cause. The cause itself
// is always decoded from its payload, as a sweep decodes it, so both derive the same commands.
func (f *FollowUps) upTo(
	ctx context.Context, cause contract.Recorded, past history,
) (history, error) {
	if int64(len(past.recorded)) == cause.Version-1 {
		return f.Desk.extend(ctx, past, cause)
	}
	past, err := f.Desk.history(ctx, cause.Stream, cause.Version)
	if n := int64(len(past.events)); err == nil && n < cause.Version {
		err = fmt.Errorf("stream %s ends at version %d, before event %s at version %d",
			cause.Stream, n, cause.ID, cause.Version)
	}
	return past, err
}

// followUps returns the follow-ups of one event of h. Those of an event that skips another one are
// the follow-ups of the events between the two.
func (h history) followUps(cause contract.Recorded) (all []followUp) {
	skip, ok := h.events[cause.Version-1].Body.(trade.EventSkipped)
	if !ok {
		return h.followUpsOf(cause, cause.Version)
	}
	for _, waited := range h.recorded[:cause.Version-1] {
		if waited.Version > skip.Version {
			all = append(all, h.followUpsOf(waited, cause.Version)...)
		}
	}
	return all
}

// followUpsOf returns the follow-ups of an event, given the history up to a version.
func (h history) followUpsOf(cause contract.Recorded, upTo int64) []followUp {
	uti := strings.TrimPrefix(cause.Stream, trade.TradeStream(""))
	var all []followUp
	for _, cmd := range trade.FollowUps(uti, h.events[:upTo], h.events[cause.Version-1]) {
		cmd.SourceRecordedAt, cmd.SubmittedBy = cause.SourceRecordedAt, cause.SubmittedBy
		r := request{Command: cmd, correlation: cause.Correlation, causation: cause.ID}
		all = append(all, followUp{r, cause})
	}
	return all
}

// Sweep issues the follow-ups that a desk left undone when it was stopped between an event and its
// follow-up. It continues at the saved cursor. A cursor past the end of the log belongs to another
// log, so the sweep begins at the beginning. The new cursor is saved AFTER all follow-ups before it
// were issued. A crash in between only repeats the sweep, and no follow-up is recorded twice.
//
// A follow-up that belongs to another owner is left to the sweep of that process. The others are
// issued, and the error IsElsewhere. The cursor stays: this process may become the owner.
func (f *FollowUps) Sweep(ctx context.Context) error {
	from, end, err := f.unswept(ctx)
	if err != nil {
		return err
	}
	elsewhere := map[string]error{} // by stream: no follow-up overtakes an earlier one
	err = f.each(ctx, from, end, func(next followUp) error {
		if elsewhere[next.Stream()] != nil {
			return nil
		}
		_, err := f.issue(contract.At(ctx, next.EnteredAt), next) // as System.Do does
		if IsElsewhere(err) {
			elsewhere[next.Stream()] = err
			return nil
		}
		return err
	})
	for _, owned := range elsewhere {
		err = cmp.Or(err, owned)
	}
	if err != nil || f.SweptTo == nil {
		return err
	}
	return f.SweptTo.Save(end)
}

// unswept returns the range of the log that the next sweep reads.
func (f *FollowUps) unswept(ctx context.Context) (from, end contract.Cursor, err error) {
	if end, err = f.Desk.Log.End(ctx); err != nil {
		return nil, nil, err
	}
	if f.SweptTo != nil {
		if from, err = f.SweptTo.Load(); err != nil {
			return nil, nil, err
		}
	}
	if !end.Reaches(from) {
		from = nil
	}
	return from, end, nil
}

// Missing returns the number of follow-ups that the next sweep would issue. One that a desk is
// about to issue counts, too.
func (f *FollowUps) Missing(ctx context.Context) (n int, err error) {
	from, end, err := f.unswept(ctx)
	if err != nil {
		return 0, err
	}
	err = f.each(ctx, from, end, func(next followUp) error {
		_, err := f.Desk.Log.Find(ctx, trade.EventID(next.ID, 0))
		if errors.Is(err, contract.ErrNotFound) {
			n, err = n+1, nil
		}
		return err
	})
	return n, err
}

// SweepAll is Sweep without the saved cursor. An event before the cursor may count only now: it
// waited in a parked stream when a sweep passed it.
func (f *FollowUps) SweepAll(ctx context.Context) error {
	all := FollowUps{Desk: f.Desk}
	return all.Sweep(ctx)
}

// Orphaned lists the orphaned follow-ups of the whole log.
func (f *FollowUps) Orphaned(ctx context.Context) ([]OrphanedFollowUp, error) {
	var all []OrphanedFollowUp
	end, err := f.Desk.Log.End(ctx)
	if err != nil {
		return nil, err
	}
	err = f.each(ctx, nil, end, func(next followUp) error {
		refusal, orphaned, err := f.orphaned(ctx, next)
		if next.Voids != uuid.Nil || err == nil && !orphaned {
			all = slices.DeleteFunc(all, func(o OrphanedFollowUp) bool {
				return next.replaces(o.Command)
			})
		}
		if orphaned {
			all = append(all, OrphanedFollowUp{next.cause, next.Command, refusal})
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return f.withoutVoided(ctx, all)
}

// each calls do with every follow-up of an event in the range. An event changes another contract
// only if one began from its own contract before. Where the range begins with the log, the events
// themselves show that. Elsewhere the whole stream of the event has to be read.
func (f *FollowUps) each(
	ctx context.Context, from, end contract.Cursor, do func(followUp) error,
) error {
	began := map[string]bool{}
	for recorded, err := range f.Desk.Log.Read(ctx, from, end) {
		if err != nil {
			return err
		}
		if begins(recorded) {
			began[recorded.Stream] = true
		} else if !changes(recorded) || len(from) == 0 && !began[recorded.Stream] {
			continue
		}
		past, err := f.upTo(ctx, recorded, history{})
		if err != nil {
			return err
		}
		for _, next := range past.followUps(recorded) {
			if err := do(next); err != nil {
				return err
			}
		}
	}
	return nil
}

// orphaned reports whether a follow-up is not on record, or was refused.
func (f *FollowUps) orphaned(
	ctx context.Context, next followUp,
) (refusal *trade.Refusal, orphaned bool, err error) {
	recorded, err := f.Desk.Log.Find(ctx, trade.EventID(next.ID, 0))
	if errors.Is(err, contract.ErrNotFound) {
		return nil, true, nil
	}
	if err != nil {
		return nil, false, err
	}
	out, err := f.Desk.again(ctx, next.request, recorded)
	return out.Refusal, err == nil && next.OrphanedBy(out.Refusal), err
}

// replaces reports whether an earlier follow-up no longer matters once n is on record: both are
// about the same contract, and n states the whole of it.
func (n followUp) replaces(earlier trade.Command) bool {
	begun := n.Corrects
	if n.Voids != uuid.Nil {
		begun = n.Voids
	}
	return begun != uuid.Nil && (earlier.Corrects == begun || earlier.Voids == begun ||
		n.Voids == trade.EventID(earlier.ID, 0))
}

// withoutVoided drops the follow-ups that were to change a contract which is voided by now. Users
// could void a contract themselves before that was refused.
func (f *FollowUps) withoutVoided(
	ctx context.Context, all []OrphanedFollowUp,
) ([]OrphanedFollowUp, error) {
	var left []OrphanedFollowUp
	for _, o := range all {
		voided := false
		for recorded, err := range f.Desk.Log.Stream(ctx, o.Command.Stream()) {
			if err != nil {
				return nil, err
			}
			voided = recorded.Ends
		}
		_, begins := o.Command.Body.(trade.New)
		if !voided || begins && o.Command.Corrects == uuid.Nil {
			left = append(left, o)
		}
	}
	return left, nil
}
