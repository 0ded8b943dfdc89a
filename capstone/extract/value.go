package extract

import (
	"bytes"
	"strconv"
)

// A value is decoded data of any schema: a tree that keeps the order of fields.
type value struct {
	kind  kind
	text  string   // of text, number and literal
	names []string // of an object's items
	items []value  // of an object or a list
}

type kind int

const (
	null    kind = iota
	text         // "…" in JSON
	decimal      // "…" in JSON, where a number would lose digits; a number in a spreadsheet
	number       // a number in both
	literal      // true or false
	object
	list
)

// json returns v on one line: the fields in the order of the schema, without null fields. The same
// value gives the same text.
func (v value) json() []byte {
	var out bytes.Buffer
	v.write(&out)
	return out.Bytes()
}

func (v value) write(out *bytes.Buffer) {
	switch v.kind {
	case null:
		out.WriteString("null")
	case text, decimal:
		out.Write(encodeLine(v.text))
	case number, literal:
		out.WriteString(v.text)
	case object:
		v.writeAll(out, '{', '}')
	case list:
		v.writeAll(out, '[', ']')
	}
}

func (v value) writeAll(out *bytes.Buffer, open, end byte) {
	out.WriteByte(open)
	first := true
	for i, item := range v.items {
		if v.kind == object && item.kind == null {
			continue
		}
		if !first {
			out.WriteByte(',')
		}
		first = false
		if v.kind == object {
			// A name of Avro has only ASCII letters, digits and _.
			out.WriteString(strconv.Quote(v.names[i]) + ":")
		}
		item.write(out)
	}
	out.WriteByte(end)
}

// cell returns the text of v for a spreadsheet, before it is made safe.
func (v value) cell() string {
	switch v.kind {
	case null:
		return ""
	case object, list:
		return string(v.json())
	}
	return v.text
}

// field returns one field of an object, or null if there is none.
func (v value) field(name string) value {
	for i, n := range v.names {
		if n == name {
			return v.items[i]
		}
	}
	return value{}
}
