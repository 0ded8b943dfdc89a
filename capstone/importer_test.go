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

// Two first lines of an input: one that goes to the desk, and one that does not.
var (
	goodLine = lines.Line{Number: 1, Command: oil("c-1", "A"), Names: []string{"trade/A", "command/c-1"}}
	badLine  = &lines.Error{Line: 1, Rule: lines.BadJSON}
)

// ended takes every result, and gives the error that was the last.
func ended(results iter.Seq2[capstone.Result, error]) (err error) {
	for _, err = range results {
	}
	return err
}

// waiting is an input that gives one line, calls then, and waits for another that never comes. Who waits with it for a minute fails.
func waiting(t *testing.T, line lines.Line, problem error, then func()) iter.Seq2[lines.Line, error] {
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
			t.Error("nobody went on without the next line")
		}
	}
}

var errInterrupt = errors.New("interrupt")

// Whether the input notices or not: what is cut short is no success, and nobody waits for the input.
func TestAnImportThatIsInterruptedFails(t *testing.T) {
	t.Parallel()
	for range 100 {
		ctx, interrupt := context.WithCancelCause(t.Context())
		require.ErrorIs(t, ended(newDesk(contract.SimulatedClock).Import(ctx, func(yield func(lines.Line, error) bool) {
			if yield(lines.Line{Number: 1}, badLine) {
				interrupt(errInterrupt)
				yield(lines.Line{Number: 2}, fmt.Errorf("line 2: %w", errInterrupt))
			}
		}, 4)), errInterrupt)
	}
	ctx, interrupt := context.WithCancelCause(t.Context())
	silent := waiting(t, lines.Line{Number: 1}, badLine, func() { interrupt(errInterrupt) })
	require.ErrorIs(t, ended(newDesk(contract.SimulatedClock).Import(ctx, silent, 4)), errInterrupt)
}

func TestAnImportThatFailsDoesNotWaitForTheNextLine(t *testing.T) {
	t.Parallel()
	desk := newDesk(contract.SimulatedClock)
	desk.Store = &dying{desk.Store, 0}
	require.ErrorIs(t, ended(desk.Import(t.Context(), waiting(t, goodLine, nil, func() {}), 4)), errDied)
}

func TestWhoHasSeenEnoughOfAnImportDoesNotWaitForTheNextLine(t *testing.T) {
	t.Parallel()
	for r, err := range newDesk(contract.SimulatedClock).Import(t.Context(), waiting(t, goodLine, nil, func() {}), 4) {
		require.NoError(t, err)
		require.Equal(t, 1, r.Line)
		break
	}
}

// A line is like the first that gave its command: not like one that had the id for something else.
func TestADuplicateNamesTheLineThatWasTaken(t *testing.T) {
	t.Parallel()
	line := func(number int, reason string, c trade.Command) lines.Line {
		c.Reason = reason
		return lines.Line{Number: number, Command: c, Names: []string{"trade/" + c.UTI, "command/" + c.ID}}
	}
	taken, other := line(1, "client order", oil("c-1", "A")), line(2, "another reason", oil("c-1", "A"))
	again, refused := line(3, "client order", oil("c-1", "A")), line(4, "begun before", oil("c-2", "A"))
	alike := line(5, "begun before", oil("c-2", "A"))
	var same []int
	for r, err := range newDesk(contract.SimulatedClock).Import(t.Context(), func(yield func(lines.Line, error) bool) {
		_ = yield(taken, nil) && yield(other, nil) && yield(again, nil) && yield(refused, nil) && yield(alike, nil)
	}, 4) {
		require.NoError(t, err)
		same = append(same, r.SameAs)
	}
	require.Equal(t, []int{0, 0, 1, 0, 4}, same)
}
