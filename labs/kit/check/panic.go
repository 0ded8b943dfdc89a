package check

import (
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
)

// Go runs f beside the check and gives a channel that is closed when f has ended. A panic in f is the check's failure, or its TODO,
// where a goroutine started with the go statement would take the whole test down. So is an end of the goroutine that nobody had a
// reason for: what f was to try behind it has not been tried. Its errors are noted through t.
func Go(t T, f func()) <-chan struct{} {
	over := make(chan struct{})
	go func() {
		defer close(over)
		returned := false
		defer func() { ended(t, returned, recover()) }()
		f()
		returned = true
	}()
	return over
}

// ended notes how a goroutine came to its end, unless it returned. One that neither returned nor panicked has called runtime.Goexit: through
// FailNow, or else without a word.
func ended(t T, returned bool, p any) {
	switch {
	case returned:
	case p == nil:
		t.exited()
	default:
		caught(t, p)
	}
}

func caught(t T, p any) {
	todo := new(TODOError)
	if err, ok := p.(error); ok && errors.As(err, &todo) {
		t.Answered(todo.Operation, err)
		return
	}
	t.Errorf("PANIC: %v%s", p, frames())
}

// frames are the innermost calls below the panic, without those of the language and of this kit's machinery: what is left
// is mostly the answer's own code.
func frames() string {
	pcs := make([]uintptr, 64)
	stack := runtime.CallersFrames(pcs[:runtime.Callers(3, pcs)])
	var b strings.Builder
	for n := 0; n < 5; {
		frame, more := stack.Next()
		if !machinery(frame.Function) {
			fmt.Fprintf(&b, "\n  in %s (%s:%d)", filepath.Base(frame.Function), filepath.Base(frame.File), frame.Line)
			n++
		}
		if !more {
			break
		}
	}
	return b.String()
}

func machinery(function string) bool {
	return strings.HasPrefix(function, "runtime.") || strings.Contains(function, "/kit/check.") ||
		strings.Contains(function, "github.com/stretchr/testify/")
}
