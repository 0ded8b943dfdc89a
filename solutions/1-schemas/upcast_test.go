package codec_test

import (
	"math/big"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
	"github.com/twmb/avro"
	"pgregory.net/rapid"

	"example.com/blotter/labs/kit/trade"
	"example.com/blotter/schemas"
	codec "example.com/blotter/solutions/1-schemas"
)

// old is a value of version 1 of a type, as another library writes it.
func old(t require.TestingT, typ string, value map[string]any) []byte {
	s, ok := schemas.Find(typ, 1)
	require.True(t, ok)
	body, err := avro.MustParse(s.Text).Encode(value)
	require.NoError(t, err)
	return append([]byte{0, 0, 0, 0, byte(idOf(s))}, body...)
}

func rat(d trade.Decimal) *big.Rat {
	r, _ := new(big.Rat).SetString(d.String())
	return r
}

// L1.I4: any settlement and any mark of version 1 says today what it said then; for a mark, whatever its curve was called.
func TestHistoryKeepsItsMeaning(t *testing.T) {
	t.Parallel()
	c := codec.Offline()
	rapid.Check(t, func(t *rapid.T) {
		settled := trade.Settle{Quantity: quantity(t), Price: perUnit(t)}
		got, err := c.Decode(t.Context(), "trade.settled", old(t, "trade.settled", map[string]any{
			"quantity": map[string]any{"value": rat(settled.Quantity.Value), "unit": string(settled.Quantity.Unit)}, "price": rat(settled.Price),
		}))
		require.NoError(t, err)
		require.Empty(t, cmp.Diff(trade.Body(settled), got))

		marked := trade.PriceMarked{Curve: rapid.OneOf(rapid.Just(curve(t)), rapid.String()).Draw(t, "curve"), Currency: "EUR"}
		points := []any{}
		for range rapid.IntRange(0, 3).Draw(t, "points") {
			p := trade.Point{Delivery: period(t), Price: perUnit(t)}
			marked.Points = append(marked.Points, p)
			points = append(points, map[string]any{
				"delivery": map[string]any{"start": p.Delivery.Start.UTC(), "end": p.Delivery.End.UTC()}, "price": rat(p.Price),
			})
		}
		got, err = c.Decode(t.Context(), "price.marked", old(t, "price.marked", map[string]any{"curve": marked.Curve, "currency": "EUR", "points": points}))
		require.NoError(t, err)
		require.Empty(t, cmp.Diff(trade.Body(marked), got))
	})
}
