package trade

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
)

// A Slot is a place in the history of one stream. An event that corrects nothing opens one. A correction takes the slot of the
// event it names, or of the event which that one corrects, and the latest in a slot is the one that counts:
//
//	version  event                        slot  stands there
//	1        NEW 70                       1     NEW 70
//	2        NOVATE 20                    2
//	3        NOVATE 25, corrects 2        2     NOVATE 25
//
// recorded_at selects what is known, and never orders.
type Slot struct {
	Version int64     // of the event that opened it: its place among slots of one effective time
	Root    uuid.UUID // the id of that event
	By      string    // its actor
	Event   Event     // what stands in it, at Event.EffectiveAt
}

// Compare orders slots by effective time, then by version.
func (s Slot) Compare(o Slot) int {
	if c := s.Event.EffectiveAt.Compare(o.Event.EffectiveAt); c != 0 {
		return c
	}
	return cmp.Compare(s.Version, o.Version)
}

// A SlotError is a slot that may not stand where it does.
type SlotError struct {
	Version int64 // of the slot; of the event itself, if it corrects one that is not there
	Refusal *Refusal
}

func (e *SlotError) Error() string { return fmt.Sprintf("version %d: %v", e.Version, e.Refusal) }

// Unwrap gives the refusal.
func (e *SlotError) Unwrap() error { return e.Refusal }

// A timeline is the slots of a stream, in version order.
type timeline struct {
	slots []Slot
	place map[uuid.UUID]int // of every event: the index of its slot
}

// timelineOf puts the events known at a time into their slots, whatever order they come in.
func timelineOf(events []Event, at AsOf) (timeline, *SlotError) {
	inOrder := func(a, b Event) int { return cmp.Compare(a.Version, b.Version) }
	if !slices.IsSortedFunc(events, inOrder) {
		events = slices.SortedFunc(slices.Values(events), inOrder)
	}
	l := timeline{place: make(map[uuid.UUID]int, len(events))}
	for _, e := range events {
		if !at.Knows(e.RecordedAt) {
			continue
		}
		i, known := l.place[e.Corrects]
		switch {
		case e.Corrects == uuid.Nil:
			i = len(l.slots)
			l.slots = append(l.slots, Slot{e.Version, e.ID, e.Actor, e})
		case known:
			l.slots[i].Event = e
		default:
			return l, &SlotError{e.Version, refuse(UnknownEvent, "no event %s before version %d", e.Corrects, e.Version)}
		}
		l.place[e.ID] = i
	}
	return l, nil
}

// effective is the slots up to a time, in their order; the zero time does not cut.
func effective(slots []Slot, until time.Time) []Slot {
	slots = slices.DeleteFunc(slices.Clone(slots), func(s Slot) bool {
		return !AsOf{Effective: until}.Counts(s.Event.EffectiveAt)
	})
	slices.SortFunc(slots, Slot.Compare)
	return slots
}
