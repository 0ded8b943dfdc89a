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
		Title:         "a published event is a record: its stream the key, its attributes headers, its data the value",
		Misconception: "that a key only spreads the load: what has one key is in one partition, and only there is there an order",
		Hint:          "recordOf in envelope.go makes the record; wait until the brokers have it before you answer"},
	try: func(t *trial) {
		c, k := t.codec(), newKafka(t)
		e := event(1)
		t.publish(k, c, e, settlement)
		records := k.all(t, k.topic, 1)
		p := t.encoded(c, settlement)
		require.Equal(t, e.Stream, string(records[0].Key), "key of the record")
		check.Bytes(t, "the record's value", p.Data, records[0].Value)
		headers := map[string]string{}
		for _, h := range records[0].Headers {
			headers[h.Key] = string(h.Value)
		}
		for name, want := range map[string]string{
			"ce_specversion": "1.0", "ce_id": e.ID.String(), "ce_type": "trade.settled", "ce_source": e.Source, "ce_actor": e.Actor,
			"ce_reason": e.Reason, "ce_effectiveat": "2025-03-30T12:00:01.000001Z", "ce_schema": fmt.Sprint(p.Schema),
		} {
			require.Equal(t, want, headers[name], "header %s", name)
		}
		e.Actor = ""
		err := t.answer.Producer(k.client, k.topic, c).Publish(t.Context(), e, settlement)
		answered(t, publish, err)
		require.ErrorIs(t, err, contract.ErrInvalid, "an event without an actor")

		small := k.connect(t, kgo.ProducerBatchMaxBytes(smallest))
		defer small.Close()
		err = t.answer.Producer(small, k.topic, c).Publish(t.Context(), event(3), trade.Amend{Kind: trade.Update, Trader: strings.Repeat("x", 4*smallest)})
		answered(t, publish, err)
		require.ErrorIs(t, err, kerr.MessageTooLarge, "an event that the client cannot send")
	},
}, {
	Check: check.Check{ID: "L1.22", Points: 3, Limit: time.Minute, Operation: consume, Invariant: "L1.I8",
		Title:         "what was published is handed over equal, once, and each stream in its order",
		Misconception: "that records may be handed on as they finish decoding: an order that is lost here is lost for good",
		Hint:          "one record after the other, in the order of the fetch; eventOf in envelope.go reads the headers; Run ends without an error when its context does"},
	try: func(t *trial) {
		c, k := t.codec(), newKafka(t)
		var want []contract.Event
		for i := range 12 {
			want = append(want, t.publish(k, c, event(i), settlement))
		}
		g := t.consume(k, c)
		got := g.take(len(want))
		check.Events(t, "what was handed over of trade/UTI-0", of("trade/UTI-0", want), of("trade/UTI-0", got))
		check.Events(t, "what was handed over of trade/UTI-1", of("trade/UTI-1", want), of("trade/UTI-1", got))
		g.stop()
		g = t.consume(k, c)
		last := t.publish(k, c, event(12), settlement)
		check.Events(t, "what is handed over to the next member of the group", []contract.Event{last}, g.take(1))
		g.stop()
		t.oneAtATime(k, c)
	},
}, {
	Check: check.Check{ID: "L1.23", Points: 4, Limit: time.Minute, Operation: consume, Invariant: "L1.I9",
		Title:         "a record that is no event is parked byte for byte, with where it was and why, and the rest goes on",
		Misconception: "that a log line is enough: nobody can send a log line again; or that stopping is safe: it stops every stream of the partition",
		Hint:          "the headers that are added are contract.Parked…; know that it is parked before you go on; an error that quotes the record may not fit beside it"},
	try: func(t *trial) {
		c, k := t.codec(), newKafka(t)
		first := t.publish(k, c, event(0), settlement)
		good := k.all(t, k.topic, 1)[0]
		bad := []*kgo.Record{
			{Key: good.Key, Headers: good.Headers, Value: append([]byte{1}, good.Value[1:]...)},
			{Key: good.Key, Headers: good.Headers}, // no value at all, which is not an empty one
			{Key: good.Key, Headers: good.Headers, Value: good.Value[:len(good.Value)-1]},
			{Key: good.Key, Headers: good.Headers, Value: append(slices.Clone(good.Value), 0)},
			{Key: good.Key, Headers: good.Headers, Value: wire(7, good.Value[header:])},
			{Key: good.Key, Headers: good.Headers, Value: t.registry.wire("trade.novated", 1, latestOf("trade.novated").bytes())},
			{Key: good.Key, Headers: good.Headers, Value: append(good.Value[:header:header], unhex("8080808010")...)},
			{Key: good.Key, Value: []byte("{}"), Headers: []kgo.RecordHeader{{Key: "content-type", Value: []byte("application/json")}}},
			{Key: good.Key, Headers: good.Headers, Value: append(good.Value[:header:header], noText(large)...)},
			{Key: good.Key, Value: good.Value, Headers: append(slices.Clone(good.Headers),
				kgo.RecordHeader{Key: "ce_effectiveat", Value: bytes.Repeat([]byte("9"), large)})},
		}
		for _, r := range bad {
			k.produce(t, k.topic, r)
		}
		last := t.publish(k, c, event(2), settlement)
		g := t.consume(k, c)
		g.parks = true
		check.Events(t, "what was handed over", []contract.Event{first, last}, g.take(2))
		g.stop()
		for i, r := range k.all(t, k.parked, len(bad)) {
			check.Bytes(t, fmt.Sprintf("the value of parked record %d", i+1), bad[i].Value, r.Value)
			require.Equal(t, bad[i].Value == nil, r.Value == nil, "whether parked record %d has no value at all", i+1)
			require.Equal(t, string(bad[i].Key), string(r.Key), "key of parked record %d", i+1)
			require.GreaterOrEqual(t, len(r.Headers), len(bad[i].Headers), "headers of parked record %d", i+1)
			require.Equal(t, bad[i].Headers, r.Headers[:len(bad[i].Headers)], "its own headers come first, in parked record %d", i+1)
			added := map[string]string{}
			for _, h := range r.Headers[len(bad[i].Headers):] {
				added[h.Key] = string(h.Value)
			}
			require.Equal(t, k.topic, added[contract.ParkedTopic], contract.ParkedTopic)
			require.Equal(t, fmt.Sprint(good.Partition), added[contract.ParkedPartition], contract.ParkedPartition)
			require.Equal(t, fmt.Sprint(i+1), added[contract.ParkedOffset], contract.ParkedOffset)
			require.NotEmpty(t, added[contract.ParkedError], contract.ParkedError)
			require.LessOrEqual(t, len(added[contract.ParkedError]), contract.MaxAttribute, "length of %s", contract.ParkedError)
		}
		t.cannotPark(k, c, good)
		require.Equal(t, len(bad)+1, k.count(t, k.parked), "parked records, after one that could not be parked at first")
	},
}, {
	Check: check.Check{ID: "L1.24", Points: 4, Limit: time.Minute, Operation: consume, Invariant: "L1.I10",
		Title:         "what is not the record's fault parks nothing, and the record comes again",
		Misconception: "that every error is poison: a database that is away for a minute then parks a minute of trades",
		Hint:          "Run gives the error back; commit what was handled before it, and not the record itself"},
	try: func(t *trial) {
		c, k := t.codec(), newKafka(t)
		first := t.publish(k, c, event(0), settlement)
		second := t.publish(k, c, event(2), settlement)
		broken := fmt.Errorf("the database is away: %w", contract.ErrTruncated) // of some other data: the record is what it was
		err := t.consumeUntil(k, c, func(e contract.Event) error {
			if e.ID == second.ID {
				return broken
			}
			return nil
		})
		require.ErrorIs(t, err, broken, "Run, after the handler failed")

		t.registry.goAway(true)
		foreign := k.foreign(t, second)
		g := t.consume(k, c)
		check.Events(t, "what is handed over after the handler failed", []contract.Event{second}, g.take(1))
		require.ErrorIs(t, g.wait(), errAway, "Run, when the registry was away")

		t.registry.goAway(false)
		g = t.consume(k, c)
		check.Events(t, "what is handed over when the registry is back", []contract.Event{foreign}, g.take(1))
		g.stop()
		require.Zero(t, k.count(t, k.parked), "parked records, where none is poison")
		require.NotEqual(t, first.ID, second.ID)
	},
}}

// smallest is the least that a client may be told to send at once.
const smallest = 1 << 10

// cannotPark has a client that cannot write what it should park. The record is nobody's fault, so it comes again, to a client that can.
func (t *trial) cannotPark(k *kafka, c Codec, good *kgo.Record) {
	k.produce(t, k.topic, &kgo.Record{Key: good.Key, Headers: good.Headers, Value: bytes.Repeat([]byte{1}, 4*smallest)})
	behind := t.publish(k, c, event(4), settlement)
	g := t.consume(k, c, kgo.ProducerBatchMaxBytes(smallest))
	select {
	case <-g.got:
		t.fail("a record could not be parked, and what stands behind it was handed over")
	case <-g.over:
	case <-t.Context().Done():
		t.fail("a record could not be parked, and Run did not say so")
	}
	require.ErrorIs(t, g.err, kerr.MessageTooLarge, "Run, when a record could not be parked")
	after := t.publish(k, c, event(6), settlement) // the first that comes to one who has committed the others
	g = t.consume(k, c)
	g.parks = true
	check.Events(t, "what is handed over first when the record can be parked", []contract.Event{behind}, g.take(1))
	check.Events(t, "and what then", []contract.Event{after}, g.take(1))
	g.stop()
}

// oneAtATime has events on every partition, and a handler that stays a little to see whether it is called meanwhile.
func (t *trial) oneAtATime(k *kafka, c Codec) {
	const n = 12
	for i := range n {
		t.publish(k, c, spread(i+20), settlement)
	}
	var inside atomic.Int32
	second := newSignal()
	g := t.run(k, c, func(contract.Event) error {
		if inside.Add(1) > 1 {
			second.give()
		}
		defer inside.Add(-1)
		select {
		case <-second.c:
		case <-time.After(5 * time.Millisecond): // too short a stay finds less, and fails nobody
		}
		return nil
	})
	g.take(n)
	g.stop()
	require.False(t, second.given(), "the handler was called while it was at work")
}

// large is what fits a record, and what an error that quotes it twice does not.
const large = 800_000

// noText is the body of a settlement whose source of the price has n bytes that are not UTF-8.
func noText(n int) []byte {
	body := binary.AppendVarint(unhex("0201 00 0201 02"), int64(n))
	return append(body, bytes.Repeat([]byte{0xff}, n)...)
}

// event is the i-th event, without data. Those with an even and an odd i are of two streams.
func event(i int) contract.Event {
	return contract.Event{
		ID: uuid.NewSHA1(uuid.Nil, fmt.Append(nil, "event ", i)), Stream: fmt.Sprintf("trade/UTI-%d", i%2),
		EffectiveAt: time.Date(2025, 3, 30, 12, 0, i, 1000, time.UTC), Actor: "ops/1", Reason: "delivered, “as usual”", Source: "codectest",
		Corrects: uuid.NewSHA1(uuid.Nil, []byte("corrects")), Correlation: uuid.NewSHA1(uuid.Nil, []byte("correlation")),
		Traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
	}
}

// publish gives the event as it should come out.
func (t *trial) publish(k *kafka, c Codec, e contract.Event, body trade.Body) contract.Event {
	err := t.answer.Producer(k.client, k.topic, c).Publish(t.Context(), e, body)
	answered(t, publish, err)
	require.NoError(t, err, "publish %s", e.ID)
	p := t.encoded(c, body)
	e.Type, e.Schema, e.Fingerprint, e.Data = p.Type, p.Schema, p.Fingerprint, p.Data
	return e
}

func of(stream string, all []contract.Event) []contract.Event {
	var some []contract.Event
	for _, e := range all {
		if strings.HasPrefix(e.Stream, stream) {
			some = append(some, e)
		}
	}
	return some
}
