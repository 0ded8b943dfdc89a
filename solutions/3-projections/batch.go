package projection

import (
	"slices"

	"example.com/blotter/labs/kit/contract"
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
