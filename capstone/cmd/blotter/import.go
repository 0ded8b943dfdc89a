package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"example.com/blotter/capstone"
	"example.com/blotter/capstone/lines"
)

type importCmd struct {
	File     string `arg:"" help:"Commands as JSON Lines; - is standard input."`
	Simulate bool   `help:"Let recorded_at follow entered_at. Only into a new log, or one that was created so."`
	Quiet    bool   `help:"Do not list the refused lines."`
}

func (c *importCmd) Run(ctx context.Context, a *app) error {
	input, err := open(c.File)
	if err != nil {
		return err
	}
	defer input.Close()
	if err := a.openOrCreate(c.Simulate); err != nil {
		return err
	}
	system, err := a.system(ctx)
	if err != nil {
		return err
	}
	progress, last := a.progress("lines"), 0
	n, err := system.Import(ctx, lines.Read(input), func(r capstone.Result) {
		progress.add()
		last = r.Line
		if text := remark(c.File, r); text != "" && !(c.Quiet && r.Problem == nil) {
			progress.clear()
			fmt.Fprintln(a.stderr, text)
		}
	})
	progress.clear()
	switch {
	case ctx.Err() != nil && err != nil:
		err = interrupted(last)
	case err != nil:
		return err
	default:
		err = joined(incomplete(n), together(n.Orphaned))
	}
	answer := struct {
		capstone.Imported
		Apart []apart `json:"apart,omitempty"`
	}{n, apartOf(n.Orphaned)}
	return errors.Join(a.answer(answer, func(w io.Writer) {
		showImported(w, n)
		showApart(w, answer.Apart)
	}), err)
}

// interrupted is the failure of an import that was told to end. What it says it took is on record, and lines that were under way may be.
func interrupted(last int) error {
	after := fmt.Sprintf("interrupted after line %d", last)
	if last == 0 {
		after = "interrupted before the first line"
	}
	return &failure{after, "import the file again: what is on record stays as it is"}
}

// remark is what there is to say about a line that did not go in as an accepted command.
func remark(file string, r capstone.Result) string {
	var bad *lines.Error
	switch refusal := r.Outcome.Refusal; {
	case errors.As(r.Problem, &bad):
		return fmt.Sprintf("%s: %v", file, bad)
	case r.Problem != nil:
		return fmt.Sprintf("%s: line %d: command.reused: %v", file, r.Line, r.Problem)
	case r.SameAs > 0 && refusal != nil:
		return fmt.Sprintf("%s: line %d: command.duplicate: the same as line %d, and refused as that is: %s: %s",
			file, r.Line, r.SameAs, refusal.Rule, refusal.Detail)
	case r.SameAs > 0:
		return fmt.Sprintf("%s: line %d: command.duplicate: the same as line %d, and taken once", file, r.Line, r.SameAs)
	case refusal != nil:
		return fmt.Sprintf("%s: line %d: %s: %s", file, r.Line, refusal.Rule, refusal.Detail)
	}
	return ""
}

func showImported(w io.Writer, n capstone.Imported) {
	fmt.Fprintf(w, "%s: %d accepted, %d refused, %d bad; %d of them were on record already\n",
		plural(int64(n.Lines), "line"), n.Accepted, n.Refused, n.Bad, n.Again)
	if n.Accepted > 0 {
		fmt.Fprintln(w, "  accepted")
		counts(w, n.Kinds)
	}
	if n.Refused > 0 {
		fmt.Fprintln(w, "  refused, by rule")
		counts(w, n.Rules)
	}
}

// incomplete is the failure of an import that did not take every line.
func incomplete(n capstone.Imported) error {
	if n.Bad+n.Refused == 0 {
		return nil
	}
	hint := "mend the bad lines and import the file again: what is on record stays as it is"
	if n.Bad == 0 {
		hint = "a refusal stays on record: what should have been is another command, under an id of its own"
	}
	return &failure{fmt.Sprintf("%d of %d lines were not accepted: %d bad, %d refused", n.Bad+n.Refused, n.Lines, n.Bad, n.Refused), hint}
}

func open(file string) (io.ReadCloser, error) {
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
