package check

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"strings"
)

// Go runs f in a goroutine of the check and returns a channel that is closed when f has ended. A
// panic in f is the check's failure, or its TODO. In a goroutine of the go statement the panic
// would end the whole test binary. A call of runtime.Goexit in f is a failure too, because the rest
// of f was not tried.
func Go(t T, f func()) <-chan struct{} {
	done := make(chan struct{})
	go func() {
		defer close(done)
		returned := false
		defer func() { ended(t, returned, recover()) }()
		pprof.Do(t.Context(), pprof.Labels(label, t.identity()), func(context.Context) { f() })
		returned = true
	}()
	return done
}

// ended records the end of a goroutine that did not return. If it did not panic either, then it
// called runtime.Goexit, directly or through FailNow.
func ended(t T, returned bool, p any) {
	switch {
	case returned:
	case p == nil:
		t.exited()
	default:
		panicked(t, p)
	}
}

func panicked(t T, p any) {
	todo := new(TODOError)
	if err, ok := p.(error); ok && errors.As(err, &todo) {
		t.Answered(todo.Operation, err)
		return
	}
	t.Errorf("PANIC: %v%s", p, frames())
}

// frames lists the innermost calls below the panic. It leaves out Go's runtime, this package and
// testify: the remaining calls are mostly in the implementation.
func frames() string {
	pcs := make([]uintptr, 64)
	stack := runtime.CallersFrames(pcs[:runtime.Callers(3, pcs)])
	var b strings.Builder
	for n := 0; n < 5; {
		frame, more := stack.Next()
		if !machinery(frame.Function) {
			fmt.Fprintf(&b, "\n  in %s (%s:%d)",
				filepath.Base(frame.Function), filepath.Base(frame.File), frame.Line)
			n++
		}
		if !more {
			break
		}
	}
	return b.String()
}

func machinery(function string) bool {
	return strings.HasPrefix(function, "runtime.") || strings.HasPrefix(function, "runtime/") ||
		strings.Contains(function, "/check.") ||
		strings.Contains(function, "github.com/stretchr/testify/")
}
