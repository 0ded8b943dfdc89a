// Package cftc reports swaps under Parts 43 and 45 of the CFTC's regulations (17 CFR), in the form
// of the CFTC Technical Specification, Parts 43 and 45, version 3.2 of 1 March 2023.
package cftc

import (
	"slices"

	"example.com/blotter/capstone/report"
	"example.com/blotter/labs/kit/trade"
)

// Action types of field 26, and event types of field 27, that this record leads to.
const (
	New, Modify, Correct, Err, Terminate, Revive, Value = "NEWT", "MODI", "CORR", "EROR", "TERM",
		"REVI", "VALU"

	Trade, Novation, EarlyTermination, Exercise = "TRAD", "NOVA", "ETRM", "EXER"
)

// detail is Message.Extra: field 28.
type detail struct{ amendment string }

// Messages maps the actions of one contract (appendix F, "Events: valid action type and event type
// combinations"):
//
//	NEW                              NEWT-TRAD
//	  that continues a novated one   NEWT-NOVA, with the prior UTI
//	  that continues an option       NEWT-EXER, with the prior UTI
//	AMEND amendment                  MODI-TRAD, amendment indicator True
//	AMEND update                     MODI-TRAD, amendment indicator False
//	CANCEL terminate, in part        MODI-TRAD, amendment indicator True
//	CANCEL terminate, in full        TERM-ETRM
//	NOVATE, in part / in full        MODI-NOVA, True / TERM-NOVA
//	EXERCISE, in part / in full      MODI-EXER, False / TERM-EXER
//	SETTLE, and its correction       nothing: a contract that is fulfilled matures
//	CANCEL void                      EROR
//	a correction                     CORR
//	  out of scope / into it         EROR / NEWT, or REVI after an EROR
//
// An event that ends the contract is a TERM, whatever its kind: a repository closes a swap by
// nothing else. An event after which an ended contract is open again is a REVI, followed by the
// MODI of an amendment that belongs before the end.
func Messages(actions []report.Action) []report.Message { return messages(actions, false) }

// messages maps actions. errored says that a repository holds the swap as an error before them.
func messages(actions []report.Action, errored bool) (all []report.Message) {
	for _, a := range actions {
		n := 0
		add := func(typ, event, amendment string, state trade.Trade) {
			n++
			all = append(all, report.Message{Action: a, N: n, Type: typ, Event: event,
				State: state, Extra: detail{amendment}})
		}
		switch before, after := ended(a.Before), ended(a.After); {
		case !exists(a.Before) && !exists(a.After):
		case !exists(a.Before):
			if errored {
				add(Revive, "", "", a.After)
			} else {
				add(New, began(a), "", a.After)
			}
			if after {
				add(Terminate, ending(a.After.Status), "", a.After)
			}
		case !exists(a.After):
			add(Err, "", "", a.Before)
			errored = true
		case !before && after:
			add(Terminate, ending(a.After.Status), "", a.Before)
		case before && !after:
			add(Revive, "", "", a.After)
			if a.Kind == report.Amendment {
				add(Modify, Trade, "True", a.After)
			}
		case a.Kind == report.Correction && !a.OnlySettles():
			add(Correct, "", "", a.After)
		default:
			if event, amendment, ok := modification(a.Kind); ok {
				add(Modify, event, amendment, a.After)
			}
		}
	}
	return all
}

// catchUp tells a repository of all that it has not accepted, as one correction. The end of a
// contract remains a termination of the contract as it was before.
func catchUp(actions []report.Action, held int, accepted []report.Message) []report.Message {
	return tell(actions, held, accepted, func(to int) report.Action {
		return corrected(actions[to])
	})
}

// publicCatchUp disseminates newly agreed terms as a modification: part 43 is about events, and a
// correction says that an earlier message was wrong. The message is that of the last agreement
// which the public does not know, with the contract as it is now.
func publicCatchUp(
	actions []report.Action, held int, accepted []report.Message,
) []report.Message {
	from := int64(0) // the version of the last event that was disseminated
	for _, m := range accepted {
		if Disseminated(m) {
			from = max(from, m.Action.Event.Version)
		}
	}
	return tell(actions, held, accepted, func(to int) report.Action {
		for _, a := range slices.Backward(actions[held : to+1]) {
			_, amendment, _ := modification(a.Kind)
			if amendment == "True" && a.Event.Version > from && !ended(a.After) {
				a.After = actions[to].After
				return a
			}
		}
		return corrected(actions[to])
	})
}

// corrected returns an action as a correction.
func corrected(a report.Action) report.Action {
	a.Kind, a.Of = report.Correction, report.Correction
	return a
}

// tell returns the messages of a catch-up. restated is the action that tells of the contract after
// an action.
func tell(
	actions []report.Action, held int, accepted []report.Message,
	restated func(to int) report.Action,
) []report.Message {
	now, errored := position(actions[0].UTI, accepted)
	end := len(actions) // the index of the action that ended the contract
	for end > held && ended(actions[end-1].After) {
		end--
	}
	var steps []report.Action
	step := func(a report.Action) {
		a.Before = now
		steps, now = append(steps, a), a.After
	}
	if end < len(actions) && !ended(now) && end > 0 {
		if end > held {
			step(restated(end - 1))
		}
		step(actions[end])
		end++
	}
	if end < len(actions) || len(steps) == 0 {
		step(restated(len(actions) - 1))
	}
	return messages(steps, errored)
}

// position returns the contract as a repository holds it after the messages that it has accepted,
// and reports whether it has held the contract as an error.
func position(uti string, accepted []report.Message) (t trade.Trade, errored bool) {
	over := false
	for _, m := range accepted {
		switch t = m.State; m.Type {
		case Err:
			t, errored = trade.Trade{}, true
		case Terminate:
			over = true
		case New, Revive:
			over = false
		}
		switch {
		case over && exists(t):
			t.Status = trade.Terminated
		case ended(t):
			t.Status = trade.Live
		}
	}
	t.UTI = uti
	return t, errored
}

// exists reports whether a repository is to hold the contract: it is in scope, and not voided.
func exists(t trade.Trade) bool { return t.Status != "" && t.Status != trade.Voided }

// ended reports whether a repository holds the contract as terminated. A settled contract matured.
func ended(t trade.Trade) bool {
	return t.Status == trade.Terminated || t.Status == trade.Novated || t.Status == trade.Exercised
}

func began(a report.Action) string {
	switch a.Cause {
	case report.Novation:
		return Novation
	case report.Exercise:
		return Exercise
	}
	return Trade
}

func ending(s trade.Status) string {
	switch s {
	case trade.Novated:
		return Novation
	case trade.Exercised:
		return Exercise
	}
	return EarlyTermination
}

// modification returns the event type and the amendment indicator of an event that leaves the
// contract open. ok is false for a settlement.
func modification(k report.Kind) (event, amendment string, ok bool) {
	switch k {
	case report.Amendment, report.Termination:
		return Trade, "True", true
	case report.Update:
		return Trade, "False", true
	case report.Novation:
		return Novation, "True", true
	case report.Exercise:
		return Exercise, "False", true
	}
	return "", "", false
}

// Disseminated reports whether Part 43 wants the message, too: a modification without newly agreed
// terms, an exercise in part and a valuation are for Part 45 only (appendix F, table 7).
func Disseminated(m report.Message) bool {
	d, _ := m.Extra.(detail)
	return m.Type != Value && (m.Type != Modify || d.amendment == "True" && m.Event != Exercise)
}
