package check_test

import (
	"context"
	"errors"
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/kit/check"
)

var suite = check.Suite{Name: "0-sample", Guide: "labs/0-sample/README.md", Checks: []check.Check{{Operation: "L0.add"}, {Operation: "L0.count"}}}

func judge(t *testing.T, f func(check.T)) check.Verdict {
	t.Helper()
	return check.Judge(t.Context(), suite, check.Check{
		ID: "L0.1", Title: "two and two are four", Invariant: "L0.I1", Hint: "count on your fingers", Func: f,
	})
}

func TestVerdicts(t *testing.T) {
	t.Parallel()
	stub := func(check.T) { panic(check.TODO("L0.add")) }
	for _, tc := range []struct {
		name string
		f    func(check.T)
		want check.Outcome
	}{
		{"a check that has its answers and finds nothing passes", func(t check.T) { t.Answered("add", nil) }, check.Passed},
		{"a check that asked nothing fails", func(check.T) {}, check.Failed},
		{"an answer that ends the check's goroutine fails", func(t check.T) { t.Answered("add", nil); runtime.Goexit() }, check.Failed},
		{"so does one that ends a goroutine beside it", func(t check.T) { t.Answered("add", nil); <-check.Go(t, runtime.Goexit) }, check.Failed},
		{"a failed assertion fails", func(t check.T) { assert.Equal(t, 4, 5) }, check.Failed},
		{"FailNow without a word fails", func(t check.T) { t.FailNow() }, check.Failed},
		{"a panic fails", func(check.T) { panic("no") }, check.Failed},
		{"a stub that panics is to do", stub, check.Todo},
		{"a failure after a TODO is to do", func(t check.T) {
			t.Answered("add", check.TODO("L0.add"))
			t.FailNow()
		}, check.Todo},
		{"another error is no TODO", func(t check.T) { t.Answered("add", errors.New("to do: L0.add")) }, check.Passed},
		{"a TODO after an answer fails", func(t check.T) {
			t.Answered("add", nil)
			t.Answered("add", check.TODO("L0.add"))
		}, check.Failed},
		{"a TODO under another name, after an answer, fails", func(t check.T) {
			t.Answered("L0.add", nil)
			t.Answered("L0.add", check.TODO("L0.count"))
		}, check.Failed},
		{"a TODO of what answered before, met on the way to something else, fails", func(t check.T) {
			t.Answered("L0.add", nil)
			t.Answered("L0.count", check.TODO("L0.add"))
		}, check.Failed},
		{"a TODO of what no lab knows fails", func(t check.T) { t.Answered("L0.add", check.TODO("L0.later")) }, check.Failed},
		{"a TODO behind a failure excuses nothing", func(t check.T) {
			t.Cleanup(func() { panic(check.TODO("L0.count")) })
			t.Answered("L0.add", nil)
			t.Errorf("expected 4, came 5")
		}, check.Failed},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, tc.want, judge(t, tc.f).Outcome)
		})
	}
}

func TestFailureNamesTheRuleThenWhatCameThenTheWayOn(t *testing.T) {
	t.Parallel()
	v := judge(t, func(t check.T) { t.Logf("in base ten"); t.Errorf("expected 4, came 5") })
	require.Equal(t, `L0.I1 broken: two and two are four
expected 4, came 5
note: in base ten
hint: count on your fingers
read: labs/0-sample/README.md, L0.I1
`, v.Text)
}

func TestRequireEndsTheCheck(t *testing.T) {
	t.Parallel()
	v := judge(t, func(t check.T) { require.Fail(t, "first"); t.Errorf("second") })
	require.Equal(t, check.Failed, v.Outcome)
	require.NotContains(t, v.Text, "second")
}

func TestCleanupsRunLastInFirstOutAfterTheContextEnded(t *testing.T) {
	t.Parallel()
	var got []string
	judge(t, func(t check.T) {
		ended := func() string { return context.Cause(t.Context()).Error() }
		t.Cleanup(func() { got = append(got, "outer, "+ended()) })
		t.Cleanup(func() { got = append(got, "inner, "+ended()) })
	})
	require.Equal(t, []string{"inner, context canceled", "outer, context canceled"}, got)
}
