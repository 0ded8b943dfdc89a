package check

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"
	"time"
)

// Limit is how long a check may take. A right answer needs a small part of it; a wrong one may wait for ever.
const Limit = 60 * time.Second

// grace is how long a check that is past its limit has to notice that its context ended.
const grace = 5 * time.Second

// Judge runs one check and says what became of it. A panic is a failure. A check that outlives its limit and then
// its context is left behind.
func Judge(ctx context.Context, s Suite, c Check) Verdict {
	ctx, cancel := context.WithTimeout(ctx, Limit)
	defer cancel()
	r := &recorder{name: c.ID, ctx: ctx}
	over := make(chan struct{})
	go func() {
		defer close(over)
		defer r.recover()
		c.Func(r)
	}()
	if !r.wait(over) {
		r.Errorf("it did not end within %s, nor %s after its context did", Limit, grace)
	}
	cancel()
	r.cleanUp()
	return r.verdict(s, c)
}

// wait says whether the check ended.
func (r *recorder) wait(over <-chan struct{}) bool {
	select {
	case <-over:
		return true
	case <-r.ctx.Done():
	}
	late := time.NewTimer(grace)
	defer late.Stop()
	select {
	case <-over:
		return true
	case <-late.C:
		return false
	}
}

// A recorder is the T of a check under judgement.
type recorder struct {
	name string
	ctx  context.Context

	mu       sync.Mutex
	found    []string
	log      []string
	cleanups []func()
	answers  answers
}

func (r *recorder) Name() string             { return r.name }
func (r *recorder) Context() context.Context { return r.ctx }
func (r *recorder) FailNow()                 { r.fail(""); runtime.Goexit() }

func (r *recorder) Errorf(format string, args ...any) { r.fail(fmt.Sprintf(format, args...)) }

// fail notes a failure; without a text it only makes sure that there is one.
func (r *recorder) fail(text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if text == "" && len(r.found) > 0 {
		return
	}
	r.found = append(r.found, text)
}

func (r *recorder) Logf(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.log = append(r.log, fmt.Sprintf(format, args...))
}

func (r *recorder) Cleanup(f func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cleanups = append(r.cleanups, f)
}

func (r *recorder) Answered(operation string, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answers.add(operation, err)
}

func (r *recorder) recover() {
	p := recover()
	if p == nil {
		return
	}
	todo := new(TODOError)
	if err, ok := p.(error); ok && errors.As(err, &todo) {
		r.Answered(todo.Operation, err)
		return
	}
	r.Errorf("panic: %v\n%s", p, debug.Stack())
}

func (r *recorder) cleanUp() {
	for {
		r.mu.Lock()
		last := len(r.cleanups) - 1
		if last < 0 {
			r.mu.Unlock()
			return
		}
		f := r.cleanups[last]
		r.cleanups = r.cleanups[:last]
		r.mu.Unlock()
		f()
	}
}

// verdict puts a TODO above a failure, for a check that met one can only fail; and a broken TODO protocol above both.
func (r *recorder) verdict(s Suite, c Check) Verdict {
	r.mu.Lock()
	defer r.mu.Unlock()
	found := slices.Clone(r.found)
	if r.answers.fault != nil {
		found = append(found, r.answers.fault.Error())
	} else if r.answers.todo != nil {
		return Verdict{Check: c, Outcome: Todo, Text: r.answers.todo.Error()}
	}
	if len(found) > 0 {
		return Verdict{Check: c, Outcome: Failed, Text: failure(s, c, found, r.log)}
	}
	return Verdict{Check: c, Outcome: Passed}
}
