package check_test

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/kit/check"
)

var suite = check.Suite{
	Name: "0-sample", Guide: "guide.md",
	Checks: []check.Check{{Operation: "L0.add"}, {Operation: "L0.count"}},
}

func judge(t *testing.T, f func(check.T)) check.Verdict {
	t.Helper()
	return check.Judge(t.Context(), suite, check.Check{
		ID: "L0.1", Title: "two and two are four", Invariant: "L0.I1",
		Hint: "count on your fingers", Func: f,
	})
}

func TestVerdicts(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		f    func(check.T)
		want check.Outcome
	}{
		{"answers and no failure", func(t check.T) { t.Answered("add", nil) }, check.Passed},
		{"no answer at all", func(check.T) {}, check.Failed},
		{"Goexit", func(t check.T) {
			t.Answered("add", nil)
			runtime.Goexit()
		}, check.Failed},
		{"Goexit in another goroutine", func(t check.T) {
			t.Answered("add", nil)
			<-check.Go(t, runtime.Goexit)
		}, check.Failed},
		{"a failed assertion", func(t check.T) { assert.Equal(t, 4, 5) }, check.Failed},
		{"FailNow without a message", func(t check.T) { t.FailNow() }, check.Failed},
		{"a panic", func(check.T) { panic("no") }, check.Failed},
		{"a stub that panics", func(check.T) { panic(check.TODO("L0.add")) }, check.Todo},
		{"a failure after a TODO", func(t check.T) {
			t.Answered("add", check.TODO("L0.add"))
			t.FailNow()
		}, check.Todo},
		{"an error with the text of a TODO", func(t check.T) {
			t.Answered("add", errors.New("to do: L0.add"))
		}, check.Passed},
		{"a TODO after an answer", func(t check.T) {
			t.Answered("add", nil)
			t.Answered("add", check.TODO("L0.add"))
		}, check.Todo},
		{"a TODO for another operation after an answer", func(t check.T) {
			t.Answered("L0.add", nil)
			t.Answered("L0.add", check.TODO("L0.count"))
		}, check.Todo},
		{"a TODO for an unknown operation", func(t check.T) {
			t.Answered("L0.add", check.TODO("L0.later"))
		}, check.Failed},
		{"a TODO after a failure", func(t check.T) {
			t.Cleanup(func() { panic(check.TODO("L0.count")) })
			t.Answered("L0.add", nil)
			t.Errorf("expected 4, got 5")
		}, check.Failed},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, tc.want, judge(t, tc.f).Outcome)
		})
	}
}

// The text names the rule, then the failure, then the hint.
func TestOrderOfAFailureText(t *testing.T) {
	t.Parallel()
	v := judge(t, func(t check.T) { t.Logf("in base ten"); t.Errorf("expected 4, got 5") })
	require.Equal(t, `L0.I1 broken: two and two are four
expected 4, got 5
note: in base ten
hint: count on your fingers
read: guide.md, L0.I1
`, v.Text)
}

// The hint of a failed assertion takes the place of the check's hint. Assertions that hold leave no
// hint.
func TestAssertionsHaveHints(t *testing.T) {
	t.Parallel()
	v := judge(t, func(t check.T) {
		require.Equal(t.Hint("not this one"), 4, 4)
		assert.Equal(t.Hint("count both hands"), 4, 5, "the sum")
		require.Equal(t.Hint("count both hands"), 4, 6, "the sum")
	})
	require.Equal(t, check.Failed, v.Outcome)
	require.Contains(t, v.Text, "\nhint: count both hands\nread: ")
	require.NotContains(t, v.Text, "fingers")
	require.NotContains(t, v.Text, "not this one")
}

func TestReadNamesASection(t *testing.T) {
	t.Parallel()
	c := check.Check{Invariant: "L0.I1", Read: "section 2", Func: func(t check.T) { t.FailNow() }}
	v := check.Judge(t.Context(), suite, c)
	require.Contains(t, v.Text, "\nread: guide.md, section 2 (L0.I1)\n")
}

// A hang names the calls of the implementation that have not returned, in each of its goroutines,
// and no calls of other checks.
func TestAHangNamesItsCalls(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	mu.Lock()
	never := make(chan struct{})
	other := check.Check{ID: "L0.2", Func: waitsElsewhere}
	ctx, end := context.WithCancel(t.Context())
	defer end()
	go check.Judge(ctx, suite, other)
	v := check.Judge(t.Context(), suite, check.Check{
		ID: "L0.1", Limit: 300 * time.Millisecond, Func: func(t check.T) {
			go waitsForChannel(never)
			locks(&mu)
		},
	})
	require.Contains(t, v.Text, "TIMEOUT: the check did not end within 300ms; these calls")
	require.Contains(t, v.Text,
		"\n  sync.(*Mutex).Lock\n    in check_test.locks (check_test.go:")
	require.Contains(t, v.Text,
		"\n  a channel, a select or a loop\n    in check_test.waitsForChannel (check_test.go:")
	require.NotContains(t, v.Text, "waitsElsewhere")
}

func locks(mu *sync.Mutex)              { mu.Lock() }
func waitsForChannel(c <-chan struct{}) { <-c }
func waitsElsewhere(t check.T)          { <-t.Context().Done() }

func TestRequireEndsTheCheck(t *testing.T) {
	t.Parallel()
	v := judge(t, func(t check.T) { require.Fail(t, "first"); t.Errorf("second") })
	require.Equal(t, check.Failed, v.Outcome)
	require.NotContains(t, v.Text, "second")
}

// Cleanups run last in, first out, after the check's context has ended.
func TestOrderOfCleanups(t *testing.T) {
	t.Parallel()
	var got []string
	judge(t, func(t check.T) {
		ended := func() string { return context.Cause(t.Context()).Error() }
		t.Cleanup(func() { got = append(got, "outer, "+ended()) })
		t.Cleanup(func() { got = append(got, "inner, "+ended()) })
	})
	require.Equal(t, []string{"inner, context canceled", "outer, context canceled"}, got)
}

func TestAHangDoesNotStopOtherChecks(t *testing.T) {
	t.Parallel()
	never := make(chan struct{})
	hangs := check.Check{
		ID: "L0.1", Invariant: "L0.I1", Limit: 10 * time.Millisecond,
		Func: func(check.T) { <-never },
	}
	adds := check.Check{
		ID: "L0.2", Invariant: "L0.I2", Points: 3, Func: func(t check.T) { t.Answered("add", nil) },
	}
	all := check.JudgeAll(t.Context(), check.Suite{Checks: []check.Check{hangs, adds}})
	require.Equal(t, check.Failed, all[0].Outcome)
	require.Contains(t, all[0].Text, "TIMEOUT: the check did not end within 10ms")
	require.Equal(t, check.Passed, all[1].Outcome)
	require.Equal(t, []int{0, 3}, []int{all[0].Points(), all[1].Points()})
	require.Equal(t, []int{0, 1}, []int{all[0].Answers, all[1].Answers})
}

// A cleanup that fails changes the verdict of its own check and of no other.
func TestACleanupFailsOnlyItsCheck(t *testing.T) {
	t.Parallel()
	never := make(chan struct{})
	for name, tc := range map[string]struct {
		limit   time.Duration
		cleanup func(check.T)
		want    check.Outcome
		text    string
	}{
		// On a busy machine the check itself may exceed the limit.
		"hangs": {100 * time.Millisecond, func(check.T) { <-never }, check.Failed,
			"did not end within 100ms"},
		"panics": {0, func(check.T) { panic("no") }, check.Failed, "PANIC: no"},
		"fails": {0, func(t check.T) { require.Fail(t, "it is still open") }, check.Failed,
			"it is still open"},
		"returns TODO": {0, func(check.T) { panic(check.TODO("L0.close")) }, check.Blocked,
			"L0.close"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			first := make(chan struct{})
			bad := check.Check{ID: "L0.1", Operation: "L0.add", Limit: tc.limit}
			bad.Func = func(t check.T) {
				t.Cleanup(func() { close(first) })
				t.Cleanup(func() { tc.cleanup(t) })
			}
			good := check.Check{ID: "L0.2", Operation: "L0.close"}
			good.Func = func(t check.T) { t.Answered("L0.add", nil) }
			all := check.JudgeAll(t.Context(), check.Suite{Checks: []check.Check{bad, good}})
			<-first // the other cleanup ran
			require.Equal(t, tc.want, all[0].Outcome)
			require.Equal(t, check.Passed, all[1].Outcome)
			require.Contains(t, all[0].Text, tc.text)
		})
	}
}

func TestATODOOfAnotherOperationBlocks(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		first string
		want  check.Outcome
		text  string
	}{
		{"L0.add", check.Todo, "TODO: L0.add"},
		{"L0.count", check.Blocked, "BLOCKED: write L0.count first"},
	} {
		meetsTODO := func(t check.T) {
			t.Answered("x", check.TODO(tc.first))
			<-t.Context().Done() // the TODO ended the context
			t.FailNow()
		}
		v := check.Judge(t.Context(), suite, check.Check{Operation: "L0.add", Func: meetsTODO})
		require.Equal(t, tc.want, v.Outcome)
		require.Equal(t, tc.text, v.Text)
		require.Zero(t, v.Points())
	}
}

// A goroutine of the implementation that outlives its check would run beside the next ones.
func TestLeakFails(t *testing.T) {
	t.Parallel()
	stop := make(chan struct{})
	defer close(stop)
	leaks := judge(t, func(t check.T) {
		t.Answered("add", nil)
		go func() { <-stop }()
	})
	require.Equal(t, check.Failed, leaks.Outcome)
	require.Contains(t, leaks.Text, "LEAK: the check has ended; these calls have not returned:")
	slow := judge(t, func(t check.T) {
		t.Answered("add", nil)
		go func() { time.Sleep(50 * time.Millisecond) }()
	})
	require.Equal(t, check.Passed, slow.Outcome, slow.Text)
}
