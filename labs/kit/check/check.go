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
	// Operation is what the check tries, as its stub names it: L1.encode. A TODO from it makes the check Todo, a TODO from
	// any other Blocked. Without an Operation every TODO makes the check Todo.
	Operation     string
	Misconception string        // what one usually believes who fails it
	Hint          string        // the next thing to look at when it fails
	Limit         time.Duration // how long it may take; zero means the package's Limit
	Func          func(T)
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

	// exited notes that a goroutine of the check was ended before it had done its work.
	exited()
}
