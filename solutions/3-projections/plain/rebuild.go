package projection

import (
	"context"
	"fmt"

	"example.com/blotter/labs/kit/contract"
)

// Rebuild folds the log from its beginning beside the live model, size events in a transaction,
// and then replaces the live model (L3.I5).
//
// A crash before the swap leaves the live model. The next swap deletes the partial one.
func (m *Model) Rebuild(ctx context.Context, log contract.Reader, size int) error {
	next, err := m.beside(ctx)
	if err != nil {
		return err
	}
	if err := catchUp(ctx, log, next, size); err != nil {
		return fmt.Errorf("rebuild: %w", err)
	}
	return m.swap(ctx, next, func() error { return catchUp(ctx, log, next, size) })
}

// swap replaces the live model with next. It first stops all processes that apply events, so that
// the live model stands still, and then calls finish, which brings next up to date. Readers see
// the live model until the commit, and then next.
func (m *Model) swap(ctx context.Context, next *Model, finish func() error) error {
	t, err := m.tables.begin(ctx)
	if err != nil {
		return err
	}
	defer t.rollback(ctx)
	if _, err := t.lockCursor(ctx); err != nil {
		return err
	}
	if err := finish(); err != nil {
		return fmt.Errorf("finish the new model: %w", err)
	}
	if err := t.replace(ctx, next.tables); err != nil {
		return err
	}
	return t.commit(ctx)
}

// Snapshot returns the whole model of one moment, with its cursor (L3.I7).
func (m *Model) Snapshot(ctx context.Context) ([]byte, error) {
	all, err := m.tables.read(ctx)
	if err != nil {
		return nil, err
	}
	return snapshot{snapshotFormat, all}.encode()
}

// Restore replaces the model with a snapshot, in one step. The model continues from the
// snapshot's cursor. A snapshot of another format changes nothing (L3.I7).
func (m *Model) Restore(ctx context.Context, data []byte) error {
	s, err := decodeSnapshot(data)
	if err != nil {
		return err
	}
	if s.Format != snapshotFormat {
		return fmt.Errorf("the snapshot has format %q, want %q", s.Format, snapshotFormat)
	}
	next, err := m.beside(ctx)
	if err != nil {
		return err
	}
	return m.swap(ctx, next, func() error { return next.load(ctx, s.Rows) })
}
