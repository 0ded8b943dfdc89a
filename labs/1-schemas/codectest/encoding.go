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
		Title:         "a new codec publishes every version of every type, oldest first, under its subject and as the file has it",
		Misconception: "that only the latest version is needed: then the registry never gets to compare it with those before",
		Hint:          "go through schemas.All(), which is in that order, and register Text unchanged under prefix + \"-\" + Type"},
	try: func(t *trial) {
		t.codec()
		all := t.registry.all()
		for i, s := range schemas.All() {
			require.Greater(t, len(all), i, "%s version %d was not registered", s.Type, s.Version)
			require.Equal(t, t.prefix+"-"+s.Type, all[i].subject, "subject of registration %d, which should be %s version %d", i+1, s.Type, s.Version)
			check.Bytes(t, "the text registered for "+s.Type, []byte(s.Text), []byte(all[i].text))
		}
		require.Len(t, all, len(schemas.All()), "registrations")
		t.codec()
		require.Len(t, t.registry.all(), len(all), "registrations after a second codec over the same registry")
		t.registry.goAway(true)
		_, err := t.answer.New(t.Context(), t.registry, t.prefix)
		answered(t, register, err)
		require.ErrorIs(t, err, errAway, "a new codec, when the registry does not answer")
	},
}}

var encoding = []spec{{
	Check: check.Check{ID: "L1.2", Points: 2, Operation: encode, Invariant: "L1.I2",
		Title:         "data is a zero byte, the id that the registry gave in four bytes big-endian, then the Avro body",
		Misconception: "that ids count from 1, or that they are little-endian like the machine",
		Hint:          "keep the id that Register returned for the latest version; encoding/binary has BigEndian.AppendUint32"},
	try: func(t *trial) {
		p := t.encoded(t.codec(), settlement)
		latest, _ := schemas.Latest("trade.settled")
		require.Equal(t, "trade.settled", p.Type, "event type")
		require.Equal(t, latest.Version, p.Schema, "schema version: today's events are written under the latest")
		require.Equal(t, latest.Fingerprint, p.Fingerprint, "fingerprint")
		want := t.registry.wire(latest.Type, latest.Version, nil)
		check.Bytes(t, "the header of the data", want, p.Data[:min(len(want), len(p.Data))])
	},
}, {
	Check: check.Check{ID: "L1.3", Points: 4, Operation: encode, Invariant: "L1.I3",
		Title:         "each type's bodies have the bytes that their producers promised",
		Misconception: "that whatever one can read again oneself is right: other programs read it too, and digests are made of it",
		Hint:          "write the fields in the order of the schema; null is branch 0; a decimal is its unscaled number in as few bytes of two's complement as hold it; an array is one block and a zero; no two payloads share their bytes"},
	try: func(t *trial) {
		c := t.codec()
		facts := slices.Concat(today(), today())
		payloads := make([]contract.Payload, len(facts))
		for i, f := range facts {
			payloads[i] = t.encoded(c, f.body)
		}
		for i, f := range facts { // AFTER all were encoded: what was given out stays as it is
			p, s := payloads[i], schema(f.typ)
			require.Equal(t, f.typ, p.Type, "event type of %s", f.name())
			require.Equal(t, s.Version, p.Schema, "schema version of %s", f.name())
			require.Equal(t, s.Fingerprint, p.Fingerprint, "fingerprint of %s", f.name())
			check.Bytes(t, "the data of "+f.name(), t.registry.wire(f.typ, f.version, f.bytes()), p.Data)
		}
	},
}, {
	Check: check.Check{ID: "L1.4", Points: 4, Operation: encode, Invariant: "L1.I1",
		Title:         "what a schema cannot hold is ErrUnencodable, never another value",
		Misconception: "that a library refuses what does not fit: most cut 1.9990001 to 1.999 at scale 6 and say nothing",
		Hint:          "trade.Decimal.Unscaled refuses too many places; precision, symbols, UTF-8, microseconds, the years 1 to 9999 and contract.MaxData, header included, are yours to check"},
	try: func(t *trial) {
		c := t.codec()
		for _, b := range misfits {
			p, err := c.Encode(t.Context(), b.body)
			only(t, fmt.Sprintf("%s: came % x", b.what, p.Data[:min(64, len(p.Data))]), err, contract.ErrUnencodable, b.also...)
			require.True(t, p.Type == "" && p.Data == nil, "%s: a payload beside an error", b.what) // which may be a MiB: it is not shown
		}
		require.Len(t, t.encoded(c, sized(contract.MaxData)).Data, contract.MaxData, "data of a body that just fits")
	},
}}

// sized is a body that comes out as n bytes of data, for an n of about contract.MaxData.
func sized(n int) trade.Settle {
	const others = header + 11 // the other fields, and the length of the text in three bytes
	return trade.Settle{Quantity: mwh("1"), PriceSource: strings.Repeat("x", n-others)}
}

// header is the size of what stands before the Avro body.
const header = 5

type misfit struct {
	what string
	body trade.Body
	also []error // what the error may be beside ErrUnencodable
}

var misfits = []misfit{
	{"no body", nil, nil},
	{"a price with 7 places", trade.Settle{Quantity: mwh("1"), Price: trade.Dec("1.9990001")}, nil},
	{"a price with 29 digits at scale 6", trade.Settle{Quantity: mwh("1"), Price: trade.Dec("1" + strings.Repeat("0", 22))}, nil},
	{"a negative price with 29 digits", trade.Settle{Quantity: mwh("1"), Price: trade.Dec("-1" + strings.Repeat("0", 22))}, nil},
	{"a fee with 5 places", trade.Cancel{Kind: trade.Terminate, Fee: trade.Dec("0.00001")}, nil},
	{"a quantity in MW", trade.Settle{Quantity: trade.Quantity{Value: trade.Dec("1"), Unit: trade.MW}}, nil},
	{"a kind that is no symbol", trade.Amend{Kind: "correction"}, nil},
	{"a commodity that is no symbol", trade.PriceMarked{Curve: "coal/API2", Currency: "USD"}, nil},
	{"a text that is not UTF-8", trade.Settle{Quantity: mwh("1"), PriceSource: "\xff"}, nil},
	{"a time finer than a microsecond", until(time.Date(2025, 2, 26, 16, 0, 0, 1, time.UTC)), nil},
	{"a time in the year 0", until(time.Date(0, 12, 31, 23, 59, 59, 0, time.UTC)), nil},
	{"a time in the year 10000", until(time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)), nil},
	{"a time whose microseconds do not fit 64 bits", until(time.Date(300000, 1, 1, 0, 0, 0, 0, time.UTC)), nil},
	{"a body with which data is one byte larger than it may be", sized(contract.MaxData + 1), []error{contract.ErrOversize}},
	{"a body larger than an event's data may be", trade.Settle{Quantity: mwh("1"), PriceSource: strings.Repeat("x", contract.MaxData)}, []error{contract.ErrOversize}},
}

func until(end time.Time) trade.New {
	b, option := call, *call.Instrument.Option
	option.Until = end
	b.Instrument.Option = &option
	return b
}

// idOf is the id in a header.
func idOf(data []byte) int { return int(binary.BigEndian.Uint32(data[1:header])) }
