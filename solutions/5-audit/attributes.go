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

// An Attribute is one field of a leaf, readable. The payload is what stands before its Avro body (wire), and the body's digest, both
// in hexadecimal.
type Attribute struct{ Name, Value string }

// ErrLeaf is wrapped by the error of bytes that are not an event's leaf.
var ErrLeaf = errors.New("not the leaf of an event")

// layout is the fields of contract.Recorded.Leaf behind the tag, in their order.
var layout = []struct {
	name string
	show func([]byte) string
}{
	{"stream", text}, {"type", text}, {"actor", text}, {"approver", text}, {"reason", text}, {"source", text}, {"traceparent", text},
	{"id", id}, {"corrects", id}, {"correlation", id}, {"causation", id},
	{"effective_at", instant}, {"recorded_at", instant},
	{"version", number}, {"ends", flag}, {"schema", number},
	{"fingerprint", hex.EncodeToString}, {"wire", hex.EncodeToString}, {"payload", hex.EncodeToString},
}

// Attributes reads a leaf as contract.Recorded.Leaf writes it.
func Attributes(leaf []byte) ([]Attribute, error) {
	fields, err := split(leaf)
	if err != nil {
		return nil, err
	}
	if len(fields) != len(layout)+1 || string(fields[0]) != "blotter/leaf/v2" {
		return nil, fmt.Errorf("%w: %d fields under the tag %.40q", ErrLeaf, len(fields), fields[0])
	}
	all := make([]Attribute, len(layout))
	for i, f := range layout {
		all[i] = Attribute{f.name, f.show(fields[i+1])}
	}
	return all, nil
}

// split takes length-prefixed fields apart.
func split(leaf []byte) ([][]byte, error) {
	var fields [][]byte
	for rest := leaf; len(rest) > 0; {
		if len(rest) < 4 || uint64(len(rest)-4) < uint64(binary.BigEndian.Uint32(rest)) {
			return nil, fmt.Errorf("%w: it ends within field %d", ErrLeaf, len(fields))
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
	return time.UnixMicro(int64(binary.BigEndian.Uint64(b))).UTC().Format(time.RFC3339Nano)
}

// attributes is Attributes for a comparison: of bytes that are no leaf it makes one attribute.
func attributes(leaf []byte) []Attribute {
	all, err := Attributes(leaf)
	if err != nil {
		return []Attribute{{"leaf", hex.EncodeToString(leaf)}}
	}
	return all
}

// A difference is an attribute that was sealed with another value than it has in the log.
type difference struct{ name, was, is string }

func differences(was, is []Attribute) []difference {
	if len(was) != len(is) {
		return []difference{{"leaf", fmt.Sprintf("of %d attributes", len(was)), fmt.Sprintf("of %d", len(is))}}
	}
	var all []difference
	for i := range was {
		if was[i] != is[i] {
			all = append(all, difference{was[i].Name, was[i].Value, is[i].Value})
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

// describe puts differences into words.
func describe(all []difference) string {
	var parts []string
	for _, d := range all {
		if d.name == "wire" && len(all) > 1 && all[len(all)-1].name == "payload" {
			continue // the two are one payload
		}
		if d.name == "wire" || d.name == "payload" {
			parts = append(parts, "the payload is not the one that was sealed")
			continue
		}
		parts = append(parts, fmt.Sprintf("%s was %q and is %q", d.name, d.was, d.is))
	}
	return strings.Join(parts, "; ")
}
