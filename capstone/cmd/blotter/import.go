package main

import (
	"cmp"
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
	"example.com/blotter/capstone/logdir"
	"example.com/blotter/capstone/serve"
	"example.com/blotter/capstone/session"
)

type importCmd struct {
	Files    []string `arg:"" name:"file" help:"${import_files}"`
	Simulate bool     `help:"${import_simulate}"`
	Quiet    bool     `help:"Do not list the refused lines."`
	Rejects  string   `help:"${import_rejects}" placeholder:"FILE"`
	DryRun   bool     `help:"${import_dry_run}"`
}

func (c *importCmd) Run(ctx context.Context, a *app) (err error) {
	in, err := openInputs(c.Files)
	if err != nil {
		return err
	}
	defer in.Close()
	if c.Rejects != "" {
		rejects, err := reserve("--rejects", c.Rejects)
		if err != nil {
			return err
		}
		a.onClose(rejects.Close)
		in.keep(rejects)
	}
	run, simulated, err := c.importer(ctx, a)
	if err != nil {
		return err
	}
	n, orphaned, last, err := c.importAll(ctx, a, run, in)
	unsent := len(in.files) - in.sent
	switch {
	case ctx.Err() != nil && err != nil:
		err = interrupted(last)
	case err != nil:
		return err
	default:
		err = cmp.Or(checkOwners(n, unsent), c.checkComplete(n), checkOrphans(len(orphaned)))
	}
	answer := struct {
		capstone.Imported
		Orphans []serve.Orphan `json:"orphaned,omitempty"`
		DryRun  bool           `json:"dry_run,omitempty"`
	}{n, orphaned, c.DryRun}
	return errors.Join(a.answer(caveat{simulated: simulated}, answer, func(w io.Writer) {
		printImported(w, n)
		printOrphans(w, answer.Orphans)
		if c.DryRun {
			fmt.Fprintln(w, "(a dry run: nothing was recorded)")
		}
	}), err)
}

// A fileImporter imports one file.
type fileImporter func(ctx context.Context, source string, file io.Reader,
	each func(serve.LineResult)) (capstone.Imported, []serve.Orphan, error)

// importer returns the importer of the service that owns the log, or else of a log that it opens,
// and whether the log is simulated.
func (c *importCmd) importer(ctx context.Context, a *app) (fileImporter, bool, error) {
	remote, err := a.service()
	if err != nil {
		return nil, false, err
	}
	if remote != nil && !c.DryRun {
		config := a.config()
		config.New = a.newLog(c.Simulate)
		dir, err := config.Folder()
		if err != nil {
			return nil, false, err
		}
		return remote.importFile, dir.Settings().Simulated, nil
	}
	s, err := c.open(ctx, a)
	if err != nil {
		return nil, false, err
	}
	system := s.System()
	return func(ctx context.Context, source string, file io.Reader,
		each func(serve.LineResult)) (capstone.Imported, []serve.Orphan, error) {
		system.Source = source
		n, err := system.Import(ctx, lines.Read(file), func(r capstone.Result) {
			each(serve.ResultOf(r))
		})
		return n, serve.OrphansOf(n.Orphaned), err
	}, s.Settings().Simulated, nil
}

// open opens the log to write, or to draft in a dry run. Where there is no log, a dry run imports
// into a temporary one. The desk decides the same on every stack.
func (c *importCmd) open(ctx context.Context, a *app) (*session.Session, error) {
	access := session.Write
	if c.DryRun {
		access = session.Draft
		_, err := a.config().Folder()
		if none := new(logdir.NoLogError); errors.As(err, &none) {
			if err := a.temporaryFolder("blotter-dry-run-"); err != nil {
				return nil, err
			}
			a.cli.Stack, access = "embedded", session.Write
		}
	}
	config := a.config()
	config.New = a.newLog(c.Simulate)
	return a.openAs(ctx, config, access)
}

// importAll imports one file after the other. It stops after a file with lines that are elsewhere:
// the lines of a later file must not overtake them. It also returns the last line that was
// counted, in the file of that line. The last file that has orphaned follow-ups has the present
// ones.
func (c *importCmd) importAll(
	ctx context.Context, a *app, run fileImporter, in *inputs,
) (sum capstone.Imported, orphaned []serve.Orphan, last int, err error) {
	add, done := a.progress.counting("lines", 0, in.size)
	defer done()
	for _, file := range in.files {
		last = 0
		n, orphans, err := run(ctx, sourceOf(file.name), file, func(r serve.LineResult) {
			add(1, in.read.Load())
			last = r.Line
			again := r.Result == "bad" || r.Result == "elsewhere"
			file.done(r.Line, again || r.Result == "refused")
			if r.Result != "accepted" && (again || !c.Quiet) {
				a.remark(remark{file.name, r})
			}
		})
		in.sent++
		sum = sum.And(n)
		if orphans != nil {
			orphaned = orphans
		}
		if err := firstOf(err, file.failed); err != nil {
			return sum, orphaned, last, err
		}
		if n.Elsewhere > 0 {
			break
		}
	}
	return sum, orphaned, last, nil
}

// remark lists a line on standard error: for a program as an object of its own.
func (a *app) remark(m remark) {
	if a.inJSON() {
		printObject(a.stderr, m)
		return
	}
	printLine(a.stderr, "%v", m)
}

// sourceOf names a file in the events that come from it.
func sourceOf(file string) string {
	if file == "-" {
		return "stdin"
	}
	return strings.ToValidUTF8(filepath.ToSlash(file), "�")
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

// A remark is the result of a line of a file that was not simply accepted.
type remark struct {
	File string `json:"file"`
	serve.LineResult
}

func (m remark) String() string {
	at := fmt.Sprintf("%s: line %d", m.File, m.Line)
	switch {
	case m.Result == "repeated" && m.Accepted:
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
	if n.Elsewhere > 0 {
		fmt.Fprintf(w, "  %s not complete: another process owns a partition\n",
			plural(int64(n.Elsewhere), "line"))
	}
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
func (c *importCmd) checkComplete(n capstone.Imported) error {
	if n.Bad+n.Refused == 0 {
		return nil
	}
	hint := "correct the bad lines and import the file again: recorded commands are not repeated"
	switch {
	case c.DryRun:
		hint = "correct these lines, and import the file: nothing was recorded"
	case n.Bad == 0:
		hint = "a refusal stays on record: send a corrected command with a new id"
	}
	return &failure{fmt.Sprintf("%d of %d lines were not accepted: %d bad, %d refused",
		n.Bad+n.Refused, n.Lines, n.Bad, n.Refused), hint}
}

// checkOwners fails an import with lines for another owner. It names the other lines that were not
// accepted, and the number of files after them, which were not sent.
func checkOwners(n capstone.Imported, unsent int) error {
	if n.Elsewhere == 0 {
		return nil
	}
	text := fmt.Sprintf("%d of %d lines are not complete: another process owns a partition",
		n.Elsewhere, n.Lines)
	if n.Bad+n.Refused > 0 {
		text += fmt.Sprintf("; %d bad, %d refused", n.Bad, n.Refused)
	}
	if unsent > 0 {
		text += fmt.Sprintf("; %s after them not sent", plural(int64(unsent), "file"))
	}
	return &outage{text, "import the file through the service of that process, too, before any " +
		"later file: recorded commands are not repeated"}
}

// orphanHint mends orphaned follow-ups.
const orphanHint = "any blotter import issues the follow-ups that are missing; if their cause " +
	"waited in a parked stream, blotter parked retry does; to mend a refused one, correct the " +
	"cause to quantity 0, or correct the contract that stands in the way and then correct the " +
	"cause again, which restates the contract"

// checkOrphans fails an import that leaves two contracts that do not match.
func checkOrphans(n int) error {
	if n == 0 {
		return nil
	}
	text := "1 contract no longer matches the event that created it"
	if n > 1 {
		text = fmt.Sprintf("%d contracts no longer match the events that created them", n)
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
