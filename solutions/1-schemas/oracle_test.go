package codec_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/big"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
	"github.com/twmb/avro"
	"pgregory.net/rapid"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
	"example.com/blotter/schemas"
	codec "example.com/blotter/solutions/1-schemas"
)

// L1.I1 and L1.I3, checked against the schema: another library reads our bytes as the same values
// under the same names, and writes those values as the same bytes.
func TestBytesMatchSchema(t *testing.T) {
	t.Parallel()
	c := codec.Offline()
	for _, kind := range kinds {
		t.Run(fmt.Sprintf("%T", kind.Example(0)), func(t *testing.T) {
			t.Parallel()
			rapid.Check(t, func(t *rapid.T) {
				body := kind.Draw(t, "body")
				p, err := c.Encode(t.Context(), body)
				require.NoError(t, err)
				again, err := c.Encode(t.Context(), body)
				require.NoError(t, err)
				require.Equal(t, p, again)

				back, err := c.Decode(t.Context(), p.Type, p.Data)
				require.NoError(t, err)
				require.Empty(t, cmp.Diff(body, back))

				requireAgreement(t, p, body)
			})
		})
	}
}

// requireAgreement compares p with twmb/avro in both directions, and the rendering of body with the
// value that twmb/avro reads.
func requireAgreement(t *rapid.T, p contract.Payload, body trade.Body) {
	s, ok := schemas.Find(p.Type, p.Schema)
	require.True(t, ok)
	require.Equal(t, s.Fingerprint, p.Fingerprint)
	oracle := avro.MustParse(s.Text)
	read := requireRewritten(t, oracle, p.Data[prefixSize:])

	text, err := codec.JSON(body)
	require.NoError(t, err)
	var shown any
	numbers := json.NewDecoder(bytes.NewReader(text))
	numbers.UseNumber() // a float has fewer digits than a long
	require.NoError(t, numbers.Decode(&shown))
	diff := cmp.Diff(rendered(*oracle.Root(), read), shown)
	require.Empty(t, diff, "rendering differs from the oracle's value")
}

// requireRewritten requires that the oracle reads all of data and writes it again as the same
// bytes. It returns the value.
func requireRewritten(t *rapid.T, oracle *avro.Schema, data []byte) (read any) {
	rest, err := oracle.Decode(data, &read)
	require.NoError(t, err)
	require.Empty(t, rest)
	written, err := oracle.Encode(read)
	require.NoError(t, err)
	require.Equal(t, data, written)
	return read
}

// rendered turns a value of the oracle into the form that JSON has.
func rendered(n avro.SchemaNode, v any) any {
	switch v := v.(type) {
	case map[string]any:
		return renderedRecord(n, v)
	case []any:
		items := []any{}
		for _, item := range v {
			items = append(items, rendered(*n.Items, item))
		}
		return items
	case *big.Rat:
		return trade.Dec(v.FloatString(n.Scale)).String()
	case json.Number:
		return trade.Dec(v.String()).String()
	case int64:
		return json.Number(strconv.FormatInt(v, 10))
	case time.Time:
		return v.UTC().Format(time.RFC3339Nano)
	case []byte:
		return hex.EncodeToString(v)
	}
	return v
}

func renderedRecord(n avro.SchemaNode, v map[string]any) any {
	if n.Name == "Period" {
		day := func(name string) trade.Day { return trade.DayOf(v[name].(time.Time)) }
		return trade.Period{Start: day("start"), End: day("end")}.String()
	}
	shown := map[string]any{}
	for _, f := range n.Fields {
		typ := f.Type
		if typ.Type == "union" {
			typ = typ.Branches[1]
		}
		if v[f.Name] != nil {
			shown[f.Name] = rendered(typ, v[f.Name])
		}
	}
	return shown
}

func TestHeadBytesMatchSchema(t *testing.T) {
	t.Parallel()
	c := codec.Offline()
	s, _ := schemas.Latest("store.head")
	oracle := avro.MustParse(s.Text)
	rapid.Check(t, func(t *rapid.T) {
		head := heads(t)
		data, err := c.EncodeHead(t.Context(), head)
		require.NoError(t, err)
		back, err := c.DecodeHead(t.Context(), data)
		require.NoError(t, err)
		require.Equal(t, head, back)

		fields := requireRewritten(t, oracle, data[prefixSize:]).(map[string]any)
		require.Equal(t, head.Stream, fields["stream"])
		require.Equal(t, head.Version, fields["version"])
		id := strings.ToLower(fmt.Sprint(fields["event_id"]))
		require.Equal(t, head.EventID.String(), id)
		require.Equal(t, head.RecordedAt, fields["recorded_at"].(time.Time).UTC())
		require.Equal(t, head.Digest[:], fields["digest"])
		require.Equal(t, head.Ended, fields["ended"])
	})
}

// exampleData encodes a body, and replaces the id of its schema by 11.
func exampleData(t *testing.T, body trade.Body) []byte {
	p, err := codec.Offline().Encode(t.Context(), body)
	require.NoError(t, err)
	return append([]byte{0, 0, 0, 0, 11}, p.Data[prefixSize:]...)
}

// The package documentation has this example.
func TestWorkedExample(t *testing.T) {
	t.Parallel()
	body := trade.Settle{Quantity: mwh("2160"), Price: trade.Dec("83.10")}
	require.Equal(t, "00 00 00 00 0b 0a 00 80 be fc 00 00 08 04 f4 01 60 00 00 00 00",
		fmt.Sprintf("% x", exampleData(t, body)))
	text, err := codec.JSON(body)
	require.NoError(t, err)
	require.Equal(t, `{"quantity":{"value":"2160","unit":"MWh"},"price":"83.1"}`, string(text))
}

// L1.I4: settlements and marks of version 1 keep their meaning, for a mark with any curve name.
func TestHistoryKeepsItsMeaning(t *testing.T) {
	t.Parallel()
	c := newOffline(t)
	rapid.Check(t, func(t *rapid.T) {
		s := trade.Settle{Quantity: quantity(t), Price: perUnit(t)}
		data := version1(t, c, "trade.settled", map[string]any{
			"quantity": map[string]any{
				"value": rat(s.Quantity.Value), "unit": string(s.Quantity.Unit),
			},
			"price": rat(s.Price),
		})
		got, err := c.Decode(t.Context(), "trade.settled", data)
		require.NoError(t, err)
		require.Empty(t, cmp.Diff(trade.Body(s), got))

		name := rapid.OneOf(rapid.Just(curve(t)), rapid.String()).Draw(t, "curve")
		m := trade.PriceMarked{Curve: name, Currency: "EUR"}
		points := []any{}
		for range rapid.IntRange(0, 3).Draw(t, "points") {
			p := trade.Point{Delivery: period(t), Price: perUnit(t)}
			m.Points = append(m.Points, p)
			points = append(points, map[string]any{
				"delivery": map[string]any{
					"start": p.Delivery.Start.UTC(), "end": p.Delivery.End.UTC(),
				},
				"price": rat(p.Price),
			})
		}
		data = version1(t, c, "price.marked", map[string]any{
			"curve": m.Curve, "currency": "EUR", "points": points,
		})
		got, err = c.Decode(t.Context(), "price.marked", data)
		require.NoError(t, err)
		require.Empty(t, cmp.Diff(trade.Body(m), got))
	})
}

// version1 returns a value in the wire format under version 1 of a type, written by another
// library.
func version1(t require.TestingT, c offline, typ string, value map[string]any) []byte {
	s, ok := schemas.Find(typ, 1)
	require.True(t, ok)
	body, err := avro.MustParse(s.Text).Encode(value)
	require.NoError(t, err)
	return wireData(c.id(t, typ, 1), body)
}

func rat(d trade.Decimal) *big.Rat {
	r, _ := new(big.Rat).SetString(d.String())
	return r
}
