package report

import (
	"fmt"
	"slices"
	"time"

	"example.com/blotter/labs/kit/trade"
)

// FilingStreams begins the names of the streams of filings: report/<rule set>. Its events are Made,
// Sent and Answered.
const FilingStreams = "report/"

// Made is the body of the event that a report was made: all messages that were not made before, and
// those that are open, as known at Known. It has no rows: the same function of the same log gives
// the same bytes again, and Digest says which.
type Made struct {
	Name       string    `avro:"name"` // such as 2025-03-03T17:00:00Z, the name within the rule set
	Known      time.Time `avro:"known_at"`
	Digest     string    `avro:"digest"` // SHA-256 of the report's file, hexadecimal
	Rows       int64     `avro:"rows"`
	Due        time.Time `avro:"due_at"` // the earliest deadline of a row; Known without rows
	Back       []string  `avro:"back"`   // contracts that are reported from their beginning
	Exceptions []Lack    `avro:"exceptions"`
}

// A Lack is an Exception on record.
type Lack struct {
	Message string    `avro:"message"`
	Field   string    `avro:"field"`
	Missing string    `avro:"missing"`
	Owner   string    `avro:"owner"`
	Due     time.Time `avro:"due_at"`
}

// Sent is the body of the event that a report was handed to a repository.
type Sent struct {
	Name string `avro:"name"`
	To   string `avro:"repository"`
}

// Answered is the body of the event that a repository answered a report.
type Answered struct {
	Name     string     `avro:"name"`
	Digest   string     `avro:"digest"` // SHA-256 of the answer's file, hexadecimal
	Accepted int64      `avro:"accepted"`
	Rejected []Rejected `avro:"rejected"`
}

// Rejected is one message that a repository rejected.
type Rejected struct {
	Message string `avro:"message"`
	Code    string `avro:"code"`
	Text    string `avro:"text"`
}

// EventType returns the stable name of the event.
func (Made) EventType() string { return "report.made" }

// EventType returns the stable name of the event.
func (Sent) EventType() string { return "report.sent" }

// EventType returns the stable name of the event.
func (Answered) EventType() string { return "report.answered" }

// Filings are the reports of one rule set that are on record. The zero value has none.
type Filings struct {
	Reports []Filed
	// Until is the time as of which the last report was made. A message whose event was recorded
	// later is due.
	Until time.Time
	// Open has the messages that are to be made again: exceptions of the last report, and messages
	// that the repository rejected.
	Open map[string]bool
}

// A Filed is one report on record.
type Filed struct {
	Made
	RecordedAt time.Time
	Sent       *Sent     // nil until it was sent
	Answered   *Answered // nil until it was answered
}

// Status returns due, made, sent, acknowledged or rejected.
func (f Filed) Status() string {
	switch {
	case f.Answered != nil && len(f.Answered.Rejected) > 0:
		return "rejected"
	case f.Answered != nil:
		return "acknowledged"
	case f.Sent != nil:
		return "sent"
	}
	return "made"
}

// Late reports whether a row of the report is past its deadline at a time, and not acknowledged.
func (f Filed) Late(at time.Time) bool {
	return f.Rows > 0 && f.Answered == nil && at.After(f.Due)
}

// Take adds the next event of the stream.
func (f *Filings) Take(recorded time.Time, body any) {
	switch b := body.(type) {
	case Made:
		f.Reports = append(f.Reports, Filed{Made: b, RecordedAt: recorded})
		f.Until, f.Open = b.Known.UTC(), map[string]bool{}
		for _, e := range b.Exceptions {
			f.Open[e.Message] = true
		}
	case Sent:
		f.find(b.Name, func(r *Filed) { r.Sent = &b })
	case Answered:
		f.find(b.Name, func(r *Filed) { r.Answered = &b })
		for _, r := range b.Rejected {
			f.Open[r.Message] = true
		}
	}
}

func (f *Filings) find(name string, change func(*Filed)) {
	i := slices.IndexFunc(f.Reports, func(r Filed) bool { return r.Name == name })
	if i >= 0 {
		change(&f.Reports[i])
	}
}

// A Run makes one report: it takes contract by contract, and keeps none.
type Run struct {
	Rules     RuleSet
	Known     time.Time
	Reference Reference
	Filings   Filings
	Back      []string // contracts that are reported from their beginning
}

// A Subject is what a run reads about one contract.
type Subject struct {
	Contract
	Entries func(trade.Event) Entry // the envelope of an event; nil has none
	Curve   trade.Curve             // of its instrument, effective at Known; for valuations
}

// A Result is the part of a report that is about one contract.
type Result struct {
	Rows       []Row
	Due        []time.Time // of each row
	Exceptions []Exception
}

// Contract returns the rows of a contract that the report has, and the exceptions. A message waits
// for an earlier one of its contract that cannot be made: a repository takes them in order.
func (r Run) Contract(s Subject) (out Result) {
	actions, parked := Actions(s.Contract, r.Known)
	if parked != nil {
		out.Exceptions = append(out.Exceptions, r.exception(parked.Stream, s.UTI,
			fmt.Sprintf("the stream is parked at version %d", parked.Version), r.Known))
	}
	back, held := slices.Contains(r.Back, s.UTI), ""
	for _, m := range r.messages(actions, s) {
		in := Input{Message: m, Reference: r.Reference, Known: r.Known}
		if s.Entries != nil {
			in.Event = s.Entries(m.Action.Event)
		}
		fresh := m.Value != nil || m.Action.Event.RecordedAt.After(r.Filings.Until)
		if !fresh && !back && !r.Filings.Open[m.ID()] {
			continue
		}
		held = r.take(in, held, &out)
	}
	return out
}

// take makes the row of one message. It returns the message for which later ones wait, if any.
func (r Run) take(in Input, held string, out *Result) string {
	yes, _, unknown := r.Rules.InScope(in)
	if !yes {
		return held
	}
	row, missing, ok := r.Rules.Row(in)
	switch {
	case unknown != nil:
		missing, ok = []Exception{*unknown}, false
	case held != "":
		missing, ok = []Exception{r.exception(in.Message.ID(), in.Message.Action.UTI,
			"it waits for "+held, r.Rules.Due(in))}, false
	}
	if !ok {
		out.Exceptions = append(out.Exceptions, missing...)
		if held == "" && in.Message.Value == nil {
			held = in.Message.ID()
		}
		return held
	}
	out.Rows, out.Due = append(out.Rows, row), append(out.Due, r.Rules.Due(in))
	return held
}

func (r Run) exception(message, uti, missing string, due time.Time) Exception {
	return Exception{Message: message, UTI: uti, Missing: missing, Owner: owner(Trade), Due: due}
}

// messages returns the messages of a contract, with today's valuation at the end.
func (r Run) messages(actions []Action, s Subject) []Message {
	all := r.Rules.Messages(actions)
	if r.Rules.Valuation == "" || len(actions) == 0 {
		return all
	}
	last := actions[len(actions)-1]
	if !last.Open() {
		return all
	}
	at := trade.AsOf{Known: r.Known, Effective: r.Known}
	whole, _ := trade.Fold(s.UTI, s.History, at)
	if m, ok := Valuation(r.Rules.Valuation, last, whole, s.Curve, r.Known); ok {
		all = append(all, m)
	}
	return all
}
