package check

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// A TODOError is the answer of what is not written yet.
type TODOError struct{ Operation string }

func (e *TODOError) Error() string { return "to do: " + e.Operation }

// TODO is what a stub returns, or panics with where it returns no error. The operation is such as "L2.append".
func TODO(operation string) error { return &TODOError{operation} }

// operations are what the checks of a suite try, as its stubs name them. A suite whose checks try none by name has none.
func operations(s Suite) []string {
	var names []string
	for _, c := range s.Checks {
		if c.Operation != "" && !slices.Contains(names, c.Operation) {
			names = append(names, c.Operation)
		}
	}
	return names
}

// answers watches what each operation says, by its name.
type answers struct {
	known    []string        // the operations that there are; none where their names are not known
	answered map[string]bool // by its bare name: what has answered otherwise than by a TODO
	todo     *TODOError      // the first operation that said TODO, and had said nothing else before
	count    int
	fault    error // a TODO that is none
}

// add takes what the suite asked, by its own name, and what came. A TODO names its operation itself, which may be another one that was met
// on the way: neither may have answered before, or every wrong answer could be called unfinished.
func (a *answers) add(operation string, err error) {
	a.count++
	todo := new(TODOError)
	switch {
	case !errors.As(err, &todo):
		a.answer(operation)
	case a.answered[bare(operation)] || a.answered[bare(todo.Operation)]:
		a.fault = fmt.Errorf("%s answered before, and now says that %s is still to do", operation, todo.Operation)
	case len(a.known) > 0 && !slices.Contains(a.known, todo.Operation):
		a.fault = fmt.Errorf("%s says that %s is still to do, which this lab does not know: it has %s", operation, todo.Operation, strings.Join(a.known, ", "))
	case a.todo == nil:
		a.todo = todo
	}
}

// answer notes an answer that is none of a stub. What comes behind the first TODO is no longer tried.
func (a *answers) answer(operation string) {
	if a.todo != nil {
		return
	}
	if a.answered == nil {
		a.answered = map[string]bool{}
	}
	a.answered[bare(operation)] = true
}

// bare is what the suite's name of an operation, such as "Append", and the stub's, "L2.append", have in common.
func bare(operation string) string {
	if _, name, lab := strings.Cut(operation, "."); lab {
		operation = name
	}
	return strings.ToLower(operation)
}
