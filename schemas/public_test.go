package schemas_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"

	"example.com/blotter/schemas"
)

// Each public schema is a valid JSON Schema of an object. Its objects are open, so that a reader of
// this version accepts an event of the next one. A version only adds optional fields to the one
// before it.
func TestPublicSchemasOnlyAddFields(t *testing.T) {
	t.Parallel()
	before := map[string]schemas.PublicSchema{}
	for _, s := range schemas.Public() {
		document, err := jsonschema.UnmarshalJSON(strings.NewReader(s.Text))
		require.NoError(t, err, s.File())
		compiler := jsonschema.NewCompiler()
		require.NoError(t, compiler.AddResource("urn:schema", document), s.File())
		_, err = compiler.Compile("urn:schema")
		require.NoError(t, err, s.File())
		require.NotContains(t, s.Text, "additionalProperties", s.File())
		require.NotContains(t, s.Text, "unevaluatedProperties", s.File())
		require.NotContains(t, s.Text, "blotter", "%s has a name of the product", s.File())
		require.Equal(t, s.Name, parsed(t, s.Text)["title"])
		if s.Version > 1 {
			require.Equal(t, s.Version-1, before[s.Name].Version, "%s lacks a version", s.Name)
			require.NoError(t, onlyAdds("", parsed(t, before[s.Name].Text), parsed(t, s.Text)),
				s.File())
		}
		before[s.Name] = s
		latest, ok := schemas.LatestPublic(s.Name)
		require.True(t, ok)
		require.GreaterOrEqual(t, latest.Version, s.Version)
	}
	require.Len(t, before, 7)
	_, ok := schemas.LatestPublic("entry-unheard")
	require.False(t, ok)
}

func parsed(t *testing.T, text string) (schema map[string]any) {
	t.Helper()
	require.NoError(t, json.Unmarshal([]byte(text), &schema))
	return schema
}

// onlyAdds returns an error unless a schema is the old one with more optional properties, in its
// objects at any depth. Words for people may change.
func onlyAdds(at string, old, next map[string]any) error {
	for _, key := range union(old, next) {
		was, had := old[key].(map[string]any)
		is, has := next[key].(map[string]any)
		switch {
		case key == "description" || key == "title":
		case key == "properties" && had && has:
			for _, name := range slices.Sorted(maps.Keys(was)) {
				property, kept := is[name].(map[string]any)
				if !kept {
					return fmt.Errorf("%s/%s is gone", at, name)
				}
				if err := onlyAdds(at+"/"+name, was[name].(map[string]any), property); err != nil {
					return err
				}
			}
		case key == "items" && had && has:
			if err := onlyAdds(at+"[]", was, is); err != nil {
				return err
			}
		case !reflect.DeepEqual(old[key], next[key]):
			return fmt.Errorf("%s: %s changed from %v to %v", at, key, old[key], next[key])
		}
	}
	return nil
}

func union(a, b map[string]any) []string {
	all := maps.Clone(a)
	maps.Copy(all, b)
	return slices.Sorted(maps.Keys(all))
}

// The rule of public schemas allows a new optional field, also in the lines of an entry. It refuses
// every change after which a reader of the old version may refuse an event, or misread it.
func TestPublicSchemaRule(t *testing.T) {
	t.Parallel()
	latest, ok := schemas.LatestPublic("entry-posted")
	require.True(t, ok)
	for _, c := range []struct{ old, with, refused string }{
		{`"properties": {`, `"properties": {"tag": {"type": "string"},`, ""},
		{`"properties": {
          "account"`, `"properties": {"n": {"type": "integer"},
          "account"`, ""},
		{`An entry was posted.`, `An entry is on record.`, ""},
		{`"reverses": {`, `"undoes": {`, "/reverses is gone"},
		{`"required": ["ledger", `, `"required": ["ledger", "reverses", `, "required changed"},
		{`"required": ["ledger", `, `"required": [`, "required changed"},
		{`["debit", "credit"]`, `["debit", "credit", "both"]`, "/lines[]/side: enum changed"},
		{`"amount": {"type": "string"`, `"amount": {"type": "number"`, "amount: type changed"},
		{`"minItems": 2`, `"minItems": 1`, "/lines: minItems changed"},
		{`"type": "object",
  "properties"`, `"type": "object", "additionalProperties": false,
  "properties"`, "additionalProperties changed"},
	} {
		next := strings.Replace(latest.Text, c.old, c.with, 1)
		require.NotEqual(t, latest.Text, next, c.with)
		err := onlyAdds("", parsed(t, latest.Text), parsed(t, next))
		if c.refused == "" {
			require.NoError(t, err, c.with)
			continue
		}
		require.ErrorContains(t, err, c.refused)
	}
}

// listPublic lists the public events and their fields.
func listPublic(t *testing.T, w *strings.Builder) {
	t.Helper()
	fmt.Fprintf(w, "\n## Public events\n\nThese are JSON Schemas in the folder `public`. "+
		"`capstone/publication` makes the events.\n")
	for _, s := range schemas.Public() {
		schema := parsed(t, s.Text)
		fmt.Fprintf(w, "\n### %s, version %d\n\n%s\n\n| field | meaning |\n|---|---|\n", s.Name,
			s.Version, schema["description"])
		listProperties(w, "", schema)
	}
}

func listProperties(w *strings.Builder, path string, schema map[string]any) {
	required, _ := schema["required"].([]any)
	properties, _ := schema["properties"].(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		property, _ := properties[name].(map[string]any)
		optional := ""
		if !slices.Contains(required, any(name)) {
			optional = " Optional."
		}
		fmt.Fprintf(w, "| `%s%s` | %s%s |\n", path, name, property["description"], optional)
		if items, ok := property["items"].(map[string]any); ok {
			listProperties(w, path+name+"[].", items)
		}
	}
}
