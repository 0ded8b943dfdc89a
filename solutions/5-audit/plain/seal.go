package audit

import (
	"context"
	"fmt"

	"example.com/blotter/labs/kit/contract"
)

// Seal implements contract.Auditor.
func (a *Auditor) Seal(ctx context.Context) (c contract.Checkpoint, err error) {
	batches, checkpoints, err := a.archived(ctx)
	if err != nil {
		return c, err
	}
	if len(checkpoints) > 0 {
		c = checkpoints[len(checkpoints)-1]
	}
	var leaves [][]byte
	var last contract.BatchHeader
	next := contract.BatchHeader{Number: 1}
	for _, b := range batches {
		if b.First >= c.Size { // a crash left it; nothing was signed yet
			events, err := a.read(ctx, b.Header.From, b.Header.To)
			if err != nil {
				return c, err
			}
			if at := difference(b, events); at != nil {
				return c, fmt.Errorf("%w: %w", ErrForked, at)
			}
			h := b.Header
			if h.Number != next.Number || h.Previous != next.Previous ||
				!h.From.Equal(last.To) || h.Events != int64(len(b.Events)) {
				return c, fmt.Errorf("%w: batch %d breaks the chain", ErrForked, h.Number)
			}
		}
		leaves, last = append(leaves, b.Leaves()...), b.Header
		next = contract.BatchHeader{Number: last.Number + 1, Previous: hash(0, last.Leaf())}
	}
	if len(checkpoints) > 0 && (int64(len(leaves)) < c.Size || Root(leaves[:c.Size]) != c.Root) {
		return c, fmt.Errorf("%w: its batches do not give the root of checkpoint %d",
			ErrForked, c.Size)
	}
	end, err := a.Log.End(ctx)
	if err != nil {
		return c, err
	}
	events, err := a.read(ctx, last.To, end)
	if err != nil {
		return c, err
	}
	if len(events) > 0 {
		next.From, next.To, next.Events = last.To, end, int64(len(events))
		b := contract.SealedBatch{
			First: int64(len(leaves)), Header: next, Events: sealedEvents(events),
		}
		if err := a.putBatch(ctx, b); err != nil {
			return c, err
		}
		leaves = append(leaves, b.Leaves()...)
	}
	// A crash here leaves a batch that no checkpoint covers. The next Seal continues after it.
	if int64(len(leaves)) == c.Size {
		return c, nil
	}
	return a.publish(ctx, int64(len(leaves)), Root(leaves))
}
