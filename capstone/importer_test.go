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
	"example.com/blotter/labs/kit/contract"
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

// A line of another owner's partition has a result, and so has each later line about its contract:
// the partition may come back meanwhile, and no line overtakes an earlier one. The others go on.
func TestLinesOfAnotherOwner(t *testing.T) {
	t.Parallel()
	s := newSystem()
	away := true // until the first line came
	i := importer(s)
	i.Width = 1
	i.Do = func(ctx context.Context, cmd trade.Command) (capstone.Outcome, error) {
		if cmd.UTI == "A" && away {
			away = false
			return capstone.Outcome{}, &contract.NotOwnerError{Partition: 3, Owner: "b:7000"}
		}
		return s.Do(ctx, cmd)
	}
	book := []lines.Line{line(1, oil("c-1", "A")), line(2, oil("c-2", "B")),
		line(3, oil("c-3", "A")), line(4, oil("c-4", "C"))}
	elsewhere := map[int]string{}
	for r, err := range i.Import(t.Context(), each(book)) {
		require.NoError(t, err)
		if r.Problem != nil {
			require.Equal(t, lines.Elsewhere, r.Rule())
			elsewhere[r.Line] = r.Problem.Error()
		}
	}
	require.Equal(t, map[int]string{
		1: `partition 3 is owned by "b:7000"`,
		3: `after line 1: partition 3 is owned by "b:7000"`,
	}, elsewhere)
	i.Do = func(context.Context, trade.Command) (capstone.Outcome, error) {
		return capstone.Outcome{}, &contract.NotOwnerError{Partition: 3}
	}
	require.Error(t, lastError(i.Import(t.Context(), each(book))), "nobody owns it")
}
