package trade

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
)

// The desk parks a stream with an illegal event: its longest legal prefix by version counts, and
// the desk adds nothing to it. The desk records no illegal event, so another writer appended it, or
// an older version of the rules accepted it.

// Parked is a parked stream, and its first illegal event.
type Parked struct {
	Stream  string
	Event   Event
	Refusal *Refusal // the rule that the event breaks
}

func (p *Parked) Error() string {
	return fmt.Sprintf("stream %s is parked: its version %d by %q, event %s, is illegal: %s: %s",
		p.Stream, p.Event.Version, p.Event.Actor, p.Event.ID, p.Refusal.Rule, p.Refusal.Detail)
}

// Legal returns the longest prefix of a history in which every event is legal after those before
// it, in version order. If that is not all of the history, the stream is parked. A later event does
// not mend an illegal one.
func Legal(stream string, history []Event) ([]Event, *Parked) {
	history = inOrder(history)
	l := newLegality(stream, len(history))
	for i, e := range history {
		if r := l.take(e); r != nil {
			return history[:i], &Parked{stream, e, r}
		}
	}
	return history, nil
}

// A legality is a history that was legal so far. It keeps the contract after the slots in their
// order, so that an event which comes in order costs only itself.
type legality struct {
	uti  string // empty for a curve
	line timeline
	now  Trade
	last Slot // in the order of Slot.Compare
}

func newLegality(stream string, size int) *legality {
	uti, _ := strings.CutPrefix(stream, tradeStreams)
	if uti == stream {
		uti = ""
	}
	line := timeline{place: make(map[uuid.UUID]int, size)}
	return &legality{uti: uti, line: line, now: Trade{UTI: uti}}
}

// take adds the next event, unless it is illegal.
func (l *legality) take(e Event) *Refusal {
	if r := l.line.take(e); r != nil {
		return r
	}
	slot := l.line.slots[l.line.place[e.ID]]
	if l.uti == "" {
		if _, isMark := e.Body.(PriceMarked); !isMark {
			return refuse(WrongKind, "%T is not an event of a curve", e.Body)
		}
		return nil
	}
	comesLast := e.Corrects == uuid.Nil && l.now.Status != Voided &&
		(len(l.line.slots) == 1 || slot.Compare(l.last) > 0)
	if !comesLast {
		return l.refold()
	}
	next, r := Evolve(l.now, slot)
	if r == nil {
		l.now, l.last = next, slot
	}
	return r
}

// refold folds all slots again.
func (l *legality) refold() *Refusal {
	slots := effective(l.line.slots, time.Time{})
	now, bad := foldSlots(l.uti, slots)
	if bad != nil {
		return refuse(bad.Refusal.Rule, "version %d: %s", bad.Version, bad.Refusal.Detail)
	}
	l.now, l.last = now, slots[len(slots)-1]
	return nil
}

// unparked returns the slots of a history and the contract after them, or refuses a command to a
// parked stream.
func unparked(stream string, history []Event) (timeline, Trade, *Refusal) {
	history = inOrder(history)
	l := newLegality(stream, len(history))
	for _, e := range history {
		if r := l.take(e); r != nil {
			return l.line, l.now, refuse(IsParked, "%v", &Parked{stream, e, r})
		}
	}
	return l.line, l.now, nil
}

// inOrder returns a history in version order.
func inOrder(history []Event) []Event {
	if slices.IsSortedFunc(history, byVersion) {
		return history
	}
	return slices.SortedFunc(slices.Values(history), byVersion)
}
