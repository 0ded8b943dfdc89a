package projection

import (
	"fmt"
	"slices"

	"example.com/blotter/labs/kit/contract"
)

// Fresh are the events that a model at cursor has not taken (L3.I2).
func Fresh(events []contract.Recorded, cursor contract.Cursor) []contract.Recorded {
	seen := func(r contract.Recorded) bool { return cursor.Covers(r.Position) }
	return slices.DeleteFunc(slices.Clone(events), seen)
}

// InTurn holds r against the version that its stream comes to next. A feed that skips an event, or brings one twice, is not the log: a
// model that went on with it would be wrong, and not say so.
func InTurn(r contract.Recorded, next int64) error {
	if r.Version == next {
		return nil
	}
	return fmt.Errorf("stream %s goes on with version %d at position %s, want %d: the feed skipped events, or brought one twice",
		r.Stream, r.Version, r.Position, next)
}
