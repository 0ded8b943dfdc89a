package capstone_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/blotter/capstone"
	"example.com/blotter/capstone/lines"
	"example.com/blotter/labs/kit/trade"
)

// Two first lines of an input.
var (
	goodLine = lines.Line{
		Number: 1, Command: oil("c-1", "A"), Names: []string{"trade/A", "command/c-1"},
	}
	badLine = &lines.Error{Line: 1, Rule: lines.BadJSON}
)

func importer(s *capstone.System) capstone.Importer { return capstone.Importer{Do: s.Do, Width: 4} }

// lastError takes every result and returns the last error.
func lastError(results iter.Seq2[capstone.Result, error]) (err error) {
	for _, err = range results {
	}
	return err
}

// blocked returns an input that yields one line, calls then, and blocks until the test is over. The
// test fails if it is blocked with the input for a minute.
func blocked(
	t *testing.T, line lines.Line, problem error, then func(),
) iter.Seq2[lines.Line, error] {
	over := make(chan struct{})
	t.Cleanup(func() { close(over) })
	return func(yield func(lines.Line, error) bool) {
		if !yield(line, problem) {
			return
		}
		then()
		select {
		case <-over:
		case <-time.After(time.Minute):
			t.Error("the import waits for the next line")
		}
	}
}

var errInterrupt = errors.New("interrupt")

// An import that is cut short fails, whether or not the input notices the interrupt. It does not
// wait for the input.
func TestInterruptedImportFails(t *testing.T) {
	t.Parallel()
	for range 100 {
		ctx, interrupt := context.WithCancelCause(t.Context())
		input := func(yield func(lines.Line, error) bool) {
			if yield(lines.Line{Number: 1}, badLine) {
				interrupt(errInterrupt)
				yield(lines.Line{Number: 2}, fmt.Errorf("line 2: %w", errInterrupt))
			}
		}
		err := lastError(importer(newSystem()).Import(ctx, input))
		require.ErrorIs(t, err, errInterrupt)
	}
	ctx, interrupt := context.WithCancelCause(t.Context())
	input := blocked(t, lines.Line{Number: 1}, badLine, func() { interrupt(errInterrupt) })
	require.ErrorIs(t, lastError(importer(newSystem()).Import(ctx, input)), errInterrupt)
}

func TestFailedImportDoesNotWaitForInput(t *testing.T) {
	t.Parallel()
	input := blocked(t, goodLine, nil, func() {})
	s := over(&dying{newSystem().Log, 0})
	require.ErrorIs(t, lastError(importer(s).Import(t.Context(), input)), errDied)
}

func TestStoppedImportDoesNotWaitForInput(t *testing.T) {
	t.Parallel()
	input := blocked(t, goodLine, nil, func() {})
	for r, err := range importer(newSystem()).Import(t.Context(), input) {
		require.NoError(t, err)
		require.Equal(t, 1, r.Line)
		break
	}
}

// A duplicate names the first line that gave its command, not a line that used the command's id for
// another command.
func TestDuplicateNamesTheFirstSuchLine(t *testing.T) {
	t.Parallel()
	reason := func(number int, reason string, cmd trade.Command) lines.Line {
		cmd.Reason = reason
		return line(number, cmd)
	}
	book := []lines.Line{
		reason(1, "client order", oil("c-1", "A")),
		reason(2, "another reason", oil("c-1", "A")), // the id of line 1, with other content
		reason(3, "client order", oil("c-1", "A")),
		reason(4, "already begun", oil("c-2", "A")), // is refused
		reason(5, "already begun", oil("c-2", "A")),
	}
	var sameAs []int
	for r, err := range importer(newSystem()).Import(t.Context(), each(book)) {
		require.NoError(t, err)
		sameAs = append(sameAs, r.SameAs)
	}
	require.Equal(t, []int{0, 0, 1, 0, 4}, sameAs)

	n, err := newSystem().Import(t.Context(), each(book), func(capstone.Result) {})
	require.NoError(t, err)
	require.Equal(t, []int{5, 1, 1, 1, 2}, []int{n.Lines, n.Accepted, n.Refused, n.Bad, n.Repeated},
		"a line given twice is counted once")
	require.Equal(t, map[trade.Rule]int{trade.AlreadyBegun: 1}, n.Rules)
}
