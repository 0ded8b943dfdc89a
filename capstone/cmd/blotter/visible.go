package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/term"

	"example.com/blotter/labs/kit/trade"
)

// A visible is the only writer of this program to a terminal, a file or a pipe of its user. It
// writes a character that no reader sees as an escape, so that text from outside cannot move the
// cursor, hide a line or reverse the order of letters. Only line ends and tabs pass.
//
//	ESC, U+001B                   \u001b
//	a byte that is not UTF-8      \x9b
//
// The first form is also that of JSON, in which a value stays the same.
type visible struct {
	out      io.Writer
	progress *progress // cleared before other text is written; nil without progress
	rest     []byte    // the beginning of a character whose other bytes come with the next Write
}

// Write implements io.Writer.
func (v *visible) Write(text []byte) (int, error) {
	var safe []byte
	rest := append(v.rest, text...)
	for len(rest) > 0 && utf8.FullRune(rest) {
		r, size := utf8.DecodeRune(rest)
		switch {
		case r == utf8.RuneError && size == 1:
			safe = fmt.Appendf(safe, `\x%02x`, rest[0])
		case r == '\n' || r == '\t' || trade.IsPrintable(r):
			safe = append(safe, rest[:size]...)
		default:
			for _, unit := range utf16.Encode([]rune{r}) {
				safe = fmt.Appendf(safe, `\u%04x`, unit)
			}
		}
		rest = rest[size:]
	}
	v.rest = append([]byte(nil), rest...)
	if n, err := v.progress.write(v.out, safe); err != nil {
		return min(n, len(text)), err
	}
	return len(text), nil
}

// terminal returns the terminal that v writes to, or nil. The caller may write there what v would
// escape, but no text from outside.
func (v *visible) terminal() *os.File {
	if f, ok := v.out.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		return f
	}
	return nil
}

// printLine prints one line. A line end in an argument is escaped, so that text from outside cannot
// begin another line.
func printLine(w io.Writer, format string, args ...any) {
	fmt.Fprintln(w, oneLine(fmt.Sprintf(format, args...)))
}

func oneLine(s string) string { return strings.ReplaceAll(s, "\n", `\n`) }
