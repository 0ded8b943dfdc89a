package report

import (
	"fmt"
	"slices"

	"example.com/blotter/labs/kit/trade"
)

// A Step is one slot of a contract in the order of effective times, with the contract before and
// after it. Some regimes want a record for each change of a contract, rather than the contract as
// it is now: a correction then changes the records of its slot and of all later ones.
type Step struct {
	Slot          trade.Slot
	Before, After trade.Trade // without Legs and Flows
}

// A Timeline holds the steps of a contract as known after each of its actions. The zero value has
// no action.
type Timeline struct{ steps []Step }

// Take adds the next action, and returns the steps as known after it. The caller must not change
// them. They end with the first void.
func (l *Timeline) Take(a Action) []Step {
	slots := make([]trade.Slot, len(l.steps))
	for i, s := range l.steps {
		slots[i] = s.Slot
	}
	e := a.Event
	if a.Replaced == nil {
		slots = append(slots, trade.Slot{
			Version: e.Version, Root: e.ID, By: e.Actor, EnteredAt: e.EnteredAt, Event: e,
		})
	} else {
		i := slices.IndexFunc(slots, func(s trade.Slot) bool { return s.Event.ID == a.Replaced.ID })
		slots[i].Event = e
	}
	l.fold(a.UTI, slots)
	return l.upToVoid()
}

// fold folds slots in their order. The steps that they share with the last fold stay.
func (l *Timeline) fold(uti string, slots []trade.Slot) {
	slices.SortFunc(slots, trade.Slot.Compare)
	same := 0
	for same < len(l.steps) && l.steps[same].Slot.Event.ID == slots[same].Event.ID {
		same++
	}
	steps := slices.Clone(l.steps[:same])
	now := trade.Trade{UTI: uti}
	if same > 0 {
		now = steps[same-1].After
	}
	for _, s := range slots[same:] {
		step := Step{Slot: s, Before: now, After: now}
		if now.Status != trade.Voided {
			after, r := trade.Evolve(now, s)
			if r != nil { // Actions has left out every other event
				panic("report: a legal history of " + uti + " is illegal: " + r.Error())
			}
			step.After = slim(after)
		}
		now = step.After
		steps = append(steps, step)
	}
	l.steps = steps
}

func (l *Timeline) upToVoid() []Step {
	i := slices.IndexFunc(l.steps, func(s Step) bool { return s.After.Status == trade.Voided })
	if i < 0 {
		return l.steps
	}
	return l.steps[:i+1]
}

// Identity names the terms of a contract that are not numbers: the parties, the side, and the
// instrument with the window of an option, which the name of an instrument lacks.
func Identity(t trade.Trade) string {
	text := fmt.Sprintf("%s %s %s %s %s %s %s", t.Book, t.Counterparty, t.Trader, t.Side,
		t.Instrument, t.Currency, t.Unit)
	if o := t.Terms.Instrument.Option; o != nil {
		text += fmt.Sprintf(" %d %d", o.From.UnixMicro(), o.Until.UnixMicro())
	}
	return text
}
