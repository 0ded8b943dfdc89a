package report

import (
	"cmp"
	"slices"

	"github.com/google/uuid"
)

// A Change is a difference between two runs of one contract: of two rule sets, or of two times.
type Change struct {
	Message string `json:"message"`
	Event   string `json:"event"` // the id of the event that the message reports
	// Field is the name of a field, or DueField. It is empty if one run lacks the message.
	Field string `json:"field,omitempty"`
	Here  string `json:"here"`
	There string `json:"there"`
	// Reference has the ids of the events of reference data that only one of the two runs reads.
	Reference []string `json:"reference"`
	Why       string   `json:"why"`
}

// DueField is the field of a Change that names the deadline of a message.
const DueField = "due"

// reportingTime is the name of the field with the time of the report, which is no difference.
const reportingTime = "Reporting timestamp"

// Compare returns the differences between two runs of a contract, in the order of messages and
// fields. It knows nothing of what a repository accepted: each run has every message that is in
// scope and was recorded after its Filings.Until. Valuations are not compared: each belongs to the
// day of its report. A missing fact counts as the text of its field.
func Compare(here, there Run, s Subject) (all []Change) {
	a, b := here.said(s), there.said(s)
	for _, m := range order(a, b) {
		x, inA := a[m.ID()]
		y, inB := b[m.ID()]
		if inA && inB {
			all = append(all, changes(here, there, x, y)...)
			continue
		}
		c := Change{Message: m.ID(), Event: m.Action.Event.ID.String(), Reference: []string{}}
		if inA {
			c.Here = "reported"
			c.Why, c.Reference = there.silent(s, here, x)
		} else {
			c.There = "reported"
			c.Why, c.Reference = here.silent(s, there, y)
		}
		all = append(all, c)
	}
	return all
}

// told returns every message of a contract that the run derives from its events.
func (r Run) told(s Subject) []Input {
	actions, _ := Actions(s.Contract, r.Known)
	return r.inputs(s, r.messages(r.scoped(actions), s.UTI))
}

// said returns the messages that are due and in scope, by their ids.
func (r Run) said(s Subject) map[string]Input {
	all := map[string]Input{}
	for _, in := range r.told(s) {
		if r.due(in.Message) && r.inScope(in) {
			all[in.Message.ID()] = in
		}
	}
	return all
}

func order(a, b map[string]Input) (all []Message) {
	for _, in := range a {
		all = append(all, in.Message)
	}
	for id, in := range b {
		if _, ok := a[id]; !ok {
			all = append(all, in.Message)
		}
	}
	slices.SortFunc(all, func(x, y Message) int {
		return cmp.Or(cmp.Compare(x.Action.Event.Version, y.Action.Event.Version),
			cmp.Compare(x.N, y.N))
	})
	return all
}

// silent explains why a run lacks a message that another run has. A rule set that has no message of
// the action at all is asked for the scope of the action.
func (r Run) silent(s Subject, other Run, theirs Input) (why string, ids []string) {
	actions, _ := Actions(s.Contract, r.Known)
	i := slices.IndexFunc(actions, func(a Action) bool {
		return a.Event.ID == theirs.Message.Action.Event.ID
	})
	if i < 0 {
		return "recorded later", []string{}
	}
	in := theirs
	in.Reference, in.Message.Action, in.Message.Extra = r.Reference, actions[i], nil
	for _, ours := range r.told(s) {
		if ours.Message.ID() == theirs.Message.ID() {
			in = ours
		}
	}
	_, why, _ = r.Rules.InScope(in)
	switch {
	case why != "":
		return why, onlyOne(in.Reads(r.Rules.Scope), theirs.Reads(other.Rules.Scope))
	case !r.due(in.Message):
		return "recorded before the time from which the run reports", []string{}
	}
	return r.Rules.Name + " has no such message", []string{}
}

// changes returns the differences between the fields of one message, in the order of its table.
func changes(here, there Run, x, y Input) (all []Change) {
	add := func(name string, a, b cell) {
		if a.text == b.text || name == reportingTime {
			return
		}
		c := Change{Message: x.Message.ID(), Event: x.Message.Action.Event.ID.String(),
			Field: name, Here: a.text, There: b.text, Reference: onlyOne(a.ids(), b.ids())}
		switch {
		case a.source != b.source:
			c.Why = "rules: " + cmp.Or(a.source, "no such field") + "; then " +
				cmp.Or(b.source, "no such field")
		case len(c.Reference) > 0:
			c.Why = "reference data"
		default:
			c.Why = "another event of the contract, or of one that it continues"
		}
		all = append(all, c)
	}
	a, b := here.Rules.cells(x), there.Rules.cells(y)
	for _, f := range here.Rules.Fields {
		add(f.Name, a[f.Name], b[f.Name])
	}
	for _, f := range there.Rules.Fields {
		if _, ok := a[f.Name]; !ok {
			add(f.Name, cell{}, b[f.Name])
		}
	}
	add(DueField, a[DueField], b[DueField])
	return all
}

// A cell is the text of a field, and the source of its rule. read returns the events of reference
// data that the rule reads.
type cell struct {
	text, source string
	read         func() []uuid.UUID
}

func (c cell) ids() []uuid.UUID {
	if c.read == nil { // the rule set has no such field
		return nil
	}
	return c.read()
}

// cells returns the fields of a message by their names, and its deadline.
func (s RuleSet) cells(in Input) map[string]cell {
	all := map[string]cell{}
	for _, f := range s.Fields {
		v := f.Rule(in)
		if v.Gap != nil {
			v.Text = v.Gap.String()
		}
		all[f.Name] = cell{v.Text, f.Source, func() []uuid.UUID { return in.Reads(f.Rule) }}
	}
	all[DueField] = cell{s.Due(in).UTC().Format("2006-01-02T15:04:05Z"), s.DeadlineSource,
		func() []uuid.UUID {
			var calendar string
			ids := in.Reads(func(in Input) Value {
				calendar = s.Deadline(in).Calendar
				return Value{}
			})
			return append(ids, in.Reference.stated(Calendar, calendar)...)
		}}
	return all
}

// Reads returns the events of reference data that a rule reads.
func (in Input) Reads(rule func(Input) Value) []uuid.UUID {
	in.read = new([]uuid.UUID)
	rule(in)
	return *in.read
}

// onlyOne returns the ids that one of two lists has, and the other lacks, without repetitions.
func onlyOne(a, b []uuid.UUID) []string {
	all := []string{} // never nil: none is an empty list
	for _, pair := range [][2][]uuid.UUID{{a, b}, {b, a}} {
		for _, id := range pair[0] {
			if text := id.String(); !slices.Contains(pair[1], id) && !slices.Contains(all, text) {
				all = append(all, text)
			}
		}
	}
	return all
}
