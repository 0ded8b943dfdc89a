package trade

import (
	"cmp"
	"strings"
)

// Compare orders legs: by effective time, stream, slot version and number.
func (k LegKey) Compare(o LegKey) int {
	return cmp.Or(
		k.EffectiveAt.Compare(o.EffectiveAt),
		cmp.Compare(k.Stream, o.Stream),
		cmp.Compare(k.Version, o.Version),
		cmp.Compare(k.N, o.N),
	)
}

// Compare orders pools: by book, instrument and currency.
func (k PoolKey) Compare(o PoolKey) int {
	return cmp.Or(
		cmp.Compare(k.Book, o.Book),
		cmp.Compare(k.Instrument, o.Instrument),
		cmp.Compare(k.Currency, o.Currency),
	)
}

// Curve is the name of the curve that marks the pool.
func (k PoolKey) Curve() string {
	curve, _, _ := strings.Cut(k.Instrument, "@")
	return curve
}

// Changed is which pools a contract's legs touch differently than before, each with its earliest leg that came, went
// or changed: the pool's fold holds up to there. Both lists are in the order of their keys.
func Changed(before, after []Leg) map[PoolKey]LegKey {
	touched := map[PoolKey]LegKey{}
	touch := func(l Leg) {
		if first, ok := touched[l.Pool]; !ok || l.Key.Compare(first) < 0 {
			touched[l.Pool] = l.Key
		}
	}
	for len(before) > 0 || len(after) > 0 {
		switch {
		case len(after) == 0 || len(before) > 0 && before[0].Key.Compare(after[0].Key) < 0:
			touch(before[0])
			before = before[1:]
		case len(before) == 0 || after[0].Key.Compare(before[0].Key) < 0:
			touch(after[0])
			after = after[1:]
		default:
			if !before[0].same(after[0]) {
				touch(before[0])
				touch(after[0])
			}
			before, after = before[1:], after[1:]
		}
	}
	return touched
}

func (l Leg) same(o Leg) bool {
	return l.Key.Compare(o.Key) == 0 && l.Pool == o.Pool && l.Side == o.Side &&
		l.Quantity.Equal(o.Quantity) && l.Amount.Equal(o.Amount)
}
