package check_test

import (
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/kit/check"
	"example.com/blotter/labs/kit/contract"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name+".golden")
	if *update {
		require.NoError(t, os.MkdirAll("testdata", 0o755))
		require.NoError(t, os.WriteFile(file, []byte(got), 0o644))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, string(want), got)
}

// lineNumbers of this file change with it.
var lineNumbers = regexp.MustCompile(`\.go:\d+`)

func TestFailureTexts(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]func(check.T){
		"sentence":    func(t check.T) { t.Logf("in base ten"); t.Errorf("expected 4, came 5") },
		"require":     func(t check.T) { require.Equal(t, 4, 5, "the sum") },
		"panic":       func(check.T) { var none []int; _ = none[3] },
		"panic-aside": func(t check.T) { <-check.Go(t, func() { panic("no") }) },
		"exit":        func(t check.T) { t.Answered("L0.add", nil); runtime.Goexit() },
		"nothing":     func(check.T) {},
		"timeout":     func(t check.T) { <-t.Context().Done() },
		"bytes":       func(t check.T) { check.Bytes(t, "the data", wire(40, 0), wire(40, 21)) },
		"bytes-short": func(t check.T) { check.Bytes(t, "the data", wire(20, 0), wire(16, 0)) },
		"bytes-none":  func(t check.T) { check.Bytes(t, "the data", wire(3, 0), nil) },
		"events":      func(t check.T) { check.Events(t, "the stream trade/T1", events(3), changed(events(3))) },
		"events-few":  func(t check.T) { check.Events(t, "the stream trade/T1", events(9), events(1)) },
		"events-many": func(t check.T) { check.Events(t, "the stream trade/T1", nil, events(1)) },
		"todo-after": func(t check.T) {
			t.Answered("add", nil)
			t.Answered("add", check.TODO("L0.add"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := check.Judge(t.Context(), suite, check.Check{
				ID: "L0.1", Title: "two and two are four", Invariant: "L0.I1", Operation: "L0.add", Points: 1, Limit: 200 * time.Millisecond,
				Misconception: "that numbers are words", Hint: "count on your fingers", Func: f,
			})
			require.Equal(t, check.Failed, v.Outcome)
			golden(t, name, lineNumbers.ReplaceAllString(v.Text, ".go:N"))
		})
	}
}

func TestEqualBytesAndEventsPass(t *testing.T) {
	t.Parallel()
	v := judge(t, func(t check.T) {
		t.Answered("L0.add", nil)
		check.Bytes(t, "the data", wire(40, 0), wire(40, 0))
		check.Bytes(t, "nothing", nil, []byte{})
		check.Events(t, "the stream", events(3), events(3))
	})
	require.Equal(t, check.Passed, v.Outcome)
}

func TestAHangIsLeftBehindAndTheOthersRun(t *testing.T) {
	t.Parallel()
	never := make(chan struct{})
	hangs := check.Check{ID: "L0.1", Invariant: "L0.I1", Limit: 10 * time.Millisecond, Func: func(check.T) { <-never }}
	adds := check.Check{ID: "L0.2", Invariant: "L0.I2", Points: 3, Func: func(t check.T) { t.Answered("add", nil) }}
	all := check.JudgeAll(t.Context(), check.Suite{Checks: []check.Check{hangs, adds}})
	require.Equal(t, check.Failed, all[0].Outcome)
	require.Contains(t, all[0].Text, "TIMEOUT: it did not end within 10ms")
	require.Equal(t, check.Passed, all[1].Outcome)
	require.Equal(t, []int{0, 3}, []int{all[0].Points(), all[1].Points()})
	require.Equal(t, []int{0, 1}, []int{all[0].Answers, all[1].Answers})
}

func TestACleanupThatDoesNotEndWellFailsItsCheckAndNoOther(t *testing.T) {
	t.Parallel()
	never := make(chan struct{})
	for name, tc := range map[string]struct {
		limit   time.Duration
		cleanup func(check.T)
		want    check.Outcome
		says    string
	}{
		"hangs":          {100 * time.Millisecond, func(check.T) { <-never }, check.Failed, "did not end within 100ms"}, // on a busy machine, the check
		"panics":         {0, func(check.T) { panic("no") }, check.Failed, "PANIC: no"},
		"gives up":       {0, func(t check.T) { require.Fail(t, "it is still open") }, check.Failed, "it is still open"},
		"is still to do": {0, func(check.T) { panic(check.TODO("L0.close")) }, check.Blocked, "L0.close"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			first := make(chan struct{})
			bad := check.Check{ID: "L0.1", Operation: "L0.add", Limit: tc.limit, Func: func(t check.T) {
				t.Cleanup(func() { close(first) })
				t.Cleanup(func() { tc.cleanup(t) })
			}}
			good := check.Check{ID: "L0.2", Operation: "L0.close", Func: func(t check.T) { t.Answered("L0.add", nil) }}
			all := check.JudgeAll(t.Context(), check.Suite{Checks: []check.Check{bad, good}})
			<-first // the other cleanup had its turn
			require.Equal(t, []check.Outcome{tc.want, check.Passed}, []check.Outcome{all[0].Outcome, all[1].Outcome})
			require.Contains(t, all[0].Text, tc.says)
		})
	}
}

func TestTODOOfAnotherOperationBlocks(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		first string
		want  check.Outcome
		text  string
	}{
		{"L0.add", check.Todo, "TODO: L0.add"},
		{"L0.count", check.Blocked, "BLOCKED by L0.count, which is still to do"},
	} {
		v := check.Judge(t.Context(), suite, check.Check{Operation: "L0.add", Func: func(t check.T) {
			t.Answered("x", check.TODO(tc.first))
			<-t.Context().Done() // nothing is waited for any more
			t.FailNow()
		}})
		require.Equal(t, tc.want, v.Outcome)
		require.Equal(t, tc.text, v.Text)
		require.Zero(t, v.Points())
	}
}

func wire(n, wrong int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i)
	}
	if wrong > 0 {
		b[wrong] = 0xff
	}
	return b
}

func events(n int) []contract.Event {
	all := make([]contract.Event, n)
	for i := range all {
		all[i] = contract.Event{
			ID: uuid.NewSHA1(uuid.Nil, []byte{byte(i)}), Stream: "trade/T1", Type: "trade.settled", Reason: "delivered",
			EffectiveAt: time.Date(2025, 3, 30, 12+i, 0, 0, 0, time.UTC),
		}
	}
	return all
}

func changed(all []contract.Event) []contract.Event {
	all[1].Reason, all[1].Data = "returned", []byte{1}
	return all
}
