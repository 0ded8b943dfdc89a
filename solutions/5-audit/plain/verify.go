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
	next := contract.BatchHeader{Number: 1}
	var differs *contract.Fault // log and archive; the next checkpoint shows which was changed
	for _, c := range checkpoints {
		for size := int64(len(leaves)); size < c.Size; size = int64(len(leaves)) {
			if v.Batches == len(batches) || !follows(batches[v.Batches], size, next) {
				v.Fault = archiveFault(differs, "no batch %d follows at leaf %d", next.Number, size)
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
			leaves = append(leaves, b.Leaves()...)
			next.Number, next.Previous, next.From = h.Number+1, hash(0, h.Leaf()), h.To
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
	v.Checkpoint.End = next.From
	events, err := a.read(ctx, next.From, end)
	v.Unanchored = int64(len(events))
	return v, err
}
