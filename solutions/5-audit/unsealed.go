package audit

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"example.com/blotter/labs/kit/contract"
)

// ErrBegun is wrapped by the error for a log that has no checkpoint, and shows that a seal began.
// Either that seal was the first one and was cut off, or the archive lost its checkpoints.
var ErrBegun = errors.New("no checkpoint is in the archive, and a seal began")

// CheckUnsealed fails if the log has no checkpoint, and something shows that it was sealed or that
// a seal began. Signatures show a published checkpoint: ErrRolledBack. An object of a seal in the
// archive, or the frontier that a seal commits to the log, shows that a seal began: ErrBegun. A
// Seal that runs at the same time shows that, too. Nobody signed a tile, so it may also be junk.
func (a *Auditor) CheckUnsealed(ctx context.Context) error {
	last, _, err := a.latest(ctx)
	if err != nil || last.Size > 0 {
		return err
	}
	var traces []string
	for _, trace := range []func(context.Context) (string, error){
		a.objectsOfSeals, a.committedFrontier, a.disposedBatches,
	} {
		found, err := trace(ctx)
		if err != nil {
			return err
		}
		if found != "" {
			traces = append(traces, found)
		}
	}
	if len(traces) == 0 {
		return nil
	}
	return fmt.Errorf("%w: %s", ErrBegun, strings.Join(traces, "; "))
}

// objectsOfSeals names the first object of the archive that has the name of a sealer's object.
func (a *Auditor) objectsOfSeals(ctx context.Context) (string, error) {
	names, err := a.Archive.List(ctx, "")
	names = slices.DeleteFunc(names, func(name string) bool {
		_, _, ok := slotOf(name)
		return !ok && name != lastCheckpoint
	})
	if len(names) == 0 {
		return "", err
	}
	return fmt.Sprintf("the archive has an object of a seal, %s (objects of seals: %d)", names[0],
		len(names)), err
}

// committedFrontier names the frontier that the log has on record for a seal.
func (a *Auditor) committedFrontier(ctx context.Context) (string, error) {
	if a.Committed == nil {
		return "", nil
	}
	at, begun, err := a.Committed(ctx)
	switch {
	case err != nil || !begun:
		return "", err
	case at.IsZero():
		return "the simulated log has on record that a seal began", nil
	}
	return fmt.Sprintf("the log has the frontier of a seal on record: %s",
		at.Format(time.RFC3339Nano)), nil
}

// disposedBatches names a sealed batch whose removal is on record in the log.
func (a *Auditor) disposedBatches(ctx context.Context) (string, error) {
	if a.Disposed == nil {
		return "", nil
	}
	gone, err := a.Disposed(ctx)
	if len(gone) == 0 {
		return "", err
	}
	return fmt.Sprintf("the log states that the records of sealed batches were removed: %d batches",
		len(gone)), err
}

// shown returns the largest checkpoint that was certainly published, so far as its copy and the
// cosignatures show it; the zero value without one. Read it BEFORE the checkpoints: each was
// published before it was copied or cosigned.
func (a *Auditor) shown(ctx context.Context) (contract.Checkpoint, error) {
	copied, err := a.copied(ctx)
	if err != nil {
		return copied, err
	}
	after := cosignatureFolder(copied.Size + 1)
	names, err := a.Archive.ListAfter(ctx, cosignatureNames, after)
	if err != nil {
		return copied, err
	}
	for _, name := range slices.Backward(names) {
		if c, err := a.openAnyCosigned(ctx, name); !isForeign(err) {
			return c, named(name, err)
		}
	}
	return copied, nil
}

// evidence returns the largest checkpoint of Options.Evidence; the zero value without one.
func (a *Auditor) evidence() (last contract.Checkpoint) {
	for _, signed := range a.Evidence {
		c, err := OpenCheckpoint(signed, a.Origin, a.Verifier)
		if err == nil && c.Size > last.Size { // evidence by another key counts for nothing
			last = c
		}
	}
	return last
}

// checkShown fails if the archive lost a checkpoint that was published: last is its last one.
func (a *Auditor) checkShown(ctx context.Context, shown, last contract.Checkpoint) error {
	if last.Size == 0 && shown.Size == 0 {
		shown = a.evidence()
	}
	if shown.Size <= last.Size {
		return nil
	}
	return a.checkPublished(ctx, shown)
}
