package capstone

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"iter"

	"example.com/blotter/capstone/lines"
	"example.com/blotter/labs/kit/trade"
)

// A Result is what became of one line: a bad line, a command that reuses an id, or an outcome.
type Result struct {
	Line    int
	Command trade.Command // zero for a bad line
	Problem error         // *lines.Error or *ReusedCommandError; nil for an outcome
	SameAs  int           // the earlier line of this import with the same command_id; 0 for none
	Outcome Outcome
}

// Import sends commands to the desk and yields a result for each line, in the order of the lines. It stops at the
// first failure that is not the line's own.
//
// Up to width lines are under way at once. Lines that share a name (a UTI, a curve or a command id) never are: the later one
// waits for the earlier, so the outcome does not depend on width.
func (d *Desk) Import(ctx context.Context, input iter.Seq2[lines.Line, error], width int) iter.Seq2[Result, error] {
	return func(yield func(Result, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		under := make(chan *task, max(width, 1)-1) // in line order: these, and the one whose result is awaited
		defer func() {
			cancel()
			for t := range under {
				<-t.done
			}
		}()
		go d.start(ctx, input, under)
		for t := range under {
			<-t.done
			if !yield(t.result, t.err) || t.err != nil {
				return
			}
		}
	}
}

// A task is a line under way. result and err are there once done is closed.
type task struct {
	result Result
	err    error
	done   chan struct{}
}

var seed = maphash.MakeSeed()

// start launches a task per line, each behind the last one that shares a name with it.
func (d *Desk) start(ctx context.Context, input iter.Seq2[lines.Line, error], under chan<- *task) {
	defer close(under)
	last := map[string]*task{}
	seen := map[uint64]int{} // line by command id, of which a hash does: it only finds the other line to name
	for line, problem := range input {
		t := &task{result: Result{Line: line.Number, Command: line.Command, Problem: problem}, done: make(chan struct{})}
		select {
		case under <- t:
		case <-ctx.Done():
			return
		}
		var bad *lines.Error
		if problem != nil {
			if !errors.As(problem, &bad) {
				t.err = problem
			}
			close(t.done)
			continue
		}
		id := maphash.String(seed, line.Command.ID)
		t.result.SameAs = seen[id]
		seen[id] = line.Number
		var before []*task
		for _, name := range line.Names {
			if earlier := last[name]; earlier != nil {
				before = append(before, earlier)
			}
			last[name] = t
		}
		forget(last, cap(under)+1)
		go d.run(ctx, t, before)
	}
}

func (d *Desk) run(ctx context.Context, t *task, before []*task) {
	defer close(t.done)
	for _, earlier := range before {
		<-earlier.done
		if t.err = earlier.err; t.err != nil {
			return
		}
	}
	var reused *ReusedCommandError
	t.result.Outcome, t.err = d.Do(ctx, t.result.Command)
	if errors.As(t.err, &reused) && reused.CommandID == t.result.Command.ID {
		t.result.Problem, t.err = reused, nil
	}
	if t.err != nil {
		t.err = fmt.Errorf("line %d: %w", t.result.Line, t.err)
	}
}

// forget drops names whose task is done, once there are many more names than lines under way.
func forget(last map[string]*task, width int) {
	if len(last) < 1024+16*width {
		return
	}
	for name, t := range last {
		select {
		case <-t.done:
			if t.err == nil {
				delete(last, name)
			}
		default:
		}
	}
}
