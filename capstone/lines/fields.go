package lines

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/google/uuid"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
)

// str reads a JSON string.
func (o *object) str(m *member) string {
	if m == nil {
		return ""
	}
	field := o.path + m.name
	if kind := jsonType(m.value); kind != "a string" {
		hint := "want a string"
		if kind == "a number" {
			hint = fmt.Sprintf("want a string, %q: a program may round a JSON number",
				string(m.value))
		}
		o.fail(field, WrongType, "%s: %s", kind, hint)
		return ""
	}
	var s string
	_ = json.Unmarshal(m.value, &s) // a valid JSON string
	o.check(field, s)
	return s
}

// check refuses a text that could not be recorded, printed or sent as a header.
func (o *object) check(field, s string) {
	switch {
	case strings.TrimSpace(s) == "":
		o.fail(field, Empty, "give a text, or leave an optional field out")
	case strings.ContainsFunc(s, func(r rune) bool { return !trade.IsPrintable(r) }):
		o.fail(field, ControlChar, "%+q has a character that is not seen as it is", s)
	case strings.ContainsRune(s, unicode.ReplacementChar):
		o.fail(field, Damaged, "%q has U+FFFD or half a surrogate pair: a character was lost", s)
	case !trade.IsNormal(s):
		o.fail(field, NotNormal, "%+q has characters in pieces: want Unicode NFC", s)
	case len(s) > contract.MaxAttribute:
		o.fail(field, TextTooLong, "%d bytes, at most %d", len(s), contract.MaxAttribute)
	}
}

// name reads an identifier.
func (o *object) name(m *member, of trade.Alphabet) string {
	s := o.str(m)
	switch {
	case s == "":
	case len(s) > of.Longest:
		o.fail(o.path+m.name, TextTooLong, "%d bytes, at most %d", len(s), of.Longest)
	case !of.Has(s):
		o.fail(o.path+m.name, BadName, "%q: want %s", s, of.Want)
	}
	return s
}

func (o *object) uti(m *member) string       { return o.name(m, trade.UTIs) }
func (o *object) principal(m *member) string { return o.name(m, trade.Principals) }

// actor reads the actor of a command, which is its sender if the line names none.
func (o *object) actor() string {
	if m := o.ask("actor"); m != nil || o.sender == "" {
		return o.principal(o.need("actor"))
	}
	return o.sender
}

func (o *object) reference(m *member) string { return o.name(m, trade.References) }

// commandID reads the id of a command that the desk may have sent.
func (o *object) commandID(m *member) string {
	s := o.name(m, trade.CommandIDs)
	if trade.IsReserved(s) {
		o.fail(o.path+m.name, Reserved,
			"%q begins with %s, which the program keeps for itself", s, trade.ReservedPrefixes())
	}
	return s
}

func (o *object) decimal(m *member) trade.Decimal {
	s := o.str(m)
	if s == "" {
		return trade.Decimal{}
	}
	d, err := trade.ParseDecimal(s)
	if err != nil {
		o.fail(o.path+m.name, BadDecimal, "%v", err)
	}
	return d
}

func (o *object) time(m *member) time.Time {
	s := o.str(m)
	if s == "" {
		return time.Time{}
	}
	t, err := trade.ParseTime(s)
	if err != nil || t.Unix() < 0 {
		o.fail(o.path+m.name, BadTime, "%q is not an RFC 3339 time from 1970 to 9999, "+
			"as in 2025-01-16T13:03:00.000001Z", s)
	}
	if !t.Equal(t.Truncate(time.Microsecond)) {
		o.fail(o.path+m.name, TooFine, "%q is finer than a microsecond", s)
	}
	return t
}

// enteredAt reads a time after which the clock of a simulated log can go on.
func (o *object) enteredAt(m *member) time.Time {
	t := o.time(m)
	if t.Year() == 9999 {
		o.fail(o.path+m.name, BadTime, "%q: no later event could be recorded",
			t.Format(time.RFC3339Nano))
	}
	return t
}

func (o *object) period(m *member) trade.Period {
	s := o.str(m)
	if s == "" {
		return trade.Period{}
	}
	p, err := trade.ParsePeriod(s)
	if err != nil {
		o.fail(o.path+m.name, BadPeriod, "%v", err)
	}
	return p
}

func (o *object) currency() trade.Currency {
	m := o.need("currency")
	s := o.str(m)
	if s == "" {
		return ""
	}
	c, err := trade.ParseCurrency(s)
	if err != nil {
		o.fail(o.path+m.name, UnknownValue, "%v", err)
	}
	return c
}

// quantity reads the fields quantity and unit, which go together.
func (o *object) quantity() trade.Quantity {
	value, unit := o.ask("quantity"), o.ask("unit")
	switch {
	case value == nil && unit != nil:
		o.fail(o.path+"quantity", Missing, "required where unit is given")
	case value != nil && unit == nil:
		o.fail(o.path+"unit", Missing, "required where quantity is given: one of %s",
			strings.Trim(fmt.Sprint(trade.Units()), "[]"))
	}
	return trade.Quantity{Value: o.decimal(value), Unit: oneOf(o, unit, trade.Units()...)}
}

// perUnit reads the unit that all prices of the operation are per.
func (o *object) perUnit() { o.priceUnit = oneOf(o, o.ask("price_unit"), trade.PriceUnits()...) }

// oneOf reads one of the values of a field. It returns "" for an absent field.
func oneOf[T ~string](o *object, m *member, values ...T) T {
	s := T(o.str(m))
	if s != "" && !slices.Contains(values, s) {
		o.fail(o.path+m.name, UnknownValue, "%q is not one of %s", s,
			strings.Trim(fmt.Sprint(values), "[]"))
	}
	return s
}

func (o *object) eventID(m *member) uuid.UUID {
	s := o.str(m)
	if s == "" {
		return uuid.Nil
	}
	id, err := uuid.Parse(s)
	// uuid.Parse also takes braces and urn:.
	if err != nil || id.String() != strings.ToLower(s) || id == uuid.Nil {
		o.fail(o.path+m.name, BadEventID, "%q is not an event id, as history shows them", s)
	}
	return id
}

// sub reads a field that holds an object.
func (o *object) sub(m *member) *object {
	if kind := jsonType(m.value); kind != "an object" {
		o.fail(o.path+m.name, WrongType, "%s: want an object", kind)
		return &object{parser: o.parser}
	}
	return o.object(o.path+m.name+".", m.value)
}

// list reads a field that holds objects.
func (o *object) list(m *member) []*object {
	if m == nil {
		return nil
	}
	var raws []json.RawMessage
	if kind := jsonType(m.value); kind != "a list" {
		o.fail(o.path+m.name, WrongType, "%s: want a list", kind)
		return nil
	}
	_ = json.Unmarshal(m.value, &raws) // a valid JSON list
	if len(raws) == 0 {
		o.fail(o.path+m.name, Empty, "the list is empty")
	}
	var objects []*object
	for i, raw := range raws {
		objects = append(objects, o.sub(&member{name: fmt.Sprintf("%s[%d]", m.name, i),
			value: raw}))
	}
	return objects
}
