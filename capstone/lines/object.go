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
)

// A parser keeps the first thing that is wrong with a line; what is read after it counts for nothing. So the code that reads
// a command is a list of its fields, without an error branch at each.
type parser struct {
	line int
	err  *Error
}

func (p *parser) fail(field string, rule Rule, format string, args ...any) {
	if p.err == nil {
		p.err = &Error{Line: p.line, Field: short(printable(field)), Rule: rule, Detail: short(fmt.Sprintf(format, args...))}
	}
}

// printable is a field's name as it was written, but for what would steer a terminal.
func printable(s string) string {
	quoted := strconv.Quote(s)
	return quoted[1 : len(quoted)-1]
}

// short keeps a message readable when what it quotes is not.
func short(s string) string {
	const most = 400
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}

// An object is one JSON object whose members have not all been asked for yet.
type object struct {
	*parser
	path    string // prefix of its fields' names in errors, such as "option."
	members []member
	asked   []string
}

type member struct {
	name  string
	value json.RawMessage
}

// whole is the one object that text consists of.
func (p *parser) whole(text []byte) *object {
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
		p.fail("", Trailing, "more follows the object: want one object per line")
	default:
		return p.object("", raw)
	}
	return &object{parser: p}
}

// object splits raw, which is a valid JSON object, into its members. encoding/json alone would take the last of two
// members with one name, and would take names in any case.
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
			o.fail(path+m.name, Duplicate, "given twice")
		}
		seen[m.name] = true
		o.members = append(o.members, m)
	}
	return o
}

func (o *object) find(name string) *member {
	i := slices.IndexFunc(o.members, func(m member) bool { return m.name == name })
	if i < 0 {
		return nil
	}
	return &o.members[i]
}

// ask is the member with this name, if there is one, and makes the name one that the object may have.
func (o *object) ask(name string) *member {
	o.asked = append(o.asked, name)
	return o.find(name)
}

// need is ask for a field that must be there.
func (o *object) need(name string) *member {
	m := o.ask(name)
	if m == nil {
		o.fail(o.path+name, Missing, "required")
	}
	return m
}

// done fails on a member that nobody asked for. It is called when all fields of the object were asked for, which takes an op:
// without one, only the case of the names is looked at.
func (o *object) done(what string) {
	i := slices.IndexFunc(o.members, func(m member) bool {
		return slices.IndexFunc(o.asked, func(name string) bool { return name != m.name && strings.EqualFold(name, m.name) }) >= 0
	})
	if i >= 0 {
		o.misnamed(o.members[i], WrongCase, "names are written in lower case")
		return
	}
	i = slices.IndexFunc(o.members, func(m member) bool { return !slices.Contains(o.asked, m.name) })
	if i >= 0 && what != "" {
		names := slices.Compact(slices.Sorted(slices.Values(o.asked)))
		o.misnamed(o.members[i], UnknownField, "not a field of "+what+", which takes "+strings.Join(names, ", "))
	}
}

// misnamed fails on a name. That explains why the right one is missing, so it takes the place of that failure.
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
