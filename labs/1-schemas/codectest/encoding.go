package codectest

import (
	"encoding/binary"
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
	Check: check.Check{ID: "L1.7", Points: 2, Operation: register, Invariant: "L1.I6",
		Title: "a new codec publishes every version of every type, oldest first, under its " +
			"subject and with the text of its file",
		Misconception: "that only the latest version is needed; in fact the registry then cannot " +
			"compare it with the earlier ones",
		Hint: "iterate over schemas.All(), which has that order; register each Text unchanged " +
			`under name + "-" + Type`,
		More: "for _, s := range schemas.All(): id, err := registry.Register(ctx, " +
			"name+\"-\"+s.Type, " +
			"s.Text); keep the id of the latest version by type, and every schema by its id",
		Read: "section 3 and exercise 3"},
	try: func(t *trial) {
		t.codec()
		all := t.registry.all()
		for i, s := range schemas.All() {
			old := slices.IndexFunc(all, func(r registration) bool { return r.text == s.Text })
			require.True(t.Hint("publish old versions, too: readers of old data need them"),
				old >= 0 || s.Version == latestSchema(s.Type).Version,
				"%s version %d was not registered", s.Type, s.Version)
			require.Greater(t, len(all), i, "%s version %d was not registered", s.Type, s.Version)
			require.Equal(t.Hint(`the subject of a type is name, a dash and the type`),
				t.name+"-"+s.Type, all[i].subject,
				"subject of registration %d, which should be %s version %d", i+1, s.Type, s.Version)
			check.Bytes(t.Hint("a published text is a published file: another layout is another "+
				"schema to the registry"),
				"the text registered for "+s.Type, []byte(s.Text), []byte(all[i].text))
		}
		require.Len(t, all, len(schemas.All()), "registrations")
		t.codec()
		require.Len(t, t.registry.all(), len(all),
			"registrations after a second codec over the same registry")
	},
}, {
	Check: check.Check{ID: "L1.8", Points: 1, Operation: register, Invariant: "L1.I6",
		Title: "a codec that could not publish the catalog is an error",
		Misconception: "that publishing is a formality; in fact a codec without ids would write " +
			"payloads that nobody can read",
		Hint: "return the error of Register at once, with the type and the version",
		More: "if err != nil { return nil, fmt.Errorf(\"publish %s version %d: %w\", …, err) }",
		Read: "exercise 3"},
	try: func(t *trial) {
		t.registry.setAway(true)
		_, err := t.answer.New(t.Context(), t.registry, t.name)
		answered(t, register, err)
		require.ErrorIs(t, err, errAway, "a new codec, when the registry does not answer")
	},
}}

var encoding = []spec{{
	Check: check.Check{ID: "L1.9", Points: 2, Operation: encode, Invariant: "L1.I2",
		Title: "data is a zero byte, the id that the registry gave in four bytes big-endian, " +
			"then the Avro body",
		Misconception: "that ids count from 1, or are little-endian like the machine",
		Hint: "keep the id that Register returned for the latest version; prefixOf (events.go) " +
			"writes it",
		More: "latest(typ).write(prefixOf(id), latest(typ).fromBody(body)) is the whole data",
		Read: "section 2 and exercise 4"},
	try: func(t *trial) {
		p := t.encoded(t.codec(), settlement)
		latest := latestSchema("trade.settled")
		require.Equal(t, "trade.settled", p.Type, "event type")
		hinted := t.Hint("Payload.Schema is the Version of schemas.Latest; the registry's id is " +
			"only in the data")
		require.Equal(hinted, latest.Version, p.Schema,
			"schema version: events are written under the latest")
		require.Equal(t, latest.Fingerprint, p.Fingerprint, "fingerprint")
		want := t.registry.wire(latest.Type, latest.Version, nil)
		check.Bytes(t, "the prefix of the data", want, p.Data[:min(len(want), len(p.Data))])
	},
}, {
	Check: check.Check{ID: "L1.10", Points: 3, Operation: encode, Invariant: "L1.I3",
		Title: "the body of each type has the bytes that its producers promised",
		Misconception: "that one type stands for all; in fact each has its own schema, version " +
			"and fingerprint",
		Hint: "take the format, the version and the fingerprint of the type of this body; each " +
			"payload has its own memory",
		More: "schemas.Latest(typ) has Version and Fingerprint; latest(typ) has the walk; share " +
			"no " +
			"buffer between two payloads",
		Read: "exercise 4"},
	try: func(t *trial) {
		c := t.codec()
		facts := slices.Concat(otherFacts(), otherFacts())
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
		data, err := c.EncodeHead(t.Context(), head)
		require.NoError(t, err, "encode a head")
		want := t.registry.wire("store.head", 1, unhex(headBytes))
		check.Bytes(t, "the data of a head", want, data)
	},
}, {
	Check: check.Check{ID: "L1.11", Points: 2, Operation: encode, Invariant: "L1.I1",
		Title: "data of more than contract.MaxData bytes is ErrUnencodable and ErrOversize, and " +
			"the largest that fits is encoded",
		Misconception: "that a limit is the business of the store; in fact a payload that no " +
			"store accepts must not look like a payload",
		Hint: "compare the length of the whole data, including its prefix, and return no payload " +
			"beside an error",
		More: "if len(data) > contract.MaxData: fmt.Errorf(\"%w: %w\", contract.ErrUnencodable, " +
			"contract.ErrOversize) and contract.Payload{}",
		Read: "exercise 4"},
	try: func(t *trial) {
		c := t.codec()
		for _, more := range []int{1, prefixSize + 11} {
			p, err := c.Encode(t.Context(), sized(contract.MaxData+more))
			what := "data that is " + strings.Repeat("much ", min(more-1, 1)) + "too large"
			requireFault(t.Hint("the prefix counts, too"), what, err,
				contract.ErrUnencodable, contract.ErrOversize)
			require.ErrorIs(t, err, contract.ErrOversize, what)
			// The payload may be a MiB, so the failure does not show it.
			require.True(t, p.Type == "" && p.Data == nil, "%s: a payload beside an error", what)
		}
		p := t.encoded(c, sized(contract.MaxData))
		require.Len(t, p.Data, contract.MaxData, "data of the largest body that fits")
		p, err := c.Encode(t.Context(), settle("1.9990001"))
		hinted := t.Hint("return the error of write: it wraps contract.ErrUnencodable already")
		requireFault(hinted, "a price with 7 places", err, contract.ErrUnencodable)
		require.Nil(hinted, p.Data, "data beside an error")
	},
}}

// otherFacts returns the facts of the latest version of each type but price.marked, whose exercise
// is the last.
func otherFacts() []fact {
	return slices.DeleteFunc(latestFacts(), func(f fact) bool { return f.typ == "price.marked" })
}

// sized returns a body whose data has n bytes, for an n of about contract.MaxData.
func sized(n int) trade.Settle {
	const others = prefixSize + 14 // the other fields, and the length of the text in three bytes
	return trade.Settle{Quantity: mwh("1"), PriceSource: strings.Repeat("x", n-others)}
}

// prefixSize is the size of the zero byte and the id, which precede the Avro body.
const prefixSize = 5

// idOf returns the id in a prefix.
func idOf(data []byte) int { return int(binary.BigEndian.Uint32(data[1:prefixSize])) }

func settle(price string) trade.Settle {
	return trade.Settle{Quantity: mwh("1"), Price: trade.Dec(price)}
}

func until(end time.Time) trade.New {
	b, option := fullTrade, *fullTrade.Instrument.Option
	option.Until = end
	b.Instrument.Option = &option
	return b
}
