package codec_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/sr"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/stack/stacktest"
	"example.com/blotter/labs/kit/trade"
	"example.com/blotter/schemas"
	codec "example.com/blotter/solutions/1-schemas"
)

func newJSON(t require.TestingT) (offline, *codec.JSONForm) {
	c := newOffline(t)
	j, err := codec.NewJSON(context.Background(), c.registry, "offline", c)
	require.NoError(t, err)
	return c, j
}

// An event has one content digest in both forms, for random bodies of every kind. The text is valid
// under its JSON Schema by an independent library, and franz-go's serde finds the schema's id.
func TestBothFormsHaveOneDigest(t *testing.T) {
	t.Parallel()
	c, j := newJSON(t)
	encoded := 0
	for i := range 50 * len(kinds) {
		body := kinds[i%len(kinds)].Example(i)
		avro, err := c.Encode(t.Context(), body)
		require.NoError(t, err)
		p, err := j.Encode(t.Context(), body)
		if err != nil { // bodies has deliveries that end before they begin
			require.ErrorIs(t, err, contract.ErrUnencodable)
			require.Contains(t, []string{"trade.new", "price.marked"}, avro.Type, "%+v", body)
			continue
		}
		encoded++
		requireValid(t, c, p)
		got, err := j.Avro(t.Context(), contract.Event{Type: p.Type, Data: p.Data})
		require.NoError(t, err, string(p.Data))
		same := contract.Event{
			Type: avro.Type, Schema: avro.Schema, Fingerprint: avro.Fingerprint, Data: avro.Data,
		}
		require.Equal(t, same, got)
		require.Equal(t, same.ContentDigest(), got.ContentDigest())
		decoded, err := j.Decode(t.Context(), p.Type, p.Data)
		require.NoError(t, err)
		again, err := c.Decode(t.Context(), p.Type, avro.Data)
		require.NoError(t, err)
		require.Equal(t, again, decoded)
	}
	require.Greater(t, encoded, 40*len(kinds))
}

// requireValid requires that the text of a payload is valid under the schema of its id.
func requireValid(t *testing.T, c offline, p contract.Payload) {
	s, _ := schemas.Latest(p.Type)
	id, text, err := new(sr.ConfluentHeader).DecodeID(p.Data)
	require.NoError(t, err)
	published, err := c.registry.Text(t.Context(), id)
	require.NoError(t, err)
	require.Equal(t, s.JSON(), published)
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	require.NoError(t, err)
	require.NoError(t, jsonSchema(t, s).Validate(value), string(text))
}

func jsonSchema(t *testing.T, s schemas.Schema) *jsonschema.Schema {
	value, err := jsonschema.UnmarshalJSON(strings.NewReader(s.JSON()))
	require.NoError(t, err)
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	require.NoError(t, compiler.AddResource("form.json", value))
	compiled, err := compiler.Compile("form.json")
	require.NoError(t, err)
	return compiled
}

// Data in JSON is a settlement or one of the contract's errors, and its spelling does not matter.
func TestJSONDataIsAnEventOrAFault(t *testing.T) {
	t.Parallel()
	_, j := newJSON(t)
	const quantity = `"quantity":{"value":"2160","unit":"MWh"}`
	for _, text := range []string{
		`{` + quantity + `,"price":"83.1"}`,
		` { "price" : "083.100" , ` + quantity + "}\n",
		`{` + quantity + `,"price":"83.1","price_source":"\u00e9 \ud83d\ude00"}`,
		`{` + quantity + `,"price":"83.1","from":"2026-04-01T02:00:00+02:00"}`,
		`{` + quantity + `,"price":"9999999999999999999999.999999"}`,
	} {
		_, err := j.Decode(t.Context(), "trade.settled", j.Data("trade.settled", text))
		require.NoError(t, err, text)
	}
	for _, text := range []string{
		`{` + quantity + `,"price":"10000000000000000000000"}`,
		`{` + quantity + `,"price":"83.1234567"}`,
		`{` + quantity + `,"price":83.1}`,
		`{` + quantity + `,"price":"8.31e1"}`,
		`{` + quantity + `,"price":"NaN"}`,
		`{` + quantity + `,"price":"83.1","price":"83.1"}`,
		`{` + quantity + `,"price":"83.1","Price":"83.1"}`,
		`{` + quantity + `,"price":"83.1","price_source":null}`,
		`{` + quantity + `,"price":"83.1","price_source":"\ud83d"}`,
		`{` + quantity + `,"price":"83.1","price_source":"\ude00\ud83d"}`,
		`{` + quantity + `,"price":"83.1","price_source":"` + "\xff" + `"}`,
		`{` + quantity + `,"price":"83.1","from":"2026-04-01"}`,
		`{` + quantity + `,"price":"83.1","from":"2026-04-01T00:00:00.0000001Z"}`,
		`{` + quantity + `,"price":"83.1","from":"2026-04-01T00:00:00,5Z"}`,
		`{` + quantity + `,"price":"83.1","entered":{}}`,
		`{` + quantity + `,"price":"83.1","entered":[7]}`,
		`{"quantity":{"value":"2160","unit":"MW"},"price":"83.1"}`,
		`{"quantity":{"value":"2160","unit":"MWh","x":1},"price":"83.1"}`,
		`{"quantity":"2160","price":"83.1"}`,
		`{` + quantity + `}`,
		`{` + quantity + `,"price":"83.1"}{}`,
		``, `null`, `[]`, strings.Repeat(`{"quantity":`, 20_000),
	} {
		_, err := j.Decode(t.Context(), "trade.settled", j.Data("trade.settled", text))
		require.ErrorIs(t, err, contract.ErrMalformed, "%.200s", text)
		require.True(t, contract.IsUndecodable(err), "%.200s", text)
		require.NotErrorIs(t, err, contract.ErrUnencodable, "%.200s", text)
	}
	data := j.Data("trade.settled", `{`+quantity+`,"price":"83.1"}`)
	for want, wrong := range map[error][]byte{
		contract.ErrTruncated: data[:3], contract.ErrMagic: append([]byte{1}, data[1:]...),
		contract.ErrOversize:      append(data, make([]byte, contract.MaxData)...),
		contract.ErrUnknownSchema: wireData(1<<20, data[prefixSize:]),
	} {
		_, err := j.Decode(t.Context(), "trade.settled", wrong)
		require.ErrorIs(t, err, want)
	}
}

// In the registry of the stack the JSON form is a subject of its own, of type JSON. A schema that
// breaks its readers is refused, and another program finds the schema by its id.
func TestJSONFormInTheRegistry(t *testing.T) {
	t.Parallel()
	options := stacktest.Registry(t)
	registry, err := codec.Confluent(options...)
	require.NoError(t, err)
	name := stacktest.Prefix(t) + "json"
	c, err := codec.New(t.Context(), registry, name)
	require.NoError(t, err)
	j, err := codec.NewJSON(t.Context(), registry, name, c)
	require.NoError(t, err)
	p, err := j.Encode(t.Context(), trade.Settle{Quantity: mwh("2160"), Price: trade.Dec("83.10")})
	require.NoError(t, err)

	client, err := sr.NewClient(options...)
	require.NoError(t, err)
	published, err := client.SchemaByID(t.Context(), idIn(p.Data))
	require.NoError(t, err)
	latest, _ := schemas.Latest("trade.settled")
	require.Equal(t, sr.TypeJSON, published.Type)
	require.JSONEq(t, latest.JSON(), published.Schema)
	breaking := strings.Replace(published.Schema, `"price":{`, `"cost":{`, 1)
	_, err = registry.RegisterJSON(t.Context(), name+"-trade.settled-json", breaking)
	require.ErrorContains(t, err, "incompatible")

	// Another program published the same schema in another layout: it has another id.
	id, err := registry.RegisterJSON(t.Context(), name+"-elsewhere", " "+published.Schema)
	require.NoError(t, err)
	got, err := j.Decode(t.Context(), "trade.settled", wireData(id, p.Data[prefixSize:]))
	require.NoError(t, err)
	require.Equal(t, "83.1", got.(trade.Settle).Price.String())
}

// A body that Avro cannot hold is not written as JSON either, nor a delivery that has no text.
func TestJSONRefusesWhatAvroRefuses(t *testing.T) {
	t.Parallel()
	_, j := newJSON(t)
	backwards := trade.PriceMarked{Curve: "power/CET", Currency: "EUR",
		Points: []trade.Point{{Delivery: trade.Period{Start: 2, End: 1}, Price: trade.Dec("1")}}}
	for _, body := range []trade.Body{
		trade.Settle{Quantity: mwh("1"), Price: trade.Dec("0.0000001")},
		trade.Settle{Quantity: mwh("1"), Price: trade.Dec("1" + strings.Repeat("0", 22))},
		trade.Settle{Quantity: mwh("1"), From: time.Unix(0, 1)},
		trade.Settle{Quantity: mwh("1"), PriceSource: "\xff"},
		trade.Settle{Quantity: mwh("1"), PriceSource: strings.Repeat("x", contract.MaxData)},
		backwards,
		trade.Unreadable{},
	} {
		p, err := j.Encode(t.Context(), body)
		require.ErrorIs(t, err, contract.ErrUnencodable, "%.100v", body)
		require.Empty(t, p)
	}
}

// A scanner of another design agrees with ours about mutated texts: both refuse one, or both read
// the same event.
func TestScannersAgreeOnMutatedJSON(t *testing.T) {
	t.Parallel()
	c, j := newJSON(t)
	random := rand.New(rand.NewPCG(1, 2))
	accepted, refused := 0, 0
	for i := range 4000 {
		p, err := j.Encode(t.Context(), kinds[i%len(kinds)].Example(i))
		if err != nil {
			continue // a delivery that ends before it begins
		}
		text := mutated(random, p.Data[prefixSize:])
		ours, err := j.Avro(t.Context(), contract.Event{
			Type: p.Type, Data: append(p.Data[:prefixSize:prefixSize], text...),
		})
		theirs, treeErr := avroOfJSON(p.Type, text)
		require.Equal(t, treeErr == nil, err == nil, "%s\n%v\n%v", text, treeErr, err)
		if err != nil {
			require.True(t, contract.IsUndecodable(err))
			refused++
			continue
		}
		require.Equal(t, theirs, ours.Data[prefixSize:], string(text))
		_, err = c.Decode(t.Context(), p.Type, ours.Data)
		require.NoError(t, err, string(text))
		accepted++
	}
	require.Greater(t, accepted, 500)
	require.Greater(t, refused, 500)
}

// mutated changes a few characters of a text, or only its layout.
func mutated(random *rand.Rand, text []byte) []byte {
	var b bytes.Buffer
	if random.IntN(3) == 0 && json.Indent(&b, text, "", " ") == nil {
		return b.Bytes()
	}
	const alphabet = `0129.-+e"{}[],:\u nulltrfaseMWh`
	text = bytes.Clone(text)
	for range 1 + random.IntN(2) {
		text[random.IntN(len(text))] = alphabet[random.IntN(len(alphabet))]
	}
	return text
}

// avroOfJSON returns the Avro body of a text, by a tree that the Avro schema directs.
func avroOfJSON(typ string, text []byte) ([]byte, error) {
	s, _ := schemas.Latest(typ)
	var schema, value any
	if err := json.Unmarshal([]byte(s.Text), &schema); err != nil {
		return nil, err
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&value); err != nil || !json.Valid(text) || !utf8.Valid(text) {
		return nil, fmt.Errorf("no JSON: %v", err)
	}
	t, err := treeOfJSON(schema, value)
	if err != nil {
		return nil, err
	}
	body := bodyOf(typ, t.(tree))
	_, t = treeOf(body) // zero in place of a field that may be missing is none
	return interpreter{}.write(s.Text, t.(tree))
}

func treeOfJSON(schema, value any) (any, error) {
	switch s := schema.(type) {
	case []any:
		return treeOfJSON(s[1], value)
	case string:
		schema = map[string]any{"type": s}
	}
	s := schema.(map[string]any)
	kind, _ := s["type"].(string)
	if inner, ok := s["type"].(map[string]any); ok {
		return treeOfJSON(inner, value)
	}
	switch v := value.(type) {
	case map[string]any:
		if kind == "record" && s["name"] != "Period" {
			return recordOfJSON(s["fields"].([]any), v)
		}
	case []any:
		if kind == "array" {
			items := []any{}
			for _, item := range v {
				t, err := treeOfJSON(s["items"], item)
				if err != nil {
					return nil, err
				}
				items = append(items, t)
			}
			return items, nil
		}
	case bool:
		if kind == "boolean" {
			return v, nil
		}
	case json.Number:
		if kind == "long" && s["logicalType"] == nil {
			return v.Int64()
		}
	case string:
		return leafOfJSON(s, kind, v)
	}
	return nil, fmt.Errorf("%T for %s", value, kind)
}

func recordOfJSON(fields []any, object map[string]any) (any, error) {
	t := tree{}
	for _, field := range fields {
		f := field.(map[string]any)
		name := f["name"].(string)
		value, there := object[name]
		_, union := f["type"].([]any)
		if !there && union {
			t[name] = nil
			continue
		}
		if !there {
			return nil, fmt.Errorf("no %s", name)
		}
		var err error
		if t[name], err = treeOfJSON(f["type"], value); err != nil {
			return nil, err
		}
		delete(object, name)
	}
	if len(object) > 0 {
		return nil, fmt.Errorf("unknown fields")
	}
	return t, nil
}

func leafOfJSON(s map[string]any, kind, v string) (any, error) {
	switch {
	case s["name"] == "Period":
		p, err := trade.ParsePeriod(v)
		return periodTree(p), err
	case s["logicalType"] == "decimal":
		return trade.ParseDecimal(v)
	case s["logicalType"] == "timestamp-micros":
		at, err := time.Parse(time.RFC3339Nano, v)
		if len(v) < 20 || strings.Contains(v, ",") || v[10] != 'T' || v[13] != ':' {
			err = fmt.Errorf("no time of RFC 3339")
		}
		return at.UTC(), err
	case s["logicalType"] == "uuid" &&
		(len(v) != 36 || strings.ToLower(v) != v || uuid.Validate(v) != nil):
		return nil, fmt.Errorf("no uuid")
	case kind == "fixed":
		b, err := hex.DecodeString(v)
		if err != nil || len(b) != 32 || strings.ToLower(v) != v {
			return nil, fmt.Errorf("no digest")
		}
		return [32]byte(b), nil
	case kind == "string", kind == "enum":
		return v, nil
	}
	return nil, fmt.Errorf("a text for %s", kind)
}
