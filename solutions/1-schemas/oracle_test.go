package codec_test

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/big"
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

// header is the part of data that is not Avro.
const header = 5

// L1.I1 and L1.I3, and the schema's word on both: another library reads our bytes as the same values, under the same names, and
// writes those values as the same bytes.
func TestBytesAreWhatTheSchemaSays(t *testing.T) {
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

				agree(t, p, body)
			})
		})
	}
}

// agree holds p against twmb/avro in both directions, and the rendering of body against what twmb/avro reads.
func agree(t *rapid.T, p contract.Payload, body trade.Body) {
	s, ok := schemas.Find(p.Type, p.Schema)
	require.True(t, ok)
	require.Equal(t, s.Fingerprint, p.Fingerprint)
	oracle := avro.MustParse(s.Text)
	var read any
	rest, err := oracle.Decode(p.Data[header:], &read)
	require.NoError(t, err)
	require.Empty(t, rest)
	written, err := oracle.Encode(read)
	require.NoError(t, err)
	require.Equal(t, p.Data[header:], written)

	text, err := codec.JSON(body)
	require.NoError(t, err)
	var shown any
	require.NoError(t, json.Unmarshal(text, &shown))
	require.Empty(t, cmp.Diff(people(*oracle.Root(), read), shown), "rendering differs from what the oracle reads")
}

// people turns what the oracle reads into the shape that JSON has.
func people(n avro.SchemaNode, v any) any {
	switch v := v.(type) {
	case map[string]any:
		return peopleRecord(n, v)
	case []any:
		items := []any{}
		for _, item := range v {
			items = append(items, people(*n.Items, item))
		}
		return items
	case *big.Rat:
		return trade.Dec(v.FloatString(n.Scale)).String()
	case json.Number:
		return trade.Dec(v.String()).String()
	case time.Time:
		return v.UTC().Format(time.RFC3339Nano)
	case []byte:
		return hex.EncodeToString(v)
	}
	return v
}

func peopleRecord(n avro.SchemaNode, v map[string]any) any {
	if n.Name == "Period" {
		return trade.Period{Start: trade.DayOf(v["start"].(time.Time)), End: trade.DayOf(v["end"].(time.Time))}.String()
	}
	shown := map[string]any{}
	for _, f := range n.Fields {
		typ := f.Type
		if typ.Type == "union" {
			typ = typ.Branches[1]
		}
		if v[f.Name] != nil {
			shown[f.Name] = people(typ, v[f.Name])
		}
	}
	return shown
}

func TestHeadIsWhatItsSchemaSays(t *testing.T) {
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

		var read any
		rest, err := oracle.Decode(data[header:], &read)
		require.NoError(t, err)
		require.Empty(t, rest)
		fields := read.(map[string]any)
		require.Equal(t, head.Stream, fields["stream"])
		require.Equal(t, head.Version, fields["version"])
		require.Equal(t, head.EventID.String(), strings.ToLower(fmt.Sprint(fields["event_id"])))
		require.Equal(t, head.RecordedAt, fields["recorded_at"].(time.Time).UTC())
		require.Equal(t, head.Digest[:], fields["digest"])
		require.Equal(t, head.Ended, fields["ended"])
		written, err := oracle.Encode(read)
		require.NoError(t, err)
		require.Equal(t, data[header:], written)
	})
}

// The example of the package's documentation.
func TestWorkedExample(t *testing.T) {
	t.Parallel()
	c := codec.Offline()
	body := trade.Settle{Quantity: trade.Quantity{Value: trade.Dec("2160"), Unit: trade.MWh}, Price: trade.Dec("83.10")}
	p, err := c.Encode(t.Context(), body)
	require.NoError(t, err)
	require.Equal(t, "00 00 00 00 0b 0a 00 80 be fc 00 00 08 04 f4 01 60 00", fmt.Sprintf("% x", p.Data))
	text, err := codec.JSON(body)
	require.NoError(t, err)
	require.Equal(t, `{"quantity":{"value":"2160","unit":"MWh"},"price":"83.1"}`, string(text))
}
