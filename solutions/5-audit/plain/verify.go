package audit

import (
	"context"

	"example.com/blotter/labs/kit/contract"
)

// Verify implements contract.Auditor.
func (a *Auditor) Verify(ctx context.Context) (v contract.Verification, err error) {
	batches, checkpoints, err := a.archived(ctx)
	if err != nil {
		return v, err
	}
	end, err := a.Log.End(ctx) // AFTER the archive was read: the log is then at least as long
	if err != nil {
		return v, err
	}
	var leaves [][]byte
	var last contract.BatchHeader
	var previous contract.Hash
	var differs *contract.Fault // log and archive; the next checkpoint shows which was changed
	for _, c := range checkpoints {
		for int64(len(leaves)) < c.Size {
			if v.Batches == len(batches) || batches[v.Batches].First != int64(len(leaves)) {
				v.Fault = archiveFault(differs, "the batch at leaf %d is missing", len(leaves))
				return v, nil
			}
			b := batches[v.Batches]
			h := b.Header
			if differs == nil {
				events, err := a.read(ctx, h.From, h.To)
				if err != nil {
					return v, err
				}
				differs = difference(b, events)
			}
			if h.Number != last.Number+1 || h.Previous != previous || !h.From.Equal(last.To) ||
				h.Events != int64(len(b.Events)) {
				v.Fault = archiveFault(differs, "batch %d does not follow batch %d",
					h.Number, last.Number)
				return v, nil
			}
			leaves, last, previous = append(leaves, b.Leaves()...), h, hash(0, h.Leaf())
			v.Batches, v.Sealed = v.Batches+1, v.Sealed+h.Events
		}
		if int64(len(leaves)) != c.Size || Root(leaves) != c.Root {
			v.Fault = archiveFault(differs, "its batches do not give the root of checkpoint %d",
				c.Size)
			return v, nil
		}
		v.Checkpoint = c
		if differs != nil {
			v.Fault = differs
			return v, nil
		}
	}
	v.Checkpoint.End = last.To
	events, err := a.read(ctx, last.To, end)
	v.Unanchored = int64(len(events))
	return v, err
}
