// Package check is the base of the labs' suites. A check is one numbered rule and the code that
// tries it. Its verdict is a value. Run runs a suite under go test. Judge runs one check on any
// implementation, for example on a wrong answer, and returns the verdict.
//
// A suite never takes a *testing.T. It takes a T, which testify's require accepts as well:
//
//	var appends = check.Check{
//		ID: "L2.16", Points: 3, Invariant: "L2.I1",
//		Title: "versions of a stream run 1, 2, 3, … without a hole",
//		Hint:  "take the version from the log, not from a counter of your own",
//		Func:  func(t check.T) { … require.Equal(t, …) },
//	}
//
// An operation that is not written yet returns TODO. An operation that is half written returns TODO
// in the cases that it lacks. A check that meets a TODO neither passes nor fails: it is skipped.
package check

import (
	"context"
	"time"
)

// A Check tries one invariant.
type Check struct {
	ID        string // such as L2.4: the lab and a number, unique and stable
	Title     string // the rule, as a sentence that is true of a right answer
	Points    int
	Invariant string // such as L2.I4: where the contract states the rule
	// Operation is the operation that the check tries, under its stub's name: L1.encode. A TODO
	// from this operation makes the check Todo; a TODO from another operation makes it Blocked.
	// Without an Operation every TODO makes the check Todo.
	Operation     string
	Misconception string // the false belief that usually causes a failure: "that …"
	// Hint is the first thing to look at after a failure. An assertion may have a hint of its own
	// (T.Hint), which then takes its place. More is the second level: it gives most of the answer
	// away, and only make hint CHECK=… MORE=1 prints it.
	Hint, More string
	// Read is the place in the guide that explains the rule: "section 4, exercise 2".
	Read string
	// Bonus is true for a check that the lab does not require. Its points are counted apart, and a
	// failure does not make the run red.
	Bonus bool
	Limit time.Duration // the time that the check may take; zero means the package's Limit
	Func  func(T)
}

// A Suite is the checks of one lab, or of one part of it, in the order in which a student should
// meet them.
type Suite struct {
	Name   string // such as "2-store": the lab's folder
	Part   string // such as "1a", if the lab has several parts
	Guide  string // the page that explains the invariants, from the root of the repository
	Checks []Check
	Needs  []string // operations of earlier parts that the checks also call
	// Files are the files of the lab's folder that a student edits for these checks, in the order
	// in which they are written. A grader takes no other file from a student.
	Files []string
}

// T receives the results of a check. It satisfies testify's require.TestingT. Its methods are safe
// for use by many goroutines, except FailNow: it ends the goroutine that calls it, so only the
// check's own goroutine may call it.
type T interface {
	// Errorf records a failure. The check goes on.
	Errorf(format string, args ...any)
	// FailNow ends the check as failed.
	FailNow()
	// Hint returns the same T, except that its failures have this hint in place of the check's:
	//
	//	require.Equal(t.Hint("a stream without events has version 0"), int64(0), version)
	Hint(text string) T
	// Logf adds a line that is shown with a failure.
	Logf(format string, args ...any)
	// Cleanup registers f to be called after the check. The last f is called first.
	Cleanup(f func())
	// Context ends after the check and before its cleanups, or when the check takes too long.
	Context() context.Context
	// Name returns the check's ID.
	Name() string
	// Seed is the seed of generated data. It is 0, and public, except in a graded run: there it is
	// drawn for that run and secret, so that no answer can know the data in advance.
	Seed() uint64
	// Answered records an answer of one operation of the implementation. A suite's proxy calls it
	// for each result. The check then learns of every TODO, even if its Func ignores the error.
	Answered(operation string, err error)

	// identity is the ID of this run of the check. No other run has it.
	identity() string
	// exited records that a goroutine of the check was ended before it had done its work.
	exited()
}

// An Outcome is how a check ended.
type Outcome string

// The outcomes of a check. Only Passed earns points. Only Failed is a failure.
const (
	Passed  Outcome = "passed"
	Failed  Outcome = "failed"
	Todo    Outcome = "todo"    // the operation that the check tries is not written yet
	Blocked Outcome = "blocked" // another operation, which the check needs, is not written yet
	Stopped Outcome = "stopped" // not tried, because several checks had hung before
)

// A Verdict is the result of a check.
type Verdict struct {
	Check   Check
	Outcome Outcome
	Text    string // empty when passed
	Answers int    // answers of the implementation that the check saw
	Hung    bool   // the check or one of its cleanups did not end in time
}

// Points returns the points that the verdict earns.
func (v Verdict) Points() int {
	if v.Outcome == Passed {
		return v.Check.Points
	}
	return 0
}
