package codec_test

import (
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/hamba/avro/v2"
	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
	"example.com/blotter/schemas"
	codec "example.com/blotter/solutions/1-schemas"
)

// The library silently changes some values and accepts some invalid data. The codec reports each
// case. The test also tries the library, to detect a version that behaves differently.
func TestCodecReportsSilentCases(t *testing.T) {
	t.Parallel()
	c := codec.Offline()
	s, schema := parsed(t, "trade.settled")
	type settled struct {
		Quantity plainQuantity `avro:"quantity"`
		Price    *big.Rat      `avro:"price"`
		Source   *string       `avro:"price_source"`
		From     *time.Time    `avro:"from"`
		To       *time.Time    `avro:"to"`
	}
	unmarshal := func(t *testing.T, body []byte) (v settled) {
		require.NoError(t, avro.Unmarshal(schema, body, &v))
		return v
	}
	body := trade.Settle{Quantity: mwh("2160"), Price: trade.Dec("83.1")}
	p, err := c.Encode(t.Context(), body)
	require.NoError(t, err)
	right := p.Data[prefixSize:]
	refused := func(t *testing.T, data []byte, want error) {
		_, err := c.Decode(t.Context(), "trade.settled", data)
		require.ErrorIs(t, err, want)
	}

	t.Run("too many places", func(t *testing.T) {
		t.Parallel()
		v := unmarshal(t, right)
		v.Price.SetString("1.9999999")
		data, err := avro.Marshal(schema, v)
		require.NoError(t, err)
		require.Equal(t, "1.9999990", unmarshal(t, data).Price.FloatString(7))
		cut := trade.Settle{Quantity: mwh("1"), Price: trade.Dec("1.9999999")}
		_, err = c.Encode(t.Context(), cut)
		require.ErrorIs(t, err, contract.ErrUnencodable)
	})
	t.Run("input that ends between two fields", func(t *testing.T) {
		t.Parallel()
		require.Zero(t, unmarshal(t, right[:6]).Price.Sign(), "a price of zero")
		refused(t, p.Data[:prefixSize+6], contract.ErrTruncated)
	})
	t.Run("no input", func(t *testing.T) {
		t.Parallel()
		unmarshal(t, nil)
		refused(t, p.Data[:prefixSize], contract.ErrTruncated)
	})
	t.Run("trailing bytes", func(t *testing.T) {
		t.Parallel()
		unmarshal(t, append(right[:len(right):len(right)], 1, 2, 3))
		refused(t, append(p.Data[:len(p.Data):len(p.Data)], 1, 2, 3), contract.ErrTrailing)
	})
	t.Run("another scale", func(t *testing.T) {
		t.Parallel()
		rescaled := strings.ReplaceAll(s.Text, `"scale": 6`, `"scale": 4`)
		other, err := avro.ParseWithCache(rescaled, "", &avro.SchemaCache{})
		require.NoError(t, err)
		require.NoError(t, avro.NewSchemaCompatibility().Compatible(other, schema))
		err = codec.Compatible(contract.Backward, rescaled, s.Text)
		require.ErrorIs(t, err, contract.ErrIncompatible)
	})
}

// The benchmarks compare the library alone with the codec. The library uses structs that match the
// schema, and its own decimals. The codec adds the prefix, exactness and the one encoding.
//
//	go test ./solutions/1-schemas -run - -bench .
func BenchmarkEncode(b *testing.B) {
	b.Run("hamba", func(b *testing.B) {
		_, schema := parsed(b, "trade.new")
		event := plainTrade(b)
		b.ReportAllocs()
		for b.Loop() {
			if _, err := avro.Marshal(schema, event); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("codec", func(b *testing.B) {
		c, body := codec.Offline(), trade.Body(newTrade())
		b.ReportAllocs()
		for b.Loop() {
			if _, err := c.Encode(b.Context(), body); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	p, err := codec.Offline().Encode(b.Context(), newTrade())
	require.NoError(b, err)
	b.Run("hamba", func(b *testing.B) {
		_, schema := parsed(b, "trade.new")
		b.ReportAllocs()
		for b.Loop() {
			var event plainNew
			if err := avro.Unmarshal(schema, p.Data[prefixSize:], &event); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("codec", func(b *testing.B) {
		c := codec.Offline()
		b.ReportAllocs()
		for b.Loop() {
			if _, err := c.Decode(b.Context(), p.Type, p.Data); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// The benchmarks are comparable only if the library and the codec write the same bytes.
func TestPlainStructHasTheSameBytes(t *testing.T) {
	t.Parallel()
	p, err := codec.Offline().Encode(t.Context(), newTrade())
	require.NoError(t, err)
	_, schema := parsed(t, "trade.new")
	data, err := avro.Marshal(schema, plainTrade(t))
	require.NoError(t, err)
	require.Equal(t, p.Data[prefixSize:], data)
}

// parsed returns the latest schema of a type, and the library's form of it.
func parsed(t testing.TB, typ string) (schemas.Schema, avro.Schema) {
	s, _ := schemas.Latest(typ)
	schema, err := avro.ParseWithCache(s.Text, "", &avro.SchemaCache{})
	require.NoError(t, err)
	return s, schema
}

type (
	plainNew struct {
		Book         string          `avro:"book"`
		Counterparty string          `avro:"counterparty"`
		Trader       string          `avro:"trader"`
		Side         string          `avro:"side"`
		Instrument   plainInstrument `avro:"instrument"`
		Quantity     plainQuantity   `avro:"quantity"`
		Capacity     *big.Rat        `avro:"capacity"`
		Price        *big.Rat        `avro:"price"`
		Currency     string          `avro:"currency"`
		Fee          *big.Rat        `avro:"fee"`
		PriorUTI     *string         `avro:"prior_uti"`
		CarriedIn    *big.Rat        `avro:"carried_in"`
	}
	plainInstrument struct {
		Commodity string       `avro:"commodity"`
		Zone      string       `avro:"zone"`
		Profile   *string      `avro:"profile"`
		Delivery  plainPeriod  `avro:"delivery"`
		Option    *plainOption `avro:"option"`
	}
	plainPeriod struct {
		Start time.Time `avro:"start"`
		End   time.Time `avro:"end"`
	}
	plainOption struct {
		Kind   string    `avro:"kind"`
		Strike *big.Rat  `avro:"strike"`
		From   time.Time `avro:"from"`
		Until  time.Time `avro:"until"`
	}
	plainQuantity struct {
		Value *big.Rat `avro:"value"`
		Unit  string   `avro:"unit"`
	}
)

// plainTrade returns newTrade as the library's struct.
func plainTrade(t testing.TB) plainNew {
	b := newTrade()
	rat := func(d trade.Decimal) *big.Rat {
		r, ok := new(big.Rat).SetString(d.String())
		require.True(t, ok)
		return r
	}
	i, o := b.Instrument, b.Instrument.Option
	return plainNew{
		Book: b.Book, Counterparty: b.Counterparty, Trader: b.Trader, Side: string(b.Side),
		Instrument: plainInstrument{
			Commodity: string(i.Commodity), Zone: i.Zone, Profile: &i.Profile,
			Delivery: plainPeriod{i.Delivery.Start.UTC(), i.Delivery.End.UTC()},
			Option:   &plainOption{o.Kind, rat(o.Strike), o.From, o.Until},
		},
		Quantity: plainQuantity{rat(b.Quantity.Value), string(b.Quantity.Unit)},
		Capacity: rat(b.Capacity), Price: rat(b.Price), Currency: string(b.Currency),
		Fee: rat(b.Fee), PriorUTI: &b.PriorUTI, CarriedIn: rat(b.CarriedIn),
	}
}
