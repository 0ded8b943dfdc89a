package codectest

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/kit/check"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
	"example.com/blotter/schemas"
)

var publishing = []spec{{
	Check: check.Check{ID: "L1.1", Points: 2, Operation: register, Invariant: "L1.I6",
		Title: "a new codec publishes every version of every type, oldest first, under its " +
			"subject and with the text of its file",
		Misconception: "that only the latest version is needed; in fact the registry then cannot " +
			"compare it with the earlier ones",
		Hint: "iterate over schemas.All(), which has that order; register each Text unchanged " +
			`under name + "-" + Type`},
	try: func(t *trial) {
		t.codec()
		all := t.registry.all()
		for i, s := range schemas.All() {
			require.Greater(t, len(all), i, "%s version %d was not registered", s.Type, s.Version)
			require.Equal(t, t.name+"-"+s.Type, all[i].subject,
				"subject of registration %d, which should be %s version %d", i+1, s.Type, s.Version)
			check.Bytes(t, "the text registered for "+s.Type, []byte(s.Text), []byte(all[i].text))
		}
		require.Len(t, all, len(schemas.All()), "registrations")
		t.codec()
		require.Len(t, t.registry.all(), len(all),
			"registrations after a second codec over the same registry")
		t.registry.setAway(true)
		_, err := t.answer.New(t.Context(), t.registry, t.name)
		answered(t, register, err)
		require.ErrorIs(t, err, errAway, "a new codec, when the registry does not answer")
	},
}}

var encoding = []spec{{
	Check: check.Check{ID: "L1.2", Points: 2, Operation: encode, Invariant: "L1.I2",
		Title: "data is a zero byte, the id that the registry gave in four bytes big-endian, " +
			"then the Avro body",
		Misconception: "that ids count from 1, or are little-endian like the machine",
		Hint: "keep the id that Register returned for the latest version; encoding/binary has " +
			"BigEndian.AppendUint32"},
	try: func(t *trial) {
		p := t.encoded(t.codec(), settlement)
		latest := latestSchema("trade.settled")
		require.Equal(t, "trade.settled", p.Type, "event type")
		require.Equal(t, latest.Version, p.Schema,
			"schema version: events are written under the latest")
		require.Equal(t, latest.Fingerprint, p.Fingerprint, "fingerprint")
		want := t.registry.wire(latest.Type, latest.Version, nil)
		check.Bytes(t, "the prefix of the data", want, p.Data[:min(len(want), len(p.Data))])
	},
}, {
	Check: check.Check{ID: "L1.3", Points: 4, Operation: encode, Invariant: "L1.I3",
		Title: "the body of each type has the bytes that its producers promised",
		Misconception: "that bytes are right if the same program can read them; in fact other " +
			"programs read them too, and digests are computed from them",
		Hint: "write the fields in the order of the schema; null is branch 0; a decimal is its " +
			"unscaled number in the fewest bytes of two's complement; an array is one block and " +
			"a zero; each payload has its own memory"},
	try: func(t *trial) {
		c := t.codec()
		facts := slices.Concat(latestFacts(), latestFacts())
		payloads := make([]contract.Payload, len(facts))
		for i, f := range facts {
			payloads[i] = t.encoded(c, f.body)
		}
		for i, f := range facts { // AFTER all were encoded: earlier payloads must not change
			p, s := payloads[i], latestSchema(f.typ)
			require.Equal(t, f.typ, p.Type, "event type of %s", f.name())
			require.Equal(t, s.Version, p.Schema, "schema version of %s", f.name())
			require.Equal(t, s.Fingerprint, p.Fingerprint, "fingerprint of %s", f.name())
			want := t.registry.wire(f.typ, f.version, f.bytes())
			check.Bytes(t, "the data of "+f.name(), want, p.Data)
		}
	},
}, {
	Check: check.Check{ID: "L1.4", Points: 4, Operation: encode, Invariant: "L1.I1",
		Title: "a value that its schema cannot hold is ErrUnencodable, never another value",
		Misconception: "that the library refuses values that do not fit; in fact most libraries " +
			"silently cut 1.9990001 to 1.999 at scale 6",
		Hint: "trade.Decimal.Unscaled refuses too many places; check the rest yourself: " +
			"precision, symbols, UTF-8, microseconds, the years 1 to 9999, and contract.MaxData " +
			"including the prefix"},
	try: func(t *trial) {
		c := t.codec()
		for _, b := range misfits {
			p, err := c.Encode(t.Context(), b.body)
			requireFault(t, fmt.Sprintf("%s: got % x", b.what, p.Data[:min(64, len(p.Data))]),
				err, contract.ErrUnencodable, b.allowed...)
			// The payload may be a MiB, so the failure does not show it.
			require.True(t, p.Type == "" && p.Data == nil, "%s: a payload beside an error", b.what)
		}
		p := t.encoded(c, sized(contract.MaxData))
		require.Len(t, p.Data, contract.MaxData, "data of the largest body that fits")
	},
}}

// sized returns a body whose data has n bytes, for an n of about contract.MaxData.
func sized(n int) trade.Settle {
	const others = prefixSize + 14 // the other fields, and the length of the text in three bytes
	return trade.Settle{Quantity: mwh("1"), PriceSource: strings.Repeat("x", n-others)}
}

// prefixSize is the size of the zero byte and the id, which precede the Avro body.
const prefixSize = 5

// idOf returns the id in a prefix.
func idOf(data []byte) int { return int(binary.BigEndian.Uint32(data[1:prefixSize])) }

// misfits are bodies that their schema cannot hold. The error may also be one of the allowed ones.
var misfits = []struct {
	what    string
	body    trade.Body
	allowed []error
}{
	{"no body", nil, nil},
	{"a price with 7 places", settle("1.9990001"), nil},
	{"a price with 29 digits at scale 6", settle("1" + strings.Repeat("0", 22)), nil},
	{"a negative price with 29 digits", settle("-1" + strings.Repeat("0", 22)), nil},
	{"a fee with 5 places", trade.Cancel{Kind: trade.Terminate, Fee: trade.Dec("0.00001")}, nil},
	{"a quantity in MW",
		trade.Settle{Quantity: trade.Quantity{Value: trade.Dec("1"), Unit: trade.MW}}, nil},
	{"an unknown kind", trade.Amend{Kind: "correction"}, nil},
	{"an unknown commodity", trade.PriceMarked{Curve: "coal/API2", Currency: "USD"}, nil},
	{"a text that is not UTF-8", trade.Settle{Quantity: mwh("1"), PriceSource: "\xff"}, nil},
	{"a time finer than a microsecond", until(time.Date(2025, 2, 26, 16, 0, 0, 1, time.UTC)), nil},
	{"a time in the year 0", until(time.Date(0, 12, 31, 23, 59, 59, 0, time.UTC)), nil},
	{"a time in the year 10000", until(time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)), nil},
	{"a time whose microseconds do not fit 64 bits",
		until(time.Date(300000, 1, 1, 0, 0, 0, 0, time.UTC)), nil},
	{"a body whose data is one byte too large",
		sized(contract.MaxData + 1), []error{contract.ErrOversize}},
	{"a body larger than the data of an event may be",
		sized(contract.MaxData + prefixSize + 11), []error{contract.ErrOversize}},
}

func settle(price string) trade.Settle {
	return trade.Settle{Quantity: mwh("1"), Price: trade.Dec(price)}
}

func until(end time.Time) trade.New {
	b, option := fullTrade, *fullTrade.Instrument.Option
	option.Until = end
	b.Instrument.Option = &option
	return b
}
