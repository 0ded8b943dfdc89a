package trade

import (
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"
)

// Who issues follow-ups, and who vouches for those that correct a closed contract.
const (
	FollowUpActor    = "process/follow-ups"
	FollowUpApprover = "process/follow-ups/control"
)

// FollowUps is what the contract uti, by cause, makes of other contracts of ours. NOVATE in the role remaining begins one
// with the incoming party; a physical EXERCISE begins one on the underlying, at the strike. A correction of either
// restates that contract's NEW, and a correction to quantity zero voids it. Nothing else has follow-ups.
//
// It is a function of the history up to cause and including it; what comes later is left out. The commands' ids and times come
// from cause alone, and not from when it was recorded, so deriving them again gives the same commands.
func FollowUps(uti string, history []Event, cause Event) []Command {
	next := begins(cause.Body)
	if next == "" {
		return nil
	}
	slot, before := standing(uti, history, cause)
	begun := EventID(followUpID(slot.Root), 0) // the NEW of next, if it was accepted
	cmd := Command{
		ID: followUpID(cause.ID), UTI: next, EnteredAt: cause.EffectiveAt, EffectiveAt: cause.EffectiveAt,
		Actor:  FollowUpActor,
		Reason: fmt.Sprintf("follows %s of %s, event %s", Kind(cause.Body), uti, cause.ID),
	}
	switch {
	case annuls(cause):
		cmd.Voids, cmd.Body = begun, Cancel{Kind: Void}
	case cause.Corrects != uuid.Nil:
		cmd.Corrects, cmd.Body = begun, before.successor(cause.Body)
		cmd.Approver = FollowUpApprover
	default:
		cmd.Body = before.successor(cause.Body)
	}
	return []Command{cmd}
}

const followUpPrefix = "follow-up/"

func followUpID(cause uuid.UUID) string { return followUpPrefix + cause.String() }

// IsFollowUp says whether a command id is one of those that FollowUps gives. Nobody else may use them: whoever took the id of a
// follow-up that is yet to come would stand in its way for good.
func IsFollowUp(commandID string) bool { return strings.HasPrefix(commandID, followUpPrefix) }

// standing is the slot of cause, and the contract as it is before that slot, as known when cause was recorded.
func standing(uti string, history []Event, cause Event) (Slot, Trade) {
	known := slices.DeleteFunc(slices.Clone(history), func(e Event) bool { return e.Version > cause.Version })
	line, bad := timelineOf(known, AsOf{})
	if bad != nil {
		panic(fmt.Sprintf("trade: the history of %s is illegal: %v", uti, bad))
	}
	i, ok := line.place[cause.ID]
	if !ok {
		panic(fmt.Sprintf("trade: the history of %s lacks event %s", uti, cause.ID))
	}
	slot := line.slots[i]
	earlier := slices.DeleteFunc(effective(line.slots, slot.Event.EffectiveAt), func(s Slot) bool { return s.Compare(slot) >= 0 })
	before, bad := foldSlots(uti, earlier)
	if bad != nil {
		panic(fmt.Sprintf("trade: the history of %s is illegal: %v", uti, bad))
	}
	return slot, before
}

// successor is the contract that begins where a part of t ends.
func (t Trade) successor(cause Body) New {
	n := t.Terms
	n.Price, n.PriorUTI, n.Fee, n.Capacity, n.CarriedIn = t.Price, t.UTI, Decimal{}, Decimal{}, Decimal{}
	switch b := cause.(type) {
	case Novate:
		n.Quantity, n.Counterparty = b.Quantity, b.Incoming
	case Exercise:
		n.exercised(*t.Terms.Instrument.Option, b)
	}
	return n
}

// exercised makes the terms of an option those of what it is exercised into. A long call and a short put buy, a
// long put and a short call sell. What the option leg was worth is carried in, so that the P&L of the two together is the
// same whether one looks before or after.
func (n *New) exercised(o Option, b Exercise) {
	worth := n.Currency.Amount(o.intrinsic(b.UnderlyingPrice), b.Quantity.Value)
	n.CarriedIn = n.Side.Sign().Mul(worth).Neg()
	if o.Kind == Put {
		n.Side = n.Side.Opposite()
	}
	n.Instrument, n.Price, n.Quantity = n.Instrument.Underlying(), o.Strike, b.Quantity
}
