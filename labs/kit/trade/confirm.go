package trade

import (
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
)

// The parties of a contract confirm its terms to each other: one party sends a document, the other
// party agrees or names the terms that differ. A confirmation is about a contract and changes
// nothing in it. So its events have a stream of their own, beside that of the contract, and are no
// part of the state. A confirmation may come after a void, too, when the stream of the contract has
// ended.

// The kinds of Confirm.
const (
	Sent     = "sent"     // the document went to the counterparty
	Matched  = "matched"  // both parties state the same terms
	Disputed = "disputed" // the counterparty states other terms
)

// Confirm reports a step of the confirmation of a contract.
type Confirm struct {
	Kind        string
	Event       uuid.UUID    // the document states the terms after this event of the contract
	Version     int64        // of that event; Decide sets it
	Reference   string       // of the document
	Method      string       // how it went out, such as swift; sent only
	Differences []Difference // disputed only
}

// A Difference is a term for which the counterparty states another value.
type Difference struct {
	Term   string `json:"term"`   // one of ConfirmedTerms
	Theirs string `json:"theirs"` // the value of the counterparty, as it wrote it
}

func (Confirm) body()             {}
func (c Confirm) variant() string { return c.Kind }

// ConfirmedTerms returns the names of the terms that a counterparty confirms. The quantity is the
// contracted one. A settlement and an exercise follow from the contract, and are not confirmed.
func ConfirmedTerms() []string {
	return []string{"counterparty", "side", "instrument", "quantity", "price", "currency",
		"terminated", "novated"}
}

// confirmedTerms returns the values of ConfirmedTerms. A contract that does not exist has none.
func (t Trade) confirmedTerms() []string {
	if t.Status == "" || t.Status == Voided {
		return nil
	}
	return []string{t.Counterparty, string(t.Side), t.Instrument, t.Contracted.String(),
		t.Price.String(), string(t.Currency), t.Terminated.String(), t.Novated.String()}
}

func (c Confirm) check() *Refusal {
	switch {
	case c.Kind != Sent && c.Kind != Matched && c.Kind != Disputed:
		return refuse(BadTerms, "kind of confirmation %q: want sent, matched or disputed", c.Kind)
	case (c.Kind == Sent) != (c.Method != ""):
		return refuse(BadTerms, "a confirmation names its method when it is sent, and only then")
	case (c.Kind == Disputed) != (len(c.Differences) > 0):
		return refuse(BadTerms, "a disputed confirmation names the terms that differ, and no "+
			"other does")
	}
	if c.Kind == Sent {
		if r := References.check("method", c.Method); r != nil {
			return r
		}
	}
	for _, d := range c.Differences {
		if !slices.Contains(ConfirmedTerms(), d.Term) {
			return refuse(BadTerms, "term %q: want one of %s", d.Term,
				strings.Join(ConfirmedTerms(), ", "))
		}
		if r := checkText("the counterparty's "+d.Term, d.Theirs); r != nil {
			return r
		}
	}
	return References.check("reference", c.Reference)
}

// decideConfirm checks a confirmation against the contract that it is about. It changes no
// contract, so no other event becomes illegal.
func decideConfirm(streams map[string][]Event, cmd Command) (Decision, *Refusal) {
	history := streams[cmd.Stream()]
	line, _, r := unparked(cmd.Stream(), history)
	if r != nil {
		return Decision{}, r
	}
	c := cmd.Body.(Confirm)
	legal, _ := Legal(TradeStream(cmd.UTI), streams[TradeStream(cmd.UTI)])
	i := slices.IndexFunc(legal, func(e Event) bool { return e.ID == c.Event })
	if i < 0 {
		return Decision{}, refuse(UnknownTerms, "contract %s has no event %s", cmd.UTI, c.Event)
	}
	c.Version, cmd.Body = legal[i].Version, c
	slot, r := line.propose(nextVersion(history), cmd)
	if r == nil {
		r = c.check()
	}
	return Decision{slot.Event.EffectiveAt, cmd.Corrects, c}, r
}

// checkConfirm refuses an event in a slot of a confirmation, unless it is a legal confirmation.
func checkConfirm(_ timeline, slot Slot) *Refusal {
	c, ok := slot.Event.Body.(Confirm)
	if !ok {
		return refuse(WrongKind, "%s is not an event of a confirmation",
			operation(slot.Event.Body))
	}
	return c.check()
}

// A Confirmation is the confirmation of a contract: the terms to confirm, and the reports about
// them. Of the two times of a question only the known time selects its events, because an agreement
// is confirmed before it takes effect.
type Confirmation struct {
	ToConfirm
	Reported
}

// ToConfirm names the event that last changed a term of a contract that the counterparty sees.
type ToConfirm struct {
	UTI          string    `json:"uti"`
	Book         string    `json:"book"`
	Counterparty string    `json:"counterparty"`
	Event        uuid.UUID `json:"event"`   // the confirmation is due from this event on
	Version      int64     `json:"version"` // of that event; zero if no contract has begun
	Since        time.Time `json:"since"`   // its Event.agreedAt
	// Voided reports whether the event says that there is no contract. The counterparty needs to
	// hear of that only if a document was sent.
	Voided bool `json:"voided,omitempty"`
	// Parked reports whether later events of the contract wait.
	Parked bool `json:"contract_parked,omitempty"`
}

// Reported are the events of a confirmation that count, in the order of their slots.
type Reported struct {
	Reports []Report `json:"reports"`
	// Waiting reports whether later events of the confirmation wait: its stream is parked.
	Waiting bool `json:"confirmation_parked,omitempty"`
}

// A Report is an event of a confirmation.
type Report struct {
	Event       uuid.UUID    `json:"event"`
	At          time.Time    `json:"at"` // when it took effect
	Kind        string       `json:"kind"`
	Terms       int64        `json:"terms"` // the version of the contract's event
	Method      string       `json:"method,omitempty"`
	Reference   string       `json:"reference"`
	Differences []Difference `json:"differences,omitempty"`
}

// ToConfirmOf folds the events of a contract that are known at a time.
func ToConfirmOf(uti string, events []Event, known time.Time) ToConfirm {
	c, terms := ToConfirm{UTI: uti}, []string(nil)
	history := inOrder(AsOf{Known: known}.known(events))
	l := newLegality(TradeStream(uti))
	l.skipped = Skips(l.stream, history)
	for _, e := range history {
		if !l.take(e) {
			break
		}
		if next := l.now.confirmedTerms(); !slices.Equal(next, terms) {
			c.Event, c.Version, c.Since = e.ID, e.Version, e.agreedAt()
			terms = next
		}
		if terms != nil { // a void goes back to those of the NEW
			c.Book, c.Counterparty = l.now.Book, l.now.Counterparty
		}
	}
	c.Voided, c.Parked = terms == nil, l.parked != nil
	return c
}

// agreedAt returns the time from which an event is to be confirmed. The parties agree on terms by
// the time that they are entered, or take effect, whichever comes first. A mistake is to be
// confirmed again from the time that its correction, or the void, is entered.
func (e Event) agreedAt() time.Time {
	c, _ := e.Body.(Cancel)
	if e.Corrects != uuid.Nil || c.Kind == Void || e.EnteredAt.Before(e.EffectiveAt) {
		return e.EnteredAt.UTC()
	}
	return e.EffectiveAt.UTC()
}

// ReportedOf folds the events of a confirmation that are known at a time.
func ReportedOf(uti string, events []Event, known time.Time) Reported {
	l := legalityOf(ConfirmationStream(uti), events, AsOf{Known: known})
	r := Reported{Reports: []Report{}, Waiting: l.parked != nil}
	for _, s := range effective(l.line.slots, time.Time{}) {
		c := s.Event.Body.(Confirm)
		r.Reports = append(r.Reports, Report{s.Event.ID, s.Event.EffectiveAt.UTC(), c.Kind,
			c.Version, c.Method, c.Reference, c.Differences})
	}
	return r
}

// Needed reports whether the contract has to be confirmed, or had to be: it has begun, and it is
// not one that was voided before the counterparty heard of it.
func (c Confirmation) Needed() bool {
	return c.Version > 0 && (!c.Voided || len(c.Reports) > 0)
}

// Due is the status of a confirmation of which the counterparty has heard nothing yet. The other
// statuses are the kinds of Confirm.
const Due = "due"

// Standing returns the status of a confirmation, and the last report about its terms. The report is
// nil if the confirmation is due. A report about earlier terms does not count.
func (c Confirmation) Standing() (status string, last *Report) {
	for i := range slices.Backward(c.Reports) {
		if r := &c.Reports[i]; r.Terms >= c.Version {
			return r.Kind, r
		}
	}
	return Due, nil
}

// Late reports whether a confirmation is not matched at a time, and its deadline is over.
func (c Confirmation) Late(at time.Time, days int, in Calendar) bool {
	status, _ := c.Standing()
	return status != Matched && at.After(c.Deadline(days, in))
}

// Deadline returns the end of the last day to confirm: the given number of business days after the
// day of Since. Regulation (EU) 149/2013, article 12, gives most parties one or two.
func (c Confirmation) Deadline(days int, in Calendar) time.Time { return in.After(c.Since, days) }

// A Calendar tells business days: Monday to Friday in a zone, without the holidays.
type Calendar struct {
	Zone     *time.Location
	Holidays map[Day]bool
}

// After returns the last microsecond of the n-th business day after the day of t. Without any, it
// is that of the day itself.
func (c Calendar) After(t time.Time, n int) time.Time {
	day := DayOf(t.In(c.Zone))
	for n > 0 {
		if day++; isWeekday(day) && !c.Holidays[day] {
			n--
		}
	}
	y, m, d := (day + 1).UTC().Date()
	return time.Date(y, m, d, 0, 0, 0, 0, c.Zone).Add(-time.Microsecond).UTC()
}
