package trade

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
)

// A Decision is the content of the event that an accepted command becomes.
type Decision struct {
	EffectiveAt time.Time // UTC, whole microseconds
	Corrects    uuid.UUID
	Body        Body // with explicit quantities, in the contract's unit
}

// Decide returns the event that cmd becomes, given the histories of the stream that it writes to,
// and of the contracts that its follow-ups reach (see Linked). A contract without a history has not
// begun. Bad input is a *Refusal, and so is a command to a parked stream (see Legal). For a mark
// that corrects none, a part of the curve's history is enough: up to the second mark that corrects
// none, since the two fix the currency.
//
// Other units of energy are converted to that of the delivery point first, once; see Entered. Then
// the command is resolved against the contract as it is at the command's own slot. MW become MWh
// over the hours not yet delivered then, and "in full" becomes the quantity that is open then.
// Afterwards the whole history is folded again with the command in its slot. A late event may break
// an event that is effective after it, or change the amount of one; see checkApproval. At the end
// the follow-ups are decided in the same way; see checkFollowUps.
func Decide(streams map[string][]Event, cmd Command) (Decision, error) {
	decide := decideTrade
	switch cmd.Body.(type) {
	case PriceMarked:
		decide = decideMark
	case Confirm:
		decide = decideConfirm
	}
	if r := cmd.checkNames(); r != nil {
		return Decision{}, r
	}
	d, r := decide(streams, cmd)
	if r != nil {
		return Decision{}, r
	}
	return d, nil
}

func decideTrade(streams map[string][]Event, cmd Command) (Decision, *Refusal) {
	d, r := decideAlone(cmd.UTI, streams[cmd.Stream()], cmd)
	if r == nil {
		r = checkFollowUps(streams, cmd, d)
	}
	return d, r
}

// decideAlone decides cmd against the history of its own contract.
func decideAlone(uti string, history []Event, cmd Command) (Decision, *Refusal) {
	line, now, r := unparked(cmd.Stream(), history)
	if r != nil {
		return Decision{}, r
	}
	unit := cmp.Or(cmd.ownUnit(), now.Unit)
	if cmd.Body, r = cmd.converted(unit); r != nil {
		return Decision{}, r
	}
	slot, r := line.propose(nextVersion(history), cmd)
	if r != nil {
		return Decision{}, r
	}
	standing := effective(line.slots, time.Time{})
	if r := line.admit(now, cmd); r != nil {
		return Decision{}, r
	}
	cmd.Body = keepHandChanges(history, cmd)
	others := effective(line.without(slot), time.Time{})
	at, _ := slices.BinarySearchFunc(others, slot, Slot.Compare)
	before, bad := foldSlots(Trade{UTI: uti}, others[:at])
	if bad != nil { // these slots depend on the one that the correction moves
		return Decision{}, breaksLater(line, bad)
	}
	if slot.Event.Body, r = before.resolve(cmd.Body, slot.Event.EffectiveAt); r != nil {
		return Decision{}, r
	}
	after, r := Evolve(before, slot)
	if r != nil {
		return Decision{}, r
	}
	if r := changesNothing(before, after, cmd); r != nil {
		return Decision{}, r
	}
	changed := slices.Insert(others, at, slot)
	if _, bad := foldSlots(Trade{UTI: uti}, changed); bad != nil {
		return Decision{}, breaksLater(line, bad)
	}
	if r := checkApproval(now, standing, changed, cmd); r != nil {
		return Decision{}, r
	}
	return Decision{slot.Event.EffectiveAt, cmd.Corrects, slot.Event.Body}, nil
}

// propose returns the slot that cmd would take: a new one, or the slot of the event that it
// corrects.
func (l timeline) propose(version int64, cmd Command) (Slot, *Refusal) {
	e := Event{
		ID: EventID(cmd.ID, 0), Version: version, Corrects: cmd.Corrects,
		EffectiveAt: cmd.EffectiveAt, Actor: cmd.Actor, Body: cmd.Body,
	}
	slot := Slot{Version: e.Version, Root: e.ID, By: e.Actor, EnteredAt: cmd.EnteredAt}
	usual := cmd.EnteredAt
	if cmd.Corrects != uuid.Nil {
		i, ok := l.find(cmd.Corrects)
		if !ok {
			return slot, refuse(UnknownEvent, "no event %s in this stream", cmd.Corrects)
		}
		slot, usual = l.slots[i], l.slots[i].Event.EffectiveAt
	}
	if c, _ := cmd.Body.(Cancel); c.Kind == Void {
		if !cmd.EffectiveAt.IsZero() {
			return slot, refuse(BadTerms, "a void takes effect when the contract began: "+
				"leave effective_at out")
		}
		usual = l.begun(usual)
	}
	if e.EffectiveAt.IsZero() {
		e.EffectiveAt = usual
	}
	e.EffectiveAt = e.EffectiveAt.UTC().Truncate(time.Microsecond)
	slot.Event = e
	return slot, checkEffective(e.EffectiveAt)
}

// begun returns the effective time of the NEW, or another time if there is none.
func (l timeline) begun(otherwise time.Time) time.Time {
	for _, s := range l.slots {
		if _, begins := s.Event.Body.(New); begins {
			return s.Event.EffectiveAt
		}
	}
	return otherwise
}

func checkEffective(at time.Time) *Refusal {
	switch {
	case at.IsZero():
		return refuse(BadTerms, "no effective time, and none when it was entered")
	case !hasFourDigitYear(at):
		return refuse(BadTerms, "the effective time %s is not within the years 1 to 9999",
			rfc3339(at))
	}
	return nil
}

// changesNothing refuses an amend that changes nothing. A correction may restate an amend to change
// nothing: that takes the amend back.
func changesNothing(before, after Trade, cmd Command) *Refusal {
	_, amends := cmd.Body.(Amend)
	if !amends || cmd.Corrects != uuid.Nil ||
		!after.Price.Equal(before.Price) || !after.Contracted.Equal(before.Contracted) ||
		after.Trader != before.Trader || after.Counterparty != before.Counterparty {
		return nil
	}
	return refuse(NoChange, "the contract has these terms already")
}

func breaksLater(l timeline, bad *slotError) *Refusal {
	what := "event"
	for _, s := range l.slots {
		if s.Version == bad.Version {
			what = fmt.Sprintf("%s effective %s",
				KindOf(s.Event.Body).Operation, rfc3339(s.Event.EffectiveAt))
		}
	}
	return refuse(BreaksLater, "version %d, a %s, would no longer be legal: %s: %s",
		bad.Version, what, bad.Refusal.Rule, bad.Refusal.Detail)
}

// admit refuses a command that the contract, as it is now over all slots, does not allow. Evolve
// decides which event may take which slot.
func (l timeline) admit(now Trade, cmd Command) *Refusal {
	if now.Status == Voided {
		return refuse(IsVoided, "%s is voided, and nothing follows a void", now.UTI)
	}
	if _, ok := l.find(cmd.Voids); !ok && cmd.Voids != uuid.Nil {
		return refuse(UnknownEvent, "%s did not begin with event %s: no contract to void",
			now.UTI, cmd.Voids)
	}
	if cmd.Corrects == uuid.Nil {
		if r := l.admitNew(now, cmd); r != nil {
			return r
		}
	} else if r := l.admitCorrection(now, cmd); r != nil {
		return r
	}
	if r := l.admitTerms(cmd); r != nil {
		return r
	}
	return l.admitSuccessor(cmd)
}

func (l timeline) admitNew(now Trade, cmd Command) *Refusal {
	c, _ := cmd.Body.(Cancel)
	_, begins := cmd.Body.(New)
	_, amends := cmd.Body.(Amend)
	switch {
	case now.Status == "":
		return nil // Evolve decides which event may come first
	case begins:
		return refuse(AlreadyBegun, "%s is %s", now.UTI, now.Status)
	case c.Kind == Void && l.owned() && cmd.Voids == uuid.Nil:
		// A void would lose the quantity that the other contract gave up, and the cash carried in.
		return refuse(ContinuesAnother, "%s continues %s: correct the event that began it there "+
			"to quantity 0, and it is voided", now.UTI, now.PriorUTI)
	case c.Kind == Void:
		return nil
	case amends: // it may belong before the close, and Evolve knows its slot
		return nil
	}
	return now.live()
}

// admitCorrection refuses a correction that would break a promise to the rest of the log:
//
//   - A slot that begins a contract goes on beginning that same contract.
//   - Such a slot, once annulled, stays annulled: the contract that it began is voided by then, and
//     nothing follows a void.
func (l timeline) admitCorrection(now Trade, cmd Command) *Refusal {
	i, _ := l.find(cmd.Corrects)
	standing := l.slots[i].Event
	_, wasNew := standing.Body.(New)
	_, isNew := cmd.Body.(New)
	oldUTI, _ := successorOf(standing.Body)
	newUTI, _ := successorOf(cmd.Body)
	operation := KindOf(standing.Body).Operation
	c, _ := cmd.Body.(Cancel)
	switch {
	case !wasNew && c.Kind == Void:
		return refuse(WrongKind, "a correction cannot void a contract: send a void")
	case wasNew != isNew:
		return refuse(WrongKind, "a %s cannot become a %s: void the contract, and send a new one",
			operation, KindOf(cmd.Body).Operation)
	case oldUTI != newUTI || Begun(standing.Body) != Begun(cmd.Body):
		return refuse(WrongKind, "a correction cannot change which contract begins: restate it "+
			"with quantity 0, and send a new command")
	case Begun(standing.Body) != "" && annuls(standing):
		return refuse(WrongKind, "this %s is annulled, and %s is voided: send a new command",
			operation, Begun(standing.Body))
	}
	return nil
}

// admitSuccessor keeps the contracts that began from this one consistent with it: a void orphans
// none of them, and no two slots begin the same one. A void that follows from another contract is
// passed on to them; see FollowUps.
func (l timeline) admitSuccessor(cmd Command) *Refusal {
	c, _ := cmd.Body.(Cancel)
	corrected, corrects := l.find(cmd.Corrects)
	for i, s := range l.slots {
		next := Begun(s.Event.Body)
		if next == "" || corrects && corrected == i {
			continue
		}
		if c.Kind == Void && cmd.Voids == uuid.Nil && !annuls(s.Event) {
			return refuse(HasFollowUps, "%s began from this contract: first correct version %d "+
				"to quantity 0", next, s.Version)
		}
		if next == Begun(cmd.Body) {
			return refuse(BadTerms, "%s began with version %d already", next, s.Version)
		}
	}
	return nil
}

// resolve makes the quantity of a command explicit, for the contract as it is at the command's
// slot:
//
//	10 MW, in NEW                 10 MW over the hours of delivery that begin at or after the slot
//	10 MW, in an amendment        the same; refused once delivery has begun
//	10 MW, in a settlement        10 MW over the hours of its delivered period
//	4 MW, in another reduction    4 MW over the hours that are left
//	no quantity, in a reduction   all that is open
//
// It leaves everything else to Evolve.
func (t Trade) resolve(body Body, at time.Time) (Body, *Refusal) {
	var r *Refusal
	switch b := body.(type) {
	case New:
		return b.resolve(at)
	case Amend:
		b.Quantity, r = t.amendedQuantity(b.Quantity, at)
		return b, r
	case Settle:
		b.Quantity, r = t.settledQuantity(b)
		return b, r
	case Reducer:
		if q, ok := b.Reduction(); ok {
			q, r = t.reducedQuantity(q, at)
			return b.WithReduction(q), r
		}
	}
	return body, nil
}

// resolve keeps the agreed capacity beside the energy that it comes to. Where a command states
// both, they must agree.
func (n New) resolve(at time.Time) (Body, *Refusal) {
	capacity := Quantity{n.Capacity, MW}
	if n.Quantity.Unit == MW {
		capacity = n.Quantity
	}
	if capacity.Value.IsZero() || n.Instrument.check() != nil {
		return n, nil // Evolve refuses these terms
	}
	if r := n.checkDelivery(Slot{Event: Event{EffectiveAt: at}}); r != nil {
		return n, r
	}
	energy, r := n.Instrument.energy(capacity, at)
	if r != nil {
		return n, r
	}
	if n.Quantity.Unit != MW && !energy.Value.Equal(n.Quantity.Value) {
		return n, refuse(BadTerms, "%s over the delivery is %s, not %s",
			capacity, energy, n.Quantity)
	}
	n.Quantity, n.Capacity = energy, capacity.Value
	return n, nil
}

func (t Trade) amendedQuantity(q Quantity, at time.Time) (Quantity, *Refusal) {
	if q.Unit != MW || t.Status != Live || t.Unit != MWh {
		return q, nil
	}
	i := t.Terms.Instrument
	left, _ := Hours(i, at)
	if all, _ := Hours(i, time.Time{}); left != all {
		return q, refuse(AmendInDelivery, "%d of %d hours are left of %s: give the new total in "+
			"MWh", left, all, i.Delivery)
	}
	return i.energy(q, at)
}

// settledQuantity converts MW over the delivered period, which a settlement in MW must name: the
// hours that are left are those that it does not pay for.
func (t Trade) settledQuantity(s Settle) (Quantity, *Refusal) {
	i := t.Terms.Instrument
	switch {
	case s.Quantity.Unit != MW || t.Status != Live || t.Unit != MWh:
		return t.reducedQuantity(s.Quantity, time.Time{})
	case s.From.IsZero() || s.To.IsZero():
		return s.Quantity, refuse(NoPeriod, "%s without the delivered period that it is for: give "+
			"from and to, or a quantity in MWh", s.Quantity)
	}
	n := hoursBetween(i, s.From, s.To)
	if n <= 0 {
		return s.Quantity, refuse(NothingToDeliver, "%s, and no hour of %s begins from %s to %s",
			s.Quantity, i.ID(), rfc3339(s.From), rfc3339(s.To))
	}
	return Quantity{s.Quantity.Value.Mul(Int(n)), MWh}, nil
}

func (t Trade) reducedQuantity(q Quantity, at time.Time) (Quantity, *Refusal) {
	switch {
	case t.Status != Live:
		return q, nil
	case q.IsZero():
		return Quantity{t.Open, t.Unit}, nil
	case q.Unit == MW && t.Unit == MWh:
		return t.Terms.Instrument.energy(q, at)
	}
	return q, nil
}

// energy returns a capacity over the hours not yet delivered.
func (i Instrument) energy(q Quantity, at time.Time) (Quantity, *Refusal) {
	if i.Unit() != MWh {
		return q, refuse(WrongUnit, "%s of %s: want %s", q, i.Curve(), i.Unit())
	}
	n, err := Hours(i, at)
	if err != nil {
		return q, refuse(BadTerms, "%v", err)
	}
	if n == 0 {
		return q, refuse(NothingToDeliver, "%s of %s, and no hour of it is left at %s",
			q, i.ID(), rfc3339(at))
	}
	return Quantity{q.Value.Mul(Int(n)), MWh}, nil
}

// decideMark checks a price mark. Only the curve depends on its marks, so a late mark breaks
// nothing. A curve has one currency: points are kept by delivery, so a mark in another currency
// would erase the worth of the earlier marks. While a mark is the only one, it may be corrected to
// another currency. The second mark fixes the currency for good.
func decideMark(streams map[string][]Event, cmd Command) (Decision, *Refusal) {
	history := streams[cmd.Stream()]
	line, _, r := unparked(cmd.Stream(), history)
	if r != nil {
		return Decision{}, r
	}
	if cmd.Body, r = cmd.converted(cmd.ownUnit()); r != nil {
		return Decision{}, r
	}
	slot, r := line.propose(nextVersion(history), cmd)
	if r != nil {
		return Decision{}, r
	}
	if r := line.checkMark(cmd.Stream(), slot); r != nil {
		return Decision{}, r
	}
	return Decision{slot.Event.EffectiveAt, cmd.Corrects, cmd.Body}, nil
}
