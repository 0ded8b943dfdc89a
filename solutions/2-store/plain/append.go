package store

import (
	"context"
	"errors"
	"fmt"

	"example.com/blotter/labs/kit/contract"
)

// append decides and writes under the store's lock, so that no other append comes between the two.
// One transaction holds the events and the head of their stream.
func (o *owner) append(
	ctx context.Context, stream string, expected int64, events []contract.Event,
) ([]contract.Receipt, error) {
	for ctx.Err() == nil {
		if o.producer == nil {
			if err := o.takeOver(ctx); err != nil {
				return nil, fmt.Errorf("take over partition %d: %w", o.partition, err)
			}
		}
		receipts, err := Decide(o.s.index.find, o.s.index.last(stream), expected, events)
		if receipts != nil || err != nil {
			return receipts, err
		}
		recorded := o.stamp(ctx, stream, events)
		err = o.write(ctx, recorded)
		if err == nil {
			return o.indexBatch(recorded)
		}
		if err := o.resolve(ctx, err); err != nil {
			return nil, err
		}
	}
	return nil, ctx.Err()
}

// stamp gives the events their versions and times (L2.I1, L2.I8).
func (o *owner) stamp(
	ctx context.Context, stream string, events []contract.Event,
) []contract.Recorded {
	version, last := o.s.index.last(stream).Version, o.last
	recorded := make([]contract.Recorded, len(events))
	for i, e := range events {
		version++
		last = contract.Stamp(o.s.opts.Clock(ctx), last)
		e.EffectiveAt = e.EffectiveAt.UTC()
		recorded[i] = contract.Recorded{Event: e, Version: version, RecordedAt: last}
	}
	return recorded
}

// write commits the events with the head of their stream, and fills in their positions.
func (o *owner) write(ctx context.Context, recorded []contract.Recorded) error {
	records := o.records(recorded)
	head, err := o.headRecord(ctx, recorded[len(recorded)-1])
	if err != nil {
		return err
	}
	if err := o.producer.transact(ctx, append(records, head)); err != nil {
		return err
	}
	for i := range recorded {
		position := contract.Position{Partition: o.partition, Offset: records[i].Offset}
		recorded[i].Position = position
	}
	return nil
}

// indexBatch adds committed events to the index, and returns their receipts.
func (o *owner) indexBatch(recorded []contract.Recorded) ([]contract.Receipt, error) {
	var receipts []contract.Receipt
	for _, e := range recorded {
		if err := o.indexEvent(e); err != nil {
			return nil, err
		}
		receipts = append(receipts, receipt(e))
	}
	return receipts, nil
}

// resolve finds the outcome of a transaction that failed with cause. It returns nil after the index
// has that outcome. The append is then decided again: if its events landed, it is a retry, and gets
// their receipts. Otherwise resolve returns the error for the caller.
func (o *owner) resolve(ctx context.Context, cause error) error {
	o.leave()
	switch {
	case errors.Is(cause, errUnconfirmed):
		// The fence of the take-over makes the outcome final: a transaction that has not landed by
		// then never will. So the log up to our mark has the answer.
		if err := o.takeOver(ctx); err != nil {
			return fmt.Errorf("%w; read the log for its outcome: %w", cause, err)
		}
		return nil
	case isFenced(cause):
		return fmt.Errorf("%w: %w", contract.ErrFenced, cause)
	default:
		return cause
	}
}
