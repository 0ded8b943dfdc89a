package check

import (
	"context"
	"fmt"
	"strings"
	"testing"
)

// A Check tries one invariant.
type Check struct {
	ID        string // such as L2.4: the lab and a number, unique and stable
	Title     string // the rule, as a sentence that is true of a right answer
	Points    int
	Invariant string // such as L2.I4: where the contract states the rule
	Hint      string // the next thing to look at when it fails
	Func      func(T)
}

// A Suite is the checks of one lab, in the order in which a student should meet them.
type Suite struct {
	Name   string // such as "2-store"
	Guide  string // where the invariants are explained, from the root of the repository
	Checks []Check
}

// T is what a check reports to. It satisfies testify's require.TestingT. Its methods are safe for use by many goroutines, but for FailNow,
// which ends the goroutine that calls it and so belongs to the check's own.
type T interface {
	// Errorf notes a failure and goes on.
	Errorf(format string, args ...any)
	// FailNow ends the check as failed.
	FailNow()
	// Logf adds a line that is shown with a failure.
	Logf(format string, args ...any)
	// Cleanup has f called when the check is over, last in first out.
	Cleanup(f func())
	// Context ends when the check is over, before cleanups run, or when it has taken too long.
	Context() context.Context
	// Name is the check's ID.
	Name() string
	// Answered notes what an operation of the implementation answered. A suite's proxy calls it for each result,
	// so that a TODO is seen even where the check looks away.
	Answered(operation string, err error)
}

// Run runs each check of s as a parallel subtest of t.
func Run(t *testing.T, s Suite) {
	for _, c := range s.Checks {
		t.Run(c.ID+" "+c.Title, func(t *testing.T) {
			t.Parallel()
			v := Judge(t.Context(), s, c)
			switch v.Outcome {
			case Todo:
				t.Skip(v.Text)
			case Failed:
				t.Error(v.Text)
			}
		})
	}
}

// An Outcome is how a check ended.
type Outcome string

// The outcomes of a check.
const (
	Passed Outcome = "passed"
	Failed Outcome = "failed"
	Todo   Outcome = "todo"
)

// A Verdict is what became of a check.
type Verdict struct {
	Check   Check
	Outcome Outcome
	Text    string // empty when passed
}

// failure puts the broken rule first, then what was expected and what came, then the way on.
func failure(s Suite, c Check, found, log []string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s broken: %s\n", c.Invariant, c.Title)
	for _, f := range found {
		fmt.Fprintf(&b, "%s\n", strings.TrimRight(f, "\n"))
	}
	for _, l := range log {
		fmt.Fprintf(&b, "note: %s\n", l)
	}
	if c.Hint != "" {
		fmt.Fprintf(&b, "hint: %s\n", c.Hint)
	}
	fmt.Fprintf(&b, "read: %s, %s\n", s.Guide, c.Invariant)
	return b.String()
}
