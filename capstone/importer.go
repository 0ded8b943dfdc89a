package capstone

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"iter"
	"slices"
	"strings"

	"example.com/blotter/capstone/lines"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
)

// An Importer sends the commands of many lines through Do, several at once, in an order that does
// not change their outcomes.
type Importer struct {
	Do     func(context.Context, trade.Command) (Outcome, error)
	Width  int    // the most lines in flight at once
	Source string // the file or client that the lines come from

	// Lane returns the partition of a stream. The events of each partition are then appended in the
	// order of the lines. A simulated log needs it: the times of its events follow the lines. All
	// streams of one contract or curve, as that of its refusals, must have one partition: place
	// them by trade.Subject. nil: only the order within a stream matters.
	Lane func(stream string) int32

	// Linked returns the streams of other contracts on record that a command may change by its
	// follow-ups. Desk.Successors is one. nil: no contracts are linked on record.
	Linked func(context.Context, trade.Command) ([]string, error)
}

// A Result is the result of one line: a bad line, a command that reuses an id or cannot be written,
// a command for another owner, or an outcome.
type Result struct {
	Line    int
	Command trade.Command // zero for a bad line
	// Problem is a *lines.Error, *ReusedCommandError or *UnwritableError, or wraps a
	// *contract.NotOwnerError. nil: an outcome.
	Problem error
	SameAs  int // the first line of this import that gave the same command; 0 for none
	Outcome Outcome
}

// Import yields a result for each line, in the order of the lines. It stops at the first failure
// that does not belong to a line, and when ctx ends before the input: that is a failure too. It
// does not wait for a pending read of input then, because the next line may never come.
//
// Up to Width lines are in flight at once. Lines that share a name (a UTI, a curve or a command id)
// never are: the later line waits for the earlier one, so the outcome does not depend on Width. The
// same holds for lines about linked contracts, because an event of the first contract can change
// the second. The contracts may be linked on record, or by a line of this import.
func (i Importer) Import(
	ctx context.Context, input iter.Seq2[lines.Line, error],
) iter.Seq2[Result, error] {
	return func(yield func(Result, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		// In line order: with the line whose result is awaited, these are at most Width.
		inFlight := make(chan *task, max(i.Width, 1)-1)
		defer func() {
			cancel()
			for t := range inFlight {
				<-t.done
			}
		}()
		read := make(chan inputLine)
		go readLines(ctx, input, read)
		go i.start(ctx, read, inFlight)
		first := firstLines{}
		for t := range inFlight {
			<-t.done
			t.result.SameAs = first.sameAs(t)
			if !yield(t.result, t.err) || t.err != nil {
				return
			}
		}
	}
}

// An inputLine is a line of the input, with the problem that came with it.
type inputLine struct {
	lines.Line
	problem error
}

// readLines sends each line of the input. It closes to only at the end of the input, not when ctx
// ends.
func readLines(ctx context.Context, input iter.Seq2[lines.Line, error], to chan<- inputLine) {
	for line, problem := range input {
		select {
		case to <- inputLine{line, problem}:
		case <-ctx.Done():
			return
		}
	}
	close(to)
}

// A task is a line in flight. Its result and err are set before done is closed.
type task struct {
	result Result
	err    error
	done   chan struct{}
	turn   *turn // nil: the order of the lines does not matter
}

// start launches a task for each line. Import receives from inFlight until start closes it, so no
// send blocks forever.
func (i Importer) start(ctx context.Context, input <-chan inputLine, inFlight chan<- *task) {
	defer close(inFlight)
	q := queue{
		width: cap(inFlight) + 1, source: i.Source, onRecord: i.Linked,
		last: map[string]*task{}, away: map[string]elsewhere{}, linked: map[string]string{},
		lane: i.Lane, lanes: map[string][]int32{}, turns: map[int32]*turn{},
	}
	number := 0
	for ctx.Err() == nil {
		select {
		case line, more := <-input:
			if !more {
				return
			}
			number = line.Number
			t, before := q.join(ctx, line)
			inFlight <- t
			go i.run(ctx, t, before)
		case <-ctx.Done():
		}
	}
	err := fmt.Errorf("after line %d: %w", number, context.Cause(ctx))
	broken := &task{err: err, done: make(chan struct{})}
	close(broken.done)
	inFlight <- broken
}

// run waits for the tasks before t, then does t.
func (i Importer) run(ctx context.Context, t *task, before []*task) {
	defer close(t.done)
	if t.turn != nil {
		defer func() { t.turn.end(ctx, t.err) }()
		ctx = context.WithValue(ctx, turnOf{}, t.turn)
	}
	if t.result.Problem != nil || t.err != nil {
		return
	}
	for _, earlier := range before {
		<-earlier.done
		if t.err = earlier.err; t.err != nil {
			return
		}
		if IsElsewhere(earlier.result.Problem) {
			t.result.Problem = earlier.elsewhere().then()
			return
		}
	}
	t.result.Outcome, t.err = i.Do(ctx, t.result.Command)
	if ofLine(t.err, t.result.Command.ID) {
		t.result.Problem, t.err = t.err, nil
	}
	if t.err != nil {
		t.err = fmt.Errorf("line %d: %w", t.result.Line, t.err)
	}
}

// An elsewhere is a line that belongs to another owner.
type elsewhere struct {
	line  int
	owner *contract.NotOwnerError
}

// elsewhere describes t, whose problem IsElsewhere.
func (t *task) elsewhere() elsewhere {
	e := elsewhere{line: t.result.Line}
	errors.As(t.result.Problem, &e.owner)
	return e
}

// then returns the problem of a later line about the same contract: it never overtakes the line
// that is elsewhere, even if the partition has come back.
func (e elsewhere) then() error { return fmt.Errorf("after line %d: %w", e.line, e.owner) }

// IsElsewhere reports whether a command, or one of its follow-ups, belongs to another process that
// owns the partition. Sent there, the command goes on: nothing is recorded twice. Without a known
// owner it is a failure.
func IsElsewhere(err error) bool {
	owner := new(contract.NotOwnerError)
	return errors.As(err, &owner) && owner.Owner != ""
}

// ofLine reports whether a failure belongs to a line: the lines after it can go on. A command that
// reuses an id or cannot be written fails itself, and not by one of its follow-ups.
func ofLine(err error, id string) bool {
	var reused *ReusedCommandError
	var unwritable *UnwritableError
	return errors.As(err, &reused) && reused.CommandID == id ||
		errors.As(err, &unwritable) && unwritable.CommandID == id || IsElsewhere(err)
}

// Rule returns the rule of a problem that is not of the line's own form.
func (r Result) Rule() lines.Rule {
	unwritable := new(UnwritableError)
	switch {
	case IsElsewhere(r.Problem):
		return lines.Elsewhere
	case errors.As(r.Problem, &unwritable):
		return lines.Unwritable
	}
	return lines.Reused
}

// A queue knows for which earlier lines a line has to wait.
type queue struct {
	width  int
	source string
	last   map[string]*task     // the last task of each name; linked contracts share one name
	away   map[string]elsewhere // of the names that forget has dropped, and that are elsewhere
	linked map[string]string    // from the stream of a contract to that of a linked one

	lane  func(string) int32 // Importer.Lane
	lanes map[string][]int32 // of linked contracts, by the name that they share
	turns map[int32]*turn    // the last turn of each lane

	onRecord func(context.Context, trade.Command) ([]string, error) // Importer.Linked
}

// join makes a task of a line. It returns the last tasks that share a name with the line.
func (q *queue) join(ctx context.Context, line inputLine) (t *task, before []*task) {
	line.Command.Source, line.Command.SourceLine = q.source, int64(line.Number)
	t = &task{
		result: Result{Line: line.Number, Command: line.Command, Problem: line.problem},
		done:   make(chan struct{}),
	}
	if line.problem != nil {
		if bad := new(lines.Error); !errors.As(line.problem, &bad) {
			t.err = line.problem
		}
		return t, nil
	}
	names := line.Names
	if q.onRecord != nil {
		linked, err := q.onRecord(ctx, line.Command)
		if err != nil {
			t.err = fmt.Errorf("line %d: %w", line.Number, err)
			return t, nil
		}
		names = slices.Concat(names, linked)
	}
	for _, name := range names {
		if earlier := q.last[q.shared(name)]; earlier != nil {
			before = append(before, earlier)
		} else if gone, ok := q.away[q.shared(name)]; ok {
			t.result.Problem = gone.then()
		}
	}
	q.link(names)
	t.turn = q.turn(names)
	for _, name := range names {
		q.last[q.shared(name)] = t
	}
	q.forget()
	return t, before
}

// ownNames is the number of names of a line without a linked contract: its stream and its command.
const ownNames = 2

// link links the contracts that one line names.
func (q *queue) link(names []string) {
	if len(names) <= ownNames {
		return
	}
	name := q.shared(names[0])
	for _, other := range names[1:] {
		other = q.shared(other)
		if other != name && strings.HasPrefix(other, trade.TradeStream("")) {
			q.linked[other] = name
			q.lanes[name] = union(q.lanes[name], q.lanes[other])
		}
	}
}

// shared returns the one name that all contracts linked with name have in common.
func (q *queue) shared(name string) string {
	for next, ok := q.linked[name]; ok; next, ok = q.linked[name] {
		name = next
	}
	return name
}

// forget drops the names whose task is done, once there are many more names than lines in flight.
// Of a task that is elsewhere it keeps the line and the owner.
func (q *queue) forget() {
	if len(q.last) < 1024+16*q.width {
		return
	}
	for name, t := range q.last {
		select {
		case <-t.done:
			if IsElsewhere(t.result.Problem) {
				q.away[name] = t.elsewhere()
			}
			delete(q.last, name)
		default:
		}
	}
}

// firstLines holds the first line of each command, by a hash of the command's id. A hash is enough,
// because it only serves to name the line.
type firstLines map[uint64]int

var seed = maphash.MakeSeed()

// sameAs returns the first line that gave the command of t, or 0 if t is the first. A line that
// uses the id for another command gave no command.
func (f firstLines) sameAs(t *task) int {
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
