// Package lines is the import format: commands as JSON Lines, one object per line, in UTF-8.
//
//	{"command_id":"c-0001","entered_at":"2025-01-16T13:03:00Z","actor":"ops/2",
//	 "reason":"day-ahead average","op":"SETTLE","uti":"BLOTTER0001","quantity":"2160",
//	 "unit":"MWh","price":"83.10"}
//
// (on one line). Names are snake_case, decimals are JSON strings, times are RFC 3339 and no finer
// than a microsecond. README.md has an example of each operation, and of each rule that a bad line
// can break. A test runs them all.
//
// The format is strict: it refuses a field that it does not know. A field that is misread, or
// skipped, makes a trade that nobody agreed to. A bad line costs only itself: Read reports it and
// goes on.
package lines

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"
	"unicode/utf8"

	"example.com/blotter/labs/kit/trade"
)

// MaxLine is the longest line, in bytes without its end.
const MaxLine = 1 << 20

// A Line is a command with its place in the file.
type Line struct {
	Number  int // 1-based; blank lines count
	Command trade.Command
	// Names lists the streams that the line is about: first the command's own, then the stream of
	// each other contract that it names; and command/<id>. Two lines that share a name must be
	// taken in the order of the file. So must two lines about contracts that other lines name
	// together, because an event of one can change the contract that began from it. All other
	// lines may change places without changing the outcome.
	Names []string
}

var byteOrderMark = []byte("\ufeff")

// Read returns the lines of r in order. A bad line comes as its number and an *Error, and reading
// goes on. Blank lines are skipped. Any other error is an error of r, and the last value.
func Read(r io.Reader) iter.Seq2[Line, error] { return read(r, Parse) }

// ReadAs is Read of lines that a known principal sends: see ParseAs.
func ReadAs(sender string, r io.Reader) iter.Seq2[Line, error] {
	return read(r, func(number int, text []byte) (Line, error) {
		return ParseAs(sender, number, text)
	})
}

func read(r io.Reader, parse func(int, []byte) (Line, error)) iter.Seq2[Line, error] {
	return func(yield func(Line, error) bool) {
		in := bufio.NewReaderSize(r, MaxLine+2) // room for CR LF
		for number := 1; ; number++ {
			text, err := next(in)
			tooLong, ended := errors.Is(err, bufio.ErrBufferFull), errors.Is(err, io.EOF)
			if err != nil && !ended && !tooLong {
				yield(Line{Number: number}, fmt.Errorf("line %d: %w", number, err))
				return
			}
			blank := len(bytes.TrimSpace(text)) == 0
			if (!blank || tooLong) && !yield(parse(number, text)) || ended {
				return
			}
		}
	}
}

// next returns the next line without its end. A line that is longer than the buffer comes cut, with
// bufio.ErrBufferFull, and its rest is skipped.
func next(in *bufio.Reader) ([]byte, error) {
	text, err := in.ReadSlice('\n')
	if !errors.Is(err, bufio.ErrBufferFull) {
		return bytes.TrimSuffix(bytes.TrimSuffix(text, []byte("\n")), []byte("\r")), err
	}
	start := bytes.Clone(text) // the next read overwrites it
	for errors.Is(err, bufio.ErrBufferFull) {
		_, err = in.ReadSlice('\n')
	}
	if err == nil {
		err = bufio.ErrBufferFull
	}
	return start, err
}

// Parse reads one line. Its error is an *Error.
func Parse(number int, text []byte) (Line, error) {
	return parse(number, text, (*parser).command)
}

// ParseAs is Parse of a line that a known principal sends: the sender is the actor if the line
// names none. A line may name another actor; the caller decides whether the sender may say so.
func ParseAs(sender string, number int, text []byte) (Line, error) {
	return parse(number, text, func(p *parser, text []byte) (trade.Command, []string) {
		p.sender = sender
		return p.command(text)
	})
}

func parse(
	number int, text []byte, command func(*parser, []byte) (trade.Command, []string),
) (Line, error) {
	line := Line{Number: number}
	fail := func(rule Rule, format string, args ...any) (Line, error) {
		return line, &Error{Line: number, Rule: rule, Detail: fmt.Sprintf(format, args...)}
	}
	switch {
	case len(text) > MaxLine:
		return fail(TooLong, "more than %d bytes", MaxLine)
	case bytes.HasPrefix(text, byteOrderMark):
		return fail(ByteOrder, "begins with a byte order mark: save the file as UTF-8 without one")
	case !utf8.Valid(text):
		return fail(BadUTF8, "has bytes that are not UTF-8")
	}
	p := &parser{line: number}
	line.Command, line.Names = command(p, text)
	if p.err != nil {
		return Line{Number: number}, p.err
	}
	return line, nil
}

// A Rule names the fault of a line. Its text is stable: people search for it.
type Rule string

const (
	TooLong      Rule = "line.too-long"       // more than MaxLine bytes
	ByteOrder    Rule = "line.bom"            // the file begins with a byte order mark
	BadUTF8      Rule = "line.utf8"           // bytes that are not UTF-8
	BadJSON      Rule = "json.syntax"         // not one whole JSON object
	Trailing     Rule = "json.trailing"       // more text follows the object
	UnknownField Rule = "field.unknown"       // not a field of this operation
	WrongCase    Rule = "field.case"          // a field in another case
	Duplicate    Rule = "field.duplicate"     // a field twice
	Missing      Rule = "field.missing"       // a required field is absent
	Conflict     Rule = "field.conflict"      // contradicts another field
	WrongType    Rule = "field.type"          // another JSON type, such as a number for a string
	BadDecimal   Rule = "decimal.invalid"     // not a decimal in plain notation
	BadTime      Rule = "time.invalid"        // not an RFC 3339 time from 1970 to 9999
	TooFine      Rule = "time.too-fine"       // finer than a microsecond
	BadPeriod    Rule = "period.invalid"      // not a delivery period
	UnknownValue Rule = "value.unknown"       // not one of the values of the field
	Empty        Rule = "value.empty"         // an empty text or list
	TextTooLong  Rule = "text.too-long"       // more bytes than can be recorded
	ControlChar  Rule = "text.control"        // a control or an invisible character
	NotNormal    Rule = "text.not-nfc"        // a character in pieces, such as e and U+0301
	Damaged      Rule = "text.damaged"        // U+FFFD: the text was lost before it came here
	Reserved     Rule = "command-id.reserved" // an id of a follow-up
	BadName      Rule = "name.invalid"        // a character outside the alphabet of its field
	BadEventID   Rule = "event-id.invalid"    // not a UUID
)

// The rules of a line beside the lines and the commands before it, which Parse does not know.
const (
	Reused Rule = "command.reused" // the id of another command that is on record

	Unwritable Rule = "command.unwritable" // its event does not fit the schema that is written now
	Elsewhere  Rule = "command.elsewhere"  // another process owns its partition
	Repeated   Rule = "command.duplicate"  // the same command as an earlier line of the file
)

// Error describes a line that is not a command.
type Error struct {
	Line   int    // 1-based
	Field  string // such as option.strike or points[0].price; empty where the whole line is wrong
	Rule   Rule
	Detail string // for people: the value that was found and the value that is wanted
}

func (e *Error) Error() string {
	if e.Field == "" {
		return fmt.Sprintf("line %d: %s: %s", e.Line, e.Rule, e.Detail)
	}
	return fmt.Sprintf("line %d: %s: %s: %s", e.Line, e.Field, e.Rule, e.Detail)
}
