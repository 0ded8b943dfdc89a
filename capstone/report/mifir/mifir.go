// Package mifir reports transactions in commodity derivatives under MiFIR, article 26: the fields
// of RTS 22 (Delegated Regulation (EU) 2017/590, Annex I, Table 2), as ISO 20022 auth.016.
//
//	event                                    reports
//	NEW                                      NEWT
//	AMEND amendment of the quantity          NEWT of the difference, field 32 INCR or DECR
//	AMEND amendment of the price             CANC, and NEWT with the new price
//	AMEND update                             none: the decision was that of the first trader
//	AMEND correction                         CANC of each report that is wrong, and NEWT again
//	CANCEL void                              CANC of each report
//	CANCEL terminate, in part or in full     NEWT of the quantity, field 32 DECR
//	NOVATE, and the contract that results    none (article 2(5)(e))
//	EXERCISE, and the contract that results  none (article 2(5)(h))
//	SETTLE, expiry                           none (article 2(5)(b) and (i))
//
// A contract is in scope if the reference data says that its instrument or its underlying is traded
// on a venue (article 26(2)), and that the book is one of an investment firm. A correction that
// takes a contract out of scope leaves only the CANC.
//
// The regulation does not say how the price of a contract is amended; CANC and NEWT is a rule of
// this project.
package mifir

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"example.com/blotter/capstone/report"
	"example.com/blotter/labs/kit/trade"
)

// RuleSets returns the versions of the rules, oldest first.
func RuleSets() []report.RuleSet { return []report.RuleSet{RTS22()} }

// RTS22 is the rule set in force since MiFIR applies.
func RTS22() report.RuleSet {
	return report.RuleSet{
		Name: "mifir-rts22", Regime: "MIFIR", Fields: Fields, File: "xml", Write: write,
		Source:   "Delegated Regulation (EU) 2017/590, Annex I, Table 2; ISO 20022 auth.016.001.01",
		From:     firstDay,
		Messages: messages, CatchUp: catchUp, Standing: standing, Key: "2", Scope: scope,
		Deadline: deadline,
		ScopeSource: "Regulation (EU) No 600/2014 (MiFIR), article 26(2); investment firms, " +
			"article 26(1), are unverified",
		DeadlineSource: "Regulation (EU) No 600/2014 (MiFIR), article 26(1) (unverified)",
	}
}

// firstDay is 3 January 2018 (Directive (EU) 2016/1034, article 1; Regulation (EU) 2016/1033).
var firstDay = trade.DayOf(time.Date(2018, time.January, 3, 0, 0, 0, 0, time.UTC))

// The two types of message.
const (
	newTransaction = "NEWT"
	cancellation   = "CANC"
)

// A transaction is one acquisition or disposal, or one change of a notional.
type transaction struct {
	slot     uuid.UUID // the first event of the slot that it comes from
	At       time.Time // when it was agreed
	State    trade.Trade
	Quantity trade.Decimal
	Price    trade.Decimal
	Change   string // field 32: INCR, DECR or empty
	// Reference is field 2, the transaction reference number. Each report has its own.
	Reference string
	content   string // all that the other fields are computed from
}

func messages(actions []report.Action) (all []report.Message) {
	var l ledger
	for _, a := range actions {
		sent := l.sent
		l.take(a)
		all = append(all, between(a, sent, l.sent)...)
	}
	return all
}

// catchUp returns the messages from the transactions that were accepted and not cancelled to those
// after the last action.
func catchUp(actions []report.Action, _ int, accepted []report.Message) []report.Message {
	var l ledger
	var sent []transaction
	for _, m := range standing(accepted) {
		sent = append(sent, m.Extra.(transaction))
	}
	for _, a := range actions {
		l.take(a)
	}
	return between(actions[len(actions)-1], sent, l.sent)
}

// standing returns the reports that are not cancelled.
func standing(all []report.Message) (left []report.Message) {
	for _, m := range all {
		if m.Type == newTransaction {
			left = append(left, m)
			continue
		}
		left = slices.DeleteFunc(left, func(o report.Message) bool {
			return o.Extra.(transaction).Reference == m.Extra.(transaction).Reference
		})
	}
	return left
}

// A ledger has the transactions of a contract after an action, with their reference numbers.
type ledger struct {
	line  report.Timeline
	sent  []transaction
	times map[uuid.UUID]int // how often the transaction of a slot was sent
}

func (l *ledger) take(a report.Action) {
	if l.times == nil {
		l.times = map[uuid.UUID]int{}
	}
	want := transactionsOf(l.line.Take(a), a.Cause)
	for i, t := range want {
		if j := t.in(l.sent); j >= 0 {
			want[i] = l.sent[j]
			continue
		}
		l.times[t.slot]++
		want[i].Reference = reference(t.slot, l.times[t.slot])
	}
	l.sent = want
}

// between returns the messages of an action that cancel transactions, and report others. A
// transaction that returns has another reference number.
func between(a report.Action, sent, want []transaction) (all []report.Message) {
	send := func(typ string, t transaction) {
		all = append(all, report.Message{Action: a, N: len(all) + 1, Type: typ, State: t.State,
			Extra: t, As: t.At})
	}
	same := func(t transaction) func(transaction) bool {
		return func(o transaction) bool { return o.Reference == t.Reference }
	}
	for _, t := range sent {
		if !slices.ContainsFunc(want, same(t)) {
			send(cancellation, t)
		}
	}
	for _, t := range want {
		if !slices.ContainsFunc(sent, same(t)) {
			send(newTransaction, t)
		}
	}
	return all
}

// reference returns the number of the n-th report about a slot: the id of its first event, and n.
func reference(slot uuid.UUID, n int) string {
	return fmt.Sprintf("%sR%d", strings.ToUpper(strings.ReplaceAll(slot.String(), "-", "")), n)
}

// in returns the index of the same transaction in a list, or -1. Its reference number is not
// compared.
func (t transaction) in(all []transaction) int {
	return slices.IndexFunc(all, func(o transaction) bool { return o.content == t.content })
}

// describe returns the content of a transaction.
func (t transaction) describe() string {
	return fmt.Sprint(t.slot, t.At.UnixMicro(), " ", t.Quantity, " ", t.Price, t.Change,
		report.Identity(t.State))
}

// transactionsOf returns the transactions of a contract with these steps. A void leaves none. A
// contract that began from another one did not begin by a transaction.
func transactionsOf(steps []report.Step, cause report.Kind) (all []transaction) {
	for _, s := range steps {
		t := transaction{slot: s.Slot.Root, At: s.Slot.Event.EffectiveAt.UTC(), State: s.After,
			Price: s.After.Price}
		switch b := s.Slot.Event.Body.(type) {
		case trade.New:
			if t.Quantity = b.Quantity.Value; cause != "" {
				t.Quantity = trade.Decimal{}
			}
		case trade.Amend:
			repriced(all, s)
			t.Quantity, t.Change = difference(s)
		case trade.Cancel:
			if b.Kind == trade.Void {
				return nil
			}
			t.Quantity, t.Change = b.Quantity.Value, "DECR"
		}
		if !t.Quantity.IsZero() {
			all = append(all, t)
		}
	}
	for i, t := range all {
		all[i].content = t.describe()
	}
	return all
}

// repriced sets the price of an amendment in the transactions that it reprices. Quantity that has
// left the contract keeps its price.
func repriced(all []transaction, s report.Step) {
	if s.Before.Price.Equal(s.After.Price) {
		return
	}
	for i := range all {
		if all[i].Change != "DECR" {
			all[i].Price = s.After.Price
		}
	}
}

// difference returns the change of the contracted quantity in a step, and its direction.
func difference(s report.Step) (trade.Decimal, string) {
	more := s.After.Contracted.Sub(s.Before.Contracted)
	switch more.Sign() {
	case 1:
		return more, "INCR"
	case -1:
		return more.Neg(), "DECR"
	}
	return more, ""
}

func scope(in report.Input) report.Value {
	firm, listed := in.Book("investment_firm"), in.Product("mifir")
	switch {
	case firm.Gap != nil:
		return firm
	case firm.Text == "false":
		return report.Text("the book is not one of an investment firm (article 26(1))")
	case listed.Gap != nil:
		return listed
	case listed.Text == "out":
		return report.Text("neither the instrument nor its underlying is traded on a venue " +
			"(article 26(2))")
	}
	return report.Value{}
}

// deadline is the end of the next working day (MiFIR, article 26(1)).
func deadline(report.Input) report.Deadline {
	return report.Deadline{Days: 1, Calendar: "TARGET"}
}
