package chaos

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"
)

// A Rule must hold for every history, whenever writers are killed.
type Rule string

// Rules.
const (
	// Linearizable: for each stream there is one order of all appends, conflicts, reads and
	// look-ups that gives every answer, and in which each operation has its place between its
	// invocation and its return (Herlihy and Wing, 1990). Where a partition has one owner, the
	// reads and conflicts of a process that was stopped once are left out: it answers from its own
	// knowledge until it hears of its successor. Its reads are still checked by Prefix, and none of
	// its conflicts is recorded.
	Linearizable Rule = "linearizable"
	// Kept: an acknowledged event is in the log, with the version and the time of its receipt, and
	// every retry gets the same receipt.
	Kept Rule = "kept"
	// Whole: the log has all events of a batch, with consecutive versions, or no event of it.
	Whole Rule = "whole"
	// Once: no id is in the log twice.
	Once Rule = "once"
	// Dense: the versions of a stream run 1, 2, 3, … in the order of the log.
	Dense Rule = "dense"
	// Forward: recorded_at grows from event to event, within a partition if partitions have one
	// owner, else within a stream.
	Forward Rule = "forward"
	// Sent: every event of the log was sent by a client, and is unaltered.
	Sent Rule = "sent"
	// Prefix: every read of a stream gives its beginning, with the times that the log has. Every
	// found event has the id that was asked for, and is in the log.
	Prefix Rule = "prefix"
	// Fed: the live feed gave each event of the log once, those of a stream in the order of their
	// versions, and no other event.
	Fed Rule = "fed"
	// Agreed: every reader of the whole log folds it to one digest. Every service replays the log
	// to one state, and its read model is equal to that.
	Agreed Rule = "agreed"
	// Shut: a batch is not in the log if every attempt was answered as certainly not recorded
	// (fenced, owned elsewhere, in conflict).
	Shut Rule = "fenced means not recorded"
	// Answered: a process that was stopped and woken answers each append that waited for it, unless
	// it is killed within a minute of its waking. No writer refuses a correct request, and none
	// finds the log damaged.
	Answered Rule = "answered"
)

// A Violation is a place where a rule does not hold.
type Violation struct {
	Rule   Rule   `json:"rule"`
	Stream string `json:"stream,omitempty"` // if the violation is about one stream
	What   string `json:"what"`
	Ops    []int  `json:"ops,omitempty"` // the operations of the history that show it
}

func (v Violation) String() string {
	text := fmt.Sprintf("%s: %s", v.Rule, v.What)
	if len(v.Ops) > 0 {
		text += fmt.Sprintf(" (operations %v)", v.Ops)
	}
	return text
}

// A Verdict is the result of judging a history. Its lists are never nil, so in JSON none is null.
type Verdict struct {
	Run        Run         `json:"run"`
	Counts     Counts      `json:"counts"`
	Violations []Violation `json:"violations"`
	// Undecided lists the streams for which the time was too short to find an order, or to prove
	// that no order exists.
	Undecided []string `json:"undecided"`
}

// Judge checks a history against the rules. It spends at most limit on the order of one stream.
func Judge(entries []Entry, limit time.Duration) Verdict {
	e := collect(entries)
	v := Verdict{Run: e.run, Counts: e.counts(), Violations: []Violation{}, Undecided: []string{}}
	for _, check := range []func(*evidence) []Violation{
		checkKept, checkWhole, checkLog, checkPrefix, checkFed, checkAgreed, checkShut,
		checkAnswered,
	} {
		v.Violations = append(v.Violations, check(e)...)
	}
	for _, stream := range e.streams {
		switch bad, decided := linearizable(e, stream, limit); {
		case bad != nil:
			v.Violations = append(v.Violations, *bad)
		case !decided:
			v.Undecided = append(v.Undecided, stream)
		}
	}
	return v
}

// An attempt is one request, from its invocation to its return, if it had one.
type attempt struct {
	Invoke
	from, to int64 // nanoseconds; to is never if there was no return
	Return
}

const never = 1<<63 - 1

// mayRecord reports whether the attempt may have recorded its batch.
func (a *attempt) mayRecord() bool {
	return a.to == never || a.Outcome == OK || a.Outcome == Unknown || a.Outcome == Damaged
}

// A batch is the events of one append, and all attempts at it.
type batch struct {
	ids      []uuid.UUID
	stream   string
	attempts []*attempt
	version  int64 // of its first event in the log; 0 if the event is not there
}

// evidence is a history, arranged for the checks.
type evidence struct {
	run      Run
	attempts []*attempt
	batches  []*batch
	batchOf  map[uuid.UUID]*batch // by each id of the batch
	streams  []string
	log      []Seen
	logged   map[uuid.UUID]Seen     // the first event of the log with an id
	stream   map[string][]uuid.UUID // the ids of a stream, in the order of the log
	fed      []Seen
	folded   []string // digests
	states   []State
	faults   []AppliedFault
	stops    map[string][]span // by writer, in order
	killed   map[string]int64  // by writer, the time of the kill
}

// A span is the time that a process was stopped.
type span struct{ from, woken int64 } // woken is never if the process was not woken

func collect(entries []Entry) *evidence {
	e := &evidence{
		batchOf: map[uuid.UUID]*batch{}, logged: map[uuid.UUID]Seen{},
		stream: map[string][]uuid.UUID{}, stops: map[string][]span{}, killed: map[string]int64{},
	}
	byOp, streams := map[int]*attempt{}, map[string]bool{}
	for _, entry := range entries {
		switch {
		case entry.Run != nil:
			e.run = *entry.Run
		case entry.Invoke != nil:
			a := &attempt{Invoke: *entry.Invoke, from: entry.At, to: never}
			byOp[a.Invoke.Op], streams[a.Stream] = a, true
			e.attempts = append(e.attempts, a)
			e.addAttempt(a)
		case entry.Return != nil:
			if a := byOp[entry.Return.Op]; a != nil {
				a.Return, a.to = *entry.Return, entry.At
			}
		case entry.Fault != nil:
			e.addFault(entry.At, *entry.Fault)
		case entry.Logged != nil:
			e.addLogged(*entry.Logged)
			streams[entry.Logged.Stream] = true
		case entry.Fed != nil:
			e.fed = append(e.fed, *entry.Fed)
		case entry.Folded != "":
			e.folded = append(e.folded, entry.Folded)
		case entry.State != nil:
			e.states = append(e.states, *entry.State)
		}
	}
	e.streams = slices.Sorted(maps.Keys(streams))
	for _, x := range e.batches {
		x.version = e.logged[x.ids[0]].Version
	}
	return e
}

// addAttempt adds an append to its batch.
func (e *evidence) addAttempt(a *attempt) {
	if a.Kind != Append || len(a.IDs) == 0 {
		return
	}
	x := e.batchOf[a.IDs[0]]
	if x == nil {
		x = &batch{ids: a.IDs, stream: a.Stream}
		e.batches = append(e.batches, x)
		for _, id := range a.IDs {
			e.batchOf[id] = x
		}
	}
	x.attempts = append(x.attempts, a)
}

func (e *evidence) addFault(at int64, f AppliedFault) {
	spans := e.stops[f.To]
	switch {
	case f.Blow == Kill:
		e.killed[f.To] = at
	case f.Blow == Away: // it hits no writer
	case !f.Woken:
		e.stops[f.To] = append(spans, span{at, never})
	case len(spans) > 0:
		spans[len(spans)-1].woken = at
	}
	if !f.Woken {
		e.faults = append(e.faults, f)
	}
}

func (e *evidence) addLogged(s Seen) {
	e.log = append(e.log, s)
	e.stream[s.Stream] = append(e.stream[s.Stream], s.ID)
	if _, twice := e.logged[s.ID]; !twice {
		e.logged[s.ID] = s
	}
}

// waited reports whether the attempt was sent to a stopped process.
func (e *evidence) waited(a *attempt) bool {
	during := func(s span) bool { return a.from > s.from && a.from < s.woken }
	return slices.ContainsFunc(e.stops[a.Writer], during)
}

// excused reports whether the process was killed before it had its time to answer the attempt:
// while it was stopped, or less than answerTime after it last woke.
func (e *evidence) excused(a *attempt) bool {
	killed, ok := e.killed[a.Writer]
	spans := e.stops[a.Writer]
	return ok && len(spans) > 0 && killed-spans[len(spans)-1].woken < int64(answerTime)
}
