// Code generated from solutions/1-schemas/avro.go by make generate; DO NOT EDIT.

package codec

import (
	"errors"
	"fmt"
	"io"

	"github.com/hamba/avro/v2"

	"example.com/blotter/labs/kit/contract"
)

// Only this file (for data) and compatible.go (for schemas) use hamba/avro. The library is no
// longer maintained, and its convenient half is not safe for a log: Unmarshal reports no error for
// input that ends between two fields or continues after the last one, allocates as much memory as
// a hostile length asks for, and rounds decimals. This file uses only its primitives, looks at
// every error, and checks lengths itself.

// An encoder writes Avro primitives.
type encoder struct{ w *avro.Writer }

func newEncoder() encoder { return encoder{avro.NewWriter(io.Discard, 256)} }

func (e encoder) long(n int64)    { e.w.WriteLong(n) }
func (e encoder) bool(b bool)     { e.w.WriteBool(b) }
func (e encoder) string(s string) { e.w.WriteString(s) }
func (e encoder) bytes(b []byte)  { e.w.WriteBytes(b) }
func (e encoder) raw(b []byte)    { _, _ = e.w.Write(b) } // appends to a buffer: cannot fail
func (e encoder) done() []byte    { return e.w.Buffer() }

// A decoder reads Avro primitives. It keeps its first error; every later read returns zero.
type decoder struct {
	r    *avro.Reader
	size int64 // of the whole input: nothing in it can be longer
}

func newDecoder(data []byte) decoder {
	return decoder{avro.NewReader(nil, 0).Reset(data), int64(len(data))}
}

func (d decoder) long() int64 { return d.r.ReadLong() }
func (d decoder) bool() bool  { return d.r.Error == nil && d.r.ReadBool() }

// raw reads n bytes. A caller that took n from the input has checked it with length.
func (d decoder) raw(n int64) []byte {
	if d.r.Error != nil {
		return nil
	}
	b := make([]byte, n)
	d.r.Read(b)
	return b
}

func (d decoder) bytes() []byte { return d.raw(d.length()) }

// length reads the number of bytes or items that follow. It checks the number before anything is
// allocated: each item takes at least one byte.
func (d decoder) length() int64 {
	n := d.r.ReadLong()
	switch {
	case d.r.Error != nil:
	case n < 0:
		d.fail(fmt.Errorf("%w: a length of %d", contract.ErrMalformed, n))
	case n > contract.MaxData:
		d.fail(fmt.Errorf("%w: a length of %d, at most %d",
			contract.ErrOversize, n, contract.MaxData))
	case n > d.size:
		d.fail(fmt.Errorf("%w: a length of %d in %d bytes", contract.ErrTruncated, n, d.size))
	default:
		return n
	}
	return 0
}

func (d decoder) fail(err error) {
	if d.r.Error == nil {
		d.r.Error = err
	}
}

func (d decoder) failed() bool { return d.r.Error != nil }

// err returns the first error, as one of the contract's errors.
func (d decoder) err() error {
	err := d.r.Error
	switch {
	case err == nil:
		return nil
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("%w: %w", contract.ErrTruncated, err)
	case errors.Is(err, contract.ErrMalformed), errors.Is(err, contract.ErrOversize),
		errors.Is(err, contract.ErrTruncated):
		return err
	}
	return fmt.Errorf("%w: %w", contract.ErrMalformed, err)
}

// end returns the first error, or ErrTrailing if input is left.
func (d decoder) end() error {
	if err := d.err(); err != nil {
		return err
	}
	if d.r.Peek(); !errors.Is(d.r.Error, io.EOF) {
		return contract.ErrTrailing
	}
	return nil
}
