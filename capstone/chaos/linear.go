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

// A state is all that is asked of a stream: how long it is, and a hash over its ids in their order.
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
	ids      []uuid.UUID // that an append adds, or that a read gave
	at       int64       // the version where the log has the batch; 0 for nowhere
	version  int64       // the answer of a conflict, the last version of a batch that was acknowledged again, or where an event was found
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

// of says whether an operation can have had its answer in a state, and which state it leaves.
func (p step) of(s state) (bool, state) {
	missing := p.at == 0 || s.length < p.at
	switch p.kind {
	case appended:
		return s.length == p.at-1 && (p.expected == contract.Any || p.expected == s.length), s.with(p.ids)
	case conflict:
		return p.expected != contract.Any && s.length == p.version && s.length != p.expected && missing, s
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

// model is a stream, as porcupine asks for it.
var model = porcupine.Model{
	Init:              func() any { return state{} },
	Step:              func(s, in, _ any) (bool, any) { return in.(step).of(s.(state)) },
	DescribeOperation: func(in, _ any) string { return in.(step).String() },
	DescribeState:     func(s any) string { return fmt.Sprint(s.(state).length) },
}

// linearizable looks for an order of what was done to a stream.
func linearizable(b *book, stream string, limit time.Duration) (bad *Violation, decided bool) {
	operations := b.operations(stream)
	if moments, ok := witness(operations); ok && porcupine.CheckOperationsTimeout(model, moments, limit) == porcupine.Ok {
		return nil, true
	}
	result := porcupine.CheckOperationsTimeout(model, operations, limit)
	if result == porcupine.Illegal {
		what, ops := b.impossible(operations, limit)
		return &Violation{Linearizable, stream, fmt.Sprintf("no order of what was done to %s gives all the answers; %s", stream, what), ops}, true
	}
	return nil, result == porcupine.Ok
}

// impossible names where the order breaks: the operations that began before the shortest beginning of the history that has no order
// ended, and had not returned long before.
func (b *book) impossible(operations []porcupine.Operation, limit time.Duration) (what string, ops []int) {
	sort.Slice(operations, func(i, j int) bool { return operations[i].Return < operations[j].Return })
	n := sort.Search(len(operations), func(n int) bool {
		return porcupine.CheckOperationsTimeout(model, before(operations, n+1), limit) == porcupine.Illegal
	})
	if n == len(operations) {
		return "it took too long to find out where", nil
	}
	last := operations[n]
	for _, o := range operations {
		if o.Return >= last.Call && o.Call <= last.Return {
			ops = append(ops, o.Input.(step).op)
		}
	}
	return fmt.Sprintf("operation %d (%s) is the first that cannot be", last.Input.(step).op, last.Input.(step)), ops
}

// before is the first n operations by their return, and what had begun by then, which may or may not have happened yet.
func before(operations []porcupine.Operation, n int) []porcupine.Operation {
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

// operations is what was done to a stream. All attempts at a batch that the log has are one append, which took place between the first that may
// have done it and the first acknowledgement. What may have been recorded and is not in the log never took place.
func (b *book) operations(stream string) []porcupine.Operation {
	var all []porcupine.Operation
	add := func(client int, from, to int64, p step) {
		all = append(all, porcupine.Operation{ClientId: client, Input: p, Call: from, Return: to})
	}
	for _, x := range b.batches {
		if x.stream == stream {
			x.operations(b.run.Owned, add)
		}
	}
	for _, t := range b.tries {
		if t.Stream != stream || t.to == never || (b.run.Owned && t.Behind) {
			continue
		}
		switch {
		case t.Kind == Read && t.Outcome == OK:
			add(t.Client, t.from, t.to, step{kind: read, op: t.Return.Op, ids: idsOf(t.Events)})
		case t.Kind == Find && t.Outcome == OK && len(t.Events) == 1: // else see Prefix
			add(t.Client, t.from, t.to, step{kind: found, op: t.Return.Op, version: t.Events[0].Version})
		case t.Kind == Find && t.Outcome == Absent:
			add(t.Client, t.from, t.to, step{kind: absent, op: t.Return.Op, at: b.where[t.IDs[0]].Version})
		}
	}
	return all
}

func (x *batch) operations(owned bool, add func(client int, from, to int64, p step)) {
	var first *try
	until := int64(never)
	for _, t := range x.tries {
		if t.yes() && (first == nil || t.from < first.from) {
			first = t
		}
		if t.Outcome == OK {
			until = min(until, t.to)
		}
	}
	if first != nil && x.at > 0 {
		add(first.Client, first.from, until, step{kind: appended, op: first.Invoke.Op, expected: first.Expected, ids: x.ids, at: x.at})
	}
	for _, t := range x.tries {
		switch {
		case t.Outcome == OK && t.to > until:
			add(t.Client, t.from, t.to, step{kind: again, op: t.Return.Op, version: x.at + int64(len(x.ids)) - 1})
		case t.Outcome == Conflict && !(owned && t.Behind):
			add(t.Client, t.from, t.to, step{kind: conflict, op: t.Return.Op, expected: t.Expected, version: t.Actual, at: x.at})
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

// Picture writes what was done to a stream, and how far an order was found, as a page of HTML.
func Picture(entries []Entry, stream string, limit time.Duration, w io.Writer) error {
	_, info := porcupine.CheckOperationsVerbose(model, collect(entries).operations(stream), limit)
	return porcupine.Visualize(model, info, w)
}
