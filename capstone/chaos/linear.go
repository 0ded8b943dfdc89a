package chaos

import (
	"crypto/sha256"
	"fmt"
	"io"
	"slices"
	"sort"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/google/uuid"

	"example.com/blotter/labs/kit/contract"
)

// A state is the part of a stream that answers depend on: its length, and a hash over its ids in
// order.
type state struct {
	length int64
	ids    [sha256.Size]byte
}

func (s state) with(ids []uuid.UUID) state {
	for _, id := range ids {
		s.length++
		s.ids = sha256.Sum256(append(s.ids[:], id[:]...))
	}
	return s
}

// A step is one operation on a stream, with its answer.
type step struct {
	kind     stepKind
	op       int
	expected int64       // of an append or a conflict
	ids      []uuid.UUID // the ids that an append adds, or that a read gave
	at       int64       // the version of the batch in the log; 0 if it is not there
	// version is the answer of a conflict, the last version of a batch that was acknowledged again,
	// or the version of a found event.
	version int64
}

type stepKind string

const (
	appended stepKind = "append"
	again    stepKind = "acknowledge again"
	conflict stepKind = "conflict"
	read     stepKind = "read"
	found    stepKind = "find"
	absent   stepKind = "find nothing"
)

// apply reports whether an operation can have had its answer in a state, and returns the next
// state.
func (p step) apply(s state) (bool, state) {
	missing := p.at == 0 || s.length < p.at
	switch p.kind {
	case appended:
		expected := p.expected == contract.Any || p.expected == s.length
		return s.length == p.at-1 && expected, s.with(p.ids)
	case conflict:
		differs := p.expected != contract.Any && s.length != p.expected
		return differs && s.length == p.version && missing, s
	case read:
		return s == state{}.with(p.ids), s
	case absent:
		return missing, s
	default:
		return s.length >= p.version, s
	}
}

func (p step) String() string {
	switch p.kind {
	case appended:
		return fmt.Sprintf("append %d at %d → %d", len(p.ids), p.expected, p.at)
	case conflict:
		return fmt.Sprintf("append at %d → conflict, is %d", p.expected, p.version)
	case read:
		return fmt.Sprintf("read → %d", len(p.ids))
	default:
		return fmt.Sprintf("%s → %d", p.kind, p.version)
	}
}

// model describes the operations on a stream to porcupine, the linearizability checker.
var model = porcupine.Model{
	Init:              func() any { return state{} },
	Step:              func(s, in, _ any) (bool, any) { return in.(step).apply(s.(state)) },
	DescribeOperation: func(in, _ any) string { return in.(step).String() },
	DescribeState:     func(s any) string { return fmt.Sprint(s.(state).length) },
}

// linearizable looks for an order of the operations on a stream.
func linearizable(e *evidence, stream string, limit time.Duration) (bad *Violation, decided bool) {
	operations := e.operations(stream)
	moments, ok := witness(operations)
	if ok && porcupine.CheckOperationsTimeout(model, moments, limit) == porcupine.Ok {
		return nil, true
	}
	result := porcupine.CheckOperationsTimeout(model, operations, limit)
	if result == porcupine.Illegal {
		what, ops := impossible(operations, limit)
		what = fmt.Sprintf("no order of the operations on %s gives all answers; %s", stream, what)
		return &Violation{Linearizable, stream, what, ops}, true
	}
	return nil, result == porcupine.Ok
}

// impossible describes the first operation that no order allows. It finds the shortest beginning of
// the history that has no order, and describes its last operation. ops are the operations
// concurrent to that operation.
func impossible(operations []porcupine.Operation, limit time.Duration) (what string, ops []int) {
	sort.Slice(operations, func(i, j int) bool {
		return operations[i].Return < operations[j].Return
	})
	n := sort.Search(len(operations), func(n int) bool {
		some := beginning(operations, n+1)
		return porcupine.CheckOperationsTimeout(model, some, limit) == porcupine.Illegal
	})
	if n == len(operations) {
		return "the time was too short to find the first impossible answer", nil
	}
	last := operations[n]
	for _, o := range operations {
		if o.Return >= last.Call && o.Call <= last.Return {
			ops = append(ops, o.Input.(step).op)
		}
	}
	p := last.Input.(step)
	return fmt.Sprintf("operation %d (%s) is the first impossible answer", p.op, p), ops
}

// beginning returns the first n operations by their return, and the appends that had begun by then,
// which may or may not have happened yet.
func beginning(operations []porcupine.Operation, n int) []porcupine.Operation {
	until := operations[n-1].Return
	some := slices.Clone(operations[:n])
	for _, o := range operations[n:] {
		if o.Call <= until && o.Input.(step).kind == appended {
			o.Return = never
			some = append(some, o)
		}
	}
	return some
}

// operations returns the operations on a stream. All attempts at a batch of the log are one append,
// which happened between the first attempt that may have recorded it and the first acknowledgement.
// A batch that may have been recorded and is not in the log never happened.
func (e *evidence) operations(stream string) []porcupine.Operation {
	var all []porcupine.Operation
	add := func(a *attempt, from, to int64, p step) {
		all = append(all, porcupine.Operation{ClientId: a.Client, Input: p, Call: from, Return: to})
	}
	for _, x := range e.batches {
		if x.stream == stream {
			x.operations(e.run.Owned, add)
		}
	}
	for _, a := range e.attempts {
		if a.Stream != stream || a.to == never || (e.run.Owned && a.Stale) {
			continue
		}
		p := step{op: a.Return.Op}
		switch {
		case a.Kind == Read && a.Outcome == OK:
			p.kind, p.ids = read, idsOf(a.Events)
		case a.Kind == Find && a.Outcome == OK && len(a.Events) == 1: // else see Prefix
			p.kind, p.version = found, a.Events[0].Version
		case a.Kind == Find && a.Outcome == Absent:
			p.kind, p.at = absent, e.logged[a.IDs[0]].Version
		default:
			continue
		}
		add(a, a.from, a.to, p)
	}
	return all
}

func (x *batch) operations(owned bool, add func(a *attempt, from, to int64, p step)) {
	var first *attempt
	until := int64(never)
	for _, a := range x.attempts {
		if a.mayRecord() && (first == nil || a.from < first.from) {
			first = a
		}
		if a.Outcome == OK {
			until = min(until, a.to)
		}
	}
	if first != nil && x.version > 0 {
		add(first, first.from, until, step{
			kind: appended, op: first.Invoke.Op, expected: first.Expected,
			ids: x.ids, at: x.version,
		})
	}
	last := x.version + int64(len(x.ids)) - 1
	for _, a := range x.attempts {
		switch {
		case a.Outcome == OK && a.to > until:
			add(a, a.from, a.to, step{kind: again, op: a.Return.Op, version: last})
		case a.Outcome == Conflict && !(owned && a.Stale):
			add(a, a.from, a.to, step{
				kind: conflict, op: a.Return.Op, expected: a.Expected,
				version: a.Actual, at: x.version,
			})
		}
	}
}

func idsOf(events []Seen) []uuid.UUID {
	var ids []uuid.UUID
	for _, s := range events {
		ids = append(ids, s.ID)
	}
	return ids
}

// Picture writes the operations on a stream, and how far an order was found, as a page of HTML.
func Picture(entries []Entry, stream string, limit time.Duration, w io.Writer) error {
	_, info := porcupine.CheckOperationsVerbose(model, collect(entries).operations(stream), limit)
	return porcupine.Visualize(model, info, w)
}
