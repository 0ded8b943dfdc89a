package codectest

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
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
	"example.com/blotter/schemas"
)

var decoding = []spec{{
	Check: check.Check{ID: "L1.5", Points: 2, Operation: decode, Invariant: "L1.I1",
		Title:         "each type's bytes are read as the bodies that their consumers expect",
		Misconception: "that equal means printed alike: times are in UTC, and an absent text is the empty one",
		Hint:          "read the fields in the order of the schema that the id names"},
	try: func(t *trial) {
		c := t.codec()
		for _, f := range today() {
			t.reads(c, f.name(), f.typ, t.registry.wire(f.typ, f.version, f.bytes()), f.body)
		}
		for _, b := range blocks { // the one encoding of a value may be asked for; another value may not be made of it
			data := t.registry.wire("price.marked", 2, unhex(b.body))
			if _, err := c.Decode(t.Context(), "price.marked", data); err != nil {
				only(t, b.what, err, contract.ErrMalformed)
				continue
			}
			t.reads(c, b.what, "price.marked", data, twoPoints)
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
			body := anyBody(r, i)
			p := t.encoded(c, body)
			t.reads(c, fmt.Sprintf("body %d (%s)", i, p.Type), p.Type, p.Data, body)
		}
	},
}, {
	Check: check.Check{ID: "L1.7", Points: 3, Operation: decode, Invariant: "L1.I5",
		Title:         "data that is cut anywhere is ErrTruncated, between two fields as well as inside one",
		Misconception: "that the library says so: hamba's Unmarshal answers nil when the input ends between two fields, and zero for the rest",
		Hint:          "ask the reader for its error after the last field; end of input is an error there, not an end"},
	try: func(t *trial) {
		c := t.codec()
		for _, f := range today() {
			data := t.registry.wire(f.typ, f.version, f.bytes())
			for n := range data {
				body, err := c.Decode(t.Context(), f.typ, data[:n])
				only(t, fmt.Sprintf("%s, cut after %d of %d bytes: came %s", f.name(), n, len(data), show(body)), err, contract.ErrTruncated)
				require.Nil(t, body, "body beside an error")
			}
		}
	},
}, {
	Check: check.Check{ID: "L1.8", Points: 1, Operation: decode, Invariant: "L1.I5",
		Title:         "data that goes on after its end is ErrTrailing",
		Misconception: "that what nobody asks for does no harm: two payloads would mean the same, and their digests differ",
		Hint:          "after the last field there must be nothing left to read"},
	try: func(t *trial) {
		c := t.codec()
		for _, f := range []fact{latestOf("trade.settled"), latestOf("trade.new"), latestOf("price.marked")} {
			body, err := c.Decode(t.Context(), f.typ, append(t.registry.wire(f.typ, f.version, f.bytes()), 0))
			only(t, fmt.Sprintf("%s and a zero byte: came %s", f.name(), show(body)), err, contract.ErrTrailing)
		}
	},
}, {
	Check: check.Check{ID: "L1.9", Points: 2, Operation: decode, Invariant: "L1.I5",
		Title:         "a wrong first byte is ErrMagic, an id nobody knows or of a schema outside the catalog ErrUnknownSchema, another type's schema ErrWrongType",
		Misconception: "that the event's type decides how data is read; it is the id in the data that does, and the type only has to agree",
		Hint:          "find the schema by the id first, then compare its type with the one that is asked for"},
	try: func(t *trial) {
		c := t.codec()
		f := latestOf("trade.settled")
		right := t.registry.wire(f.typ, f.version, f.bytes())
		magic := bytes.Clone(right)
		magic[0] = 1
		foreign := strings.ReplaceAll(schema("trade.settled").Text, `"scale": 6`, `"scale": 4`)
		for _, bad := range []struct {
			what, typ string
			data      []byte
			want      error
		}{
			{"a first byte of 1", f.typ, magic, contract.ErrMagic},
			{"an id that the registry does not have", f.typ, wire(7, f.bytes()), contract.ErrUnknownSchema},
			{"a schema that differs in a scale", f.typ, wire(t.registry.publish(foreign), f.bytes()), contract.ErrUnknownSchema},
			{"a settlement read as a novation", "trade.novated", right, contract.ErrWrongType},
			{"a type that nobody has heard of", "trade.unheard", right, contract.ErrWrongType},
		} {
			body, err := c.Decode(t.Context(), bad.typ, bad.data)
			only(t, fmt.Sprintf("%s: came %s", bad.what, show(body)), err, bad.want)
		}
		facts := today()
		for i, f := range facts {
			other := facts[(i+len(facts)/2)%len(facts)]
			body, err := c.Decode(t.Context(), other.typ, t.registry.wire(f.typ, f.version, f.bytes()))
			only(t, fmt.Sprintf("%s read as %s: came %s", f.name(), other.typ, show(body)), err, contract.ErrWrongType)
		}
	},
}, {
	Check: check.Check{ID: "L1.10", Points: 3, Operation: decode, Invariant: "L1.I5",
		Title:         "a length that lies is an error before anything is allocated for it",
		Misconception: "that five bytes can do no harm: read as the length of an array they ask for gigabytes",
		Hint:          "compare every length with contract.MaxData, and with what is left of the input, before you make anything of it"},
	try: func(t *trial) {
		c := t.codec()
		_, err := c.Decode(t.Context(), "trade.settled", t.registry.wire("trade.settled", 2, make([]byte, contract.MaxData)))
		only(t, "data of more than contract.MaxData bytes", err, contract.ErrOversize)
		for _, bad := range hostile {
			data := t.registry.wire(bad.typ, schema(bad.typ).Version, unhex(bad.body))
			body, err := c.Decode(t.Context(), bad.typ, data)
			require.Truef(t, one(err, contract.ErrOversize, contract.ErrTruncated, contract.ErrMalformed),
				"%s: expected an error of the contract's, and one alone, came %s and %v", bad.what, show(body), err)
			allocated := leastAllocated(func() { _, _ = c.Decode(t.Context(), bad.typ, data) })
			require.Less(t, allocated>>20, uint64(16), "%s: MiB allocated for %d bytes of input", bad.what, len(data))
		}
	},
}, {
	Check: check.Check{ID: "L1.11", Points: 2, Operation: decode, Invariant: "L1.I5",
		Title:         "a symbol, a branch, a length, a number or a text that cannot be is ErrMalformed",
		Misconception: "that bytes come from a right producer: they come from disks, networks and other people's programs",
		Hint:          "the index of a symbol is checked against their number, of a branch against two; a text against UTF-8, a number against its precision or its bits"},
	try: func(t *trial) {
		c := t.codec()
		for _, bad := range impossible {
			body, err := c.Decode(t.Context(), bad.typ, t.registry.wire(bad.typ, schema(bad.typ).Version, unhex(bad.body)))
			only(t, fmt.Sprintf("%s: came %s", bad.what, show(body)), err, contract.ErrMalformed)
		}
	},
}, {
	Check: check.Check{ID: "L1.12", Points: 1, Operation: heads, Invariant: "L1.I1",
		Title:         "a head is written and read by the same rules, and is never taken for an event",
		Misconception: "that what is ours alone needs no schema",
		Hint:          "store.head is in the catalog like any event; Decode must refuse it with ErrWrongType"},
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
		only(t, "a head that is cut", err, contract.ErrTruncated)
		for _, bad := range impossibleHeads() {
			got, err = c.DecodeHead(t.Context(), t.registry.wire("store.head", 1, bad.body))
			only(t, fmt.Sprintf("%s: came %+v", bad.what, got), err, contract.ErrMalformed)
		}
		for _, typ := range []string{"store.head", "trade.settled"} {
			_, err = c.Decode(t.Context(), typ, data)
			only(t, "a head read as an event of type "+typ, err, contract.ErrWrongType)
		}
	},
}}

// hostile are bodies of today's version. The lengths are written out as the zig-zag varints that they are.
var hostile = []struct{ what, typ, body string }{
	{"a text of 2^31 bytes", "command.refused", "8080808010"},
	{"a decimal of 2^62 bytes", "trade.settled", "808080808080808080" + "01"},
	{"an array of 2^31 items", "price.marked", "06455552 8080808010"},
	{"an array of 100 items in no bytes", "price.marked", "06455552 c801"},
	{"an array of 2^40 items, with the size of its block", "price.marked", "06455552 ffffffffff3f 00"},
}

var impossible = []struct{ what, typ, body string }{
	{"the third of two units", "trade.settled", "0201 04 0201 00"},
	{"a unit before the first", "trade.settled", "0201 01 0201 00"},
	{"the third branch of two", "trade.settled", "0201 00 0201 04"},
	{"a decimal of minus one byte", "trade.settled", "01 00 0201 00"},
	{"a decimal of 29 digits", "trade.settled", "18204fce5e3e25026110000000 00 0201 00"},
	{"a day that does not fit 32 bits", "price.marked", "06455552 02 8080808010 e2bb02 0201 00" + ttf},
	{"an integer of 65 bits", "trade.settled", "0201 80808080808080808002 0201 00"},
	{"a block of an array that is longer than its size", "price.marked", "06455552 03 1c" + march + second + "00" + ttf},
	{"a text that is not UTF-8", "command.refused", "02ff " + strings.Repeat("00", 32) + "00 00"},
}

// twoPoints is a mark whose points are two items of an array, and blocks are other ways to write them than one block.
var twoPoints = trade.PriceMarked{Curve: "gas/TTF", Currency: "EUR", Points: []trade.Point{
	{Delivery: month, Price: trade.Dec("31.5")}, {Delivery: trade.Period{Start: 1, End: 1}},
}}

var blocks = []struct{ what, body string }{
	{"two items in two blocks", "06455552 02" + march + "02" + second + "00" + ttf},
	{"two items in a block that says its size", "06455552 03 1e" + march + second + "00" + ttf},
}

// The items of twoPoints, in 11 bytes and in 4, and what stands behind them. The second could be what stands behind as well: who takes the
// first block for the whole array does not stumble over it.
const (
	march  = "e8ba02a6bb02 0801e0a6e0"
	second = "02 02 0200"
	ttf    = "0202 0206545446"
)

type badHead struct {
	what string
	body []byte
}

// impossibleHeads are a head with one thing that cannot be.
func impossibleHeads() []badHead {
	right, id := unhex(headBytes), head.EventID.String()
	flag := bytes.Clone(right)
	flag[len(flag)-1] = 2
	named := func(text string) []byte {
		was, is := append([]byte{72}, id...), append(binary.AppendVarint(nil, int64(len(text))), text...)
		return bytes.Replace(right, was, is, 1)
	}
	return []badHead{
		{"a truth value that is neither 0 nor 1", flag},
		{"an id in braces", named("{" + id + "}")},
		{"an id with its scheme", named("urn:uuid:" + id)},
		{"an id that is none", named(id[:35] + "x")},
	}
}

func unhex(s string) []byte {
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		panic(fmt.Sprintf("codectest: %q: %v", s, err))
	}
	return b
}

// leastAllocated is how many bytes are allocated while f runs, by the best of a few tries: others allocate at the same time.
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

func schema(typ string) schemas.Schema {
	s, ok := schemas.Latest(typ)
	if !ok {
		panic("codectest: no type " + typ)
	}
	return s
}

// latestOf is the last fact of a type's latest version.
func latestOf(typ string) fact {
	var last fact
	for _, f := range today() {
		if f.typ == typ {
			last = f
		}
	}
	return last
}

// anyBody draws a body of any type.
func anyBody(r *rand.Rand, i int) trade.Body {
	some := mwh(number(r, 6))
	switch i % 8 {
	case 0:
		return trade.Settle{Quantity: some, Price: trade.Dec(number(r, 6)), PriceSource: words(r)}
	case 1:
		b := trade.PriceMarked{Curve: "gas/" + words(r), Currency: "EUR"}
		for range r.IntN(4) {
			b.Points = append(b.Points, trade.Point{Delivery: month, Price: trade.Dec(number(r, 6))})
		}
		return b
	case 2:
		b := trade.CommandRefused{CommandID: words(r), Rule: words(r), Detail: words(r)}
		for i := range b.Digest {
			b.Digest[i] = byte(r.Uint32())
		}
		return b
	case 3:
		return trade.Amend{Kind: trade.Update, Quantity: some, Price: price(number(r, 6)), Counterparty: words(r)}
	case 4:
		return trade.Cancel{Kind: trade.Terminate, Quantity: some, Fee: trade.Dec(number(r, 4))}
	case 5:
		return trade.Novate{Role: trade.Transferor, Quantity: some, Fee: trade.Dec(number(r, 4)), NewUTI: words(r), Incoming: words(r)}
	case 6:
		return trade.Exercise{Quantity: some, UnderlyingPrice: trade.Dec(number(r, 6)), Settlement: trade.Cash, NewUTI: words(r)}
	}
	b := until(time.UnixMicro(r.Int64N(6e15) - 2e15).UTC()) // in the years 1906 to 2096
	b.Quantity, b.Price, b.Fee = some, trade.Dec(number(r, 6)), trade.Dec(number(r, 4))
	b.Counterparty = words(r)
	return b
}

// number has up to 28 digits, of which the given count stands behind the point.
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
	return []string{"", "x", "EPEX", "Größe", "北京", "a/b/c", "\x00", "🙂", strings.Repeat("long ", 40)}[r.IntN(9)]
}
