package codectest

import (
	"fmt"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/kit/check"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
)

// The checks of one event type that is encoded by hand. They are pure.
var settling = []spec{{
	Check: check.Check{ID: "L1.1", Points: 2, Operation: encodeSettled, Invariant: "L1.I2",
		Title: "the settlement of section 2 has the bytes of section 2",
		Misconception: "that an integer has the size of its type; in fact Avro writes zig-zag " +
			"varints",
		Hint: "write the fields in the order of the table of section 2; newEncoder (avro.go) has " +
			"raw, long, bytes and string",
		More: "raw(prefixOf(id)); bytes of unscaled(quantity); long of the index of the unit; " +
			"bytes of unscaled(price); long(0) for each of the four nulls",
		Read: "section 2 and exercise 1"},
	try: func(t *trial) {
		data, err := t.encodeSettled(11, settlement)
		require.NoError(t, err, "encode the settlement of section 2")
		want := wire(11, unhex(guideBody))
		hinted := t.Hint(byteHints[min(difference(want, data), len(byteHints)-1)])
		check.Bytes(hinted, "the settlement of section 2", want, data)
	},
}, {
	Check: check.Check{ID: "L1.2", Points: 2, Operation: encodeSettled, Invariant: "L1.I3",
		Title: "every settlement has the bytes that its producers promised",
		Misconception: "that bytes are right if the same program can read them; in fact other " +
			"programs read them too, and digests are computed from them",
		Hint: "null is branch 0, and a value is branch 1 and then the value: a text, or the " +
			"microseconds since 1970",
		More: "for each optional field: long(branch(present)), and then, only if it is present, " +
			"string(text) or long(micros(time))",
		Read: "section 2 and exercise 1"},
	try: func(t *trial) {
		for i, f := range factsOf("trade.settled", 2) {
			body := f.body.(trade.Settle)
			data, err := t.encodeSettled(11, body)
			require.NoError(t, err, "encode %s", show(body))
			what := fmt.Sprintf("settlement %d, %s,", i+1, show(body))
			check.Bytes(t, what, wire(11, f.bytes()), data)
		}
	},
}, {
	Check: check.Check{ID: "L1.3", Points: 2, Operation: encodeSettled, Invariant: "L1.I1",
		Title: "a settlement that its schema cannot hold is ErrUnencodable, never another " +
			"settlement",
		Misconception: "that a library refuses values that do not fit; in fact most libraries " +
			"silently cut 1.9990001 to 1.999 at scale 6",
		Hint: "look at the errors of unscaled and micros, at the index of the unit, and at the " +
			"text: is it UTF-8?",
		More: "slices.Index(units, unit) is -1 for MW; utf8.ValidString judges the text; wrap " +
			"contract.ErrUnencodable with fmt.Errorf and %w, and return no data",
		Read: "exercise 1"},
	try: func(t *trial) {
		for _, b := range settlementMisfits {
			data, err := t.encodeSettled(11, b.body)
			requireFault(t.Hint(b.hint), fmt.Sprintf("%s: got % x", b.what, data), err,
				contract.ErrUnencodable)
			require.Nil(t, data, "%s: data beside an error", b.what)
		}
	},
}, {
	Check: check.Check{ID: "L1.4", Points: 2, Operation: decodeSettled, Invariant: "L1.I1",
		Title: "the bytes of a settlement are read as the body that its consumers expect",
		Misconception: "that values are equal if they print alike; in fact times must be in UTC, " +
			"and an absent text is the empty text",
		Hint: "read the fields in the order of the schema; trade.FromUnscaled is the inverse of " +
			"Unscaled; a time is in UTC",
		More: "in := newDecoder(body), then in.bytes(), in.long(), in.bytes(); for each optional " +
			"field in.long() is the branch; time.UnixMicro(n).UTC()",
		Read: "exercise 2"},
	try: func(t *trial) {
		for i, f := range factsOf("trade.settled", 2) {
			s, err := t.decodeSettled(f.bytes())
			what := fmt.Sprintf("settlement %d", i+1)
			require.NoError(t, err, "decode %s: % x", what, f.bytes())
			t.requireSame(what, f.body, s)
		}
	},
}, {
	Check: check.Check{ID: "L1.5", Points: 2, Operation: decodeSettled, Invariant: "L1.I5",
		Title: "data that is cut anywhere is ErrTruncated, between two fields and inside one",
		Misconception: "that a library reports it; in fact hamba's Unmarshal returns nil, and " +
			"zero for the missing fields, when the input ends between two fields",
		Hint: "look at the decoder's error after the last field, BEFORE you judge any value: a " +
			"field that was cut off is read as zero",
		More: "if err := in.end(); err != nil { return trade.Settle{}, err }, after the last read",
		Read: "exercise 2"},
	try: func(t *trial) {
		for i, f := range factsOf("trade.settled", 2) {
			body := f.bytes()
			for n := range body {
				s, err := t.decodeSettled(body[:n])
				requireFault(t, fmt.Sprintf("settlement %d, cut after %d of %d bytes: got %s",
					i+1, n, len(body), show(s)), err, contract.ErrTruncated)
			}
		}
	},
}, {
	Check: check.Check{ID: "L1.6", Points: 1, Operation: decodeSettled, Invariant: "L1.I5",
		Title: "data that continues after its last field is ErrTrailing",
		Misconception: "that extra bytes do no harm; in fact two payloads then have one meaning " +
			"and two digests",
		Hint: "after the last field, check that no input is left",
		More: "in.end() returns ErrTrailing; in.err() does not",
		Read: "exercise 2"},
	try: func(t *trial) {
		for i, f := range factsOf("trade.settled", 2) {
			s, err := t.decodeSettled(append(f.bytes(), 0))
			requireFault(t, fmt.Sprintf("settlement %d and a zero byte: got %s", i+1, show(s)),
				err, contract.ErrTrailing)
		}
	},
}}

// guideBody is the Avro body of the settlement of section 2.
const guideBody = "0a0080befc00 00 0804f40160 00 0000 00"

// byteHints has a hint for each byte of the settlement of section 2, and one for its end.
var byteHints = func() []string {
	hints := make([]string, 0, 22)
	for _, part := range []struct {
		bytes int
		hint  string
	}{
		{1, "data begins with the zero byte of the wire format"},
		{4, "the id takes four bytes, the largest first: prefixOf (events.go) has them"},
		{6, "2160 at scale 6 is 2160000000, in two's complement; it has 5 bytes and not 4, " +
			"because " +
			"a first bit of 1 would mean minus; a length is a zig-zag varint, so 5 is 0a"},
		{1, "an enum is the index of its symbol, and MWh is the first of units"},
		{1, "the second decimal begins with its length: 4 is 08"},
		{4, "83.1 at scale 6 is 83100000"},
		{4, "an absent field is branch 0 of its union: one zero byte for each of price_source, " +
			"from, to and entered"},
		{1, "nothing comes after the last field, and no value after the branch 0 of an absent one"},
	} {
		for range part.bytes {
			hints = append(hints, part.hint)
		}
	}
	return hints
}()

// difference returns the index of the first byte that differs.
func difference(a, b []byte) int {
	n := 0
	for n < min(len(a), len(b)) && a[n] == b[n] {
		n++
	}
	return n
}

// settlementMisfits are settlements that the schema cannot hold.
var settlementMisfits = []struct {
	what string
	body trade.Settle
	hint string
}{
	{"a price with 7 places", settle("1.9990001"),
		"unscaled refuses more places than the scale: return its error, wrapped"},
	{"a quantity with 7 places", trade.Settle{Quantity: mwh("1.9990001")},
		"unscaled judges both numbers: return its error for the quantity, too"},
	{"a quantity in " +
		"MW", trade.Settle{Quantity: trade.Quantity{Value: trade.Dec("1"), Unit: trade.MW}},
		"a unit that is not in units has no index: power is not a quantity that can be settled"},
	{"a text that is not UTF-8", trade.Settle{Quantity: mwh("1"), PriceSource: "\xff"},
		"Avro's string is UTF-8: ask utf8.ValidString before you write one"},
	{"a time finer than a microsecond",
		trade.Settle{Quantity: mwh("1"), From: time.Date(2025, 3, 1, 0, 0, 0, 1, time.UTC)},
		"micros refuses a nanosecond: return its error, wrapped"},
	{"an end that is finer than a microsecond",
		trade.Settle{Quantity: mwh("1"), To: time.Date(2025, 3, 1, 0, 0, 0, 1, time.UTC)},
		"micros judges both times: return its error for to, too"},
	{"an entered field that is not UTF-8",
		trade.Settle{Quantity: mwh("1"), Entered: []trade.Entered{{Field: "\xff"}}},
		"writeEntered refuses a value that does not fit: return its error"},
}

func (t *trial) encodeSettled(id int, s trade.Settle) ([]byte, error) {
	data, err := t.answer.EncodeSettled(id, s)
	answered(t, encodeSettled, err)
	return data, err
}

func (t *trial) decodeSettled(body []byte) (trade.Settle, error) {
	s, err := t.answer.DecodeSettled(body)
	answered(t, decodeSettled, err)
	return s, err
}
