package trade

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"
)

// An Event is a recorded fact as the domain sees it: its place and times, and what happened. Payload bytes, traces and
// positions are the store's affair and do not reach here.
type Event struct {
	ID          uuid.UUID
	Version     int64 // dense and 1-based within its stream
	Corrects    uuid.UUID
	EffectiveAt time.Time
	RecordedAt  time.Time
	Actor       string // who; see FollowUpActor
	Body        Body
}

// AsOf cuts history twice: what was known by Known (recorded_at <= Known) and what of it is true by Effective
// (effective_at <= Effective). A zero time does not cut.
type AsOf struct{ Known, Effective time.Time }

// Knows says whether an event recorded at t is known.
func (a AsOf) Knows(t time.Time) bool { return a.Known.IsZero() || !t.After(a.Known) }

// Counts says whether what is effective at t counts.
func (a AsOf) Counts(t time.Time) bool { return a.Effective.IsZero() || !t.After(a.Effective) }

// A Command asks for a change. Trade commands name a UTI, price marks a curve (in Body).
type Command struct {
	ID          string // unique for all time: sending it again is safe
	UTI         string // empty for PriceMarked
	EnteredAt   time.Time
	EffectiveAt time.Time // zero: for a correction that of the event it replaces, otherwise EnteredAt
	Actor       string    // opaque principal
	Approver    string    // the second pair of eyes, where a rule asks for one
	Reason      string
	Corrects    uuid.UUID // set: the command is an AMEND correction, and Body restates the event named
	Body        Body
	// Voids is set in a follow-up that voids: the event that began the contract, at whose effective time it is voided. The
	// stream may be another contract's, if the one that was to begin there was refused.
	Voids uuid.UUID `json:",omitzero"`
}

// Streams.

// Stream is the stream that c writes to: trade/<UTI> or curve/<name>.
func (c Command) Stream() string {
	if m, ok := c.Body.(PriceMarked); ok {
		return CurveStream(m.Curve)
	}
	return TradeStream(c.UTI)
}

// RefusedStream is where c is recorded if it is refused: refused/<UTI> or refused/curve/<name>.
func (c Command) RefusedStream() string {
	if m, ok := c.Body.(PriceMarked); ok {
		return refusedStreams + CurveStream(m.Curve)
	}
	return refusedStreams + c.UTI
}

// Prefixes of the names of streams.
const (
	tradeStreams   = "trade/"
	curveStreams   = "curve/"
	refusedStreams = "refused/"
)

// TradeStream names the stream of a trade.
func TradeStream(uti string) string { return tradeStreams + uti }

// CurveStream names the stream of a price curve.
func CurveStream(curve string) string { return curveStreams + curve }

// EventID is the id of the n-th event that the command with this id puts on record, be it acceptance or refusal: a
// UUIDv8 (RFC 9562, section 5.8) of SHA-256 over a domain tag, n in four bytes big-endian, and the command id.
func EventID(commandID string, n uint32) uuid.UUID {
	tagged := binary.BigEndian.AppendUint32([]byte("blotter/event-id/v1\x00"), n)
	return uuid8(sha256.Sum256(append(tagged, commandID...)))
}

// Digest is SHA-256 of everything c says, as JSON with its fields in the order of the struct. Times are microseconds since
// 1970, so the zone they were written in does not matter. Those of an option's window are RFC 3339: one past the year 9999
// panics, and import lines take none. Two commands with one id and two digests are a mistake
// of the sender.
func (c Command) Digest() [sha256.Size]byte {
	text, err := json.Marshal(struct {
		Kind                   string
		EnteredAt, EffectiveAt int64 // in place of those of Command
		Command
	}{KindOf(c.Body).Operation, c.EnteredAt.UnixMicro(), c.EffectiveAt.UnixMicro(), c})
	if err != nil {
		panic(fmt.Sprintf("trade: a command that does not marshal: %v", err)) // every field is plain data
	}
	return sha256.Sum256(append([]byte("blotter/command/v1\x00"), text...))
}

// ContentID is a UUIDv8 of c's Digest. The event that c leads to carries it as its causation id, so that
// the same command sent again is told from another one that reuses its id.
func (c Command) ContentID() uuid.UUID { return uuid8(c.Digest()) }

func uuid8(sum [sha256.Size]byte) uuid.UUID {
	id := uuid.UUID(sum[:16])
	id[6] = id[6]&0x0f | 0x80 // version 8
	id[8] = id[8]&0x3f | 0x80 // variant 10
	return id
}
