package capstone

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
)

// begins says whether another contract may begin from an event of this type.
func begins(e contract.Recorded) bool {
	kind, _ := trade.KindOfType(e.Type)
	return kind.Begins()
}

// changes says whether an event may change what began from its contract before: it comes into an earlier slot, or an earlier time, or voids all.
func changes(e contract.Recorded) bool {
	kind, _ := trade.KindOfType(e.Type)
	return strings.HasPrefix(e.Stream, trade.TradeStream("")) && (e.Corrects != uuid.Nil || kind.ChangesTerms() || e.Ends)
}

// follow begins what begins from an event (the contract after a novation in which we remain, or after a physical exercise), and
// changes what began and has to change with it. What is on record already is left alone.
func (d *Desk) follow(ctx context.Context, cause contract.Recorded) error {
	owed, err := d.owed(ctx, cause)
	if err != nil {
		return err
	}
	for _, o := range owed {
		// A refusal is on record under the other UTI, and MissingFollowUps lists its cause.
		if _, err := d.do(ctx, o); err != nil {
			return fmt.Errorf("follow-up of event %s: %w", cause.ID, err)
		}
	}
	return nil
}

// owed are the orders that follow from cause. Before those that change something come those of all earlier causes in its stream:
// a desk that died, or is slow, may not have issued them yet, and there would be nothing to change.
func (d *Desk) owed(ctx context.Context, cause contract.Recorded) ([]order, error) {
	if !begins(cause) && !changes(cause) {
		return nil, nil
	}
	s, err := d.upTo(ctx, cause)
	if err != nil {
		return nil, err
	}
	if !changes(cause) {
		return s.followUps(cause), nil
	}
	var all []order
	for i, earlier := range s.recorded {
		if begins(earlier) || len(all) > 0 && changes(earlier) {
			all = append(all, s.followUps(s.recorded[i])...)
		}
	}
	return all, nil
}

// A past is a stream as it was when an event of it was recorded: what was recorded since does not change what follows.
type past struct {
	recorded []contract.Recorded
	events   []trade.Event // the same, as the domain sees them
}

func (d *Desk) upTo(ctx context.Context, cause contract.Recorded) (p past, err error) {
	for recorded, err := range d.Store.Stream(ctx, cause.Stream) {
		if err != nil {
			return p, err
		}
		event, err := contract.Decoded(ctx, d.Codec, recorded)
		if err != nil {
			return p, err
		}
		p.recorded, p.events = append(p.recorded, recorded), append(p.events, event)
		if recorded.Version == cause.Version {
			return p, nil
		}
	}
	return p, fmt.Errorf("stream %s ends at version %d, before the event %s at %d", cause.Stream, len(p.events), cause.ID, cause.Version)
}

// followUps are the orders that follow from one event of it.
func (p past) followUps(cause contract.Recorded) []order {
	uti := cause.Stream[len(trade.TradeStream("")):]
	var orders []order
	for _, cmd := range trade.FollowUps(uti, p.events[:cause.Version], p.events[cause.Version-1]) {
		orders = append(orders, order{cmd, cause.ID, cause.Correlation})
	}
	return orders
}

// A MissingFollowUp is a cause whose follow-up is not on record, or was refused: the two contracts do not fit together. One that was made good
// since is not missing: the cause was annulled, or restated and its follow-up accepted, or the other contract is voided.
type MissingFollowUp struct {
	Cause   contract.Recorded
	Command trade.Command
	Refusal *trade.Refusal // nil: it was never issued
}

// MissingFollowUps lists them, over the whole log.
func (d *Desk) MissingFollowUps(ctx context.Context) ([]MissingFollowUp, error) {
	var missing []MissingFollowUp
	end, err := d.Store.End(ctx)
	if err != nil {
		return nil, err
	}
	err = d.eachCause(ctx, nil, end, func(cause contract.Recorded, o order) error {
		m, is, err := d.missing(ctx, cause, o)
		if o.Voids != uuid.Nil || err == nil && !is {
			missing = slices.DeleteFunc(missing, func(m MissingFollowUp) bool { return o.makesGood(m.Command) })
		}
		if is {
			missing = append(missing, m)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return d.notVoided(ctx, missing)
}

// missing says whether o is.
func (d *Desk) missing(ctx context.Context, cause contract.Recorded, o order) (MissingFollowUp, bool, error) {
	m := MissingFollowUp{Cause: cause, Command: o.Command}
	recorded, err := d.Store.Find(ctx, trade.EventID(o.ID, 0))
	if errors.Is(err, contract.ErrNotFound) {
		return m, true, nil
	}
	if err != nil {
		return m, false, err
	}
	out, err := d.again(ctx, o, recorded)
	m.Refusal = out.Refusal
	return m, err == nil && out.Refusal != nil && !nothingToVoid(o, out.Refusal.Rule), err
}

// makesGood says whether an earlier follow-up does not matter any more once o is on record: both are about the same contract, and o says
// all that it has to be.
func (o order) makesGood(earlier trade.Command) bool {
	begun := o.Corrects
	if o.Voids != uuid.Nil {
		begun = o.Voids
	}
	return begun != uuid.Nil && (earlier.Corrects == begun || earlier.Voids == begun || o.Voids == trade.EventID(earlier.ID, 0))
}

// nothingToVoid says whether a void was refused because it is so already.
func nothingToVoid(o order, rule trade.Rule) bool {
	return o.Voids != uuid.Nil && (rule == trade.UnknownEvent || rule == trade.IsVoided)
}

// notVoided leaves out what was to change a contract that is voided by now, as users could void one before that was refused.
func (d *Desk) notVoided(ctx context.Context, missing []MissingFollowUp) ([]MissingFollowUp, error) {
	var left []MissingFollowUp
	for _, m := range missing {
		ended := false
		for recorded, err := range d.Store.Stream(ctx, m.Command.Stream()) {
			if err != nil {
				return nil, err
			}
			ended = recorded.Ends
		}
		if _, begins := m.Command.Body.(trade.New); !ended || begins && m.Command.Corrects == uuid.Nil {
			left = append(left, m)
		}
	}
	return left, nil
}

// Sweep is the follow-up process on the feed: it issues what a desk that was stopped between an event and its follow-up
// left undone, from the cursor on. It gives the cursor behind what it looked at, where the next sweep can begin. A cursor behind
// the end of the log is of another log, and taken for the beginning.
func (d *Desk) Sweep(ctx context.Context, from contract.Cursor) (contract.Cursor, error) {
	end, err := d.Store.End(ctx)
	if err != nil {
		return nil, err
	}
	if !end.Reaches(from) {
		from = nil
	}
	return end, d.eachCause(ctx, from, end, func(cause contract.Recorded, o order) error {
		_, err := d.do(contract.At(ctx, cause.RecordedAt), o)
		return err
	})
}

// eachCause gives every order that follows from an event in the range. An event can change nothing before a contract began from its own; a range
// that does not begin with the log does not tell, and there the stream is looked at.
func (d *Desk) eachCause(ctx context.Context, from, end contract.Cursor, do func(contract.Recorded, order) error) error {
	began := map[string]bool{}
	for recorded, err := range d.Store.Read(ctx, from, end) {
		if err != nil {
			return err
		}
		if begins(recorded) {
			began[recorded.Stream] = true
		} else if !changes(recorded) || len(from) == 0 && !began[recorded.Stream] {
			continue
		}
		past, err := d.upTo(ctx, recorded)
		if err != nil {
			return err
		}
		for _, o := range past.followUps(recorded) {
			if err := do(recorded, o); err != nil {
				return err
			}
		}
	}
	return nil
}
