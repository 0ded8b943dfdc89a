package codectest

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/kit/check"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
)

var decoding = []spec{{
	Check: check.Check{ID: "L1.5", Points: 2, Operation: decode, Invariant: "L1.I1",
		Title: "the bytes of each type are read as the bodies that their consumers expect",
		Misconception: "that values are equal if they print alike; in fact times must be in UTC, " +
			"and an absent text is the empty text",
		Hint: "read the fields in the order of the schema that the id names"},
	try: func(t *trial) {
		c := t.codec()
		for _, f := range latestFacts() {
			data := t.registry.wire(f.typ, f.version, f.bytes())
			t.requireBody(c, f.name(), f.typ, data, f.body)
		}
		// A codec may insist on the one encoding of a value. It may not decode another value.
		for _, b := range otherBlocks {
			data := t.registry.wire("price.marked", 2, unhex(b.body))
			if _, err := c.Decode(t.Context(), "price.marked", data); err != nil {
				requireFault(t, b.what, err, contract.ErrMalformed)
				continue
			}
			t.requireBody(c, b.what, "price.marked", data, twoPoints)
		}
	},
}, {
	Check: check.Check{ID: "L1.6", Points: 3, Operation: decode, Invariant: "L1.I1",
		Title:         "Decode(Encode(b)) is b, for numbers of 28 digits and texts of any script",
		Misconception: "that a decimal can pass through a float64, which holds 15 digits",
		Hint:          "trade.FromUnscaled is the inverse of Unscaled; both are exact"},
	try: func(t *trial) {
		c, r := t.codec(), t.random()
		for i := range 300 {
			body := randomBody(r, i)
			p := t.encoded(c, body)
			t.requireBody(c, fmt.Sprintf("body %d (%s)", i, p.Type), p.Type, p.Data, body)
		}
	},
}, {
	Check: check.Check{ID: "L1.7", Points: 3, Operation: decode, Invariant: "L1.I5",
		Title: "data that is cut anywhere is ErrTruncated, between two fields and inside one",
		Misconception: "that the library reports it; in fact hamba's Unmarshal returns nil, and " +
			"zero for the missing fields, when the input ends between two fields",
		Hint: "look at the reader's error after the last field; the end of the input is an error " +
			"there"},
	try: func(t *trial) {
		c := t.codec()
		for _, f := range latestFacts() {
			data := t.registry.wire(f.typ, f.version, f.bytes())
			for n := range data {
				body, err := c.Decode(t.Context(), f.typ, data[:n])
				requireFault(t, fmt.Sprintf("%s, cut after %d of %d bytes: got %s",
					f.name(), n, len(data), show(body)), err, contract.ErrTruncated)
				require.Nil(t, body, "body beside an error")
			}
		}
	},
}, {
	Check: check.Check{ID: "L1.8", Points: 1, Operation: decode, Invariant: "L1.I5",
		Title: "data that continues after its last field is ErrTrailing",
		Misconception: "that extra bytes do no harm; in fact two payloads then have one meaning " +
			"and two digests",
		Hint: "after the last field, check that no input is left"},
	try: func(t *trial) {
		c := t.codec()
		for _, typ := range []string{"trade.settled", "trade.new", "price.marked"} {
			f := latestFact(typ)
			data := append(t.registry.wire(f.typ, f.version, f.bytes()), 0)
			body, err := c.Decode(t.Context(), f.typ, data)
			requireFault(t, fmt.Sprintf("%s and a zero byte: got %s", f.name(), show(body)),
				err, contract.ErrTrailing)
		}
	},
}, {
	Check: check.Check{ID: "L1.9", Points: 2, Operation: decode, Invariant: "L1.I5",
		Title: "a wrong first byte is ErrMagic; an unknown id, or one of a schema outside the " +
			"catalog, is ErrUnknownSchema; the schema of another type is ErrWrongType",
		Misconception: "that the event's type decides how data is read; in fact the id in the " +
			"data decides, and the type must agree with it",
		Hint: "find the schema by its id first, then compare its type with the requested type"},
	try: func(t *trial) {
		c := t.codec()
		f := latestFact("trade.settled")
		right := t.registry.wire(f.typ, f.version, f.bytes())
		magic := bytes.Clone(right)
		magic[0] = 1
		outside := wire(t.registry.publish(rescaled(f.typ)), f.bytes())
		for _, bad := range []struct {
			what, typ string
			data      []byte
			want      error
		}{
			{"a first byte of 1", f.typ, magic, contract.ErrMagic},
			{"an id that the registry does not have", f.typ, wire(7, f.bytes()),
				contract.ErrUnknownSchema},
			{"a schema with another scale", f.typ, outside, contract.ErrUnknownSchema},
			{"a settlement read as a novation", "trade.novated", right, contract.ErrWrongType},
			{"an unknown event type", "trade.unheard", right, contract.ErrWrongType},
		} {
			body, err := c.Decode(t.Context(), bad.typ, bad.data)
			requireFault(t, fmt.Sprintf("%s: got %s", bad.what, show(body)), err, bad.want)
		}
		facts := latestFacts()
		for i, f := range facts {
			other := facts[(i+len(facts)/2)%len(facts)]
			data := t.registry.wire(f.typ, f.version, f.bytes())
			body, err := c.Decode(t.Context(), other.typ, data)
			requireFault(t, fmt.Sprintf("%s read as %s: got %s", f.name(), other.typ, show(body)),
				err, contract.ErrWrongType)
		}
	},
}, {
	Check: check.Check{ID: "L1.10", Points: 3, Operation: decode, Invariant: "L1.I5",
		Title: "a false length is an error before memory is allocated for it",
		Misconception: "that five bytes can do no harm; in fact they ask for gigabytes if they " +
			"are the length of an array",
		Hint: "compare each length with contract.MaxData and with the remaining input before you " +
			"allocate"},
	try: func(t *trial) {
		c := t.codec()
		data := t.registry.wire("trade.settled", 2, make([]byte, contract.MaxData))
		_, err := c.Decode(t.Context(), "trade.settled", data)
		requireFault(t, "data of more than contract.MaxData bytes", err, contract.ErrOversize)
		for _, bad := range falseLengths {
			data := t.registry.wire(bad.typ, latestSchema(bad.typ).Version, unhex(bad.body))
			body, err := c.Decode(t.Context(), bad.typ, data)
			require.Truef(t,
				isOneFault(err, contract.ErrOversize, contract.ErrTruncated, contract.ErrMalformed),
				"%s: expected exactly one of the contract's errors, got %s and %v",
				bad.what, show(body), err)
			allocated := leastAllocated(func() { _, _ = c.Decode(t.Context(), bad.typ, data) })
			require.Less(t, allocated>>20, uint64(16), "%s: MiB allocated for %d bytes of input",
				bad.what, len(data))
		}
	},
}, {
	Check: check.Check{ID: "L1.11", Points: 2, Operation: decode, Invariant: "L1.I5",
		Title: "an impossible symbol, branch, length, number or text is ErrMalformed",
		Misconception: "that bytes come from a correct producer; in fact they come from disks, " +
			"networks and other people's programs",
		Hint: "check the index of a symbol against the number of symbols, a branch against two, " +
			"a text against UTF-8, and a number against its precision or its bits"},
	try: func(t *trial) {
		c := t.codec()
		for _, bad := range impossible {
			data := t.registry.wire(bad.typ, latestSchema(bad.typ).Version, unhex(bad.body))
			body, err := c.Decode(t.Context(), bad.typ, data)
			requireFault(t, fmt.Sprintf("%s: got %s", bad.what, show(body)),
				err, contract.ErrMalformed)
		}
	},
}, {
	Check: check.Check{ID: "L1.12", Points: 1, Operation: heads, Invariant: "L1.I1",
		Title:         "a head is encoded by the same rules, and is never mistaken for an event",
		Misconception: "that an internal record needs no schema",
		Hint: "store.head is in the catalog like any event; Decode must refuse it with " +
			"ErrWrongType"},
	try: func(t *trial) {
		c := t.codec()
		want := t.registry.wire("store.head", 1, unhex(headBytes))
		data, err := c.EncodeHead(t.Context(), head)
		require.NoError(t, err)
		check.Bytes(t, "the data of a head", want, data)
		got, err := c.DecodeHead(t.Context(), want)
		require.NoError(t, err)
		require.Equal(t, head, got)
		_, err = c.DecodeHead(t.Context(), data[:len(data)-1])
		requireFault(t, "a head without its last byte", err, contract.ErrTruncated)
		for _, bad := range impossibleHeads() {
			got, err = c.DecodeHead(t.Context(), t.registry.wire("store.head", 1, bad.body))
			requireFault(t, fmt.Sprintf("%s: got %+v", bad.what, got), err, contract.ErrMalformed)
		}
		for _, typ := range []string{"store.head", "trade.settled"} {
			_, err = c.Decode(t.Context(), typ, data)
			requireFault(t, "a head read as an event of type "+typ, err, contract.ErrWrongType)
		}
	},
}}

// The checks of old versions.
var upcasting = []spec{{
	Check: check.Check{ID: "L1.15", Points: 3, Operation: upcast, Invariant: "L1.I4",
		Title: "a settlement of version 1 is read as a settlement without a price source",
		Misconception: "that old data is read with the new schema; in fact its bytes do not have " +
			"the new field, and end before it",
		Hint: "read under the schema that the prefix names; the new field keeps its default, " +
			"null, which is the empty text"},
	try: func(t *trial) { t.readsHistory("trade.settled", 1) },
}, {
	Check: check.Check{ID: "L1.16", Points: 3, Operation: upcast, Invariant: "L1.I4",
		Title: "a mark of version 1, which named its curve in one text, is a mark of the same " +
			"curve",
		Misconception: "that a change that the registry allows keeps its meaning; in fact by " +
			"Avro's rules alone the curve of version 1 is dropped, and both new fields are null",
		Hint: "write the step from version 1 to version 2 once; splitCurve in walks.go divides " +
			"the name"},
	try: func(t *trial) { t.readsHistory("price.marked", 1) },
}, {
	Check: check.Check{ID: "L1.17", Points: 1, Operation: upcast, Invariant: "L1.I5",
		Title:         "an old version is read as strictly as the latest",
		Misconception: "that old data needs no checks, because it was right once",
		Hint: "read old versions with the same reader, and upcast a value only after its last " +
			"field was read"},
	try: func(t *trial) {
		c := t.codec()
		for _, f := range history {
			if f.version == latestSchema(f.typ).Version {
				continue
			}
			data := t.registry.wire(f.typ, f.version, f.bytes())
			_, err := c.Decode(t.Context(), f.typ, data[:len(data)-1])
			requireFault(t, f.name()+" without its last byte", err, contract.ErrTruncated)
			_, err = c.Decode(t.Context(), f.typ, append(data, 0))
			requireFault(t, f.name()+" and a zero byte", err, contract.ErrTrailing)
		}
	},
}}

func (t *trial) readsHistory(typ string, version int) {
	c := t.codec()
	for _, f := range factsOf(typ, version) {
		t.requireBody(c, f.name(), typ, t.registry.wire(typ, version, f.bytes()), f.body)
	}
}

// falseLengths are bodies of the latest version. Their lengths are zig-zag varints.
var falseLengths = []struct{ what, typ, body string }{
	{"a text of 2^31 bytes", "command.refused", "8080808010"},
	{"a decimal of 2^62 bytes", "trade.settled", "808080808080808080" + "01"},
	{"an array of 2^31 items", "price.marked", "06455552 8080808010"},
	{"an array of 100 items in no bytes", "price.marked", "06455552 c801"},
	{"an array of 2^40 items, with the size of its block", "price.marked",
		"06455552 ffffffffff3f 00"},
}

// impossible are bodies of the latest version with one value that its schema does not allow.
var impossible = []struct{ what, typ, body string }{
	{"the fourth of three units", "trade.settled", "0201 06 0201 00 000000"},
	{"a unit before the first", "trade.settled", "0201 01 0201 00 000000"},
	{"the third branch of two", "trade.settled", "0201 00 0201 04 000000"},
	{"a decimal of minus one byte", "trade.settled", "01 00 0201 00 000000"},
	{"a decimal of 29 digits", "trade.settled", "18204fce5e3e25026110000000 00 0201 00 000000"},
	{"a day that does not fit 32 bits", "price.marked",
		"06455552 02 8080808010 e2bb02 0201 00" + ttfBytes},
	{"an integer of 65 bits", "trade.settled", "0201 80808080808080808002 0201 00 000000"},
	{"a block of an array that is longer than its size", "price.marked",
		"06455552 03 1c" + firstPoint + secondPoint + "00" + ttfBytes},
	{"a text that is not UTF-8", "command.refused",
		"02ff " + strings.Repeat("00", 32) + "00 00 00"},
}

// twoPoints is a mark with two points.
var twoPoints = trade.PriceMarked{Curve: "gas/TTF", Currency: "EUR", Points: []trade.Point{
	{Delivery: march, Price: trade.Dec("31.5")}, {Delivery: trade.Period{Start: 1, End: 1}},
}}

// otherBlocks are encodings of twoPoints that Avro allows beside the usual single block.
var otherBlocks = []struct{ what, body string }{
	{"two items in two blocks",
		"06455552 02" + firstPoint + "02" + secondPoint + "00" + ttfBytes},
	{"two items in a block that says its size",
		"06455552 03 1e" + firstPoint + secondPoint + "00" + ttfBytes},
}

// The two points of twoPoints, in 11 bytes and in 4, and the fields after the array. The bytes of
// the second point are also valid as the fields after the array. A decoder that takes the first
// block for the whole array does not fail there.
const (
	firstPoint  = "e8ba02a6bb02 0801e0a6e0"
	secondPoint = "02 02 0200"
	ttfBytes    = "0202 0206545446 00"
)

type badHead struct {
	what string
	body []byte
}

// impossibleHeads returns heads with one value that the schema does not allow.
func impossibleHeads() []badHead {
	right, id := unhex(headBytes), head.EventID.String()
	flag := bytes.Clone(right)
	flag[len(flag)-1] = 2
	withID := func(text string) []byte {
		was := append([]byte{72}, id...)
		is := append(binary.AppendVarint(nil, int64(len(text))), text...)
		return bytes.Replace(right, was, is, 1)
	}
	return []badHead{
		{"a boolean that is neither 0 nor 1", flag},
		{"an id in braces", withID("{" + id + "}")},
		{"an id with its scheme", withID("urn:uuid:" + id)},
		{"a text that is not an id", withID(id[:35] + "x")},
	}
}

// leastAllocated returns the number of bytes that are allocated while f runs, as the least of a few
// tries: other goroutines allocate at the same time.
func leastAllocated(f func()) uint64 {
	least := uint64(math.MaxUint64)
	for range 5 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		f()
		runtime.ReadMemStats(&after)
		least = min(least, after.TotalAlloc-before.TotalAlloc)
	}
	return least
}

// randomBody draws a body of any type.
func randomBody(r *rand.Rand, i int) trade.Body {
	some := mwh(number(r, 6))
	switch i % 8 {
	case 0:
		b := trade.Settle{Quantity: some, Price: trade.Dec(number(r, 6)), PriceSource: words(r)}
		if r.IntN(2) == 0 {
			b.From = time.UnixMicro(r.Int64N(1 << 50)).UTC()
			b.To = b.From.Add(time.Hour)
		}
		return b
	case 1:
		b := trade.PriceMarked{Curve: "gas/" + words(r), Currency: "EUR"}
		for range r.IntN(4) {
			point := trade.Point{Delivery: march, Price: trade.Dec(number(r, 6))}
			b.Points = append(b.Points, point)
		}
		return b
	case 2:
		b := trade.CommandRefused{CommandID: words(r), Rule: words(r), Detail: words(r),
			Line: words(r)}
		for i := range b.Digest {
			b.Digest[i] = byte(r.Uint32())
		}
		return b
	case 3:
		return trade.Amend{Kind: trade.Update, Quantity: some, Price: price(number(r, 6)),
			Counterparty: words(r)}
	case 4:
		return trade.Cancel{Kind: trade.Terminate, Quantity: some, Fee: trade.Dec(number(r, 4))}
	case 5:
		return trade.Novate{Role: trade.Transferor, Quantity: some, Fee: trade.Dec(number(r, 4)),
			NewUTI: words(r), Incoming: words(r)}
	case 6:
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
