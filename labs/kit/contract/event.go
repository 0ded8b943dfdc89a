package contract

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
)

// An Event is the unit that a producer hands to the store.
type Event struct {
	ID          uuid.UUID // the idempotency key
	Stream      string    // the aggregate, such as trade/<UTI>
	Type        string    // stable dotted name, such as trade.novated; never a Go type's name
	Schema      int       // version of Type's schema, 1-based
	Fingerprint [32]byte  // SHA-256 of the schema's Parsing Canonical Form (Avro 1.11.1)
	EffectiveAt time.Time // valid time, the producer's claim; UTC, microseconds
	Corrects    uuid.UUID // the event of this stream that this one replaces; zero for none
	EnteredAt   time.Time // time of entry at the desk, the producer's claim; UTC, microseconds
	CommandID   string    // the command that it records, never empty
	Actor       string    // opaque principal, never empty
	Approver    string    // the second principal, where a rule requires one
	Reason      string    // never empty, no personal data
	Correlation uuid.UUID // groups the events of one business transaction
	Causation   uuid.UUID // its cause: a command's content id, or the event that a process handled
	Traceparent string    // W3C Trace Context; may change on a retry
	Source      string    // the file or client that it came from, never empty
	SourceLine  int64     // the line in Source, 1-based; zero if Source has no lines
	SubmittedBy string    // the authenticated principal that sent it; empty if nobody signed in
	AppendGroup uuid.UUID // shared by the events of one append to several streams; zero for none
	// SourceRecordedAt is the time that another system recorded the event, if it was copied from
	// there; zero for none; UTC, microseconds.
	SourceRecordedAt time.Time
	Ends             bool     // the last event of its stream
	Data             []byte   // Confluent wire format: 0x00, schema id (4 bytes), Avro body
	BodyDigest       [32]byte // see Offloaded; zero in every event that is appended or read
}

// Offloaded reports whether the Avro body of e is in object storage (Blobs) under BodyDigest. Data
// then holds only the prefix of the wire format. A log keeps events in this form if their payloads
// are too large for it: the claim check of the CloudEvents extension "dataref", which is an
// attribute, too, and not a special payload.
func (e Event) Offloaded() bool { return e.BodyDigest != [32]byte{} }

// wirePrefix is the number of bytes in Data before the Avro body.
const wirePrefix = 5

// payload returns the prefix of Data and the SHA-256 of the Avro body. They are the same whether
// the body is offloaded or not.
func (e Event) payload() (prefix []byte, body [sha256.Size]byte) {
	if e.Offloaded() {
		return e.Data, e.BodyDigest
	}
	n := min(wirePrefix, len(e.Data))
	return e.Data[:n], sha256.Sum256(e.Data[n:])
}

// A Recorded event has its place in the log. The store gives version and time, the feed gives the
// position.
type Recorded struct {
	Event
	Version    int64     // dense and 1-based within Stream
	RecordedAt time.Time // transaction time: UTC, microseconds; monotonic within a partition
	Position   Position
}

// A Receipt is the store's answer for each appended event.
type Receipt struct {
	Version    int64
	RecordedAt time.Time
}

// Limits that every store enforces, so that the audit's leaf always fits (see audit.go).
const (
	MaxAttribute = 1024     // bytes of each text attribute
	MaxData      = 1 << 20  // bytes of Data
	MaxOffload   = 64 << 20 // bytes of an offloaded Avro body
)

// Reserved begins the types of the records that a store writes for its own use.
const Reserved = "blotter."

// ErrInvalid is wrapped by the error of an event that no store accepts.
var ErrInvalid = errors.New("invalid event")

// Validate returns an error that wraps ErrInvalid if e breaks a rule that every store enforces. A
// store calls it before it writes anything.
func (e Event) Validate() error {
	bad := func(format string, args ...any) error {
		return fmt.Errorf("%w %s: %s", ErrInvalid, e.ID, fmt.Sprintf(format, args...))
	}
	type attribute struct{ name, value string }
	const required = 6 // of the attributes
	for i, a := range [...]attribute{
		{"stream", e.Stream}, {"type", e.Type}, {"actor", e.Actor}, {"reason", e.Reason},
		{"source", e.Source}, {"command_id", e.CommandID},
		{"approver", e.Approver}, {"traceparent", e.Traceparent}, {"submitted_by", e.SubmittedBy},
	} {
		if i < required && a.value == "" {
			return bad("%s is empty", a.name)
		}
		if len(a.value) > MaxAttribute {
			return bad("%s has %d bytes, at most %d go in", a.name, len(a.value), MaxAttribute)
		}
		if !utf8.ValidString(a.value) || strings.ContainsRune(a.value, 0) {
			return bad("%s is not UTF-8, or has a zero byte, which PostgreSQL cannot store", a.name)
		}
	}
	for _, at := range [...]struct {
		name     string
		value    time.Time
		required bool
	}{
		{"effective_at", e.EffectiveAt, true}, {"entered_at", e.EnteredAt, true},
		{"source_recorded_at", e.SourceRecordedAt, false},
	} {
		switch year := at.value.UTC().Year(); {
		case at.value.IsZero() && !at.required:
		case at.value.IsZero(), !at.value.Equal(at.value.Truncate(time.Microsecond)):
			return bad("%s %s is zero or finer than a microsecond", at.name, at.value)
		case year < 1 || year > 9999: // RFC 3339, section 5.6
			return bad("%s is in the year %d, which does not have four digits", at.name, year)
		}
	}
	switch {
	case e.ID == uuid.Nil:
		return bad("id is zero")
	case strings.HasPrefix(e.Type, Reserved):
		return bad("type %s: the prefix %s is reserved for the stores", e.Type, Reserved)
	case e.Schema < 1:
		return bad("schema version %d, want 1 or more", e.Schema)
	case e.SourceLine < 0:
		return bad("source_line %d is negative", e.SourceLine)
	case len(e.Data) < wirePrefix || e.Data[0] != 0:
		return bad("data is not in the Confluent wire format")
	case len(e.Data) > MaxData:
		return bad("data has %d bytes, at most %d go in", len(e.Data), MaxData)
	case e.Offloaded() && len(e.Data) != wirePrefix:
		return bad("data has %d bytes, and its body is offloaded", len(e.Data))
	}
	return nil
}

// ContentDigest defines "the same event again": it covers everything that the producer says, and
// nothing that a retry may change. It leaves out the place that the command came from this time
// (source, line, submitter), entered_at (a program may fill it in; the causation id covers a time
// that the command states), traceparent, the append group, the registry's id (the first five bytes
// of Data), whether the payload is offloaded, and everything that the store gives. Each field goes
// in with its length before it, so no two events share a digest by moving bytes between fields.
func (e Event) ContentDigest() [sha256.Size]byte {
	const size = 512 // of most events
	b := make([]byte, 0, size)
	texts := [...]string{
		"blotter/event/v3", e.Stream, e.Type, e.CommandID, e.Actor, e.Approver, e.Reason,
	}
	for _, text := range texts {
		b = prefixed(b, text)
	}
	b = prefixed(b, e.ID[:])
	b = prefixed(b, e.Fingerprint[:])
	for _, at := range [...]time.Time{e.EffectiveAt, e.SourceRecordedAt} {
		b = numbers(b, Micros(at))
	}
	b = prefixed(b, e.Corrects[:])
	b = prefixed(b, e.Correlation[:])
	b = prefixed(b, e.Causation[:])
	b = prefixed(b, flag(e.Ends))
	_, body := e.payload()
	return sha256.Sum256(prefixed(b, body[:]))
}

// Micros returns t as microseconds since 1970-01-01T00:00:00Z, and the smallest number for the zero
// time, which has no place in that count.
func Micros(t time.Time) int64 {
	if t.IsZero() {
		return math.MinInt64
	}
	return t.UnixMicro()
}

// prefixed appends a field with its length before it, in four bytes big-endian.
func prefixed[T string | []byte](dst []byte, field T) []byte {
	return append(binary.BigEndian.AppendUint32(dst, uint32(len(field))), field...)
}

// numbers appends one field of numbers, eight bytes big-endian each, with its length before it.
func numbers(dst []byte, ns ...int64) []byte {
	const size = 8
	dst = binary.BigEndian.AppendUint32(dst, uint32(size*len(ns)))
	for _, n := range ns {
		dst = binary.BigEndian.AppendUint64(dst, uint64(n))
	}
	return dst
}

func flag(b bool) []byte {
	if b {
		return []byte{1}
	}
	return []byte{0}
}
