package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"example.com/blotter/capstone/session"
	"example.com/blotter/labs/kit/contract"
	audit "example.com/blotter/solutions/5-audit"
)

type sealCmd struct {
	Keep string `help:"${seal_keep}" placeholder:"FILE"`
}

func (c *sealCmd) Run(ctx context.Context, a *app) error {
	s, err := a.open(ctx, session.Seal)
	if err != nil {
		return err
	}
	auditor, err := s.Sealer(ctx)
	if err != nil {
		return err
	}
	begun := unsealed(ctx, auditor, nil) // a first seal that was cut off is continued
	if begun != nil && !errors.Is(begun, audit.ErrBegun) {
		return begun
	}
	seal := auditor.Seal
	if c.Keep != "" {
		seal = func(ctx context.Context) (contract.Checkpoint, error) {
			return sealAndKeep(ctx, auditor, c.Keep)
		}
	}
	checkpoint, err := seal(ctx)
	if err != nil { // a published checkpoint may have offenders all the same
		err = firstOf(withEvidence(s, err), err)
		return errors.Join(err, checkOffenders(checkpoint.Offenders))
	}
	witnesses, err := auditor.Witnessed(ctx, checkpoint)
	if err != nil && !errors.Is(err, audit.ErrUnwitnessed) { // it is published
		return err
	}
	found := sealedJSON(checkpoint, auditor.Foreign, witnesses)
	answered := a.answer(of(s), found, func(w io.Writer) {
		defer printForeign(w, auditor.Foreign)
		if checkpoint.Size == 0 {
			fmt.Fprintln(w, "nothing to seal: the log has no event yet")
			return
		}
		fmt.Fprintf(w, "sealed to checkpoint %s\n", nameOf(checkpoint))
		if begun != nil {
			printLine(w, "  before this seal: %v; if it was finished, its checkpoints are lost: "+
				"look for a backup of the archive", begun)
		}
		printWitnesses(w, witnesses, err)
	})
	return firstOf(answered, checkOffenders(checkpoint.Offenders))
}

// printWitnesses prints the cosignatures of a checkpoint; nothing without a policy.
func printWitnesses(w io.Writer, all []audit.Cosignature, unwitnessed error) {
	if len(all) > 0 {
		printLine(w, "  %s", witnessLine(all))
	}
	if unwitnessed != nil {
		printLine(w, "  %v", unwitnessed)
	}
}

func sealedJSON(
	c contract.Checkpoint, foreign map[string]error, witnesses []audit.Cosignature,
) any {
	answer := checkpointJSON(c)
	answer["foreign"] = foreignJSON(foreign)
	answer["witnesses"] = append([]audit.Cosignature{}, witnesses...)
	answer["offenders"] = offendersJSON(c.Offenders)
	return answer
}

// checkOffenders fails a command that met events whose times cannot be true. It names the first
// ones.
func checkOffenders(all []contract.Offender) error {
	if len(all) == 0 {
		return nil
	}
	const most = 5
	var lines []string
	for _, o := range all[:min(most, len(all))] {
		lines = append(lines, o.String())
	}
	if more := len(all) - most; more > 0 {
		lines = append(lines, fmt.Sprintf("and %d more: see --json", more))
	}
	text := "1 event has a recorded_at that cannot be true: "
	if len(all) > 1 {
		text = fmt.Sprintf("%d events have a recorded_at that cannot be true: ", len(all))
	}
	return &failure{text + strings.Join(lines, "; "),
		"the events stay on record and sealed: find out who could write to the log at its store"}
}

func offendersJSON(all []contract.Offender) []any {
	out := []any{}
	for _, o := range all {
		out = append(out, map[string]any{"what": o.What, "leaf": o.Leaf, "position": o.Position})
	}
	return out
}

func checkpointJSON(c contract.Checkpoint) map[string]any {
	return map[string]any{
		"origin": c.Origin, "size": c.Size,
		"root": fmt.Sprintf("%x", c.Root), "note": string(c.Note),
	}
}

// nameOf returns the name of a checkpoint: its origin and size, and the root that no other log of
// that size has.
func nameOf(c contract.Checkpoint) string {
	return fmt.Sprintf("%s/%d, root %x", c.Origin, c.Size, c.Root)
}

// sealAndKeep seals, and writes the signed note of the checkpoint to a file. The file is created
// BEFORE anything is sealed: if that is impossible, nothing has happened. A crash after it leaves
// an empty file, which is no checkpoint. A published checkpoint is written, whatever failed after
// it.
func sealAndKeep(
	ctx context.Context, a contract.Auditor, path string,
) (contract.Checkpoint, error) {
	file, err := reserve("--keep", path)
	if err != nil {
		return contract.Checkpoint{}, err
	}
	c, err := a.Seal(ctx)
	if err == nil && len(c.Note) == 0 {
		err = &failure{"nothing is sealed yet: there is no checkpoint to keep",
			"import something first"}
	}
	_, failed := file.Write(c.Note)
	failed = errors.Join(failed, file.Sync(), file.Close())
	if failed != nil || len(c.Note) == 0 {
		failed = errors.Join(failed, os.Remove(path))
	}
	return c, errors.Join(err, failed)
}

// reserve creates the file. It never overwrites a checkpoint: if the archive was changed between
// the two, only the older one shows it.
func reserve(flag, path string) (*os.File, error) {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err == nil {
		return file, nil
	}
	if info, missing := os.Stat(path); missing == nil && info.IsDir() {
		return nil, &usageError{fmt.Sprintf("%s: %s is a folder", flag, path), "name a new file"}
	}
	if errors.Is(err, os.ErrExist) {
		return nil, &usageError{fmt.Sprintf("%s: %s already exists", flag, path),
			"the file is never overwritten: name another one"}
	}
	return nil, &usageError{flag + ": " + err.Error(), "name a file that can be written"}
}
