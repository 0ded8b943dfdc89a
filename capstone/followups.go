package capstone

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
)

// causes are the types of event that another contract may begin from.
var causes = []string{"trade.novated", "trade.exercised"}

// follow begins what begins from an event: the contract after a novation in which we remain, or after a
// physical exercise. What is on record already is left alone.
func (d *Desk) follow(ctx context.Context, cause contract.Recorded) error {
	if !slices.Contains(causes, cause.Type) {
		return nil
	}
	owed, err := d.owed(ctx, cause)
	if err != nil {
		return err
	}
	for _, o := range owed {
		// A refusal is on record under the new UTI, and MissingFollowUps lists its cause.
		if _, err := d.do(ctx, o); err != nil {
			return fmt.Errorf("follow-up of event %s: %w", cause.ID, err)
		}
	}
	return nil
}

// owed are the orders that follow from cause. Before those of a correction come those of all earlier causes in its stream:
// a desk that died, or is slow, may not have issued them yet, and there would be nothing to correct.
func (d *Desk) owed(ctx context.Context, cause contract.Recorded) ([]order, error) {
	if cause.Corrects == uuid.Nil {
		return d.followUps(ctx, cause)
	}
	var all []order
	for earlier, err := range d.Store.Stream(ctx, cause.Stream) {
		if err != nil {
			return nil, err
		}
		if earlier.Version > cause.Version || !slices.Contains(causes, earlier.Type) {
			continue
		}
		orders, err := d.followUps(ctx, earlier)
		if err != nil {
			return nil, err
		}
		all = append(all, orders...)
	}
	return all, nil
}

// followUps are the orders that follow from cause, decided against the stream as it was when cause was recorded: what was
// recorded since does not change them.
func (d *Desk) followUps(ctx context.Context, cause contract.Recorded) ([]order, error) {
	history, err := d.history(ctx, cause.Stream)
	if err != nil {
		return nil, err
	}
	if int64(len(history)) < cause.Version {
		return nil, fmt.Errorf("stream %s ends at version %d, before the event %s at %d", cause.Stream, len(history), cause.ID, cause.Version)
	}
	history = history[:cause.Version]
	uti := cause.Stream[len(trade.TradeStream("")):]
	var orders []order
	for _, cmd := range trade.FollowUps(uti, history, history[cause.Version-1]) {
		orders = append(orders, order{cmd, cause.ID, cause.Correlation})
	}
	return orders, nil
}

// A MissingFollowUp is a cause whose follow-up is not on record, or was refused. A cause that was annulled misses nothing.
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
		if o.Voids != uuid.Nil {
			missing = slices.DeleteFunc(missing, func(m MissingFollowUp) bool {
				return trade.EventID(m.Command.ID, 0) == o.Voids || m.Command.Corrects == o.Voids
			})
		}
		recorded, err := d.Store.Find(ctx, trade.EventID(o.ID, 0))
		if errors.Is(err, contract.ErrNotFound) {
			missing = append(missing, MissingFollowUp{Cause: cause, Command: o.Command})
			return nil
		}
		if err != nil {
			return err
		}
		out, err := d.again(ctx, o, recorded)
		if err == nil && out.Refusal != nil && !nothingToVoid(o, out.Refusal.Rule) {
			missing = append(missing, MissingFollowUp{cause, o.Command, out.Refusal})
		}
		return err
	})
	return missing, err
}

// nothingToVoid says whether a void was refused because it is so already.
func nothingToVoid(o order, rule trade.Rule) bool {
	return o.Voids != uuid.Nil && (rule == trade.UnknownEvent || rule == trade.IsVoided)
}

// Sweep is the follow-up process on the feed: it issues what a desk that was stopped between an event and its follow-up
// left undone, from the cursor on. It gives the cursor behind what it looked at, where the next sweep can begin. A cursor behind
// the end of the log is of another log, and taken for the beginning.
func (d *Desk) Sweep(ctx context.Context, from contract.Cursor) (contract.Cursor, error) {
	end, err := d.Store.End(ctx)
	if err != nil {
		return nil, err
	}
	for p, at := range from {
		if at > end.At(int32(p)) {
			from = nil
			break
		}
	}
	return end, d.eachCause(ctx, from, end, func(cause contract.Recorded, o order) error {
		_, err := d.do(contract.At(ctx, cause.RecordedAt), o)
		return err
	})
}

func (d *Desk) eachCause(ctx context.Context, from, end contract.Cursor, do func(contract.Recorded, order) error) error {
	for recorded, err := range d.Store.Read(ctx, from, end) {
		if err != nil {
			return err
		}
		if !slices.Contains(causes, recorded.Type) {
			continue
		}
		orders, err := d.followUps(ctx, recorded)
		if err != nil {
			return err
		}
		for _, o := range orders {
			if err := do(recorded, o); err != nil {
				return err
			}
		}
	}
	return nil
}
