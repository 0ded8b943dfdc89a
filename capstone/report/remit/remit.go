// Package remit reports contracts for electricity and gas under REMIT: Table 1 of Implementing
// Regulation (EU) No 1348/2014, as records of ACER's schema REMITTable1 V3.
//
//	event                                       records
//	NEW, also by a novation or an exercise      N
//	AMEND amendment, update                     M
//	CANCEL terminate, NOVATE, in part           M with the quantity that is left
//	CANCEL terminate, NOVATE, in full           C; so is an AMEND that leaves nothing open
//	SETTLE, EXERCISE                            none; the contract that results is its own N
//	AMEND correction                            E for each record that is wrong, then it again
//	CANCEL void                                 E for each record
//
// A record shows the contract after one change. So a correction makes wrong the record of its own
// event and those of all later ones. They are withdrawn from the last to the first, and sent again
// in order. So the repository never has a record after one that is withdrawn.
//
// TRUM 4.7 asks for another UTI on a record that replaces an error. Both parties must send the same
// UTI, and only one of them makes the error. The rule set keeps the UTI: agree another one with the
// counterparty and the reporting mechanism, and enter it as a contract of its own.
//
// A record is withdrawn with the reference data as of its own time. If an LEI as of then was
// corrected after the record was sent, its E has the new LEI.
//
// Implementing Regulation (EU) 2026/256 has repealed 1348/2014, with a time of transition. Its
// annex could not be read. Its rule set is Recast, a draft: it shows the effect of the deadlines.
package remit

import (
	"fmt"
	"slices"
	"time"

	"example.com/blotter/capstone/report"
	"example.com/blotter/labs/kit/trade"
)

// RuleSets returns the versions of the rules, oldest first.
func RuleSets() []report.RuleSet { return []report.RuleSet{Table1(), Recast()} }

// Table1 is the rule set in force since contracts of organised market places became reportable.
func Table1() report.RuleSet {
	return report.RuleSet{
		Name: "remit-2014", Regime: "REMIT", Fields: Fields, File: "xml", Write: write,
		Entity:   "6",
		Source:   "Implementing Regulation (EU) No 1348/2014, Annex, Table 1; " + schema,
		From:     firstDay,
		Messages: messages, CatchUp: catchUp, Standing: standing, Scope: scope,
		Deadline: deadline,
		ScopeSource: "Regulation (EU) No 1227/2011 (REMIT), article 2(4), and Implementing " +
			"Regulation (EU) No 1348/2014, article 3 (unverified)",
		DeadlineSource: "Implementing Regulation (EU) No 1348/2014, article 7 (second-hand); " +
			"corrections are unverified",
	}
}

// Recast is the draft of the rule set of Implementing Regulation (EU) 2026/256, in force since
// 29 April 2026. Its annex could not be read, so it has the fields and the mapping of Table1, each
// of them unverified. Only its deadlines differ, as second-hand sources tell them.
func Recast() report.RuleSet {
	s := Table1()
	s.Name, s.From, s.Draft = "remit-2026", recastDay, true
	s.Source = "Implementing Regulation (EU) 2026/256, whose annex was not read; " + s.Source
	s.Fields = slices.Clone(s.Fields)
	for i := range s.Fields {
		s.Fields[i].Unverified = true
	}
	s.Deadline = recastDeadline
	s.ScopeSource = "Regulation (EU) No 1227/2011 (REMIT), article 2(4), and Implementing " +
		"Regulation (EU) 2026/256 (unverified)"
	s.DeadlineSource = "Implementing Regulation (EU) 2026/256, its article on time limits " +
		"(second-hand, unverified): 2 business days, or 10 of a non-standard contract"
	return s
}

var recastDay = trade.DayOf(time.Date(2026, time.April, 29, 0, 0, 0, 0, time.UTC))

// recastDeadline returns two business days for a standard contract, and ten for any other one. The
// deadlines of 1348/2014 remain for what happened before 29 April 2026 (second-hand: the FAQ of an
// RRM about ACER's open letter).
func recastDeadline(in report.Input) report.Deadline {
	zone := in.Reference.Calendar("TARGET").Zone
	switch {
	case trade.DayOf(in.Message.DueFrom().In(zone)) < recastDay:
		return deadline(in)
	case in.Product("remit").Text == "non-standard":
		return report.Deadline{Days: 10, Calendar: "TARGET"}
	}
	return report.Deadline{Days: 2, Calendar: "TARGET"}
}

// firstDay is 7 October 2015 (1348/2014, article 12).
var firstDay = trade.DayOf(time.Date(2015, time.October, 7, 0, 0, 0, 0, time.UTC))

// A record is one change of a contract, as the repository knows it.
type record struct {
	Type     string // N, M or C
	Step     report.Step
	State    trade.Trade   // as the record shows the contract
	Quantity trade.Decimal // agreed; that of C is the quantity before the end
}

// withdrawn is the type of a message that withdraws a record. All its other fields are those of the
// record.
const withdrawn = "E"

func messages(actions []report.Action) (all []report.Message) {
	var line report.Timeline
	var sent []record
	for _, a := range actions {
		want := recordsOf(line.Take(a))
		all = append(all, between(a, sent, want)...)
		sent = want
	}
	return all
}

// catchUp returns the messages from the records that were accepted and not withdrawn to those after
// the last action.
func catchUp(actions []report.Action, _ int, accepted []report.Message) []report.Message {
	var line report.Timeline
	var sent, want []record
	for _, m := range standing(accepted) {
		sent = append(sent, m.Extra.(record))
	}
	for _, a := range actions {
		want = recordsOf(line.Take(a))
	}
	return between(actions[len(actions)-1], sent, want)
}

// standing returns the records that no E has withdrawn.
func standing(all []report.Message) (left []report.Message) {
	for _, m := range all {
		if m.Type != withdrawn {
			left = append(left, m)
		} else if n := len(left); n > 0 {
			left = left[:n-1]
		}
	}
	return left
}

// between returns the messages of an action that withdraw records, and send others.
func between(a report.Action, sent, want []record) (all []report.Message) {
	same := shared(sent, want)
	send := func(typ string, r record) {
		all = append(all, report.Message{Action: a, N: len(all) + 1, Type: typ, State: r.State,
			Extra: r, As: r.Step.Slot.Event.EffectiveAt.UTC()})
	}
	for _, r := range slices.Backward(sent[same:]) {
		send(withdrawn, r)
	}
	for _, r := range want[same:] {
		send(r.Type, r)
	}
	return all
}

// recordsOf returns the records that a contract with these steps has. A void leaves none.
func recordsOf(steps []report.Step) (all []record) {
	for _, s := range steps {
		if s.After.Status == trade.Voided {
			return nil
		}
		switch r := (record{typeOf(s), s, s.After, agreed(s.After)}); r.Type {
		case "C":
			r.Quantity = agreed(s.Before)
			all = append(all, r)
		case "N", "M":
			all = append(all, r)
		}
	}
	return all
}

// typeOf returns the type of a step's record, or "" for a step that is not reported. An amendment
// to the quantity that was taken out already ends the contract, too.
func typeOf(s report.Step) string {
	switch b := s.Slot.Event.Body.(type) {
	case trade.New:
		return "N"
	case trade.Cancel, trade.Novate:
		if q, _ := trade.Reduction(b); q.Value.IsZero() { // a correction says: it did not happen
			return ""
		}
	case trade.Amend:
	default:
		return ""
	}
	if s.After.Status == trade.Terminated || s.After.Status == trade.Novated {
		return "C"
	}
	return "M"
}

// agreed returns the quantity of a contract that the parties still want or have had: neither a
// delivery nor an exercise lowers it.
func agreed(t trade.Trade) trade.Decimal { return t.Contracted.Sub(t.Terminated).Sub(t.Novated) }

// shared returns the number of records that two lists have in common from the beginning.
func shared(a, b []record) (n int) {
	for n < len(a) && n < len(b) && a[n].content() == b[n].content() {
		n++
	}
	return n
}

// content names all that the fields of a record are computed from.
func (r record) content() string {
	return fmt.Sprint(r.Type, r.Step.Slot.Root, r.Step.Slot.Event.EffectiveAt.UnixMicro(), " ",
		r.State.Price, " ", r.Quantity, " ", report.Identity(r.State))
}

// scope keeps out contracts for other goods than electricity and gas, and those for which the
// reference data says so: for delivery outside the Union, or reported under EMIR already.
func scope(in report.Input) report.Value {
	if in.Message.State.Terms.Instrument.Commodity == trade.Oil {
		return report.Text("oil is no wholesale energy product (REMIT, article 2(4))")
	}
	v := in.Product("remit")
	if v.Gap != nil || v.Text == "out" {
		return v
	}
	return report.Value{}
}

// deadline returns one business day for a standard contract, and a month for any other one
// (1348/2014, article 7).
func deadline(in report.Input) report.Deadline {
	if in.Product("remit").Text == "non-standard" {
		return report.Deadline{Months: 1, Calendar: "TARGET"}
	}
	return report.Deadline{Days: 1, Calendar: "TARGET"}
}
