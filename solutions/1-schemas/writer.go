package codec

import (
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
)

// A writer encodes the fields of a walk.
type writer struct {
	out encoder
	err error
}

var _ fields = (*writer)(nil)

// reject records the first value that its schema cannot hold (L1.I1).
func (w *writer) reject(name, format string, args ...any) {
	if w.err == nil {
		reason := fmt.Sprintf(format, args...)
		w.err = fmt.Errorf("%s: %w: %s", name, contract.ErrUnencodable, reason)
	}
}

func (w *writer) text(name string, v *string) {
	if !utf8.ValidString(*v) {
		w.reject(name, "%q is not UTF-8", *v)
	}
	w.out.string(*v)
}

func (w *writer) flag(_ string, v *bool)    { w.out.bool(*v) }
func (w *writer) number(_ string, v *int64) { w.out.long(*v) }

func (w *writer) decimal(name string, v *trade.Decimal, scale int32) {
	b, err := unscaled(*v, scale)
	if err != nil {
		w.reject(name, "%v", err)
	}
	w.out.bytes(b)
}

// unscaled returns a decimal at a scale, in the fewest bytes of two's complement. It refuses more
// places than the scale and more digits than the precision.
func unscaled(v trade.Decimal, scale int32) ([]byte, error) {
	if v.Abs().Cmp(bounds[scale]) >= 0 {
		return nil, fmt.Errorf("%s has more than %d digits at scale %d", v, precision, scale)
	}
	return v.Unscaled(scale)
}

func (w *writer) instant(name string, v *time.Time) {
	n, err := micros(*v)
	if err != nil {
		w.reject(name, "%v", err)
	}
	w.out.long(n)
}

// micros returns a time as timestamp-micros. It refuses nanoseconds, and a year without the four
// digits that RFC 3339 requires.
func micros(t time.Time) (int64, error) {
	n, year := t.UnixMicro(), t.UTC().Year()
	switch {
	case year < 1 || year > 9999:
		return 0, fmt.Errorf("%s is not in the years 1 to 9999", t)
	case !t.Equal(time.UnixMicro(n)):
		return 0, fmt.Errorf("%s is finer than a microsecond", t)
	}
	return n, nil
}

func (w *writer) period(_ string, v *trade.Period) {
	w.out.long(int64(v.Start))
	w.out.long(int64(v.End))
}

func (w *writer) id(_ string, v *uuid.UUID)     { w.out.string(v.String()) }
func (w *writer) digest(_ string, v *[32]byte)  { w.out.raw(v[:]) }
func (w *writer) record(_ string, walk func())  { walk() }
func (w *writer) present(_ string, p bool) bool { w.out.long(branch(p)); return p }

func (w *writer) spelled(_, text string) string { return text }

func (w *writer) symbol(name, text string, i, _ int) int {
	if i < 0 {
		w.reject(name, "%q is not one of its symbols", text)
	}
	w.out.long(int64(i))
	return i
}

// list writes one block of n items without its size, then the empty block that ends an array.
func (w *writer) list(_ string, n int, _ func(), item func(i int)) {
	if n > 0 {
		w.out.long(int64(n))
	}
	for i := range n {
		item(i)
	}
	w.out.long(0)
}

// branch returns the index of a value in a union of null and the value's type.
func branch(present bool) int64 {
	if present {
		return 1
	}
	return 0
}

// bounds holds the least numbers that are too long, by scale.
var bounds = map[int32]trade.Decimal{
	unitScale:    trade.Dec("1" + zeros[:precision-unitScale]),
	amountScale:  trade.Dec("1" + zeros[:precision-amountScale]),
	enteredScale: trade.Dec("1" + zeros[:precision-enteredScale]),
}

const zeros = "0000000000000000000000000000"

// writeEntered writes the last field of a settlement: the values that were entered in another unit.
func writeEntered(out encoder, all []trade.Entered) error {
	w := &writer{out: out}
	entered(w, &all)
	return w.err
}
