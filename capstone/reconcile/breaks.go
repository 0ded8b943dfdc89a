package reconcile

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// streams is the beginning of the name of each break's stream.
const streams = "break/"

// StreamOf returns the stream of a break.
func StreamOf(id string) string { return streams + id }

// IsBreak reports whether a stream is that of a break.
func IsBreak(stream string) bool { return strings.HasPrefix(stream, streams) }

// A Body is the facts of an event: Opened, Assigned or Resolved.
type Body interface{ EventType() string }

// Opened is the event that a run found a difference.
type Opened struct {
	Job    string `avro:"job"`
	Key    string `avro:"key"`
	Field  string `avro:"field"`
	Ours   string `avro:"ours"`
	Theirs string `avro:"theirs"`
}

// Assigned is the event that a principal shall look into a break.
type Assigned struct {
	To string `avro:"to"`
}

// Resolved is the event that ends a break.
type Resolved struct {
	How string `avro:"how"` // Accepted or Vanished
}

// The ends of a break.
const (
	Accepted = "accepted" // by a person, who gives the reason
	Vanished = "vanished" // a later run did not find it
)

// EventType returns the type of the event.
func (Opened) EventType() string { return "break.opened" }

// EventType returns the type of the event.
func (Assigned) EventType() string { return "break.assigned" }

// EventType returns the type of the event.
func (Resolved) EventType() string { return "break.resolved" }

// A Break is a difference, with the steps that were taken to resolve it.
type Break struct {
	ID string `json:"id"`
	Difference
	State    string     `json:"state"` // open, accepted or vanished
	Opened   time.Time  `json:"opened_at"`
	Assignee string     `json:"assignee,omitempty"`
	Resolved *time.Time `json:"resolved_at,omitempty"`
	By       string     `json:"resolved_by,omitempty"`
	Reason   string     `json:"reason,omitempty"`
	Version  int64      `json:"version"` // of its stream
}

// Open is the state of a break that is not resolved.
const Open = "open"

// Age returns the time that a break is open, or was.
func (b Break) Age(now time.Time) time.Duration {
	if b.Resolved != nil {
		now = *b.Resolved
	}
	return max(0, now.Sub(b.Opened))
}

// An Entry is an event of a break's stream.
type Entry struct {
	Stream  string
	Version int64
	At      time.Time // recorded
	Actor   string
	Reason  string
	Body    Body
}

// Breaks is the fold of the streams of all breaks.
type Breaks struct{ all map[string]Break }

// Evolve takes the next event of a stream. Events of other streams change nothing.
func (s *Breaks) Evolve(e Entry) {
	id, is := strings.CutPrefix(e.Stream, streams)
	if !is {
		return
	}
	if s.all == nil {
		s.all = map[string]Break{}
	}
	b := s.all[id]
	switch body := e.Body.(type) {
	case Opened: // again: it had vanished, and is as old as its last opening
		b = Break{ID: id, Difference: Difference(body), State: Open, Opened: e.At,
			Assignee: b.Assignee}
	case Assigned:
		b.Assignee = body.To
	case Resolved:
		b.State, b.Resolved, b.By, b.Reason = body.How, &e.At, e.Actor, e.Reason
	}
	b.Version = e.Version
	s.all[id] = b
}

// List returns the breaks that keep selects, the oldest first.
func (s *Breaks) List(keep func(Break) bool) []Break {
	found := []Break{} // never nil: nothing is an empty list
	for _, id := range slices.Sorted(maps.Keys(s.all)) {
		if b := s.all[id]; keep(b) {
			found = append(found, b)
		}
	}
	slices.SortStableFunc(found, func(a, b Break) int {
		return cmp.Or(a.Opened.Compare(b.Opened), cmp.Compare(a.Key, b.Key),
			cmp.Compare(a.Field, b.Field))
	})
	return found
}

// A Step is an event to append to a break's stream, which must still have the version.
type Step struct {
	ID      string
	Version int64
	Body    Body
}

// A Rule names the reason of a refusal.
type Rule string

// The rules of breaks.
const (
	Unknown  Rule = "break.unknown"  // no run found it
	NotOpen  Rule = "break.not-open" // it was resolved
	Assignee Rule = "break.assignee" // it is assigned to that principal already
)

// A Refusal is a step that breaks a rule.
type Refusal struct {
	Rule   Rule
	Detail string
}

func (r *Refusal) Error() string { return fmt.Sprintf("%s: %s", r.Rule, r.Detail) }

// Hint says what to do.
func (r *Refusal) Hint() string { return "list the breaks: blotter reconcile list --all" }

// Run decides the steps after a run of a job. It opens each difference that is not open or
// accepted, and resolves each open break of the job that it looked at and did not find. fields are
// the fields that it compared; nil: all.
func (s *Breaks) Run(job string, found []Difference, fields []string) (steps []Step) {
	seen := map[string]bool{}
	for _, d := range found {
		id := d.ID()
		if b := s.all[id]; !seen[id] && b.State != Open && b.State != Accepted {
			steps = append(steps, Step{id, b.Version, Opened(d)})
		}
		seen[id] = true
	}
	for _, b := range s.List(func(b Break) bool { return b.Job == job && b.State == Open }) {
		if !seen[b.ID] && looked(b.Difference, found, fields) {
			steps = append(steps, Step{b.ID, b.Version, Resolved{Vanished}})
		}
	}
	return steps
}

// looked reports whether a run that found these differences has looked at another one.
func looked(at Difference, found []Difference, fields []string) bool {
	ofRow := at.Field == Missing || at.Field == Twice
	if fields != nil && !ofRow && !slices.Contains(fields, at.Field) {
		return false
	}
	return !slices.ContainsFunc(found, func(d Difference) bool {
		return d.Field == Fault || d.Field == Missing && d.Key == at.Key && !ofRow
	})
}

// Assign decides that a principal shall look into a break.
func (s *Breaks) Assign(id, to string) (Step, error) {
	b, err := s.open(id)
	if err == nil && b.Assignee == to {
		err = &Refusal{Assignee, fmt.Sprintf("break %s is assigned to %s", id, to)}
	}
	return Step{id, b.Version, Assigned{to}}, err
}

// Accept decides that a break stays as it is, and is not opened again.
func (s *Breaks) Accept(id string) (Step, error) {
	b, err := s.open(id)
	return Step{id, b.Version, Resolved{Accepted}}, err
}

func (s *Breaks) open(id string) (Break, error) {
	b, known := s.all[id]
	switch {
	case !known:
		return b, &Refusal{Unknown, fmt.Sprintf("there is no break %q", id)}
	case b.State != Open:
		return b, &Refusal{NotOpen, fmt.Sprintf("break %s is %s", id, b.State)}
	}
	return b, nil
}
