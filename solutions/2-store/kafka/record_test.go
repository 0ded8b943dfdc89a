package kafka

import (
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"example.com/blotter/labs/kit/contract"
)

var full = contract.Recorded{
	Event: contract.Event{
		ID: uuid.MustParse("8c4f2e5e-0000-8000-8000-000000000001"), Stream: "trade/UTI-1",
		Type: "trade.amended", Schema: 2, Fingerprint: sha256.Sum256([]byte("schema")),
		EffectiveAt: time.Date(2025, 3, 1, 0, 0, 0, 1000, time.UTC),
		EnteredAt:   time.Date(2025, 3, 1, 0, 0, 0, 1000, time.UTC), CommandID: "c-1",
		SourceLine: 7, SubmittedBy: "sso/7",
		SourceRecordedAt: time.Date(2025, 3, 1, 0, 0, 0, 1000, time.UTC),
		AppendGroup:      uuid.MustParse("8c4f2e5e-0000-8000-8000-000000000005"),
		Corrects:         uuid.MustParse("8c4f2e5e-0000-8000-8000-000000000002"),
		Actor:            "desk-7", Approver: "desk-9", Reason: "agreed; “as usual”",
		Correlation: uuid.MustParse("8c4f2e5e-0000-8000-8000-000000000003"),
		Causation:   uuid.MustParse("8c4f2e5e-0000-8000-8000-000000000004"),
		Traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
		Source:      "import", Data: []byte{0, 0, 0, 0, 7, 'x'},
	},
	Version: 3, RecordedAt: time.Date(2025, 3, 30, 12, 0, 0, 0, time.UTC),
	Position: contract.Position{Partition: 2, Offset: 40},
}

// An event is a CloudEvent in binary mode.
func TestEventIsACloudEvent(t *testing.T) {
	t.Parallel()
	record := encode(full)
	var headers strings.Builder
	for _, h := range record.Headers {
		fmt.Fprintf(&headers, "%s: %s\n", h.Key, h.Value)
	}
	require.Equal(t, `ce_specversion: 1.0
ce_id: 8c4f2e5e-0000-8000-8000-000000000001
ce_source: import
ce_sourceline: 7
ce_type: trade.amended
ce_time: 2025-03-30T12:00:00.000000Z
ce_version: 3
ce_schema: 2
ce_fingerprint: df0ad6e43880f09c90ebf95f19110178aba6890df0010ebda7485029e2b543b4
ce_effectiveat: 2025-03-01T00:00:00.000001Z
ce_enteredat: 2025-03-01T00:00:00.000001Z
ce_commandid: c-1
ce_submittedby: sso/7
ce_sourcerecordedat: 2025-03-01T00:00:00.000001Z
ce_appendgroup: 8c4f2e5e-0000-8000-8000-000000000005
ce_corrects: 8c4f2e5e-0000-8000-8000-000000000002
ce_actor: desk-7
ce_approver: desk-9
ce_reason: agreed; “as usual”
ce_correlationid: 8c4f2e5e-0000-8000-8000-000000000003
ce_causationid: 8c4f2e5e-0000-8000-8000-000000000004
ce_traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01
content-type: application/vnd.confluent.avro
`, headers.String())
	require.Equal(t, "trade/UTI-1", string(record.Key))
	require.Equal(t, full.Data, record.Value)
}

// An index file has an event as a record of a Kafka record batch, version 2.
func TestIndexHasKafkaRecords(t *testing.T) {
	t.Parallel()
	record := encode(full)
	want := kmsg.Record{Key: record.Key, Value: record.Value}
	for _, h := range record.Headers {
		want.Headers = append(want.Headers, kmsg.Header{Key: h.Key, Value: h.Value})
	}
	require.Equal(t, want.AppendTo([]byte("before")), appendRecord([]byte("before"), record))
}

func TestRecordRoundTrip(t *testing.T) {
	t.Parallel()
	bare := full
	offloaded := full
	offloaded.Ends, offloaded.Data = true, full.Data[:5]
	offloaded.BodyDigest = sha256.Sum256(full.Data[5:])
	bare.Corrects, bare.Correlation, bare.Causation = uuid.Nil, uuid.Nil, uuid.Nil
	bare.Approver, bare.Traceparent = "", ""
	for _, want := range []contract.Recorded{full, bare, offloaded} {
		record := encode(want)
		record.Partition, record.Offset = 2, 40
		got, event, err := decode(record)
		require.NoError(t, err)
		require.True(t, event)
		require.Equal(t, want, got)
	}
}

func TestOwnerMarkIsNoEvent(t *testing.T) {
	t.Parallel()
	_, event, err := decode(newMark("log.events", "127.0.0.1:7000", layout{"subject", 3, false}))
	require.NoError(t, err)
	require.False(t, event)
}

// The error of a foreign record names its position and the wrong header.
func TestForeignRecordIsRefused(t *testing.T) {
	t.Parallel()
	for _, name := range []string{
		"ce_specversion", "ce_id", "ce_time", "ce_version", "ce_schema", "ce_fingerprint",
		"ce_effectiveat", "ce_corrects", "ce_ends", "ce_dataref",
	} {
		offloaded := full
		offloaded.Ends, offloaded.BodyDigest = true, sha256.Sum256(nil)
		record := encode(offloaded)
		record.Topic, record.Partition, record.Offset = "desk.events", 2, 40
		for i, h := range record.Headers {
			if h.Key == name {
				record.Headers[i].Value = []byte("?")
			}
		}
		_, _, err := decode(record)
		require.ErrorContains(t, err, "position 2/40")
		require.ErrorContains(t, err, name)
	}
	_, _, err := decode(&kgo.Record{Value: []byte("{}")})
	require.Error(t, err)
}

// A stream is in the partition that Kafka's own partitioner gives it. The first vectors are those
// of Kafka's UtilsTest.testMurmur2.
func TestPartitionOfMatchesKafka(t *testing.T) {
	t.Parallel()
	for key, want := range map[string]int32{
		"21": -973932308, "foobar": -790332482, "a-little-bit-long-string": -985981536,
		"a-little-bit-longer-string":                       -1486304829,
		"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
	} {
		require.Equal(t, want, int32(murmur2([]byte(key))), "murmur2 of %q", key)
	}
	require.EqualValues(t, 7, partitionOf("trade/UTI-1", 12), "must never change")
	theirs := kgo.StickyKeyPartitioner(nil).ForTopic("events")
	for i := range 200 {
		stream := fmt.Sprintf("trade/UTI-%d", i)
		want := theirs.Partition(&kgo.Record{Key: []byte(stream)}, 12)
		require.EqualValues(t, want, partitionOf(stream, 12))
	}
}

// Times are written and read in one format, whatever their zone and fraction.
func TestTimesHaveOneFormat(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(3, 0))
	zone := time.FixedZone("somewhere", 5*3600)
	for range 2000 {
		year := 1 + rng.IntN(9998)
		at := time.Date(year, 1, 1, 6, 0, 0, 0, zone).
			Add(time.Duration(rng.Int64N(365*24*3600*1e6)) * time.Microsecond)
		text := string(appendTime(nil, at))
		require.Equal(t, at.UTC().Format(timeFormat), text)
		parsed, err := parseTime(text)
		require.NoError(t, err)
		require.True(t, at.Equal(parsed), text)
	}
	for _, text := range []string{
		"", "2025-03-01T00:00:00Z", "2025-03-01T00:00:00.000Z", "2025-03-01T00:00:00.00000xZ",
		"2025-03-01T00:00:00.000000+", "2025-03-01T00:00+01:00.0000Z",
	} {
		_, err := parseTime(text)
		require.Error(t, err, text)
	}
}
