package extract

import (
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"
	"unicode/utf8"

	"example.com/blotter/labs/kit/trade"
	"example.com/blotter/schemas"
)

// A node is an Avro schema, or a part of one, reduced to the needs of reading data. Reading a
// bundle needs only the schema texts in it and this file. A check in ten years needs neither the
// registry nor the program that wrote the events.
type node struct {
	kind    string // of Avro 1.11.1: record, enum, array, fixed, union, or a primitive
	logical string
	scale   int32
	size    int64
	names   []string // of fields, or symbols
	parts   []*node  // of fields, branches, or the items of an array
	nodes   int      // all parts, and all parts of them: a named type counts wherever it is used
}

// maxNodes is the largest schema that is read. A few names that are each used twice by the next one
// would otherwise stand for more fields than any memory holds.
const maxNodes = 10_000

var errSchema = errors.New("this program does not read such a schema")

// parseSchema reads a schema. schemas.Meaning makes every name in it a full name.
func parseSchema(schema string) (n *node, err error) {
	meaning, err := schemas.Meaning(schema)
	if err != nil {
		return nil, err
	}
	var tree any
	if err := json.Unmarshal([]byte(meaning), &tree); err != nil {
		return nil, fmt.Errorf("%w: %v", errSchema, err)
	}
	return (&schemaReader{named: map[string]*node{}}).read(tree)
}

type schemaReader struct{ named map[string]*node }

func (s *schemaReader) read(tree any) (*node, error) {
	switch t := tree.(type) {
	case string:
		if n := s.named[t]; n != nil {
			return n, nil
		}
		switch t {
		case "null", "boolean", "int", "long", "bytes", "string":
			return &node{kind: t}, nil
		}
		return nil, fmt.Errorf("%w: type %q", errSchema, t)
	case []any:
		return s.all(&node{kind: "union"}, t)
	case map[string]any:
		return s.object(t)
	}
	return nil, fmt.Errorf("%w: %v", errSchema, tree)
}

func (s *schemaReader) all(n *node, parts []any) (*node, error) {
	for _, part := range parts {
		p, err := s.read(part)
		if err != nil {
			return nil, err
		}
		n.parts = append(n.parts, p)
		if n.nodes += 1 + p.nodes; n.nodes > maxNodes {
			return nil, fmt.Errorf("%w: it has more than %d parts", errSchema, maxNodes)
		}
	}
	return n, nil
}

func (s *schemaReader) object(t map[string]any) (*node, error) {
	n := &node{
		kind: word(t["type"]), logical: word(t["logicalType"]),
		scale: int32(count(t["scale"])), size: count(t["size"]),
	}
	switch n.kind {
	case "record":
		// The record is named after it is read, so a record within itself is refused.
		var types []any
		for _, f := range array(t["fields"]) {
			field, _ := f.(map[string]any)
			n.names = append(n.names, word(field["name"]))
			types = append(types, field["type"])
		}
		if _, err := s.all(n, types); err != nil {
			return nil, err
		}
	case "enum":
		for _, symbol := range array(t["symbols"]) {
			n.names = append(n.names, word(symbol))
		}
	case "array":
		return s.all(n, []any{t["items"]})
	case "fixed", "int", "long", "bytes", "string", "boolean":
	default:
		return nil, fmt.Errorf("%w: type %q", errSchema, n.kind)
	}
	if name := word(t["name"]); name != "" {
		s.named[name] = n
	}
	return n, nil
}

func word(v any) string { s, _ := v.(string); return s }
func array(v any) []any { a, _ := v.([]any); return a }

func count(v any) int64 {
	f, _ := v.(float64)
	return int64(max(0, min(f, math.MaxInt16)))
}

func (n *node) is(logical string) bool { return n.logical == logical }

// decode reads data, without the prefix of the wire format, to its last byte.
func (n *node) decode(data []byte) (value, error) {
	d := &decoder{rest: data, values: maxNodes + 4*len(data)}
	v := d.value(n)
	if d.err == nil && len(d.rest) > 0 {
		d.err = fmt.Errorf("%d bytes after the end of the data", len(d.rest))
	}
	return v, d.err
}

// A decoder reads Avro's binary encoding (Avro 1.11.1). It keeps its first error; its values after
// that have no meaning. It allocates no more than its input allows, whichever lengths the input
// states, and whichever fields without bytes its schema has.
type decoder struct {
	rest   []byte
	values int // at most so many more
	err    error
}

func (d *decoder) fail(format string, args ...any) {
	if d.err == nil {
		d.err = fmt.Errorf(format, args...)
	}
	d.rest = nil
}

func (d *decoder) value(n *node) value {
	if d.values--; d.values < 0 {
		d.fail("it has more values than its bytes can hold")
		return value{}
	}
	switch n.kind {
	case "null":
		return value{}
	case "boolean":
		return d.boolean()
	case "int", "long":
		return d.integer(n)
	case "bytes":
		return d.binary(n, d.raw(d.long()))
	case "fixed":
		return d.binary(n, d.raw(n.size))
	case "string":
		b := d.raw(d.long())
		if !utf8.Valid(b) {
			d.fail("%q is not UTF-8", b)
		}
		return value{kind: text, text: string(b)}
	case "enum":
		if i := d.index(len(n.names)); d.err == nil {
			return value{kind: text, text: n.names[i]}
		}
	case "union":
		if i := d.index(len(n.parts)); d.err == nil {
			return d.value(n.parts[i])
		}
	case "record":
		v := value{kind: object, names: n.names}
		for _, field := range n.parts {
			v.items = append(v.items, d.value(field))
			if d.err != nil {
				return value{}
			}
		}
		return v
	case "array":
		return d.array(n.parts[0])
	}
	return value{}
}

// boolean reads one byte, which is not a varint.
func (d *decoder) boolean() value {
	b := d.raw(1)
	if d.err == nil && b[0] > 1 {
		d.fail("%#02x is neither true nor false", b[0])
	}
	return value{kind: literal, text: strconv.FormatBool(d.err == nil && b[0] == 1)}
}

func (d *decoder) integer(n *node) value {
	i := d.long()
	switch {
	case n.is("timestamp-micros"):
		return value{kind: text, text: time.UnixMicro(i).UTC().Format(micros)}
	case n.is("date"):
		day := time.Unix(0, 0).UTC().AddDate(0, 0, int(int32(i)))
		return value{kind: text, text: day.Format(time.DateOnly)}
	}
	return value{kind: number, text: strconv.FormatInt(i, 10)}
}

func (d *decoder) binary(n *node, b []byte) value {
	if !n.is("decimal") || d.err != nil {
		return value{kind: text, text: hex.EncodeToString(b)}
	}
	amount, err := trade.FromUnscaled(b, n.scale)
	if err != nil {
		d.fail("decimal: %v", err)
	}
	return value{kind: decimal, text: amount.String()}
}

// array reads blocks up to an empty one.
func (d *decoder) array(item *node) value {
	v := value{kind: list}
	for {
		n := d.long()
		if n < 0 { // the size of the block in bytes follows
			n = -n
			d.long()
		}
		if n == 0 || d.err != nil {
			return v
		}
		if n < 0 || n > int64(len(d.rest)) { // an item has at least one byte
			d.fail("a block of %d items", n)
			return v
		}
		for range n {
			v.items = append(v.items, d.value(item))
			if d.err != nil {
				return value{}
			}
		}
	}
}

func (d *decoder) long() int64 {
	n, size := binary.Varint(d.rest)
	if size <= 0 {
		d.fail("the data ends too early")
		return 0
	}
	d.rest = d.rest[size:]
	return n
}

// index reads a number below n.
func (d *decoder) index(n int) int {
	i := d.long()
	if i < 0 || i >= int64(n) {
		d.fail("choice %d of %d", i, n)
		return 0
	}
	return int(i)
}

func (d *decoder) raw(n int64) []byte {
	if n < 0 || n > int64(len(d.rest)) {
		d.fail("the data ends too early")
		return nil
	}
	b := d.rest[:n]
	d.rest = d.rest[n:]
	return b
}
