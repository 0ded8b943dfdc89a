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

// suites returns the suites of all checks, for looking checks up. They have no implementation and
// cannot run.
func suites() []check.Suite {
	return append(labSuites(), kafkatest.Given(), storetest.Objects(nil), projectiontest.Given(),
		audittest.Suite(audittest.Fixture{}))
}

// labSuites returns the suites that the tests of the labs run. The checks of object storage are not
// among them: students are given the object storage.
func labSuites() []check.Suite {
	labs1and2 := append(codectest.Suites(codectest.Fixture{}),
		kafkatest.Suites(kafkatest.Fixture{})...)
	return append(labs1and2,
		projectiontest.Lab(projectiontest.Answer{}),
		replaytest.Lab(replaytest.Answer{}),
		audittest.Lab(audittest.Answer{}),
	)
}

// filesOf returns the files of a lab's folder that a student edits.
func filesOf(lab string) (files []string) {
	for _, s := range labSuites() {
		if s.Name == lab {
			files = append(files, s.Files...)
		}
	}
	return files
}

// findCheck looks a check up by its ID, in upper or lower case, with or without its L.
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
	More  bool   `help:"Also print the second hint, which gives most of the answer away."`
}

// Run prints the parts of a failure that do not depend on the answer: the rule, the usual
// misconception, the hint.
func (h *hintCmd) Run(to *streams) error {
	suite, c, found := findCheck(h.Check)
	if !found {
		return h.unknown()
	}
	fmt.Fprintf(to.stdout, "%s %s (%d points)\n", c.ID, c.Title, c.Points)
	if c.Misconception != "" {
		fmt.Fprintf(to.stdout, "misconception: %s\n", c.Misconception)
	}
	fmt.Fprintf(to.stdout, "hint: %s\n", c.Hint)
	switch {
	case c.More == "":
	case h.More:
		fmt.Fprintf(to.stdout, "more: %s\n", c.More)
	default:
		fmt.Fprintf(to.stdout, "more: make hint CHECK=%s MORE=1\n", c.ID)
	}
	fmt.Fprintf(to.stdout, "read: %s\n", check.Place(suite, c))
	return nil
}

func (h *hintCmd) unknown() error {
	if h.Check == "" {
		return &hintedError{misuse, "no check is named",
			"name one: make hint CHECK=L1.4; a lab's guide ends with a table of its checks"}
	}
	guide := "the lab's guide, such as labs/1-schemas/README.md"
	for _, s := range labSuites() {
		lab, _, _ := strings.Cut(s.Checks[0].ID, ".")
		if strings.HasPrefix(strings.ToUpper(h.Check), lab+".") {
			guide = s.Guide
			break // of the lab's first part
		}
	}
	return &hintedError{misuse, fmt.Sprintf("there is no check %q", h.Check),
		"see the table of checks in " + guide}
}
