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

// keep writes the signed note of a checkpoint to a file of its own. What was kept is not written over: an archive may have been changed
// between the two, and then only the older one tells.
func keep(path string, c contract.Checkpoint) error {
	if len(c.Note) == 0 {
		return &failure{"nothing is sealed yet, so there is no checkpoint to keep", "import something first"}
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, os.ErrExist) {
		return &failure{fmt.Sprintf("%s is there already", path), "what was kept is not written over: name another file"}
	}
	if err != nil {
		return err
	}
	_, err = file.Write(c.Note)
	return errors.Join(err, file.Close())
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
