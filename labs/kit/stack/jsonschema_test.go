package stack

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"
)

// closed returns an object of the given properties and no others.
func closed(properties, required string) string {
	return fmt.Sprintf(`{"type":"object","additionalProperties":false,"properties":{%s},`+
		`"required":[%s]}`, properties, required)
}

func open(properties string) string {
	return fmt.Sprintf(`{"type":"object","properties":{%s}}`, properties)
}

// withPattern returns a closed object that has properties by a pattern, too.
func withPattern(properties string) string {
	return fmt.Sprintf(`{"type":"object","additionalProperties":false,"properties":{%s},`+
		`"patternProperties":{"^b":{"type":"integer"}}}`, properties)
}

// unevaluated returns an object that is closed by another keyword.
func unevaluated(properties string) string {
	return fmt.Sprintf(`{"type":"object","properties":{%s},"unevaluatedProperties":false}`,
		properties)
}

const (
	textA    = `"a":{"type":"string"}`
	textB    = `"b":{"type":"string"}`
	numberA  = `"a":{"type":"integer"}`
	patternA = `"a":{"type":"string","pattern":"^x$"}`
)

// The table has Confluent's rules that the registry knows: "JSON Schema Serializer and
// Deserializer", compatibility rules. A change that it does not know is refused in both directions.
func TestJSONSchemaCompatibility(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		what, old, next   string
		backward, forward bool
	}{
		{"the same with another title", closed(textA, `"a"`),
			strings.Replace(closed(textA, `"a"`), "{", `{"title":"t","description":"d",`, 1),
			true, true},
		{"an optional property of a closed object", closed(textA, `"a"`),
			closed(textA+","+textB, `"a"`), true, false},
		{"a required property", closed(textA, `"a"`), closed(textA+","+textB, `"a","b"`),
			false, false},
		{"a property that is no longer required", closed(textA, `"a"`), closed(textA, ``),
			true, false},
		{"a property of an open object", open(textA), open(textA + "," + textB), false, true},
		{"a property that a pattern of a closed object names", withPattern(textA),
			withPattern(textA + "," + textB), false, false},
		{"a property less, where the others are unevaluated",
			unevaluated(textA + "," + textB), unevaluated(textA), false, false},
		{"a closed object that opens", closed(textA, ``), open(textA), true, false},
		{"another type", closed(textA, ``), closed(numberA, ``), false, false},
		{"a pattern", closed(textA, ``), closed(patternA, ``), false, false},
		{"further properties with a schema", open(textA),
			`{"type":"object","additionalProperties":{"type":"string"}}`, false, false},
		{"a value of an enum", `{"enum":["a"]}`, `{"enum":["a","b"]}`, true, false},
		{"an enum", `{}`, `{"enum":["a"]}`, false, false},
		{"items", `{"items":{"enum":["a"]}}`, `{"items":{"enum":["a","b"]}}`, true, false},
		{"items where there were none", `{}`, `{"items":{}}`, false, false},
		{"an unknown change", `{"minimum":1}`, `{"minimum":0}`, false, false},
		{"true for everything", `true`, `{}`, false, false},
		{"true again", `true`, `true`, true, true},
	} {
		for mode, want := range map[string]bool{
			"BACKWARD": c.backward, "FORWARD": c.forward, "FULL": c.backward && c.forward,
			"NONE": true, "BACKWARD_TRANSITIVE": c.backward, "SIDEWAYS": false,
		} {
			err := jsonCompatible(mode, c.next, c.old)
			require.Equal(t, want, err == nil, "%s in mode %s: %v", c.what, mode, err)
		}
	}
	first, second := closed(textA, ``), closed(textA+","+textB, ``)
	require.NoError(t, jsonCompatible("BACKWARD", second, closed(numberA, ``), first))
	require.Error(t, jsonCompatible("BACKWARD_TRANSITIVE", second, closed(numberA, ``), first))
	for _, broken := range []string{
		``, `{`, `7`, `{"type":"text"}`, `{"$ref":"file:///etc/passwd"}`,
		`{"$ref":"https://example.com/x.json"}`, `{"properties":{"a":7}}`,
	} {
		require.Error(t, jsonCompatible(modeNone, broken), broken)
	}
}

// A change that is accepted breaks no reader: random documents that the old schema accepts are
// accepted by the next. An independent library judges the documents.
func TestAcceptedJSONSchemasReadOldData(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(3, 4))
	accepted, read := 0, 0
	for range 3000 {
		old := randomSchema(random, 2)
		next := randomSchema(random, 2)
		if random.IntN(2) == 0 {
			next = old
		}
		if jsonCompatible("BACKWARD", next, old) != nil {
			continue
		}
		accepted++
		reader, writer := compiled(t, next), compiled(t, old)
		for range 20 {
			document := randomDocument(random, 2)
			if writer.Validate(document) == nil {
				read++
				require.NoError(t, reader.Validate(document), "%v\n%s\n%s", document, old, next)
			}
		}
	}
	require.Greater(t, accepted, 1500)
	require.Greater(t, read, 1000)
}

func compiled(t *testing.T, text string) *jsonschema.Schema {
	document, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	require.NoError(t, err)
	compiler := jsonschema.NewCompiler()
	require.NoError(t, compiler.AddResource("urn:x", document))
	schema, err := compiler.Compile("urn:x")
	require.NoError(t, err, text)
	return schema
}

// randomSchema draws a schema of few keywords over the properties a and b.
func randomSchema(random *rand.Rand, depth int) string {
	schema := map[string]any{}
	maybe := func() bool { return random.IntN(2) == 0 }
	if depth == 0 || maybe() {
		schema["enum"] = [][]any{{"x"}, {"x", "y"}, {"y"}}[random.IntN(3)]
	} else {
		properties := map[string]any{}
		for _, name := range []string{"a", "b"} {
			if maybe() {
				properties[name] = json.RawMessage(randomSchema(random, depth-1))
			}
		}
		schema["type"], schema["properties"] = "object", properties
		if maybe() {
			schema["additionalProperties"] = maybe()
		}
		if maybe() {
			schema["required"] = []string{"a"}
		}
	}
	text, _ := json.Marshal(schema)
	return string(text)
}

func randomDocument(random *rand.Rand, depth int) any {
	if depth == 0 || random.IntN(3) == 0 {
		return []string{"x", "y"}[random.IntN(2)]
	}
	document := map[string]any{}
	for _, name := range []string{"a", "b"} {
		if random.IntN(2) == 0 {
			document[name] = randomDocument(random, depth-1)
		}
	}
	return document
}
