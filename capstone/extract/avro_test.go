package extract

import (
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
	"testing/fstest"
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
	all := append(schemas.All(), schemas.Domain()...)
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
		doubling(40),
	} {
		_, err := parseSchema(text)
		require.Error(t, err, "%s", text)
	}
}

// doubling returns a schema of n records, each with two fields of the record before: 2ⁿ fields.
func doubling(n int) string {
	text := `"null"`
	for i := range n {
		text = fmt.Sprintf(`{"type":"record","name":"R%d","fields":[`+
			`{"name":"a","type":%s},{"name":"b","type":%s}]}`, i, text, nameOf(i-1))
	}
	return text
}

func nameOf(i int) string {
	if i < 0 {
		return `"null"`
	}
	return fmt.Sprintf(`"R%d"`, i)
}

// Fields without bytes must not make few bytes many values.
func TestValuesAreBoundedByTheirBytes(t *testing.T) {
	t.Parallel()
	items := strings.Repeat(`{"name":"n","type":"null"},`, 5000)
	root, err := parseSchema(`{"type":"array","items":{"type":"record","name":"R","fields":[` +
		items + `{"name":"i","type":"int"}]}}`)
	require.NoError(t, err)
	data := append(binary.AppendVarint(nil, 1<<19), make([]byte, 1<<20)...)
	_, err = root.decode(data)
	require.ErrorContains(t, err, "more values than its bytes can hold")
}

// The scale of a decimal is not in the fingerprint, so an unknown schema proves no readable data.
func TestUnknownSchemasAreNotVouchedFor(t *testing.T) {
	t.Parallel()
	s, err := newSchema("trade.hedged", 1, `{"type":"record","name":"Hedged","fields":[]}`)
	require.NoError(t, err)
	bundle := fstest.MapFS{s.File: &fstest.MapFile{Data: []byte(s.text)}}
	m := Manifest{Schemas: []SchemaOf{s.SchemaOf}}
	c, err := openCatalog(bundle, m)
	require.NoError(t, err)
	proven, not := m.claims(c, 0)
	require.Empty(t, proven)
	require.Len(t, not, 1)
	require.Contains(t, not[0], "in data of trade.hedged version 1")
}
