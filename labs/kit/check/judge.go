package check

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"time"
)

// Limit is how long a check may take. A right answer needs a small part of it; a wrong one may wait for ever.
const Limit = 60 * time.Second

// grace is how long a check that is past its limit has to notice that its context ended.
const grace = 5 * time.Second

// Judge runs one check and says what became of it. A panic is a failure that says PANIC, too long a wait one that says TIMEOUT. A check
// that outlives its limit, and then its context, is left behind: its goroutine runs on, and what it says is not heard. Its cleanups call
// the answer too, and are trusted no further.
func Judge(ctx context.Context, s Suite, c Check) Verdict {
	limit := cmp.Or(c.Limit, Limit)
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	r := &recorder{name: c.ID, ctx: ctx, end: cancel, answers: answers{known: operations(s)}}
	over := Go(r, func() { c.Func(r) })
	mercy := min(grace, limit)
	ended := r.wait(over, mercy)
	inTime := ended && !late(ctx)
	cancel()
	cleaned := true
	if !inTime {
		r.Errorf("TIMEOUT: it did not end within %s", limit)
		cleaned = r.cleanUp(mercy) // what a cleanup waits for now is likely what the check waited for, and was told
	} else if cleaned = r.cleanUp(limit); !cleaned {
		r.Errorf("TIMEOUT: a cleanup did not end within %s", limit)
	}
	v := r.verdict(s, c)
	v.Hung = !ended || !cleaned
	return v
}

// late says whether the time was up, rather than the work done.
func late(ctx context.Context) bool { return errors.Is(ctx.Err(), context.DeadlineExceeded) }

// wait says whether the check ended, if need be within the grace after its context has.
func (r *recorder) wait(over <-chan struct{}, grace time.Duration) bool {
	select {
	case <-over:
		return true
	case <-r.ctx.Done():
	}
	mercy := time.NewTimer(grace)
	defer mercy.Stop()
	select {
	case <-over:
		return true
	case <-mercy.C:
		return false
	}
}

// A recorder is the T of a check under judgement.
type recorder struct {
	name string
	ctx  context.Context
	end  context.CancelFunc

	mu       sync.Mutex
	found    []string
	log      []string
	cleanups []func()
	answers  answers
}

var _ T = (*recorder)(nil)

func (r *recorder) Name() string             { return r.name }
func (r *recorder) Context() context.Context { return r.ctx }
func (r *recorder) FailNow()                 { r.fail(""); runtime.Goexit() }

func (r *recorder) Errorf(format string, args ...any) { r.fail(plain(fmt.Sprintf(format, args...))) }

// fail notes a failure; without a text it only makes sure that there is one.
func (r *recorder) fail(text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if text == "" && len(r.found) > 0 {
		return
	}
	r.found = append(r.found, text)
}

// exited makes sure that there is a failure. FailNow ends a goroutine too, and leaves one behind; it is runtime.Goexit in the answer that does not.
func (r *recorder) exited() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.found) == 0 {
		r.found = []string{"EXIT: the answer ended the goroutine that had called it (runtime.Goexit)"}
	}
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

// Answered ends the context of a check that met a TODO: whatever still waits for an answer can stop. A check that has failed has failed:
// no TODO excuses what was found before it.
func (r *recorder) Answered(operation string, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.found) > 0 {
		r.answers.count++
		return
	}
	r.answers.add(operation, err)
	if r.answers.todo != nil {
		r.end()
	}
}

// cleanUp runs the cleanups, each for so long: one that does not end is left behind, and the next one has its turn. It says whether all
// have ended.
func (r *recorder) cleanUp(patience time.Duration) bool {
	all := true
	for f := r.lastCleanup(); f != nil; f = r.lastCleanup() {
		select {
		case <-Go(r, f):
		case <-time.After(patience):
			all = false
		}
	}
	return all
}

// lastCleanup takes the one that was registered last, or gives nil. A cleanup may register another.
func (r *recorder) lastCleanup() (f func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if last := len(r.cleanups) - 1; last >= 0 {
		f, r.cleanups = r.cleanups[last], r.cleanups[:last]
	}
	return f
}

// verdict puts a TODO above what was found behind it, for a check that met one can only fail; and a broken TODO protocol above both.
func (r *recorder) verdict(s Suite, c Check) (v Verdict) {
	r.mu.Lock()
	defer r.mu.Unlock()
	defer func() { v.Answers = r.answers.count }()
	found := slices.Clone(r.found)
	if r.answers.fault != nil {
		found = append(found, r.answers.fault.Error())
	} else if r.answers.todo != nil {
		return skipped(c, r.answers.todo)
	} else if len(found) == 0 && r.answers.count == 0 {
		found = append(found, "NOTHING TRIED: the check ended without one answer of what it tries")
	}
	if len(found) > 0 {
		return Verdict{Check: c, Outcome: Failed, Text: failure(s, c, found, r.log)}
	}
	return Verdict{Check: c, Outcome: Passed}
}
