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
	next := contract.BatchHeader{Number: 1}
	for _, b := range batches {
		h := b.Header
		if !follows(b, int64(len(leaves)), next) {
			return c, fmt.Errorf("%w: no batch %d follows at leaf %d",
				ErrForked, next.Number, len(leaves))
		}
		if b.First >= c.Size { // a crash left it; nothing was signed yet
			events, err := a.read(ctx, h.From, h.To)
			if err != nil {
				return c, err
			}
			if at := difference(b, events); at != nil {
				return c, fmt.Errorf("%w: %w", ErrForked, at)
			}
		}
		leaves = append(leaves, b.Leaves()...)
		next = contract.BatchHeader{Number: h.Number + 1, Previous: hash(0, h.Leaf()), From: h.To}
	}
	if len(checkpoints) > 0 && (int64(len(leaves)) < c.Size || Root(leaves[:c.Size]) != c.Root) {
		return c, fmt.Errorf("%w: its batches do not give the root of checkpoint %d",
			ErrForked, c.Size)
	}
	end, err := a.Log.End(ctx)
	if err != nil {
		return c, err
	}
	if !end.Reaches(next.From) {
		return c, fmt.Errorf("%w: the log ends at %s, its batches at %s", ErrForked, end, next.From)
	}
	events, err := a.read(ctx, next.From, end)
	if err != nil {
		return c, err
	}
	if len(events) > 0 {
		next.To, next.Events = end, int64(len(events))
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
