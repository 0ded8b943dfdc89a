package store

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

// An event is a CloudEvent 1.0 in binary mode (CloudEvents Kafka Protocol Binding 1.0.2, section
// 3.2), as in Lab 1. The store adds the version, and recorded_at as the CloudEvents attribute
// "time". An attribute without a value has no header.
const (
	specVersion = "1.0"
	dataType    = "application/vnd.confluent.avro"
	timeFormat  = "2006-01-02T15:04:05.000000Z" // RFC 3339, always UTC and with microseconds
)

// records returns the records of events, in order.
func (o *owner) records(events []contract.Recorded) []*kgo.Record {
	var records []*kgo.Record
	for _, e := range events {
		record := encode(e)
		record.Topic, record.Partition = o.s.events, o.partition
		records = append(records, record)
	}
	return records
}

// encode returns the record of r without its position, which the broker assigns.
func encode(r contract.Recorded) *kgo.Record {
	record := &kgo.Record{Key: []byte(r.Stream), Value: r.Data}
	for _, h := range [][2]string{
		{"ce_specversion", specVersion},
		{"ce_id", r.ID.String()},
		{"ce_source", r.Source},
		{"ce_sourceline", positive(r.SourceLine)},
		{"ce_type", r.Type},
		{"ce_time", r.RecordedAt.UTC().Format(timeFormat)},
		{"ce_version", strconv.FormatInt(r.Version, 10)},
		{"ce_schema", strconv.Itoa(r.Schema)},
		{"ce_fingerprint", hex.EncodeToString(r.Fingerprint[:])},
		{"ce_effectiveat", timeOrEmpty(r.EffectiveAt)},
		{"ce_enteredat", timeOrEmpty(r.EnteredAt)},
		{"ce_commandid", r.CommandID},
		{"ce_submittedby", r.SubmittedBy},
		{"ce_sourcerecordedat", timeOrEmpty(r.SourceRecordedAt)},
		{"ce_appendgroup", idOrEmpty(r.AppendGroup)},
		{"ce_corrects", idOrEmpty(r.Corrects)},
		{"ce_actor", r.Actor},
		{"ce_approver", r.Approver},
		{"ce_reason", r.Reason},
		{"ce_correlationid", idOrEmpty(r.Correlation)},
		{"ce_causationid", idOrEmpty(r.Causation)},
		{"ce_traceparent", r.Traceparent},
		{"ce_ends", trueOrEmpty(r.Ends)},
		{"ce_dataref", dataRef(r.Event)},
		{"content-type", dataType},
	} {
		if h[1] != "" {
			header := kgo.RecordHeader{Key: h[0], Value: []byte(h[1])}
			record.Headers = append(record.Headers, header)
		}
	}
	return record
}

func idOrEmpty(id uuid.UUID) string {
	if id == uuid.Nil {
		return ""
	}
	return id.String()
}

func timeOrEmpty(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(timeFormat)
}

func positive(n int64) string {
	if n == 0 {
		return ""
	}
	return strconv.FormatInt(n, 10)
}

func trueOrEmpty(b bool) string {
	if b {
		return "true"
	}
	return ""
}

// digestScheme precedes the hexadecimal digest of an offloaded payload (CloudEvents extension
// "Dataref"). The address of the object storage is not recorded: readers are configured with it.
const digestScheme = "sha256:"

func dataRef(e contract.Event) string {
	if !e.Offloaded() {
		return ""
	}
	return digestScheme + hex.EncodeToString(e.BodyDigest[:])
}

// decode is the inverse of encode. Its error for a record that is no event is
// *contract.DamagedError.
func decode(record *kgo.Record) (contract.Recorded, error) {
	h := make(headers, len(record.Headers))
	for _, header := range record.Headers {
		h[header.Key] = string(header.Value)
	}
	at := contract.Position{Partition: record.Partition, Offset: record.Offset}
	r, err := h.event()
	if err != nil {
		what := fmt.Sprintf("this record is no event: %v", err)
		return r, &contract.DamagedError{Position: at, What: what}
	}
	r.Stream = string(record.Key)
	r.Data = slices.Clip(record.Value) // the bytes after it belong to the next record
	r.Position = at
	return r, nil
}

type headers map[string]string

// event parses every attribute, and returns the first error.
func (h headers) event() (r contract.Recorded, err error) {
	read := func(name string, parse func(string) error) {
		if text := h[name]; err == nil {
			if cause := parse(text); cause != nil {
				err = fmt.Errorf("header %s %q: %w", name, text, cause)
			}
		}
	}
	id := func(name string, to *uuid.UUID) {
		read(name, func(s string) error {
			if s == "" {
				return nil
			}
			return to.UnmarshalText([]byte(s))
		})
	}
	r.Event = contract.Event{
		Type: h["ce_type"], Actor: h["ce_actor"], Approver: h["ce_approver"],
		Reason: h["ce_reason"], Source: h["ce_source"], Traceparent: h["ce_traceparent"],
		CommandID: h["ce_commandid"], SubmittedBy: h["ce_submittedby"],
	}
	id("ce_id", &r.ID)
	id("ce_corrects", &r.Corrects)
	id("ce_correlationid", &r.Correlation)
	id("ce_causationid", &r.Causation)
	id("ce_appendgroup", &r.AppendGroup)
	read("ce_schema", func(s string) (err error) { r.Schema, err = strconv.Atoi(s); return })
	read("ce_version", func(s string) (err error) {
		r.Version, err = strconv.ParseInt(s, 10, 64)
		return
	})
	at := func(name string, to *time.Time) {
		read(name, func(s string) (err error) { *to, err = time.Parse(timeFormat, s); return })
	}
	at("ce_effectiveat", &r.EffectiveAt)
	at("ce_enteredat", &r.EnteredAt)
	if h["ce_sourcerecordedat"] != "" {
		at("ce_sourcerecordedat", &r.SourceRecordedAt)
	}
	if h["ce_sourceline"] != "" {
		read("ce_sourceline", func(s string) (err error) {
			r.SourceLine, err = strconv.ParseInt(s, 10, 64)
			return
		})
	}
	at("ce_time", &r.RecordedAt)
	read("ce_fingerprint", func(s string) error { return digest(&r.Fingerprint, s) })
	if h["ce_dataref"] != "" {
		read("ce_dataref", func(s string) error {
			return digest(&r.BodyDigest, strings.TrimPrefix(s, digestScheme))
		})
	}
	r.Ends = h["ce_ends"] != ""
	return r, err
}

func digest(to *[32]byte, text string) error {
	if hex.DecodedLen(len(text)) != len(to) {
		return hex.ErrLength
	}
	_, err := hex.Decode(to[:], []byte(text))
	return err
}
