package trade_test

import (
	"encoding/json"
	"math/big"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"example.com/blotter/labs/kit/trade"
)

// decimals draws any decimal that ParseDecimal takes: small ones, large ones, and some at the limit
// between the two.
func decimals() *rapid.Generator[trade.Decimal] {
	return rapid.Custom(func(t *rapid.T) trade.Decimal {
		return dec(rapid.OneOf(
			rapid.StringMatching(`-?[0-9]{1,12}(\.[0-9]{1,8})?`),
			rapid.StringMatching(`-?[0-9]{1,18}(\.[0-9]{1,10})?`),
			rapid.StringMatching(`-?(9{7,10}|10{7,9})(\.[09]{8,10})?`),
			rapid.StringMatching(`-?0\.0{5,9}[0-9]`),
		).Draw(t, "decimal"))
	})
}

func rat(d trade.Decimal) *big.Rat {
	r, _ := new(big.Rat).SetString(d.String())
	return r
}

// halfEven rounds r to places by the definition: to the nearest, and to the even one of two.
func halfEven(r *big.Rat, places int) *big.Rat {
	scale := new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(places)), nil))
	scaled := new(big.Rat).Mul(r, scale)
	// Division is Euclidean: it rounds down for a positive denominator.
	floor := new(big.Int).Div(scaled.Num(), scaled.Denom())
	switch new(big.Rat).Sub(scaled, new(big.Rat).SetInt(floor)).Cmp(big.NewRat(1, 2)) {
	case 1:
		floor.Add(floor, big.NewInt(1))
	case 0:
		floor.Add(floor, big.NewInt(int64(floor.Bit(0))))
	}
	return new(big.Rat).Quo(new(big.Rat).SetInt(floor), scale)
}

func TestArithmeticIsExact(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a, b := decimals().Draw(t, "a"), decimals().Draw(t, "b")
		require.Zero(t, rat(a.Add(b)).Cmp(new(big.Rat).Add(rat(a), rat(b))))
		require.Zero(t, rat(a.Sub(b)).Cmp(new(big.Rat).Sub(rat(a), rat(b))))
		require.Zero(t, rat(a.Mul(b)).Cmp(new(big.Rat).Mul(rat(a), rat(b))))
		require.Equal(t, rat(a).Cmp(rat(b)), a.Cmp(b))
		require.Equal(t, rat(a).Sign(), a.Sign())
		require.Zero(t, rat(a.Neg()).Cmp(new(big.Rat).Neg(rat(a))))
		require.Zero(t, rat(a.Abs()).Cmp(new(big.Rat).Abs(rat(a))))
	})
}

// A number has one representation, however it came about: == and reflect.DeepEqual of structs that
// contain it, and its text, agree with Equal.
func TestDecimalHasOneForm(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a, b := decimals().Draw(t, "a"), decimals().Draw(t, "b")
		large := dec("1234567890123456789012345678")
		for _, again := range []trade.Decimal{a.Add(b).Sub(b), a.Neg().Neg(),
			a.Mul(large).Sub(a.Mul(large.Sub(trade.Int(1)))), trade.MulDiv(a, large, large, 10),
			trade.MulDiv(a, trade.Int(3), trade.Int(3), 10)} {
			require.Equal(t, a, again)
			require.Equal(t, a.String(), again.String())
			require.Equal(t, a.Places(), again.Places())
		}
	})
}

func TestMulDivRoundsHalfToEven(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a, b := decimals().Draw(t, "a"), decimals().Draw(t, "b")
		c := decimals().Filter(func(d trade.Decimal) bool { return !d.IsZero() }).Draw(t, "c")
		places := rapid.IntRange(0, 8).Draw(t, "places")
		want := halfEven(new(big.Rat).Quo(new(big.Rat).Mul(rat(a), rat(b)), rat(c)), places)
		require.Zero(t, rat(trade.MulDiv(a, b, c, int32(places))).Cmp(want))
	})
	for in, want := range map[string]string{"0.5": "0", "1.5": "2", "2.5": "2", "-0.5": "0",
		"-1.5": "-2", "2.51": "3"} {
		require.Equal(t, want, dec(in).Round(0).String(), in)
	}
	require.Panics(t, func() { trade.MulDiv(trade.Int(1), trade.Int(1), trade.Int(0), 2) })
}

func TestUnscaledBytesAreShortest(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a := decimals().Draw(t, "a")
		places := rapid.Int32Range(a.Places(), 10).Draw(t, "places")
		b, err := a.Unscaled(places)
		require.NoError(t, err)
		back, err := trade.FromUnscaled(b, places)
		require.NoError(t, err)
		require.True(t, a.Equal(back))
		_, err = trade.FromUnscaled(append([]byte{byte(int8(b[0]) >> 7)}, b...), places)
		require.ErrorIs(t, err, trade.ErrDecimal, "a longer encoding of the same number")
	})
	_, err := dec("1.999").Unscaled(2)
	require.ErrorIs(t, err, trade.ErrDecimal, "no digit is cut off")
	for _, c := range []struct {
		in   string
		want []byte
	}{{"0", []byte{0}}, {"1.27", []byte{0x7f}}, {"1.28", []byte{0, 0x80}}, {"-1.28",
		[]byte{0x80}}, {"-1.29", []byte{0xff, 0x7f}}, {"-0.01", []byte{0xff}}} {
		got, err := dec(c.in).Unscaled(2)
		require.NoError(t, err)
		require.Equal(t, c.want, got, c.in)
	}
	for _, b := range [][]byte{nil, make([]byte, 17)} {
		_, err := trade.FromUnscaled(b, 2)
		require.ErrorIs(t, err, trade.ErrDecimal)
	}
}

func TestParseDecimalTakesOneNotation(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{"0": "0", "-0.00": "0", "1.50": "1.5", "007": "7",
		"-12.340": "-12.34", "100": "100"} {
		d, err := trade.ParseDecimal(in)
		require.NoError(t, err, in)
		require.Equal(t, want, d.String())
	}
	for _, in := range []string{"", "-", ".", "1.", ".5", "+1", "1e3", "1,5", "1_000", "NaN",
		"Infinity", " 1", "1 ", "--1", "1.2.3", "0x10", "١",
		strings.Repeat("9", trade.MaxDigits+1), "0." + strings.Repeat("1", trade.MaxPlaces+1)} {
		_, err := trade.ParseDecimal(in)
		require.ErrorIs(t, err, trade.ErrDecimal, "%q", in)
	}
}

func TestDecimalsAreTextInJSON(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a := decimals().Draw(t, "a").Mul(decimals().Draw(t, "b"))
		text, err := json.Marshal(a)
		require.NoError(t, err)
		var back trade.Decimal
		require.NoError(t, json.Unmarshal(text, &back))
		require.True(t, a.Equal(back))
	})
	require.Error(t, json.Unmarshal([]byte(`"1e5"`), new(trade.Decimal)))
	require.Equal(t, "1.50", dec("1.5").Fixed(2))
	require.Equal(t, "2.00", dec("2").Fixed(2))
	require.Equal(t, "2", dec("2").Fixed(0))
}
