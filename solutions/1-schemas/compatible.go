package codec

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/hamba/avro/v2"

	"example.com/blotter/labs/kit/contract"
)

// A Mode names the programs that a new schema must not break.
type Mode = contract.Mode

// ErrIncompatible is wrapped with the reason.
var ErrIncompatible = contract.ErrIncompatible

// Compatible returns an error if next may not follow the published versions (oldest first). It adds
// one rule to Avro's own: a logical type never changes, nor the precision or scale of a decimal.
// Under another scale the same bytes are another number, and Avro's rules allow that.
//
// An unknown mode and a next that is not a schema are always incompatible, even if nothing is
// published yet.
func Compatible(mode Mode, next string, published ...string) error {
	follows, ok := modes[mode]
	if !ok {
		return fmt.Errorf("%w: unknown mode %q", ErrIncompatible, mode)
	}
	if _, err := parseSchema(next); err != nil {
		return fmt.Errorf("%w (%s): %w", ErrIncompatible, mode, err)
	}
	if !strings.HasSuffix(string(mode), "_TRANSITIVE") && len(published) > 1 {
		published = published[len(published)-1:]
	}
	for _, old := range published {
		if err := follows(next, old); err != nil {
			return fmt.Errorf("%w (%s): %w", ErrIncompatible, mode, err)
		}
	}
	return nil
}

// modes maps each mode to its rule for a schema and an earlier one (Confluent, "Schema Evolution
// and Compatibility").
var modes = map[Mode]func(next, old string) error{
	contract.Backward: backward, contract.BackwardTransitive: backward,
	contract.Forward: forward, contract.ForwardTransitive: forward,
	contract.Full: full, contract.FullTransitive: full,
	contract.None: func(_, _ string) error { return nil },
}

func backward(next, old string) error { return readable(next, old) }
func forward(next, old string) error  { return readable(old, next) }
func full(next, old string) error     { return cmp.Or(backward(next, old), forward(next, old)) }

// readable reports why data that was written under one schema cannot be read under another, or
// would be read with another meaning: a logical type differs between the two. Avro's own rules are
// in Avro 1.12.0, "Schema Resolution".
func readable(reader, writer string) error {
	r, err := parseSchema(reader)
	if err != nil {
		return fmt.Errorf("reader's schema: %w", err)
	}
	w, err := parseSchema(writer)
	if err != nil {
		return fmt.Errorf("writer's schema: %w", err)
	}
	return cmp.Or(avro.NewSchemaCompatibility().Compatible(r, w), comparison{}.resolve("", r, w))
}

// parseSchema uses a cache of its own, because names repeat between versions.
func parseSchema(text string) (avro.Schema, error) {
	return avro.ParseWithCache(text, "", &avro.SchemaCache{})
}

// A comparison visits two schemas side by side, as a reader would, and compares the logical types
// wherever data is read. The standard asks that only of decimals ("Decimal": they match if their
// scales and precisions do), and libraries do not check even those. A comparison holds the pairs of
// records that it has visited, by their full names, because records may contain themselves.
type comparison map[[2]string]bool

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
	if is, was := logicalType(reader), logicalType(writer); is != was {
		return fmt.Errorf("%s: written as %s, read as %s", cmp.Or(path, "at the root"),
			cmp.Or(was, string(writer.Type())), cmp.Or(is, string(reader.Type())))
	}
	return nil
}

func (c comparison) compareRecords(path string, reader, writer *avro.RecordSchema) error {
	pair := [2]string{reader.FullName(), writer.FullName()}
	if c[pair] {
		return nil
	}
	c[pair] = true
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
