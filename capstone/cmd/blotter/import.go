package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"example.com/blotter/capstone"
	"example.com/blotter/capstone/lines"
	"example.com/blotter/capstone/session"
)

type importCmd struct {
	File     string `arg:"" help:"Commands as JSON Lines; - is standard input."`
	Simulate bool   `help:"${import_simulate}"`
	Quiet    bool   `help:"Do not list the refused lines."`
}

func (c *importCmd) Run(ctx context.Context, a *app) error {
	input, err := openInput(c.File)
	if err != nil {
		return err
	}
	defer input.Close()
	config := a.config()
	config.Source = c.source()
	config.New = a.newLog(c.Simulate)
	s, err := a.openAs(ctx, config, session.Write)
	if err != nil {
		return err
	}
	progress, last := a.progress("lines"), 0
	n, err := s.System().Import(ctx, lines.Read(input), func(r capstone.Result) {
		progress.add()
		last = r.Line
		if text := remark(c.File, r); text != "" && !(c.Quiet && r.Problem == nil) {
			progress.clear()
			printLine(a.stderr, "%s", text)
		}
	})
	progress.clear()
	switch {
	case ctx.Err() != nil && err != nil:
		err = interrupted(last)
	case err != nil:
		return err
	default:
		err = firstOf(checkComplete(n), checkOrphans(n.Orphaned))
	}
	answer := struct {
		capstone.Imported
		Orphans []orphan `json:"apart,omitempty"`
	}{n, orphansOf(n.Orphaned)}
	return errors.Join(a.answer(of(s), answer, func(w io.Writer) {
		printImported(w, n)
		printOrphans(w, answer.Orphans)
	}), err)
}

// source names the input in the events that come from it.
func (c *importCmd) source() string {
	if c.File == "-" {
		return "stdin"
	}
	return strings.ToValidUTF8(filepath.ToSlash(c.File), "�")
}

// interrupted is the failure of an import that was told to end. Every line that was counted is on
// record; lines in flight may be.
func interrupted(last int) error {
	after := fmt.Sprintf("interrupted after line %d", last)
	if last == 0 {
		after = "interrupted before the first line"
	}
	return &outage{after, "import the file again: recorded commands are not repeated"}
}

// remark describes a line that was not simply accepted; empty for one that was.
func remark(file string, r capstone.Result) string {
	at := fmt.Sprintf("%s: line %d", file, r.Line)
	var bad *lines.Error
	switch refusal := r.Outcome.Refusal; {
	case errors.As(r.Problem, &bad):
		return fmt.Sprintf("%s: %v", file, bad)
	case r.Problem != nil:
		return fmt.Sprintf("%s: %s: %v", at, lines.Reused, r.Problem)
	case r.SameAs > 0 && refusal != nil:
		return fmt.Sprintf("%s: %s: the same as line %d, and refused with it: %s: %s",
			at, lines.Repeated, r.SameAs, refusal.Rule, refusal.Detail)
	case r.SameAs > 0:
		return fmt.Sprintf("%s: %s: the same as line %d, and recorded once",
			at, lines.Repeated, r.SameAs)
	case refusal != nil:
		return fmt.Sprintf("%s: %s: %s", at, refusal.Rule, refusal.Detail)
	}
	return ""
}

func printImported(w io.Writer, n capstone.Imported) {
	fmt.Fprintf(w, "%s: %d accepted, %d refused, %d bad; %d of them were already on record\n",
		plural(int64(n.Lines), "line"), n.Accepted, n.Refused, n.Bad, n.Again)
	if n.Repeated > 0 {
		fmt.Fprintf(w, "  %s given twice, and counted once\n", plural(int64(n.Repeated), "line"))
	}
	if n.Accepted > 0 {
		fmt.Fprintln(w, "  accepted")
		printCounts(w, n.Kinds)
	}
	if n.Refused > 0 {
		fmt.Fprintln(w, "  refused, by rule")
		printCounts(w, n.Rules)
	}
}

// checkComplete fails an import that did not accept every line.
func checkComplete(n capstone.Imported) error {
	if n.Bad+n.Refused == 0 {
		return nil
	}
	hint := "correct the bad lines and import the file again: recorded commands are not repeated"
	if n.Bad == 0 {
		hint = "a refusal stays on record: send a corrected command with a new id"
	}
	return &failure{fmt.Sprintf("%d of %d lines were not accepted: %d bad, %d refused",
		n.Bad+n.Refused, n.Lines, n.Bad, n.Refused), hint}
}

// checkOrphans fails an import that leaves two contracts that do not match.
func checkOrphans(all []capstone.OrphanedFollowUp) error {
	if len(all) == 0 {
		return nil
	}
	text := "1 contract no longer matches the event that created it"
	if len(all) > 1 {
		text = fmt.Sprintf("%d contracts no longer match the events that created them", len(all))
	}
	return &failure{text, "annul the cause; " +
		"or correct the contract, then restate its cause, which restates the contract"}
}

// openInput opens a file of JSON Lines, or standard input for "-".
func openInput(file string) (io.ReadCloser, error) {
	if file == "-" {
		return io.NopCloser(os.Stdin), nil
	}
	const hint = "name a file of JSON Lines, or - for standard input"
	f, err := os.Open(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &usageError{fmt.Sprintf("there is no file %s", file), hint}
	}
	if err != nil {
		return nil, &usageError{err.Error(), hint}
	}
	if info, err := f.Stat(); err == nil && info.IsDir() {
		f.Close()
		return nil, &usageError{fmt.Sprintf("%s is a folder", file), hint}
	}
	return f, nil
}
