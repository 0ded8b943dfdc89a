package codectest

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/blotter/labs/kit/check"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
)

var streaming = []spec{{
	Check: check.Check{ID: "L1.21", Points: 2, Operation: publish, Invariant: "L1.I8",
		Title: "a published event is a record: its stream is the key, its attributes are " +
			"headers, its data is the value",
		Misconception: "that a key only spreads the load; in fact records with one key are in " +
			"one partition, and only a partition has an order",
		Hint: "recordOf in envelope.go makes the record; return after the brokers have " +
			"acknowledged it"},
	try: func(t *trial) {
		c, k := t.codec(), newKafka(t)
		e := event(1)
		t.publish(k, c, e, settlement)
		r, p := k.all(t, k.topic, 1)[0], t.encoded(c, settlement)
		require.Equal(t, e.Stream, string(r.Key), "key of the record")
		check.Bytes(t, "the record's value", p.Data, r.Value)
		headers := values(r.Headers)
		for name, want := range map[string]string{
			"ce_specversion": "1.0", "ce_id": e.ID.String(), "ce_type": "trade.settled",
			"ce_source": e.Source, "ce_actor": e.Actor, "ce_reason": e.Reason,
			"ce_effectiveat": "2025-03-30T12:00:01.000001Z", "ce_schema": fmt.Sprint(p.Schema),
			"ce_enteredat": "2025-03-30T12:00:01.000001Z", "ce_commandid": e.CommandID,
		} {
			require.Equal(t, want, headers[name], "header %s", name)
		}
		e.Actor = ""
		err := t.answer.Producer(k.client, k.topic, c).Publish(t.Context(), e, settlement)
		answered(t, publish, err)
		require.ErrorIs(t, err, contract.ErrInvalid, "an event without an actor")

		small := k.connect(t, kgo.ProducerBatchMaxBytes(smallest))
		defer small.Close()
		large := trade.Amend{Kind: trade.Update, Trader: strings.Repeat("x", 4*smallest)}
		err = t.answer.Producer(small, k.topic, c).Publish(t.Context(), event(3), large)
		answered(t, publish, err)
		require.ErrorIs(t, err, kerr.MessageTooLarge, "an event that the client cannot send")
	},
}, {
	Check: check.Check{ID: "L1.22", Points: 3, Limit: time.Minute, Operation: consume,
		Invariant: "L1.I8",
		Title:     "published events are handed over unchanged, once, and each stream in its order",
		Misconception: "that events may be handed over as their decoding finishes; in fact an " +
			"order that is lost here is lost for good",
		Hint: "handle one record after the other, in the order of the fetch; eventOf in " +
			"envelope.go reads the headers; Run returns nil when its context ends"},
	try: func(t *trial) {
		c, k := t.codec(), newKafka(t)
		var want []contract.Event
		for i := range 12 {
			want = append(want, t.publish(k, c, event(i), settlement))
		}
		m := t.consume(k, c)
		got := m.take(len(want))
		for _, stream := range []string{"trade/UTI-0", "trade/UTI-1"} {
			check.Events(t, "the events of "+stream, of(stream, want), of(stream, got))
		}
		m.stop()
		m = t.consume(k, c)
		last := t.publish(k, c, event(12), settlement)
		check.Events(t, "the events for the next member of the group",
			[]contract.Event{last}, m.take(1))
		m.stop()
		t.oneAtATime(k, c)
	},
}, {
	Check: check.Check{ID: "L1.23", Points: 4, Limit: time.Minute, Operation: consume,
		Invariant: "L1.I9",
		Title: "a record that is not an event is parked byte for byte, with its position and the " +
			"error, and the consumer continues",
		Misconception: "that a log line is enough, or that stopping is safe; in fact nobody can " +
			"send a log line again, and stopping stops every stream of the partition",
		Hint: "add the headers contract.Parked…; continue after the parked copy is acknowledged; " +
			"an error that quotes the record may be too large for a header"},
	try: func(t *trial) {
		c, k := t.codec(), newKafka(t)
		first := t.publish(k, c, event(0), settlement)
		good := k.all(t, k.topic, 1)[0]
		bad := t.poison(good)
		for _, r := range bad {
			k.produce(t, k.topic, r)
		}
		last := t.publish(k, c, event(2), settlement)
		m := t.consume(k, c)
		m.mayPark = true
		check.Events(t, "the events beside poison", []contract.Event{first, last}, m.take(2))
		m.stop()
		for i, r := range k.all(t, k.parked, len(bad)) {
			requireParked(t, i+1, bad[i], r)
			added := values(r.Headers[len(bad[i].Headers):])
			require.Equal(t, k.topic, added[contract.ParkedTopic], contract.ParkedTopic)
			require.Equal(t, fmt.Sprint(good.Partition), added[contract.ParkedPartition],
				contract.ParkedPartition)
			require.Equal(t, fmt.Sprint(i+1), added[contract.ParkedOffset], contract.ParkedOffset)
			require.NotEmpty(t, added[contract.ParkedError], contract.ParkedError)
			require.LessOrEqual(t, len(added[contract.ParkedError]), contract.MaxAttribute,
				"length of %s", contract.ParkedError)
		}
		t.cannotPark(k, c, good)
		require.Equal(t, len(bad)+1, k.count(t, k.parked),
			"parked records, after one that could not be parked at first")
	},
}, {
	Check: check.Check{ID: "L1.24", Points: 4, Limit: time.Minute, Operation: consume,
		Invariant: "L1.I10",
		Title:     "a failure that the record did not cause parks nothing; the record comes again",
		Misconception: "that every error is poison; in fact a database that is away for a minute " +
			"would then park a minute of trades",
		Hint: "return the error from Run; commit the records before this one, and not the record " +
			"itself"},
	try: func(t *trial) {
		c, k := t.codec(), newKafka(t)
		first := t.publish(k, c, event(0), settlement)
		second := t.publish(k, c, event(2), settlement)
		// The truncated data is other data: this record is valid.
		broken := fmt.Errorf("the database is away: %w", contract.ErrTruncated)
		err := t.consumeUntil(k, c, func(e contract.Event) error {
			if e.ID == second.ID {
				return broken
			}
			return nil
		})
		require.ErrorIs(t, err, broken, "Run, after the handler failed")

		t.registry.setAway(true)
		foreign := k.foreign(t, second)
		m := t.consume(k, c)
		check.Events(t, "the events after the handler failed", []contract.Event{second}, m.take(1))
		require.ErrorIs(t, m.wait(), errAway, "Run, when the registry did not answer")

		t.registry.setAway(false)
		m = t.consume(k, c)
		check.Events(t, "the events after the registry is back",
			[]contract.Event{foreign}, m.take(1))
		m.stop()
		require.Zero(t, k.count(t, k.parked), "parked records; no record is poison")
		require.NotEqual(t, first.ID, second.ID)
	},
}}

// values maps the names of headers to their values.
func values(headers []kgo.RecordHeader) map[string]string {
	values := map[string]string{}
	for _, h := range headers {
		values[h.Key] = string(h.Value)
	}
	return values
}

// poison returns records that are no events. Most differ from a good record in their value.
func (t *trial) poison(good *kgo.Record) []*kgo.Record {
	novated := t.registry.wire("trade.novated", 1, latestFact("trade.novated").bytes())
	prefix, body := good.Value[:prefixSize:prefixSize], good.Value[prefixSize:]
	var bad []*kgo.Record
	for _, value := range [][]byte{
		append([]byte{1}, good.Value[1:]...),
		nil, // no value at all, which differs from an empty one
		good.Value[:len(good.Value)-1],
		append(slices.Clone(good.Value), 0),
		wire(7, body),
		novated,
		append(prefix, unhex("8080808010")...),
	} {
		bad = append(bad, &kgo.Record{Key: good.Key, Headers: good.Headers, Value: value})
	}
	json := []kgo.RecordHeader{{Key: "content-type", Value: []byte("application/json")}}
	longTime := kgo.RecordHeader{Key: "ce_effectiveat", Value: bytes.Repeat([]byte("9"), large)}
	return append(bad,
		&kgo.Record{Key: good.Key, Headers: json, Value: []byte("{}")},
		&kgo.Record{
			Key: good.Key, Headers: good.Headers, Value: append(prefix, invalidText(large)...),
		},
		&kgo.Record{
			Key: good.Key, Headers: append(slices.Clone(good.Headers), longTime), Value: good.Value,
		})
}

// requireParked requires that the n-th parked record is the record with further headers.
func requireParked(t check.T, n int, record, parked *kgo.Record) {
	check.Bytes(t, fmt.Sprintf("the value of parked record %d", n), record.Value, parked.Value)
	require.Equal(t, record.Value == nil, parked.Value == nil,
		"whether parked record %d has no value at all", n)
	require.Equal(t, string(record.Key), string(parked.Key), "key of parked record %d", n)
	own := len(record.Headers)
	require.GreaterOrEqual(t, len(parked.Headers), own, "headers of parked record %d", n)
	require.Equal(t, record.Headers, parked.Headers[:own],
		"the first headers of parked record %d are its own", n)
}

// smallest is the least batch size that a client accepts.
const smallest = 1 << 10

// cannotPark uses a client that cannot write the parked copy. The record did not cause that: it
// comes again, to a client that can.
func (t *trial) cannotPark(k *kafka, c Codec, good *kgo.Record) {
	value := bytes.Repeat([]byte{1}, 4*smallest)
	k.produce(t, k.topic, &kgo.Record{Key: good.Key, Headers: good.Headers, Value: value})
	next := t.publish(k, c, event(4), settlement)
	m := t.consume(k, c, kgo.ProducerBatchMaxBytes(smallest))
	select {
	case <-m.events:
		t.fail("a record could not be parked, and the event after it was handed over")
	case <-m.done:
	case <-t.Context().Done():
		t.fail("a record could not be parked, and Run did not return an error")
	}
	require.ErrorIs(t, m.err, kerr.MessageTooLarge, "Run, when a record could not be parked")
	// A consumer that committed the earlier records by mistake begins with this event.
	last := t.publish(k, c, event(6), settlement)
	m = t.consume(k, c)
	m.mayPark = true
	check.Events(t, "the first event when the record can be parked",
		[]contract.Event{next}, m.take(1))
	check.Events(t, "the next event", []contract.Event{last}, m.take(1))
	m.stop()
}

// oneAtATime publishes events on every partition. The handler takes a little time, to see whether
// it is called again meanwhile.
func (t *trial) oneAtATime(k *kafka, c Codec) {
	const n = 12
	for i := range n {
		t.publish(k, c, separate(i+20), settlement)
	}
	var inside atomic.Int32
	second := newSignal()
	m := t.run(k, c, func(contract.Event) error {
		if inside.Add(1) > 1 {
			second.fire()
		}
		defer inside.Add(-1)
		select {
		case <-second.c:
		case <-time.After(5 * time.Millisecond): // too short a time finds less, and fails no answer
		}
		return nil
	})
	m.take(n)
	m.stop()
	require.False(t, second.fired(), "the handler was called again before it returned")
}

// large fits a record. An error that quotes it twice does not.
const large = 800_000

// invalidText returns the Avro body of a settlement whose price source is n bytes that are not
// UTF-8.
func invalidText(n int) []byte {
	body := binary.AppendVarint(unhex("0201 00 0201 02"), int64(n))
	return append(body, bytes.Repeat([]byte{0xff}, n)...)
}

// event returns the i-th event, without data. Even and odd events are of two streams.
func event(i int) contract.Event {
	id := func(name string) uuid.UUID { return uuid.NewSHA1(uuid.Nil, []byte(name)) }
	return contract.Event{
		ID: id(fmt.Sprint("event ", i)), Stream: fmt.Sprintf("trade/UTI-%d", i%2),
		EffectiveAt: time.Date(2025, 3, 30, 12, 0, i, 1000, time.UTC),
		EnteredAt:   time.Date(2025, 3, 30, 12, 0, i, 1000, time.UTC), CommandID: "c-1",
		SourceLine: 7, SubmittedBy: "sso/7",
		SourceRecordedAt: time.Date(2025, 3, 30, 12, 0, i, 1000, time.UTC),
		AppendGroup:      uuid.NewSHA1(uuid.NameSpaceOID, []byte("group")),
		Actor:            "ops/1", Reason: "delivered, “as usual”", Source: "codectest",
		Corrects: id("corrects"), Correlation: id("correlation"),
		Traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
	}
}

// publish publishes an event, and returns it as a consumer must receive it.
func (t *trial) publish(k *kafka, c Codec, e contract.Event, body trade.Body) contract.Event {
	err := t.answer.Producer(k.client, k.topic, c).Publish(t.Context(), e, body)
	answered(t, publish, err)
	require.NoError(t, err, "publish %s", e.ID)
	p := t.encoded(c, body)
	e.Type, e.Schema, e.Fingerprint, e.Data = p.Type, p.Schema, p.Fingerprint, p.Data
	return e
}

// of returns the events of a stream.
func of(stream string, all []contract.Event) []contract.Event {
	var found []contract.Event
	for _, e := range all {
		if strings.HasPrefix(e.Stream, stream) {
			found = append(found, e)
		}
	}
	return found
}
