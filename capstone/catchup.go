package capstone

import (
	"context"
	"fmt"

	"example.com/blotter/labs/kit/contract"
)

// batch is how many events a projection takes in one transaction.
const batch = 1000

// CatchUp brings a projection to the end of the log and says how many events that took.
func CatchUp(ctx context.Context, log contract.Reader, p contract.Projection) (int64, error) {
	from, err := p.Cursor(ctx)
	if err != nil {
		return 0, err
	}
	to, err := log.End(ctx)
	if err != nil {
		return 0, err
	}
	var taken int64
	var events []contract.Recorded
	apply := func(next contract.Cursor) error {
		if err := p.Apply(ctx, events, next); err != nil {
			return fmt.Errorf("projection: %w", err)
		}
		taken += int64(len(events))
		from, events = next, events[:0]
		return nil
	}
	next := from
	for recorded, err := range log.Read(ctx, from, to) {
		if err != nil {
			return taken, err
		}
		events = append(events, recorded)
		next = next.After(recorded.Position)
		if len(events) == batch {
			if err := apply(next); err != nil {
				return taken, err
			}
		}
	}
	return taken, apply(to) // also steps over what is no event: control records and markers
}
