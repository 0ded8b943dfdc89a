package main

import (
	"fmt"
	"strings"

	"example.com/blotter/labs/1-schemas/codectest"
	"example.com/blotter/labs/2-store/kafkatest"
	"example.com/blotter/labs/2-store/storetest"
	"example.com/blotter/labs/3-projections/projectiontest"
	"example.com/blotter/labs/4-replay/replaytest"
	"example.com/blotter/labs/5-audit/audittest"
	"example.com/blotter/labs/kit/check"
)

// suites are all checks that there are, for looking things up: without an implementation none of them is run.
func suites() []check.Suite { return append(labSuites(), storetest.Objects(nil)) }

// labSuites are those that the tests of the labs run. Object storage is given to a student.
func labSuites() []check.Suite {
	return []check.Suite{
		codectest.Suite(codectest.Fixture{}),
		kafkatest.Suite(kafkatest.Fixture{}),
		projectiontest.Suite(projectiontest.Fixture{}),
		replaytest.Suite(replaytest.Fixture{}),
		audittest.Suite(audittest.Fixture{}),
	}
}

// findCheck takes an ID in any case, and without its L.
func findCheck(id string) (check.Suite, check.Check, bool) {
	id = "L" + strings.TrimPrefix(strings.ToUpper(id), "L")
	for _, s := range suites() {
		for _, c := range s.Checks {
			if c.ID == id {
				return s, c, true
			}
		}
	}
	return check.Suite{}, check.Check{}, false
}

type hintCmd struct {
	Check string `arg:"" optional:"" help:"The check, such as L2.3."`
}

// Run prints what a failure of the check would say beside what came: the rule, what is usually misunderstood, and the way on.
func (h *hintCmd) Run(a *app) error {
	suite, c, found := findCheck(h.Check)
	if !found {
		return h.unknown()
	}
	fmt.Fprintf(a.stdout, "%s %s (%d points)\n", c.ID, c.Title, c.Points)
	if c.Misconception != "" {
		fmt.Fprintf(a.stdout, "misconception: %s\n", c.Misconception)
	}
	fmt.Fprintf(a.stdout, "hint: %s\nread: %s, %s\n", c.Hint, suite.Guide, c.Invariant)
	return nil
}

func (h *hintCmd) unknown() error {
	if h.Check == "" {
		return &usageError{"no check is named", "make hint CHECK=L1.4; a lab's guide ends with a table of its checks"}
	}
	guide := "the lab's guide, such as labs/1-schemas/README.md"
	for _, s := range labSuites() {
		if lab, _, _ := strings.Cut(s.Checks[0].ID, "."); strings.HasPrefix(strings.ToUpper(h.Check), lab+".") {
			guide = s.Guide
		}
	}
	return &usageError{fmt.Sprintf("there is no check %q", h.Check), "see the table in " + guide}
}
