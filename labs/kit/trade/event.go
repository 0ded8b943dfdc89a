package trade

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
)

// An Event is one recorded fact as the domain sees it: its place, its times, and a body with
// the facts. Payload bytes, traces and positions concern the store and do not come here.
type Event struct {
	ID          uuid.UUID
	Version     int64     // dense within its stream, from 1
	Corrects    uuid.UUID // the event that this one replaces; nil for an event that corrects none
	EffectiveAt time.Time // when it is true in the business
	EnteredAt   time.Time // when it was entered at the desk
	RecordedAt  time.Time // when the store took it
	Actor       string    // the opaque principal that sent it; see FollowUpActor
	Body        Body
}

// AsOf selects a part of a history by two times: the events recorded up to Known, and of those the
// slots effective up to Effective. A zero time does not limit.
type AsOf struct{ Known, Effective time.Time }

// Knows reports whether an event recorded at t is known.
func (a AsOf) Knows(t time.Time) bool { return a.Known.IsZero() || !t.After(a.Known) }

// Counts reports whether an event effective at t counts.
func (a AsOf) Counts(t time.Time) bool { return a.Effective.IsZero() || !t.After(a.Effective) }

// A Command asks for one change. A command about a trade names its UTI; a price mark names its
// curve in the body.
type Command struct {
	ID          string // unique for all time: sending a command again is safe
	UTI         string // empty for PriceMarked
	EnteredAt   time.Time
	EffectiveAt time.Time // zero: that of the corrected event; of a voided NEW; else EnteredAt
	Actor       string    // opaque principal
	Approver    string    // the second principal, where a rule requires one
	Reason      string
	Corrects    uuid.UUID // set: the command corrects this event, and Body restates it
	Body        Body

	// PriceUnit is the unit of energy or volume that all prices in Body are per. Empty, it is the
	// unit of the delivery point, and the quantity must not be in another unit of energy.
	PriceUnit Unit `json:",omitempty"`

	// The place that the command came from is no part of its digest: the same command may be sent
	// again from elsewhere.
	Source     string `json:"-"` // a file or a client
	SourceLine int64  `json:"-"` // 1-based line in Source; zero if it has no lines

	// SubmittedBy is the principal that signed in to send the command. It is no part of the digest:
	// the same command may be sent again by another one.
	SubmittedBy string `json:"-"`

	// SourceRecordedAt is the time at which another system recorded the command, if it is taken
	// from the history of that system. It is no part of the digest.
	SourceRecordedAt time.Time `json:"-"`

	// Voids is set in a follow-up that voids: the event that began the contract. The event may be
	// on another stream, if the contract that was to begin there was refused.
	Voids uuid.UUID `json:",omitzero"`
}

// Label names a command for people: its operation, and its variant if it has some, such as
// "NOVATE remaining".
func (c Command) Label() string {
	if c.Corrects != uuid.Nil {
		return "AMEND correction"
	}
	operation := KindOf(c.Body).Operation
	if v, ok := c.Body.(interface{ variant() string }); ok {
		operation += " " + v.variant()
	}
	return operation
}

// entryTolerance is how much the clock of the machine where a command was entered may be ahead of
// the clock of the log.
const entryTolerance = time.Minute

// CheckEntry refuses a command that was entered more than a minute after now, the time of the log's
// clock. It returns nil for any other command.
func (c Command) CheckEntry(now time.Time) *Refusal {
	if !c.EnteredAt.After(now.Add(entryTolerance)) {
		return nil
	}
	return refuse(EnteredInFuture, "entered_at is %s, and the log's clock shows %s",
		c.EnteredAt.UTC().Format(time.RFC3339Nano), now.UTC().Format(time.RFC3339Nano))
}

// Prefixes of the names of streams.
const (
	tradeStreams        = "trade/"
	curveStreams        = "curve/"
	confirmationStreams = "confirmation/"
	refusedStreams      = "refused/"
)

// SnapshotStream is the name of the stream of snapshots.
const SnapshotStream = "snapshots"

// BackfillStream is the name of the stream of adopted histories of other systems.
const BackfillStream = "backfills"

// Folds reports whether the events of a stream make the state. A refusal, a snapshot, a backfill
// and a confirmation do not.
func Folds(stream string) bool {
	return strings.HasPrefix(stream, tradeStreams) || strings.HasPrefix(stream, curveStreams)
}

// TradeStream returns the name of the stream of a trade.
func TradeStream(uti string) string { return tradeStreams + uti }

// CurveStream returns the name of the stream of a price curve.
func CurveStream(curve string) string { return curveStreams + curve }

// ConfirmationStream returns the name of the stream of the confirmation of a trade.
func ConfirmationStream(uti string) string { return confirmationStreams + uti }

// Stream returns the stream that c writes to: trade/<UTI>, confirmation/<UTI> or curve/<name>.
func (c Command) Stream() string {
	switch b := c.Body.(type) {
	case PriceMarked:
		return CurveStream(b.Curve)
	case Confirm:
		return ConfirmationStream(c.UTI)
	}
	return TradeStream(c.UTI)
}

// RefusedStream returns the stream on which a refusal of c is recorded: refused/<UTI> or
// refused/curve/<name>.
func (c Command) RefusedStream() string {
	if m, ok := c.Body.(PriceMarked); ok {
		return refusedStreams + CurveStream(m.Curve)
	}
	return refusedStreams + c.UTI
}

// Subject returns the stream of the trade or curve that a stream is about. For refused/<UTI> and
// confirmation/<UTI> that is trade/<UTI>, for refused/curve/<name> it is curve/<name>, and every
// other stream is about itself. A command writes to one of two streams with the same subject.
func Subject(stream string) string {
	if uti, confirms := strings.CutPrefix(stream, confirmationStreams); confirms {
		return TradeStream(uti)
	}
	about, refused := strings.CutPrefix(stream, refusedStreams)
	switch {
	case !refused:
		return stream
	case strings.HasPrefix(about, curveStreams):
		return about
	}
	return TradeStream(about)
}

// EventID returns the id of the n-th event that a command puts on record, accepted or refused. It
// is a UUIDv8 (RFC 9562, section 5.8) of SHA-256 over a domain tag, n in four bytes big-endian,
// and the command's id.
func EventID(commandID string, n uint32) uuid.UUID {
	tagged := binary.BigEndian.AppendUint32([]byte("blotter/event-id/v1\x00"), n)
	return uuid8(sha256.Sum256(append(tagged, commandID...)))
}

// Digest returns SHA-256 of everything that c says, as JSON with its fields in the order of the
// struct. Times are microseconds since 1970, so their zone does not matter. A default that follows
// from c alone counts as said. The times of an option's window are RFC 3339: a window that reaches
// past the year 9999 panics, and import lines refuse it. Two commands with one id and two digests
// are a mistake of the sender.
func (c Command) Digest() [sha256.Size]byte {
	c.EffectiveAt, c.PriceUnit = c.saidEffectiveAt(), c.saidPriceUnit()
	text, err := json.Marshal(struct {
		Kind                   string
		EnteredAt, EffectiveAt int64 // in place of those of Command
		Command
	}{KindOf(c.Body).Operation, c.EnteredAt.UnixMicro(), c.EffectiveAt.UnixMicro(), c})
	if err != nil { // every field is plain data
		panic(fmt.Sprintf("trade: a command that does not marshal: %v", err))
	}
	return sha256.Sum256(append([]byte("blotter/command/v2\x00"), text...))
}

// saidEffectiveAt returns the effective time of c, as far as it follows from c alone: a correction
// and a void take that of another event.
func (c Command) saidEffectiveAt() time.Time {
	cancel, _ := c.Body.(Cancel)
	if !c.EffectiveAt.IsZero() || c.Corrects != uuid.Nil || cancel.Kind == Void {
		return c.EffectiveAt
	}
	return c.EnteredAt
}

// ContentID returns a UUIDv8 of c's Digest. The event that c becomes carries it as its causation
// id. It distinguishes the same command, sent again, from another command that reuses its id.
func (c Command) ContentID() uuid.UUID { return uuid8(c.Digest()) }

func uuid8(sum [sha256.Size]byte) uuid.UUID {
	id := uuid.UUID(sum[:16])
	id[6] = id[6]&0x0f | 0x80 // version 8
	id[8] = id[8]&0x3f | 0x80 // variant 10
	return id
}
