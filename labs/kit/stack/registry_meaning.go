package stack

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/hamba/avro/v2"
)

// Avro's rules guard bytes and not what they mean: of logical types they mention decimals alone, and the library that judges here ignores even
// those. A decimal is its unscaled digits on the wire, so a changed scale reads 84.25 as 0.8425 without an error. So the two schemas are gone
// through side by side, the way that a reader resolves them (Avro 1.12.0, "Schema Resolution"), and what meets must have one logical type.
type meaningWalk struct {
	met   map[[2]string]bool // pairs of records, by their full names: they may contain themselves
	found []string
}

// changedMeanings is every place at which the reader takes for another value what the writer wrote.
func changedMeanings(reader, writer avro.Schema) []string {
	w := meaningWalk{met: map[[2]string]bool{}}
	w.compare(reader, writer, "")
	return w.found
}

// compare leaves out what the reader cannot read at all: that is for Avro's rules.
func (w *meaningWalk) compare(reader, writer avro.Schema, path string) {
	for _, wrote := range branches(writer) {
		if takes := branchFor(wrote, branches(reader)); takes != nil {
			w.pair(takes, wrote, path)
		}
	}
}

// pair takes two schemas of one type, or of two of which the writer's is promoted to the reader's.
func (w *meaningWalk) pair(reader, writer avro.Schema, path string) {
	switch r := reader.(type) {
	case *avro.RecordSchema:
		w.records(r, writer.(*avro.RecordSchema), path)
	case *avro.ArraySchema:
		w.compare(r.Items(), writer.(*avro.ArraySchema).Items(), path+"[]")
	case *avro.MapSchema:
		w.compare(r.Values(), writer.(*avro.MapSchema).Values(), path+"{}")
	default:
		if is, was := logicalOf(reader), logicalOf(writer); is != was {
			w.found = append(w.found, fmt.Sprintf("%s is written as %s and read as %s",
				cmp.Or(path, "/"), cmp.Or(was, string(writer.Type())), cmp.Or(is, string(reader.Type()))))
		}
	}
}

func (w *meaningWalk) records(reader, writer *avro.RecordSchema, path string) {
	names := [2]string{reader.FullName(), writer.FullName()}
	if w.met[names] {
		return
	}
	w.met[names] = true
	for _, r := range reader.Fields() {
		for _, f := range writer.Fields() {
			if sameField(reader, writer, r, f) {
				w.compare(r.Type(), f.Type(), path+"/"+r.Name())
			}
		}
	}
}

// sameField goes by the aliases of either side: a new schema that says what a field was called before says that it is that field, even to
// readers that do not know the new name. The same name wins over every alias, for an alias may be the name of another field.
func sameField(reader, writer *avro.RecordSchema, r, f *avro.Field) bool {
	if fieldNamed(writer, r.Name()) {
		return f.Name() == r.Name()
	}
	return slices.Contains(r.Aliases(), f.Name()) || slices.Contains(f.Aliases(), r.Name()) && !fieldNamed(reader, f.Name())
}

func fieldNamed(record *avro.RecordSchema, name string) bool {
	return slices.ContainsFunc(record.Fields(), func(f *avro.Field) bool { return f.Name() == name })
}

// branches is the alternatives of a schema: those of a union, or itself, with references followed.
func branches(s avro.Schema) []avro.Schema {
	switch s := s.(type) {
	case *avro.RefSchema:
		return []avro.Schema{s.Schema()}
	case *avro.UnionSchema:
		var all []avro.Schema
		for _, t := range s.Types() {
			all = append(all, branches(t)...)
		}
		return all
	default:
		return []avro.Schema{s}
	}
}

// branchFor is what a reader takes for what was written as w, nil for nothing. The standard says the first that matches; implementations put
// the same type and name first, then the same name in another namespace, then promotions, or a union could misread itself.
func branchFor(w avro.Schema, reader []avro.Schema) avro.Schema {
	ranks := []func(r avro.Schema) bool{
		func(r avro.Schema) bool { return r.Type() == w.Type() && answersTo(r, w) },
		func(r avro.Schema) bool { return r.Type() == w.Type() && shortName(r) == shortName(w) },
		func(r avro.Schema) bool { return slices.Contains(promotions[w.Type()], r.Type()) },
	}
	for _, takes := range ranks {
		if i := slices.IndexFunc(reader, takes); i >= 0 {
			return reader[i]
		}
	}
	return nil
}

// answersTo says whether r has the full name of w, as its own or as an alias. What has no names agrees.
func answersTo(r, w avro.Schema) bool {
	reader, ok := r.(avro.NamedSchema)
	if !ok {
		return true
	}
	name := w.(avro.NamedSchema).FullName()
	return reader.FullName() == name || slices.Contains(reader.Aliases(), name)
}

func shortName(s avro.Schema) string {
	if named, ok := s.(avro.NamedSchema); ok {
		return named.Name()
	}
	return ""
}

var promotions = map[avro.Type][]avro.Type{
	avro.Int:    {avro.Long, avro.Float, avro.Double},
	avro.Long:   {avro.Float, avro.Double},
	avro.Float:  {avro.Double},
	avro.String: {avro.Bytes},
	avro.Bytes:  {avro.String},
}

// logicalOf describes the logical type of a schema. One that is not in the standard, or not on this type, is none: "Logical Types" says to
// ignore it.
func logicalOf(s avro.Schema) string {
	l, ok := s.(avro.LogicalTypeSchema)
	if !ok {
		return ""
	}
	switch logical := l.Logical().(type) {
	case nil:
		return newLogicalOf(s)
	case *avro.DecimalLogicalSchema:
		return fmt.Sprintf("decimal(%d, %d)", logical.Precision(), logical.Scale())
	default:
		return string(logical.Type())
	}
}

// newLogicalOf knows those of Avro 1.12.0 that the library does not.
func newLogicalOf(s avro.Schema) string {
	logical, _ := s.(avro.PropertySchema).Prop("logicalType").(string)
	fixed, _ := s.(*avro.FixedSchema)
	switch {
	case s.Type() == avro.Long && (logical == "timestamp-nanos" || logical == "local-timestamp-nanos"),
		s.Type() == avro.Bytes && logical == "big-decimal",
		fixed != nil && fixed.Size() == 16 && logical == "uuid":
		return logical
	}
	return ""
}
