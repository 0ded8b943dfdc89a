package trade

import (
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
)

// A Decision is what an accepted command puts on record.
type Decision struct {
	EffectiveAt time.Time // UTC, whole microseconds
	Corrects    uuid.UUID
	Body        Body // quantities explicit, in the contract's unit
}

// Decide says what cmd puts on record, given the history of the stream that it writes to: of the contract uti, or of the
// curve for a PriceMarked (uti is empty then). Bad input is a *Refusal. A history that could never have been recorded
// is a broken invariant, and panics. Where a mark corrects none, as much of its curve's history will do as settles the currency: up to the
// second mark that corrects none.
//
// The command is resolved against the contract as it is at the command's own slot: MW becomes MWh over the hours not
// yet delivered then, "in full" becomes what is open then. Then the whole history is folded again with the command
// in its slot, because a late event may break one that is effective after it.
func Decide(uti string, history []Event, cmd Command) (Decision, error) {
	decide := decideTrade
	if _, ok := cmd.Body.(PriceMarked); ok {
		decide = decideMark
	}
	d, r := decide(uti, history, cmd)
	if r != nil {
		return Decision{}, r
	}
	return d, nil
}

func decideTrade(uti string, history []Event, cmd Command) (Decision, *Refusal) {
	line, slot, r := propose(history, cmd)
	if r != nil {
		return Decision{}, r
	}
	now, bad := foldSlots(uti, effective(line.slots, time.Time{}))
	if bad != nil {
		panic(fmt.Sprintf("trade: the history of %s is illegal: %v", uti, bad))
	}
	if r := line.admit(now, cmd); r != nil {
		return Decision{}, r
	}
	others := effective(line.without(slot), time.Time{})
	at, _ := slices.BinarySearchFunc(others, slot, Slot.Compare)
	before, bad := foldSlots(uti, others[:at])
	if bad != nil { // the correction moved what these hang on
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
	if _, bad := foldSlots(uti, slices.Insert(others, at, slot)); bad != nil {
		return Decision{}, breaksLater(line, bad)
	}
	return Decision{slot.Event.EffectiveAt, cmd.Corrects, slot.Event.Body}, nil
}

// propose is the slots that are there, and the slot that cmd would stand in: a new one, or that of the event it corrects.
func propose(history []Event, cmd Command) (timeline, Slot, *Refusal) {
	line, bad := timelineOf(history, AsOf{})
	if bad != nil {
		panic(fmt.Sprintf("trade: illegal history: %v", bad))
	}
	e := Event{ID: EventID(cmd.ID, 0), Version: 1, Corrects: cmd.Corrects, EffectiveAt: cmd.EffectiveAt, Actor: cmd.Actor, Body: cmd.Body}
	for _, h := range history {
		e.Version = max(e.Version, h.Version+1)
	}
	slot, meant := Slot{Version: e.Version, Root: e.ID, By: e.Actor}, cmd.EnteredAt
	if cmd.Corrects != uuid.Nil {
		i, ok := line.place[cmd.Corrects]
		if !ok {
			return line, slot, refuse(UnknownEvent, "no event %s in this stream", cmd.Corrects)
		}
		slot, meant = line.slots[i], line.slots[i].Event.EffectiveAt
	}
	if i, ok := line.place[cmd.Voids]; ok { // it began by mistake, and is voided from where it begins now
		e.EffectiveAt = line.slots[i].Event.EffectiveAt
	}
	if e.EffectiveAt.IsZero() {
		e.EffectiveAt = meant
	}
	e.EffectiveAt = e.EffectiveAt.UTC().Truncate(time.Microsecond)
	slot.Event = e
	if e.EffectiveAt.IsZero() {
		return line, slot, refuse(BadTerms, "no effective time, and none when it was entered")
	}
	if !writable(e.EffectiveAt) {
		return line, slot, refuse(BadTerms, "the effective time %s is not within the years 1 to 9999", show(e.EffectiveAt))
	}
	return line, slot, nil
}

// without is all slots but the one that s would stand in.
func (l timeline) without(s Slot) []Slot {
	return slices.DeleteFunc(slices.Clone(l.slots), func(o Slot) bool { return o.Version == s.Version })
}

// changesNothing refuses an amend that is true already. A correction may well restate an amend so that it changes
// nothing: that is how one is taken back.
func changesNothing(before, after Trade, cmd Command) *Refusal {
	_, amends := cmd.Body.(Amend)
	if !amends || cmd.Corrects != uuid.Nil || !after.Price.Equal(before.Price) || !after.Contracted.Equal(before.Contracted) ||
		after.Trader != before.Trader || after.Counterparty != before.Counterparty {
		return nil
	}
	return refuse(NoChange, "all of it is so already")
}

func breaksLater(l timeline, bad *SlotError) *Refusal {
	what := "event"
	for _, s := range l.slots {
		if s.Version == bad.Version {
			what = fmt.Sprintf("%s effective %s", KindOf(s.Event.Body).Operation, show(s.Event.EffectiveAt))
		}
	}
	return refuse(BreaksLater, "version %d, a %s, would no longer be legal: %s: %s", bad.Version, what, bad.Refusal.Rule, bad.Refusal.Detail)
}
