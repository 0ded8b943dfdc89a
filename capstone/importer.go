package capstone

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"iter"
	"strings"

	"example.com/blotter/capstone/lines"
	"example.com/blotter/labs/kit/trade"
)

// A Result is what became of one line: a bad line, a command that reuses an id, or an outcome.
type Result struct {
	Line    int
	Command trade.Command // zero for a bad line
	Problem error         // *lines.Error or *ReusedCommandError; nil for an outcome
	SameAs  int           // the first line of this import that gave the same command; 0 for none
	Outcome Outcome
}

// Import sends commands to the desk and yields a result for each line, in the order of the lines. It stops at the
// first failure that is not the line's own, and where ctx ends before the input does: that is a failure too. It does not wait for
// a read of input that is under way then, which may last until a line comes that never does.
//
// Up to width lines are under way at once. Lines that share a name (a UTI, a curve or a command id) never are: the later one
// waits for the earlier, so the outcome does not depend on width. Nor are lines about contracts of which one began from the other in this
// import, since what happens to the first can change the second. Where it began in an import before, two such lines are taken as those of two desks are: one
// after the other, and which is first may depend on width.
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
		come := make(chan given)
		go read(ctx, input, come)
		go d.start(ctx, come, under)
		first := firsts{}
		for t := range under {
			<-t.done
			t.result.SameAs = first.before(t)
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

// A given line is one of the input, with what it came with.
type given struct {
	lines.Line
	problem error
}

// read gives each line as it comes. It closes to at the end of the input alone, not where ctx ends.
func read(ctx context.Context, input iter.Seq2[lines.Line, error], to chan<- given) {
	for line, problem := range input {
		select {
		case to <- given{line, problem}:
		case <-ctx.Done():
			return
		}
	}
	close(to)
}

// start launches a task per line. Import takes everything from under up to its close, so nothing that is sent there waits for ever.
func (d *Desk) start(ctx context.Context, input <-chan given, under chan<- *task) {
	defer close(under)
	q := queue{width: cap(under) + 1, last: map[string]*task{}, kin: map[string]string{}}
	number := 0
	for ctx.Err() == nil {
		select {
		case line, more := <-input:
			if !more {
				return
			}
			number = line.Number
			t, before := q.join(line)
			under <- t
			go d.run(ctx, t, before)
		case <-ctx.Done():
		}
	}
	broken := &task{err: fmt.Errorf("after line %d: %w", number, context.Cause(ctx)), done: make(chan struct{})}
	close(broken.done)
	under <- broken
}

// A queue knows behind which lines another has to wait.
type queue struct {
	width int
	last  map[string]*task  // by name, or by that of its family
	kin   map[string]string // of a contract's stream: another one that a line named with it
}

// join makes a task of a line, and gives the last ones that share a name with it.
func (q *queue) join(line given) (t *task, before []*task) {
	t = &task{result: Result{Line: line.Number, Command: line.Command, Problem: line.problem}, done: make(chan struct{})}
	if line.problem != nil {
		if bad := new(lines.Error); !errors.As(line.problem, &bad) {
			t.err = line.problem
		}
		return t, nil
	}
	for _, name := range line.Names {
		if earlier := q.last[q.family(name)]; earlier != nil {
			before = append(before, earlier)
		}
	}
	q.unite(line.Names)
	for _, name := range line.Names {
		q.last[q.family(name)] = t
	}
	forget(q.last, q.width)
	return t, before
}

// unite makes one family of the contracts that a line names together, and of theirs.
func (q *queue) unite(names []string) {
	if len(names) < 3 { // its own stream and its command's
		return
	}
	head := q.family(names[0])
	for _, name := range names[1:] {
		if other := q.family(name); other != head && strings.HasPrefix(name, trade.TradeStream("")) {
			q.kin[other] = head
		}
	}
}

func (q *queue) family(name string) string {
	for head, more := q.kin[name]; more; head, more = q.kin[name] {
		name = head
	}
	return name
}

// firsts are the lines that gave each command first, by a hash of its id: that does, for it only finds the other line to name.
type firsts map[uint64]int

var seed = maphash.MakeSeed()

// before is the line before that of t which gave the same command. A line that has the id for something else gave no command.
func (f firsts) before(t *task) int {
	if t.err != nil || t.result.Problem != nil {
		return 0
	}
	id := maphash.String(seed, t.result.Command.ID)
	line := f[id]
	if line == 0 {
		f[id] = t.result.Line
	}
	return line
}

// run does what is left to do of a task.
func (d *Desk) run(ctx context.Context, t *task, before []*task) {
	defer close(t.done)
	if t.result.Problem != nil {
		return
	}
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
