package codectest

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/kit/check"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
)

var decoding = []spec{{
	Check: check.Check{ID: "L1.12", Points: 2, Operation: decode, Invariant: "L1.I1",
		Title: "the bytes of each type are read as the bodies that their consumers expect",
		Misconception: "that the type of the event decides how data is read; in fact the id in " +
			"the data decides",
		Hint: "find the schema by the id in bytes 1 to 4; formatOf (formats.go) has its walk",
		More: "s := c.own[id]; f := formatOf(s); value, err := f.read(data[prefixSize:]); return " +
			"f.upcast(value), nil",
		Read: "section 2 and exercise 5"},
	try: func(t *trial) {
		c := t.codec()
		for _, f := range otherFacts() {
			data := t.registry.wire(f.typ, f.version, f.bytes())
			t.requireBody(c, f.name(), f.typ, data, f.body)
		}
		data := t.registry.wire("store.head", 1, unhex(headBytes))
		got, err := c.DecodeHead(t.Context(), data)
		require.NoError(t, err, "decode a head")
		require.Equal(t, head, got)
		_, err = c.Decode(t.Context(), "store.head", data)
		requireFault(t, "a head read as an event", err, contract.ErrWrongType)
	},
}, {
	Check: check.Check{ID: "L1.13", Points: 2, Operation: decode, Invariant: "L1.I1",
		Title:         "Decode(Encode(b)) is b, for numbers of 28 digits and texts of any script",
		Misconception: "that a decimal can pass through a float64, which holds 15 digits",
		Hint:          "return the value that f.read returned, and change nothing in it",
		More:          "the walks are exact already: look for a conversion in your own code",
		Read:          "exercise 5"},
	try: func(t *trial) {
		c, r := t.codec(), t.random()
		for i := range 300 {
			body := randomBody(r, i)
			p := t.encoded(c, body)
			t.requireBody(c, fmt.Sprintf("body %d (%s)", i, p.Type), p.Type, p.Data, body)
		}
	},
}, {
	Check: check.Check{ID: "L1.14", Points: 3, Operation: decode, Invariant: "L1.I5",
		Title: "each fault of data is one error of its own: ErrMagic, ErrTruncated, ErrTrailing, " +
			"ErrOversize, ErrWrongType",
		Misconception: "that one error is enough; in fact a consumer parks some of them, and a " +
			"person has to know which it was",
		Hint: "judge the prefix first, in the order of the table of exercise 5, and then compare " +
			"the type of the schema with the requested type",
		More: "len(data) > MaxData, len(data) > 0 && data[0] != 0, len(data) < prefixSize, " +
			"s.Type != typ; the errors of f.read are the contract's already",
		Read: "exercise 5"},
	try: func(t *trial) {
		c := t.codec()
		for _, bad := range t.badData() {
			body, err := c.Decode(t.Context(), bad.typ, bad.data)
			requireFault(t.Hint(bad.hint), fmt.Sprintf("%s: got %s", bad.what, show(body)),
				err, bad.want)
			require.Nil(t, body, "%s: a body beside an error", bad.what)
		}
	},
}, {
	Check: check.Check{ID: "L1.15", Points: 2, Operation: decode, Invariant: "L1.I4",
		Title: "a settlement of version 1 is read as a settlement without a price source",
		Misconception: "that old data is read with the new schema; in fact its bytes do not have " +
			"the new field, and end before it",
		Hint: "read under the schema that the prefix names, and then let upcast (formats.go) " +
			"convert the value",
		More: "formatOf(s), not latest(typ); the given settledV1 (upcast.go) is read and " +
			"converted " +
			"by f.read and f.upcast",
		Read: "section 3 and exercise 5"},
	try: func(t *trial) { t.readsHistory("trade.settled", 1) },
}}

// A badDatum is data that is no event of a type.
type badDatum struct {
	what, typ string
	data      []byte
	want      error
	hint      string
}

func (t *trial) badData() []badDatum {
	f := latestFact("trade.settled")
	right := t.registry.wire(f.typ, f.version, f.bytes())
	magic := bytes.Clone(right)
	magic[0] = 1
	const isRight = "the errors of f.read are the contract's already: return them, wrapped with %w"
	all := []badDatum{
		{"no data", f.typ, nil, contract.ErrTruncated,
			"data of fewer than five bytes has no id: it ended too early"},
		{"a first byte of 1", f.typ, magic, contract.ErrMagic,
			"look at the first byte before you read the id"},
		{"half a prefix", f.typ, right[:3], contract.ErrTruncated,
			"data of fewer than five bytes has no id: it ended too early"},
		{"data without its last byte", f.typ, right[:len(right)-1], contract.ErrTruncated, isRight},
		{"data and a zero " +
			"byte", f.typ, append(bytes.Clone(right), 0), contract.ErrTrailing, isRight},
		{"data of more than contract.MaxData bytes", f.typ,
			t.registry.wire(f.typ, f.version, make([]byte, contract.MaxData)), contract.ErrOversize,
			"compare the length of the data first, before you look into it"},
		{"an unknown event type", "trade.unheard", right, contract.ErrWrongType, wrongTypeHint},
	}
	facts := otherFacts()
	for i, f := range facts {
		other := facts[(i+len(facts)/2)%len(facts)]
		data := t.registry.wire(f.typ, f.version, f.bytes())
		all = append(all, badDatum{f.name() + " read as " + other.typ, other.typ, data,
			contract.ErrWrongType, wrongTypeHint})
	}
	return all
}

const wrongTypeHint = "the id in the data names a schema, and the caller names a type: compare " +
	"the schema's type with it"

// The checks of the split of a curve's name.
var splitting = []spec{{
	Check: check.Check{ID: "L1.18", Points: 3, Operation: split, Invariant: "L1.I4",
		Title: "a mark of version 1, which named its curve in one text, is a mark of the same " +
			"curve",
		Misconception: "that a change that the registry allows keeps its meaning; in fact by " +
			"Avro's rules alone the curve of version 1 is dropped, and both new fields are null",
		Hint: "next returns the value that a producer of version 2 would have written: the " +
			"currency, the points, and the two parts of the curve",
		More: "strings.Cut(curve, \"/\") divides at the first slash; if there is none, market is " +
			"nil, and if nothing follows it, market is the empty text",
		Read: "section 3 and exercise 7"},
	try: func(t *trial) { t.readsHistory("price.marked", 1) },
}, {
	Check: check.Check{ID: "L1.19", Points: 2, Operation: split, Invariant: "L1.I3",
		Title: "a mark has the same bytes whether it was recorded in one field or in two",
		Misconception: "that every name has two parts; in fact power has one, power/ has two, " +
			"and " +
			"oil/BRENT/call has two, the second with a slash in it",
		Hint: "divide at the first slash, and tell no market from an empty market",
		More: "strings.Cut returns whether it found the slash: return nil if it did not, and a " +
			"pointer to the rest if it did",
		Read: "exercise 7"},
	try: func(t *trial) {
		c := t.codec()
		for _, f := range factsOf("price.marked", 2) {
			want := t.registry.wire(f.typ, f.version, f.bytes())
			check.Bytes(t, "the data of "+show(f.body), want, t.encoded(c, f.body).Data)
			t.requireBody(c, f.name(), f.typ, want, f.body)
		}
		coal := trade.PriceMarked{Curve: "coal/API2", Currency: "USD"}
		_, err := c.Encode(t.Context(), coal)
		requireFault(t, "an unknown commodity", err, contract.ErrUnencodable)
	},
}}

func (t *trial) readsHistory(typ string, version int) {
	c := t.codec()
	for _, f := range factsOf(typ, version) {
		t.requireBody(c, f.name(), typ, t.registry.wire(typ, version, f.bytes()), f.body)
	}
}

// randomBody draws a body of any type but price.marked.
func randomBody(r *rand.Rand, i int) trade.Body {
	some := mwh(number(r, 6))
	switch i % 7 {
	case 0:
		b := trade.Settle{Quantity: some, Price: trade.Dec(number(r, 6)), PriceSource: words(r)}
		if r.IntN(2) == 0 {
			b.From = time.UnixMicro(r.Int64N(1 << 50)).UTC()
			b.To = b.From.Add(time.Hour)
		}
		return b
	case 1:
		b := trade.CommandRefused{CommandID: words(r), Rule: words(r), Detail: words(r),
			Line: words(r)}
		for i := range b.Digest {
			b.Digest[i] = byte(r.Uint32())
		}
		return b
	case 2:
		return trade.Amend{Kind: trade.Update, Quantity: some, Price: price(number(r, 6)),
			Counterparty: words(r)}
	case 3:
		return trade.Cancel{Kind: trade.Terminate, Quantity: some, Fee: trade.Dec(number(r, 4))}
	case 4:
		return trade.Novate{Role: trade.Transferor, Quantity: some, Fee: trade.Dec(number(r, 4)),
			NewUTI: words(r), Incoming: words(r)}
	case 5:
		return trade.Exercise{Quantity: some, UnderlyingPrice: trade.Dec(number(r, 6)),
			Settlement: trade.Cash, NewUTI: words(r)}
	}
	b := until(time.UnixMicro(r.Int64N(6e15) - 2e15).UTC()) // in the years 1906 to 2096
	b.Quantity, b.Price, b.Fee = some, trade.Dec(number(r, 6)), trade.Dec(number(r, 4))
	b.Counterparty = words(r)
	return b
}

// number draws a number of up to 28 digits, with a given number of decimal places.
func number(r *rand.Rand, places int) string {
	text := func(n int) string {
		var b strings.Builder
		for range n {
			b.WriteByte(byte('0' + r.IntN(10)))
		}
		return b.String()
	}
	sign := []string{"", "-"}[r.IntN(2)]
	return sign + "1" + text(r.IntN(28-places)) + "." + text(places)
}

func words(r *rand.Rand) string {
	return []string{
		"", "x", "EPEX", "Größe", "北京", "a/b/c", "\x00", "🙂", strings.Repeat("long ", 40),
	}[r.IntN(9)]
}
