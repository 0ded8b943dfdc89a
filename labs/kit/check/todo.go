package check

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// A TODOError is the answer of an operation that is not written yet.
type TODOError struct{ Operation string }

func (e *TODOError) Error() string { return "to do: " + e.Operation }

// TODO is the error that a stub returns. A stub without an error result panics with it. The
// operation has a name such as "L2.append".
func TODO(operation string) error { return &TODOError{operation} }

// operations lists the names of the operations that the checks of a suite try or need. It is empty
// if the checks name no operation.
func operations(s Suite) []string {
	names := slices.Clone(s.Needs)
	for _, c := range s.Checks {
		if c.Operation != "" && !slices.Contains(names, c.Operation) {
			names = append(names, c.Operation)
		}
	}
	return names
}

// answers holds the answers of the implementation.
type answers struct {
	known []string   // all operations of the lab; empty if their names are not known
	todo  *TODOError // the first TODO
	count int
	fault error // a TODO for an operation that the lab does not have
}

// add records an answer of the operation that the suite called. A TODO names its own operation.
// That may be another operation, which the called one needs. An operation may answer first and
// return a TODO later: it is half written, and the check earns nothing.
func (a *answers) add(operation string, err error) {
	a.count++
	todo := new(TODOError)
	switch {
	case !errors.As(err, &todo):
	case len(a.known) > 0 && !slices.Contains(a.known, todo.Operation):
		a.fault = fmt.Errorf("%s returned TODO for %s, which is not an operation of this lab: %s",
			operation, todo.Operation, strings.Join(a.known, ", "))
	case a.todo == nil:
		a.todo = todo
	}
}

// skipped is the verdict of a check that met a TODO. It names the operation to write first.
func skipped(c Check, todo *TODOError) Verdict {
	if c.Operation == "" || c.Operation == todo.Operation {
		return Verdict{Check: c, Outcome: Todo, Text: "TODO: " + todo.Operation}
	}
	return Verdict{Check: c, Outcome: Blocked, Text: "BLOCKED: write " + todo.Operation + " first"}
}
