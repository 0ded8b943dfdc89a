package kafkatest

import (
	"encoding/hex"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/blotter/labs/kit/contract"
)

// record is an event of event(n) as any owner writes it: a CloudEvent in binary mode.
func record(topic string, e contract.Recorded) *kgo.Record {
	at := func(t time.Time) string { return t.Format("2006-01-02T15:04:05.000000Z") }
	r := &kgo.Record{Topic: topic, Key: []byte(e.Stream), Value: e.Data}
	for _, h := range [][2]string{
		{"ce_specversion", "1.0"},
		{"ce_id", e.ID.String()},
		{"ce_source", e.Source},
		{"ce_type", e.Type},
		{"ce_time", at(e.RecordedAt)},
		{"ce_version", strconv.FormatInt(e.Version, 10)},
		{"ce_schema", strconv.Itoa(e.Schema)},
		{"ce_fingerprint", hex.EncodeToString(e.Fingerprint[:])},
		{"ce_effectiveat", at(e.EffectiveAt)},
		{"ce_actor", e.Actor},
		{"ce_reason", e.Reason},
		{"content-type", "application/vnd.confluent.avro"},
	} {
		r.Headers = append(r.Headers, kgo.RecordHeader{Key: h[0], Value: []byte(h[1])})
	}
	return r
}
