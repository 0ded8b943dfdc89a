package check

import (
	"fmt"
	"strings"
)

// An Outcome is how a check ended.
type Outcome string

// The outcomes of a check. Only Passed earns points; Todo and Blocked are no failures.
const (
	Passed  Outcome = "passed"
	Failed  Outcome = "failed"
	Todo    Outcome = "todo"    // the operation that it tries is not written yet
	Blocked Outcome = "blocked" // another operation is not, without which it cannot be tried
)

// A Verdict is what became of a check.
type Verdict struct {
	Check   Check
	Outcome Outcome
	Text    string // empty when passed
	Answers int    // how many answers of the implementation the check saw; a check that saw none has tried nothing
	Hung    bool   // something of it did not end, even when its context had, and was left behind
}

// Points is what the verdict earns.
func (v Verdict) Points() int {
	if v.Outcome == Passed {
		return v.Check.Points
	}
	return 0
}

// failure puts the broken rule first, then what was expected and what came, then what that usually means and the way on.
func failure(s Suite, c Check, found, log []string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s broken: %s\n", c.Invariant, c.Title)
	for _, f := range found {
		if f = strings.Trim(f, "\n"); f != "" {
			fmt.Fprintf(&b, "%s\n", f)
		}
	}
	for _, l := range log {
		fmt.Fprintf(&b, "note: %s\n", l)
	}
	if c.Misconception != "" {
		fmt.Fprintf(&b, "usually: %s\n", c.Misconception)
	}
	if c.Hint != "" {
		fmt.Fprintf(&b, "hint: %s\n", c.Hint)
	}
	fmt.Fprintf(&b, "read: %s, %s\n", s.Guide, c.Invariant)
	return b.String()
}

// skipped says what is to be written first.
func skipped(c Check, todo *TODOError) Verdict {
	if c.Operation == "" || c.Operation == todo.Operation {
		return Verdict{Check: c, Outcome: Todo, Text: "TODO: " + todo.Operation}
	}
	return Verdict{Check: c, Outcome: Blocked, Text: "BLOCKED by " + todo.Operation + ", which is still to do"}
}
