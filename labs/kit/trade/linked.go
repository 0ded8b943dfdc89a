package trade

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
)

// Two contracts are linked if one began from the other. They change together: a command is accepted
// only if its follow-ups are, and theirs. So Decide needs the histories of the contracts that a
// command can reach.

// Linked returns the streams of the contracts that cmd may begin, change or void by its follow-ups,
// given the history of its own stream. In each of them, the streams of Successors come next. The
// contract that a Confirm is about is linked, too.
func Linked(history []Event, cmd Command) []string {
	var all []string
	if _, ok := cmd.Body.(Confirm); ok {
		return []string{TradeStream(cmd.UTI)}
	}
	if uti := Begun(cmd.Body); uti != "" {
		all = append(all, TradeStream(uti))
	}
	if cmd.ChangesSuccessors() {
		all = append(all, Successors(history)...)
	}
	return all
}

// ChangesSuccessors reports whether cmd may change contracts that began from its own before: it
// corrects, changes terms or voids.
func (c Command) ChangesSuccessors() bool {
	cancel, _ := c.Body.(Cancel)
	return c.Stream() == TradeStream(c.UTI) &&
		(c.Corrects != uuid.Nil || KindOf(c.Body).ChangesTerms() || cancel.Kind == Void)
}

// Successors returns the streams of the contracts of ours that a history names as begun from its
// own. Some of them may have been annulled, or may never have begun.
func Successors(history []Event) []string {
	var all []string
	for _, e := range history {
		if uti := Begun(e.Body); uti != "" && !slices.Contains(all, TradeStream(uti)) {
			all = append(all, TradeStream(uti))
		}
	}
	return all
}

// checkFollowUps refuses a command of which a follow-up would be refused, with the rule of that
// follow-up. It decides them, and theirs, on a copy of the streams. Follow-ups of earlier events
// come first, if a process that ended before has not issued them.
func checkFollowUps(streams map[string][]Event, cmd Command, d Decision) *Refusal {
	if len(Linked(streams[cmd.Stream()], cmd)) == 0 {
		return nil
	}
	copied := maps.Clone(streams)
	cause := record(copied, cmd, d)
	history := copied[cmd.Stream()]
	own := FollowUps(cmd.UTI, history, cause)
	for _, earlier := range history[:len(history)-1] {
		for _, next := range FollowUps(cmd.UTI, history, earlier) {
			_ = issue(copied, next) // refused, it is orphaned already
		}
	}
	for _, next := range own {
		if r := issue(copied, next); next.OrphanedBy(r) {
			return refuse(r.Rule, "the follow-up on %s would be refused: %s", next.UTI, r.Detail)
		}
	}
	return nil
}

// issue decides a follow-up and records it, unless it is on record.
func issue(streams map[string][]Event, cmd Command) *Refusal {
	id := EventID(cmd.ID, 0)
	if slices.ContainsFunc(streams[cmd.Stream()], func(e Event) bool { return e.ID == id }) {
		return nil
	}
	d, r := decideTrade(streams, cmd)
	if r == nil {
		record(streams, cmd, d)
	}
	return r
}

// record appends the event of a decision to its stream. It leaves the array of the stream alone,
// which others may share.
func record(streams map[string][]Event, cmd Command, d Decision) Event {
	history := streams[cmd.Stream()]
	e := Event{
		ID: EventID(cmd.ID, 0), Version: nextVersion(history), Corrects: d.Corrects,
		EffectiveAt: d.EffectiveAt, EnteredAt: cmd.EnteredAt, Actor: cmd.Actor, Body: d.Body,
	}
	streams[cmd.Stream()] = append(slices.Clip(history), e)
	return e
}

// nextVersion returns the version after the last one of a history.
func nextVersion(history []Event) int64 {
	next := int64(1)
	for _, e := range history {
		next = max(next, e.Version+1)
	}
	return next
}

// OrphanedBy reports whether a refusal makes the follow-up c orphaned. A void does not need to
// succeed where there is no contract to void, or the contract is voided already.
func (c Command) OrphanedBy(r *Refusal) bool {
	return r != nil && (c.Voids == uuid.Nil || r.Rule != UnknownEvent && r.Rule != IsVoided)
}

// A Mismatch is a contract that does not match the contract that it began from, or was to begin
// from. Only a race between processes can leave one: Decide refuses every other way to it.
type Mismatch struct {
	UTI   string   `json:"uti"`
	Cause string   `json:"cause"` // the UTI of the other contract
	Why   string   `json:"why"`
	Books []string `json:"books"` // the affected books, sorted
}

// Mismatches compares every contract that an event begins with the terms that the event determines,
// by the events known at a time; the zero time does not limit. They are sorted by cause.
func Mismatches(streams map[string][]Event, known time.Time) []Mismatch {
	var all []Mismatch
	for _, stream := range slices.Sorted(maps.Keys(streams)) {
		uti, isTrade := strings.CutPrefix(stream, tradeStreams)
		if isTrade && len(Successors(streams[stream])) > 0 {
			all = append(all, mismatches(uti, streams, AsOf{Known: known})...)
		}
	}
	return all
}

// mismatches compares the contracts that began from the contract uti.
func mismatches(uti string, streams map[string][]Event, at AsOf) (all []Mismatch) {
	cause := legalityOf(TradeStream(uti), streams[TradeStream(uti)], at)
	terms := cause.line.successors(uti)
	for _, slot := range cause.line.slots {
		begun := Begun(slot.Event.Body)
		if begun == "" {
			continue
		}
		next := legalityOf(TradeStream(begun), streams[TradeStream(begun)], at).line
		m := Mismatch{UTI: begun, Cause: uti, Books: []string{cause.now.Book}}
		if next.beganFrom(slot) {
			m.Books = append(m.Books, next.slots[0].Event.Body.(New).Book)
			slices.Sort(m.Books)
			m.Books = slices.Compact(m.Books)
		}
		n, does := terms[slot.Version]
		if m.Why = next.differs(slot, n, does); m.Why != "" {
			all = append(all, m)
		}
	}
	return all
}

// beganFrom reports whether the contract began from a slot of another one.
func (l timeline) beganFrom(cause Slot) bool {
	return len(l.slots) > 0 && l.slots[0].Root == EventID(followUpID(cause.Root), 0)
}

// differs says how the contract differs from the one that its cause determines: it begins with
// terms n, or does not begin. It is empty if they match.
func (l timeline) differs(cause Slot, n New, does bool) string {
	voided := slices.ContainsFunc(l.slots, func(s Slot) bool {
		c, _ := s.Event.Body.(Cancel)
		return c.Kind == Void
	})
	switch began := l.beganFrom(cause); {
	case !does && (!began || voided):
		return ""
	case !does:
		return "it is to be voided"
	case !began:
		return "it is to begin"
	case voided:
		return "it is voided"
	}
	standing := l.slots[0].Event
	moved := !standing.EffectiveAt.Equal(cause.Event.EffectiveAt)
	if what := n.determined(standing.Body.(New), moved); what != "" {
		return "its cause determines another " + what
	}
	return ""
}
