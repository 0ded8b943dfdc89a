package extract

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
	"example.com/blotter/schemas"
	codec "example.com/blotter/solutions/1-schemas"
)

func decoded(t *testing.T, body trade.Body) value {
	p, err := codec.Offline().Encode(t.Context(), body)
	require.NoError(t, err)
	r := contract.Recorded{Event: contract.Event{
		Type: p.Type, Schema: p.Schema, Fingerprint: p.Fingerprint, Data: p.Data,
	}}
	c := catalog{}
	require.NoError(t, c.need(r))
	v, err := c.decode(r)
	require.NoError(t, err)
	return v
}

// For these bodies the codec has no short form, so both texts are equal.
func TestDataReadsAsTheCodecShowsIt(t *testing.T) {
	t.Parallel()
	price := trade.Dec("-0.000001")
	for _, body := range []trade.Body{
		trade.Settle{Quantity: hours("2160"), Price: trade.Dec("83.1")},
		trade.Amend{Kind: trade.Amendment, Price: &price},
		trade.Amend{Kind: trade.Update, Trader: "a \"b\" <c> & \u2028é"},
		trade.Cancel{Kind: trade.Terminate, Quantity: hours("1.5"), Fee: trade.Dec("-12600")},
		trade.Cancel{Kind: trade.Void},
		trade.CommandRefused{
			CommandID: "x", Digest: [32]byte{0: 1, 31: 255}, Rule: "r", Detail: "d",
		},
	} {
		want, err := codec.JSON(body)
		require.NoError(t, err)
		require.Equal(t, string(want), string(decoded(t, body).json()))
	}
}

func hours(n string) trade.Quantity { return trade.Quantity{Value: trade.Dec(n), Unit: trade.MWh} }

func TestDatesAndTimesAreWrittenOut(t *testing.T) {
	t.Parallel()
	v := decoded(t, trade.New{
		Book: "B", Counterparty: "C", Trader: "T", Side: trade.Sell,
		Quantity: hours("1"), Price: trade.Int(2), Currency: "USD",
		Instrument: trade.Instrument{
			Commodity: trade.Oil, Zone: "BRENT", Delivery: trade.Period{Start: -1, End: 20000},
			Option: &trade.Option{
				Kind: "call", Strike: trade.Int(70),
				From: time.UnixMicro(-1).UTC(), Until: time.UnixMicro(1).UTC(),
			},
		},
	})
	i := v.field("instrument")
	const delivery = `{"start":"1969-12-31","end":"2024-10-04"}`
	require.Equal(t, delivery, string(i.field("delivery").json()))
	const option = `{"kind":"call","strike":"70",` +
		`"from":"1969-12-31T23:59:59.999999Z","until":"1970-01-01T00:00:00.000001Z"}`
	require.Equal(t, option, string(i.field("option").json()))
}

// Any data must give a value or an error: it comes from strangers.
func TestDecoderSurvivesAnyData(t *testing.T) {
	t.Parallel()
	all := schemas.All()
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.SampledFrom(all).Draw(t, "schema")
		root, err := parseSchema(s.Text)
		if err != nil {
			t.Fatal(err)
		}
		data := rapid.SliceOfN(rapid.Byte(), 0, 200).Draw(t, "data")
		if v, err := root.decode(data); err == nil {
			v.json()
		}
	})
}

func TestUnknownSchemasAreRefused(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		``, `1`, `"float"`, `{"type":"map","values":"string"}`, `["null",7]`,
		`{"type":"record","name":"R","fields":[{"name":"r","type":"R"}]}`,
		`{"type":"record","name":"R","fields":[7]}`,
	} {
		_, err := parseSchema(text)
		require.Error(t, err, "%s", text)
	}
}
