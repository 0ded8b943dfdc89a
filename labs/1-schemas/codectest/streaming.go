package codectest

import (
	"context"
	"fmt"
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
	Check: check.Check{ID: "L1.27", Points: 2, Operation: publish, Invariant: "L1.I8",
		Title: "a published event is a record: its stream is the key, its attributes are " +
			"headers, its data is the value",
		Misconception: "that a key only spreads the load; in fact records with one key are in " +
			"one partition, and only a partition has an order",
		Hint: "fill the event's Type, Schema, Fingerprint and Data from the payload; p.recordOf " +
			"(envelope.go) makes the record",
		More: "p.client.ProduceSync(ctx, p.recordOf(e)).FirstErr()",
		Read: "section 2 and exercise 3"},
	try: func(t *trial) {
		c, k := t.codec(), newKafka(t)
		e := event(1)
		t.publish(k, c, e, settlement)
		r, p := k.all(t, k.topic, 1)[0], t.encoded(c, settlement)
		require.Equal(t.Hint("the stream is the key, as recordOf sets it"), e.Stream, string(r.Key),
			"key of the record")
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
	},
}, {
	Check: check.Check{ID: "L1.28", Points: 2, Operation: publish, Invariant: "L1.I8",
		Title: "an event is published when the brokers have acknowledged it, and an invalid " +
			"event " +
			"is not sent",
		Misconception: "that a send that returned has happened; in fact the record may still be " +
			"in the client's memory",
		Hint: "validate the event that you send, and return the brokers' error",
		More: "e.Validate() AFTER the payload is in e; ProduceSync waits, Produce does not",
		Read: "exercise 3"},
	try: func(t *trial) {
		c, k := t.codec(), newKafka(t)
		e := event(1)
		e.Actor = ""
		err := t.answer.Producer(k.client, k.topic, c).Publish(t.Context(), e, settlement)
		answered(t, publish, err)
		require.ErrorIs(t.Hint("Event.Validate knows the rules of an event: ask it before you "+
			"send"),
			err, contract.ErrInvalid, "an event without an actor")
		require.Zero(t, k.count(t, k.topic), "records, after an event that is not valid")

		small := k.connect(t, kgo.ProducerBatchMaxBytes(smallest))
		defer small.Close()
		large := trade.Amend{Kind: trade.Update, Trader: strings.Repeat("x", 4*smallest)}
		err = t.answer.Producer(small, k.topic, c).Publish(t.Context(), event(3), large)
		answered(t, publish, err)
		require.ErrorIs(t.Hint("wait for the result of the send, and return its error"),
			err, kerr.MessageTooLarge, "an event that the client cannot send")
	},
}, {
	Check: check.Check{ID: "L1.29", Points: 3, Operation: consume, Invariant: "L1.I8",
		Title: "published events are handed over unchanged, and each stream in its order",
		Misconception: "that events may be handed over as their decoding finishes; in fact an " +
			"order that is lost here is lost for good",
		Hint: "handle one record after the other, in the order of the fetch; eventOf " +
			"(envelope.go) reads the headers",
		More: "for: fetches := c.client.PollFetches(ctx); c.handleAll(ctx, fetches.Records(), " +
			"handle); handleRecord is eventOf, c.decode, handle",
		Read: "section 2 and exercise 4"},
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
	},
}, {
	Check: check.Check{ID: "L1.30", Points: 1, Operation: consume, Invariant: "L1.I8",
		Title: "events are handed over one at a time",
		Misconception: "that partitions are independent, so their events can be handled in " +
			"parallel; in fact the handler is promised that it is not called again meanwhile",
		Hint: "call handle in the goroutine of Run",
		More: "no go statement, and no EachPartition with goroutines: c.handleAll is enough",
		Read: "exercise 4"},
	try: func(t *trial) { t.oneAtATime(newKafka(t), t.codec()) },
}, {
	Check: check.Check{ID: "L1.31", Points: 2, Operation: consume, Invariant: "L1.I8",
		Title: "Run returns nil when its context ends, and the next member of the group begins " +
			"after the handled events",
		Misconception: "that a poll commits; in fact only the program knows which records it " +
			"has handled",
		Hint: "commit after the records of each poll were handled, and look at the context after " +
			"each poll",
		More: "if ctx.Err() != nil || fetches.IsClientClosed() { return nil } after the poll; " +
			"c.commit(ctx, done) after handleAll",
		Read: "section 2 and exercise 4"},
	try: func(t *trial) {
		c, k := t.codec(), newKafka(t)
		t.publish(k, c, event(0), settlement)
		m := t.consume(k, c)
		m.take(1)
		m.stop()
		last := t.publish(k, c, event(2), settlement)
		t.hint("after its context has ended, Run returns nil, whatever the handler returns: see "+
			"unlessEnded (consuming.go)").interrupt(k, c)
		t.publish(k, c, event(4), settlement) // comes first if the interrupted event was committed
		m = t.consume(k, c)
		check.Events(t, "the events for the next member of the group",
			[]contract.Event{last}, m.take(1))
		m.stop()
	},
}}

// interrupt ends the context of a run while the handler has an event.
func (t *trial) interrupt(k *kafka, c Codec) {
	inside, ended := newSignal(), newSignal()
	m := t.run(k, c, func(contract.Event) error {
		inside.fire()
		<-ended.c
		return context.Canceled
	})
	select {
	case <-inside.c:
	case <-m.done:
	case <-t.Context().Done():
	}
	m.cancel()
	ended.fire()
	m.stop()
	require.True(t, inside.fired(), "no event was handed over to the next member of the group")
}

// values maps the names of headers to their values.
func values(headers []kgo.RecordHeader) map[string]string {
	values := map[string]string{}
	for _, h := range headers {
		values[h.Key] = string(h.Value)
	}
	return values
}

// smallest is the least batch size that a client accepts.
const smallest = 1 << 10

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
