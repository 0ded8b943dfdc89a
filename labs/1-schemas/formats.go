// Code generated from solutions/1-schemas/formats.go by make generate; DO NOT EDIT.

package codec

import (
	"bytes"
	"fmt"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
	"example.com/blotter/schemas"
)

// A format describes how one version of one event type is walked. The walk visits a value of the
// format's own type. For most types that is the body itself; for the others it is a type between
// the body and the schema.
type format struct {
	typ     string
	version int
	// walk visits a copy of in and returns it as the walker left it. A nil in is the zero value.
	walk func(f fields, in any) (out any)
	// fromBody turns a body into a value of this version, and toBody is its inverse. Both are nil
	// for a version that is no longer written.
	fromBody func(body any) any
	toBody   func(value any) any
	// next turns a value into one of the next version. It is nil for the latest version.
	next func(value any) any
}

// currentFormats lists the version of each type that is written today. The earlier versions are in
// oldFormats (upcast.go).
var currentFormats = []format{
	bodyFormat("trade.new", 1, walkNew),
	bodyFormat("trade.amended", 1, walkAmend),
	bodyFormat("trade.cancelled", 1, walkCancel),
	bodyFormat("trade.novated", 1, walkNovate),
	bodyFormat("trade.settled", 2, walkSettle),
	bodyFormat("trade.exercised", 1, walkExercise),
	bodyFormat("confirmation.reported", 1, walkConfirm),
	bodyFormat("command.refused", 1, walkRefused),
	bodyFormat("snapshot.taken", 1, walkTaken),
	bodyFormat("event.skipped", 1, walkSkipped),
	bodyFormat("backfill.adopted", 1, walkAdopted),
	valueFormat("price.marked", 2, walkMarked, markedOf, marked.body),
	bodyFormat(headType, 1, walkHead),
}

// bodyFormat returns a format whose value is the body.
func bodyFormat[B any](typ string, version int, walk func(fields, *B)) format {
	same := func(b B) B { return b }
	return valueFormat(typ, version, walk, same, same)
}

// valueFormat returns a format whose value is a V. Its walk visits a copy. A walker that does not
// read writes nothing, and so never changes a body that the caller holds.
func valueFormat[B, V any](
	typ string, version int, walk func(fields, *V), fromBody func(B) V, toBody func(V) B,
) format {
	return format{
		typ: typ, version: version,
		walk: func(f fields, in any) any {
			v, _ := in.(V)
			walk(f, &v)
			return v
		},
		fromBody: func(b any) any { return fromBody(b.(B)) },
		toBody:   func(v any) any { return toBody(v.(V)) },
	}
}

// oldFormat returns the format of a version that is no longer written. next turns its value into
// one of the next version.
func oldFormat[V, N any](
	typ string, version int, walk func(V, fields) V, next func(V) N,
) format {
	return format{
		typ: typ, version: version,
		walk: func(f fields, in any) any {
			v, _ := in.(V)
			return walk(v, f)
		},
		next: func(v any) any { return next(v.(V)) },
	}
}

// formatOf returns the format of a schema of the catalog. A test holds the formats against the
// catalog, so a missing format is a broken invariant.
func formatOf(s schemas.Schema) format {
	f, ok := findFormat(s.Type, s.Version)
	if !ok {
		panic(fmt.Sprintf("codec: no format for %s version %d", s.Type, s.Version))
	}
	return f
}

func findFormat(typ string, version int) (format, bool) {
	for _, list := range [][]format{currentFormats, oldFormats} {
		for _, f := range list {
			if f.typ == typ && f.version == version {
				return f, true
			}
		}
	}
	return format{}, false
}

// latest returns the format in which a type is written.
func latest(typ string) format {
	s, _ := schemas.Latest(typ)
	return formatOf(s)
}

// write appends the Avro body of a value of this version to a prefix.
func (f format) write(prefix []byte, value any) ([]byte, error) {
	w := &writer{out: newEncoder()}
	w.out.raw(prefix)
	f.walk(w, value)
	return w.out.done(), w.err
}

// read is the inverse of write, for the body after the prefix. It writes the value again and
// compares the bytes. This refuses padded integers, split arrays, and zeros in place of null: no
// two payloads have one meaning (L1.I3).
func (f format) read(body []byte) (any, error) {
	r := &reader{in: newDecoder(body)}
	value := f.walk(r, nil)
	if err := r.in.end(); err != nil {
		return nil, err
	}
	again, err := f.write(nil, value)
	if err != nil { // %v, not %w: for the caller of Decode this is no ErrUnencodable
		return nil, fmt.Errorf("%w: %v", contract.ErrMalformed, err)
	}
	if !bytes.Equal(again, body) {
		return nil, fmt.Errorf("%w: it is not the one encoding of its value",
			contract.ErrMalformed)
	}
	return value, nil
}

// upcast converts a value of format f from version to version, and returns the body that it is in
// the latest.
func (f format) upcast(value any) any {
	for f.next != nil {
		value = f.next(value)
		f, _ = findFormat(f.typ, f.version+1)
	}
	return f.toBody(value)
}

// typeOf returns the event type of a body, or "" for a body that is never recorded.
func typeOf(body trade.Body) string {
	kind, _ := trade.FindKind(body)
	return kind.Type
}
