package trade

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
)

// A Slot is one place in the history of a stream. An event that corrects nothing opens a slot. A
// correction takes over the slot of the event that it names, or of the event which that one
// corrects. The latest event in a slot counts:
//
//	version  event                        slot  event that counts
//	1        NEW 70                       1     NEW 70
//	2        NOVATE 20                    2
//	3        NOVATE 25, corrects 2        2     NOVATE 25
//
// RecordedAt selects the known events, and never orders them.
type Slot struct {
	Version   int64     // of the event that opened it: its order among slots of one effective time
	Root      uuid.UUID // the id of that event
	By        string    // its actor
	EnteredAt time.Time // of that event: no correction moves it
	Event     Event     // the event that counts, at Event.EffectiveAt
}

// Compare orders slots by effective time, then by version.
func (s Slot) Compare(o Slot) int {
	if c := s.Event.EffectiveAt.Compare(o.Event.EffectiveAt); c != 0 {
		return c
	}
	return cmp.Compare(s.Version, o.Version)
}

// A slotError names a slot whose event is illegal there.
type slotError struct {
	Version int64 // of the slot
	Refusal *Refusal
}

func (e *slotError) String() string { return fmt.Sprintf("version %d: %v", e.Version, e.Refusal) }

// A timeline holds the slots of a stream, in version order.
type timeline struct {
	slots []Slot
	// place is the index of each event's slot. It is nil until an event is looked up: without
	// corrections the slots alone have all ids.
	place map[uuid.UUID]int
}

// timelineOf puts the events of a legal history into their slots. They may come in any order.
func timelineOf(legal []Event) timeline {
	l := timeline{slots: make([]Slot, 0, len(legal))}
	for _, e := range inOrder(legal) {
		if _, r := l.take(e); r != nil {
			panic(fmt.Sprintf("trade: a legal history is illegal: version %d: %v", e.Version, r))
		}
	}
	return l
}

func byVersion(a, b Event) int { return cmp.Compare(a.Version, b.Version) }

// find returns the index of the slot of an event.
func (l *timeline) find(id uuid.UUID) (i int, ok bool) {
	if l.place == nil {
		l.place = make(map[uuid.UUID]int, len(l.slots))
		for i, s := range l.slots { // no event corrects another one yet
			l.place[s.Root] = i
		}
	}
	i, ok = l.place[id]
	return i, ok
}

// take puts the next event into its slot, and returns the index of that.
func (l *timeline) take(e Event) (int, *Refusal) {
	i := len(l.slots)
	if e.Corrects == uuid.Nil {
		l.slots = append(l.slots, Slot{e.Version, e.ID, e.Actor, e.EnteredAt, e})
	} else {
		var known bool
		if i, known = l.find(e.Corrects); !known {
			return 0, refuse(UnknownEvent, "no event %s before version %d", e.Corrects, e.Version)
		}
		l.slots[i].Event = e
	}
	if l.place != nil {
		l.place[e.ID] = i
	}
	return i, nil
}

// undo takes the last event out again. standing is the event that it has replaced in its slot.
func (l *timeline) undo(i int, last, standing Event) {
	if l.place != nil {
		delete(l.place, last.ID)
	}
	if last.Corrects == uuid.Nil {
		l.slots = l.slots[:i]
		return
	}
	l.slots[i].Event = standing
}

// without returns all slots except s.
func (l timeline) without(s Slot) []Slot {
	same := func(o Slot) bool { return o.Version == s.Version }
	return slices.DeleteFunc(slices.Clone(l.slots), same)
}

// effective returns the slots up to a time, in the order of Slot.Compare. The zero time does not
// limit.
func effective(slots []Slot, until time.Time) []Slot {
	slots = slices.DeleteFunc(slices.Clone(slots), func(s Slot) bool {
		return !AsOf{Effective: until}.Counts(s.Event.EffectiveAt)
	})
	slices.SortFunc(slots, Slot.Compare)
	return slots
}

// Slots returns the slots of a stream that count, in the order of Slot.Compare, as known and as
// effective at the given times. Of a parked stream, the longest legal prefix of the known events
// counts. Evolve folds the slots of a trade one by one, up to a void.
func Slots(stream string, events []Event, at AsOf) []Slot {
	return effective(legalityOf(stream, events, at).line.slots, at.Effective)
}

// Later returns the number of slots of a stream that are known and take effect after at.Effective,
// so that they do not count.
func Later(stream string, events []Event, at AsOf) int {
	isLater := func(e Event) bool { return !at.Counts(e.EffectiveAt) }
	if !slices.ContainsFunc(events, isLater) {
		return 0
	}
	slots := legalityOf(stream, events, at).line.slots
	return len(slots) - len(effective(slots, at.Effective))
}

// Fold returns the state of the contract uti, as known and as effective at the given times. The
// events may come in any order. A contract that has not begun by then has no status. Of a parked
// stream, the longest legal prefix of the known events counts, without those that are skipped.
func Fold(uti string, events []Event, at AsOf) (Trade, *Parked) {
	l := legalityOf(TradeStream(uti), events, at)
	return l.until(at.Effective), l.parked
}

// foldSlots folds ordered slots into a contract that has not begun. It stops at a void: slots that
// are effective later are moot, and not illegal, because otherwise a contract with such a slot
// could never be voided.
func foldSlots(t Trade, slots []Slot) (Trade, *slotError) {
	for _, s := range slots {
		next, r := Evolve(t, s)
		if r != nil {
			return t, &slotError{s.Version, r}
		}
		if t = next; t.Status == Voided {
			break
		}
	}
	t.mustConserve()
	return t, nil
}
