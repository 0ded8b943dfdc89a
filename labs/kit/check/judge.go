package check

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Limit is the time that a check may take. A right answer needs a small part of it. A wrong answer
// may wait for ever.
const Limit = 60 * time.Second

// maxGrace is the time in which a check that is past its limit must end after its context ended.
const maxGrace = 5 * time.Second

// Judge runs one check and returns its verdict. A panic is a failure that begins with PANIC. A
// check that exceeds its limit is a failure that begins with TIMEOUT, and lists the calls that had
// not returned by then.
//
// A check that still runs after its limit and a grace period is abandoned: its goroutine runs on,
// and its later reports are ignored. Cleanups call the implementation too, so they have the same
// limits. A goroutine that the implementation started must end soon after the check.
func Judge(ctx context.Context, s Suite, c Check) Verdict { return judge(ctx, s, c, 0) }

func judge(ctx context.Context, s Suite, c Check, seed uint64) Verdict {
	limit := cmp.Or(c.Limit, Limit)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	end := func() { cancel(nil) }
	r := &recorder{
		name: c.ID, run: fmt.Sprintf("%s-%d", c.ID, runs.Add(1)),
		ctx: ctx, end: end, answers: answers{known: operations(s)}, seed: seed,
	}
	stopTimer := time.AfterFunc(limit, func() {
		calls := hangingCalls(r) // BEFORE the context ends: many calls return then
		r.fail(failure{text: fmt.Sprintf("TIMEOUT: the check did not end within %s%s",
			limit, calls)})
		cancel(errTooLong)
	}).Stop
	done := Go(r, func() { c.Func(r) })
	grace := min(maxGrace, limit)
	ended := r.wait(done, grace)
	stopTimer()
	inTime := ended && !errors.Is(context.Cause(ctx), errTooLong)
	end()
	cleaned := true
	if !inTime {
		// A cleanup that waits now probably waits for the same thing as the check did.
		cleaned = r.cleanUp(grace)
	} else if cleaned = r.cleanUp(limit); !cleaned {
		r.Errorf("TIMEOUT: a cleanup of the check did not end within %s%s", limit, r.stuck)
	}
	v := r.verdict(s, c)
	v.Hung = !inTime || !cleaned
	if v.Outcome == Passed {
		if calls := r.leaked(); calls != "" {
			r.Errorf("LEAK: the check has ended%s", calls)
			v = r.verdict(s, c)
		}
	}
	return v
}

// leaked lists the calls of the implementation that still run a while after the check. They would
// run on beside the next checks.
func (r *recorder) leaked() (calls string) {
	for wait := time.Millisecond; wait < maxGrace/2; wait *= 2 {
		if calls = hangingCalls(r); calls == "" {
			return ""
		}
		time.Sleep(wait)
	}
	return calls
}

// runs counts the checks that were judged in this process.
var runs atomic.Int64

// errTooLong is the reason why the context of a check ended at its limit.
var errTooLong = errors.New("the check took too long")

// wait reports whether the check ended, at the latest within the grace period after its context.
func (r *recorder) wait(done <-chan struct{}, grace time.Duration) bool {
	select {
	case <-done:
		return true
	case <-r.ctx.Done():
	}
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-done:
		return true
	case <-timer.C:
		return false
	}
}

// A recorder is the T of one check that is being judged.
type recorder struct {
	name string
	run  string // the name and a number
	ctx  context.Context
	end  func()
	seed uint64

	mu       sync.Mutex
	failures []failure
	stuck    string // the calls of a cleanup that had not returned at its limit
	log      []string
	cleanups []func()
	answers  answers
}

var _ T = (*recorder)(nil)

func (r *recorder) Name() string             { return r.name }
func (r *recorder) Context() context.Context { return r.ctx }
func (r *recorder) FailNow()                 { r.fail(failure{}); runtime.Goexit() }
func (r *recorder) Hint(text string) T       { return hinted{r, text} }
func (r *recorder) Seed() uint64             { return r.seed }
func (r *recorder) identity() string         { return r.run }

// A hinted is a recorder whose failures have a hint of their own.
type hinted struct {
	*recorder
	hint string
}

func (h hinted) Errorf(format string, args ...any) {
	h.fail(failure{withoutFrame(fmt.Sprintf(format, args...)), h.hint})
}

func (r *recorder) Errorf(format string, args ...any) {
	r.fail(failure{text: withoutFrame(fmt.Sprintf(format, args...))})
}

// fail records a failure. An empty text is recorded only if there is no failure yet.
func (r *recorder) fail(f failure) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if f.text == "" && len(r.failures) > 0 {
		return
	}
	r.failures = append(r.failures, f)
}

// exited records a failure unless there is one. FailNow also ends a goroutine, but records a
// failure first. Without a failure the implementation itself called runtime.Goexit.
func (r *recorder) exited() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.failures) == 0 {
		r.failures = []failure{{
			text: "EXIT: the implementation ended the goroutine that called it (runtime.Goexit)",
		}}
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

// Answered ends the context of a check that met a TODO, so that the check waits for nothing more. A
// TODO after a failure does not excuse the failure.
func (r *recorder) Answered(operation string, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.failures) > 0 {
		r.answers.count++
		return
	}
	r.answers.add(operation, err)
	if r.answers.todo != nil {
		r.end()
	}
}

// cleanUp runs the cleanups and reports whether all of them ended. It abandons a cleanup that takes
// longer than limit and runs the next one.
func (r *recorder) cleanUp(limit time.Duration) bool {
	all := true
	for f := r.lastCleanup(); f != nil; f = r.lastCleanup() {
		select {
		case <-Go(r, f):
		case <-time.After(limit):
			all, r.stuck = false, hangingCalls(r)
		}
	}
	return all
}

// lastCleanup removes and returns the cleanup that was registered last, or nil. A cleanup may
// register another one.
func (r *recorder) lastCleanup() (f func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if last := len(r.cleanups) - 1; last >= 0 {
		f, r.cleanups = r.cleanups[last], r.cleanups[:last]
	}
	return f
}

// verdict decides in this order: a TODO for an unknown operation fails; a TODO skips, because the
// failures after it follow from it; a failure fails; a check without any answer fails.
func (r *recorder) verdict(s Suite, c Check) (v Verdict) {
	r.mu.Lock()
	defer r.mu.Unlock()
	defer func() { v.Answers = r.answers.count }()
	failures := slices.Clone(r.failures)
	if r.answers.fault != nil {
		failures = append(failures, failure{text: r.answers.fault.Error()})
	} else if r.answers.todo != nil {
		return skipped(c, r.answers.todo)
	} else if len(failures) == 0 && r.answers.count == 0 {
		failures = append(failures, failure{
			text: "NOTHING TRIED: the check ended before the implementation answered any call",
		})
	}
	if len(failures) > 0 {
		return Verdict{Check: c, Outcome: Failed, Text: failureText(s, c, failures, r.log)}
	}
	return Verdict{Check: c, Outcome: Passed}
}
