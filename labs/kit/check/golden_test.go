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

// lineNumbers matches the line numbers of this file, which change with every edit.
var lineNumbers = regexp.MustCompile(`\.go:\d+`)

func TestFailureTexts(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]func(check.T){
		"sentence":     func(t check.T) { t.Logf("in base ten"); t.Errorf("expected 4, got 5") },
		"require":      func(t check.T) { require.Equal(t, 4, 5, "the sum") },
		"panic":        func(check.T) { var none []int; _ = none[3] },
		"panic-aside":  func(t check.T) { <-check.Go(t, func() { panic("no") }) },
		"exit":         func(t check.T) { t.Answered("L0.add", nil); runtime.Goexit() },
		"nothing":      func(check.T) {},
		"timeout":      func(t check.T) { <-t.Context().Done() },
		"bytes":        func(t check.T) { check.Bytes(t, "the data", wire(40, 0), wire(40, 21)) },
		"bytes-short":  func(t check.T) { check.Bytes(t, "the data", wire(20, 0), wire(16, 0)) },
		"bytes-none":   func(t check.T) { check.Bytes(t, "the data", wire(3, 0), nil) },
		"events":       func(t check.T) { stream(t, events(3), changed(events(3))) },
		"events-few":   func(t check.T) { stream(t, events(9), events(1)) },
		"events-many":  func(t check.T) { stream(t, nil, events(1)) },
		"todo-unknown": func(t check.T) { t.Answered("add", check.TODO("L0.later")) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := check.Judge(t.Context(), suite, check.Check{
				ID: "L0.1", Title: "two and two are four", Invariant: "L0.I1", Operation: "L0.add",
				Points: 1, Limit: 200 * time.Millisecond,
				Misconception: "that numbers are words", Hint: "count on your fingers", Func: f,
			})
			require.Equal(t, check.Failed, v.Outcome)
			golden(t, name, lineNumbers.ReplaceAllString(v.Text, ".go:N"))
		})
	}
}

func stream(t check.T, want, got []contract.Event) {
	check.Events(t, "the stream trade/T1", want, got)
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

// wire returns n bytes 0, 1, 2, …; the byte at a positive index wrong is 0xff.
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
			ID:     uuid.NewSHA1(uuid.Nil, []byte{byte(i)}),
			Stream: "trade/T1", Type: "trade.settled", Reason: "delivered",
			EffectiveAt: time.Date(2025, 3, 30, 12+i, 0, 0, 0, time.UTC),
			EnteredAt:   time.Date(2025, 3, 30, 12+i, 0, 0, 0, time.UTC), CommandID: "c-1",
			SourceLine: 7, SubmittedBy: "sso/7",
			SourceRecordedAt: time.Date(2025, 3, 30, 12+i, 0, 0, 0, time.UTC),
			AppendGroup:      uuid.NewSHA1(uuid.NameSpaceOID, []byte("group")),
		}
	}
	return all
}

func changed(all []contract.Event) []contract.Event {
	all[1].Reason, all[1].Data = "returned", []byte{1}
	return all
}
