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
		if m := remarkOn(c.File, r); m != nil && !(c.Quiet && m.Result != "bad") {
			progress.clear()
			a.remark(m)
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
		Orphans []orphan `json:"orphaned,omitempty"`
	}{n, orphansOf(n.Orphaned)}
	return errors.Join(a.answer(of(s), answer, func(w io.Writer) {
		printImported(w, n)
		printOrphans(w, answer.Orphans)
	}), err)
}

// remark lists a line on standard error: for a program as an object of its own.
func (a *app) remark(m *remark) {
	if a.inJSON() {
		printObject(a.stderr, m)
		return
	}
	printLine(a.stderr, "%v", m)
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

// A remark is the result of a line that was not simply accepted.
type remark struct {
	File      string `json:"file"`
	Line      int    `json:"line"`
	CommandID string `json:"command_id,omitempty"`
	Result    string `json:"result"` // bad, refused, repeated or warned
	Field     string `json:"field,omitempty"`
	Rule      string `json:"rule"`
	Detail    string `json:"detail,omitempty"`
	SameAs    int    `json:"same_as,omitempty"` // the first line with the same command

	accepted bool // with the line that it repeats
}

// remarkOn returns the remark on a line; nil for a line that was accepted without a warning.
func remarkOn(file string, r capstone.Result) *remark {
	m := &remark{File: file, Line: r.Line, CommandID: r.Command.ID, Result: "bad", SameAs: r.SameAs}
	refusal := r.Outcome.Refusal
	if refusal != nil {
		m.Rule, m.Detail = string(refusal.Rule), refusal.Detail
	}
	var bad *lines.Error
	switch {
	case errors.As(r.Problem, &bad):
		m.Field, m.Rule, m.Detail = bad.Field, string(bad.Rule), bad.Detail
	case r.Problem != nil:
		m.Rule, m.Detail = string(lines.Reused), r.Problem.Error()
	case r.SameAs > 0:
		m.Result, m.accepted = "repeated", refusal == nil
		if m.accepted {
			m.Rule = string(lines.Repeated)
		}
	case refusal != nil:
		m.Result = "refused"
	case len(r.Outcome.Warnings) > 0:
		m.Result, m.Rule = "warned", "warning"
		m.Detail = strings.Join(r.Outcome.Warnings, "; ")
	default:
		return nil
	}
	return m
}

func (m *remark) String() string {
	at := fmt.Sprintf("%s: line %d", m.File, m.Line)
	switch {
	case m.Result == "repeated" && m.accepted:
		return fmt.Sprintf("%s: %s: the same as line %d, and recorded once",
			at, lines.Repeated, m.SameAs)
	case m.Result == "repeated":
		return fmt.Sprintf("%s: %s: the same as line %d, and refused with it: %s: %s",
			at, lines.Repeated, m.SameAs, m.Rule, m.Detail)
	case m.Field != "":
		return fmt.Sprintf("%s: %s: %s: %s", at, m.Field, m.Rule, m.Detail)
	}
	return fmt.Sprintf("%s: %s: %s", at, m.Rule, m.Detail)
}

func printImported(w io.Writer, n capstone.Imported) {
	fmt.Fprintf(w, "%s: %d accepted, %d refused, %d bad; %d of them were already on record\n",
		plural(int64(n.Lines), "line"), n.Accepted, n.Refused, n.Bad, n.Again)
	if n.Repeated > 0 {
		fmt.Fprintf(w, "  %s given twice, and counted once\n", plural(int64(n.Repeated), "line"))
	}
	if n.Warned > 0 {
		fmt.Fprintf(w, "  %s accepted with a warning\n", plural(int64(n.Warned), "line"))
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

// orphanHint mends orphaned follow-ups.
const orphanHint = "any blotter import issues the follow-ups that are missing; to mend a refused " +
	"one, correct the cause to quantity 0, or correct the contract that stands in the way and " +
	"then correct the cause again, which restates the contract"

// checkOrphans fails an import that leaves two contracts that do not match.
func checkOrphans(all []capstone.OrphanedFollowUp) error {
	if len(all) == 0 {
		return nil
	}
	text := "1 contract no longer matches the event that created it"
	if len(all) > 1 {
		text = fmt.Sprintf("%d contracts no longer match the events that created them", len(all))
	}
	return &failure{text, orphanHint}
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
