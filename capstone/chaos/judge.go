package chaos

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"
)

// A Rule is what must hold of every history.
type Rule string

// Rules. Each is about all that was recorded, at whatever moment writers were killed.
const (
	// Linearizable: for each stream there is one order of all appends, conflicts, reads and look-ups that gives every answer, and in
	// which each has its place between its invocation and its return (Herlihy and Wing, 1990). Where a part of the log has one owner,
	// what a process that stood still once reads, and a conflict that it reports, are left out: until it hears of its successor it
	// answers from what it knows. Its reads are still held to Prefix, and none of its conflicts is recorded.
	Linearizable Rule = "linearizable"
	// Kept: what was acknowledged is in the log, with the version and the time of its receipt, every time it is asked again.
	Kept Rule = "kept"
	// Whole: a batch is in the log as a whole, its versions next to each other, or not at all.
	Whole Rule = "whole"
	// Once: no id is in the log twice.
	Once Rule = "once"
	// Dense: the versions of a stream run 1, 2, 3, … in the order of the log.
	Dense Rule = "dense"
	// Forward: recorded_at grows from event to event, within a partition where that has one owner, else within a stream.
	Forward Rule = "forward"
	// Sent: the log has nothing that nobody sent, and nothing is altered.
	Sent Rule = "sent"
	// Prefix: whatever a stream is read as, by whomever, is its beginning, with the times that the log has, and whatever is found by an
	// id has that id and is there.
	Prefix Rule = "prefix"
	// Fed: the live feed gave each event of the log once, those of a stream in the order of their versions, and nothing else.
	Fed Rule = "fed"
	// Shut: what was answered as certainly not recorded (fenced, owned elsewhere, in conflict), and never otherwise, is not in the log.
	Shut Rule = "fenced means not recorded"
	// Answered: a process that was stopped and woken answers each append that waited for it, unless it is killed within a minute of its
	// waking; nobody is refused without a reason; and nobody finds the log damaged.
	Answered Rule = "answered"
)

// A Violation is a rule that does not hold, and where.
type Violation struct {
	Rule   Rule   `json:"rule"`
	Stream string `json:"stream,omitempty"` // where it is about one
	What   string `json:"what"`
	Ops    []int  `json:"ops,omitempty"` // of the history that show it
}

func (v Violation) String() string {
	text := fmt.Sprintf("%s: %s", v.Rule, v.What)
	if len(v.Ops) > 0 {
		text += fmt.Sprintf(" (operations %v)", v.Ops)
	}
	return text
}

// A Verdict is what a history comes to.
type Verdict struct {
	Run        Run         `json:"run"`
	Counts     Counts      `json:"counts"`
	Violations []Violation `json:"violations"` // never nil, nor is Undecided: in JSON, nothing is an empty list
	Undecided  []string    `json:"undecided"`  // streams for which the time did not suffice to find an order, or that there is none
}

// Judge holds a history to the rules. It takes no longer than limit for the order of one stream.
func Judge(entries []Entry, limit time.Duration) Verdict {
	b := collect(entries)
	v := Verdict{Run: b.run, Counts: b.counts(), Violations: []Violation{}, Undecided: []string{}}
	for _, rule := range []func(*book) []Violation{kept, whole, log, prefix, fed, shut, answered} {
		v.Violations = append(v.Violations, rule(b)...)
	}
	for _, stream := range b.streams {
		switch bad, decided := linearizable(b, stream, limit); {
		case bad != nil:
			v.Violations = append(v.Violations, *bad)
		case !decided:
			v.Undecided = append(v.Undecided, stream)
		}
	}
	return v
}

// A try is one attempt, from its invocation to its return, if it had one.
type try struct {
	Invoke
	from, to int64 // nanoseconds; to is never where there was no return
	Return
}

const never = 1<<63 - 1

// yes says that the attempt may have recorded its batch.
func (t *try) yes() bool {
	return t.to == never || t.Outcome == OK || t.Outcome == Unknown || t.Outcome == Damaged
}

// A batch is the events of one append, and all attempts at it.
type batch struct {
	ids    []uuid.UUID
	stream string
	tries  []*try
	at     int64 // version of its first event in the log; 0 if it is not there
}

// A book is a history, sorted by what is asked of it.
type book struct {
	run     Run
	tries   []*try
	batches []*batch
	of      map[uuid.UUID]*batch // by each of its ids
	streams []string
	logged  []Seen
	where   map[uuid.UUID]Seen     // in the log, the first time
	stream  map[string][]uuid.UUID // as the log has it
	fed     []Seen
	struck  []Struck
	stopped map[string][]span // by writer, in turn
	killed  map[string]int64  // by writer, when
}

// A span is how long a process stood still.
type span struct{ from, woken int64 } // woken is never where it was not

func collect(entries []Entry) *book {
	b := &book{
		of: map[uuid.UUID]*batch{}, where: map[uuid.UUID]Seen{}, stream: map[string][]uuid.UUID{},
		stopped: map[string][]span{}, killed: map[string]int64{},
	}
	byOp, streams := map[int]*try{}, map[string]bool{}
	for _, e := range entries {
		switch {
		case e.Run != nil:
			b.run = *e.Run
		case e.Invoke != nil:
			t := &try{Invoke: *e.Invoke, from: e.At, to: never}
			byOp[t.Invoke.Op], streams[t.Stream] = t, true
			b.tries = append(b.tries, t)
			b.enter(t)
		case e.Return != nil:
			if t := byOp[e.Return.Op]; t != nil {
				t.Return, t.to = *e.Return, e.At
			}
		case e.Fault != nil:
			b.strike(e.At, *e.Fault)
		case e.Logged != nil:
			b.log(*e.Logged)
			streams[e.Logged.Stream] = true
		case e.Fed != nil:
			b.fed = append(b.fed, *e.Fed)
		}
	}
	b.streams = slices.Sorted(maps.Keys(streams))
	for _, x := range b.batches {
		x.at = b.where[x.ids[0]].Version
	}
	return b
}

func (b *book) enter(t *try) {
	if t.Kind != Append || len(t.IDs) == 0 {
		return
	}
	x := b.of[t.IDs[0]]
	if x == nil {
		x = &batch{ids: t.IDs, stream: t.Stream}
		b.batches = append(b.batches, x)
		for _, id := range t.IDs {
			b.of[id] = x
		}
	}
	x.tries = append(x.tries, t)
}

func (b *book) strike(at int64, s Struck) {
	spans := b.stopped[s.To]
	switch {
	case s.Blow == Kill:
		b.killed[s.To] = at
	case s.Blow == Away: // it is of no writer
	case !s.Woken:
		b.stopped[s.To] = append(spans, span{at, never})
	case len(spans) > 0:
		spans[len(spans)-1].woken = at
	}
	if !s.Woken {
		b.struck = append(b.struck, s)
	}
}

// waited says that the attempt found the process standing still.
func (b *book) waited(t *try) bool {
	return slices.ContainsFunc(b.stopped[t.Writer], func(s span) bool { return t.from > s.from && t.from < s.woken })
}

// excused says that the process was killed before it had its time to answer the attempt: while it stood still, or within settling of
// when it last woke.
func (b *book) excused(t *try) bool {
	killed, ok := b.killed[t.Writer]
	spans := b.stopped[t.Writer]
	return ok && len(spans) > 0 && killed-spans[len(spans)-1].woken < int64(settling)
}

func (b *book) log(s Seen) {
	b.logged = append(b.logged, s)
	b.stream[s.Stream] = append(b.stream[s.Stream], s.ID)
	if _, twice := b.where[s.ID]; !twice {
		b.where[s.ID] = s
	}
}
