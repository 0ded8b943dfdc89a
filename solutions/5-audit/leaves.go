package audit

import (
	"context"

	"example.com/blotter/labs/kit/contract"
)

// Published is the archived checkpoint of this many leaves, or ErrAbsent. Size 0 asks for the last one; where nothing was ever
// sealed, that is the empty tree's, without a note. End is left nil, but for the last.
func (a *Auditor) Published(ctx context.Context, size int64) (contract.Checkpoint, error) {
	if size == 0 {
		last, _, err := a.latest(ctx)
		return last, err
	}
	return a.checkpoint(ctx, object(checkpoints, size))
}

// Leaves calls each with every archived leaf below size, in their order. at is where the event stood in the log, and nil for the header
// that closes a batch. It says what the archive holds, and does not hold it against any root: the caller does.
func (a *Auditor) Leaves(ctx context.Context, size int64, each func(index int64, at *contract.Position, leaf []byte) error) error {
	return a.leaves(ctx, size, func(index int64, e *entry, leaf []byte) error {
		if e == nil {
			return each(index, nil, leaf)
		}
		return each(index, &e.Position, leaf)
	})
}

var (
	_ contract.SealedLog     = (*Auditor)(nil)
	_ contract.SinceVerifier = (*Auditor)(nil)
)
