package trade

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
)

// A stream with an illegal event is parked: its longest legal prefix by version counts, and the
// desk adds nothing to it, except an EventSkipped. The desk records no illegal event, so another
// writer appended it, or another version of the program did, whose rules or schemas are others. All
// other streams go on. Desk, folds and read models all go by a legality, so they agree about the
// prefix.

// Parked names a parked stream, and its first illegal event.
type Parked struct {
	Stream  string    `json:"stream"`
	Version int64     `json:"version"` // of the illegal event
	Event   uuid.UUID `json:"event"`
	Actor   string    `json:"actor"`
	Rule    Rule      `json:"rule"`             // the rule that the event breaks
	Detail  string    `json:"detail,omitempty"` // for people
	Book    string    `json:"book"`             // of the contract, if one has begun
}

func (p *Parked) String() string {
	return fmt.Sprintf("stream %s is parked: its version %d by %q, event %s, is illegal: %s: %s",
		p.Stream, p.Version, p.Actor, p.Event, p.Rule, p.Detail)
}

// Skipped names an event that a later event of its stream leaves out.
type Skipped struct {
	Stream  string    `json:"stream"`
	Version int64     `json:"version"` // of the event that is left out
	Event   uuid.UUID `json:"event"`
	Actor   string    `json:"actor"`
	Rule    Rule      `json:"rule"`       // the rule that it broke when it was skipped
	By      uuid.UUID `json:"skipped_by"` // the EventSkipped
}

// Legal returns the events of a history that count, in version order: the longest prefix in which
// every event is legal after those before it, without the skipped ones. If an event waits, the
// stream is parked. A later event does not mend an illegal one; EventSkipped leaves it out. An
// EventSkipped is not among the events that count.
//
// In a stream of neither a trade, a curve nor a confirmation only an Unreadable event, and a skip
// of no event, are illegal. The state lists streams of trades and curves.
func Legal(stream string, history []Event) ([]Event, *Parked) {
	l := legalityOf(stream, history, AsOf{})
	return slices.DeleteFunc(slices.Clone(inOrder(history)), func(e Event) bool {
		_, skips := e.Body.(EventSkipped)
		return skips || l.leavesOut(e.ID) || l.parked != nil && e.Version >= l.parked.Version
	}), l.parked
}

// Skips returns the skipped events of a history, in version order. The desk skips an event only
// while it parks its stream. A fold does not ask why: a later program may find the event legal, and
// the decision stands. An EventSkipped that is skipped itself leaves nothing out.
func Skips(stream string, history []Event) []Skipped {
	isSkip := func(e Event) bool { _, ok := e.Body.(EventSkipped); return ok }
	if !slices.ContainsFunc(history, isSkip) {
		return nil
	}
	var all []Skipped
	skips := map[uuid.UUID]Event{} // the first event that skips another one, by the id of that one
	for _, e := range slices.Backward(inOrder(history)) {
		by, skipped := skips[e.ID]
		body, isSkip := e.Body.(EventSkipped)
		switch {
		case skipped:
			rule := Rule(by.Body.(EventSkipped).Rule)
			all = append(all, Skipped{stream, e.Version, e.ID, e.Actor, rule, by.ID})
		case isSkip:
			skips[body.Event] = e
		}
	}
	slices.Reverse(all)
	return all
}

// A legality is a history that was legal so far. It keeps the contract after the slots in their
// order, so that an event which comes in order costs only itself.
type legality struct {
	stream string
	trade  bool
	// allows refuses an event of a curve or a confirmation in its slot. It is nil for a trade, and
	// for any other stream: see Legal.
	allows  func(timeline, Slot) *Refusal
	line    timeline
	now     Trade     // after the legal events
	last    Slot      // in the order of Slot.Compare
	parked  *Parked   // nil as long as every event was legal
	skipped []Skipped // in version order
}

// newLegality returns the legality of no events.
func newLegality(stream string) *legality {
	l := &legality{}
	l.begin(stream)
	return l
}

// begin makes l the legality of no events of a stream. A fold of many streams begins it again, with
// the same array of slots.
func (l *legality) begin(stream string) {
	uti, isTrade := strings.CutPrefix(stream, tradeStreams)
	*l = legality{stream: stream, trade: isTrade, line: timeline{slots: l.line.slots[:0]}}
	switch {
	case isTrade:
		l.now.UTI = uti
	case strings.HasPrefix(stream, curveStreams):
		l.allows = func(l timeline, s Slot) *Refusal { return l.checkMark(stream, s) }
	case strings.HasPrefix(stream, confirmationStreams):
		l.allows = checkConfirm
	}
}

// legalityOf takes the events known at a time, which may come in any order. Its slots are those of
// the legal events.
func legalityOf(stream string, events []Event, at AsOf) *legality {
	l := newLegality(stream)
	l.takeAll(events, at)
	return l
}

// takeAll takes the first events of a stream: those known at a time.
func (l *legality) takeAll(events []Event, at AsOf) {
	history := inOrder(at.known(events))
	l.skipped = Skips(l.stream, history)
	l.line.slots = slices.Grow(l.line.slots, len(history))
	for _, e := range history {
		if !l.take(e) {
			break
		}
	}
}

// take adds the next event, if it is legal and the stream is not parked. It reports whether it did.
// An illegal event parks the stream and leaves the slots and now as they were.
func (l *legality) take(e Event) bool {
	if l.parked != nil {
		return false
	}
	if l.leavesOut(e.ID) {
		return true
	}
	if r := l.check(e); r != nil {
		l.parked = &Parked{l.stream, e.Version, e.ID, e.Actor, r.Rule, r.Detail, l.now.Book}
		return false
	}
	return true
}

// leavesOut reports whether an event is skipped.
func (l *legality) leavesOut(id uuid.UUID) bool {
	return slices.ContainsFunc(l.skipped, func(s Skipped) bool { return s.Event == id })
}

// check puts the next event into its slot, and the contract after it into now. It refuses an
// illegal event, and then leaves both as they were.
func (l *legality) check(e Event) *Refusal {
	switch b := e.Body.(type) {
	case Unreadable:
		return refuse(IsUnreadable, "%s", b.Cause)
	case EventSkipped:
		if !l.leavesOut(b.Event) {
			return refuse(UnknownEvent, "no event %s before version %d", b.Event, e.Version)
		}
		return nil
	}
	if !l.trade && l.allows == nil {
		return nil
	}
	if !hasFourDigitYear(e.EffectiveAt) || !hasFourDigitYear(e.EnteredAt) {
		return refuse(BadTerms, "its times are not within the years 1 to 9999")
	}
	var standing Event
	if e.Corrects != uuid.Nil {
		if i, ok := l.line.find(e.Corrects); ok {
			standing = l.line.slots[i].Event
		}
	}
	i, r := l.line.take(e)
	if r != nil {
		return r
	}
	if r = l.checkSlot(l.line.slots[i]); r != nil {
		l.line.undo(i, e, standing)
	}
	return r
}

// checkSlot refuses an event that is illegal in its slot. Otherwise it puts the contract after it
// into now.
func (l *legality) checkSlot(slot Slot) *Refusal {
	if !l.trade {
		return l.allows(l.line, slot)
	}
	comesLast := slot.Event.Corrects == uuid.Nil && l.now.Status != Voided &&
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

// checkMark refuses an event in a slot of a curve, unless it is a mark of that curve, in the
// currency of its other marks. Those are legal and share one, so the first of them is enough.
func (l timeline) checkMark(stream string, slot Slot) *Refusal {
	m, isMark := slot.Event.Body.(PriceMarked)
	if !isMark {
		return refuse(WrongKind, "%s is not an event of a curve", operation(slot.Event.Body))
	}
	if CurveStream(m.Curve) != stream {
		return refuse(BadTerms, "a mark of curve %q in stream %s", m.Curve, stream)
	}
	if r := m.check(); r != nil {
		return r
	}
	for _, other := range l.slots[:min(2, len(l.slots))] {
		is, _ := other.Event.Body.(PriceMarked)
		if other.Version != slot.Version && is.Currency != m.Currency {
			return refuse(OtherCurrency, "a mark in %s, but %s is marked in %s",
				m.Currency, m.Curve, is.Currency)
		}
	}
	return nil
}

// refold folds all slots again.
func (l *legality) refold() *Refusal {
	slots := l.line.slots
	if !slices.IsSortedFunc(slots, Slot.Compare) {
		slots = effective(slots, time.Time{})
	}
	now, bad := foldSlots(l.now.unbegun(), slots)
	if bad != nil {
		return refuse(bad.Refusal.Rule, "version %d: %s", bad.Version, bad.Refusal.Detail)
	}
	l.now, l.last = now, slots[len(slots)-1]
	return nil
}

// until returns the contract after the slots up to an effective time. The zero time does not limit.
func (l *legality) until(effectiveAt time.Time) Trade {
	if effectiveAt.IsZero() {
		return l.now
	}
	slots := effective(l.line.slots, effectiveAt)
	if len(slots) == len(l.line.slots) {
		return l.now
	}
	t, bad := foldSlots(l.now.unbegun(), slots)
	if bad != nil { // the first slots of a legal fold
		panic(fmt.Sprintf("trade: the legal prefix of %s is illegal: %v", l.stream, bad))
	}
	return t
}

// unparked returns the slots of a history and the contract after them, or refuses a command to a
// parked stream.
func unparked(stream string, history []Event) (timeline, Trade, *Refusal) {
	l := legalityOf(stream, history, AsOf{})
	if l.parked != nil {
		return l.line, l.now, refuse(IsParked, "%v", l.parked)
	}
	return l.line, l.now, nil
}

// known returns the events that are recorded by the known time of a.
func (a AsOf) known(events []Event) []Event {
	if a.Known.IsZero() {
		return events
	}
	unknown := func(e Event) bool { return !a.Knows(e.RecordedAt) }
	return slices.DeleteFunc(slices.Clone(events), unknown)
}

// inOrder returns a history in version order.
func inOrder(history []Event) []Event {
	if slices.IsSortedFunc(history, byVersion) {
		return history
	}
	return slices.SortedFunc(slices.Values(history), byVersion)
}
