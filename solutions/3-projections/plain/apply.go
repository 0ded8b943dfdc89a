package projection

import (
	"context"
	"fmt"

	"example.com/blotter/labs/kit/contract"
)

// Advance returns the events that a model at cursor has not taken yet, in their order, and the
// model's cursor after them (L3.I2). next is the cursor after the batch. The model may be past it.
func Advance(cursor contract.Cursor, batch []contract.Recorded, next contract.Cursor) (
	fresh []contract.Recorded, to contract.Cursor, err error) {
	for _, r := range batch {
		if !cursor.Covers(r.Position) {
			fresh = append(fresh, r)
		}
	}
	return fresh, cursor.Max(next), nil
}

// Apply adds the events that are new to the model, and moves its cursor, in one transaction
// (L3.I1).
func (m *Model) Apply(ctx context.Context, batch []contract.Recorded, next contract.Cursor) error {
	t, err := m.tables.begin(ctx)
	if err != nil {
		return err
	}
	defer t.rollback(ctx)
	cursor, err := t.lockCursor(ctx)
	if err != nil {
		return err
	}
	fresh, to, err := Advance(cursor, batch, next)
	if err != nil {
		return err
	}
	if err := m.store(ctx, t, fresh); err != nil {
		return fmt.Errorf("apply %d events up to %s: %w", len(batch), next, err)
	}
	if err := t.moveCursor(ctx, to); err != nil {
		return err
	}
	// A crash before the commit leaves the rows and the cursor of before: the batch is read again.
	// A crash after it leaves the rows and the cursor of after, even if the caller never hears of
	// it: the same batch again then changes nothing.
	return t.commit(ctx)
}
