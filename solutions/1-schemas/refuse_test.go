package codec_test

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
	codec "example.com/blotter/solutions/1-schemas"
)

func mwh(value string) trade.Quantity {
	return trade.Quantity{Value: trade.Dec(value), Unit: trade.MWh}
}

// begun is a trade.new in which every optional field is there.
func begun() trade.New {
	return trade.New{
		Book: "POWER-DE", Counterparty: "CP-7", Trader: "t-19", Side: trade.Buy,
		Instrument: trade.Instrument{
			Commodity: trade.Power, Zone: "CET", Profile: "base", Delivery: trade.Period{Start: 20148, End: 20179},
			Option: &trade.Option{
				Kind: trade.Call, Strike: trade.Dec("85"),
				From:  time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC),
				Until: time.Date(2025, 2, 26, 16, 0, 0, 0, time.UTC),
			},
		},
		Quantity: mwh("7430"), Capacity: trade.Dec("10"), Price: trade.Dec("80.25"), Currency: "EUR",
		Fee: trade.Dec("-150"), PriorUTI: "UTI-1", CarriedIn: trade.Dec("-1234.56"),
	}
}

// L1.I1: what the schema cannot hold is an error that names the field.
func TestWhatDoesNotFitIsUnencodable(t *testing.T) {
	t.Parallel()
	change := func(f func(*trade.New)) trade.Body {
		b := begun()
		f(&b)
		return b
	}
	settle := trade.Settle{Quantity: mwh("1"), Price: trade.Dec("1")}
	for name, c := range map[string]struct {
		body trade.Body
		says string
	}{
		"no body":           {nil, "no event type for body <nil>"},
		"a pointer":         {&settle, "no event type for body *trade.Settle"},
		"too many places":   {change(func(b *trade.New) { b.Price = trade.Dec("1.9990001") }), "price"},
		"amount's places":   {change(func(b *trade.New) { b.Fee = trade.Dec("0.00001") }), "fee"},
		"too many digits":   {change(func(b *trade.New) { b.Price = trade.Dec("1" + strings.Repeat("0", 22)) }), "price"},
		"negative and long": {change(func(b *trade.New) { b.Fee = trade.Dec("-1" + strings.Repeat("0", 24)) }), "fee"},
		"no such commodity": {trade.PriceMarked{Curve: "coal/API2", Currency: "USD"}, "commodity"},
		"no unit":           {trade.Settle{Quantity: trade.Quantity{Value: trade.Dec("1")}}, "unit"},
		"capacity":          {trade.Settle{Quantity: trade.Quantity{Value: trade.Dec("1"), Unit: trade.MW}}, "unit"},
		"unknown side":      {change(func(b *trade.New) { b.Side = "hold" }), "side"},
		"unknown kind":      {trade.Amend{Kind: "correction"}, "kind"},
		"nanoseconds":       {change(func(b *trade.New) { b.Instrument.Option.From = time.Unix(1, 1) }), "from"},
		"before year 1":     {change(func(b *trade.New) { b.Instrument.Option.From = time.Time{}.Add(-time.Second) }), "from"},
		"after year 9999":   {change(func(b *trade.New) { b.Instrument.Option.Until = time.Unix(1<<40, 0) }), "until"},
		"not UTF-8":         {change(func(b *trade.New) { b.Book = "\xff" }), "book"},
		"too large":         {change(func(b *trade.New) { b.Book = strings.Repeat("x", contract.MaxData) }), "1048"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, err := codec.Offline().Encode(t.Context(), c.body)
			require.ErrorIs(t, err, contract.ErrUnencodable)
			require.ErrorContains(t, err, c.says)
			require.Empty(t, p)
		})
	}
}

// What is shown is what is recorded: neither a text with other characters, nor a number that the schema has no places for.
func TestJSONRefusesWhatNoSchemaHolds(t *testing.T) {
	t.Parallel()
	garbled, fine := begun(), begun()
	garbled.Book, fine.Price = "\xff", trade.Dec("1.9990001")
	for says, body := range map[string]trade.Body{"no event type": nil, "kind": trade.Amend{Kind: "correction"}, "book": garbled, "price": fine} {
		_, err := codec.JSON(body)
		require.ErrorIs(t, err, contract.ErrUnencodable, says)
		require.ErrorContains(t, err, says)
	}
}

// The largest numbers that 28 digits hold go through.
func TestExtremesFit(t *testing.T) {
	t.Parallel()
	c := codec.Offline()
	for _, price := range []string{"9999999999999999999999.999999", "-9999999999999999999999.999999", "0", "0.000001", "-0.000001"} {
		body := trade.Settle{Quantity: mwh("1"), Price: trade.Dec(price)}
		p, err := c.Encode(t.Context(), body)
		require.NoError(t, err)
		back, err := c.Decode(t.Context(), p.Type, p.Data)
		require.NoError(t, err)
		require.Equal(t, price, back.(trade.Settle).Price.String())
	}
}

// L1.I5: every cut is seen, at the boundary of a field as well as inside one, and so is every byte too many.
func TestCutAndPaddedDataIsRefused(t *testing.T) {
	t.Parallel()
	c := codec.Offline()
	rapid.Check(t, func(t *rapid.T) {
		p, err := c.Encode(t.Context(), bodies(t))
		require.NoError(t, err)
		for n := range p.Data {
			_, err := c.Decode(t.Context(), p.Type, p.Data[:n])
			require.ErrorIs(t, err, contract.ErrTruncated, "cut after %d of %d bytes", n, len(p.Data))
		}
		_, err = c.Decode(t.Context(), p.Type, append(p.Data, 0))
		require.ErrorIs(t, err, contract.ErrTrailing)
	})
}

// L1.I5, one error after the other. The Avro bodies are written out; spaces part the fields.
func TestBadDataIsOneOfTheErrors(t *testing.T) {
	t.Parallel()
	c := codec.Offline()
	const settled, marked, cancelled, amended = "000000000a ", "0000000002 ", "0000000006 ", "0000000005 " // the first two are versions 1
	const digits29 = "18 204fce5e3e25026110000000"                                                         // 10^28
	for name, bad := range map[string]struct {
		typ, data string
		want      error
	}{
		"nothing":                {"trade.settled", "", contract.ErrTruncated},
		"not the wire format":    {"trade.settled", "01 00000009 02 01 00 02 01", contract.ErrMagic},
		"unknown id":             {"trade.settled", "00 000003e7 02 01 00 02 01", contract.ErrUnknownSchema},
		"another type":           {"trade.novated", settled + "02 01 00 02 01", contract.ErrWrongType},
		"unheard type":           {"trade.unheard", settled + "02 01 00 02 01", contract.ErrWrongType},
		"trailing":               {"trade.settled", settled + "02 01 00 02 01 00", contract.ErrTrailing},
		"symbol past the last":   {"trade.settled", settled + "02 01 04 02 01", contract.ErrMalformed},
		"negative symbol":        {"trade.settled", settled + "02 01 01 02 01", contract.ErrMalformed},
		"empty decimal":          {"trade.settled", settled + "00 00 02 01", contract.ErrMalformed},
		"padded decimal":         {"trade.settled", settled + "04 0001 00 02 01", contract.ErrMalformed},
		"decimal too long":       {"trade.settled", settled + digits29 + " 00 02 01", contract.ErrMalformed},
		"negative length":        {"trade.settled", settled + "01 00 02 01", contract.ErrMalformed},
		"padded integer":         {"trade.settled", settled + "8200 01 00 02 01", contract.ErrMalformed},
		"integer of 11 bytes":    {"trade.settled", settled + "8080808080808080808000", contract.ErrTruncated}, // which is how the library calls it
		"length past 1 MiB":      {"trade.settled", settled + "feffffff0f 00", contract.ErrOversize},
		"length past the input":  {"trade.settled", settled + "14 00", contract.ErrTruncated},
		"branch past the last":   {"trade.cancelled", cancelled + "00 04 02 01", contract.ErrMalformed},
		"zero instead of null":   {"trade.amended", amended + "02 00 00 02 00 00", contract.ErrMalformed},
		"text not UTF-8":         {"price.marked", marked + "02 ff 00 00", contract.ErrMalformed},
		"array of 2^31":          {"price.marked", marked + "02 61 00 8080808010", contract.ErrOversize},
		"array past the input":   {"price.marked", marked + "02 61 00 c801", contract.ErrTruncated},
		"array with block sizes": {"price.marked", marked + "02 61 00 01 08 00 02 02 01 00", contract.ErrMalformed},
		"array in two blocks":    {"price.marked", marked + "02 61 00 02 00 02 02 01 02 00 02 02 01 00", contract.ErrMalformed},
		"day past 32 bits":       {"price.marked", marked + "02 61 00 02 8080808010 02 02 01 00", contract.ErrMalformed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			data, err := hex.DecodeString(strings.ReplaceAll(bad.data, " ", ""))
			require.NoError(t, err)
			body, err := c.Decode(t.Context(), bad.typ, data)
			require.ErrorIs(t, err, bad.want)
			require.Nil(t, body)
		})
	}
}

func TestDataPastTheLimitIsRefused(t *testing.T) {
	t.Parallel()
	_, err := codec.Offline().Decode(t.Context(), "trade.settled", make([]byte, contract.MaxData+1))
	require.ErrorIs(t, err, contract.ErrOversize)
}

// A head is no event and an event no head, though both are in one registry.
func TestHeadsAndEventsAreNotMixed(t *testing.T) {
	t.Parallel()
	c := codec.Offline()
	head, err := c.EncodeHead(t.Context(), contract.Head{Stream: "trade/UTI-1", Version: 1, RecordedAt: time.Unix(0, 0).UTC()})
	require.NoError(t, err)
	for _, typ := range []string{"store.head", "trade.new"} {
		_, err = c.Decode(t.Context(), typ, head)
		require.ErrorIs(t, err, contract.ErrWrongType)
	}
	event, err := c.Encode(t.Context(), begun())
	require.NoError(t, err)
	_, err = c.DecodeHead(t.Context(), event.Data)
	require.ErrorIs(t, err, contract.ErrWrongType)
	_, err = c.DecodeHead(t.Context(), head[:len(head)-1])
	require.ErrorIs(t, err, contract.ErrTruncated)
	_, err = c.DecodeHead(t.Context(), bytes.Replace(head, []byte("0000-"), []byte("zzzz-"), 1))
	require.ErrorIs(t, err, contract.ErrMalformed)
	head[len(head)-1] = 2
	_, err = c.DecodeHead(t.Context(), head)
	require.ErrorIs(t, err, contract.ErrMalformed, "a boolean of 2")
	// The zero time is the first instant that has a year; its last byte as a long is 01.
	first, err := c.EncodeHead(t.Context(), contract.Head{})
	require.NoError(t, err)
	_, err = c.DecodeHead(t.Context(), bytes.Replace(first, []byte("\xdf\xdc\x01"), []byte("\xdf\xdc\x05"), 1))
	require.ErrorIs(t, err, contract.ErrMalformed, "a time before year 1")
	_, err = c.EncodeHead(t.Context(), contract.Head{RecordedAt: time.Unix(0, 1)})
	require.ErrorIs(t, err, contract.ErrUnencodable)
}
