package codectest

import (
	"context"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/blotter/labs/kit/check"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
)

var forms = []spec{{
	Check: check.Check{ID: "L1.38", Points: 3, Operation: inJSON, Invariant: "L1.I12",
		Title: "an event in the JSON form becomes the same event in Avro, whatever its spelling",
		Misconception: "that the digest of an event can cover the bytes that came; in fact one " +
			"event has many texts in JSON",
		Hint: "read the text under the schema of its id, and write the value in Avro under the " +
			"same schema",
		More: "s, avroID, err := j.schemaOf(ctx, e.Data); f := formatOf(s); f.readJSON(" +
			"e.Data[prefixSize:]); f.write(prefixOf(avroID), value); then Schema, Fingerprint " +
			"and Data of e",
		Read: "section 4 and exercise 6"},
	try: func(t *trial) {
		c := t.codec()
		j := t.jsonOver(c)
		for _, f := range latestFacts() {
			p, err := j.Encode(t.Context(), f.body)
			require.NoError(t, err, "encode %s as JSON", f.name())
			t.requireAvro(c, j, f.name(), p.Data, f.body)
		}
		full := trade.Settle{
			Quantity: mwh("2160"), Price: trade.Dec("83.1"), From: event(0).EffectiveAt,
			To: event(1).EffectiveAt,
		}
		p, err := j.Encode(t.Context(), full)
		require.NoError(t, err, "encode a settlement as JSON")
		for what, text := range map[string]string{
			"a text on several lines": `{ "to": "2025-03-30T12:00:01.000001Z",
				"from": "2025-03-30T12:00:00.000001Z",
				"price": "83.1", "quantity": { "unit": "MWh", "value": "2160" } }`,
			"a text with trailing zeros, and times of another zone": `{"quantity":{"value":` +
				`"2160.00","unit":"MWh"},"price":"83.100000","from":"2025-03-30T14:00:00.000001` +
				`+02:00","to":"2025-03-30T14:00:01.000001000+02:00"}`,
		} {
			t.requireAvro(c, j, what, append(p.Data[:prefixSize:prefixSize], text...), full)
		}
	},
}, {
	Check: check.Check{ID: "L1.39", Points: 3, Operation: inJSON, Invariant: "L1.I12",
		Title: "a consumer hands over events of both forms as events in Avro, and parks JSON " +
			"that is no event",
		Misconception: "that a failure to encode is the program's own; in fact the data that " +
			"came does not fit its schema",
		Hint: "compare the schema's type with that of the event; an error of write is " +
			"ErrMalformed here",
		More: `if s.Type != e.Type { … contract.ErrWrongType }; fmt.Errorf("%w: %v", ` +
			"contract.ErrMalformed, err) for an error of write",
		Read: "section 4 and exercise 6"},
	try: func(t *trial) {
		c := t.codec()
		j := t.jsonOver(c)
		t.requireJSONFaults(j)
		k := newKafka(t)
		want := []contract.Event{t.publish(k, c, event(0), settlement)}
		want = append(want, t.publishJSON(k, c, j, event(2)))
		both := t.hint("handleRecord decodes with c.decode (consuming.go), and hands over the " +
			"event that it returns")
		both.json = j
		m := both.consume(k, c)
		check.Events(both, "the events of both forms", want, m.take(len(want)))
		k.produce(t, k.topic, poison(k.last(t, event(2).Stream), t.tooFine(j)))
		last := t.publish(k, c, event(4), settlement)
		m.mayPark = true
		m.passes(last.ID, func() string { return "JSON that does not fit its schema" })
		m.stop()
		require.Equal(both, 1, k.count(both, k.parked), "parked records")
	},
}}

// jsonOver returns the answer's codec of the JSON form.
func (t *trial) jsonOver(c Codec) contract.JSONCodec {
	j, err := t.answer.NewJSON(t.Context(), t.registry, t.name, c)
	require.NoError(t, err, "the JSON form over an empty registry")
	return watchedJSON{j, t}
}

// requireAvro requires that data in the JSON form becomes the event that a producer of Avro sends.
// The headers of the record claim another version, which no answer may believe.
func (t *trial) requireAvro(
	c Codec, j contract.JSONCodec, what string, data []byte, body trade.Body,
) {
	want := event(1)
	p := t.encoded(c, body)
	want.Type, want.Schema, want.Fingerprint, want.Data = p.Type, p.Schema, p.Fingerprint, p.Data
	sent := want
	sent.Schema, sent.Fingerprint, sent.Data = 7, [32]byte{7}, data
	got, err := j.Avro(t.Context(), sent)
	require.NoError(t, err, "%s: %.200s", what, data[prefixSize:])
	check.Bytes(t.Hint("Data is of Avro: prefixOf the id of the schema in Avro, then what write "+
		"appends"), what, want.Data, got.Data)
	claims := t.Hint("Schema and Fingerprint are those of the id's schema, whatever the headers " +
		"claim")
	require.Equal(claims, want.Schema, got.Schema, "schema version of %s", what)
	require.True(claims, want.Fingerprint == got.Fingerprint, "the fingerprint of %s is %x, which "+
		"is not that of its schema", what, got.Fingerprint)
	require.True(t, want.ContentDigest() == got.ContentDigest(),
		"the content digest of %s in JSON differs from that in Avro", what)
}

// tooFine is JSON of a settlement whose price has more places than its schema.
func (t *trial) tooFine(j contract.JSONCodec) []byte {
	p, err := j.Encode(t.Context(), settlement)
	require.NoError(t, err, "encode a settlement as JSON")
	const text = `{"quantity":{"value":"2160","unit":"MWh"},"price":"83.1234567"}`
	return append(p.Data[:prefixSize:prefixSize], text...)
}

// requireJSONFaults requires the error of each fault of data in the JSON form.
func (t *trial) requireJSONFaults(j contract.JSONCodec) {
	fine := t.tooFine(j)
	avro := func(typ string, data []byte) error {
		e := event(1)
		e.Type, e.Data = typ, data
		_, err := j.Avro(t.Context(), e)
		return err
	}
	requireFault(t.Hint("the data is at fault, so an error of write is ErrMalformed, and no "+
		"ErrUnencodable"), "a price of seven places", avro("trade.settled", fine),
		contract.ErrMalformed)
	p, err := j.Encode(t.Context(), settlement)
	require.NoError(t, err)
	wrongType := t.Hint("compare the type of the id's schema with that of the event")
	requireFault(wrongType, "a settlement that claims to be a novation",
		avro("trade.novated", p.Data), contract.ErrWrongType)
	requireFault(t, "half an object", avro("trade.settled", p.Data[:len(p.Data)/2]),
		contract.ErrMalformed)
	t.registry.setAway(true)
	defer t.registry.setAway(false)
	requireOtherError(t, "an id that nobody asked for, while the registry does not answer",
		avro("trade.settled", wire(7, p.Data[prefixSize:])))
}

// publishJSON publishes an event in the JSON form, and returns it as a consumer must receive it.
func (t *trial) publishJSON(
	k *kafka, c Codec, j contract.JSONCodec, e contract.Event,
) contract.Event {
	err := t.answer.Producer(k.client, k.topic, j).Publish(t.Context(), e, settlement)
	answered(t, publish, err)
	require.NoError(t, err, "publish %s as JSON", e.ID)
	r := k.last(t, e.Stream)
	require.Equal(t.Hint("p.recordOf (envelope.go) knows the content type of the codec"),
		"application/vnd.confluent.json", values(r.Headers)["content-type"],
		"content type of an event in the JSON form")
	const text = `{"quantity":{"value":"2160","unit":"MWh"},"price":"83.1"}`
	require.Equal(t, text, string(r.Value[min(prefixSize, len(r.Value)):]), "value of the record")
	p := t.encoded(c, settlement)
	e.Type, e.Schema, e.Fingerprint, e.Data = p.Type, p.Schema, p.Fingerprint, p.Data
	return e
}

// consumer returns the answer's consumer, of both forms if the trial has a codec of JSON.
func (t *trial) consumer(client *kgo.Client, k *kafka, c Codec) contract.Consumer {
	if t.json != nil {
		return t.answer.BothForms(client, k.parked, c, t.json)
	}
	return t.answer.Consumer(client, k.parked, c)
}

// watchedJSON is the proxy through which checks call a codec of the JSON form.
type watchedJSON struct {
	contract.JSONCodec
	t *trial
}

func (w watchedJSON) Avro(ctx context.Context, e contract.Event) (contract.Event, error) {
	got, err := w.JSONCodec.Avro(ctx, e)
	answered(w.t, inJSON, err)
	return got, err
}
