package codec_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/kit/trade"
	codec "example.com/blotter/solutions/1-schemas"
)

func TestOfflineRoundTrip(t *testing.T) {
	t.Parallel()
	c := codec.Offline()
	b := trade.Settle{Quantity: trade.Quantity{Value: trade.Dec("2160"), Unit: trade.MWh}, Price: trade.Dec("83.10")}
	p, err := c.Encode(t.Context(), b)
	require.NoError(t, err)
	t.Logf("% x", p.Data)
	back, err := c.Decode(t.Context(), p.Type, p.Data)
	require.NoError(t, err)
	require.Equal(t, b, back)
}
