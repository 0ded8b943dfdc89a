package codectest

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/blotter/labs/kit/check"
	"example.com/blotter/labs/kit/contract"
)

var parking = []spec{{
	Check: check.Check{ID: "L1.33", Points: 3, Operation: park, Invariant: "L1.I9",
		Title: "a record that is not an event is parked byte for byte, with its position and the " +
			"error, and the consumer continues",
		Misconception: "that a log line is enough, or that stopping is safe; in fact nobody can " +
			"send a log line again, and stopping stops every stream of the partition",
		Hint: "copy key, value and headers to the parked topic, add the headers " +
			"contract.Parked…, " +
			"and return nil after the copy is acknowledged",
		More: "slices.Clone(r.Headers), then ParkedTopic, ParkedPartition, ParkedOffset and " +
			"ParkedError; Value: r.Value, which keeps nil as nil",
		Read: "section 3 and exercise 5"},
	try: func(t *trial) {
		c, k := t.codec(), newKafka(t)
		first := t.publish(k, c, event(0), settlement)
		good := k.all(t, k.topic, 1)[0]
		bad := []*kgo.Record{
			poison(good, append([]byte{1}, good.Value[1:]...)),
			poison(good, nil), // no value at all, which differs from an empty one
		}
		for _, r := range bad {
			r.Timestamp = time.Now().Add(-time.Hour)
			k.produce(t, k.topic, r)
		}
		last := t.publish(k, c, event(2), settlement)
		continues := t.hint("after a record was parked, continue with the next: park returns nil")
		m := continues.consume(k, c)
		m.mayPark = true
		check.Events(continues, "the events beside "+
			"poison", []contract.Event{first, last}, m.take(2))
		m.stop()
		for i, r := range k.all(t, k.parked, len(bad)) {
			requireParked(t, i+1, bad[i], r)
			require.True(t.Hint("the copy is a new fact: leave its timestamp to the client"),
				r.Timestamp.After(bad[i].Timestamp),
				"parked record %d has the time of the record, not the time of parking", i+1)
			added := values(r.Headers[len(bad[i].Headers):])
			position := t.Hint("a person has to find the record: add its topic, partition and " +
				"offset")
			require.True(position, added[contract.ParkedTopic] == k.topic,
				"%s of parked record %d is %q, which is not its topic", contract.ParkedTopic, i+1,
				added[contract.ParkedTopic])
			require.Equal(position, fmt.Sprint(good.Partition), added[contract.ParkedPartition],
				contract.ParkedPartition)
			require.Equal(position, fmt.Sprint(i+1), added[contract.ParkedOffset],
				contract.ParkedOffset)
			require.NotEmpty(t, added[contract.ParkedError], contract.ParkedError)
		}
	},
}, {
	Check: check.Check{ID: "L1.34", Points: 3, Operation: park, Invariant: "L1.I9",
		Title: "every record that fails again however often it is read is parked",
		Misconception: "that only broken bytes are poison; in fact a wrong type, an unknown " +
			"schema " +
			"and a header that cannot be read never change either",
		Hint: "list the errors that the record itself causes; an error that quotes the record " +
			"may " +
			"be too large for a header",
		More: "poison is ErrMagic, ErrTruncated, ErrTrailing, ErrOversize, ErrMalformed, " +
			"ErrUnknownSchema, ErrWrongType, and every error of eventOf; truncate (consuming.go) " +
			"the " +
			"text to contract.MaxAttribute",
		Read: "section 3 and exercise 5"},
	try: func(t *trial) {
		c, k := t.codec(), newKafka(t)
		t.publish(k, c, event(0), settlement)
		good := k.all(t, k.topic, 1)[0]
		bad := t.allPoison(good)
		for _, b := range bad {
			k.produce(t, k.topic, b.record)
		}
		last := t.publish(k, c, event(2), settlement)
		m := t.consume(k, c)
		m.mayPark = true
		m.take(1)
		m.passes(last.ID, func() string {
			n := k.count(t, k.parked)
			return "poison: " + bad[min(n, len(bad)-1)].what
		})
		m.stop()
		for i, r := range k.all(t, k.parked, len(bad)) {
			requireParked(t, i+1, bad[i].record, r)
			text := values(r.Headers[len(bad[i].record.Headers):])[contract.ParkedError]
			require.LessOrEqual(t.Hint("truncate the error: it may quote the whole record"),
				len(text), contract.MaxAttribute, "length of %s of %s", contract.ParkedError,
				bad[i].what)
		}
	},
}, {
	Check: check.Check{ID: "L1.35", Points: 2, Operation: park, Invariant: "L1.I9",
		Title: "a record is parked before its offset is committed, and one that cannot be parked " +
			"comes again",
		Misconception: "that parking always succeeds; in fact the parked topic has limits and " +
			"outages like any other",
		Hint: "return the error of the parked copy from Run, and commit only what was handled or " +
			"parked",
		More: "if err := c.client.ProduceSync(ctx, parked).FirstErr(); err != nil { return … } " +
			"in " +
			"park; Run commits after handleAll, and not before",
		Read: "section 3 and exercise 5"},
	try: func(t *trial) {
		c, k := t.codec(), newKafka(t)
		t.publish(k, c, event(0), settlement)
		good := k.all(t, k.topic, 1)[0]
		k.produce(t, k.topic, poison(good, bytes.Repeat([]byte{1}, 4*smallest)))
		next := t.publish(k, c, event(4), settlement)
		m := t.consume(k, c, kgo.ProducerBatchMaxBytes(smallest)) // too small for the copy
		m.take(1)
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
		var got []contract.Event
		for len(got) == 0 || got[len(got)-1].ID != last.ID {
			got = append(got, m.take(1)...)
		}
		hinted := t.Hint("commit AFTER the copy is acknowledged")
		check.Events(hinted, "the last events, when the record can be parked",
			[]contract.Event{next, last}, got[max(0, len(got)-2):])
		m.stop()
		require.Equal(hinted, 1, k.count(t, k.parked), "parked records")
	},
}}

// poison returns a record like good, with another value.
func poison(good *kgo.Record, value []byte) *kgo.Record {
	return &kgo.Record{Key: good.Key, Headers: good.Headers, Value: value}
}

type poisoned struct {
	what   string
	record *kgo.Record
}

// allPoison returns a record for each reason why a record is no event.
func (t *trial) allPoison(good *kgo.Record) []poisoned {
	prefix, body := good.Value[:prefixSize:prefixSize], good.Value[prefixSize:]
	json := []kgo.RecordHeader{{Key: "content-type", Value: []byte("application/json")}}
	longTime := kgo.RecordHeader{Key: "ce_effectiveat", Value: bytes.Repeat([]byte("9"), large)}
	return []poisoned{
		{"data without its last byte", poison(good, good.Value[:len(good.Value)-1])},
		{"data and a zero byte", poison(good, append(slices.Clone(good.Value), 0))},
		{"an id that the registry does not have", poison(good, wire(7, body))},
		{"the schema of another type", poison(good,
			t.registry.wire("trade.novated", 1, latestFact("trade.novated").bytes()))},
		{"a length of 2^31", poison(good, append(prefix, unhex("8080808010")...))},
		{"a text that is not UTF-8, of 800,000 bytes",
			poison(good, append(prefix, invalidText(large)...))},
		{"a record of another program, without the headers of an event",
			&kgo.Record{Key: good.Key, Headers: json, Value: []byte("{}")}},
		{"a header of 800,000 bytes that is no time", &kgo.Record{
			Key: good.Key, Headers: append(slices.Clone(good.Headers), longTime), Value: good.Value,
		}},
	}
}

// requireParked requires that the n-th parked record is the record with further headers.
func requireParked(t check.T, n int, record, parked *kgo.Record) {
	check.Bytes(t, fmt.Sprintf("the value of parked record %d", n), record.Value, parked.Value)
	require.Equal(t.Hint("a null stays null: copy the record's value as it is"),
		record.Value == nil, parked.Value == nil, "whether parked record %d has no value at all", n)
	require.Equal(t, string(record.Key), string(parked.Key), "key of parked record %d", n)
	own := len(record.Headers)
	require.GreaterOrEqual(t, len(parked.Headers), own, "headers of parked record %d", n)
	require.Equal(t, record.Headers, parked.Headers[:own],
		"the first headers of parked record %d are its own", n)
}

// large fits a record. An error that quotes it twice does not.
const large = 800_000

// invalidText returns the Avro body of a settlement whose price source is n bytes that are not
// UTF-8.
func invalidText(n int) []byte {
	body := binary.AppendVarint(unhex("0201 00 0201 02"), int64(n))
	return append(body, bytes.Repeat([]byte{0xff}, n)...)
}
