package report

import (
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/google/uuid"

	"example.com/blotter/labs/kit/trade"
)

// A Field is one row of a regime's table of fields.
type Field struct {
	Number string // in the regime's table, such as 103 or D2
	Name   string // as the regime spells it; the header of a CSV column
	Format string // such as Num(25,5) or Char(20)
	// Element is the path below the record in an XML report, such as contractInfo/contract. It is
	// empty in a regime that reports CSV.
	Element string
	Source  string // the passage that states the rule
	// Unverified marks a rule whose passage could not be read in an official text. It is not
	// claimed to be right.
	Unverified bool
	Rule       func(Input) Value
}

// An Input is all that a rule may read. It has no clock.
type Input struct {
	Message Message
	// Reference is the reference data as known at Known. Rules read it as of the effective time of
	// the message.
	Reference Reference
	Known     time.Time // as of which the report is made
	// Event has the attributes of the message's event that trade.Event lacks.
	Event Entry
	read  *[]uuid.UUID // takes the ids of the facts that Look finds; nil for nobody
}

// An Entry is the part of an event's envelope that the domain does not read.
type Entry struct {
	CommandID, Approver, Reason, Source string
	SourceLine                          int64
}

// Look returns an attribute of reference data as of the time of the message, or a gap that names
// it; see Message.As.
func (in Input) Look(kind, key, attribute string) Value {
	at := in.Message.As
	if at.IsZero() {
		at = in.Message.At()
	}
	d, ok := in.Reference.find(kind, key, attribute, at)
	if ok && in.read != nil {
		*in.read = append(*in.read, d.id)
	}
	if d.value == "" {
		return Lacks(kind, key, attribute)
	}
	return Value{Text: d.value}
}

// LookOr returns an attribute of reference data, or other if nobody has stated it.
func (in Input) LookOr(kind, key, attribute, other string) string {
	if v := in.Look(kind, key, attribute); v.Gap == nil {
		return v.Text
	}
	return other
}

// Book returns an attribute of our own side: of the book of the contract.
func (in Input) Book(attribute string) Value {
	return in.Look(Book, in.Message.State.Book, attribute)
}

// Party returns an attribute of the counterparty.
func (in Input) Party(attribute string) Value {
	return in.Look(Party, in.Message.State.Counterparty, attribute)
}

// Trader returns an attribute of the trader.
func (in Input) Trader(attribute string) Value {
	return in.Look(Trader, in.Message.State.Trader, attribute)
}

// Product returns an attribute of the instrument: of its own name if it is stated there, else of
// its class. The class of a forward is its curve, such as power/DE-LU/base, and that of an option
// is the curve of the underlying with /option. The gap names the class.
func (in Input) Product(attribute string) Value {
	i := in.Message.State.Terms.Instrument
	if v := in.Look(Product, i.ID(), attribute); v.Gap == nil {
		return v
	}
	return in.Look(Product, ClassOf(i), attribute)
}

// ClassOf returns the key of an instrument's class in the reference data; see Input.Product.
func ClassOf(i trade.Instrument) string {
	if i.Option != nil {
		return i.Underlying().Curve() + "/option"
	}
	return i.Curve()
}

// A Value is the text of one field. A field that stays blank by its rule has no text and no gap.
type Value struct {
	Text string
	Gap  *Gap // the missing data; Text is empty then
}

// Text returns a value without a gap.
func Text(s string) Value { return Value{Text: s} }

// A Gap is an attribute of reference data that a rule needs, and that nobody has stated.
type Gap struct{ Kind, Key, Attribute string }

func (g Gap) String() string { return fmt.Sprintf("%s %s has no %s", g.Kind, g.Key, g.Attribute) }

// Lacks returns a value with a gap.
func Lacks(kind, key, attribute string) Value { return Value{Gap: &Gap{kind, key, attribute}} }

// A Message is one record that a regime wants for an action.
type Message struct {
	Action Action
	N      int    // 1-based among the messages of the action
	Type   string // the regime's word for the action, such as NEWT, N or CANC
	Event  string // the regime's word for its event, such as TRAD; empty if it has none
	// State is the contract as the message shows it. It is Action.After, unless the regime wants
	// the wrong record again, as a cancellation does.
	State trade.Trade
	// Value is the worth of the contract in a valuation; nil in every other message. It has no
	// event on record: its action is the last one before the valuation.
	Value *Worth
	// Extra is for the rules of one regime.
	Extra any
	// As is the time as of which the rules read reference data; At if it is zero. A message that
	// withdraws a record reads it as the record did.
	As time.Time
	// CatchUp names a message of RuleSet.CatchUp, which stands for several actions: the version of
	// the last one, the accepted messages as a path, and the number of the message.
	CatchUp string
}

// A Worth is the value of a contract at a time. Without marks there is no amount.
type Worth struct {
	At     time.Time
	Amount *trade.Decimal // to us
	Marks  []trade.UsedMark
}

// At returns the time of the message in the business: the effective time of its event, or the time
// of the valuation.
func (m Message) At() time.Time {
	if m.Value != nil {
		return m.Value.At
	}
	return m.Action.Event.EffectiveAt.UTC()
}

// DueFrom returns the time from which the deadline of the message runs. A late entry is late: the
// time is that of the business, unless the event corrects or voids, which is known with its entry.
// An event that is agreed before it takes effect is due from its entry.
func (m Message) DueFrom() time.Time {
	if m.Value == nil && (m.Action.Kind == Correction || m.Action.Kind == Void) {
		return m.Action.Event.EnteredAt.UTC()
	}
	if entered := m.Action.Event.EnteredAt; m.Value == nil && !entered.IsZero() &&
		entered.Before(m.At()) {
		return entered.UTC()
	}
	return m.At()
}

// ID names the message within its regime. It is the same whenever the message is derived: its
// contract, the version of its event, and its number.
//
//	UTI-1/3/1            the first message of the event with version 3
//	UTI-1/3/after-0/1        the first message of a catch-up; see CatchUp
//	UTI-1/4/after-0-3+1/1    the same, after the first message of that catch-up was accepted
//	UTI-1/valuation/2025-03-31
func (m Message) ID() string {
	if m.Value != nil {
		return fmt.Sprintf("%s/valuation/%s", m.Action.UTI, trade.DayOf(m.Value.At.UTC()))
	}
	if m.CatchUp != "" {
		return m.Action.UTI + "/" + m.CatchUp
	}
	return fmt.Sprintf("%s/%d/%d", m.Action.UTI, m.Action.Event.Version, m.N)
}

// A RuleSet is one version of the rules of one regime.
type RuleSet struct {
	Name   string    // such as cftc-v3.2; on record, so it never changes
	Regime string    // such as CFTC; all versions share it
	Source string    // of the rules as a whole
	From   trade.Day // the first day on which this version holds
	Fields []Field
	// File is the extension of a report's file, csv or xml, and Write begins such a file.
	File  string
	Write func(io.Writer, Header) Writer
	// Entity is the number of a field that has one value in a file: a report has a file for each of
	// its values. It is empty in a regime whose file may have all rows.
	Entity string
	// Messages returns the messages of all actions of one contract, in the order of actions.
	Messages func([]Action) []Message
	// CatchUp returns the messages that tell a repository of the contract after the last action. It
	// has accepted the given messages: all of the first held actions, and perhaps some of later
	// ones. A regime that wants a message for each event has none.
	CatchUp func(actions []Action, held int, accepted []Message) []Message
	// Standing returns the messages that a repository holds after it has taken the given ones, in
	// order. Without it, a repository holds the last one.
	Standing func([]Message) []Message
	// Key is the number of the field by which a repository names a message; empty for the UTI.
	Key string
	// Crosses says that Messages and CatchUp read a state without a status as out of scope: a
	// change of scope is then a message.
	Crosses bool
	// Valuation is the type of the daily valuation of each live contract; empty for a regime that
	// wants none.
	Valuation string
	// Scope returns "" for a message that is to be reported, or the reason why it is not. Without
	// the data to decide it returns a gap.
	Scope    func(Input) Value
	Deadline func(Input) Deadline
	// ScopeSource and DeadlineSource name the regulation and the article of Scope and Deadline.
	ScopeSource, DeadlineSource string
	// Draft says that the text of the rules could not be read. Such a rule set is only compared
	// with another one: Select finds it by its name alone, and no report of it is put on record.
	Draft bool
	// Kept says that the firm keeps these reports and sends them to nobody. No answer is missing.
	Kept bool
}

// A Deadline is a time after Message.DueFrom, by whose end a message is due: months by the date, or
// business days of a calendar of the reference data. Without a calendar, it ends with a day in UTC.
type Deadline struct {
	Months, Days int
	Calendar     string
}

// after returns the last microsecond of the deadline. The month after a day that it lacks ends with
// its last day, as January 31 and February.
func (d Deadline) after(t time.Time, c trade.Calendar) time.Time {
	if d.Months > 0 {
		t = t.In(c.Zone)
		next := t.AddDate(0, d.Months, 0)
		if next.Day() != t.Day() {
			next = next.AddDate(0, 0, -next.Day())
		}
		t = next
	}
	return c.After(t, d.Days)
}

// A Header is what the file of a report says about all of its rows.
type Header struct {
	Reference Reference
	Known     time.Time // as of which the report is made
}

// A Writer writes the file of a report, row by row. No byte of the file depends on anything else
// than the header and the rows.
type Writer interface {
	Row(Row) error
	Close() error // writes the end of the file; the caller closes the file itself
}

// InForce returns the rule set of a regime that holds on a day: the latest that began by then, and
// that is no draft.
func InForce(sets []RuleSet, regime string, day trade.Day) (RuleSet, bool) {
	var best RuleSet
	found := false
	for _, s := range sets {
		if s.Regime == regime && !s.Draft && s.From <= day && (!found || s.From > best.From) {
			best, found = s, true
		}
	}
	return best, found
}

// Select returns the rule set with a name, such as cftc-v3.2, or the one of a regime, such as CFTC,
// that holds on a day.
func Select(sets []RuleSet, name string, day trade.Day) (RuleSet, bool) {
	for _, s := range sets {
		if s.Name == name {
			return s, true
		}
	}
	return InForce(sets, name, day)
}

// key returns the text by which a repository names the message.
func (s RuleSet) key(in Input) string {
	for _, f := range s.Fields {
		if f.Number == s.Key && s.Key != "" {
			return f.Rule(in).Text
		}
	}
	return in.Message.Action.UTI
}

// A Row is a message with the texts of its fields, in the order of RuleSet.Fields.
type Row struct {
	Message Message
	Entry   Entry // the envelope of the message's event
	Texts   []string
}

// Text returns the text of the field with a number. It panics for a number that the set lacks.
func (s RuleSet) Text(r Row, number string) string {
	i := slices.IndexFunc(s.Fields, func(f Field) bool { return f.Number == number })
	if i < 0 {
		panic("report: " + s.Name + " has no field " + number)
	}
	return r.Texts[i]
}

// An Exception is a field that cannot be filled. The row is not reported until the data is there.
type Exception struct {
	Message string    `json:"message"` // Message.ID
	UTI     string    `json:"uti"`
	Field   string    `json:"field"` // its number; empty if the scope is not known
	Name    string    `json:"name"`
	Missing string    `json:"missing"`
	Owner   string    `json:"owner"`
	Due     time.Time `json:"due"`
}

// Row fills the fields of a message. ok is false where data is missing; the exceptions name all of
// it, in the order of fields. The calendar of the deadline is last.
func (s RuleSet) Row(in Input) (r Row, missing []Exception, ok bool) {
	r = Row{Message: in.Message, Entry: in.Event, Texts: make([]string, len(s.Fields))}
	for i, f := range s.Fields {
		v := f.Rule(in)
		if r.Texts[i] = v.Text; v.Gap != nil {
			missing = append(missing, s.exception(in, f, *v.Gap))
		}
	}
	if d := s.Deadline(in); d.Calendar != "" {
		if v := in.Look(Calendar, d.Calendar, "zone"); v.Gap != nil {
			missing = append(missing, s.exception(in, Field{Name: "deadline"}, *v.Gap))
		}
	}
	return r, missing, len(missing) == 0
}

func (s RuleSet) exception(in Input, f Field, g Gap) Exception {
	return Exception{
		Message: in.Message.ID(), UTI: in.Message.Action.UTI, Field: f.Number, Name: f.Name,
		Missing: g.String(), Owner: owner(g.Kind), Due: s.Due(in),
	}
}

// InScope reports whether a message is to be reported. If not, why has the reason. Where the data
// to decide is missing, the message counts as in scope, and missing is the exception.
func (s RuleSet) InScope(in Input) (yes bool, why string, missing *Exception) {
	v := s.Scope(in)
	if v.Gap != nil {
		e := s.exception(in, Field{Name: "scope"}, *v.Gap)
		return true, "", &e
	}
	return v.Text == "", v.Text, nil
}

// Due returns the last instant at which the message is in time: the end of the last day of its
// deadline, in the zone of the calendar. Row has an exception for a calendar that nobody has
// stated.
func (s RuleSet) Due(in Input) time.Time {
	d := s.Deadline(in)
	return d.after(in.Message.DueFrom(), in.Reference.Calendar(d.Calendar))
}
