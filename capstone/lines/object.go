package lines

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"example.com/blotter/labs/kit/trade"
)

// A parser keeps the first fault of a line, and ignores later ones. So the code that reads a
// command is a list of its fields, without an error branch at each.
type parser struct {
	line      int
	sender    string // the actor of a line that names none; empty: it must name one
	err       *Error
	priceUnit trade.Unit // that the prices of the line are per, if it says so
}

func (p *parser) fail(field string, rule Rule, format string, args ...any) {
	if p.err == nil {
		detail := fmt.Sprintf(format, args...)
		p.err = &Error{Line: p.line, Field: short(printable(field)), Rule: rule,
			Detail: short(detail)}
	}
}

// printable returns the name of a field, with escapes for characters that would control a terminal.
func printable(s string) string {
	quoted := strconv.Quote(s)
	return quoted[1 : len(quoted)-1]
}

// short cuts a message that quotes a long text.
func short(s string) string {
	const longest = 400
	if len(s) <= longest {
		return s
	}
	return strings.ToValidUTF8(s[:longest], "") + "…"
}

// An object is a JSON object. It keeps the names of the fields that were asked for, so that done
// can refuse all others.
type object struct {
	*parser
	path    string // the prefix of its fields' names in errors, such as "option."
	members []member
	asked   []string
}

type member struct {
	name  string
	value json.RawMessage
}

// wholeLine reads the one object of a line.
func (p *parser) wholeLine(text []byte) *object {
	dec := json.NewDecoder(bytes.NewReader(text))
	var raw json.RawMessage
	err := dec.Decode(&raw)
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		p.fail("", BadJSON, "the line ends in the middle of the object")
	case err != nil:
		p.fail("", BadJSON, "%v", err)
	case raw[0] != '{':
		p.fail("", BadJSON, "want one JSON object, not %s", jsonType(raw))
	case len(bytes.TrimSpace(text[dec.InputOffset():])) > 0:
		p.fail("", Trailing, "more text follows the object: want one object per line")
	default:
		return p.object("", raw)
	}
	return &object{parser: p}
}

// object splits raw, a valid JSON object, into its members. encoding/json would take the last of
// two members with one name, and would take names in any case.
func (p *parser) object(path string, raw json.RawMessage) *object {
	o := &object{parser: p, path: path}
	seen := map[string]bool{}
	dec := json.NewDecoder(bytes.NewReader(raw))
	_, _ = dec.Token() // the brace; raw is valid, so no error can come here or below
	for dec.More() {
		name, _ := dec.Token()
		m := member{name: name.(string)}
		_ = dec.Decode(&m.value)
		if seen[m.name] {
			o.fail(path+m.name, Duplicate, "the field is given twice")
		}
		seen[m.name] = true
		o.members = append(o.members, m)
	}
	return o
}

// ask returns the member with a name, or nil. From then on the object may have a field of that
// name.
func (o *object) ask(name string) *member {
	o.asked = append(o.asked, name)
	i := slices.IndexFunc(o.members, func(m member) bool { return m.name == name })
	if i < 0 {
		return nil
	}
	return &o.members[i]
}

// need is ask for a required field.
func (o *object) need(name string) *member {
	m := o.ask(name)
	if m == nil {
		o.fail(o.path+name, Missing, "required")
	}
	return m
}

// done refuses a member that was not asked for. It must come after all fields of the operation were
// asked for. Without an operation, it only refuses names in another case.
func (o *object) done(operation string) {
	i := slices.IndexFunc(o.members, func(m member) bool {
		return slices.ContainsFunc(o.asked, func(name string) bool {
			return name != m.name && strings.EqualFold(name, m.name)
		})
	})
	if i >= 0 {
		o.misnamed(o.members[i], WrongCase, "names are written in lower case")
		return
	}
	i = slices.IndexFunc(o.members, func(m member) bool {
		return !slices.Contains(o.asked,
			m.name)
	})
	if i >= 0 && operation != "" {
		names := slices.Compact(slices.Sorted(slices.Values(o.asked)))
		o.misnamed(o.members[i], UnknownField,
			"not a field of "+operation+", which takes "+strings.Join(names, ", "))
	}
}

// misnamed reports a wrong name. A wrong name explains why the right one is missing, so it replaces
// that fault.
func (o *object) misnamed(m member, rule Rule, detail string) {
	if o.err != nil && o.err.Rule == Missing {
		o.err = nil
	}
	o.fail(o.path+m.name, rule, "%s", detail)
}

// jsonType names the type of a valid JSON value, for messages.
func jsonType(raw json.RawMessage) string {
	switch raw[0] {
	case '{':
		return "an object"
	case '[':
		return "a list"
	case '"':
		return "a string"
	case 't', 'f':
		return "a boolean"
	case 'n':
		return "null"
	}
	return "a number"
}
