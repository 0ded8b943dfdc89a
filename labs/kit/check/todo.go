package check

import (
	"errors"
	"fmt"
)

// A TODOError is the answer of what is not written yet.
type TODOError struct{ Operation string }

func (e *TODOError) Error() string { return "to do: " + e.Operation }

// TODO is what a stub returns, or panics with where it returns no error. The operation is such as "L2.append".
func TODO(operation string) error { return &TODOError{operation} }

// answers watches what each operation says, by its name.
type answers struct {
	first map[string]error // what it said first
	todo  *TODOError       // the first operation that said TODO, and had said nothing else before
	count int
	fault error // an operation that had answered otherwise, and then said TODO
}

func (a *answers) add(operation string, err error) {
	a.count++
	if a.first == nil {
		a.first = map[string]error{}
	}
	first, again := a.first[operation]
	if !again {
		a.first[operation] = err
		first = err
	}
	todo, was := new(TODOError), new(TODOError)
	switch {
	case !errors.As(err, &todo):
	case again && !errors.As(first, &was):
		a.fault = fmt.Errorf("%s answered before, and now says it is still to do", operation)
	case a.todo == nil:
		a.todo = todo
	}
}
