package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"golang.org/x/mod/sumdb/note"

	"example.com/blotter/capstone/session"
	"example.com/blotter/labs/kit/contract"
	audit "example.com/blotter/solutions/5-audit"
)

type verifyCmd struct {
	Key   string `help:"${verify_key}" placeholder:"KEY"`
	Since string `help:"${verify_since}" placeholder:"FILE" type:"existingfile"`

	Policy string `help:"${verify_policy}" placeholder:"FILE" type:"existingfile"`
}

func (c *verifyCmd) Run(ctx context.Context, a *app) error {
	s, auditor, err := a.auditor(ctx, c.Key)
	if err != nil {
		return err
	}
	if c.Policy != "" {
		if auditor.Reference.Policy, err = readPolicy(c.Policy); err != nil {
			return err
		}
	}
	v, err := c.verify(ctx, auditor)
	if err != nil {
		return err
	}
	if v.Fault != nil { // nothing else that fails may hide it
		err = a.verified(of(s), v, auditor.Foreign, besides{})
		if len(v.Fault.Notes) > 0 {
			return kept(s, err.Error(), v.Fault.Notes, hintOf(err))
		}
		return err
	}
	more := besides{signers: auditor.Keys.Verifier.(*audit.Ring).Rotations()}
	more.witnesses, more.unwitnessed = auditor.Witnessed(ctx, v.Checkpoint)
	if v.Checkpoint.Size == 0 {
		more.begun = unsealed(ctx, auditor, nil)
	}
	if more.stray = verifyTables(ctx, s); more.stray == nil {
		more.stray = verifyIndex(ctx, s, v.Unanchored)
	}
	return a.verified(of(s), v, auditor.Foreign, more)
}

// auditor opens the log and its archive for checking, with the public key alone: the given one, or
// the folder's if that is empty.
func (a *app) auditor(
	ctx context.Context, text string,
) (s *session.Session, auditor *session.Auditor, err error) {
	var key note.Verifier
	if text != "" {
		if key, err = verifierKey(text); err != nil {
			return nil, nil, err
		}
	}
	if s, err = a.open(ctx, session.Inspect); err != nil {
		return nil, nil, err
	}
	auditor, err = s.Auditor(ctx, key)
	return s, auditor, err
}

// verifyTables returns a failure if the database has events of the log that no append wrote. They
// are not in the feed, so they are under no checkpoint, and count nowhere.
func verifyTables(ctx context.Context, s *session.Session) error {
	strays, err := s.Strays(ctx)
	if err != nil || len(strays) == 0 {
		return err
	}
	return &failure{"the log verifies, and its database has more: " + strings.Join(strays, "; "),
		strayHint}
}

// verifyIndex returns a failure if the index of a log that verifies has other events than the log.
// Without events past the checkpoint, the index was changed. With such events, they may have been.
// An index that cannot be used is not a finding.
func verifyIndex(ctx context.Context, s *session.Session, unanchored int64) error {
	_, err := s.CheckIndex(ctx)
	if !errors.Is(err, session.ErrIndexDiffers) {
		return ctx.Err()
	}
	if unanchored == 0 {
		return &failure{fmt.Sprintf("the log verifies, and its index was changed: %v", err),
			indexHint}
	}
	return &failure{fmt.Sprintf("the log verifies to its checkpoint, and the index or an event "+
		"past the checkpoint was changed: %v", err),
		"find out who changed the index files or the log; keep both as they are"}
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

// The checks besides that of log and archive: for the cosignatures of the checkpoint, and for
// strays in the database and the index.
type besides struct {
	witnesses   []audit.Cosignature
	signers     []audit.Rotation // the ways from and to the given key
	unwitnessed error            // the policy asks for more, or it could not be checked
	begun       error            // no checkpoint is there, and something shows that a seal began
	stray       error            // of verifyTables or verifyIndex
}

func (b besides) failed() error { return firstOf(b.begun, firstOf(b.unwitnessed, b.stray)) }

// verified prints a verification. A fault is a failure, and so is an offender, and a failure
// besides. A foreign object is not, because it counts for nothing.
func (a *app) verified(
	c caveat, v contract.Verification, foreign map[string]error, more besides,
) error {
	found := map[string]any{
		"holds":      v.Fault == nil && len(v.Offenders) == 0 && more.failed() == nil,
		"witnesses":  append([]audit.Cosignature{}, more.witnesses...),
		"checkpoint": checkpointJSON(v.Checkpoint), "offenders": offendersJSON(v.Offenders),
		"since": v.Since, "batches": v.Batches, "sealed": v.Sealed, "unanchored": v.Unanchored,
		"foreign": foreignJSON(foreign), "signers": append([]audit.Rotation{}, more.signers...),
	}
	if len(foreign) == 0 && (v.Since > 0 || v.Fault != nil) {
		found["foreign"] = nil // nobody looked for them
	}
	if v.Fault == nil {
		answered := a.answer(c, found, func(w io.Writer) {
			if more.begun != nil {
				fmt.Fprintf(w, "no checkpoint; %s unanchored\n", plural(v.Unanchored, "event"))
			} else {
				printVerification(w, v)
			}
			printRotations(w, more.signers)
			printWitnesses(w, more.witnesses, nil)
			printForeign(w, foreign)
		})
		return firstOf(answered, firstOf(checkOffenders(v.Offenders), more.failed()))
	}
	found["fault"] = faultJSON(v.Fault)
	return a.refuted(c, found, unverifiedLog(v.Fault))
}

func unverifiedLog(f *contract.Fault) *failure {
	return &failure{fmt.Sprintf("the log does not verify: %v", f),
		"keep log and archive as they are: both are evidence now; " + noBackupVerifies}
}

// A foreignObject is an object in the archive that the log's key did not sign.
type foreignObject struct {
	Name string `json:"name"`
	What string `json:"what"`
}

func foreignJSON(all map[string]error) []foreignObject {
	out := []foreignObject{} // never nil: nothing is an empty list
	for _, name := range slices.Sorted(maps.Keys(all)) {
		out = append(out, foreignObject{name, all[name].Error()})
	}
	return out
}

// printForeign names the first foreign objects. Checkpoints of this log by another key come apart
// from the others: either a stranger planted them, or the public key is a stranger's.
func printForeign(w io.Writer, all map[string]error) {
	other, junk := map[string]error{}, maps.Clone(all)
	for name, why := range all {
		if errors.As(why, new(*audit.KeyError)) {
			other[name] = why
			delete(junk, name)
		}
	}
	printPassedOver(w, other, "checkpoint", "of this log by another key; "+
		"compare the log's key with a copy kept elsewhere (blotter verify --key)")
	printPassedOver(w, junk, "object", "in the archive that the log's key did not sign")
}

func printPassedOver(w io.Writer, all map[string]error, noun, what string) {
	const most = 5
	if len(all) == 0 {
		return
	}
	fmt.Fprintf(w, "passed over %s %s:\n", plural(int64(len(all)), noun), what)
	for i, o := range foreignJSON(all) {
		if i == most {
			fmt.Fprintf(w, "  and %d more: see --json\n", len(all)-most)
			break
		}
		fmt.Fprintf(w, "  %s: %s\n", o.Name, o.What)
	}
}

func faultJSON(f *contract.Fault) any {
	found := map[string]any{"what": f.What}
	if f.Leaf >= 0 {
		found["leaf"], found["position"] = f.Leaf, f.Position
	}
	var notes []string
	for _, signed := range f.Notes {
		notes = append(notes, string(signed))
	}
	if notes != nil {
		found["notes"] = notes
	}
	return found
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
	if v.Since > 0 {
		kept := fmt.Sprintf("%s/%d", v.Checkpoint.Origin, v.Since)
		fmt.Fprintf(w, "  %s in %s after checkpoint %s; %d past %s/%d, unanchored\n",
			plural(v.Sealed, "event"), batches, kept,
			v.Unanchored, v.Checkpoint.Origin, v.Checkpoint.Size)
		fmt.Fprintf(w, "  not checked: events and objects before checkpoint %s, and the version "+
			"of the first later event of each stream\n", kept)
		return
	}
	fmt.Fprintf(w, "  %s in %s under it; %d past it, unanchored\n", plural(v.Sealed, "event"),
		batches, v.Unanchored)
}
