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
	unscaled, err := v.Unscaled(scale)
	if err != nil {
		w.reject(name, "%v", err)
	}
	if tooLong(*v, scale) {
		w.reject(name, "%s has more than %d digits at scale %d", *v, precision, scale)
	}
	w.out.bytes(unscaled)
}

func (w *writer) instant(name string, v *time.Time) {
	switch micros := v.UnixMicro(); {
	case yearOutOfRange(*v):
		w.reject(name, "%s is not in the years 1 to 9999", v)
	case !v.Equal(time.UnixMicro(micros)):
		w.reject(name, "%s is finer than a microsecond", v)
	default:
		w.out.long(micros)
	}
}

func (w *writer) period(_ string, v *trade.Period) {
	w.out.long(int64(v.Start))
	w.out.long(int64(v.End))
}

func (w *writer) id(_ string, v *uuid.UUID)     { w.out.string(v.String()) }
func (w *writer) digest(_ string, v *[32]byte)  { w.out.raw(v[:]) }
func (w *writer) record(_ string, walk func())  { walk() }
func (w *writer) present(_ string, p bool) bool { w.out.long(branch(p)); return p }

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

// tooLong reports whether v has more digits than the precision of a decimal allows.
func tooLong(v trade.Decimal, scale int32) bool {
	return v.Abs().Cmp(bounds[scale]) >= 0
}

// bounds holds the least numbers that are too long, by scale.
var bounds = map[int32]trade.Decimal{
	unitScale:    trade.Dec("1" + zeros[:precision-unitScale]),
	amountScale:  trade.Dec("1" + zeros[:precision-amountScale]),
	enteredScale: trade.Dec("1" + zeros[:precision-enteredScale]),
}

const zeros = "0000000000000000000000000000"

// yearOutOfRange reports whether a time lacks the four-digit year that RFC 3339 requires.
func yearOutOfRange(t time.Time) bool {
	year := t.UTC().Year()
	return year < 1 || year > 9999
}
