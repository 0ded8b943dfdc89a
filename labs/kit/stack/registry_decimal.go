package stack

import (
	"fmt"
	"slices"

	"github.com/hamba/avro/v2"
)

// changedDecimals is every place that both schemas have where one has a decimal and the other has none, or one of other
// precision or scale.
func changedDecimals(a, b avro.Schema) []string {
	w := decimalWalk{seen: map[[2]string]bool{}}
	w.compare(a, b, "")
	return w.found
}

// decimalWalk goes through two schemas side by side, each pair of named types once, because types may contain themselves.
type decimalWalk struct {
	seen  map[[2]string]bool
	found []string
}

func (w *decimalWalk) compare(a, b avro.Schema, path string) {
	for _, x := range branches(a) {
		for _, y := range branches(b) {
			w.pair(x, y, path)
		}
	}
}

func (w *decimalWalk) pair(a, b avro.Schema, path string) {
	switch a := a.(type) {
	case *avro.RecordSchema:
		if b, ok := b.(*avro.RecordSchema); ok {
			w.records(a, b, path)
		}
	case *avro.ArraySchema:
		if b, ok := b.(*avro.ArraySchema); ok {
			w.compare(a.Items(), b.Items(), path+"[]")
		}
	case *avro.MapSchema:
		if b, ok := b.(*avro.MapSchema); ok {
			w.compare(a.Values(), b.Values(), path+"{}")
		}
	default:
		if a.Type() == b.Type() && decimalOf(a) != decimalOf(b) {
			w.found = append(w.found, fmt.Sprintf("the decimal at %s changes from %s to %s", path, decimalOf(b), decimalOf(a)))
		}
	}
}

func (w *decimalWalk) records(a, b *avro.RecordSchema, path string) {
	names := [2]string{a.FullName(), b.FullName()}
	if w.seen[names] {
		return
	}
	w.seen[names] = true
	for _, f := range a.Fields() {
		for _, g := range b.Fields() {
			if sameField(f, g) {
				w.compare(f.Type(), g.Type(), path+"/"+f.Name())
			}
		}
	}
}

func sameField(f, g *avro.Field) bool {
	return f.Name() == g.Name() || slices.Contains(f.Aliases(), g.Name()) || slices.Contains(g.Aliases(), f.Name())
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

// decimalOf describes the decimal that a schema is, if it is one.
func decimalOf(s avro.Schema) string {
	l, ok := s.(avro.LogicalTypeSchema)
	if !ok {
		return "no decimal"
	}
	if d, ok := l.Logical().(*avro.DecimalLogicalSchema); ok {
		return fmt.Sprintf("decimal(%d, %d)", d.Precision(), d.Scale())
	}
	return "no decimal"
}
