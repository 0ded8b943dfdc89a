package trade

import "fmt"

// A Rule names the reason for a refusal. Its text is stable: it is recorded, and people search for
// it.
type Rule string

const (
	NotBegun         Rule = "lifecycle.not-begun"         // no contract has begun under this UTI
	AlreadyBegun     Rule = "lifecycle.already-begun"     // NEW for a UTI that has a contract
	NotLive          Rule = "lifecycle.not-live"          // the contract is closed
	IsParked         Rule = "stream.parked"               // the history has an illegal event
	IsUnreadable     Rule = "event.unreadable"            // its data cannot be decoded
	IsVoided         Rule = "lifecycle.voided"            // nothing follows a void
	HasFollowUps     Rule = "lifecycle.has-follow-ups"    // a void would orphan a successor
	ContinuesAnother Rule = "lifecycle.continues-another" // a void would lose its predecessor
	Exceeds          Rule = "quantity.exceeds-open"       // more than the open quantity
	NotPositive      Rule = "quantity.not-positive"       // zero or less
	WrongUnit        Rule = "quantity.wrong-unit"         // not the unit of the contract
	NothingToDeliver Rule = "quantity.nothing-to-deliver" // no hour of delivery is left or settled
	AmendInDelivery  Rule = "quantity.mw-in-delivery"     // an amendment in MW after delivery began
	BelowReduced     Rule = "quantity.below-reduced"      // an amendment to less than was taken out
	NoPeriod         Rule = "settle.no-period"            // in MW, without the delivered period
	SettledEarly     Rule = "settle.before-end"           // before the end of its delivered period
	ExpiresLate      Rule = "option.expires-in-delivery"  // the window ends after delivery began
	DeliveryOver     Rule = "delivery.over"               // was over when the contract took effect
	NoChange         Rule = "amend.no-change"             // changes nothing, or too much
	BadTerms         Rule = "terms.invalid"               // contradicts itself or the calendar
	OtherCurrency    Rule = "curve.other-currency"        // the curve is marked in another currency
	NotAnOption      Rule = "exercise.not-an-option"      // exercise of a forward
	OutsideWindow    Rule = "exercise.outside-window"     // before the window or after the expiry
	UnknownEvent     Rule = "correction.unknown-event"    // corrects no event of this stream
	WrongKind        Rule = "correction.wrong-kind"       // this body may not take that slot
	NeedsApprover    Rule = "lifecycle.needs-approver"    // changes the past, no second principal
	UnknownTerms     Rule = "confirmation.unknown-terms"  // of an event that the contract lacks
	BreaksLater      Rule = "order.breaks-later-event"    // a later event would become illegal
	EnteredInFuture  Rule = "entry.in-future"             // entered later than the clock shows
)

// A Refusal is the typed error of Decide. Detail is recorded with it: a change to a text changes
// the events, and with them the tree, of every log that is built again from its commands.
type Refusal struct {
	Rule   Rule
	Detail string // for people: the value that was asked for, and the value that it breaks
}

func (r *Refusal) Error() string { return fmt.Sprintf("refused: %s: %s", r.Rule, r.Detail) }

func refuse(rule Rule, format string, args ...any) *Refusal {
	return &Refusal{Rule: rule, Detail: fmt.Sprintf(format, args...)}
}
