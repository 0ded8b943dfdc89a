package projection

import (
	"context"
	"fmt"

	"example.com/blotter/labs/kit/contract"
)

// Project brings p up to the cursor to, in batches of size events. Once it returns nil the model is that of every event
// before to, and to is its cursor: offsets of a feed may have holes, so the position of the last event does not tell.
//
// A crash between two batches leaves p at the first of them. Project again goes on from there.
func Project(ctx context.Context, log contract.Reader, p contract.Projection, to contract.Cursor, size int) error {
	from, err := p.Cursor(ctx)
	if err != nil {
		return fmt.Errorf("where to project from: %w", err)
	}
	next, batch := from, make([]contract.Recorded, 0, size)
	for r, err := range log.Read(ctx, from, to) {
		if err != nil {
			return fmt.Errorf("read the log behind %s: %w", next, err)
		}
		batch, next = append(batch, r), next.After(r.Position)
		if len(batch) < size {
			continue
		}
		if err := p.Apply(ctx, batch, next); err != nil {
			return err
		}
		batch = batch[:0]
	}
	return p.Apply(ctx, batch, to)
}
