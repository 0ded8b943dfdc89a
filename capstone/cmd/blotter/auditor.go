package main

import (
	"context"
	"fmt"

	"example.com/blotter/labs/kit/contract"
)

// beyond is the auditor as one that does more than its contract asks, or a failure that says what this one does not do.
func beyond[T any](a contract.Auditor, does string) (T, error) {
	more, ok := a.(T)
	if !ok {
		return more, &failure{fmt.Sprintf("an auditor of type %T does not %s", a, does), "wire.go chose it; the one of solutions/5-audit does"}
	}
	return more, nil
}

// published is the last checkpoint. It is the zero one where nothing was ever sealed, and where the auditor does not tell.
func published(ctx context.Context, a contract.Auditor) (contract.Checkpoint, error) {
	last, ok := a.(interface {
		Published(ctx context.Context, size int64) (contract.Checkpoint, error)
	})
	if !ok {
		return contract.Checkpoint{}, nil
	}
	return last.Published(ctx, 0)
}
