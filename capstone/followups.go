package capstone

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
)

// causes are the types of event that another contract may begin from.
var causes = []string{"trade.novated", "trade.exercised"}

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

// A MissingFollowUp is a cause whose follow-up is not on record, or was refused.
type MissingFollowUp struct {
	Cause   contract.Recorded
	Command trade.Command
	Refusal *trade.Refusal // nil: it was never issued
}

// MissingFollowUps lists them, over the whole log.
func (d *Desk) MissingFollowUps(ctx context.Context) ([]MissingFollowUp, error) {
	var missing []MissingFollowUp
	err := d.eachCause(ctx, nil, func(cause contract.Recorded, o order) error {
		recorded, err := d.Store.Find(ctx, trade.EventID(o.ID, 0))
		if errors.Is(err, contract.ErrNotFound) {
			missing = append(missing, MissingFollowUp{Cause: cause, Command: o.Command})
			return nil
		}
		if err != nil {
			return err
		}
		out, err := d.again(ctx, o, recorded)
		if err == nil && out.Refusal != nil {
			missing = append(missing, MissingFollowUp{cause, o.Command, out.Refusal})
		}
		return err
	})
	return missing, err
}

// Sweep is the follow-up process on the feed: it issues what a desk that was stopped between an event and its follow-up
// left undone, from the cursor on.
func (d *Desk) Sweep(ctx context.Context, from contract.Cursor) error {
	return d.eachCause(ctx, from, func(cause contract.Recorded, o order) error {
		_, err := d.do(contract.At(ctx, cause.RecordedAt), o)
		return err
	})
}

func (d *Desk) eachCause(ctx context.Context, from contract.Cursor, do func(contract.Recorded, order) error) error {
	end, err := d.Store.End(ctx)
	if err != nil {
		return err
	}
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
