package lines

import "fmt"

// A Rule names what is wrong with a line. The text is stable: people search for it.
type Rule string

const (
	TooLong      Rule = "line.too-long"       // more than MaxLine bytes
	ByteOrder    Rule = "line.bom"            // the file begins with a byte order mark
	BadUTF8      Rule = "line.utf8"           // bytes that are not UTF-8
	BadJSON      Rule = "json.syntax"         // not one whole JSON object
	Trailing     Rule = "json.trailing"       // something follows the object
	UnknownField Rule = "field.unknown"       // not a field of this operation
	WrongCase    Rule = "field.case"          // a field, but for upper and lower case
	Duplicate    Rule = "field.duplicate"     // given twice
	Missing      Rule = "field.missing"       // required
	Conflict     Rule = "field.conflict"      // contradicts another field
	WrongType    Rule = "field.type"          // another JSON type than wanted; a number where a string is
	BadDecimal   Rule = "decimal.invalid"     // not a decimal in plain notation
	BadTime      Rule = "time.invalid"        // not an RFC 3339 time from 1970 to 9999
	TooFine      Rule = "time.too-fine"       // finer than a microsecond
	BadPeriod    Rule = "period.invalid"      // not a delivery period
	UnknownValue Rule = "value.unknown"       // not one of the values that the field takes
	Empty        Rule = "value.empty"         // no text, or a list of nothing
	TextTooLong  Rule = "text.too-long"       // more bytes than are recorded of it
	ControlChar  Rule = "text.control"        // a control character
	Damaged      Rule = "text.damaged"        // U+FFFD: the text was lost before it came here
	Reserved     Rule = "command-id.reserved" // an id of a follow-up
	BadUTI       Rule = "uti.invalid"         // a slash or a blank in a UTI
	BadEventID   Rule = "event-id.invalid"    // not a UUID
)

// Error is a line that is not a command.
type Error struct {
	Line   int    // 1-based
	Field  string // a path such as option.strike or points[0].price; empty where the line as a whole is wrong
	Rule   Rule
	Detail string // what was found and what is wanted, for people
}

func (e *Error) Error() string {
	if e.Field == "" {
		return fmt.Sprintf("line %d: %s: %s", e.Line, e.Rule, e.Detail)
	}
	return fmt.Sprintf("line %d: %s: %s: %s", e.Line, e.Field, e.Rule, e.Detail)
}
