package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"example.com/blotter/labs/cmd/lab/grade"
)

// A rubricRun scores the capstone of each submission of a class, on one secret book.
type rubricRun struct {
	root   string // of the kit
	rubric grade.Rubric
	awards grade.Awards
	source string // the command that writes the book
	book   []byte
	facts  []string   // of the reference, by step
	turn   sync.Mutex // one capstone runs at a time: its stack takes the machine
}

const pointsHint = `see labs/INSTRUCTOR.md, "The capstone"`

// readRubric reads the rubric of the kit, and the instructor's points for the submissions.
func readRubric(root, points string, dirs []string) (*rubricRun, error) {
	file := filepath.Join("capstone", "RUBRIC.md")
	text, err := os.ReadFile(filepath.Join(root, file))
	if err != nil {
		return nil, err
	}
	r := &rubricRun{root: root}
	if r.rubric, err = grade.ParseRubric(file, text); err != nil {
		return nil, &hintedError{misuse, err.Error(), "restore the file: git checkout " + file}
	}
	var students []string
	for _, dir := range dirs {
		full, err := filepath.Abs(dir)
		if err != nil {
			return nil, err
		}
		students = append(students, filepath.Base(full))
	}
	f, err := os.Open(points)
	if err != nil {
		return nil, &hintedError{misuse, err.Error(), pointsHint}
	}
	defer f.Close()
	if r.awards, err = r.rubric.ParseAwards(points, f, students); err != nil {
		return nil, &hintedError{misuse, err.Error(), pointsHint}
	}
	return r, nil
}

// prepare makes the book, and runs all commands on the reference's parts. No submission is graded
// if the reference does not earn the points of every command.
func (r *rubricRun) prepare(ctx context.Context) (err error) {
	c, err := newCapstone(r.root, os.Environ())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	program, err := c.build(ctx, 0)
	if err != nil {
		return err
	}
	args := []string{"simulate", "--trades", "60", "--seed", strconv.FormatUint(rand.Uint64(), 10)}
	r.source = "blotter " + strings.Join(args, " ")
	if r.book, err = c.command(ctx, program, args...).Output(); err != nil {
		return fmt.Errorf("write a book with %s: %w", r.source, err)
	}
	failures, facts := r.run(ctx, c, program)
	r.facts = facts
	return cmp.Or(ctx.Err(), r.checkReference(failures, facts))
}

// checkReference returns an error for the first step that fails on the reference. The import fails
// if it prints no outcomes.
func (r *rubricRun) checkReference(failures, facts []string) error {
	for i, step := range r.steps() {
		failure := failures[i]
		if step.mayFail() && facts[i] != "" {
			failure = ""
		} else if step.mayFail() {
			failure = cmp.Or(failure, "it prints no outcomes")
		}
		if failure != "" {
			return fmt.Errorf("blotter %s on the reference, with the book of %s: %s", step.Args,
				r.source, failure)
		}
	}
	return nil
}

// importing records the book. It has no points, and exits with 1 if it refuses a line.
const importing = "import --simulate book.jsonl"

// A step is a command of the rubric, or the import of the book.
type step struct{ grade.Command }

func (s step) mayFail() bool { return s.Args == importing }

// steps returns the commands in their order. The import follows the first one.
func (r *rubricRun) steps() (all []step) {
	for i, command := range r.rubric.Commands {
		if all = append(all, step{command}); i == 0 {
			all = append(all, step{grade.Command{Args: importing}})
		}
	}
	return all
}

// fact matches what a right system prints about a book: the outcomes of its lines, the digest of
// the state.
var fact = regexp.MustCompile(`(?m)^[0-9]+ lines?: .*|digest sha256:[0-9a-f]{64}$`)

// run runs the steps, and returns why each failed, and the facts that it printed.
func (r *rubricRun) run(ctx context.Context, c *capstone, program string) (
	failures, facts []string) {
	for _, s := range r.steps() {
		failure, stdout := r.command(ctx, c, program, s.Command)
		failures = append(failures, failure)
		facts = append(facts, strings.Join(fact.FindAllString(stdout, -1), ", "))
	}
	return failures, facts
}

// score adds the rows of the rubric to the report of the submission in dir. The student's code runs
// without the limits of a lab, so a lab that the gate refuses is not built into the program.
func (r *rubricRun) score(ctx context.Context, dir string, report *grade.Report) (err error) {
	r.turn.Lock()
	defer r.turn.Unlock()
	cause := unfit(*report)
	failure := slices.Repeat([]string{cause}, len(r.rubric.Commands))
	if cause == "" {
		c, err := newCapstone(r.root, os.Environ())
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, c.close()) }()
		if err := c.overlay(dir); err != nil {
			return err
		}
		program, err := c.build(ctx, allMine)
		if err == nil {
			failure = r.commands(ctx, c, program)
		} else {
			failure = slices.Repeat([]string{err.Error()}, len(failure))
		}
	}
	report.Book = r.source
	report.Rubric = r.rubric.Rows(failure, r.awards[report.Student])
	return ctx.Err()
}

// unfit returns why the labs of a report make no capstone, or nothing.
func unfit(report grade.Report) string {
	for _, lab := range report.Labs {
		for _, result := range lab.Results {
			if result.State == grade.Forbidden || result.State == grade.NotBuilt {
				return fmt.Sprintf("lab %s is %s", lab.Name, result.State)
			}
		}
	}
	return ""
}

// commands runs the commands of the rubric in their order, and returns why each failed. Facts that
// differ from the reference's are a failure. If those of the import differ, the log does not have
// the book, and all later commands fail.
func (r *rubricRun) commands(ctx context.Context, c *capstone, program string) (all []string) {
	failures, facts := r.run(ctx, c, program)
	unrecorded := ""
	for i, s := range r.steps() {
		differs := ""
		if facts[i] != r.facts[i] {
			differs = fmt.Sprintf("blotter %s prints %q, and on the reference %q", s.Args, facts[i],
				r.facts[i])
		}
		if s.mayFail() {
			unrecorded = differs
		} else {
			all = append(all, cmp.Or(unrecorded, failures[i], differs))
		}
	}
	return all
}

// command runs a command in the folder of c, which holds the book, and returns why it earns
// nothing, and its output.
func (r *rubricRun) command(ctx context.Context, c *capstone, program string,
	command grade.Command) (failure, stdout string) {
	dir := filepath.Join(c.dir, "rubric")
	book := filepath.Join(dir, "book.jsonl")
	if err := errors.Join(os.MkdirAll(dir, 0o755), os.WriteFile(book, r.book, 0o644)); err != nil {
		return err.Error(), ""
	}
	limited, cancel := context.WithTimeout(ctx, demoLimit)
	defer cancel()
	cmd := c.command(limited, program, strings.Fields(command.Args)...)
	gateway := cmp.Or(os.Getenv("BLOTTER_S3_GATEWAY"),
		filepath.Join(r.root, ".tools", "bin", "versitygw"))
	cmd.Dir = dir
	cmd.Env = append(slices.Clone(c.env), "STACK=embedded", "BLOTTER_S3_GATEWAY="+gateway,
		"BLOTTER_DATA="+filepath.Join(dir, ".blotter"))
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) } // it stops its stack
	cmd.WaitDelay = 10 * time.Second
	var out, complaint bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaint
	err := cmd.Run()
	switch {
	case limited.Err() != nil:
		failure = fmt.Sprintf("the command did not end within %s", demoLimit)
	case err != nil:
		failure = strings.TrimSpace(err.Error() + "\n" + complaint.String())
	case !strings.Contains(out.String(), command.Prints):
		failure = fmt.Sprintf("the command does not print %q", command.Prints)
	}
	return failure, out.String()
}
