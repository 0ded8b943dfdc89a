package trade

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
)

// The principals of follow-ups: the actor of each, and the approver of those that correct or void.
const (
	FollowUpActor    = "process/follow-ups"
	FollowUpApprover = "process/follow-ups/control"
)

// FollowUps returns the commands to other contracts of ours that the event cause, of the contract
// uti, leads to:
//
//   - NOVATE in the role remaining begins a contract with the incoming party. A physical EXERCISE
//     begins a contract on the underlying, at the strike.
//   - A correction of such an event restates the NEW of the other contract. So does every event
//     that changes the terms of the other contract: a late price, or a correction of this
//     contract's NEW.
//   - A contract that no longer begins is voided: its cause was corrected to quantity zero, or this
//     contract was voided.
//
// It depends only on the history up to cause and including it. The ids and times of the commands
// depend on cause, and not on its recorded time, so the same commands are derived again. Without a
// contract that began from this one there are no follow-ups, and the check costs one look at each
// event. An event that does not count (see Legal) has no follow-ups either. Where a later event of
// the history skips an illegal one, those between them count, and have theirs.
func FollowUps(uti string, history []Event, cause Event) []Command {
	if !slices.ContainsFunc(history, func(e Event) bool { return Begun(e.Body) != "" }) {
		return nil
	}
	history, _ = Legal(TradeStream(uti), history)
	line := upTo(history, cause.Version)
	own, counts := line.find(cause.ID)
	if !counts {
		return nil
	}
	before, after := upTo(history, cause.Version-1).successors(uti), line.successors(uti)
	var all []Command
	for i, slot := range line.slots {
		old, did := before[slot.Version]
		terms, does := after[slot.Version]
		// Where the correction of a cause was refused, restating the cause tries again, even if it
		// restates the same.
		if did != does || does && (i == own || !old.same(terms)) {
			cmd := followUp(uti, cause, slot, i == own)
			all = append(all, cmd.withBody(slot, did, does, terms))
		}
	}
	return all
}

// followUp returns the envelope of a follow-up: a command to the contract that begins from a slot,
// because of cause.
func followUp(uti string, cause Event, slot Slot, own bool) Command {
	id := followUpID(cause.ID)
	if !own {
		id = fmt.Sprintf("%s/%d", id, slot.Version)
	}
	return Command{
		ID: id, UTI: Begun(slot.Event.Body),
		EnteredAt: cause.EnteredAt, EffectiveAt: slot.Event.EffectiveAt,
		Actor: FollowUpActor, Source: FollowUpActor,
		Reason: fmt.Sprintf("follows %s of %s, event %s",
			KindOf(cause.Body).Operation, uti, cause.ID),
	}
}

// withBody makes c begin the contract of a slot, restate it if it had begun before, or void it if
// it no longer begins.
func (c Command) withBody(slot Slot, did, does bool, terms New) Command {
	begun := EventID(followUpID(slot.Root), 0) // its NEW, if that was accepted
	switch {
	case !does:
		c.Voids, c.Body, c.Approver = begun, Cancel{Kind: Void}, FollowUpApprover
		c.EffectiveAt = time.Time{} // that of the NEW
	case did:
		c.Corrects, c.Body, c.Approver = begun, terms, FollowUpApprover
	default:
		c.Body = terms
	}
	return c
}

const followUpPrefix = "follow-up/"

func followUpID(cause uuid.UUID) string { return followUpPrefix + cause.String() }

// IsFollowUp reports whether a command id is one of those of FollowUps. No other command may use
// them: a command with the id of a future follow-up would block it for good.
func IsFollowUp(commandID string) bool { return strings.HasPrefix(commandID, followUpPrefix) }

const snapshotPrefix = "snapshot/"

// SnapshotID returns the command id of the event that records a snapshot. A name is recorded once.
func SnapshotID(name string) string { return snapshotPrefix + name }

const skipPrefix = "skip/"

// SkipID returns the command id of the event that skips another one. An event is skipped once.
func SkipID(skipped uuid.UUID) string { return skipPrefix + skipped.String() }

const backfillPrefix = "backfill/"

// BackfillID returns the command id of the event that records the adoption of a file, by the digest
// of its content. A file is adopted once.
func BackfillID(file [sha256.Size]byte) string { return fmt.Sprintf("%s%x", backfillPrefix, file) }

const restorePrefix = "restore/"

// RestoreID returns the command id of the event that records that the log was made again from its
// archive, by the signed root of the archive.
func RestoreID(root [sha256.Size]byte) string { return fmt.Sprintf("%s%x", restorePrefix, root) }

const approvalPrefix = "approved/"

// ApprovalID returns the command id under which a refused command is sent again with its approver,
// by the event of the refusal. A refusal is approved once.
func ApprovalID(refused uuid.UUID) string { return approvalPrefix + refused.String() }

// IsApproval reports whether a command id is one of those of ApprovalID.
func IsApproval(commandID string) bool { return strings.HasPrefix(commandID, approvalPrefix) }

var reservedPrefixes = []string{
	followUpPrefix, snapshotPrefix, skipPrefix, backfillPrefix, restorePrefix, approvalPrefix,
}

// ReservedPrefixes names the prefixes of reserved ids, for people.
func ReservedPrefixes() string {
	last := len(reservedPrefixes) - 1
	return strings.Join(reservedPrefixes[:last], ", ") + " or " + reservedPrefixes[last]
}

// IsReserved reports whether an id is reserved for a follow-up, a snapshot, a skip, a backfill, a
// restore or an approval. The desk refuses other commands with it.
func IsReserved(commandID string) bool {
	return slices.ContainsFunc(reservedPrefixes, func(prefix string) bool {
		return strings.HasPrefix(commandID, prefix)
	})
}

// upTo returns the slots of a legal history by its events up to a version.
func upTo(history []Event, version int64) timeline {
	later := func(e Event) bool { return e.Version > version }
	return timelineOf(slices.DeleteFunc(slices.Clone(history), later))
}

// successors returns the terms of the contracts that begin from the contract uti, by the version of
// the slot. A voided contract has no successors. The slots are legal.
func (l timeline) successors(uti string) map[int64]New {
	all, t := map[int64]New{}, Trade{UTI: uti}
	for _, s := range effective(l.slots, time.Time{}) {
		next, r := Evolve(t, s)
		if r != nil {
			panic(fmt.Sprintf("trade: the history of %s is illegal: version %d: %v",
				uti, s.Version, r))
		}
		if next.Status == Voided {
			return nil
		}
		if Begun(s.Event.Body) != "" && !annuls(s.Event) {
			all[s.Version] = t.successor(s.Event.Body.(Beginner))
		}
		t = next
	}
	return all
}

// successor returns the terms of the contract that begins where a part of t ends.
func (t Trade) successor(cause Beginner) New {
	n := t.Terms
	n.Price, n.PriorUTI = t.Price, t.UTI
	n.Fee, n.Capacity, n.CarriedIn = Decimal{}, Decimal{}, Decimal{}
	cause.carryOver(t, &n)
	return n
}

// same reports whether two contracts begin with the same terms.
func (n New) same(o New) bool { return Command{Body: n}.Digest() == Command{Body: o}.Digest() }
