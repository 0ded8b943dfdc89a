package report

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"example.com/blotter/labs/kit/trade"
)

// FilingStreams begins the names of the streams of filings: report/<regime>. All versions of the
// rules of a regime share its stream: so a message is made once, also if a later version comes into
// force. Its events are Made, Sent and Answered. A long list of Made or Answered is spread over
// several events, which are appended together; see Made.Parts. Filings from before version 2 of
// Made are on report/<rule set>: they are read, and nothing is appended there.
const FilingStreams = "report/"

// Made is the body of the event that a report was made: all messages that were not made before, and
// those that are open, as known at Known. It has no rows: the same function of the same log gives
// the same bytes again, and Digest says which: the statement has the digests of all files.
type Made struct {
	Name       string    `avro:"name"`  // such as 2025-03-03T17:00:00Z, within the regime
	Rules      string    `avro:"rules"` // the name of the rule set; empty before version 2
	Known      time.Time `avro:"known_at"`
	Digest     string    `avro:"digest"` // SHA-256 of the report's statement, hexadecimal
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

// steps are the parts of a path after its first number; see Run.accepted.
var steps = regexp.MustCompile(`[+-][0-9.]+`)

// maxPath and maxApart limit the length of a path, and so that of the id of a message; see
// Run.accepted. After a longer path, the rest of the last catch-up and all later messages are made.
// That is not possible if the repository has accepted a message after the first one that is due.
const (
	maxPath  = 128
	maxApart = 512
)

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

// Filings are the reports of one regime that are on record. The zero value has none.
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

// A catchUp names the actions that the messages of a catch-up stand for: those that the repository
// did not hold, up to the version. Run.accepted explains the path.
type catchUp struct {
	version int64
	path    string
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
		version, _ := strconv.ParseInt(parts[n-3], 10, 64) // ours: it is a number
		f.catchUps[strings.Join(parts[:n-3], "/")] = catchUp{version,
			strings.TrimPrefix(parts[n-2], "after-")}
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
		held = r.tell(s, told, all, first, &out)
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
// that is made again must not replace what a later one said. A catch-up says less, and repeats
// nothing that the repository has accepted.
func (r Run) tell(s Subject, told []Action, all []Input, first int, out *Result) (held string) {
	var replay, now Result
	held = r.replay(all[first:], &replay)
	path, apart := r.path(told, all, first)
	rejected := r.Filings.Open[all[first].Message.ID()]
	switch {
	case r.Rules.CatchUp == nil:
	case apart && len(path) > maxApart:
		return r.tooManyParts(all[first:], out)
	case apart, len(path) <= maxPath && (rejected || held != "") && r.grown(told, all[first]):
		waits := r.replay(r.inputs(s, r.named(told, path)), &now)
		if waits == "" || apart {
			for i := range now.Due {
				now.Due[i] = earliest(now.Due[i], append(replay.Due, dues(replay)...))
			}
			replay, held = now, waits
		}
	}
	out.Rows, out.Due = append(out.Rows, replay.Rows...), append(out.Due, replay.Due...)
	out.Exceptions = append(out.Exceptions, replay.Exceptions...)
	return held
}

// tooManyParts makes exceptions of the messages that are due: the accepted ones are too many to be
// named. It returns the first message.
func (r Run) tooManyParts(all []Input, out *Result) string {
	for _, in := range all {
		if r.due(in.Message) && r.inScope(in) {
			out.Exceptions = append(out.Exceptions, r.exception(in, "the repository has accepted "+
				"it in too many parts: report the contract from its beginning with --back"))
		}
	}
	return all[0].Message.ID()
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

// grown reports whether the contract has actions that come after those of the first message that is
// due. Without them, a catch-up says the same as the message.
func (r Run) grown(told []Action, first Input) bool {
	version := first.Message.Action.Event.Version
	if first.Message.CatchUp != "" {
		version = r.Filings.catchUps[first.Message.Action.UTI].version
	}
	return version < told[len(told)-1].Event.Version
}

// path names the messages that the repository has accepted, for a catch-up; see accepted. apart
// reports whether one of them comes after the first message that is due.
func (r Run) path(told []Action, all []Input, first int) (path string, apart bool) {
	m := all[first].Message
	c := r.Filings.catchUps[m.Action.UTI]
	from := m.Action.Event.Version
	path = strconv.Itoa(indexOf(told, from))
	before := "" // the catch-up of which the next message is a part
	if m.CatchUp != "" {
		path, from, before = c.path, c.version+1, fmt.Sprintf("-%d", c.version)
	}
	for i, in := range all {
		o := in.Message
		switch {
		case r.due(o):
			continue
		case o.CatchUp != "" && m.CatchUp != "":
			path += before + "+" + o.CatchUp[strings.LastIndex(o.CatchUp, "/")+1:]
			before = ""
		case o.CatchUp == "" && o.Action.Event.Version >= from:
			path += fmt.Sprintf("+%d.%d", o.Action.Event.Version, o.N)
		default:
			continue
		}
		apart = apart || i > first
	}
	return path, apart
}

// accepted returns the messages that a path names, in their order:
//
//	2             all messages of the first two actions
//	2+4.1         and the first message of the event with version 4
//	2+4.1-5+1+3   and the first and third message of the catch-up to version 5 with that path
func (r Run) accepted(told []Action, path string) (all []Message) {
	ordinary, held := r.Rules.Messages(told), heldOf(path)
	for _, m := range ordinary {
		if held >= len(told) || m.Action.Event.Version < told[held].Event.Version {
			all = append(all, m)
		}
	}
	var named []Message
	for _, step := range steps.FindAllString(path, -1) {
		var version int64
		var n int
		if _, err := fmt.Sscanf(step, "+%d.%d", &version, &n); err == nil {
			i := slices.IndexFunc(ordinary, func(m Message) bool {
				return m.Action.Event.Version == version && m.N == n
			})
			all = append(all, ordinary[max(i, 0):i+1]...)
		} else if _, err := fmt.Sscanf(step, "-%d", &version); err == nil {
			named = r.Rules.CatchUp(told[:indexOf(told, version)+1], held, all)
		} else if _, err := fmt.Sscanf(step, "+%d", &n); err == nil && n <= len(named) {
			all = append(all, named[n-1])
		}
	}
	return all
}

// heldOf returns the number of actions with which a path begins.
func heldOf(path string) (n int) {
	_, _ = fmt.Sscanf(path, "%d", &n) // ours: it begins with a number
	return n
}

// indexOf returns the index of the action with a version, or -1.
func indexOf(told []Action, version int64) int {
	return slices.IndexFunc(told, func(a Action) bool { return a.Event.Version == version })
}

// named returns the messages of a catch-up after the accepted ones of a path, with their names.
func (r Run) named(told []Action, path string) []Message {
	all := r.Rules.CatchUp(told, heldOf(path), r.accepted(told, path))
	for i := range all {
		all[i].CatchUp = fmt.Sprintf("%d/after-%s/%d", told[len(told)-1].Event.Version, path, i+1)
	}
	return all
}

// messages returns the messages of a contract as reports have made them: those of a catch-up that
// is open are in the place of the messages for which they stand.
func (r Run) messages(told []Action, uti string) []Message {
	all := r.Rules.Messages(told)
	c, open := r.Filings.catchUps[uti]
	held, until := heldOf(c.path), indexOf(told, c.version)+1
	if !open || until <= held || r.Rules.CatchUp == nil || slices.Contains(r.Back, uti) {
		return all
	}
	var merged []Message
	named := r.named(told[:until], c.path)
	for _, m := range all {
		version := m.Action.Event.Version
		if version > c.version {
			merged, named = append(merged, named...), nil
		}
		if version < told[held].Event.Version || version > c.version {
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
	ordinary := r.Rules.Messages(told)
	if add(ordinary); len(last) == 0 {
		return nil, actions, false
	}
	final := ordinary[len(ordinary)-1]
	for until := indexOf(told, final.Action.Event.Version); until < len(told) &&
		r.Rules.CatchUp != nil; until++ { // later actions have no message, and may be in none
		for _, m := range ordinary {
			held := indexOf(told, m.Action.Event.Version) // of the first message that was missing
			if m.N == 1 && held < until {
				path := strconv.Itoa(held)
				add(r.named(told[:until+1], path))
				path += fmt.Sprintf("+%d.%d", final.Action.Event.Version, final.N)
				add(r.named(told[:until+1], path)) // the last message was not missing
			}
		}
	}
	after := told[len(told)-1].After.Status
	return last, actions, after == "" || after == trade.Voided
}

// A Told is all that a repository is to hold of a contract, if it has taken all messages.
type Told struct {
	Actions []Action
	// Records are the records that it holds, in order, each as the messages one of which it is.
	Records []Record
	// Keys are those of all messages, also of messages that others withdraw.
	Keys      []string
	InScope   bool // a message is, or was, in scope
	Withdrawn bool // the last message withdraws the contract
}

// A Record is one that a repository is to hold, and the key by which it names it.
type Record struct {
	Key string
	Any []Input // the repository holds one of them
}

// Told returns the records of a contract. Where a repository holds the last message only, it may
// be that of a catch-up. Elsewhere a catch-up leads to the same records.
func (r Run) Told(s Subject) (t Told) {
	if r.Rules.Standing == nil {
		last, actions, withdrawn := r.Last(s)
		t = Told{Actions: actions, InScope: last != nil, Withdrawn: withdrawn,
			Keys: []string{s.UTI}}
		if last != nil {
			t.Records = []Record{{s.UTI, last}}
		}
		return t
	}
	t.Actions, _ = Actions(s.Contract, r.Known)
	var messages []Message
	for _, in := range r.inputs(s, r.Rules.Messages(t.Actions)) {
		t.Keys = append(t.Keys, r.Rules.key(in))
		if r.inScope(in) {
			messages, t.InScope = append(messages, in.Message), true
		}
	}
	for _, in := range r.inputs(s, r.Rules.Standing(messages)) {
		t.Records = append(t.Records, Record{r.Rules.key(in), []Input{in}})
	}
	return t
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
