package audit

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
)

// An Attribute is one field of a leaf in readable form. The payload has two attributes, both in
// hexadecimal: wire is the prefix before the Avro body, and payload is the digest of the body.
type Attribute struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// ErrLeaf is wrapped by the error for bytes that are not an event's leaf.
var ErrLeaf = errors.New("not the leaf of an event")

// layout lists the fields of contract.Recorded.Leaf after the tag, in order.
var layout = []struct {
	name string
	show func([]byte) string
}{
	{"stream", text}, {"type", text}, {"command_id", text}, {"actor", text}, {"approver", text},
	{"reason", text}, {"source", text}, {"submitted_by", text}, {"traceparent", text},
	{"id", id}, {"corrects", id}, {"correlation", id}, {"causation", id}, {"append_group", id},
	{"effective_at", instant}, {"entered_at", instant}, {"recorded_at", instant},
	{"source_recorded_at", instant}, {"source_line", number}, {"version", number}, {"ends", flag},
	{"schema", number},
	{"fingerprint", hex.EncodeToString},
	{"wire", hex.EncodeToString}, {"payload", hex.EncodeToString},
}

// Attributes reads a leaf of contract.Recorded.Leaf.
func Attributes(leaf []byte) ([]Attribute, error) {
	fields, err := split(leaf)
	if err != nil {
		return nil, err
	}
	if len(fields) != len(layout)+1 || string(fields[0]) != "blotter/leaf/v3" {
		return nil, fmt.Errorf("%w: it has the tag %.40q and %d fields",
			ErrLeaf, fields[0], len(fields))
	}
	all := make([]Attribute, len(layout))
	for i, f := range layout {
		all[i] = Attribute{f.name, f.show(fields[i+1])}
	}
	return all, nil
}

// split returns the length-prefixed fields of a leaf.
func split(leaf []byte) ([][]byte, error) {
	var fields [][]byte
	for rest := leaf; len(rest) > 0; {
		if len(rest) < 4 || uint64(len(rest)-4) < uint64(binary.BigEndian.Uint32(rest)) {
			return nil, fmt.Errorf("%w: it ends inside field %d", ErrLeaf, len(fields))
		}
		n := binary.BigEndian.Uint32(rest)
		fields, rest = append(fields, rest[4:4+n]), rest[4+n:]
	}
	if len(fields) == 0 {
		return nil, fmt.Errorf("%w: it is empty", ErrLeaf)
	}
	return fields, nil
}

func text(b []byte) string { return string(b) }

func id(b []byte) string {
	u, err := uuid.FromBytes(b)
	if err != nil {
		return hex.EncodeToString(b)
	}
	return u.String()
}

func flag(b []byte) string {
	if len(b) != 1 || b[0] > 1 {
		return hex.EncodeToString(b)
	}
	return strconv.FormatBool(b[0] == 1)
}

func number(b []byte) string {
	if len(b) != 8 {
		return hex.EncodeToString(b)
	}
	return strconv.FormatInt(int64(binary.BigEndian.Uint64(b)), 10)
}

func instant(b []byte) string {
	if len(b) != 8 {
		return hex.EncodeToString(b)
	}
	if binary.BigEndian.Uint64(b) == 1<<63 { // contract.Micros of the zero time
		return ""
	}
	return micros(b).Format(time.RFC3339Nano)
}

// micros is the inverse of contract.Micros; zero for a field of another size.
func micros(b []byte) time.Time {
	if len(b) != 8 || binary.BigEndian.Uint64(b) == 1<<63 {
		return time.Time{}
	}
	return time.UnixMicro(int64(binary.BigEndian.Uint64(b))).UTC()
}

// attributes is Attributes for a comparison. Bytes that are no leaf become one attribute.
func attributes(leaf []byte) []Attribute {
	all, err := Attributes(leaf)
	if err != nil {
		return []Attribute{{"leaf", hex.EncodeToString(leaf)}}
	}
	return all
}

// A difference is an attribute whose value in the log is not the sealed value.
type difference struct{ name, sealed, found string }

func differences(sealed, found []Attribute) []difference {
	if len(sealed) != len(found) {
		count := func(all []Attribute) string { return fmt.Sprintf("%d attributes", len(all)) }
		return []difference{{"leaf", count(sealed), count(found)}}
	}
	var all []difference
	for i := range sealed {
		if sealed[i] != found[i] {
			all = append(all, difference{sealed[i].Name, sealed[i].Value, found[i].Value})
		}
	}
	return all
}

func names(all []difference) []string {
	var names []string
	for _, d := range all {
		names = append(names, d.name)
	}
	return names
}

// describe lists differences in a sentence.
func describe(all []difference) string {
	var parts []string
	for _, d := range all {
		if d.name == "wire" && len(all) > 1 && all[len(all)-1].name == "payload" {
			continue // wire and payload are two parts of one payload
		}
		if d.name == "wire" || d.name == "payload" {
			parts = append(parts, "the payload is not the sealed payload")
			continue
		}
		part := fmt.Sprintf("%s was sealed as %q and is %q", d.name, d.sealed, d.found)
		parts = append(parts, part)
	}
	return strings.Join(parts, "; ")
}
