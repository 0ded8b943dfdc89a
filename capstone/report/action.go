package report

import (
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"example.com/blotter/labs/kit/trade"
)

// A Kind is the kind of an action, before any regime gives it a name.
type Kind string

// The kinds of action.
const (
	Begin       Kind = "begin"       // NEW; see Action.Cause for a contract that continues another
	Amendment   Kind = "amendment"   // agreed: another quantity or price
	Update      Kind = "update"      // another trader, or another name of the counterparty
	Termination Kind = "termination" // ended early by agreement, in part or in full
	Novation    Kind = "novation"    // transferred to another party, in part or in full
	Exercise    Kind = "exercise"    // of an option, in part or in full
	Settlement  Kind = "settlement"  // delivered and paid, in part or in full
	Void        Kind = "void"        // the contract never was
	Correction  Kind = "correction"  // of an event; see Action.Of and Action.Replaced
)

// Of returns the kind of an event's body. It is empty for an event that is not of a contract.
func Of(b trade.Body) Kind {
	switch b := b.(type) {
	case trade.New:
		return Begin
	case trade.Amend:
		if b.Kind == trade.Update {
			return Update
		}
		return Amendment
	case trade.Cancel:
		if b.Kind == trade.Void {
			return Void
		}
		return Termination
	case trade.Novate:
		return Novation
	case trade.Exercise:
		return Exercise
	case trade.Settle:
		return Settlement
	}
	return ""
}

// An Action is one event of a contract, with its effect on the known state.
type Action struct {
	UTI  string
	Kind Kind // Correction for every event that replaces another one
	Of   Kind // of the body: for a correction, the kind that it restates; else Kind
	N    int  // 1-based among the actions of the contract

	// Event is the event on record. EffectiveAt is the time of its effect: for a NEW, the time of
	// execution. EnteredAt is the time of entry at the desk, RecordedAt that of the log. Actor
	// entered it. The trader who decided is After.Trader.
	Event trade.Event
	// Replaced is the event that counted in the slot before a correction; nil for any other kind.
	Replaced *trade.Event

	// Before is the contract as known just before Event, and After as known just after it, each
	// with all effective times. Before an action of the kind Begin there is no status. Neither has
	// Legs or Flows.
	Before, After trade.Trade

	// ExecutedAt is the effective time of the contract's NEW, as known just after Event.
	ExecutedAt time.Time
	// PriorUTI is the contract that this one continues, and Cause the kind of the event from which
	// it began: Novation or Exercise. Both are empty for a contract that continues none. A prior
	// UTI that was entered by hand, and that no event of ours names, counts as none.
	PriorUTI string
	Cause    Kind
}

// Closes reports whether a contract was open before the action, and is not open after it.
func (a Action) Closes() bool { return a.Before.Status == trade.Live && !a.Open() }

// Reopens reports whether a contract that had ended is open after the action, which is a
// correction: the end did not happen, or took a smaller quantity.
func (a Action) Reopens() bool {
	return a.Before.Status != "" && a.Before.Status != trade.Live && a.Open()
}

// OnlySettles reports whether the action is a settlement, or corrects one into another one.
func (a Action) OnlySettles() bool {
	return a.Of == Settlement && (a.Replaced == nil || Of(a.Replaced.Body) == Settlement)
}

// Open reports whether the contract is open after the action.
func (a Action) Open() bool { return a.After.Status == trade.Live }

// Reduction returns the quantity that the event takes out of the contract, in its unit. It is zero
// for an event that takes out none. The quantity of a correction is the restated one.
func (a Action) Reduction() trade.Decimal {
	q, _ := trade.Reduction(a.Event.Body)
	return q.Value
}

// Remaining returns the quantity of a contract that was not terminated, novated or exercised. A
// settlement fulfils the contract: the settled quantity remains agreed.
func Remaining(t trade.Trade) trade.Decimal { return t.Open.Add(t.Settled) }

// A Contract is the histories that the actions of one contract derive from.
type Contract struct {
	UTI     string
	History []trade.Event // of trade/<UTI>, in any order
	Prior   []trade.Event // of the contract that History names as prior; nil if it names none
}

// PriorOf returns the UTI of the contract that a history continues by its own words, or "". The
// history of that contract tells whether it is so.
func PriorOf(history []trade.Event) string {
	for _, e := range history {
		if n, ok := e.Body.(trade.New); ok && n.PriorUTI != "" {
			return n.PriorUTI
		}
	}
	return ""
}

// Actions returns the actions of a contract that are known at a time, in the order of versions. The
// zero time knows all. Of a parked stream, the actions of its longest legal prefix are returned.
func Actions(c Contract, known time.Time) ([]Action, *trade.Parked) {
	stream := trade.TradeStream(c.UTI)
	legal, parked := trade.Legal(stream, knownAt(c.History, known))
	prior, cause := c.cause(known)
	l := line{uti: c.UTI, place: map[uuid.UUID]int{}}
	l.now.UTI = c.UTI
	actions := make([]Action, 0, len(legal))
	for _, e := range legal {
		a := Action{UTI: c.UTI, Kind: Of(e.Body), Of: Of(e.Body), N: len(actions) + 1, Event: e,
			Before: slim(l.now), PriorUTI: prior, Cause: cause}
		if a.Replaced = l.take(e); a.Replaced != nil {
			a.Kind = Correction
		}
		a.After, a.ExecutedAt = slim(l.now), l.slots[0].Event.EffectiveAt.UTC()
		actions = append(actions, a)
	}
	return actions, parked
}

func knownAt(history []trade.Event, known time.Time) []trade.Event {
	at := trade.AsOf{Known: known}
	return slices.DeleteFunc(slices.Clone(history), func(e trade.Event) bool {
		return !at.Knows(e.RecordedAt)
	})
}

// cause finds the event of the prior contract from which c began.
func (c Contract) cause(known time.Time) (prior string, kind Kind) {
	prior = PriorOf(c.History)
	for _, e := range knownAt(c.Prior, known) {
		if trade.Begun(e.Body) == c.UTI {
			return prior, Of(e.Body)
		}
	}
	return "", ""
}

// slim returns a contract without its legs and flows. They grow with its events.
func slim(t trade.Trade) trade.Trade {
	t.Legs, t.Flows = nil, nil
	return t
}

// A line holds the slots of a contract, and the contract after them. An event that comes in order
// costs only itself; a late one and a correction fold all slots again.
type line struct {
	uti   string
	slots []trade.Slot // in version order; the first one is the NEW
	place map[uuid.UUID]int
	now   trade.Trade
	last  trade.Slot // in the order of Slot.Compare
}

// take adds the next legal event, and returns the event that it replaces in its slot.
func (l *line) take(e trade.Event) (replaced *trade.Event) {
	if i, ok := l.place[e.Corrects]; ok {
		old := l.slots[i].Event
		l.slots[i].Event, l.place[e.ID] = e, i
		l.refold()
		return &old
	}
	s := trade.Slot{Version: e.Version, Root: e.ID, By: e.Actor, EnteredAt: e.EnteredAt, Event: e}
	l.place[e.ID] = len(l.slots)
	l.slots = append(l.slots, s)
	if len(l.slots) == 1 || l.last.Compare(s) < 0 && l.now.Status != trade.Voided {
		l.now, l.last = l.evolve(l.now, s), s
		return nil
	}
	l.refold()
	return nil
}

// refold folds all slots again, up to a void.
func (l *line) refold() {
	l.now = trade.Trade{UTI: l.uti}
	for _, s := range slices.SortedFunc(slices.Values(l.slots), trade.Slot.Compare) {
		if l.last = s; l.now.Status != trade.Voided {
			l.now = l.evolve(l.now, s)
		}
	}
}

func (l *line) evolve(t trade.Trade, s trade.Slot) trade.Trade {
	next, r := trade.Evolve(t, s)
	if r != nil { // trade.Legal has left out every other event
		panic(fmt.Sprintf("report: a legal history of %s is illegal: version %d: %v",
			l.uti, s.Version, r))
	}
	return next
}
