package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"example.com/blotter/labs/kit/contract"
	audit "example.com/blotter/solutions/5-audit"
)

// beyond is the auditor as one that does more than its contract asks, or a failure that says what this one does not do.
func beyond[T any](a contract.Auditor, does string) (T, error) {
	more, ok := a.(T)
	if !ok {
		return more, &failure{fmt.Sprintf("an auditor of type %T does not %s", a, does), "wire.go chose it; the one of solutions/5-audit does"}
	}
	return more, nil
}

// verify holds the log against its archive, and the archive against a checkpoint that was kept, if there is one.
func (c *verifyCmd) verify(ctx context.Context, a contract.Auditor) (contract.Verification, error) {
	if c.Since == "" {
		return a.Verify(ctx)
	}
	kept, err := os.ReadFile(c.Since)
	if err != nil {
		return contract.Verification{}, err
	}
	since, err := beyond[interface {
		VerifySince(ctx context.Context, known []byte) (contract.Verification, error)
	}](a, "verify since a checkpoint that was kept")
	if err != nil {
		return contract.Verification{}, err
	}
	v, err := since.VerifySince(ctx, kept)
	if errors.Is(err, audit.ErrCheckpoint) {
		err = &failure{err.Error(), "if blotter seal wrote that file for this log, the log's key is no longer the one that signed it"}
	}
	return v, err
}
