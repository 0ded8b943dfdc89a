package codec_test

import (
	"math/big"
	"strings"
	"testing"

	"github.com/hamba/avro/v2"
	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
	"example.com/blotter/schemas"
	codec "example.com/blotter/solutions/1-schemas"
)

// Where the library changes a value, or takes what is none, and says nothing, the codec says so. The library's half of each case is here
// to notice the day on which it is no longer true.
func TestWhereTheLibraryIsSilent(t *testing.T) {
	t.Parallel()
	c := codec.Offline()
	s, _ := schemas.Latest("trade.settled")
	schema, err := avro.ParseWithCache(s.Text, "", &avro.SchemaCache{})
	require.NoError(t, err)
	type settled struct {
		Quantity bareQuantity `avro:"quantity"`
		Price    *big.Rat     `avro:"price"`
		Source   *string      `avro:"price_source"`
	}
	unmarshal := func(t *testing.T, body []byte) (v settled) {
		require.NoError(t, avro.Unmarshal(schema, body, &v))
		return v
	}
	body := trade.Settle{Quantity: mwh("2160"), Price: trade.Dec("83.1")}
	p, err := c.Encode(t.Context(), body)
	require.NoError(t, err)
	right := p.Data[header:]

	t.Run("too many places are cut", func(t *testing.T) {
		t.Parallel()
		v := unmarshal(t, right)
		v.Price.SetString("1.9999999")
		data, err := avro.Marshal(schema, v)
		require.NoError(t, err)
		require.Equal(t, "1.9999990", unmarshal(t, data).Price.FloatString(7))
		_, err = c.Encode(t.Context(), trade.Settle{Quantity: mwh("1"), Price: trade.Dec("1.9999999")})
		require.ErrorIs(t, err, contract.ErrUnencodable)
	})
	t.Run("input that ends between two fields is complete", func(t *testing.T) {
		t.Parallel()
		require.Zero(t, unmarshal(t, right[:6]).Price.Sign(), "a price of zero")
		_, err := c.Decode(t.Context(), "trade.settled", p.Data[:header+6])
		require.ErrorIs(t, err, contract.ErrTruncated)
	})
	t.Run("no input is complete", func(t *testing.T) {
		t.Parallel()
		unmarshal(t, nil)
		_, err := c.Decode(t.Context(), "trade.settled", p.Data[:header])
		require.ErrorIs(t, err, contract.ErrTruncated)
	})
	t.Run("what follows is not seen", func(t *testing.T) {
		t.Parallel()
		unmarshal(t, append(right[:len(right):len(right)], 1, 2, 3))
		_, err := c.Decode(t.Context(), "trade.settled", append(p.Data[:len(p.Data):len(p.Data)], 1, 2, 3))
		require.ErrorIs(t, err, contract.ErrTrailing)
	})
	t.Run("another scale is compatible", func(t *testing.T) {
		t.Parallel()
		rescaled := strings.ReplaceAll(s.Text, `"scale": 6`, `"scale": 4`)
		other, err := avro.ParseWithCache(rescaled, "", &avro.SchemaCache{})
		require.NoError(t, err)
		require.NoError(t, avro.NewSchemaCompatibility().Compatible(other, schema))
		require.ErrorIs(t, codec.Compatible(contract.Backward, rescaled, s.Text), contract.ErrIncompatible)
	})
}
