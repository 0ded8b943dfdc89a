package kafka

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/blotter/labs/kit/contract"
)

// An event is a CloudEvent 1.0 in binary mode (CloudEvents Kafka Protocol Binding 1.0.2, section 3.2): attributes are headers with
// the prefix ce_, the value is the data, the key is the stream. Attribute names are lower-case letters and digits (CloudEvents
// 1.0.2, "Naming Conventions"). An attribute without a value has no header.
//
//	key  trade/UTI-1
//	     ce_specversion     1.0
//	     ce_id              8c4f2e5e-…
//	     ce_source          import
//	     ce_type            trade.amended
//	     ce_time            2025-03-30T12:00:00.000000Z     recorded_at
//	     ce_version         3
//	     ce_schema          1
//	     ce_fingerprint     9f86d081…                       hexadecimal
//	     ce_effectiveat     2025-03-01T00:00:00.000000Z
//	     ce_corrects        uuid
//	     ce_actor, ce_approver, ce_reason
//	     ce_correlationid, ce_causationid                   uuid
//	     ce_traceparent                                     CloudEvents extension "Distributed Tracing"
//	     ce_ends            true                            nothing follows in its stream
//	     ce_dataref         sha256:9f86d081…                CloudEvents extension "Dataref": where the Avro body is, if not here
//	     content-type       application/vnd.confluent.avro
//	value 0x00, schema id, Avro body
const (
	specVersion = "1.0"
	dataType    = "application/vnd.confluent.avro"
	isTrue      = "true"                        // CloudEvents 1.0.2, "Type System"
	timeFormat  = "2006-01-02T15:04:05.000000Z" // RFC 3339, always UTC and with microseconds
)

// encode is the record of r. Its position is the broker's to give.
func encode(r contract.Recorded) *kgo.Record {
	record := &kgo.Record{Key: []byte(r.Stream), Value: r.Data}
	header := func(name, value string) {
		if value != "" {
			record.Headers = append(record.Headers, kgo.RecordHeader{Key: name, Value: []byte(value)})
		}
	}
	header("ce_specversion", specVersion)
	header("ce_id", r.ID.String())
	header("ce_source", r.Source)
	header("ce_type", r.Type)
	header("ce_time", r.RecordedAt.UTC().Format(timeFormat))
	header("ce_version", strconv.FormatInt(r.Version, 10))
	header("ce_schema", strconv.Itoa(r.Schema))
	header("ce_fingerprint", hex.EncodeToString(r.Fingerprint[:]))
	header("ce_effectiveat", r.EffectiveAt.UTC().Format(timeFormat))
	header("ce_corrects", optional(r.Corrects))
	header("ce_actor", r.Actor)
	header("ce_approver", r.Approver)
	header("ce_reason", r.Reason)
	header("ce_correlationid", optional(r.Correlation))
	header("ce_causationid", optional(r.Causation))
	header("ce_traceparent", r.Traceparent)
	if r.Ends {
		header("ce_ends", isTrue)
	}
	if r.Offloaded() {
		header("ce_dataref", offloadScheme+hex.EncodeToString(r.BodyDigest[:]))
	}
	header("content-type", dataType)
	return record
}

// offloadScheme is before the hexadecimal digest of a payload that is in object storage. Where that is, its readers know.
const offloadScheme = "sha256:"

func optional(id uuid.UUID) string {
	if id == uuid.Nil {
		return ""
	}
	return id.String()
}

// decode is the inverse of encode. It says false for a record that is no event but a marker, and
// *contract.DamagedError of one that is neither.
func decode(record *kgo.Record) (contract.Recorded, bool, error) {
	h := make(headers, len(record.Headers))
	for _, header := range record.Headers {
		h[header.Key] = string(header.Value)
	}
	if h["ce_type"] == markerType {
		return contract.Recorded{}, false, nil
	}
	at := contract.Position{Partition: record.Partition, Offset: record.Offset}
	r, err := h.event()
	if err != nil {
		return r, false, &contract.DamagedError{Position: at, What: fmt.Sprintf("this record is no event: %v", err)}
	}
	r.Stream, r.Data = string(record.Key), slices.Clip(record.Value) // the bytes behind belong to the next record
	r.Position = at
	return r, true, nil
}

type headers map[string]string

// event reads every attribute, and keeps the first error.
func (h headers) event() (r contract.Recorded, err error) {
	bad := func(name string, cause error) {
		if err == nil && cause != nil {
			err = fmt.Errorf("header %s %q: %w", name, h[name], cause)
		}
	}
	id := func(name string) (id uuid.UUID) {
		if h[name] != "" {
			cause := id.UnmarshalText([]byte(h[name]))
			bad(name, cause)
		}
		return id
	}
	at := func(name string) time.Time {
		t, cause := time.Parse(timeFormat, h[name])
		bad(name, cause)
		return t
	}
	number := func(name string) int64 {
		n, cause := strconv.ParseInt(h[name], 10, 64)
		bad(name, cause)
		return n
	}
	if h["ce_specversion"] != specVersion {
		bad("ce_specversion", fmt.Errorf("want %s", specVersion))
	}
	r.Event = contract.Event{
		ID: id("ce_id"), Type: h["ce_type"], Schema: int(number("ce_schema")), EffectiveAt: at("ce_effectiveat"), Corrects: id("ce_corrects"),
		Actor: h["ce_actor"], Approver: h["ce_approver"], Reason: h["ce_reason"], Source: h["ce_source"],
		Correlation: id("ce_correlationid"), Causation: id("ce_causationid"), Traceparent: h["ce_traceparent"],
	}
	r.Version, r.RecordedAt = number("ce_version"), at("ce_time")
	bad("ce_fingerprint", digest(&r.Fingerprint, h["ce_fingerprint"]))
	if ref := h["ce_dataref"]; ref != "" {
		text, ok := strings.CutPrefix(ref, offloadScheme)
		if cause := digest(&r.BodyDigest, text); cause != nil || !ok {
			bad("ce_dataref", fmt.Errorf("want %s and 64 hexadecimal digits", offloadScheme))
		}
	}
	if r.Ends = h["ce_ends"] == isTrue; h["ce_ends"] != "" && !r.Ends {
		bad("ce_ends", fmt.Errorf("want %s or no such header", isTrue))
	}
	return r, err
}

func digest(to *[32]byte, text string) error {
	if hex.DecodedLen(len(text)) == len(to) {
		if _, err := hex.Decode(to[:], []byte(text)); err == nil {
			return nil
		}
	}
	return fmt.Errorf("want 64 hexadecimal digits")
}
