// Package records lists the records of orders and decisions to deal that a firm keeps: one line for
// each event of a contract, in the order of entry, with the times, the people, the decision and the
// content. Every field comes from the event itself. A correction stands beside the event that it
// replaces, and shows the content before it.
package records

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/google/uuid"

	"example.com/blotter/capstone/report"
	"example.com/blotter/labs/kit/trade"
)

// RuleSets returns the versions of the rules, oldest first.
func RuleSets() []report.RuleSet { return []report.RuleSet{Kept()} }

// Kept is the rule set in force since MiFID II applies, 3 January 2018. It also serves the daily
// trading records of swap dealers.
func Kept() report.RuleSet {
	return report.RuleSet{
		Name: "records-2018", Regime: "RECORDS", Fields: Fields, File: "csv",
		Source: "Delegated Regulation (EU) 2017/565, article 72; 17 CFR 23.202 and 45.2",
		From:   trade.DayOf(time.Date(2018, time.January, 3, 0, 0, 0, 0, time.UTC)),
		Write: func(w io.Writer, _ report.Header) report.Writer {
			return report.CSV(w, Fields)
		},
		Messages:    messages,
		Scope:       func(report.Input) report.Value { return report.Value{} },
		Deadline:    func(report.Input) report.Deadline { return report.Deadline{} },
		ScopeSource: "Delegated Regulation (EU) 2017/565, article 72(1)",
		DeadlineSource: "Delegated Regulation (EU) 2017/565, article 72(1), has none: the end of " +
			"the day is a rule of this project",
		Kept: true,
	}
}

// messages returns one message for each action: settlements, corrections and voids, too.
func messages(actions []report.Action) (all []report.Message) {
	for _, a := range actions {
		all = append(all, report.Message{Action: a, N: 1, Type: string(a.Kind), State: a.After})
	}
	return all
}

// The passages. Article 72 was read in a copy of the Official Journal's text, and 17 CFR 23.202(a)
// in a summary only. Annex I of 2017/565, the minimum list of records, could not be read.
const (
	article72 = "2017/565 Art. 72(1)"
	dealers   = "17 CFR 23.202(a)(2)"
	own       = "of this project"
)

// Fields is the table of columns. The numbers are ours.
var Fields = []report.Field{
	{Number: "1", Name: "Order of entry", Format: "number within the contract", Source: article72,
		Rule: of(func(a report.Action) string { return fmt.Sprint(a.Event.Version) })},
	{Number: "2", Name: "UTI", Format: "52 characters", Source: dealers, Unverified: true,
		Rule: of(func(a report.Action) string { return a.UTI })},
	{Number: "3", Name: "Event", Format: "kind; of a correction also the corrected kind",
		Source: article72, Rule: of(kind)},
	{Number: "4", Name: "Execution time", Format: stampForm, Source: dealers, Unverified: true,
		Rule: of(func(a report.Action) string { return stamp(a.ExecutedAt) })},
	{Number: "5", Name: "Effective time", Format: stampForm, Source: article72,
		Rule: of(func(a report.Action) string { return stamp(a.Event.EffectiveAt) })},
	{Number: "6", Name: "Entry time", Format: stampForm, Source: article72,
		Rule: of(func(a report.Action) string { return stamp(a.Event.EnteredAt) })},
	{Number: "7", Name: "Time of record", Format: stampForm, Source: article72,
		Rule: of(func(a report.Action) string { return stamp(a.Event.RecordedAt) })},
	{Number: "8", Name: "Trader", Format: "principal", Source: dealers, Unverified: true,
		Rule: of(func(a report.Action) string { return a.After.Trader })},
	{Number: "9", Name: "Entered by", Format: "principal", Source: article72,
		Rule: of(func(a report.Action) string { return a.Event.Actor })},
	{Number: "10", Name: "Approved by", Format: "principal; blank if no rule asks for one",
		Source: article72, Rule: entry(func(e report.Entry) string { return e.Approver })},
	{Number: "11", Name: "Reason", Format: "text", Source: article72,
		Rule: entry(func(e report.Entry) string { return e.Reason })},
	{Number: "12", Name: "Command", Format: "id", Source: own,
		Rule: entry(func(e report.Entry) string { return e.CommandID })},
	{Number: "13", Name: "Source", Format: "file:line or client", Source: own,
		Rule: entry(source)},
	{Number: "14", Name: "Event id", Format: "UUID", Source: own,
		Rule: of(func(a report.Action) string { return a.Event.ID.String() })},
	{Number: "15", Name: "Replaces", Format: "UUID of the corrected event", Source: article72,
		Rule: of(replaced)},
	{Number: "16", Name: "Content", Format: "what the event says", Source: article72,
		Rule: of(func(a report.Action) string { return said(a.Event.Body) })},
	{Number: "17", Name: "Replaced content", Format: "effective time and content of the replaced " +
		"event", Source: article72, Rule: of(replacedContent)},
	{Number: "18", Name: "Contract after", Format: "status quantity@price", Source: article72,
		Rule: of(func(a report.Action) string { return shown(a.After) })},
	{Number: "19", Name: "Open quantity", Format: "number", Source: own,
		Rule: of(func(a report.Action) string { return a.After.Open.String() })},
	{Number: "20", Name: "Book", Format: "name", Source: own,
		Rule: of(func(a report.Action) string { return a.After.Book })},
	{Number: "21", Name: "Counterparty", Format: "name", Source: dealers, Unverified: true,
		Rule: of(func(a report.Action) string { return a.After.Counterparty })},
	{Number: "22", Name: "Side", Format: "buy or sell", Source: dealers, Unverified: true,
		Rule: of(func(a report.Action) string { return string(a.After.Side) })},
	{Number: "23", Name: "Instrument", Format: "name", Source: dealers, Unverified: true,
		Rule: of(func(a report.Action) string { return a.After.Instrument })},
	{Number: "24", Name: "Unit", Format: "MWh, MMBtu or bbl", Source: own,
		Rule: of(func(a report.Action) string { return string(a.After.Unit) })},
	{Number: "25", Name: "Currency", Format: "ISO 4217", Source: own,
		Rule: of(func(a report.Action) string { return string(a.After.Currency) })},
}

const stampForm = "UTC, to the microsecond"

// of is the rule that the action alone decides.
func of(text func(report.Action) string) func(report.Input) report.Value {
	return func(in report.Input) report.Value { return report.Text(text(in.Message.Action)) }
}

// entry is the rule that the envelope of the event decides. Without an envelope it is a gap.
func entry(text func(report.Entry) string) func(report.Input) report.Value {
	return func(in report.Input) report.Value {
		if in.Event.CommandID == "" {
			return report.Value{Gap: &report.Gap{Kind: "event",
				Key: in.Message.Action.Event.ID.String(), Attribute: "envelope"}}
		}
		return report.Text(text(in.Event))
	}
}

func kind(a report.Action) string {
	if a.Kind == report.Correction {
		return fmt.Sprintf("correction of %s", a.Of)
	}
	return string(a.Kind)
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000000Z") }

func source(e report.Entry) string {
	if e.SourceLine == 0 {
		return e.Source
	}
	return fmt.Sprintf("%s:%d", e.Source, e.SourceLine)
}

func replaced(a report.Action) string {
	if a.Event.Corrects == uuid.Nil {
		return ""
	}
	return a.Event.Corrects.String()
}

// replacedContent returns what a correction replaces: the content before it stays visible.
func replacedContent(a report.Action) string {
	if a.Replaced == nil {
		return ""
	}
	return stamp(a.Replaced.EffectiveAt) + " " + said(a.Replaced.Body)
}

func shown(t trade.Trade) string {
	return fmt.Sprintf("%s %s@%s", t.Status, t.Contracted, t.Price)
}

// said returns the main facts of a body that are no columns of their own.
func said(b trade.Body) string {
	switch b := b.(type) {
	case trade.New:
		return fmt.Sprintf("%s %s@%s fee %s", b.Side, b.Quantity, b.Price, b.Fee)
	case trade.Amend:
		return amended(b)
	case trade.Cancel:
		if b.Kind == trade.Void {
			return b.Kind
		}
		return fmt.Sprintf("%s %s fee %s", b.Kind, b.Quantity, b.Fee)
	case trade.Novate:
		return fmt.Sprintf("%s %s to %s as %s fee %s", b.Role, b.Quantity, b.Incoming, b.NewUTI,
			b.Fee)
	case trade.Settle:
		return fmt.Sprintf("%s@%s", b.Quantity, b.Price)
	case trade.Exercise:
		return strings.TrimSuffix(fmt.Sprintf("%s %s at %s as %s", b.Settlement, b.Quantity,
			b.UnderlyingPrice, b.NewUTI), " as ")
	}
	return fmt.Sprintf("%T", b)
}

func amended(a trade.Amend) string {
	var parts []string
	if !a.Quantity.IsZero() {
		parts = append(parts, "quantity "+a.Quantity.String())
	}
	if a.Price != nil {
		parts = append(parts, "price "+a.Price.String())
	}
	if a.Trader != "" {
		parts = append(parts, "trader "+a.Trader)
	}
	if a.Counterparty != "" {
		parts = append(parts, "counterparty "+a.Counterparty)
	}
	return strings.Join(parts, ", ")
}
