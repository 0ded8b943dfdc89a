package schemas

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Fingerprint returns SHA-256 of the Parsing Canonical Form of a schema (Avro 1.11.1, "Schema
// Fingerprints").
//
// The form is implemented here because it is part of the log's digests. It must follow the standard
// as long as the log is kept, and libraries differ: some leave logical types in.
func Fingerprint(text string) ([32]byte, error) {
	form, err := Canonical(text)
	return sha256.Sum256([]byte(form)), err
}

// Canonical returns the Parsing Canonical Form (Avro 1.11.1, "Parsing Canonical Form for Schemas").
// It turns the first of these schemas into the second:
//
//	{"type": "record", "namespace": "blotter", "name": "P", "doc": "…",
//	 "fields": [{"name": "at", "type": {"type": "long"}}]}
//	{"name":"blotter.P","type":"record","fields":[{"name":"at","type":"long"}]}
func Canonical(text string) (string, error) { return render(text, parsing) }

// Meaning returns the canonical form with logical types. Two schemas have the same meaning if
// every byte sequence has the same value under both.
func Meaning(text string) (string, error) {
	return render(text, append(slices.Clone(parsing), "logicalType", "precision", "scale"))
}

// parsing lists the attributes that affect the bytes, in the standard's order ([STRIP] and
// [ORDER]).
var parsing = []string{"name", "type", "fields", "symbols", "items", "values", "size"}

var errSchema = errors.New("not an avro schema")

func render(text string, keep []string) (string, error) {
	var schema any
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber() // a size must not pass through a float
	if err := decoder.Decode(&schema); err != nil {
		return "", fmt.Errorf("%w: %v", errSchema, err)
	}
	f := form{keep: keep}
	f.schema(schema, "")
	return f.out.String(), f.err
}

// A form writes the canonical text of a schema, with the attributes to keep.
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

// object writes a type that is an object. An object with only a type is written as that type
// ([PRIMITIVES]).
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

// quote writes a name or a number as JSON. Avro's names are ASCII, so JSON satisfies [STRINGS].
func (f *form) quote(v any) {
	text, err := json.Marshal(v)
	if err != nil {
		f.err = fmt.Errorf("%w: %v", errSchema, err)
	}
	f.out.Write(text)
}

// builtIn lists the type names that are never in a namespace.
var builtIn = strings.Fields(
	"null boolean int long float double bytes string record enum array map fixed")

// fullName adds the namespace to a name without dots ([FULLNAMES]).
func fullName(name, space string) string {
	if space == "" || strings.Contains(name, ".") || slices.Contains(builtIn, name) {
		return name
	}
	return space + "." + name
}
