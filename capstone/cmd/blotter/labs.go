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

// labProgress is how far the labs of a checkout are, as go test tells it: each check leaves its verdict as an attribute of its test
// (check.Attribute). Only folders directly below labs/ count; the same suites run against the solutions as well. What a check is worth, and
// which there are, is the suite's to say and not the output's: a process that ends early is silent about the rest.
type labProgress struct {
	heard map[string]map[string]check.Outcome // by the lab's folder, then by the check's ID
	some  bool                                // not all tests were asked for
}

// take notes what e says about a lab. A lab's package that fails without one verdict does not compile.
func (p labProgress) take(e testEvent) {
	parent, lab := path.Split(e.Package)
	if !strings.HasSuffix(parent, "/labs/") || lab[0] < '1' || lab[0] > '9' { // the others are the kit's
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
		outcome = check.Failed // of two tries, or of two voices, the worse one counts
	}
	p.heard[lab][id] = outcome
}

// labs are the folders of those of which something was heard. Where not all tests were asked for, one that is silent was not meant.
func (p labProgress) labs() []string {
	var names []string
	for _, lab := range slices.Sorted(maps.Keys(p.heard)) {
		if len(p.heard[lab]) > 0 || !p.some {
			names = append(names, lab)
		}
	}
	return names
}

// print writes a row for each lab that there is, and the one thing to do next.
func (p labProgress) print(w io.Writer) {
	labs := p.labs()
	if len(labs) == 0 {
		return
	}
	fmt.Fprintf(w, "\n%-14s %5s %8s %6s %8s %9s\n", "lab", "done", "failing", "to do", "blocked", "points")
	for _, lab := range labs {
		p.row(w, lab)
	}
	if step := p.nextOf(labs); step != "" {
		fmt.Fprintf(w, "next: %s\n", step)
	}
}

// nextOf is about the first lab that is begun and not done: whoever does Lab 2 alone is not sent to Lab 1. Where none is, it is about the
// first that is not done.
func (p labProgress) nextOf(labs []string) string {
	first := ""
	for _, lab := range labs {
		step := p.next(lab)
		if step != "" && p.begun(lab) {
			return step
		}
		first = cmp.Or(first, step)
	}
	if first == "" && !p.some {
		return afterwards(labs[len(labs)-1])
	}
	return first
}

// begun says whether anything in a lab was answered.
func (p labProgress) begun(lab string) bool {
	for _, outcome := range p.heard[lab] {
		if outcome == check.Passed || outcome == check.Failed {
			return true
		}
	}
	return false
}

// afterwards is for a lab that is done.
func afterwards(lab string) string {
	number, _, _ := strings.Cut(lab, "-")
	return fmt.Sprintf("build the system on what you wrote: go build -tags lab%s ./capstone/cmd/blotter\n      then hold it against solutions/%s", number, lab)
}

func (p labProgress) row(w io.Writer, lab string) {
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
	fmt.Fprintf(w, "%-14s %5d %8d %6d %8d %9s", lab, count[check.Passed], count[check.Failed], count[check.Todo], count[check.Blocked],
		fmt.Sprintf("%d/%d", earned, all))
	if n := count[silent]; n > 0 {
		fmt.Fprintf(w, "  %d did not run", n)
	}
	fmt.Fprintln(w)
}

// silent is a check of which nothing was heard.
const silent = check.Outcome("")

// unheard is how many checks did not run though all were asked for.
func (p labProgress) unheard() int {
	n := 0
	for lab, heard := range p.heard {
		for _, c := range checksOf(lab) {
			if heard[c.ID] == silent && !p.some {
				n++
			}
		}
	}
	return n
}

// next is about the first check, in the order in which its lab meets them, that fails; or else that did not run, is to do, is blocked. What
// fails comes first, because what is built on it would fail too.
func (p labProgress) next(lab string) string {
	for _, outcome := range []check.Outcome{check.Failed, silent, check.Todo, check.Blocked} {
		if outcome == silent && p.some {
			continue
		}
		for _, c := range checksOf(lab) {
			if p.heard[lab][c.ID] == outcome {
				return nextStep(lab, c, outcome)
			}
		}
	}
	return ""
}

func nextStep(lab string, c check.Check, outcome check.Outcome) string {
	switch outcome {
	case check.Failed:
		return fmt.Sprintf("mend %s: %s (make hint CHECK=%s)", c.ID, c.Title, c.ID)
	case silent:
		return fmt.Sprintf("find out why %s of labs/%s did not run: see above", c.ID, lab)
	case check.Blocked:
		return fmt.Sprintf("find what %s waits for: go test -v -run '/%s ' ./labs/%s says which operation is to do", c.ID, c.ID, lab)
	default:
		return fmt.Sprintf("write %s in labs/%s for %s: %s\n      start with labs/%s/README.md; stuck? make hint CHECK=%s", c.Operation, lab, c.ID, c.Title, lab, c.ID)
	}
}

// checksOf are the checks of a lab, in the order in which it meets them.
func checksOf(lab string) []check.Check {
	for _, s := range labSuites() {
		if s.Name == lab {
			return s.Checks
		}
	}
	return nil
}
