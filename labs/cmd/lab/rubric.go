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
	book   []byte
	state  string     // the reference's digest of the book
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

// prepare makes the book, and its state on the reference's parts.
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
	seed := strconv.FormatUint(rand.Uint64(), 10)
	simulate := c.command(ctx, program, "simulate", "--trades", "60", "--seed", seed)
	if r.book, err = simulate.Output(); err != nil {
		return fmt.Errorf("write a book with blotter simulate: %w", err)
	}
	failure, stdout := r.command(ctx, c, program, r.rubric.Commands[0])
	if failure != "" {
		return fmt.Errorf("blotter %s on the reference: %s", r.rubric.Commands[0].Args, failure)
	}
	r.state = readOutcome(stdout).state
	return ctx.Err()
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

// commands runs the commands of the rubric in their order, and returns why each failed.
func (r *rubricRun) commands(ctx context.Context, c *capstone, program string) (all []string) {
	for i, command := range r.rubric.Commands {
		failure, stdout := r.command(ctx, c, program, command)
		if i == 0 {
			if state := readOutcome(stdout).state; failure == "" && state != r.state {
				failure = fmt.Sprintf("the state has the digest %s, the reference's %s", state,
					r.state)
			}
			importing := grade.Command{Args: "import --simulate book.jsonl"}
			_, _ = r.command(ctx, c, program, importing) // it may refuse lines
		}
		all = append(all, failure)
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
