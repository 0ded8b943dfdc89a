package codec

import (
	"fmt"

	"example.com/blotter/labs/kit/trade"
	"example.com/blotter/schemas"
)

// A format is how one version of one event type is walked. What it walks over is a value of its own type: for most types the body
// itself, for the others what stands between the body and the schema.
type format struct {
	typ     string
	version int
	walk    func(f fields, in any) (out any) // out is in as the walker left it; a nil in stands for the empty value
	from    func(body any) any               // a body as a value of this version; nil for the body itself, or for a version that is not written
	body    func(value any) any              // the inverse of from
	next    func(value any) any              // what says the same in the next version; nil for the version that is written
}

// formats has the version of every type that is written today. Those before it are in upcast.go.
var formats = []format{
	is("trade.new", 1, begun),
	is("trade.amended", 1, amended),
	is("trade.cancelled", 1, cancelled),
	is("trade.novated", 1, novated),
	is("trade.settled", 2, settled),
	is("trade.exercised", 1, exercised),
	is("command.refused", 1, refused),
	through("price.marked", 2, walkMarked, markedOf, marked.body),
	is(headType, 1, head),
}

// is a format whose value is the body.
func is[B any](typ string, version int, walk func(fields, *B)) format {
	return through(typ, version, walk, func(b B) B { return b }, func(b B) B { return b })
}

// through is a format whose value is a V. A walk is over a copy, and a walker that does not read writes nothing: what a caller holds stays as it is.
func through[B, V any](typ string, version int, walk func(fields, *V), from func(B) V, body func(V) B) format {
	return format{
		typ: typ, version: version,
		walk: func(f fields, in any) any {
			v, _ := in.(V)
			walk(f, &v)
			return v
		},
		from: func(b any) any { return from(b.(B)) },
		body: func(v any) any { return body(v.(V)) },
	}
}

// before is a format that is no longer written.
func before[V, N any](typ string, version int, walk func(V, fields) V, next func(V) N) format {
	return format{
		typ: typ, version: version,
		walk: func(f fields, in any) any {
			v, _ := in.(V)
			return walk(v, f)
		},
		next: func(v any) any { return next(v.(V)) },
	}
}

// formatOf is the format of a schema of the catalog, and false for one that this program cannot walk.
func formatOf(typ string, version int) (format, bool) {
	for _, list := range [][]format{formats, older} {
		for _, f := range list {
			if f.typ == typ && f.version == version {
				return f, true
			}
		}
	}
	return format{}, false
}

// latest is the format that a type is written in. The catalog and formats are one by a test, so a missing format is a broken invariant.
func latest(typ string) format {
	s, _ := schemas.Latest(typ)
	f, ok := formatOf(typ, s.Version)
	if !ok {
		panic(fmt.Sprintf("codec: no format for %s version %d", typ, s.Version))
	}
	return f
}

// today is the body of a value that was read in format f, one version after the other.
func (f format) today(value any) any {
	for f.next != nil {
		value = f.next(value)
		f, _ = formatOf(f.typ, f.version+1)
	}
	return f.body(value)
}

// typeOf returns the event type of a body, or "" for a body that is never recorded.
func typeOf(body trade.Body) string {
	kind, _ := trade.FindKind(body)
	return kind.Type
}
