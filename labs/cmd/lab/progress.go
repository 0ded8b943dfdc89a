package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strings"

	"example.com/blotter/labs/kit/check"
)

// progress is the state of the labs in a checkout, from the output of go test: each check leaves
// its verdict as an attribute of its test (check.Attribute). Only folders directly below labs/
// count, because the same suites also run against the solutions. The list of checks and their
// points come from the suite and not from the output: a process that ends early says nothing about
// the rest.
type progress struct {
	heard   map[string]map[string]check.Outcome // by the lab's folder, then by the check's ID
	partial bool                                // the command line selected tests
}

// take notes the verdict in e, if there is one. A lab without any verdict does not compile.
func (p progress) take(e testEvent) {
	parent, lab := path.Split(e.Package)
	if !strings.HasSuffix(parent, "/labs/") || lab[0] < '1' || lab[0] > '9' { // kit and cmd
		return
	}
	if p.heard[lab] == nil {
		p.heard[lab] = map[string]check.Outcome{}
	}
	fields := strings.Fields(e.Value)
	if e.Action != "attr" || e.Key != check.Attribute || len(fields) != 3 {
		return
	}
	id, outcome := fields[0], check.Outcome(fields[2])
	if before, again := p.heard[lab][id]; again && before != outcome {
		outcome = check.Failed // of two different verdicts on one check the worse one counts
	}
	p.heard[lab][id] = outcome
}

// labs returns the folders of the labs that were tested. If the command line selected tests, a lab
// without verdicts was not selected.
func (p progress) labs() []string {
	var names []string
	for _, lab := range slices.Sorted(maps.Keys(p.heard)) {
		if len(p.heard[lab]) > 0 || !p.partial {
			names = append(names, lab)
		}
	}
	return names
}

// print writes a row for each lab, and the next step.
func (p progress) print(w io.Writer) {
	labs := p.labs()
	if len(labs) == 0 {
		return
	}
	fmt.Fprintf(w, "\n%-14s %5s %8s %6s %8s %9s\n",
		"lab", "done", "failing", "to do", "blocked", "points")
	for _, lab := range labs {
		p.row(w, lab)
	}
	if step := p.nextStep(labs); step != "" {
		fmt.Fprintf(w, "next: %s\n", step)
	}
}

func (p progress) row(w io.Writer, lab string) {
	if len(p.heard[lab]) == 0 {
		fmt.Fprintf(w, "%-14s its tests did not run: see above\n", lab)
		return
	}
	count, earned, all := map[check.Outcome]int{}, 0, 0
	for _, c := range checksOf(lab) {
		outcome := p.heard[lab][c.ID]
		count[outcome]++
		all += c.Points
		if outcome == check.Passed {
			earned += c.Points
		}
	}
	fmt.Fprintf(w, "%-14s %5d %8d %6d %8d %9s", lab, count[check.Passed], count[check.Failed],
		count[check.Todo], count[check.Blocked], fmt.Sprintf("%d/%d", earned, all))
	if n := count[silent]; n > 0 {
		fmt.Fprintf(w, "  %d did not run", n)
	}
	fmt.Fprintln(w)
}

// nextStep is about the first lab that is begun and not finished, so that a student who starts with
// Lab 2 is not sent to Lab 1. If there is no such lab, it is about the first unfinished lab.
func (p progress) nextStep(labs []string) string {
	first := ""
	for _, lab := range labs {
		step := p.nextStepOf(lab)
		if step != "" && p.begun(lab) {
			return step
		}
		first = cmp.Or(first, step)
	}
	if first == "" && !p.partial {
		last := labs[len(labs)-1]
		number, _, _ := strings.Cut(last, "-")
		return fmt.Sprintf("build the system on your own code: "+
			"go build -tags lab%s ./capstone/cmd/blotter\n"+
			"      then compare it with solutions/%s", number, last)
	}
	return first
}

// begun reports whether any check of a lab has an answer.
func (p progress) begun(lab string) bool {
	for _, outcome := range p.heard[lab] {
		if outcome == check.Passed || outcome == check.Failed {
			return true
		}
	}
	return false
}

// nextStepOf is about the first check of a lab that fails, in the lab's order; then about the first
// that did not run, is to do, is blocked. Failures come first, because later code builds on them.
func (p progress) nextStepOf(lab string) string {
	for _, outcome := range []check.Outcome{check.Failed, silent, check.Todo, check.Blocked} {
		if outcome == silent && p.partial {
			continue
		}
		for _, c := range checksOf(lab) {
			if p.heard[lab][c.ID] == outcome {
				return adviceOn(lab, c, outcome)
			}
		}
	}
	return ""
}

func adviceOn(lab string, c check.Check, outcome check.Outcome) string {
	switch outcome {
	case check.Failed:
		return fmt.Sprintf("mend %s: %s (make hint CHECK=%s)", c.ID, c.Title, c.ID)
	case silent:
		return fmt.Sprintf("find out why %s of labs/%s did not run: see above", c.ID, lab)
	case check.Blocked:
		return fmt.Sprintf("find the operation that %s waits for: "+
			"go test -v -run '/%s ' ./labs/%s",
			c.ID, c.ID, lab)
	default:
		return fmt.Sprintf("write %s in labs/%s for %s: %s\n"+
			"      start with labs/%s/README.md; stuck? make hint CHECK=%s",
			c.Operation, lab, c.ID, c.Title, lab, c.ID)
	}
}

// silent is the outcome of a check without a verdict.
const silent = check.Outcome("")

// unheard returns the number of checks that did not run although the command line selected them.
func (p progress) unheard() int {
	n := 0
	for lab, heard := range p.heard {
		for _, c := range checksOf(lab) {
			if heard[c.ID] == silent && !p.partial {
				n++
			}
		}
	}
	return n
}

// checksOf returns the checks of a lab, in the lab's order.
func checksOf(lab string) []check.Check {
	for _, s := range labSuites() {
		if s.Name == lab {
			return s.Checks
		}
	}
	return nil
}
