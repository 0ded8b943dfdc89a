package trade

import (
	"errors"
	"fmt"
	"strings"

	"github.com/cockroachdb/apd/v3"
)

// Decimal is an exact decimal number. It is immutable and always reduced: 1.50 and 1.5 are one
// value with one text.
//
// It wraps cockroachdb/apd, for two reasons. Arithmetic there has arbitrary precision, so sums and
// products are exact and need no error result; fixed-width libraries round silently once a product
// exceeds their width. And its coefficient is accessible, so Avro's two's-complement bytes are read
// and written without a float or a big.Rat in between. The only division is MulDiv, which takes the
// number of places, so apd itself never rounds.
type Decimal struct{ d apd.Decimal }

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
func Int(n int64) Decimal { return reduced(apd.New(n, 0)) }

// digits reports whether s has digits only, and at least one.
func digits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// reduced removes trailing zeros after the point, never before it, and turns minus zero into zero.
func reduced(d *apd.Decimal) Decimal {
	var r apd.Decimal
	r.Reduce(d)
	if r.Exponent > 0 {
		r.Coeff.Mul(&r.Coeff, pow10(r.Exponent))
		r.Exponent = 0
	}
	if r.Coeff.Sign() == 0 {
		r.Negative, r.Exponent = false, 0
	}
	return Decimal{r}
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
func (a Decimal) Add(b Decimal) Decimal { return a.with(exact.Add, b) }

// Sub returns the exact difference.
func (a Decimal) Sub(b Decimal) Decimal { return a.with(exact.Sub, b) }

// Mul returns the exact product.
func (a Decimal) Mul(b Decimal) Decimal { return a.with(exact.Mul, b) }

func (a Decimal) with(op func(d, x, y *apd.Decimal) (apd.Condition, error), b Decimal) Decimal {
	var r apd.Decimal
	if _, err := op(&r, &a.d, &b.d); err != nil { // only past apd's limit of exponents
		panic(fmt.Sprintf("trade: exact arithmetic failed on %s and %s: %v", a, b, err))
	}
	return reduced(&r)
}

// MulDiv returns a·b/c, rounded half to even at the given places after the point. Each use is one
// of the named places at which this package rounds. A c of zero is a broken invariant and panics.
func MulDiv(a, b, c Decimal, places int32) Decimal { return HalfEven.mulDiv(a, b, c, places) }

// A Rounding is a rule for the digits that a result has no place for. Every answer rounds half to
// even. The other rules show the effect of that choice: see Pool.Rounding.
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
	// a·b/c = (A·B / C) · 10^(ea+eb-ec), where A, B and C are whole numbers. The shift makes the
	// quotient count units of 10^-places.
	num := new(apd.BigInt).Mul(&a.d.Coeff, &b.d.Coeff)
	den := new(apd.BigInt).Set(&c.d.Coeff)
	if shift := a.d.Exponent + b.d.Exponent - c.d.Exponent + places; shift >= 0 {
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
	d.Negative = (a.d.Negative != b.d.Negative) != c.d.Negative
	return reduced(d)
}

// Round returns a, rounded half to even at the given places after the point.
func (a Decimal) Round(places int32) Decimal { return MulDiv(a, Int(1), Int(1), places) }

// Neg returns -a.
func (a Decimal) Neg() Decimal {
	if a.IsZero() {
		return a
	}
	a.d.Negative = !a.d.Negative
	return a
}

// Abs returns a without its sign.
func (a Decimal) Abs() Decimal {
	a.d.Negative = false
	return a
}

// Sign returns -1, 0 or 1.
func (a Decimal) Sign() int { return a.d.Sign() }

// IsZero reports whether a is zero, as the zero value is.
func (a Decimal) IsZero() bool { return a.d.IsZero() }

// Cmp returns -1, 0 or 1 where a is less than, equal to or greater than b.
func (a Decimal) Cmp(b Decimal) int { return a.d.Cmp(&b.d) }

// Equal reports whether a and b are the same number.
func (a Decimal) Equal(b Decimal) bool { return a.Cmp(b) == 0 }

// Places returns the number of digits after the point.
func (a Decimal) Places() int32 { return -a.d.Exponent }

// String returns plain notation without trailing zeros, the only text of this number.
func (a Decimal) String() string { return a.d.Text('f') }

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
	n := new(apd.BigInt).Mul(&a.d.Coeff, pow10(places-a.Places()))
	if !a.d.Negative {
		b := n.Bytes()
		if len(b) == 0 || b[0]&0x80 != 0 {
			b = append([]byte{0}, b...)
		}
		return b, nil
	}
	// -n in two's complement of k bytes is 2^8k - n, where k is the least with n <= 2^(8k-1).
	k := uint(new(apd.BigInt).Sub(n, apd.NewBigInt(1)).BitLen()/8 + 1)
	n.Sub(new(apd.BigInt).Lsh(apd.NewBigInt(1), 8*k), n)
	return n.Bytes(), nil
}

// FromUnscaled is the inverse of Unscaled. It refuses empty input and input that is longer than
// needed, because each number has one encoding. It refuses more than 16 bytes, which bounds the
// work. 16 bytes hold up to 38 digits: the reader checks the precision that its schema states.
func FromUnscaled(b []byte, places int32) (Decimal, error) {
	switch {
	case len(b) == 0 || len(b) > 16:
		return Decimal{}, fmt.Errorf("%w: %d unscaled bytes, want 1 to 16", ErrDecimal, len(b))
	case len(b) > 1 && (b[0] == 0 && b[1]&0x80 == 0 || b[0] == 0xff && b[1]&0x80 != 0):
		return Decimal{}, fmt.Errorf("%w: unscaled bytes % x are longer than needed", ErrDecimal, b)
	}
	n := new(apd.BigInt).SetBytes(b)
	negative := b[0]&0x80 != 0
	if negative {
		n.Sub(new(apd.BigInt).Lsh(apd.NewBigInt(1), uint(8*len(b))), n)
	}
	d := apd.NewWithBigInt(n, -places)
	d.Negative = negative
	return reduced(d), nil
}

// MarshalText returns the text of String.
func (a Decimal) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

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
