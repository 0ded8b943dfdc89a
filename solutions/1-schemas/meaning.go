package codec

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/hamba/avro/v2"
)

// understood says why data written under the schema writer is not read as it was meant under the schema reader: it cannot be read at
// all (Avro 1.12.0, "Schema Resolution"), or a logical type is not the same on both sides.
func understood(reader, writer string) error {
	r, err := parseSchema(reader)
	if err != nil {
		return fmt.Errorf("reader's schema: %w", err)
	}
	w, err := parseSchema(writer)
	if err != nil {
		return fmt.Errorf("writer's schema: %w", err)
	}
	return cmp.Or(avro.NewSchemaCompatibility().Compatible(r, w), meaning{}.resolve("", r, w))
}

func parseSchema(text string) (avro.Schema, error) {
	return avro.ParseWithCache(text, "", &avro.SchemaCache{}) // a cache of its own: the names repeat between versions
}

// A meaning is compared by going through two schemas side by side, as a reader would: wherever data is read, what it was written as must
// have the same logical type. The standard asks that of decimals alone ("Decimal": they match if their scales and precisions do), and
// libraries not even of them. In it are the pairs of records that were met, by their full names, for records may contain themselves.
type meaning map[[2]string]bool

// resolve compares what the writer may have written at a path with what the reader takes it for. Where the reader takes it for nothing,
// the rules for bytes have the word.
func (m meaning) resolve(path string, reader, writer avro.Schema) error {
	for _, wrote := range branches(writer) {
		if takes := taker(branches(reader), wrote); takes != nil {
			if err := m.pair(path, takes, wrote); err != nil {
				return err
			}
		}
	}
	return nil
}

// pair compares two schemas that are no unions, and of one type unless the writer's is promoted.
func (m meaning) pair(path string, reader, writer avro.Schema) error {
	switch r := reader.(type) {
	case *avro.RecordSchema:
		return m.records(path, r, writer.(*avro.RecordSchema))
	case *avro.ArraySchema:
		return m.resolve(path+"[]", r.Items(), writer.(*avro.ArraySchema).Items())
	case *avro.MapSchema:
		return m.resolve(path+"{}", r.Values(), writer.(*avro.MapSchema).Values())
	}
	if is, was := logicalType(reader), logicalType(writer); is != was {
		return fmt.Errorf("%s: written as %s, read as %s", cmp.Or(path, "at the root"),
			cmp.Or(was, string(writer.Type())), cmp.Or(is, string(reader.Type())))
	}
	return nil
}

func (m meaning) records(path string, reader, writer *avro.RecordSchema) error {
	met := [2]string{reader.FullName(), writer.FullName()}
	if m[met] {
		return nil
	}
	m[met] = true
	for _, r := range reader.Fields() {
		for _, w := range writer.Fields() {
			if !sameField(reader, writer, r, w) {
				continue
			}
			if err := m.resolve(strings.TrimPrefix(path+"."+r.Name(), "."), r.Type(), w.Type()); err != nil {
				return err
			}
		}
	}
	return nil
}

// sameField goes by the aliases of either side. A reader knows but its own ("Aliases"); yet a schema that says what a field was called
// before says that it is that field, and it must not change its meaning just because no old reader knows the new name. A field of the same
// name comes before every alias, or a schema in which an alias is another field's name would misread itself.
func sameField(reader, writer *avro.RecordSchema, r, w *avro.Field) bool {
	if hasField(writer, r.Name()) {
		return r.Name() == w.Name()
	}
	return slices.Contains(r.Aliases(), w.Name()) || slices.Contains(w.Aliases(), r.Name()) && !hasField(reader, w.Name())
}

func hasField(record *avro.RecordSchema, name string) bool {
	return slices.ContainsFunc(record.Fields(), func(f *avro.Field) bool { return f.Name() == name })
}

// branches are those of a union, or the schema itself.
func branches(s avro.Schema) []avro.Schema {
	union, ok := s.(*avro.UnionSchema)
	if !ok {
		return []avro.Schema{named(s)}
	}
	var all []avro.Schema
	for _, branch := range union.Types() {
		all = append(all, named(branch))
	}
	return all
}

// named is the definition behind a name.
func named(s avro.Schema) avro.Schema {
	if ref, ok := s.(*avro.RefSchema); ok {
		return ref.Schema()
	}
	return s
}

// taker is the branch of a reader that takes what a writer's branch wrote, nil for none. The standard says: the first that
// matches. Its own implementations look for one of the same type and name before they promote, or even a union that never changed could
// read its second branch as its first.
func taker(reader []avro.Schema, writer avro.Schema) avro.Schema {
	for _, takes := range []func(r, w avro.Schema) bool{sameType, sameShortName, promotes} {
		if i := slices.IndexFunc(reader, func(r avro.Schema) bool { return takes(r, writer) }); i >= 0 {
			return reader[i]
		}
	}
	return nil
}

// sameType wants named types to have the same full name, or the reader's to have the writer's as alias.
func sameType(r, w avro.Schema) bool {
	reader, ok := r.(avro.NamedSchema)
	if !ok || r.Type() != w.Type() {
		return r.Type() == w.Type()
	}
	writer := w.(avro.NamedSchema).FullName()
	return reader.FullName() == writer || slices.Contains(reader.Aliases(), writer)
}

// sameShortName is what the standard asks for: records, enums and fixed match by their unqualified names.
func sameShortName(r, w avro.Schema) bool {
	reader, ok := r.(avro.NamedSchema)
	return ok && r.Type() == w.Type() && reader.Name() == w.(avro.NamedSchema).Name()
}

func promotes(r, w avro.Schema) bool { return slices.Contains(promotions[w.Type()], r.Type()) }

// promotions are the types that a writer's may be read as.
var promotions = map[avro.Type][]avro.Type{
	avro.Int:    {avro.Long, avro.Float, avro.Double},
	avro.Long:   {avro.Float, avro.Double},
	avro.Float:  {avro.Double},
	avro.String: {avro.Bytes},
	avro.Bytes:  {avro.String},
}

// logicalType is the logical type of a schema, with all that belongs to it. One that the standard does not have, or not on this type, is
// none ("Logical Types": to be ignored).
func logicalType(s avro.Schema) string {
	l, ok := s.(avro.LogicalTypeSchema)
	if !ok {
		return ""
	}
	switch logical := l.Logical().(type) {
	case nil:
		return youngType(s)
	case *avro.DecimalLogicalSchema:
		return fmt.Sprintf("decimal(%d,%d)", logical.Precision(), logical.Scale())
	default:
		return string(logical.Type())
	}
}

// youngType is one of the logical types that came with Avro 1.12.0, which the library does not know.
func youngType(s avro.Schema) string {
	on := string(s.Type())
	if fixed, ok := s.(*avro.FixedSchema); ok {
		on += fmt.Sprint(fixed.Size())
	}
	name, _ := s.(avro.PropertySchema).Prop("logicalType").(string)
	switch on + " " + name {
	case "long timestamp-nanos", "long local-timestamp-nanos", "bytes big-decimal", "fixed16 uuid":
		return name
	}
	return ""
}
