package schemas_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"

	"example.com/blotter/schemas"
)

// The JSON form of each schema is a JSON Schema by an independent library, and its text identifies
// the schema in any layout.
func TestJSONFormIsAJSONSchema(t *testing.T) {
	t.Parallel()
	for _, s := range schemas.All() {
		if !s.HasJSON() {
			_, ok := schemas.IdentifyJSON(s.JSON())
			require.False(t, ok, "%s version %d", s.Type, s.Version)
			continue
		}
		compileJSON(t, s)
		var form any
		require.NoError(t, json.Unmarshal([]byte(s.JSON()), &form))
		spaced, err := json.MarshalIndent(form, "", "  ")
		require.NoError(t, err)
		found, ok := schemas.IdentifyJSON(string(spaced))
		require.True(t, ok, "%s version %d", s.Type, s.Version)
		require.Equal(t, s, found)
	}
	for _, other := range []string{``, `{}`, `[]`, `{"type": "string"}`} {
		_, ok := schemas.IdentifyJSON(other)
		require.False(t, ok, other)
	}
}

func compileJSON(t *testing.T, s schemas.Schema) *jsonschema.Schema {
	form, err := jsonschema.UnmarshalJSON(strings.NewReader(s.JSON()))
	require.NoError(t, err)
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	require.NoError(t, compiler.AddResource("form.json", form))
	compiled, err := compiler.Compile("form.json")
	require.NoError(t, err, "%s version %d", s.Type, s.Version)
	return compiled
}

// A decimal is a string with at most the places of its scale, and never a JSON number. A time is
// RFC 3339. A field that may be null is one that may be missing.
func TestJSONFormOfASettlement(t *testing.T) {
	t.Parallel()
	latest, _ := schemas.Latest("trade.settled")
	form := compileJSON(t, latest)
	const quantity = `"quantity":{"value":"2160","unit":"MWh"}`
	for text, fits := range map[string]bool{
		`{` + quantity + `,"price":"83.1"}`:                                 true,
		`{` + quantity + `,"price":"-0.000001","from":"2026-01-01T00:00Z"}`: false,
		`{` + quantity + `,"price":"1","from":"2026-01-01T00:00:00+01:00"}`: true,
		`{` + quantity + `,"price":83.1}`:                                   false,
		`{` + quantity + `,"price":"83.1234567"}`:                           false,
		`{` + quantity + `,"price":"8.31e1"}`:                               false,
		`{` + quantity + `,"price":"83.1","note":"x"}`:                      false,
		`{` + quantity + `,"price":"83.1","price_source":null}`:             false,
		`{"quantity":{"value":"2160","unit":"MW"},"price":"83.1"}`:          false,
		`{"price":"83.1"}`: false,
	} {
		value, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
		require.NoError(t, err, text)
		require.Equal(t, fits, form.Validate(value) == nil, text)
	}
}
