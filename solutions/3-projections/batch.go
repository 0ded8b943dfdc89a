package projection

import (
	"context"
	"fmt"
	"slices"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
)

// Fresh are the events that a model at cursor has not taken (L3.I2).
func Fresh(events []contract.Recorded, cursor contract.Cursor) []contract.Recorded {
	seen := func(r contract.Recorded) bool { return r.Position.Offset < cursor.At(r.Position.Partition) }
	return slices.DeleteFunc(slices.Clone(events), seen)
}

// Furthest is, for each partition, the later of a and b. A model's cursor moves by it, so that a batch which comes
// again does not move it back.
func Furthest(a, b contract.Cursor) contract.Cursor {
	if len(a) < len(b) {
		a, b = b, a
	}
	furthest := slices.Clone(a)
	for partition, offset := range b {
		furthest[partition] = max(furthest[partition], offset)
	}
	return furthest
}

// Decode is the event as the domain sees it. A body that does not decode is an error which says where it stands in the
// log; a projection stops there, for a model that skipped an event would be wrong and not say so.
func Decode(ctx context.Context, codec contract.Codec, r contract.Recorded) (trade.Event, error) {
	body, err := codec.Decode(ctx, r.Type, r.Data)
	if err != nil {
		return trade.Event{}, fmt.Errorf("event %s of stream %s, version %d, position %s: %w", r.ID, r.Stream, r.Version, r.Position, err)
	}
	return trade.Event{
		ID:          r.ID,
		Version:     r.Version,
		Corrects:    r.Corrects,
		EffectiveAt: r.EffectiveAt.UTC(),
		RecordedAt:  r.RecordedAt.UTC(),
		Body:        body,
	}, nil
}
