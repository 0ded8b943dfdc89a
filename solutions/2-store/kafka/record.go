package kafka

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/solutions/2-store/kafka/index"
)

// An event is a CloudEvent 1.0 in binary mode (CloudEvents Kafka Protocol Binding 1.0.2, section
// 3.2): attributes are headers with the prefix ce_, the value is the data, the key is the stream.
// Attribute names are lower-case letters and digits (CloudEvents 1.0.2, "Naming Conventions"). An
// attribute without a value has no header.
//
//	key  trade/UTI-1
//	     ce_specversion     1.0
//	     ce_id              8c4f2e5e-…
//	     ce_source          import
//	     ce_type            trade.amended
//	     ce_time            2025-03-30T12:00:00.000000Z recorded_at
//	     ce_version         3
//	     ce_schema          1
//	     ce_fingerprint     9f86d081…                hexadecimal
//	     ce_effectiveat     2025-03-01T00:00:00.000000Z
//	     ce_enteredat       2025-03-01T09:30:00.000000Z
//	     ce_commandid       c-0001
//	     ce_sourceline      7                        the line in ce_source
//	     ce_submittedby     the authenticated principal
//	     ce_sourcerecordedat                         another system's record time
//	     ce_appendgroup     uuid
//	     ce_corrects        uuid
//	     ce_actor, ce_approver, ce_reason
//	     ce_correlationid, ce_causationid            uuid
//	     ce_traceparent                              CloudEvents extension "Distributed Tracing"
//	     ce_ends            true                     the last event of its stream
//	     ce_dataref         sha256:9f86d081…         CloudEvents extension "Dataref": the Avro
//	                                                 body, if it was offloaded
//	     content-type       application/vnd.confluent.avro
//	value 0x00, schema id, Avro body
const (
	specVersion = "1.0"
	dataType    = "application/vnd.confluent.avro"
	isTrue      = "true"                        // CloudEvents 1.0.2, "Type System"
	timeFormat  = "2006-01-02T15:04:05.000000Z" // RFC 3339, always UTC and with microseconds
)

// buffers hold the bytes of many records. An owner uses them again for its next group, after the
// broker has the records of the last one.
type buffers struct {
	entries []byte // for the index
	values  []byte // of headers
	headers []kgo.RecordHeader
}

// reuse forgets the records. It keeps no more memory than most groups need.
func (b *buffers) reuse() {
	const most = 1 << 20
	if cap(b.entries) > most || cap(b.values) > most {
		*b = buffers{}
	}
	b.entries, b.values, b.headers = b.entries[:0], b.values[:0], b.headers[:0]
}

// encode returns the record of r, without its position, which the broker gives.
func encode(r contract.Recorded) *kgo.Record {
	const count, size = 24, 512 // of the headers of most events
	b := buffers{values: make([]byte, 0, size), headers: make([]kgo.RecordHeader, 0, count)}
	return b.encode(&r)
}

// encode returns the record of r. Its headers and their values are in b.
func (b *buffers) encode(r *contract.Recorded) *kgo.Record {
	values, from := b.values, len(b.values)
	headers, first := b.headers, len(b.headers)
	// header adds a header with the bytes that came to values since the last header, if any.
	header := func(name string) {
		if from < len(values) {
			value := values[from:len(values):len(values)]
			headers = append(headers, kgo.RecordHeader{Key: name, Value: value})
			from = len(values)
		}
	}
	text := func(name, value string) {
		values = append(values, value...)
		header(name)
	}
	number := func(name string, n int64) {
		values = strconv.AppendInt(values, n, 10)
		header(name)
	}
	id := func(name string, id uuid.UUID) {
		values = appendID(values, id)
		header(name)
	}
	at := func(name string, t time.Time) {
		values = appendTime(values, t)
		header(name)
	}
	text("ce_specversion", specVersion)
	id("ce_id", r.ID)
	text("ce_source", r.Source)
	if r.SourceLine != 0 {
		number("ce_sourceline", r.SourceLine)
	}
	text("ce_type", r.Type)
	at("ce_time", r.RecordedAt)
	number("ce_version", r.Version)
	number("ce_schema", int64(r.Schema))
	values = hex.AppendEncode(values, r.Fingerprint[:])
	header("ce_fingerprint")
	at("ce_effectiveat", r.EffectiveAt)
	at("ce_enteredat", r.EnteredAt)
	text("ce_commandid", r.CommandID)
	text("ce_submittedby", r.SubmittedBy)
	if !r.SourceRecordedAt.IsZero() {
		at("ce_sourcerecordedat", r.SourceRecordedAt)
	}
	id("ce_appendgroup", r.AppendGroup)
	id("ce_corrects", r.Corrects)
	text("ce_actor", r.Actor)
	text("ce_approver", r.Approver)
	text("ce_reason", r.Reason)
	id("ce_correlationid", r.Correlation)
	id("ce_causationid", r.Causation)
	text("ce_traceparent", r.Traceparent)
	if r.Ends {
		text("ce_ends", isTrue)
	}
	if r.Offloaded() {
		values = hex.AppendEncode(append(values, offloadScheme...), r.BodyDigest[:])
		header("ce_dataref")
	}
	text("content-type", dataType)
	b.values, b.headers = values, headers
	return &kgo.Record{
		Key: []byte(r.Stream), Value: r.Data, Headers: headers[first:len(headers):len(headers)],
	}
}

// offloadScheme precedes the hexadecimal digest of an offloaded payload. Its readers know the
// object storage.
const offloadScheme = "sha256:"

// appendTime appends t in timeFormat. With its own formats the time package is several times as
// fast.
func appendTime(dst []byte, t time.Time) []byte {
	const million = 1_000_000 // has one more digit than the fraction
	dst = t.UTC().AppendFormat(dst, time.RFC3339)
	at := len(dst) - 1 // of the Z
	dst = strconv.AppendInt(dst[:at], int64(million+t.Nanosecond()/1000), 10)
	dst[at] = '.'
	return append(dst, 'Z')
}

// parseTime returns a time in timeFormat.
func parseTime(text string) (time.Time, error) {
	if len(text) != len(timeFormat) || text[len(text)-1] != 'Z' || text[len(text)-8] != '.' {
		return time.Parse(timeFormat, text)
	}
	return time.Parse(time.RFC3339, text)
}

// appendID appends the text of an id (RFC 9562, section 4), and nothing for the zero id.
func appendID(dst []byte, id uuid.UUID) []byte {
	if id == uuid.Nil {
		return dst
	}
	dst = hex.AppendEncode(dst, id[:4])
	for at := 4; at < 10; at += 2 {
		dst = hex.AppendEncode(append(dst, '-'), id[at:at+2])
	}
	return hex.AppendEncode(append(dst, '-'), id[10:])
}

// decode is the inverse of encode. isEvent is false for the marks of owners. The error of a record
// that is neither is *contract.DamagedError.
func decode(record *kgo.Record) (r contract.Recorded, isEvent bool, err error) {
	h := headers{all: record.Headers}
	if kind := h.text("ce_type"); kind == markType || kind == frontierType {
		return r, false, nil
	}
	at := contract.Position{Partition: record.Partition, Offset: record.Offset}
	r, err = h.event()
	if err != nil {
		what := fmt.Sprintf("this record is no event: %v", err)
		return r, false, &contract.DamagedError{Position: at, What: what}
	}
	r.Stream, r.Position = string(record.Key), at
	r.Data = slices.Clip(record.Value) // the bytes after it belong to the next record
	return r, true, nil
}

// headers are those of a record. They are looked for in the order of encode, so the next one is
// usually the one that is wanted.
type headers struct {
	all  []kgo.RecordHeader
	next int
}

// value returns the value of a header, nil if there is none.
func (h *headers) value(name string) []byte {
	for range h.all {
		candidate := h.all[h.next]
		h.next = (h.next + 1) % len(h.all)
		if candidate.Key == name {
			return candidate.Value
		}
	}
	return nil
}

func (h *headers) text(name string) string { return string(h.value(name)) }

// event parses every attribute, and returns the first error.
func (h *headers) event() (r contract.Recorded, err error) {
	bad := func(name string, cause error) {
		if err == nil && cause != nil {
			err = fmt.Errorf("header %s %q: %w", name, h.value(name), cause)
		}
	}
	id := func(name string) (id uuid.UUID) {
		if text := h.value(name); len(text) > 0 {
			bad(name, id.UnmarshalText(text))
		}
		return id
	}
	at := func(name string) time.Time {
		t, cause := parseTime(h.text(name))
		bad(name, cause)
		return t
	}
	number := func(name string) int64 {
		n, cause := strconv.ParseInt(h.text(name), 10, 64)
		bad(name, cause)
		return n
	}
	if h.text("ce_specversion") != specVersion {
		bad("ce_specversion", fmt.Errorf("want %s", specVersion))
	}
	r.ID, r.Source = id("ce_id"), h.text("ce_source")
	if len(h.value("ce_sourceline")) > 0 {
		r.SourceLine = number("ce_sourceline")
	}
	r.Type, r.RecordedAt = h.text("ce_type"), at("ce_time")
	r.Version, r.Schema = number("ce_version"), int(number("ce_schema"))
	bad("ce_fingerprint", digest(&r.Fingerprint, h.value("ce_fingerprint")))
	r.EffectiveAt, r.EnteredAt = at("ce_effectiveat"), at("ce_enteredat")
	r.CommandID, r.SubmittedBy = h.text("ce_commandid"), h.text("ce_submittedby")
	if len(h.value("ce_sourcerecordedat")) > 0 {
		r.SourceRecordedAt = at("ce_sourcerecordedat")
	}
	r.AppendGroup, r.Corrects = id("ce_appendgroup"), id("ce_corrects")
	r.Actor, r.Approver, r.Reason = h.text("ce_actor"), h.text("ce_approver"), h.text("ce_reason")
	r.Correlation, r.Causation = id("ce_correlationid"), id("ce_causationid")
	r.Traceparent = h.text("ce_traceparent")
	if ends := h.text("ce_ends"); ends != "" {
		if r.Ends = ends == isTrue; !r.Ends {
			bad("ce_ends", fmt.Errorf("want %s or no such header", isTrue))
		}
	}
	if ref := h.value("ce_dataref"); len(ref) > 0 {
		text, ok := bytes.CutPrefix(ref, []byte(offloadScheme))
		if cause := digest(&r.BodyDigest, text); cause != nil || !ok {
			bad("ce_dataref", fmt.Errorf("want %s and 64 hexadecimal digits", offloadScheme))
		}
	}
	return r, err
}

func digest(to *[32]byte, text []byte) error {
	if hex.DecodedLen(len(text)) == len(to) {
		if _, err := hex.Decode(to[:], text); err == nil {
			return nil
		}
	}
	return fmt.Errorf("want 64 hexadecimal digits")
}

// An indexCodec writes an event to an index file as a record of a Kafka record batch (version 2,
// kmsg.Record), with the key, value and headers of encode.
type indexCodec struct{}

var _ index.Codec = indexCodec{}

func (indexCodec) AppendEvent(dst []byte, e contract.Recorded) []byte {
	return appendRecord(dst, encode(e))
}

// appendRecord appends a record that encode returned. An index has the same bytes for an event that
// it was given before the commit, and for one that was read from the log.
func appendRecord(dst []byte, record *kgo.Record) []byte {
	const lengths = 2 * binary.MaxVarintLen32 // before a name and a value, at most
	size := len(record.Key) + len(record.Value) + 3*lengths
	for _, h := range record.Headers {
		size += len(h.Key) + len(h.Value) + lengths
	}
	dst = slices.Grow(dst, size)
	dst = append(dst, 0, 0, 0, 0) // length, attributes, time and offset have no meaning here
	dst = appendBytes(appendBytes(dst, record.Key), record.Value)
	dst = binary.AppendVarint(dst, int64(len(record.Headers)))
	for _, h := range record.Headers {
		dst = appendBytes(appendBytes(dst, h.Key), h.Value)
	}
	return dst
}

func appendBytes[T string | []byte](dst []byte, b T) []byte {
	return append(binary.AppendVarint(dst, int64(len(b))), b...)
}

func (indexCodec) ParseEvent(data []byte, at contract.Position) (contract.Recorded, error) {
	var wire kmsg.Record
	if err := wire.UnsafeReadFrom(data); err != nil {
		return contract.Recorded{}, err
	}
	record := &kgo.Record{
		Key: wire.Key, Value: wire.Value, Partition: at.Partition, Offset: at.Offset,
		Headers: make([]kgo.RecordHeader, 0, len(wire.Headers)),
	}
	for _, h := range wire.Headers {
		record.Headers = append(record.Headers, kgo.RecordHeader{Key: h.Key, Value: h.Value})
	}
	e, isEvent, err := decode(record)
	if err == nil && !isEvent {
		err = errors.New("it is a mark")
	}
	return e, err
}
