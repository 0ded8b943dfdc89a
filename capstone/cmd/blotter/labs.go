package main

import (
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"

	"example.com/blotter/labs/kit/check"
)

// labProgress is how far the labs of a checkout are, as go test tells it: each check leaves its verdict as an attribute of its test
// (check.Attribute). Only folders directly below labs/ count; the same suites run against the solutions as well.
type labProgress map[string]map[string]verdict // by the lab's folder, then by the check's ID

type verdict struct {
	points  int
	outcome check.Outcome
}

// take notes what e says about a lab. A lab's package that fails without one verdict does not compile.
func (p labProgress) take(e testEvent) {
	parent, lab := path.Split(e.Package)
	if !strings.HasSuffix(parent, "/labs/") || lab[0] < '1' || lab[0] > '9' { // the others are the kit's
		return
	}
	if p[lab] == nil {
		p[lab] = map[string]verdict{}
	}
	fields := strings.Fields(e.Value)
	if e.Action != "attr" || e.Key != check.Attribute || len(fields) != 3 {
		return
	}
	points, _ := strconv.Atoi(fields[1])
	p[lab][fields[0]] = verdict{points, check.Outcome(fields[2])}
}

// print writes a row for each lab that there is, and what to do next in the first that is not done.
func (p labProgress) print(w io.Writer) {
	if len(p) == 0 {
		return
	}
	fmt.Fprintf(w, "\n%-14s %5s %8s %6s %8s %9s\n", "lab", "done", "failing", "to do", "blocked", "points")
	labs := slices.Sorted(maps.Keys(p))
	for _, lab := range labs {
		p.row(w, lab)
	}
	for _, lab := range labs {
		if id := p.next(lab); id != "" {
			fmt.Fprintf(w, "next: %s\n", nextStep(lab, id, p[lab][id].outcome))
			return
		}
	}
}

func (p labProgress) row(w io.Writer, lab string) {
	if len(p[lab]) == 0 {
		fmt.Fprintf(w, "%-14s its tests did not run: see above\n", lab)
		return
	}
	count, earned, all := map[check.Outcome]int{}, 0, 0
	for _, v := range p[lab] {
		count[v.outcome]++
		all += v.points
		if v.outcome == check.Passed {
			earned += v.points
		}
	}
	fmt.Fprintf(w, "%-14s %5d %8d %6d %8d %9s\n", lab, count[check.Passed], count[check.Failed], count[check.Todo], count[check.Blocked],
		fmt.Sprintf("%d/%d", earned, all))
}

// next is the first check, in the order in which its lab meets them, that fails; or else the first that is to do. What fails comes
// first, because what is built on it would fail too.
func (p labProgress) next(lab string) string {
	for _, outcome := range []check.Outcome{check.Failed, check.Todo} {
		for _, s := range suites() {
			for _, c := range s.Checks {
				if s.Name == lab && p[lab][c.ID].outcome == outcome {
					return c.ID
				}
			}
		}
	}
	return ""
}

func nextStep(lab, id string, outcome check.Outcome) string {
	suite, c, found := findCheck(id)
	switch {
	case !found:
		return id
	case outcome == check.Failed:
		return fmt.Sprintf("mend %s: %s (make hint CHECK=%s)", id, c.Title, id)
	default:
		return fmt.Sprintf("write %s in labs/%s for %s: %s\n      start with %s; stuck? make hint CHECK=%s", c.Operation, lab, id, c.Title, suite.Guide, id)
	}
}
