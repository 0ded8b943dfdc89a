package report

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"example.com/blotter/labs/kit/trade"
)

// FilingStreams begins the names of the streams of filings: report/<rule set>. Its events are Made,
// Sent and Answered. A long list of Made or Answered is spread over several events, which are
// appended together; see Made.Parts.
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

// partBytes limits the text of each list of one event. Both lists of Made and its other facts are
// well below contract.MaxData.
const partBytes = 256 << 10

// Parts returns the bodies of the events that record m. Each has all single facts, and a part of
// the lists; Filings.Take puts them together. A report with few exceptions has one part.
func (m Made) Parts() (all []Made) {
	whole := m
	lacks := parts(m.Exceptions, func(l Lack) int {
		return len(l.Message) + len(l.Field) + len(l.Missing) + len(l.Owner)
	})
	back := parts(m.Back, func(uti string) int { return len(uti) })
	for i := range max(len(lacks), len(back)) {
		m := whole
		m.Exceptions, m.Back = part(lacks, i), part(back, i)
		all = append(all, m)
	}
	return all
}

// Parts returns the bodies of the events that record a; see Made.Parts.
func (a Answered) Parts() (all []Answered) {
	whole := a
	for _, rejected := range parts(a.Rejected, func(r Rejected) int {
		return len(r.Message) + len(r.Code) + len(r.Text)
	}) {
		a := whole
		a.Rejected = rejected
		all = append(all, a)
	}
	return all
}

// parts cuts a list into parts of about partBytes. An empty list is one part.
func parts[T any](list []T, size func(T) int) (all [][]T) {
	from, bytes := 0, 0
	for i, item := range list {
		const lengths = 32 // of the fields, and a time
		if next := size(item) + lengths; bytes > 0 && bytes+next > partBytes {
			all, from, bytes = append(all, list[from:i]), i, next
		} else {
			bytes += next
		}
	}
	return append(all, list[from:])
}

func part[T any](all [][]T, i int) []T {
	if i < len(all) {
		return all[i]
	}
	return nil
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
	// Open has the messages that are to be made again: exceptions of the last report, with the
	// value false, and messages that the repository rejected, with the value true.
	Open map[string]bool

	catchUps map[string]catchUp     // the open ones, by UTI
	parked   map[string]int64       // by UTI: the first version that no report has
	missed   map[string][]trade.Day // by UTI: the days of open valuations
	command  string                 // of the last event: it has the next part of the step, too
}

// A catchUp names the actions that the messages of a catch-up stand for: those after the first held
// ones, up to the version.
type catchUp struct {
	held    int
	version int64
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

// Late returns the reports that are past their deadline and not acknowledged. There are none of a
// rule set that is kept, not sent.
func (r Run) Late() (all []Exception) {
	for _, f := range r.Filings.Reports {
		if !r.Rules.Kept && f.Late(r.Known) {
			all = append(all, Exception{Message: f.Name, Missing: "the report is " + f.Status() +
				", and not acknowledged", Owner: "reporting", Due: f.Due})
		}
	}
	return all
}

// Take adds the next event of the stream. The events of one command are the parts of one step.
func (f *Filings) Take(command string, recorded time.Time, body any) {
	more := command == f.command && len(f.Reports) > 0
	f.command = command
	switch b := body.(type) {
	case Made:
		f.made(recorded, b, more)
		for _, e := range b.Exceptions {
			f.open(e.Message, false)
		}
	case Sent:
		f.find(b.Name, func(r *Filed) { r.Sent = &b })
	case Answered:
		f.find(b.Name, func(r *Filed) { r.answered(b, more) })
		for _, r := range b.Rejected {
			f.open(r.Message, true)
		}
	}
}

// made begins a report, or adds the next part of the last one.
func (f *Filings) made(recorded time.Time, m Made, more bool) {
	if more {
		last := &f.Reports[len(f.Reports)-1]
		last.Back = append(slices.Clip(last.Back), m.Back...)
		last.Exceptions = append(slices.Clip(last.Exceptions), m.Exceptions...)
		return
	}
	f.Reports = append(f.Reports, Filed{Made: m, RecordedAt: recorded})
	f.Until, f.Open = m.Known.UTC(), map[string]bool{}
	f.catchUps, f.parked = map[string]catchUp{}, map[string]int64{}
	f.missed = map[string][]trade.Day{}
}

// answered takes an answer, or the next part of the last one.
func (f *Filed) answered(a Answered, more bool) {
	if more && f.Answered != nil {
		a.Rejected = append(slices.Clip(f.Answered.Rejected), a.Rejected...)
	}
	f.Answered = &a
}

// open takes the id of a message that is to be made again; see Message.ID.
func (f *Filings) open(id string, rejected bool) {
	if _, open := f.Open[id]; open && !rejected {
		return // another field of the same message
	}
	f.Open[id] = rejected
	parts := strings.Split(id, "/")
	n := len(parts)
	if n < 3 {
		return
	}
	switch uti := strings.Join(parts[:n-2], "/"); {
	case parts[n-2] == "valuation":
		if day, err := trade.ParseDay(parts[n-1]); err == nil {
			f.missed[uti] = append(f.missed[uti], day)
		}
	case parts[n-1] == "parked":
		f.parked[uti], _ = strconv.ParseInt(parts[n-2], 10, 64) // ours: it is a number
	case strings.HasPrefix(parts[n-2], "after-"):
		c := catchUp{}
		if _, err := fmt.Sscanf(strings.Join(parts[n-3:n-1], "/"), "%d/after-%d", &c.version,
			&c.held); err == nil {
			f.catchUps[strings.Join(parts[:n-3], "/")] = c
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
	// Curve returns that of its instrument, effective at a time; nil has none. For valuations.
	Curve func(time.Time) trade.Curve
}

// A Result is the part of a report that is about one contract.
type Result struct {
	Rows       []Row
	Due        []time.Time // of each row
	Exceptions []Exception
}

// Contract returns the rows of a contract that the report has, and the exceptions. A message waits
// for an earlier one of its contract that cannot be made: a repository takes them in order.
//
// If an earlier message was rejected or cannot be made, and later events are there, the past is not
// sent again where RuleSet.CatchUp tells the repository of the contract as it is now.
func (r Run) Contract(s Subject) (out Result) {
	actions, parked := Actions(s.Contract, r.Known)
	if parked != nil {
		out.Exceptions = append(out.Exceptions, r.parked(s, actions, *parked))
	}
	told := r.scoped(actions)
	all := r.inputs(s, r.messages(told, s.UTI))
	first := r.firstDue(all)
	held := ""
	if first >= 0 {
		held = r.tell(s, told, all[:first], all[first:], &out)
	}
	for _, in := range r.inputs(s, r.valuations(actions, s)) {
		held = r.take(in, held, &out)
	}
	return out
}

// firstDue returns the index of the first message that is due, or -1. If the repository has taken
// the end of the contract, or its withdrawal, it takes no earlier message any more.
func (r Run) firstDue(all []Input) int {
	from := 0
	for i, in := range all {
		if r.Rules.Crosses && !in.Message.Action.Open() && !r.due(in.Message) && r.inScope(in) {
			from = i + 1
		}
	}
	i := slices.IndexFunc(all[from:], func(in Input) bool { return r.due(in.Message) })
	if i < 0 {
		return -1
	}
	return from + i
}

func (r Run) inScope(in Input) bool {
	yes, _, _ := r.Rules.InScope(in)
	return yes
}

// due reports whether no report has the message, or whether it is to be made again.
func (r Run) due(m Message) bool {
	if m.CatchUp == "" && m.Action.Event.RecordedAt.After(r.Filings.Until) ||
		slices.Contains(r.Back, m.Action.UTI) {
		return true
	}
	version, parked := r.Filings.parked[m.Action.UTI]
	_, open := r.Filings.Open[m.ID()]
	return open || parked && m.Action.Event.Version >= version
}

// tell makes the messages from the first one that is due. All later ones are made, too: a message
// that is made again must not replace what a later one said.
func (r Run) tell(s Subject, told []Action, before, due []Input, out *Result) (held string) {
	var replay Result
	held = r.replay(due, &replay)
	if rejected := r.Filings.Open[due[0].Message.ID()]; rejected || held != "" {
		var now Result
		if all, ok := r.catchUp(s, told, before, due[0].Message); ok && r.replay(all, &now) == "" {
			for i := range now.Due {
				now.Due[i] = earliest(now.Due[i], append(replay.Due, dues(replay)...))
			}
			replay, held = now, ""
		}
	}
	out.Rows, out.Due = append(out.Rows, replay.Rows...), append(out.Due, replay.Due...)
	out.Exceptions = append(out.Exceptions, replay.Exceptions...)
	return held
}

func (r Run) replay(all []Input, out *Result) (held string) {
	for _, in := range all {
		held = r.take(in, held, out)
	}
	return held
}

func dues(r Result) (all []time.Time) {
	for _, e := range r.Exceptions {
		all = append(all, e.Due)
	}
	return all
}

func earliest(t time.Time, all []time.Time) time.Time {
	for _, o := range all {
		if o.Before(t) {
			t = o
		}
	}
	return t
}

// catchUp returns the messages that stand for all actions from that of the first message that is
// due. ok is false where the first message itself says the same, or where the repository holds a
// part of its action.
func (r Run) catchUp(s Subject, told []Action, before []Input, first Message) ([]Input, bool) {
	at := slices.IndexFunc(told, func(a Action) bool {
		return a.Event.Version == first.Action.Event.Version
	})
	if first.CatchUp != "" {
		at = r.Filings.catchUps[s.UTI].held
	}
	for _, in := range before {
		m := in.Message
		part := m.CatchUp != "" || m.Action.Event.Version == first.Action.Event.Version
		if part && (m.CatchUp == "") == (first.CatchUp == "") && r.inScope(in) {
			return nil, false
		}
	}
	if r.Rules.CatchUp == nil || len(told) < at+2 {
		return nil, false
	}
	return r.inputs(s, r.named(told, at)), true
}

// named returns the messages of a catch-up after the first held actions, with their names.
func (r Run) named(told []Action, held int) []Message {
	all := r.Rules.CatchUp(told, held)
	for i := range all {
		all[i].CatchUp = fmt.Sprintf("%d/after-%d/%d", told[len(told)-1].Event.Version, held, i+1)
	}
	return all
}

// messages returns the messages of a contract as reports have made them: those of a catch-up that
// is open are in the place of the messages for which they stand.
func (r Run) messages(told []Action, uti string) []Message {
	all := r.Rules.Messages(told)
	c, open := r.Filings.catchUps[uti]
	until := slices.IndexFunc(told, func(a Action) bool { return a.Event.Version == c.version }) + 1
	if !open || until <= c.held || r.Rules.CatchUp == nil {
		return all
	}
	of := func(version int64) int {
		return slices.IndexFunc(told, func(a Action) bool { return a.Event.Version == version })
	}
	var merged []Message
	named := r.named(told[:until], c.held)
	for _, m := range all {
		i := of(m.Action.Event.Version)
		if i >= until {
			merged, named = append(merged, named...), nil
		}
		if i < c.held || i >= until {
			merged = append(merged, m)
		}
	}
	return append(merged, named...)
}

// scoped returns the actions as a rule set with the field Crosses reads them: a state that is out
// of scope is none.
func (r Run) scoped(actions []Action) []Action {
	if !r.Rules.Crosses {
		return actions
	}
	told, was := slices.Clone(actions), false
	for i, a := range told {
		in := r.inScope(Input{Message: Message{Action: a, State: a.After},
			Reference: r.Reference, Known: r.Known})
		if !was {
			told[i].Before = trade.Trade{UTI: a.UTI}
		}
		if !in {
			told[i].After = trade.Trade{UTI: a.UTI}
		}
		was = in
	}
	return told
}

// inputs returns the messages with all that their rules read.
func (r Run) inputs(s Subject, messages []Message) []Input {
	all := make([]Input, len(messages))
	for i, m := range messages {
		all[i] = Input{Message: m, Reference: r.Reference, Known: r.Known}
		if s.Entries != nil {
			all[i].Event = s.Entries(m.Action.Event)
		}
	}
	return all
}

// Last returns the messages one of which a repository holds as the last record of a contract, if
// it has taken all: the last one, or that of a catch-up. withdrawn reports whether it withdraws the
// contract. There are none for a contract that is out of scope and never was in it.
func (r Run) Last(s Subject) (last []Input, actions []Action, withdrawn bool) {
	actions, _ = Actions(s.Contract, r.Known)
	told := r.scoped(actions)
	add := func(messages []Message) {
		all := slices.DeleteFunc(r.inputs(s, messages), func(in Input) bool {
			return !r.inScope(in)
		})
		if len(all) > 0 {
			last = append(last, all[len(all)-1])
		}
	}
	if add(r.Rules.Messages(told)); len(last) == 0 {
		return nil, actions, false
	}
	for held := range len(told) - 1 {
		if r.Rules.CatchUp != nil {
			add(r.Rules.CatchUp(told, held))
		}
	}
	after := told[len(told)-1].After.Status
	return last, actions, after == "" || after == trade.Voided
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
		missing, ok = []Exception{r.exception(in, "it waits for "+held)}, false
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

func (r Run) exception(in Input, missing string) Exception {
	return Exception{Message: in.Message.ID(), UTI: in.Message.Action.UTI, Missing: missing,
		Owner: owner(Trade), Due: r.Rules.Due(in)}
}

// parked returns the exception of a stream that is parked. It opens every version from there on,
// and has the deadline of the first one.
func (r Run) parked(s Subject, actions []Action, p trade.Parked) Exception {
	a := Action{UTI: s.UTI}
	if n := len(actions); n > 0 {
		a.After = actions[n-1].After
	}
	for _, e := range s.History {
		if e.Version == p.Version {
			a.Event, a.Kind = e, Of(e.Body)
		}
	}
	e := r.exception(Input{Message: Message{Action: a, State: a.After}, Reference: r.Reference,
		Known: r.Known}, fmt.Sprintf("the stream is parked at version %d", p.Version))
	e.Message = fmt.Sprintf("%s/%d/parked", s.UTI, p.Version)
	return e
}

// valuations returns the valuations of the days that a report has missed, and today's.
func (r Run) valuations(actions []Action, s Subject) (all []Message) {
	if r.Rules.Valuation == "" || len(actions) == 0 {
		return nil
	}
	last, today := actions[len(actions)-1], trade.DayOf(r.Known.UTC())
	var times []time.Time
	for _, day := range r.Filings.missed[s.UTI] {
		if day < today {
			times = append(times, (day + 1).UTC().Add(-time.Microsecond))
		}
	}
	if last.Open() {
		times = append(times, r.Known)
	}
	for _, at := range times {
		whole, _ := trade.Fold(s.UTI, s.History, trade.AsOf{Known: r.Known, Effective: at})
		var curve trade.Curve
		if s.Curve != nil {
			curve = s.Curve(at)
		}
		if m, ok := Valuation(r.Rules.Valuation, last, whole, curve, at); ok {
			all = append(all, m)
		}
	}
	return all
}
