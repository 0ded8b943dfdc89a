package trade

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
	"strconv"
	"strings"

	"github.com/cockroachdb/apd/v3"
)

// Decimal is an exact decimal number. It is immutable and always reduced: 1.50 and 1.5 are one
// value with one text.
//
// A number of up to smallDigits digits, and as many places, is two integers. It takes no memory
// besides. Nearly every number of a desk is small. Any other number is an apd.Decimal
// (cockroachdb/apd), whose arithmetic has arbitrary precision. So sums and products are exact and
// need no error result; fixed-width libraries round silently once a product exceeds their width.
// An operation takes the short way if its intermediate results fit, and the way of apd otherwise.
// Both give the same number. The only division is MulDiv, which takes the number of places, so
// nothing else ever rounds.
type Decimal struct {
	n      int64        // the number is n / 10^places, with |n| < 10^smallDigits, if large is nil
	places int32        // digits after the point, of which the last is not zero
	large  *apd.Decimal // any other number; shared, and never written to
}

// smallDigits leaves room for the sum of two coefficients in an int64.
const smallDigits = 18

// Limits of a parsed decimal. They bound the work that a hostile input can cause. Arithmetic inside
// the program has no limits.
const (
	MaxDigits = 28 // significant digits
	MaxPlaces = 10 // digits after the point
)

// ErrDecimal is wrapped by every error of ParseDecimal.
var ErrDecimal = errors.New("not a decimal")

// exact has no precision limit: with it Add, Sub and Mul never round.
var exact = apd.BaseContext

// ParseDecimal reads plain notation: an optional minus, digits, and optionally a point and digits.
// It takes no exponent, no plus, no thousands separator and no NaN, and at most MaxDigits digits,
// of which at most MaxPlaces are after the point.
func ParseDecimal(s string) (Decimal, error) {
	whole, frac, point := strings.Cut(strings.TrimPrefix(s, "-"), ".")
	if !digits(whole) || point && !digits(frac) {
		return Decimal{}, fmt.Errorf("%w: %q: want digits with at most one point, as in -1234.56",
			ErrDecimal, s)
	}
	if len(frac) > MaxPlaces || len(whole)+len(frac) > MaxDigits {
		return Decimal{}, fmt.Errorf("%w: %q: more than %d digits, or %d after the point",
			ErrDecimal, s, MaxDigits, MaxPlaces)
	}
	return parse(s)
}

func parse(s string) (Decimal, error) {
	whole, frac, _ := strings.Cut(s, ".")
	if len(whole)+len(frac) <= smallDigits {
		n, err := strconv.ParseInt(whole+frac, 10, 64)
		return scaled(n, int32(len(frac))), err
	}
	var d apd.Decimal
	if _, _, err := d.SetString(s); err != nil {
		return Decimal{}, fmt.Errorf("%w: %q: %v", ErrDecimal, s, err)
	}
	return reduced(&d), nil
}

// Dec is ParseDecimal for constants in code and tests. It panics for a text that is not a decimal.
func Dec(s string) Decimal {
	d, err := ParseDecimal(s)
	if err != nil {
		panic(err)
	}
	return d
}

// Int returns the decimal of a whole number.
func Int(n int64) Decimal { return scaled(n, 0) }

// digits reports whether s has digits only, and at least one.
func digits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// scaled returns n / 10^places.
func scaled(n int64, places int32) Decimal {
	for places > 0 && n%10 == 0 {
		n, places = n/10, places-1
	}
	if !isSmall(n) || places > smallDigits {
		return Decimal{large: apd.New(n, -places)}
	}
	return Decimal{n: n, places: places}
}

func isSmall(n int64) bool { return -tens[smallDigits] < n && n < tens[smallDigits] }

// reduced removes trailing zeros after the point, never before it.
func reduced(d *apd.Decimal) Decimal {
	var r apd.Decimal
	r.Reduce(d)
	if r.Exponent > 0 {
		r.Coeff.Mul(&r.Coeff, pow10(r.Exponent))
		r.Exponent = 0
	}
	if !r.Coeff.IsInt64() || !isSmall(r.Coeff.Int64()) {
		return Decimal{large: &r}
	}
	n := r.Coeff.Int64() // of the magnitude
	if r.Negative {
		n = -n
	}
	return scaled(n, -r.Exponent)
}

// apd returns a as apd knows it. The result may be shared: callers must not write to it.
func (a Decimal) apd() *apd.Decimal {
	if a.large != nil {
		return a.large
	}
	return apd.New(a.n, -a.places)
}

// tens holds the powers of ten that an int64 holds.
var tens = func() (all [smallDigits + 1]int64) {
	all[0] = 1
	for i := range smallDigits {
		all[i+1] = 10 * all[i]
	}
	return all
}()

// times returns a·b, or false if an int64 does not hold it.
func times(a, b int64) (product int64, ok bool) {
	product = a * b
	hi, lo := bits.Mul64(magnitude(a), magnitude(b))
	return product, hi == 0 && lo>>63 == 0
}

func magnitude(n int64) uint64 {
	if n < 0 {
		return uint64(-n)
	}
	return uint64(n)
}

// aligned returns the coefficients of two decimals for the same places, or false if one of them is
// not small.
func aligned(a, b Decimal) (x, y int64, places int32, ok bool) {
	x, okX := a.at(max(a.places, b.places))
	y, okY := b.at(max(a.places, b.places))
	return x, y, max(a.places, b.places), okX && okY && isSmall(x) && isSmall(y)
}

// at returns the coefficient of a for as many places or more, or false if an int64 does not hold
// it.
func (a Decimal) at(places int32) (n int64, ok bool) {
	switch more := places - a.places; {
	case a.large != nil || more > smallDigits:
		return 0, false
	case more == 0:
		return a.n, true
	default:
		return times(a.n, tens[more])
	}
}

// powers holds the small powers of ten, which every decimal on the wire needs.
var powers = func() []apd.BigInt {
	all := make([]apd.BigInt, MaxDigits+1)
	for i := range all {
		all[i].Exp(apd.NewBigInt(10), apd.NewBigInt(int64(i)), nil)
	}
	return all
}()

// pow10 returns 10^n. The result is shared: callers must not write to it.
func pow10(n int32) *apd.BigInt {
	if int(n) < len(powers) {
		return &powers[n]
	}
	return new(apd.BigInt).Exp(apd.NewBigInt(10), apd.NewBigInt(int64(n)), nil)
}

// Add returns the exact sum.
func (a Decimal) Add(b Decimal) Decimal {
	if x, y, places, ok := aligned(a, b); ok {
		return scaled(x+y, places)
	}
	return a.with(exact.Add, b)
}

// Sub returns the exact difference.
func (a Decimal) Sub(b Decimal) Decimal { return a.Add(b.Neg()) }

// Mul returns the exact product.
func (a Decimal) Mul(b Decimal) Decimal {
	if n, ok := times(a.n, b.n); ok && a.large == nil && b.large == nil {
		return scaled(n, a.places+b.places)
	}
	return a.with(exact.Mul, b)
}

func (a Decimal) with(op func(d, x, y *apd.Decimal) (apd.Condition, error), b Decimal) Decimal {
	var r apd.Decimal
	if _, err := op(&r, a.apd(), b.apd()); err != nil { // only past apd's limit of exponents
		panic(fmt.Sprintf("trade: exact arithmetic failed on %s and %s: %v", a, b, err))
	}
	return reduced(&r)
}

// MulDiv returns a·b/c, rounded half to even at the given places after the point. Each use is one
// of the named places at which this package rounds. A c of zero is a broken invariant and panics.
func MulDiv(a, b, c Decimal, places int32) Decimal { return HalfEven.mulDiv(a, b, c, places) }

// A Rounding is a rule for the digits that a result has no place for. Every answer rounds half to
// even. The other rules show the effect of that choice: a fold and a valuation by another rule use
// it wherever they round. A value on record stays as it is, also if it was rounded when the event
// was decided: a value in another unit, and the amount that an exercise carries in.
type Rounding string

const (
	HalfEven Rounding = ""        // to the nearest, and from the middle to the even digit
	HalfUp   Rounding = "half-up" // to the nearest, and from the middle away from zero
	Up       Rounding = "up"      // away from zero
	Down     Rounding = "down"    // towards zero
)

// isUp reports whether a magnitude is rounded up. half compares its rest with half a unit, and odd
// is that of its last digit.
func (r Rounding) isUp(exact bool, half int, odd bool) bool {
	switch r {
	case HalfUp:
		return half >= 0
	case Up:
		return !exact
	case Down:
		return false
	}
	return half > 0 || half == 0 && odd
}

// mulDiv is the only division.
func (r Rounding) mulDiv(a, b, c Decimal, places int32) Decimal {
	if c.IsZero() {
		panic("trade: MulDiv by zero")
	}
	// a·b/c = (A·B / C) · 10^(-pa-pb+pc), where A, B and C are whole numbers. The shift makes the
	// quotient count units of 10^-places.
	shift := places - a.Places() - b.Places() + c.Places()
	negative := (a.Sign() < 0) != (b.Sign() < 0) != (c.Sign() < 0)
	if n, ok := r.shortMulDiv(a, b, c, shift); ok {
		if negative {
			n = -n
		}
		return scaled(n, places)
	}
	num, den := new(apd.BigInt), new(apd.BigInt).Set(&c.apd().Coeff)
	num.Mul(&a.apd().Coeff, &b.apd().Coeff)
	if shift >= 0 {
		num.Mul(num, pow10(shift))
	} else {
		den.Mul(den, pow10(-shift))
	}
	quo, rem := new(apd.BigInt).QuoRem(num, den, new(apd.BigInt))
	exact := rem.Sign() == 0
	half := rem.Mul(rem, apd.NewBigInt(2)).Cmp(den)
	if r.isUp(exact, half, quo.Bit(0) == 1) {
		quo.Add(quo, apd.NewBigInt(1))
	}
	d := apd.NewWithBigInt(quo, -places)
	d.Negative = negative
	return reduced(d)
}

// shortMulDiv returns the magnitude of mulDiv in units of its last place. ok is false if the
// numerator has more than 128 bits, or the denominator or the quotient more than 62.
func (r Rounding) shortMulDiv(a, b, c Decimal, shift int32) (n int64, ok bool) {
	if a.large != nil || b.large != nil || c.large != nil || max(shift, -shift) > smallDigits {
		return 0, false
	}
	den := magnitude(c.n)
	hi, lo := bits.Mul64(magnitude(a.n), magnitude(b.n))
	if shift >= 0 {
		if hi != 0 {
			return 0, false
		}
		hi, lo = bits.Mul64(lo, uint64(tens[shift]))
	} else if most, ok := times(c.n, tens[-shift]); ok {
		den = magnitude(most)
	} else {
		return 0, false
	}
	if den>>62 != 0 || hi >= den {
		return 0, false
	}
	quo, rem := bits.Div64(hi, lo, den)
	if quo>>62 != 0 {
		return 0, false
	}
	if r.isUp(rem == 0, cmp.Compare(2*rem, den), quo%2 == 1) {
		quo++
	}
	return int64(quo), true
}

// Round returns a, rounded half to even at the given places after the point.
func (a Decimal) Round(places int32) Decimal { return MulDiv(a, Int(1), Int(1), places) }

// Neg returns -a.
func (a Decimal) Neg() Decimal {
	if a.large != nil {
		return Decimal{large: new(apd.Decimal).Neg(a.large)}
	}
	a.n = -a.n
	return a
}

// Abs returns a without its sign.
func (a Decimal) Abs() Decimal {
	if a.Sign() < 0 {
		return a.Neg()
	}
	return a
}

// Sign returns -1, 0 or 1.
func (a Decimal) Sign() int {
	if a.large != nil {
		return a.large.Sign()
	}
	return cmp.Compare(a.n, 0)
}

// IsZero reports whether a is zero, as the zero value is.
func (a Decimal) IsZero() bool { return a.large == nil && a.n == 0 }

// Cmp returns -1, 0 or 1 where a is less than, equal to or greater than b.
func (a Decimal) Cmp(b Decimal) int {
	if x, y, _, ok := aligned(a, b); ok {
		return cmp.Compare(x, y)
	}
	return a.apd().Cmp(b.apd())
}

// Equal reports whether a and b are the same number.
func (a Decimal) Equal(b Decimal) bool { return a.Cmp(b) == 0 }

// Places returns the number of digits after the point.
func (a Decimal) Places() int32 {
	if a.large != nil {
		return -a.large.Exponent
	}
	return a.places
}

// String returns plain notation without trailing zeros, the only text of this number.
func (a Decimal) String() string {
	text, _ := a.MarshalText()
	return string(text)
}

// Fixed returns plain notation with at least the given places, for amounts shown to people.
func (a Decimal) Fixed(places int32) string {
	s := a.String()
	if have := a.Places(); have < places {
		if have == 0 {
			s += "."
		}
		s += strings.Repeat("0", int(places-have))
	}
	return s
}

// Unscaled returns the whole number a·10^places as big-endian two's complement in as few bytes as
// hold it: the bytes of an Avro decimal (Avro 1.11.1, "Decimal"). It fails where a has more places,
// so no digit is ever cut off.
func (a Decimal) Unscaled(places int32) ([]byte, error) {
	if a.Places() > places {
		return nil, fmt.Errorf("%w: %s has more than %d digits after the point",
			ErrDecimal, a, places)
	}
	if n, ok := a.at(places); ok {
		b := binary.BigEndian.AppendUint64(nil, uint64(n))
		for len(b) > 1 && isPadded(b) {
			b = b[1:]
		}
		return b, nil
	}
	n := new(apd.BigInt).Mul(&a.apd().Coeff, pow10(places-a.Places()))
	if a.Sign() > 0 {
		b := n.Bytes()
		if b[0]&0x80 != 0 {
			b = append([]byte{0}, b...)
		}
		return b, nil
	}
	// -n in two's complement of k bytes is 2^8k - n, where k is the least with n <= 2^(8k-1).
	k := uint(new(apd.BigInt).Sub(n, apd.NewBigInt(1)).BitLen()/8 + 1)
	n.Sub(new(apd.BigInt).Lsh(apd.NewBigInt(1), 8*k), n)
	return n.Bytes(), nil
}

// isPadded reports whether the first two bytes of a number in two's complement repeat its sign.
func isPadded(b []byte) bool {
	return b[0] == 0 && b[1]&0x80 == 0 || b[0] == 0xff && b[1]&0x80 != 0
}

// FromUnscaled is the inverse of Unscaled. It refuses empty input and input that is longer than
// needed, because each number has one encoding. It refuses more than 16 bytes, which bounds the
// work. 16 bytes hold up to 38 digits: the reader checks the precision that its schema states.
func FromUnscaled(b []byte, places int32) (Decimal, error) {
	switch {
	case len(b) == 0 || len(b) > 16:
		return Decimal{}, fmt.Errorf("%w: %d unscaled bytes, want 1 to 16", ErrDecimal, len(b))
	case len(b) > 1 && isPadded(b):
		return Decimal{}, fmt.Errorf("%w: unscaled bytes % x are longer than needed", ErrDecimal, b)
	}
	negative := b[0]&0x80 != 0
	if len(b) <= 8 {
		n := -int64(b[0] >> 7) // all bits are the sign
		for _, next := range b {
			n = n<<8 | int64(next)
		}
		return scaled(n, places), nil
	}
	n := new(apd.BigInt).SetBytes(b)
	if negative {
		n.Sub(new(apd.BigInt).Lsh(apd.NewBigInt(1), uint(8*len(b))), n)
	}
	d := apd.NewWithBigInt(n, -places)
	d.Negative = negative
	return reduced(d), nil
}

// MarshalText returns the text of String.
func (a Decimal) MarshalText() ([]byte, error) {
	if a.large != nil {
		return a.large.Append(nil, 'f'), nil
	}
	text := make([]byte, 0, smallDigits+4)
	if a.n < 0 {
		text = append(text, '-')
	}
	if a.places == 0 {
		return strconv.AppendUint(text, magnitude(a.n), 10), nil
	}
	one := uint64(tens[a.places])
	text = strconv.AppendUint(text, magnitude(a.n)/one, 10)
	point := len(text)
	text = strconv.AppendUint(text, one+magnitude(a.n)%one, 10) // the 1 keeps leading zeros
	text[point] = '.'
	return text, nil
}

// UnmarshalText is ParseDecimal without its limits on size: the canonical state is our own, and its
// sums may have any length.
func (a *Decimal) UnmarshalText(text []byte) error {
	whole, frac, point := strings.Cut(strings.TrimPrefix(string(text), "-"), ".")
	if !digits(whole) || point && !digits(frac) {
		return fmt.Errorf("%w: %q", ErrDecimal, text)
	}
	d, err := parse(string(text))
	if err == nil {
		*a = d
	}
	return err
}
