package codec_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
	"example.com/blotter/schemas"
	codec "example.com/blotter/solutions/1-schemas"
)

// newTrade returns a trade.New with every optional field.
func newTrade() trade.New {
	return trade.New{
		Book: "POWER-DE", Counterparty: "CP-7", Trader: "t-19", Side: trade.Buy,
		Instrument: trade.Instrument{
			Commodity: trade.Power, Zone: "CET", Profile: "base",
			Delivery: trade.Period{Start: 20148, End: 20179},
			Option: &trade.Option{
				Kind: trade.Call, Strike: trade.Dec("85"),
				From:  time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC),
				Until: time.Date(2025, 2, 26, 16, 0, 0, 0, time.UTC),
			},
		},
		Quantity: mwh("7430"), Capacity: trade.Dec("10"), Price: trade.Dec("80.25"),
		Currency: "EUR", Fee: trade.Dec("-150"), PriorUTI: "UTI-1",
		CarriedIn: trade.Dec("-1234.56"),
	}
}

// L1.I1: a value that the schema cannot hold is an error that names the field.
func TestUnencodableValueNamesItsField(t *testing.T) {
	t.Parallel()
	change := func(f func(*trade.New)) trade.Body {
		b := newTrade()
		f(&b)
		return b
	}
	price := func(s string) trade.Body {
		return change(func(b *trade.New) { b.Price = trade.Dec(s) })
	}
	fee := func(s string) trade.Body { return change(func(b *trade.New) { b.Fee = trade.Dec(s) }) }
	book := func(s string) trade.Body { return change(func(b *trade.New) { b.Book = s }) }
	option := func(f func(*trade.Option)) trade.Body {
		return change(func(b *trade.New) { f(b.Instrument.Option) })
	}
	from := func(at time.Time) trade.Body {
		return option(func(o *trade.Option) { o.From = at })
	}
	until := func(at time.Time) trade.Body {
		return option(func(o *trade.Option) { o.Until = at })
	}
	unit := func(u trade.Unit) trade.Body {
		return trade.Settle{Quantity: trade.Quantity{Value: trade.Dec("1"), Unit: u}}
	}
	settle := trade.Settle{Quantity: mwh("1"), Price: trade.Dec("1")}
	for name, c := range map[string]struct {
		body trade.Body
		says string
	}{
		"no body":                   {nil, "no event type for body <nil>"},
		"a pointer":                 {&settle, "no event type for body *trade.Settle"},
		"too many places":           {price("1.9990001"), "price"},
		"too many places of a fee":  {fee("0.00001"), "fee"},
		"too many digits":           {price("1" + strings.Repeat("0", 22)), "price"},
		"too many digits, negative": {fee("-1" + strings.Repeat("0", 24)), "fee"},
		"unknown commodity":         {trade.PriceMarked{Curve: "coal/API2"}, "commodity"},
		"no unit":                   {unit(""), "unit"},
		"a unit of capacity":        {unit(trade.MW), "unit"},
		"unknown side":              {change(func(b *trade.New) { b.Side = "hold" }), "side"},
		"unknown kind":              {trade.Amend{Kind: "correction"}, "kind"},
		"nanoseconds":               {from(time.Unix(1, 1)), "from"},
		"before year 1":             {from(time.Time{}.Add(-time.Second)), "from"},
		"after year 9999":           {until(time.Unix(1<<40, 0)), "until"},
		"not UTF-8":                 {book("\xff"), "book"},
		"too large":                 {book(strings.Repeat("x", contract.MaxData)), "1048"},
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

// JSON shows only values that can be recorded.
func TestJSONRefusesUnencodableValues(t *testing.T) {
	t.Parallel()
	garbled, fine := newTrade(), newTrade()
	garbled.Book, fine.Price = "\xff", trade.Dec("1.9990001")
	for says, body := range map[string]trade.Body{
		"no event type": nil, "kind": trade.Amend{Kind: "correction"},
		"book": garbled, "price": fine,
	} {
		_, err := codec.JSON(body)
		require.ErrorIs(t, err, contract.ErrUnencodable, says)
		require.ErrorContains(t, err, says)
	}
}

// The largest and smallest numbers of 28 digits are encodable.
func TestExtremesFit(t *testing.T) {
	t.Parallel()
	c := codec.Offline()
	const largest = "9999999999999999999999.999999"
	for _, price := range []string{largest, "-" + largest, "0", "0.000001", "-0.000001"} {
		body := trade.Settle{Quantity: mwh("1"), Price: trade.Dec(price)}
		p, err := c.Encode(t.Context(), body)
		require.NoError(t, err)
		back, err := c.Decode(t.Context(), p.Type, p.Data)
		require.NoError(t, err)
		require.Equal(t, price, back.(trade.Settle).Price.String())
	}
}

// L1.I5: Decode sees every cut, between fields and inside one, and every extra byte.
func TestCutAndExtendedDataIsRefused(t *testing.T) {
	t.Parallel()
	c := codec.Offline()
	rapid.Check(t, func(t *rapid.T) {
		p, err := c.Encode(t.Context(), bodies(t))
		require.NoError(t, err)
		for n := range p.Data {
			_, err := c.Decode(t.Context(), p.Type, p.Data[:n])
			require.ErrorIs(t, err, contract.ErrTruncated,
				"cut after %d of %d bytes", n, len(p.Data))
		}
		_, err = c.Decode(t.Context(), p.Type, append(p.Data, 0))
		require.ErrorIs(t, err, contract.ErrTrailing)
	})
}

// L1.I5: each fault of data is its own error. Spaces separate the fields of the Avro bodies.
func TestEachFaultIsItsOwnError(t *testing.T) {
	t.Parallel()
	c := newOffline(t)
	under := func(typ string, version int) string {
		return hex.EncodeToString(wireData(c.id(t, typ, version), nil)) + " "
	}
	settled, marked := under("trade.settled", 1), under("price.marked", 1)
	cancelled, amended := under("trade.cancelled", 1), under("trade.amended", 1)
	const digits29 = "18 204fce5e3e25026110000000" // 10^28
	malformed, truncated := contract.ErrMalformed, contract.ErrTruncated
	wrongType, oversize := contract.ErrWrongType, contract.ErrOversize
	for name, bad := range map[string]struct {
		typ, data string
		want      error
	}{
		"nothing":             {"trade.settled", "", truncated},
		"not the wire format": {"trade.settled", "01 00000009 02 01 00 02 01", contract.ErrMagic},
		"unknown id": {"trade.settled", "00 000003e7 02 01 00 02 01",
			contract.ErrUnknownSchema},
		"another type": {"trade.novated", settled + "02 01 00 02 01", wrongType},
		"unknown type": {"trade.unheard", settled + "02 01 00 02 01", wrongType},
		"trailing byte": {"trade.settled", settled + "02 01 00 02 01 00",
			contract.ErrTrailing},
		"symbol past the last":  {"trade.settled", settled + "02 01 06 02 01", malformed},
		"negative symbol":       {"trade.settled", settled + "02 01 01 02 01", malformed},
		"empty decimal":         {"trade.settled", settled + "00 00 02 01", malformed},
		"padded decimal":        {"trade.settled", settled + "04 0001 00 02 01", malformed},
		"too long decimal":      {"trade.settled", settled + digits29 + " 00 02 01", malformed},
		"negative length":       {"trade.settled", settled + "01 00 02 01", malformed},
		"padded integer":        {"trade.settled", settled + "8200 01 00 02 01", malformed},
		"length past 1 MiB":     {"trade.settled", settled + "feffffff0f 00", oversize},
		"length past the input": {"trade.settled", settled + "14 00", truncated},
		// The library calls an integer of 11 bytes truncated.
		"integer of 11 bytes":  {"trade.settled", settled + "8080808080808080808000", truncated},
		"branch past the last": {"trade.cancelled", cancelled + "00 04 02 01", malformed},
		"zero for null":        {"trade.amended", amended + "02 00 00 02 00 00 00", malformed},
		"text not UTF-8":       {"price.marked", marked + "02 ff 00 00", malformed},
		"array of 2^31":        {"price.marked", marked + "02 61 00 8080808010", oversize},
		"array past the input": {"price.marked", marked + "02 61 00 c801", truncated},
		"array with block sizes": {"price.marked", marked + "02 61 00 01 08 00 02 02 01 00",
			malformed},
		"array in two blocks": {"price.marked",
			marked + "02 61 00 02 00 02 02 01 02 00 02 02 01 00", malformed},
		"day past 32 bits": {"price.marked", marked + "02 61 00 02 8080808010 02 02 01 00",
			malformed},
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

// A head is not an event and an event is not a head, though one registry has both.
func TestHeadsAndEventsAreNotMixed(t *testing.T) {
	t.Parallel()
	c := codec.Offline()
	head := encodedHead(t, c, contract.Head{
		Stream: "trade/UTI-1", Version: 1, RecordedAt: time.Unix(0, 0).UTC(),
	})
	for _, typ := range []string{"store.head", "trade.new"} {
		_, err := c.Decode(t.Context(), typ, head)
		require.ErrorIs(t, err, contract.ErrWrongType)
	}
	event, err := c.Encode(t.Context(), newTrade())
	require.NoError(t, err)
	_, err = c.DecodeHead(t.Context(), event.Data)
	require.ErrorIs(t, err, contract.ErrWrongType)
}

func TestBadHeadsAreRefused(t *testing.T) {
	t.Parallel()
	c := codec.Offline()
	head := encodedHead(t, c, contract.Head{Stream: "trade/UTI-1", Version: 1})
	refused := func(what string, data []byte, want error) {
		_, err := c.DecodeHead(t.Context(), data)
		require.ErrorIs(t, err, want, what)
	}
	refused("without its last byte", head[:len(head)-1], contract.ErrTruncated)
	refused("a text that is not an id",
		bytes.Replace(head, []byte("0000-"), []byte("zzzz-"), 1), contract.ErrMalformed)
	// The zero time is the first instant of year 1. The last byte of its long is 01.
	early := bytes.Replace(head, []byte("\xdf\xdc\x01"), []byte("\xdf\xdc\x05"), 1)
	refused("a time before year 1", early, contract.ErrMalformed)
	head[len(head)-1] = 2
	refused("a boolean of 2", head, contract.ErrMalformed)
	_, err := c.EncodeHead(t.Context(), contract.Head{RecordedAt: time.Unix(0, 1)})
	require.ErrorIs(t, err, contract.ErrUnencodable)
}

func encodedHead(t *testing.T, c *codec.Codec, h contract.Head) []byte {
	data, err := c.EncodeHead(t.Context(), h)
	require.NoError(t, err)
	return data
}

// L1.I5: for any input, Decode returns one of the contract's errors, or a body for which Encode
// returns the same bytes.
func FuzzDecode(f *testing.F) {
	c := newOffline(f)
	for seed, kind := range kinds {
		for n := range 3 {
			p, err := c.Encode(f.Context(), kind.Example(seed+8*n))
			require.NoError(f, err)
			f.Add(p.Data)
		}
	}
	f.Add([]byte(nil))
	f.Add(wireData(c.id(f, "price.marked", 1), []byte("\x02a\x00\x80\x80\x80\x80\x10")))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, s := range schemas.All() {
			body, err := c.Decode(t.Context(), s.Type, data)
			if err != nil {
				require.True(t, isFault(err), "%v", err)
				continue
			}
			if latest, _ := schemas.Latest(s.Type); c.schemaOf(t, data).Version < latest.Version {
				continue // a value of an old version need not fit the latest schema
			}
			p, err := c.Encode(t.Context(), body)
			require.NoError(t, err)
			require.Equal(t, data, p.Data)
		}
	})
}

func isFault(err error) bool {
	for _, fault := range []error{
		contract.ErrMagic, contract.ErrTruncated, contract.ErrTrailing, contract.ErrOversize,
		contract.ErrMalformed, contract.ErrUnknownSchema, contract.ErrWrongType,
	} {
		if errors.Is(err, fault) {
			return true
		}
	}
	return false
}

// L1.I5: no input makes Decode allocate much more than its length. Not parallel: the test counts
// the memory that the process allocates.
func TestDecodeAllocatesInProportion(t *testing.T) {
	c, r := newOffline(t), rand.New(rand.NewPCG(1, 5))
	for i := range 4000 {
		p, err := c.Encode(t.Context(), kinds[i%len(kinds)].Example(i))
		require.NoError(t, err)
		damage(r, p.Data)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, _ = c.Decode(t.Context(), p.Type, p.Data)
		runtime.ReadMemStats(&after)
		allocated := after.TotalAlloc - before.TotalAlloc
		require.Less(t, allocated, uint64(64<<10+200*len(p.Data)), "% x", p.Data)
	}
}

// damage overwrites a few bytes after the prefix, mostly with bytes that make lengths large.
func damage(r *rand.Rand, data []byte) {
	for range 1 + r.IntN(6) {
		if n := len(data) - prefixSize; n > 0 {
			data[prefixSize+r.IntN(n)] = []byte{0xff, 0xfe, 0x80, 0x7f, byte(r.Uint32())}[r.IntN(5)]
		}
	}
}
