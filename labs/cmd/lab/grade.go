package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"

	"example.com/blotter/labs/cmd/lab/grade"
)

type gradeCmd struct {
	Submission string   `xor:"work" required:"" placeholder:"DIR" help:"One checkout, or many."`
	Output     string   `placeholder:"DIR" help:"Write the reports and class.csv to this folder."`
	Lab        []string `placeholder:"LAB" help:"Grade these labs alone, such as 5-audit."`
	Capstone   string   `placeholder:"FILE" help:"Add the rubric, with the points of FILE."`
	Jobs       int      `placeholder:"N" help:"Submissions at once; by default half of the CPUs."`
	Check      string   `xor:"work" required:"" placeholder:"FILE" help:"Verify a certificate."`
	PublicKey  string   `placeholder:"FILE" help:"The grader's public key, for --check."`
}

// Help is shown after the usage.
func (gradeCmd) Help() string {
	return `Example: lab grade --submission class/ --output grades/ --capstone points.csv

A submission is the kit of this checkout and, from the student, only the files that a lab lets one
edit. See labs/INSTRUCTOR.md, "Grading".`
}

// Run grades each submission, prints a table of each, and writes the reports.
func (c *gradeCmd) Run(ctx context.Context, to *streams) error {
	if c.Check != "" {
		return c.check(to)
	}
	for _, lab := range c.Lab {
		if len(checksOf(lab)) == 0 {
			return &hintedError{misuse, fmt.Sprintf("there is no lab %q", lab),
				"name its folder: --lab 5-audit"}
		}
	}
	dirs, err := grade.Find(c.Submission)
	if err != nil {
		return &hintedError{misuse, err.Error(), "name the folder that has the folder labs"}
	}
	kit, err := kitRoot(ctx)
	if err != nil {
		return err
	}
	rubric, err := c.rubric(ctx, kit, dirs)
	if err != nil {
		return err
	}
	grader, err := grade.New(grade.Options{Kit: kit, Suites: labSuites(), Labs: c.Lab})
	if err != nil {
		return err
	}
	for _, limit := range grader.Limits() {
		fmt.Fprintln(to.stderr, limit)
	}
	reports, err := c.gradeAll(ctx, grader, rubric, dirs, to)
	err = errors.Join(err, grader.Close())
	if c.Output == "" {
		return err
	}
	return errors.Join(err, writeClass(filepath.Join(c.Output, "class.csv"), reports))
}

// rubric returns the run of the rubric, or nil if the capstone is not graded. It reads all files
// before anything is graded.
func (c *gradeCmd) rubric(ctx context.Context, kit string, dirs []string) (*rubricRun, error) {
	if c.Capstone == "" {
		return nil, nil
	}
	if len(c.Lab) > 0 {
		return nil, &hintedError{misuse, "the capstone needs all five labs", "leave out --lab"}
	}
	r, err := readRubric(kit, c.Capstone, dirs)
	if err != nil {
		return nil, err
	}
	return r, r.prepare(ctx)
}

// writeClass writes the list of the reports that exist.
func writeClass(path string, reports []grade.Report) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	class, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(grade.CSV(class, reports), class.Close())
}

// kitRoot returns the root of the module in the working directory.
func kitRoot(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "env", "GOMOD").Output()
	if err != nil {
		return "", fmt.Errorf("run go env GOMOD: %w", err)
	}
	root := filepath.Dir(strings.TrimSpace(string(out)))
	if _, err := os.Stat(filepath.Join(root, "labs", "kit")); err != nil {
		return "", &hintedError{misuse, "the working directory is not in a checkout of the kit",
			"run: go run ./labs/cmd/lab grade … in the checkout"}
	}
	return root, nil
}

// gradeAll grades the submissions, several at once. Reports come in the order of dirs. A submission
// that could not be graded is an error, and costs no other its report.
func (c *gradeCmd) gradeAll(ctx context.Context, g *grade.Grader, rubric *rubricRun,
	dirs []string, to *streams) (reports []grade.Report, err error) {
	jobs := c.Jobs
	if jobs < 1 {
		jobs = max(1, runtime.NumCPU()/2)
	}
	bar := &bar{out: terminal(to.stderr), total: len(dirs)}
	bar.draw("")
	found, failures := make([]*grade.Report, len(dirs)), make([]error, len(dirs))
	var all sync.WaitGroup
	free := make(chan struct{}, jobs)
	for i, dir := range dirs {
		free <- struct{}{}
		all.Go(func() {
			defer func() { <-free }()
			r, err := g.Grade(ctx, dir)
			if err == nil && rubric != nil {
				err = rubric.score(ctx, dir, &r)
			}
			if err == nil && c.Output != "" {
				err = r.Write(filepath.Join(c.Output, r.Student))
			}
			if failures[i] = err; err == nil {
				found[i] = &r
			}
			bar.step(r.Student)
		})
	}
	all.Wait()
	bar.end()
	for _, r := range found {
		if r != nil {
			r.Table(to.stdout)
			reports = append(reports, *r)
		}
	}
	return reports, errors.Join(failures...)
}

// terminal returns w if it is a terminal. Else it returns a writer that discards everything.
func terminal(w io.Writer) io.Writer {
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		return w
	}
	return io.Discard
}

// A bar shows how many submissions are graded.
type bar struct {
	out   io.Writer
	mu    sync.Mutex
	done  int
	total int
	began time.Time
}

func (b *bar) step(name string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.done++
	b.draw(name)
}

func (b *bar) draw(name string) {
	if b.began.IsZero() {
		b.began = time.Now()
	}
	const width = 30
	full := width * b.done / max(1, b.total)
	fmt.Fprintf(b.out, "\r\033[K[%s%s] %d/%d %.0f s %s", strings.Repeat("#", full),
		strings.Repeat(".", width-full), b.done, b.total, time.Since(b.began).Seconds(), name)
}

func (b *bar) end() { fmt.Fprintln(b.out) }
