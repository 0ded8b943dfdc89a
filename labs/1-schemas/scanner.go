// Code generated from solutions/1-schemas/scanner.go by make generate; DO NOT EDIT.

package codec

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
)

// readJSON is the inverse of JSON for a value of this version. It accepts any layout, any order of
// fields, and decimals with trailing zeros. It refuses a field that is unknown, doubled, missing or
// null, a decimal that is a JSON number, and a text with half a surrogate pair, which encoding/json
// would replace. A decimal with too many digits is refused when the value is written.
func (f format) readJSON(text []byte) (any, error) {
	if !utf8.Valid(text) || !wholePairs.Match(text) {
		return nil, fmt.Errorf("%w: the JSON text is not UTF-8, or has half a surrogate pair",
			contract.ErrMalformed)
	}
	s := &scanner{}
	s.object("the JSON text", text)
	value := f.walk(s, nil)
	s.finish("")
	return value, s.err
}

// wholePairs matches a text in which every \u escape of a surrogate is half of a pair.
var wholePairs = regexp.MustCompile(`^(?s)(?:[^\\]|\\[^u]|\\u(?:[0-9A-CE-Fa-ce-f]...|[Dd][0-7]..)` +
	`|\\u[Dd][89ABab]..\\u[Dd][C-Fc-f]..)*$`)

// A scanner fills in the fields of a walk from JSON. It removes each field that it reads from the
// object that it is in, and refuses those that are left.
type scanner struct {
	fields map[string]json.RawMessage
	err    error
}

var _ fields = (*scanner)(nil)

// malformed records the first fault.
func (s *scanner) malformed(name, format string, args ...any) {
	if s.err == nil {
		reason := fmt.Sprintf(format, args...)
		s.err = fmt.Errorf("%s: %w: %s", name, contract.ErrMalformed, reason)
	}
}

// object begins an object. A fault leaves it without fields.
func (s *scanner) object(name string, text []byte) {
	s.fields = map[string]json.RawMessage{}
	d := json.NewDecoder(bytes.NewReader(text))
	if !json.Valid(text) {
		s.malformed(name, "%.64q is no JSON value", text)
		return
	}
	if token, _ := d.Token(); token != json.Delim('{') {
		s.malformed(name, "%.64q is no object", text)
		return
	}
	for d.More() {
		key, _ := d.Token()
		var value json.RawMessage
		_ = d.Decode(&value) // the text is valid
		if _, doubled := s.fields[key.(string)]; doubled {
			s.malformed(key.(string), "the field is there twice")
		}
		s.fields[key.(string)] = value
	}
}

// finish ends an object. It refuses a field that was not read.
func (s *scanner) finish(where string) {
	for _, name := range slices.Sorted(maps.Keys(s.fields)) {
		s.malformed(where+name, "the schema has no such field")
	}
}

// inside walks an object inside of the present one.
func (s *scanner) inside(name string, text []byte, walk func()) {
	outer := s.fields
	s.object(name, text)
	walk()
	s.finish(name + ".")
	s.fields = outer
}

// take removes a field and returns its JSON text.
func (s *scanner) take(name string) json.RawMessage {
	text, ok := s.fields[name]
	if !ok {
		s.malformed(name, "the field is missing")
	}
	delete(s.fields, name)
	return text
}

// string removes a field that is a JSON string.
func (s *scanner) string(name string) (text string) {
	raw := s.take(name)
	if s.err == nil && (raw[0] != '"' || json.Unmarshal(raw, &text) != nil) {
		s.malformed(name, "%.64q is no string", raw)
	}
	return text
}

// parsed reads a field whose text has a form of its own.
func parsed[T any](s *scanner, name string, v *T, parse func(string) (T, error)) {
	text := s.string(name)
	if s.err != nil {
		return
	}
	value, err := parse(text)
	if err != nil {
		s.malformed(name, "%.64q: %v", text, err)
	}
	*v = value
}

func (s *scanner) text(name string, v *string) { *v = s.string(name) }

func (s *scanner) flag(name string, v *bool) {
	raw := s.take(name)
	if *v = string(raw) == "true"; !*v && string(raw) != "false" {
		s.malformed(name, "%.64q is neither true nor false", raw)
	}
}

func (s *scanner) number(name string, v *int64) {
	raw := s.take(name)
	n, err := strconv.ParseInt(string(raw), 10, 64)
	if err != nil {
		s.malformed(name, "%.64q is no whole number of 64 bits", raw)
	}
	*v = n
}

func (s *scanner) decimal(name string, v *trade.Decimal, _ int32) {
	parsed(s, name, v, trade.ParseDecimal)
}

func (s *scanner) instant(name string, v *time.Time) {
	parsed(s, name, v, func(text string) (time.Time, error) {
		if !dateTime.MatchString(text) { // time.Parse also takes a comma, and hours of one digit
			return time.Time{}, errors.New("want RFC 3339, such as 2026-04-01T00:00:00Z")
		}
		t, err := time.Parse(time.RFC3339Nano, text)
		return t.UTC(), err
	})
}

// dateTime is date-time of RFC 3339, section 5.6.
var dateTime = regexp.MustCompile(
	`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$`)

func (s *scanner) period(name string, v *trade.Period) {
	parsed(s, name, v, trade.ParsePeriod)
}

func (s *scanner) id(name string, v *uuid.UUID) {
	parsed(s, name, v, func(text string) (uuid.UUID, error) {
		id, err := uuid.Parse(text)
		if err == nil && id.String() != text {
			err = errSpelling // uuid.Parse also takes braces and capitals
		}
		return id, err
	})
}

func (s *scanner) digest(name string, v *[32]byte) {
	parsed(s, name, v, func(text string) (digest [32]byte, err error) {
		err = decodeHex(digest[:], text)
		if err == nil && hex.EncodeToString(digest[:]) != text {
			err = errSpelling
		}
		return digest, err
	})
}

var errSpelling = errors.New("want lower case, without braces")

func (s *scanner) spelled(name, _ string) string { return s.string(name) }

func (s *scanner) symbol(name, text string, i, _ int) int {
	if i < 0 {
		s.malformed(name, "%.64q is not one of its symbols", text)
	}
	return i
}

func (s *scanner) present(name string, _ bool) bool {
	_, ok := s.fields[name]
	return ok
}

func (s *scanner) record(name string, walk func()) {
	s.inside(name, s.take(name), walk)
}

func (s *scanner) list(name string, _ int, grow func(), item func(i int)) {
	var items []json.RawMessage
	raw := s.take(name)
	if s.err == nil && (raw[0] != '[' || json.Unmarshal(raw, &items) != nil) {
		s.malformed(name, "%.64q is no list", raw)
	}
	for i, text := range items {
		if s.err != nil {
			return // a hostile list grows no body
		}
		grow()
		s.inside(fmt.Sprintf("%s[%d]", name, i), text, func() { item(i) })
	}
}
