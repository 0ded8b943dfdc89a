package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"example.com/blotter/capstone/session"
	"example.com/blotter/labs/kit/contract"
	audit "example.com/blotter/solutions/5-audit"
)

type verifyCmd struct {
	Since string `help:"${verify_since}" placeholder:"FILE" type:"existingfile"`
}

func (c *verifyCmd) Run(ctx context.Context, a *app) error {
	s, err := a.open(ctx, session.Inspect)
	if err != nil {
		return err
	}
	auditor, err := s.Auditor(ctx)
	if err != nil {
		return err
	}
	v, err := c.verify(ctx, auditor)
	if err != nil {
		return err
	}
	if err := a.verified(of(s), v); err != nil {
		return err
	}
	return verifyIndex(ctx, s)
}

// verifyIndex returns a failure if the index of the log has other events than the log. An index
// that cannot be used is not a finding.
func verifyIndex(ctx context.Context, s *session.Session) error {
	_, err := s.CheckIndex(ctx)
	if errors.Is(err, session.ErrIndexDiffers) {
		return &failure{fmt.Sprintf("the log verifies, and its index was changed: %v", err),
			indexHint}
	}
	return ctx.Err()
}

// verify compares the log with its archive, and the archive with the kept checkpoint if there is
// one.
func (c *verifyCmd) verify(
	ctx context.Context, a *session.Auditor,
) (v contract.Verification, err error) {
	if c.Since == "" {
		return a.Verify(ctx)
	}
	kept, err := os.ReadFile(c.Since)
	if err != nil {
		return v, err
	}
	v, err = a.VerifySince(ctx, kept)
	if errors.Is(err, audit.ErrCheckpoint) {
		err = &failure{err.Error(),
			"if blotter seal wrote this file for this log, " +
				"the log's key was replaced: restore keys/ from a backup"}
	}
	return v, err
}

// verified prints a verification. A fault is a failure, and so is an offender.
func (a *app) verified(c caveat, v contract.Verification) error {
	found := map[string]any{
		"holds":      v.Fault == nil && len(v.Offenders) == 0,
		"checkpoint": checkpointJSON(v.Checkpoint), "offenders": offendersJSON(v.Offenders),
		"batches": v.Batches, "sealed": v.Sealed, "unanchored": v.Unanchored,
	}
	if v.Fault == nil {
		answered := a.answer(c, found, func(w io.Writer) { printVerification(w, v) })
		return firstOf(answered, checkOffenders(v.Offenders))
	}
	found["fault"] = faultJSON(v.Fault)
	return a.refuted(c, found, &failure{fmt.Sprintf("the log does not verify: %v", v.Fault),
		"keep log and archive as they are: both are evidence now; " + noBackupVerifies})
}

func faultJSON(f *contract.Fault) any {
	if f.Leaf < 0 {
		return map[string]any{"what": f.What}
	}
	return map[string]any{"what": f.What, "leaf": f.Leaf, "position": f.Position}
}

func printVerification(w io.Writer, v contract.Verification) {
	if v.Checkpoint.Size == 0 {
		fmt.Fprintf(w, "nothing is sealed yet; %s unanchored\n", plural(v.Unanchored, "event"))
		return
	}
	batches := "1 batch"
	if v.Batches != 1 {
		batches = fmt.Sprintf("%d batches", v.Batches)
	}
	fmt.Fprintf(w, "verified to checkpoint %s\n", nameOf(v.Checkpoint))
	fmt.Fprintf(w, "  %s in %s under it; %d past it, unanchored\n", plural(v.Sealed, "event"),
		batches, v.Unanchored)
}
