package schemas

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Fingerprint is SHA-256 of the Parsing Canonical Form of a schema (Avro 1.11.1, "Schema Fingerprints").
//
// The form is written out here because it enters the log's digests: it must be the standard's, for as long as the log is
// kept, and libraries differ on it (some leave logical types in).
func Fingerprint(text string) ([32]byte, error) {
	form, err := Canonical(text)
	return sha256.Sum256([]byte(form)), err
}

// Canonical is the Parsing Canonical Form (Avro 1.11.1, "Parsing Canonical Form for Schemas").
//
//	{"type": "record", "namespace": "blotter", "name": "P", "doc": "…", "fields": [{"name": "at", "type": {"type": "long"}}]}
//	{"name":"blotter.P","type":"record","fields":[{"name":"at","type":"long"}]}
func Canonical(text string) (string, error) { return render(text, parsing) }

// Meaning is the canonical form with the logical types left in: equal for two schemas under which the same bytes are the
// same values.
func Meaning(text string) (string, error) {
	return render(text, append(slices.Clone(parsing), "logicalType", "precision", "scale"))
}

// parsing is what decides about bytes, in the order that the standard gives ([STRIP] and [ORDER]).
var parsing = []string{"name", "type", "fields", "symbols", "items", "values", "size"}

var errSchema = errors.New("not an avro schema")

func render(text string, keep []string) (string, error) {
	var schema any
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber() // sizes stay as written, without a float between
	if err := decoder.Decode(&schema); err != nil {
		return "", fmt.Errorf("%w: %v", errSchema, err)
	}
	f := form{keep: keep}
	f.schema(schema, "")
	return f.out.String(), f.err
}

// A form is canonical text being written.
type form struct {
	out  strings.Builder
	keep []string
	err  error
}

func (f *form) schema(node any, space string) {
	switch n := node.(type) {
	case string:
		f.quote(fullName(n, space))
	case []any: // a union
		f.list(n, func(branch any) { f.schema(branch, space) })
	case map[string]any:
		f.object(n, space)
	default:
		f.err = fmt.Errorf("%w: %v", errSchema, node)
	}
}

// object writes a type that is an object. One that says nothing but a type is that type ([PRIMITIVES]).
func (f *form) object(n map[string]any, space string) {
	if name, ok := n["name"].(string); ok {
		if own, ok := n["namespace"].(string); ok {
			space = own
		}
		name = fullName(name, space)
		space = name[:max(0, strings.LastIndexByte(name, '.'))]
		n["name"] = name
	}
	var kept []string
	for _, key := range f.keep {
		if _, ok := n[key]; ok {
			kept = append(kept, key)
		}
	}
	if len(kept) == 1 && kept[0] == "type" {
		f.schema(n["type"], space)
		return
	}
	f.pairs(n, kept, space)
}

func (f *form) pairs(n map[string]any, kept []string, space string) {
	f.out.WriteByte('{')
	for i, key := range kept {
		if i > 0 {
			f.out.WriteByte(',')
		}
		f.quote(key)
		f.out.WriteByte(':')
		f.value(key, n[key], space)
	}
	f.out.WriteByte('}')
}

func (f *form) value(key string, v any, space string) {
	switch items, _ := v.([]any); key {
	case "type", "items", "values":
		f.schema(v, space)
	case "fields":
		f.list(items, func(field any) {
			n, _ := field.(map[string]any)
			f.pairs(n, []string{"name", "type"}, space)
		})
	case "symbols":
		f.list(items, f.quote)
	default: // a name, or a number
		f.quote(v)
	}
}

func (f *form) list(items []any, write func(any)) {
	f.out.WriteByte('[')
	for i, item := range items {
		if i > 0 {
			f.out.WriteByte(',')
		}
		write(item)
	}
	f.out.WriteByte(']')
}

// quote writes a name or a number as JSON. Avro's names are ASCII, so [STRINGS] asks for nothing more.
func (f *form) quote(v any) {
	text, err := json.Marshal(v)
	if err != nil {
		f.err = fmt.Errorf("%w: %v", errSchema, err)
	}
	f.out.Write(text)
}

// words are type names that are never in a namespace.
var words = strings.Fields("null boolean int long float double bytes string record enum array map fixed")

// fullName puts a name without dots into its namespace ([FULLNAMES]).
func fullName(name, space string) string {
	if space == "" || strings.Contains(name, ".") || slices.Contains(words, name) {
		return name
	}
	return space + "." + name
}
