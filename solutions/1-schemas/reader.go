package codec

import (
	"fmt"
	"math"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
)

// A reader fills in the fields of a walk. format.read writes the value again afterwards. A value
// that the writer refuses, such as a decimal with too many digits, needs no second check here.
type reader struct{ in decoder }

var _ fields = (*reader)(nil)

func (r *reader) malformed(name, format string, args ...any) {
	r.in.fail(fmt.Errorf("%s: %w: %s", name, contract.ErrMalformed, fmt.Sprintf(format, args...)))
}

func (r *reader) text(name string, v *string) {
	b := r.in.bytes()
	if !utf8.Valid(b) {
		r.malformed(name, "%.64q is not UTF-8", b)
	}
	*v = string(b)
}

func (r *reader) flag(_ string, v *bool)    { *v = r.in.bool() }
func (r *reader) number(_ string, v *int64) { *v = r.in.long() }

func (r *reader) decimal(name string, v *trade.Decimal, scale int32) {
	b := r.in.bytes()
	if r.in.failed() {
		return
	}
	d, err := trade.FromUnscaled(b, scale)
	if err != nil {
		r.malformed(name, "%v", err)
	}
	*v = d
}

func (r *reader) instant(_ string, v *time.Time) { *v = time.UnixMicro(r.in.long()).UTC() }

func (r *reader) period(name string, v *trade.Period) {
	*v = trade.Period{Start: r.day(name), End: r.day(name)}
}

// day reads an int. It reads it as a long, to detect a value that does not fit 32 bits.
func (r *reader) day(name string) trade.Day {
	n := r.in.long()
	if n < math.MinInt32 || n > math.MaxInt32 {
		r.malformed(name, "day %d does not fit 32 bits", n)
	}
	return trade.Day(n)
}

func (r *reader) id(name string, v *uuid.UUID) {
	b := r.in.bytes()
	if r.in.failed() {
		return
	}
	id, err := uuid.ParseBytes(b)
	if err != nil {
		r.malformed(name, "%.64q: %v", b, err)
	}
	*v = id
}

func (r *reader) digest(_ string, v *[32]byte) { copy(v[:], r.in.raw(int64(len(v)))) }
func (r *reader) record(_ string, walk func()) { walk() }

func (r *reader) spelled(_, text string) string { return text }

func (r *reader) symbol(name, _ string, _, n int) int {
	i := r.in.long()
	if i < 0 || i >= int64(n) {
		r.malformed(name, "symbol %d of %d", i, n)
		return -1
	}
	return int(i)
}

func (r *reader) present(name string, _ bool) bool {
	switch n := r.in.long(); {
	case r.in.failed():
		return false
	case n != 0 && n != 1:
		r.malformed(name, "branch %d of a union of 2", n)
		return false
	default:
		return n == 1
	}
}

// list reads blocks until it finds an empty one.
func (r *reader) list(_ string, _ int, grow func(), item func(i int)) {
	for i := 0; ; {
		n := r.in.length()
		if n == 0 {
			return
		}
		for range n {
			if r.in.failed() {
				return
			}
			grow()
			item(i)
			i++
		}
	}
}

// readEntered is the inverse of writeEntered. A fault is the decoder's error.
func readEntered(in decoder) (all []trade.Entered) {
	entered(&reader{in}, &all)
	return all
}
