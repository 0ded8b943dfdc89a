package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"io"
	"os"
	"sync"
	"sync/atomic"
)

// openFile opens a file that a command line names. The hint says which file to name.
func openFile(name, hint string) (*os.File, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, &usageError{err.Error(), hint}
	}
	return file, nil
}

// inputs are the files of an import, all open.
type inputs struct {
	files []*input
	sent  int          // files that were imported, from the first one on
	size  int64        // of all files in bytes, as they are stored; 0 if one has no known size
	read  atomic.Int64 // of these bytes
}

// An input is one file of lines, decompressed.
type input struct {
	io.Reader
	name    string
	close   func() error
	rejects io.Writer // takes the lines to mend; nil keeps no line
	failed  error     // of writing to rejects

	mu      sync.Mutex // the importer reads ahead of its results
	pending [][]byte   // the lines that were read and have no result; the last one is incomplete
	first   int        // the number of the first pending line
}

// openInputs opens all files BEFORE a line of the first is read: a name with a mistake imports
// nothing.
func openInputs(names []string) (*inputs, error) {
	in, known := new(inputs), true
	for _, name := range names {
		f, err := openInput(name)
		if err != nil {
			in.Close()
			return nil, err
		}
		file := &input{name: name, close: f.Close, first: 1}
		in.files = append(in.files, file)
		if file.Reader, err = decompressed(io.TeeReader(f, counter{&in.read})); err != nil {
			in.Close()
			return nil, &usageError{name + ": " + err.Error(),
				"compress the file again, or name the plain file"}
		}
		size := sizeOf(f)
		in.size, known = in.size+size, known && size > 0
	}
	if !known {
		in.size = 0
	}
	return in, nil
}

// Close closes the files. They were only read, so its errors do not matter.
func (in *inputs) Close() {
	for _, file := range in.files {
		file.close()
	}
}

// keep writes the lines to mend to w.
func (in *inputs) keep(w io.Writer) {
	for _, file := range in.files {
		file.rejects = w
		file.Reader = io.TeeReader(file.Reader, (*recorder)(file))
	}
}

func sizeOf(f io.Reader) int64 {
	file, ok := f.(*os.File)
	if !ok {
		return 0
	}
	info, err := file.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return 0
	}
	return info.Size()
}

// decompressed returns the content of a gzip file (RFC 1952, section 2.3.1), and any other input as
// it is. A name says nothing about the content.
func decompressed(r io.Reader) (io.Reader, error) {
	buffered := bufio.NewReader(r)
	if magic, _ := buffered.Peek(2); bytes.Equal(magic, []byte{0x1f, 0x8b}) {
		return gzip.NewReader(buffered)
	}
	return buffered, nil
}

type counter struct{ n *atomic.Int64 }

func (c counter) Write(p []byte) (int, error) {
	c.n.Add(int64(len(p)))
	return len(p), nil
}

// A recorder gets the bytes that are read from an input, and keeps the lines without a result.
type recorder input

func (r *recorder) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for part := range bytes.Lines(p) {
		n := len(r.pending)
		if n == 0 || bytes.HasSuffix(r.pending[n-1], []byte("\n")) {
			r.pending = append(r.pending, bytes.Clone(part))
			continue
		}
		r.pending[n-1] = append(r.pending[n-1], part...)
	}
	return len(p), nil
}

// done drops the lines up to a number. If the last of them is to be mended, it is written as it was
// read.
func (in *input) done(number int, mend bool) {
	if in.rejects == nil {
		return
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	passed := min(number-in.first+1, len(in.pending))
	if passed <= 0 {
		return
	}
	line := in.pending[passed-1]
	in.pending, in.first = in.pending[passed:], number+1
	if !mend || in.failed != nil {
		return
	}
	if _, in.failed = in.rejects.Write(bytes.TrimRight(line, "\r\n")); in.failed == nil {
		_, in.failed = in.rejects.Write([]byte("\n"))
	}
}
