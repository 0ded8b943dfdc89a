package extract

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
)

// maxLine is the longest line: data of contract.MaxData bytes, as base64, and again as text in
// which every byte is escaped.
const maxLine = 16 << 20

// encodeLine returns one line of JSON Lines, without its end. It does not escape < and &, for
// people.
func encodeLine(v any) []byte {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		// Every field is plain data, or JSON made here.
		panic(fmt.Sprintf("extract: a line that does not marshal: %v", err))
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n"))
}

// A line is a line of a file, without its end. The slice is valid until the next line is read.
type line struct {
	number int // 1-based
	text   []byte
}

// linesOf yields every line of a file. A last line that does not end with a newline is a *Fault.
func linesOf(bundle fs.FS, path string) iter.Seq2[line, error] {
	return func(yield func(line, error) bool) {
		f, err := bundle.Open(path)
		if err != nil {
			yield(line{}, err)
			return
		}
		defer f.Close()
		n := 0
		s := bufio.NewScanner(f)
		s.Buffer(nil, maxLine)
		s.Split(wholeLines)
		for s.Scan() {
			if n++; !yield(line{n, s.Bytes()}, nil) {
				return
			}
		}
		switch err := s.Err(); {
		case errors.Is(err, bufio.ErrTooLong), errors.Is(err, io.ErrUnexpectedEOF):
			yield(line{}, fault(path, n+1, "the line has no end"))
		case err != nil:
			yield(line{}, fmt.Errorf("%s: %w", path, err))
		}
	}
}

// wholeLines is a stricter bufio.ScanLines: a carriage return belongs to the line, and the last
// line needs its end.
func wholeLines(data []byte, atEOF bool) (int, []byte, error) {
	if i := bytes.IndexByte(data, '\n'); i >= 0 {
		return i + 1, data[:i], nil
	}
	if atEOF && len(data) > 0 {
		return 0, nil, io.ErrUnexpectedEOF
	}
	return 0, nil, nil
}
