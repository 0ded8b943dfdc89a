package codec

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/hamba/avro/v2"
)

// parseSchema uses a cache of its own, because names repeat between versions.
func parseSchema(text string) (avro.Schema, error) {
	return avro.ParseWithCache(text, "", &avro.SchemaCache{})
}

// visit visits two schemas side by side, as a reader would: into records, items and branches.
// Wherever a value of the writer is read by the reader, and neither is a record, a list, a map or a
// union, it calls meets with the two schemas. The error of meets ends the visit, and gets the path
// of the field. Avro's own rules decide whether a value is read at all (Avro 1.12.0, "Schema
// Resolution"); visit does not repeat them.
func visit(reader, writer avro.Schema, meets func(reader, writer avro.Schema) error) error {
	return comparison{meets, map[[2]string]bool{}}.resolve("", reader, writer)
}

// A comparison holds the pairs of records that it has visited, by their full names, because records
// may contain themselves.
type comparison struct {
	meets   func(reader, writer avro.Schema) error
	visited map[[2]string]bool
}

// resolve compares each branch of the writer at a path with the reader's branch that reads it. If
// no branch reads it, Avro's own rules decide.
func (c comparison) resolve(path string, reader, writer avro.Schema) error {
	for _, written := range branches(writer) {
		if read := readingBranch(branches(reader), written); read != nil {
			if err := c.compare(path, read, written); err != nil {
				return err
			}
		}
	}
	return nil
}

// compare compares two schemas that are not unions. They have one type unless the writer's type is
// promoted.
func (c comparison) compare(path string, reader, writer avro.Schema) error {
	switch r := reader.(type) {
	case *avro.RecordSchema:
		return c.compareRecords(path, r, writer.(*avro.RecordSchema))
	case *avro.ArraySchema:
		return c.resolve(path+"[]", r.Items(), writer.(*avro.ArraySchema).Items())
	case *avro.MapSchema:
		return c.resolve(path+"{}", r.Values(), writer.(*avro.MapSchema).Values())
	}
	if err := c.meets(reader, writer); err != nil {
		return fmt.Errorf("%s: %w", cmp.Or(path, "at the root"), err)
	}
	return nil
}

func (c comparison) compareRecords(path string, reader, writer *avro.RecordSchema) error {
	pair := [2]string{reader.FullName(), writer.FullName()}
	if c.visited[pair] {
		return nil
	}
	c.visited[pair] = true
	for _, r := range reader.Fields() {
		for _, w := range writer.Fields() {
			if !sameField(reader, writer, r, w) {
				continue
			}
			field := strings.TrimPrefix(path+"."+r.Name(), ".")
			if err := c.resolve(field, r.Type(), w.Type()); err != nil {
				return err
			}
		}
	}
	return nil
}

// sameField uses the aliases of both sides. A reader knows only its own ("Aliases"). But a schema
// that lists an earlier name of a field declares it to be that field, and its meaning must not
// change merely because old readers do not know the new name. A field of the same name precedes
// every alias. Otherwise a schema in which an alias is another field's name would misread itself.
func sameField(reader, writer *avro.RecordSchema, r, w *avro.Field) bool {
	if hasField(writer, r.Name()) {
		return r.Name() == w.Name()
	}
	return slices.Contains(r.Aliases(), w.Name()) ||
		slices.Contains(w.Aliases(), r.Name()) && !hasField(reader, w.Name())
}

func hasField(record *avro.RecordSchema, name string) bool {
	named := func(f *avro.Field) bool { return f.Name() == name }
	return slices.ContainsFunc(record.Fields(), named)
}

// branches returns the branches of a union, or the schema itself.
func branches(s avro.Schema) []avro.Schema {
	union, ok := s.(*avro.UnionSchema)
	if !ok {
		return []avro.Schema{dereference(s)}
	}
	var all []avro.Schema
	for _, branch := range union.Types() {
		all = append(all, dereference(branch))
	}
	return all
}

// dereference returns the definition of a schema that is given by its name.
func dereference(s avro.Schema) avro.Schema {
	if ref, ok := s.(*avro.RefSchema); ok {
		return ref.Schema()
	}
	return s
}

// readingBranch returns the branch of a reader that reads a writer's branch, or nil. The standard
// says: the first that matches. Its own implementations look for one of the same type and name
// before they promote. Otherwise a union that never changed could read its second branch as its
// first.
func readingBranch(reader []avro.Schema, writer avro.Schema) avro.Schema {
	for _, matches := range []func(r, w avro.Schema) bool{sameType, sameShortName, promotes} {
		i := slices.IndexFunc(reader, func(r avro.Schema) bool { return matches(r, writer) })
		if i >= 0 {
			return reader[i]
		}
	}
	return nil
}

// sameType reports whether two schemas have the same type. Named types also need the same full
// name, or the writer's full name among the reader's aliases.
func sameType(r, w avro.Schema) bool {
	reader, ok := r.(avro.NamedSchema)
	if !ok || r.Type() != w.Type() {
		return r.Type() == w.Type()
	}
	writer := w.(avro.NamedSchema).FullName()
	return reader.FullName() == writer || slices.Contains(reader.Aliases(), writer)
}

// sameShortName follows the standard: records, enums and fixed match by their unqualified names.
func sameShortName(r, w avro.Schema) bool {
	reader, ok := r.(avro.NamedSchema)
	return ok && r.Type() == w.Type() && reader.Name() == w.(avro.NamedSchema).Name()
}

func promotes(r, w avro.Schema) bool { return slices.Contains(promotions[w.Type()], r.Type()) }

// promotions maps a writer's type to the types as which it may be read.
var promotions = map[avro.Type][]avro.Type{
	avro.Int:    {avro.Long, avro.Float, avro.Double},
	avro.Long:   {avro.Float, avro.Double},
	avro.Float:  {avro.Double},
	avro.String: {avro.Bytes},
	avro.Bytes:  {avro.String},
}

// logicalType returns the logical type of a schema with its attributes. An unknown logical type, or
// one on a type that cannot have it, is ignored ("Logical Types").
func logicalType(s avro.Schema) string {
	l, ok := s.(avro.LogicalTypeSchema)
	if !ok {
		return ""
	}
	switch logical := l.Logical().(type) {
	case nil:
		return recentType(s)
	case *avro.DecimalLogicalSchema:
		return fmt.Sprintf("decimal(%d,%d)", logical.Precision(), logical.Scale())
	default:
		return string(logical.Type())
	}
}

// recentType returns a logical type that came with Avro 1.12.0. The library does not know these.
func recentType(s avro.Schema) string {
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
