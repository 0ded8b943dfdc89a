package contract

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
)

// An Event is what a producer hands to the store.
type Event struct {
	ID          uuid.UUID // the idempotency key
	Stream      string    // the aggregate, such as trade/<UTI>
	Type        string    // stable dotted name, such as trade.novated; never a Go type's name
	Schema      int       // version of Type's schema, 1-based
	Fingerprint [32]byte  // SHA-256 of the schema's Parsing Canonical Form (Avro 1.11.1): independent of any registry
	EffectiveAt time.Time // valid time: when it is true in the business; the producer's claim; UTC, microseconds
	Corrects    uuid.UUID // the event this one replaces, in the same stream; zero for none
	Actor       string    // opaque principal, never empty
	Approver    string    // the second pair of eyes, where a rule asks for one
	Reason      string    // never empty, no personal data
	Correlation uuid.UUID // what it belongs to
	Causation   uuid.UUID // what caused it: a command's content id, or the event a process reacted to
	Traceparent string    // W3C Trace Context; may change on a retry
	Source      string    // where it came from
	Ends        bool      // nothing can follow it: its stream ends with it
	Data        []byte    // Confluent wire format: 0x00, schema id in 4 bytes big-endian, Avro body
	BodyDigest  [32]byte  // see Offloaded; zero in every event that a producer hands over or a reader is given
}

// Offloaded says whether the Avro body of e is in object storage (Blobs), under the digest BodyDigest, and Data is what stands before
// it in the wire format. That is how a log keeps an event whose payload is too large for it: the claim check of the CloudEvents
// extension "dataref", which likewise is an attribute and no payload of a special kind.
func (e Event) Offloaded() bool { return e.BodyDigest != [32]byte{} }

// wireHead is the bytes of Data before the Avro body.
const wireHead = 5

// payload is what stands before the Avro body and the body's SHA-256, the same whether the body is offloaded or not.
func (e Event) payload() (head []byte, body [sha256.Size]byte) {
	if e.Offloaded() {
		return e.Data, e.BodyDigest
	}
	n := min(wireHead, len(e.Data))
	return e.Data[:n], sha256.Sum256(e.Data[n:])
}

// A Recorded event has its place: version and time given by the store, position by the feed it was read from.
type Recorded struct {
	Event
	Version    int64     // dense and 1-based within Stream
	RecordedAt time.Time // transaction time: UTC, microseconds; never runs backwards within a partition
	Position   Position
}

// A Receipt is what Append returns for each event.
type Receipt struct {
	Version    int64
	RecordedAt time.Time
}

// Limits that every store enforces, so that the audit's leaf always fits (see audit.go).
const (
	MaxAttribute = 1024     // bytes of each text attribute
	MaxData      = 1 << 20  // bytes of Data
	MaxOffload   = 64 << 20 // bytes of an Avro body in object storage
)

// Reserved is how the types of records begin that a store writes for itself.
const Reserved = "blotter."

// ErrInvalid is wrapped by the error of an event that no store takes.
var ErrInvalid = errors.New("invalid event")

// Validate says what is wrong with e, if anything. Every store calls it before anything is written.
func (e Event) Validate() error {
	bad := func(format string, args ...any) error {
		return fmt.Errorf("%w %s: %s", ErrInvalid, e.ID, fmt.Sprintf(format, args...))
	}
	required := []struct{ name, value string }{
		{"stream", e.Stream}, {"type", e.Type}, {"actor", e.Actor}, {"reason", e.Reason}, {"source", e.Source},
	}
	for _, a := range required {
		if a.value == "" {
			return bad("%s is empty", a.name)
		}
	}
	for _, a := range append(required, struct{ name, value string }{"approver", e.Approver}, struct{ name, value string }{"traceparent", e.Traceparent}) {
		if len(a.value) > MaxAttribute {
			return bad("%s has %d bytes, at most %d go in", a.name, len(a.value), MaxAttribute)
		}
		if !utf8.ValidString(a.value) || strings.ContainsRune(a.value, 0) {
			return bad("%s is not UTF-8, or has a zero byte, which PostgreSQL has no room for", a.name)
		}
	}
	switch year := e.EffectiveAt.UTC().Year(); {
	case e.ID == uuid.Nil:
		return bad("id is zero")
	case strings.HasPrefix(e.Type, Reserved):
		return bad("type %s: what begins with %s is the stores' own", e.Type, Reserved)
	case e.Schema < 1:
		return bad("schema version %d, want 1 or more", e.Schema)
	case e.EffectiveAt.IsZero() || !e.EffectiveAt.Equal(e.EffectiveAt.Truncate(time.Microsecond)):
		return bad("effective_at %s is zero or finer than a microsecond", e.EffectiveAt)
	case year < 1 || year > 9999: // RFC 3339, section 5.6
		return bad("effective_at is in the year %d, which has no four digits", year)
	case len(e.Data) < wireHead || e.Data[0] != 0:
		return bad("data is not in the Confluent wire format")
	case len(e.Data) > MaxData:
		return bad("data has %d bytes, at most %d go in", len(e.Data), MaxData)
	case e.Offloaded() && len(e.Data) != wireHead:
		return bad("data has %d bytes, and its body is offloaded", len(e.Data))
	}
	return nil
}

// ContentDigest is what "the same event again" means: everything the producer says, and nothing that a retry may
// change. Left out are traceparent, the registry's id (the first five bytes of Data), where the payload is kept, and what the
// store gives. Each field goes in with its length before it, so no two events share a digest by shifting bytes between fields.
func (e Event) ContentDigest() [sha256.Size]byte {
	h := sha256.New()
	for _, text := range []string{"blotter/event/v2", e.Stream, e.Type, e.Actor, e.Approver, e.Reason, e.Source} {
		prefixed(h, []byte(text))
	}
	prefixed(h, e.ID[:])
	prefixed(h, e.Fingerprint[:])
	prefixed(h, binary.BigEndian.AppendUint64(nil, uint64(e.EffectiveAt.UnixMicro())))
	prefixed(h, e.Corrects[:])
	prefixed(h, e.Correlation[:])
	prefixed(h, e.Causation[:])
	prefixed(h, flag(e.Ends))
	_, body := e.payload()
	prefixed(h, body[:])
	return [sha256.Size]byte(h.Sum(nil))
}

func prefixed(w io.Writer, b []byte) {
	w.Write(binary.BigEndian.AppendUint32(nil, uint32(len(b))))
	w.Write(b)
}

func flag(b bool) []byte {
	if b {
		return []byte{1}
	}
	return []byte{0}
}
