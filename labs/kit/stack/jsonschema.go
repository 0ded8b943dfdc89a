package stack

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// jsonCompatible judges JSON Schemas as a function of EmbeddedOptions.Compatible judges Avro. Its
// rules are a part of Confluent's ("JSON Schema Serializer and Deserializer", compatibility rules):
// it accepts nothing that those refuse, and refuses every change that it does not know.
//
// A reader accepts all data of a writer if both schemas are the same apart from titles,
// descriptions and the like, or differ only in these ways, at any depth:
//
//	object  the reader requires no more. It has each property of the writer, or is open. A
//	        property that only the reader has is safe if the writer's object is closed
//	        (additionalProperties: false, and no patternProperties): data of an open object may
//	        have any value there. No property may go from an object that has
//	        unevaluatedProperties
//	enum    the reader has each value of the writer
func jsonCompatible(mode, next string, published ...string) error {
	reader, err := parseJSONSchema(next)
	if err != nil || mode == modeNone {
		return err
	}
	plain, transitive := strings.CutSuffix(mode, "_TRANSITIVE")
	if !slices.Contains([]string{"BACKWARD", "FORWARD", "FULL"}, plain) {
		return fmt.Errorf("unknown mode %q", mode)
	}
	if !transitive {
		published = published[max(0, len(published)-1):]
	}
	for _, text := range published {
		old, err := parseJSONSchema(text)
		if err == nil && plain != "FORWARD" {
			err = accepts("#", reader, old)
		}
		if err == nil && plain != "BACKWARD" {
			err = accepts("#", old, reader)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// parseJSONSchema returns a schema that is valid by its metaschema, and refers to no other
// document.
func parseJSONSchema(text string) (schema any, err error) {
	if err := json.Unmarshal([]byte(text), &schema); err != nil {
		return nil, err
	}
	document, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		return nil, err
	}
	compiler := jsonschema.NewCompiler()
	compiler.UseLoader(nowhere{})
	if err := compiler.AddResource("urn:schema", document); err != nil {
		return nil, err
	}
	_, err = compiler.Compile("urn:schema")
	return schema, err
}

// nowhere loads no document.
type nowhere struct{}

func (nowhere) Load(url string) (any, error) {
	const format = "the embedded registry accepts no references to other documents: %s"
	return nil, fmt.Errorf(format, url)
}

// annotations lists the keywords that accept or refuse no data.
var annotations = []string{"$schema", "$comment", "title", "description", "examples", "default"}

// accepts returns an error unless each document that writer accepts is one that reader accepts.
func accepts(at string, reader, writer any) error {
	r, isObject := withoutAnnotations(reader)
	w, isObjectToo := withoutAnnotations(writer)
	if !isObject || !isObjectToo {
		if reflect.DeepEqual(reader, writer) {
			return nil
		}
		return fmt.Errorf("%s: %v is no longer %v", at, writer, reader)
	}
	if err := errors.Join(
		acceptsObject(at, r, w), acceptsItems(at, r, w), acceptsEnum(at, r, w),
	); err != nil {
		return err
	}
	for _, keyword := range []string{"properties", "required", "additionalProperties", "items",
		"enum"} {
		delete(r, keyword)
		delete(w, keyword)
	}
	if !reflect.DeepEqual(r, w) {
		return fmt.Errorf("%s: a reader with %v does not accept all data with %v", at, r, w)
	}
	return nil
}

func withoutAnnotations(schema any) (map[string]any, bool) {
	object, ok := schema.(map[string]any)
	object = maps.Clone(object)
	for _, keyword := range annotations {
		delete(object, keyword)
	}
	return object, ok
}

func acceptsObject(at string, r, w map[string]any) error {
	read, _ := r["properties"].(map[string]any)
	written, _ := w["properties"].(map[string]any)
	rOpen, rKnown := isOpen(r)
	wOpen, wKnown := isOpen(w)
	_, byPattern := w["patternProperties"]
	_, unevaluated := r["unevaluatedProperties"]
	if !rKnown || !wKnown || wOpen && !rOpen {
		return fmt.Errorf("%s: additionalProperties differ, or are a schema", at)
	}
	for _, name := range slices.Sorted(maps.Keys(read)) {
		in := at + "/properties/" + name
		old, both := written[name]
		switch {
		case !both && (wOpen || byPattern):
			return fmt.Errorf("%s: data of the writer may have another value there", in)
		case both:
			if err := accepts(in, read[name], old); err != nil {
				return err
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(written)) {
		if _, both := read[name]; !both && (!rOpen || unevaluated) {
			return fmt.Errorf("%s/properties/%s: the reader's object is closed", at, name)
		}
	}
	always, _ := w["required"].([]any)
	required, _ := r["required"].([]any)
	for _, name := range required {
		if !slices.Contains(always, name) {
			return fmt.Errorf("%s: the reader requires %v", at, name)
		}
	}
	return nil
}

// isOpen reports whether an object may have further properties. known is false if they have a
// schema of their own.
func isOpen(schema map[string]any) (open, known bool) {
	further, there := schema["additionalProperties"]
	open, known = further.(bool)
	return open || !there, known || !there
}

func acceptsItems(at string, r, w map[string]any) error {
	read, reads := r["items"]
	written, writes := w["items"]
	if reads && writes {
		return accepts(at+"/items", read, written)
	}
	if reads != writes {
		return fmt.Errorf("%s: only one schema has items", at)
	}
	return nil
}

func acceptsEnum(at string, r, w map[string]any) error {
	read, reads := r["enum"].([]any)
	written, writes := w["enum"].([]any)
	if reads != writes {
		return fmt.Errorf("%s: only one schema has an enum", at)
	}
	for _, value := range written {
		same := func(v any) bool { return reflect.DeepEqual(v, value) }
		if !slices.ContainsFunc(read, same) {
			return fmt.Errorf("%s: the reader's enum lacks %v", at, value)
		}
	}
	return nil
}
