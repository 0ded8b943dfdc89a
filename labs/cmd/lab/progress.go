package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"path"
	"regexp"
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
	tests   map[string]string                   // the ID of the check, by package and test
	texts   map[string][]string                 // the output of a check that failed, by its ID
	partial bool                                // the command line selected tests
}

func newProgress() progress {
	return progress{
		heard: map[string]map[string]check.Outcome{},
		tests: map[string]string{}, texts: map[string][]string{},
	}
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
	p.tests[e.Package+" "+e.Test] = id
}

// keep keeps the output of a test that ended, and reports whether nothing else must show it: the
// test is a check of a lab, whose output the table shows, or the parent of one and says nothing
// itself.
func (p progress) keep(key string, output []string) bool {
	id, ok := p.tests[key]
	if ok {
		p.texts[id] = append(p.texts[id], output...)
		return true
	}
	for test := range p.tests {
		if strings.HasPrefix(test, key+"/") {
			return !slices.ContainsFunc(output, func(line string) bool {
				return failureLine(line) != ""
			})
		}
	}
	return false
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

// print writes a row for each lab, and the next step. If that is to mend a check, its failure
// follows in full. Then come one line for each other failure, and the bonus checks that fail.
func (p progress) print(w io.Writer) {
	labs := p.labs()
	if len(labs) == 0 {
		return
	}
	fmt.Fprintf(w, "\n%-14s %5s %8s %6s %8s %9s %6s\n",
		"lab", "done", "failing", "to do", "blocked", "points", "bonus")
	for _, lab := range labs {
		p.rows(w, lab)
	}
	step := p.nextStep(labs)
	if step != "" {
		fmt.Fprintf(w, "next: %s\n", step)
	}
	for _, lab := range labs {
		p.failures(w, lab, step)
	}
}

// failures writes the failing checks of a lab, except that of the next step.
func (p progress) failures(w io.Writer, lab, step string) {
	also := fmt.Sprintf("also failing in labs/%s:\n", lab)
	var bonus strings.Builder
	for _, c := range checksOf(lab) {
		switch {
		case p.heard[lab][c.ID] != check.Failed, strings.HasPrefix(step, "mend "+c.ID+":"):
		case c.Bonus:
			fmt.Fprintf(&bonus, "bonus failing: %s %s\n      stuck? make hint CHECK=%s\n%s\n",
				c.ID, c.Title, c.ID, alone(lab, c))
		default:
			fmt.Fprintf(w, "%s  %-6s %s\n", also, c.ID, c.Title)
			also = ""
		}
	}
	fmt.Fprint(w, bonus.String())
}

// alone is the command that runs one check, and shows its failure in full.
func alone(lab string, c check.Check) string {
	return fmt.Sprintf("      this check alone: go test -v -run '/%s ' ./labs/%s", c.ID, lab)
}

func (p progress) rows(w io.Writer, lab string) {
	if len(p.heard[lab]) == 0 {
		fmt.Fprintf(w, "%-14s its tests did not run: see above\n", lab)
		return
	}
	for _, s := range labSuites() {
		if s.Name == lab {
			p.row(w, s)
		}
	}
}

func (p progress) row(w io.Writer, s check.Suite) {
	count, points, bonus := map[check.Outcome]int{}, score{}, score{}
	for _, c := range s.Checks {
		outcome := p.heard[s.Name][c.ID]
		if c.Bonus {
			bonus.add(c, outcome)
			continue
		}
		count[outcome]++
		points.add(c, outcome)
	}
	fmt.Fprintf(w, "%-14s %5d %8d %6d %8d %9s %6s", rowName(s), count[check.Passed],
		count[check.Failed], count[check.Todo], count[check.Blocked], points, bonus)
	if n := count[silent]; n > 0 {
		fmt.Fprintf(w, "  %d did not run", n)
	}
	if n := count[check.Stopped]; n > 0 {
		fmt.Fprintf(w, "  %d not tried, because others hung", n)
	}
	fmt.Fprintln(w)
}

// rowName returns the folder of a lab, or of a part the part and the folder without its number.
func rowName(s check.Suite) string {
	if s.Part == "" {
		return s.Name
	}
	_, name, _ := strings.Cut(s.Name, "-")
	return s.Part + "-" + name
}

// A score is the points that were earned, of the points of all checks.
type score struct{ earned, all int }

func (s *score) add(c check.Check, outcome check.Outcome) {
	s.all += c.Points
	s.earned += check.Verdict{Check: c, Outcome: outcome}.Points()
}

func (s score) String() string {
	if s.all == 0 {
		return "-"
	}
	return fmt.Sprintf("%d/%d", s.earned, s.all)
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
// that did not run, was stopped, is to do, is blocked. Failures come first, because later code
// builds on them.
func (p progress) nextStepOf(lab string) string {
	for _, outcome := range []check.Outcome{
		check.Failed, silent, check.Stopped, check.Todo, check.Blocked,
	} {
		if outcome == silent && p.partial {
			continue
		}
		for _, c := range checksOf(lab) {
			if p.heard[lab][c.ID] == outcome && !c.Bonus {
				return p.adviceOn(lab, c, outcome)
			}
		}
	}
	return ""
}

func (p progress) adviceOn(lab string, c check.Check, outcome check.Outcome) string {
	switch outcome {
	case check.Failed:
		return p.mend(lab, c)
	case silent:
		return fmt.Sprintf("find out why %s of labs/%s did not run: see above", c.ID, lab)
	case check.Stopped:
		return fmt.Sprintf("make the checks end that hung: %s was not tried\n%s", c.ID,
			alone(lab, c))
	case check.Blocked:
		return fmt.Sprintf("find the operation that %s waits for: "+
			"go test -v -run '/%s ' ./labs/%s",
			c.ID, c.ID, lab)
	default:
		return fmt.Sprintf("write %s in labs/%s for %s: %s\n"+
			"      start with %s; stuck? make hint CHECK=%s",
			c.Operation, lab, c.ID, c.Title, guideOf(c.ID), c.ID)
	}
}

// mend describes the failure of one check in full.
func (p progress) mend(lab string, c check.Check) string {
	var b strings.Builder
	fmt.Fprintf(&b, "mend %s:\n", c.ID)
	for _, line := range p.texts[c.ID] {
		b.WriteString(failureLine(line))
	}
	fmt.Fprintf(&b, "      stuck? make hint CHECK=%s\n", c.ID)
	b.WriteString(alone(lab, c))
	return b.String()
}

// ownLine matches the place that go test puts before a failure of a check.
var ownLine = regexp.MustCompile(`^    run\.go:\d+: `)

// failureLine returns a line of a test's output as the table shows it, or "" for an empty line and
// for the lines about starting, pausing and ending a test.
func failureLine(line string) string {
	switch {
	case strings.HasPrefix(strings.TrimLeft(line, " "), "--- "), strings.HasPrefix(line, "=== "),
		strings.TrimSpace(line) == "":
		return ""
	case ownLine.MatchString(line):
		return "      " + ownLine.ReplaceAllString(line, "")
	}
	return "      " + strings.TrimPrefix(line, "        ")
}

// guideOf returns the guide that explains a check.
func guideOf(id string) string {
	s, _, _ := findCheck(id)
	return s.Guide
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

// checksOf returns the checks of all parts of a lab, in the lab's order.
func checksOf(lab string) []check.Check {
	var all []check.Check
	for _, s := range labSuites() {
		if s.Name == lab {
			all = append(all, s.Checks...)
		}
	}
	return all
}
