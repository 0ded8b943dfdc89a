package codec_test

import (
	"math/big"
	"testing"
	"time"

	"github.com/hamba/avro/v2"
	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/kit/trade"
	"example.com/blotter/schemas"
	codec "example.com/blotter/solutions/1-schemas"
)

// What the library alone takes for the same event, with structs by the schema and decimals as it has them, beside what the codec takes,
// which adds the header, the exactness and the one encoding:
//
//	go test ./solutions/1-schemas -run - -bench .
func BenchmarkEncode(b *testing.B) {
	b.Run("hamba", func(b *testing.B) {
		schema, event := bare(b)
		b.ReportAllocs()
		for b.Loop() {
			if _, err := avro.Marshal(schema, event); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("codec", func(b *testing.B) {
		c, body := codec.Offline(), trade.Body(begun())
		b.ReportAllocs()
		for b.Loop() {
			if _, err := c.Encode(b.Context(), body); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	p, err := codec.Offline().Encode(b.Context(), begun())
	require.NoError(b, err)
	b.Run("hamba", func(b *testing.B) {
		schema, _ := bare(b)
		b.ReportAllocs()
		for b.Loop() {
			var event bareNew
			if err := avro.Unmarshal(schema, p.Data[header:], &event); err != nil {
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

// The two write the same bytes, or the comparison would say nothing.
func TestTheBareStructWritesTheSameBytes(t *testing.T) {
	t.Parallel()
	p, err := codec.Offline().Encode(t.Context(), begun())
	require.NoError(t, err)
	schema, event := bare(t)
	data, err := avro.Marshal(schema, event)
	require.NoError(t, err)
	require.Equal(t, p.Data[header:], data)
}

type (
	bareNew struct {
		Book         string         `avro:"book"`
		Counterparty string         `avro:"counterparty"`
		Trader       string         `avro:"trader"`
		Side         string         `avro:"side"`
		Instrument   bareInstrument `avro:"instrument"`
		Quantity     bareQuantity   `avro:"quantity"`
		Capacity     *big.Rat       `avro:"capacity"`
		Price        *big.Rat       `avro:"price"`
		Currency     string         `avro:"currency"`
		Fee          *big.Rat       `avro:"fee"`
		PriorUTI     *string        `avro:"prior_uti"`
		CarriedIn    *big.Rat       `avro:"carried_in"`
	}
	bareInstrument struct {
		Commodity string      `avro:"commodity"`
		Zone      string      `avro:"zone"`
		Profile   *string     `avro:"profile"`
		Delivery  barePeriod  `avro:"delivery"`
		Option    *bareOption `avro:"option"`
	}
	barePeriod struct {
		Start time.Time `avro:"start"`
		End   time.Time `avro:"end"`
	}
	bareOption struct {
		Kind   string    `avro:"kind"`
		Strike *big.Rat  `avro:"strike"`
		From   time.Time `avro:"from"`
		Until  time.Time `avro:"until"`
	}
	bareQuantity struct {
		Value *big.Rat `avro:"value"`
		Unit  string   `avro:"unit"`
	}
)

// bare is begun as the library wants it.
func bare(t testing.TB) (avro.Schema, bareNew) {
	s, _ := schemas.Latest("trade.new")
	schema, err := avro.ParseWithCache(s.Text, "", &avro.SchemaCache{})
	require.NoError(t, err)
	b := begun()
	rat := func(d trade.Decimal) *big.Rat {
		r, ok := new(big.Rat).SetString(d.String())
		require.True(t, ok)
		return r
	}
	i, o := b.Instrument, b.Instrument.Option
	return schema, bareNew{
		Book: b.Book, Counterparty: b.Counterparty, Trader: b.Trader, Side: string(b.Side),
		Instrument: bareInstrument{
			Commodity: string(i.Commodity), Zone: i.Zone, Profile: &i.Profile,
			Delivery: barePeriod{i.Delivery.Start.UTC(), i.Delivery.End.UTC()},
			Option:   &bareOption{o.Kind, rat(o.Strike), o.From, o.Until},
		},
		Quantity: bareQuantity{rat(b.Quantity.Value), string(b.Quantity.Unit)}, Capacity: rat(b.Capacity), Price: rat(b.Price),
		Currency: string(b.Currency), Fee: rat(b.Fee), PriorUTI: &b.PriorUTI, CarriedIn: rat(b.CarriedIn),
	}
}
