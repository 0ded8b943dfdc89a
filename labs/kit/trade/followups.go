package trade

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
)

// Who issues follow-ups, and who vouches for those that correct a closed contract.
const (
	FollowUpActor    = "process/follow-ups"
	FollowUpApprover = "process/follow-ups/control"
)

// FollowUps is what the contract uti, by cause, makes of other contracts of ours. NOVATE in the role remaining begins one
// with the incoming party; a physical EXERCISE begins one on the underlying, at the strike. A correction of either restates that contract's
// NEW, and so does whatever changes what it has to be: a late price, a correction of this contract's NEW. What no longer begins, because its
// cause was corrected to quantity zero or this contract was voided, is voided. A contract that none began from has no follow-ups, and
// costs no more than a look.
//
// It is a function of the history up to cause and including it; what comes later is left out. The commands' ids and times come
// from cause alone, and not from when it was recorded, so deriving them again gives the same commands.
func FollowUps(uti string, history []Event, cause Event) []Command {
	if !slices.ContainsFunc(history, func(e Event) bool { return Begun(e.Body) != "" }) {
		return nil
	}
	line := known(uti, history, cause.Version)
	own, ok := line.place[cause.ID]
	if !ok {
		panic(fmt.Sprintf("trade: the history of %s lacks event %s", uti, cause.ID))
	}
	was, is := known(uti, history, cause.Version-1).successors(uti), line.successors(uti)
	var all []Command
	for i, slot := range line.slots {
		before, did := was[slot.Version]
		after, does := is[slot.Version]
		// Where the correction of a cause was refused, restating the cause tries again, even if it says nothing new.
		if did != does || does && (i == own || !before.same(after)) {
			all = append(all, followUp(uti, cause, slot, i == own).to(slot, did, does, after))
		}
	}
	return all
}

// followUp is all but what is to be done: to the contract that begins from a slot, because of cause.
func followUp(uti string, cause Event, slot Slot, own bool) Command {
	id := followUpID(cause.ID)
	if !own {
		id = fmt.Sprintf("%s/%d", id, slot.Version)
	}
	return Command{
		ID: id, UTI: Begun(slot.Event.Body), EnteredAt: cause.EffectiveAt, EffectiveAt: slot.Event.EffectiveAt,
		Actor:  FollowUpActor,
		Reason: fmt.Sprintf("follows %s of %s, event %s", KindOf(cause.Body).Operation, uti, cause.ID),
	}
}

// to has c begin what begins from a slot, or where it did restate it, or void it where it does no longer.
func (c Command) to(slot Slot, did, does bool, terms New) Command {
	begun := EventID(followUpID(slot.Root), 0) // its NEW, if that was accepted
	switch {
	case !does:
		c.Voids, c.Body = begun, Cancel{Kind: Void}
	case did:
		c.Corrects, c.Body, c.Approver = begun, terms, FollowUpApprover
	default:
		c.Body = terms
	}
	return c
}

const followUpPrefix = "follow-up/"

func followUpID(cause uuid.UUID) string { return followUpPrefix + cause.String() }

// IsFollowUp says whether a command id is one of those that FollowUps gives. Nobody else may use them: whoever took the id of a
// follow-up that is yet to come would stand in its way for good.
func IsFollowUp(commandID string) bool { return strings.HasPrefix(commandID, followUpPrefix) }

// known is the slots of the contract uti by the events up to a version.
func known(uti string, history []Event, version int64) timeline {
	line, bad := timelineOf(slices.DeleteFunc(slices.Clone(history), func(e Event) bool { return e.Version > version }), AsOf{})
	if bad != nil {
		panic(fmt.Sprintf("trade: the history of %s is illegal: %v", uti, bad))
	}
	return line
}

// successors are the contracts that begin from the contract uti, by the version of the slot. None does of a voided one.
func (l timeline) successors(uti string) map[int64]New {
	all, t := map[int64]New{}, Trade{UTI: uti}
	for _, s := range effective(l.slots, time.Time{}) {
		next, r := Evolve(t, s)
		if r != nil {
			panic(fmt.Sprintf("trade: the history of %s is illegal: version %d: %v", uti, s.Version, r))
		}
		if next.Status == Voided {
			return nil
		}
		if Begun(s.Event.Body) != "" && !annuls(s.Event) {
			all[s.Version] = t.successor(s.Event.Body.(Beginner))
		}
		t = next
	}
	return all
}

// same says whether two contracts begin alike.
func (n New) same(o New) bool { return Command{Body: n}.Digest() == Command{Body: o}.Digest() }

// successor is the contract that begins where a part of t ends.
func (t Trade) successor(cause Beginner) New {
	n := t.Terms
	n.Price, n.PriorUTI, n.Fee, n.Capacity, n.CarriedIn = t.Price, t.UTI, Decimal{}, Decimal{}, Decimal{}
	cause.carryOver(t, &n)
	return n
}

func (b Novate) carryOver(_ Trade, n *New) {
	n.Quantity, n.Counterparty = b.Quantity, b.Incoming
}

// carryOver makes the terms of an option those of what it is exercised into. A long call and a short put buy, a
// long put and a short call sell. What the option leg was worth is carried in, so that the P&L of the two together is the
// same whether one looks before or after.
func (b Exercise) carryOver(t Trade, n *New) {
	o := t.Terms.Instrument.Option
	worth := n.Currency.Amount(o.intrinsic(b.UnderlyingPrice), b.Quantity.Value)
	n.CarriedIn = n.Side.Sign().Mul(worth).Neg()
	if o.Kind == Put {
		n.Side = n.Side.Opposite()
	}
	n.Instrument, n.Price, n.Quantity = n.Instrument.Underlying(), o.Strike, b.Quantity
}
