package schemas

import (
	"encoding/json"
	"fmt"
	"maps"
	"strings"
)

// jsonSince lists the types whose first versions have no JSON form, with the first version that has
// one. Of the other types every version has one. Programs that write JSON came later than those
// versions, so that no data of them is in JSON.
var jsonSince = map[string]int{"price.marked": 2, "trade.settled": 2}

// HasJSON reports whether events of s may be in the JSON form. A head is no event.
func (s Schema) HasJSON() bool {
	return s.Type != "store.head" && s.Version >= jsonSince[s.Type]
}

// JSON returns the JSON Schema (draft 2020-12) of the JSON form of s, on one line. It is derived
// from s:
//
//	record            object without further properties; a nullable field may be missing
//	decimal           string in plain notation: a JSON number is a float for most readers
//	timestamp-micros  string, RFC 3339, at most microseconds
//	fixed             string of lower-case hexadecimal digits
//	blotter.Period    string such as 2026-04, as trade.Period.String writes it
//
// A registry keeps this text for ever, so a change of it is a new version. The digests of the texts
// are in testdata.
func (s Schema) JSON() string {
	var avro any
	decoder := json.NewDecoder(strings.NewReader(s.Text))
	decoder.UseNumber() // a size must not pass through a float
	if err := decoder.Decode(&avro); err != nil {
		panic(fmt.Sprintf("schemas: %s version %d was loaded and is no JSON: %v",
			s.Type, s.Version, err))
	}
	form := jsonForm{}.of(avro)
	form["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	form["title"] = fmt.Sprintf("%s version %d", s.Type, s.Version)
	text, err := json.Marshal(form) // sorts the keys
	if err != nil {
		panic(fmt.Sprintf("schemas: the JSON form of %s: %v", s.Type, err))
	}
	return string(text)
}

// IdentifyJSON returns the schema of the catalog whose JSON form has the text, in any layout.
func IdentifyJSON(text string) (Schema, bool) {
	var form map[string]any
	if json.Unmarshal([]byte(text), &form) != nil {
		return Schema{}, false
	}
	sorted, err := json.Marshal(form)
	return first(catalog().trading, func(s Schema) bool {
		return err == nil && s.HasJSON() && s.JSON() == string(sorted)
	})
}

// A jsonForm maps the named types of a schema, which later fields may refer to, to their forms.
type jsonForm map[string]map[string]any

// of returns the JSON Schema of an Avro type.
func (j jsonForm) of(avro any) map[string]any {
	switch t := avro.(type) {
	case []any: // a union of null and one type; the record says whether it may be missing
		return j.of(t[1])
	case map[string]any:
		form := j.object(t)
		if name, ok := t["name"].(string); ok {
			space, _ := t["namespace"].(string)
			j[fullName(name, space)] = form
		}
		return form
	case string:
		if form, ok := j[t]; ok {
			return maps.Clone(form)
		}
		return map[string]any{"type": primitives[t]}
	}
	panic(fmt.Sprintf("schemas: %v is no Avro type", avro))
}

var primitives = map[string]string{
	"string": "string", "boolean": "boolean", "long": "integer", "int": "integer",
}

func (j jsonForm) object(t map[string]any) map[string]any {
	text := func(keyword string, value any) map[string]any {
		return map[string]any{"type": "string", keyword: value}
	}
	switch {
	case t["name"] == "Period":
		const period = `^[0-9]{4}(-Q[1-4]|-[0-9]{2}(-[0-9]{2}/[0-9]{4}-[0-9]{2}-[0-9]{2})?)?$`
		return text("pattern", period)
	case t["logicalType"] == "decimal":
		return text("pattern", fmt.Sprintf(`^-?[0-9]+(\.[0-9]{1,%v})?$`, t["scale"]))
	case t["logicalType"] == "timestamp-micros":
		return text("format", "date-time")
	case t["logicalType"] == "uuid":
		return text("format", "uuid")
	case t["type"] == "enum":
		return text("enum", t["symbols"])
	case t["type"] == "fixed":
		return text("pattern", fmt.Sprintf("^([0-9a-f]{2}){%v}$", t["size"]))
	case t["type"] == "array":
		return map[string]any{"type": "array", "items": j.of(t["items"])}
	case t["type"] == "record":
		return j.record(t["fields"].([]any))
	}
	return j.of(t["type"])
}

func (j jsonForm) record(fields []any) map[string]any {
	properties, required := map[string]any{}, []string{}
	for _, field := range fields {
		f := field.(map[string]any)
		name := f["name"].(string)
		form := j.of(f["type"])
		if doc, ok := f["doc"]; ok {
			form["description"] = doc
		}
		properties[name] = form
		if _, union := f["type"].([]any); !union {
			required = append(required, name)
		}
	}
	return map[string]any{
		"type": "object", "properties": properties, "required": required,
		"additionalProperties": false,
	}
}
