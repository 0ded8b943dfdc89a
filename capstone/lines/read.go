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

// A Line is a command and where it stood.
type Line struct {
	Number  int // 1-based; blank lines count
	Command trade.Command
	// Names is what the line is about, the first of them the command's own stream: the streams of its UTI or curve and of
	// every UTI that it names, and command/<id>. Two lines that share a name must be taken in the order of the file, and
	// so must those about contracts that other lines name together: what happens to one can change what began from it. Any
	// others may change places without changing the outcome.
	Names []string
}

var bom = []byte("\ufeff")

// Read gives the lines of r in order. A bad line comes as its number and an *Error, and reading goes on; a
// line of blanks is skipped. Any other error is that of r, and the last.
func Read(r io.Reader) iter.Seq2[Line, error] {
	return func(yield func(Line, error) bool) {
		in := bufio.NewReaderSize(r, MaxLine+2) // room for CR LF
		for number := 1; ; number++ {
			text, err := next(in)
			if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, bufio.ErrBufferFull) {
				yield(Line{Number: number}, fmt.Errorf("line %d: %w", number, err))
				return
			}
			if (len(bytes.TrimSpace(text)) > 0 || errors.Is(err, bufio.ErrBufferFull)) && !yield(Parse(number, text)) {
				return
			}
			if errors.Is(err, io.EOF) {
				return
			}
		}
	}
}

// next is the next line without its end. A line longer than the buffer comes cut, with bufio.ErrBufferFull, and what
// remains of it is read past.
func next(in *bufio.Reader) ([]byte, error) {
	text, err := in.ReadSlice('\n')
	if !errors.Is(err, bufio.ErrBufferFull) {
		return bytes.TrimSuffix(bytes.TrimSuffix(text, []byte("\n")), []byte("\r")), err
	}
	head := bytes.Clone(text) // reading on overwrites it
	for errors.Is(err, bufio.ErrBufferFull) {
		_, err = in.ReadSlice('\n')
	}
	if err == nil {
		err = bufio.ErrBufferFull
	}
	return head, err
}

// Parse reads one line. Its error is an *Error.
func Parse(number int, text []byte) (Line, error) {
	line := Line{Number: number}
	fail := func(rule Rule, format string, args ...any) (Line, error) {
		return line, &Error{Line: number, Rule: rule, Detail: fmt.Sprintf(format, args...)}
	}
	switch {
	case len(text) > MaxLine:
		return fail(TooLong, "more than %d bytes", MaxLine)
	case bytes.HasPrefix(text, bom):
		return fail(ByteOrder, "begins with a byte order mark: save the file as UTF-8 without one")
	case !utf8.Valid(text):
		return fail(BadUTF8, "has bytes that are not UTF-8")
	}
	p := &parser{line: number}
	line.Command, line.Names = p.command(text)
	if p.err != nil {
		return Line{Number: number}, p.err
	}
	return line, nil
}
