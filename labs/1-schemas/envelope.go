// Code generated from solutions/1-schemas/envelope.go by make generate; DO NOT EDIT.

package codec

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
// 3.2). Its attributes are headers with the prefix ce_, its data is the record's value, and its
// stream is the record's key. An attribute without a value has no header.
//
// An envelope maps those headers to their values.
type envelope map[string]string

const (
	specVersion   = "1.0"
	dataType      = "application/vnd.confluent.avro"
	jsonDataType  = "application/vnd.confluent.json"
	timeFormat    = "2006-01-02T15:04:05.000000Z" // RFC 3339, always UTC and with microseconds
	isTrue        = "true"
	offloadScheme = "sha256:" // of ce_dataref (CloudEvents extension "Dataref")
)

// names lists the headers of a record in their order.
var names = []string{
	"ce_specversion", "ce_id", "ce_source", "ce_sourceline", "ce_type", "ce_schema",
	"ce_fingerprint", "ce_effectiveat", "ce_enteredat", "ce_commandid", "ce_submittedby",
	"ce_sourcerecordedat", "ce_appendgroup", "ce_corrects", "ce_actor", "ce_approver", "ce_reason",
	"ce_correlationid", "ce_causationid", "ce_traceparent", "ce_ends", "ce_dataref", "content-type",
}

// recordOf returns e as a record of the producer's topic. Its content type is that of the
// producer's codec.
func (p *Producer) recordOf(e contract.Event) *kgo.Record {
	form := dataType
	if _, isJSON := p.codec.(contract.JSONCodec); isJSON {
		form = jsonDataType
	}
	r := recordOf(e, form)
	r.Topic = p.topic
	return r
}

// isJSON reports whether the data of a record is in the JSON form. Only the content type says so:
// an id says which schema, and costs a request to the registry.
func isJSON(r *kgo.Record) bool {
	return slices.ContainsFunc(r.Headers, func(h kgo.RecordHeader) bool {
		return h.Key == "content-type" && string(h.Value) == jsonDataType
	})
}

// recordOf returns e as a record without a topic.
func recordOf(e contract.Event, form string) *kgo.Record {
	values := envelope{
		"ce_specversion": specVersion, "content-type": form,
		"ce_id": e.ID.String(), "ce_source": e.Source, "ce_type": e.Type,
		"ce_schema":      strconv.Itoa(e.Schema),
		"ce_fingerprint": hex.EncodeToString(e.Fingerprint[:]),
		"ce_effectiveat": unlessZero(e.EffectiveAt),
		"ce_enteredat":   unlessZero(e.EnteredAt),
		"ce_commandid":   e.CommandID, "ce_submittedby": e.SubmittedBy,
		"ce_sourcerecordedat": unlessZero(e.SourceRecordedAt),
		"ce_appendgroup":      unlessNil(e.AppendGroup),
		"ce_corrects":         unlessNil(e.Corrects),
		"ce_actor":            e.Actor, "ce_approver": e.Approver, "ce_reason": e.Reason,
		"ce_correlationid": unlessNil(e.Correlation), "ce_causationid": unlessNil(e.Causation),
		"ce_traceparent": e.Traceparent,
	}
	if e.SourceLine != 0 {
		values["ce_sourceline"] = strconv.FormatInt(e.SourceLine, 10)
	}
	if e.Ends {
		values["ce_ends"] = isTrue
	}
	if e.Offloaded() {
		values["ce_dataref"] = offloadScheme + hex.EncodeToString(e.BodyDigest[:])
	}
	r := &kgo.Record{Key: []byte(e.Stream), Value: e.Data}
	for _, name := range names {
		if values[name] != "" {
			r.Headers = append(r.Headers, kgo.RecordHeader{Key: name, Value: []byte(values[name])})
		}
	}
	return r
}

func unlessNil(id uuid.UUID) string {
	if id == uuid.Nil {
		return ""
	}
	return id.String()
}

func unlessZero(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(timeFormat)
}

// eventOf is the inverse of recordOf. Its error names the header that cannot be read, or the rule
// of a valid event that is broken.
func eventOf(r *kgo.Record) (contract.Event, error) {
	v := envelope{}
	for _, h := range r.Headers {
		v[h.Key] = string(h.Value)
	}
	e := contract.Event{
		Stream: string(r.Key), Type: v["ce_type"], Actor: v["ce_actor"], Approver: v["ce_approver"],
		Reason: v["ce_reason"], Traceparent: v["ce_traceparent"], Source: v["ce_source"],
		CommandID: v["ce_commandid"], SubmittedBy: v["ce_submittedby"], Data: r.Value,
	}
	var err error
	parse := func(name string, read func(string) error) {
		if text := v[name]; err == nil && text != "" {
			if cause := read(text); cause != nil {
				err = fmt.Errorf("header %s %.64q: %w", name, text, cause)
			}
		}
	}
	parse("ce_schema", func(s string) (err error) { e.Schema, err = strconv.Atoi(s); return })
	at := func(name string, to *time.Time) {
		parse(name, func(s string) (err error) { *to, err = time.Parse(timeFormat, s); return })
	}
	at("ce_effectiveat", &e.EffectiveAt)
	at("ce_enteredat", &e.EnteredAt)
	at("ce_sourcerecordedat", &e.SourceRecordedAt)
	parse("ce_sourceline", func(s string) (err error) {
		e.SourceLine, err = strconv.ParseInt(s, 10, 64)
		return
	})
	parse("ce_fingerprint", func(s string) error { return decodeHex(e.Fingerprint[:], s) })
	parse("ce_ends", func(s string) (err error) { e.Ends, err = strconv.ParseBool(s); return })
	parse("ce_dataref", func(s string) error {
		return decodeHex(e.BodyDigest[:], strings.TrimPrefix(s, offloadScheme))
	})
	id := func(name string, to *uuid.UUID) {
		parse(name, func(s string) error { return to.UnmarshalText([]byte(s)) })
	}
	id("ce_id", &e.ID)
	id("ce_corrects", &e.Corrects)
	id("ce_correlationid", &e.Correlation)
	id("ce_causationid", &e.Causation)
	id("ce_appendgroup", &e.AppendGroup)
	if err != nil {
		return contract.Event{}, err
	}
	return e, e.Validate()
}

func decodeHex(into []byte, text string) error {
	if hex.DecodedLen(len(text)) != len(into) {
		return hex.ErrLength
	}
	_, err := hex.Decode(into, []byte(text))
	return err
}
