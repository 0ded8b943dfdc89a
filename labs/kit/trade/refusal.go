package trade

import "fmt"

// A Rule names why a command is refused. The text is stable: it is recorded, and people search for it.
type Rule string

const (
	NotBegun         Rule = "lifecycle.not-begun"         // there is no contract under this UTI
	AlreadyBegun     Rule = "lifecycle.already-begun"     // NEW for a UTI that has one
	NotLive          Rule = "lifecycle.not-live"          // closed, and the command is for live contracts
	IsVoided         Rule = "lifecycle.voided"            // nothing follows a void
	HasFollowUps     Rule = "lifecycle.has-follow-ups"    // a void would orphan a contract that began from this one
	ContinuesAnother Rule = "lifecycle.continues-another" // a void would leave what another contract gave up nowhere
	Exceeds          Rule = "quantity.exceeds-open"       // more than is open
	NotPositive      Rule = "quantity.not-positive"       // zero or less
	WrongUnit        Rule = "quantity.wrong-unit"         // the unit is not the contract's
	NothingToDeliver Rule = "quantity.nothing-to-deliver" // MW given, and no hour of the delivery is left
	AmendInDelivery  Rule = "quantity.mw-in-delivery"     // an amendment in MW, and delivery has begun: give MWh
	BelowReduced     Rule = "quantity.below-reduced"      // an amendment to less than was already taken out
	NoChange         Rule = "amend.no-change"             // an amend that changes nothing, or not what its kind may
	BadTerms         Rule = "terms.invalid"               // a field that contradicts another or the calendar
	OtherCurrency    Rule = "curve.other-currency"        // a curve has one, and its other marks are in another
	NotAnOption      Rule = "exercise.not-an-option"      // exercise of a forward
	OutsideWindow    Rule = "exercise.outside-window"     // before the window or after expiry
	UnknownEvent     Rule = "correction.unknown-event"    // corrects names no event of this stream
	WrongKind        Rule = "correction.wrong-kind"       // the restated body may not stand in that slot
	NeedsApprover    Rule = "correction.needs-approver"   // a closed contract, and no second approver
	BreaksLater      Rule = "order.breaks-later-event"    // this event is legal, but a later one no longer would be
)

// A Refusal is the typed error of Decide.
type Refusal struct {
	Rule   Rule
	Detail string // for people; says what was asked and what there is
}

func (r *Refusal) Error() string { return fmt.Sprintf("refused: %s: %s", r.Rule, r.Detail) }

func refuse(rule Rule, format string, args ...any) *Refusal {
	return &Refusal{Rule: rule, Detail: fmt.Sprintf(format, args...)}
}
