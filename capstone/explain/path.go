package explain

import (
	"cmp"
	"slices"

	"example.com/blotter/labs/kit/trade"
)

// A path follows the P&L of pools from state to state.
type path struct {
	last  map[trade.PoolKey]reached
	parts []Part                  // in the order of the path, without those of time
	time  map[trade.PoolKey]Value // the change by time
}

// reached is the last value of a pool. While it has none, the unrealised part is the last known
// one, or nil before the first.
type reached struct {
	Value
	missing bool
}

func newPath() *path {
	return &path{last: map[trade.PoolKey]reached{}, time: map[trade.PoolKey]Value{}}
}

// begin sets the first value of a pool. Without it, a pool begins with no legs.
func (p *path) begin(key trade.PoolKey, v Value) { p.last[key] = reached{v, v.Unrealised == nil} }

// step takes the next value of a pool, and adds the change since the last known one as a part.
func (p *path) step(key trade.PoolKey, v Value, part Part) {
	last, followed := p.last[key]
	if !followed {
		last.Value = nothing()
	}
	change, missing := v.Minus(last.Value), v.Unrealised == nil
	next := reached{v, missing}
	if missing {
		next.Unrealised = last.Unrealised
	}
	p.last[key] = next
	switch {
	case part.Class == Time:
		if change.Unrealised != nil { // else the next known value has the change
			p.time[key] = change.Plus(valueIn(p.time, key))
		}
	case change.IsZero(), missing && last.missing && part.isMark():
	default:
		part.PoolKey, part.Value = key, change
		p.parts = append(p.parts, part)
	}
}

// isMark reports whether a mark made the part.
func (p Part) isMark() bool {
	_, ok := curveIn(p.Cause.Stream)
	return ok
}

// report groups the parts by book and currency, between the values at the two ends. changes has all
// pools.
func (p *path) report(from, to, changes map[trade.PoolKey]Value) (all []Difference) {
	books := map[[2]string]*Difference{}
	for _, key := range sorted(changes) {
		k := [2]string{key.Book, string(key.Currency)}
		if books[k] == nil {
			books[k] = &Difference{Book: key.Book, Currency: key.Currency,
				From: nothing(), To: nothing(), Change: nothing()}
		}
		d := books[k]
		d.From, d.To = d.From.Plus(valueIn(from, key)), d.To.Plus(valueIn(to, key))
		d.Change = d.Change.Plus(changes[key])
		if changes[key].Unrealised == nil {
			d.Unmarked++
		}
	}
	for _, key := range sorted(p.time) {
		if v := p.time[key]; !v.IsZero() {
			p.parts = append(p.parts, Part{PoolKey: key, Class: Time, Value: v})
		}
	}
	for _, part := range p.parts {
		d := books[[2]string{part.Book, string(part.Currency)}]
		d.Parts = append(d.Parts, part)
	}
	//determinism:unordered the differences are sorted
	for _, d := range books {
		all = append(all, *d)
	}
	slices.SortFunc(all, func(a, b Difference) int {
		return cmp.Or(cmp.Compare(a.Book, b.Book), cmp.Compare(a.Currency, b.Currency))
	})
	return all
}

// valueIn returns the value of a pool; it is nothing for a pool without legs.
func valueIn(values map[trade.PoolKey]Value, key trade.PoolKey) Value {
	if v, ok := values[key]; ok {
		return v
	}
	return nothing()
}

// Sum adds up the parts of a class. ok is false without any. A part without an amount counts only
// if no other has one.
func (d Difference) Sum(c Class) (sum Value, ok bool) {
	for _, p := range d.Parts {
		switch {
		case p.Class != c:
		case !ok:
			sum, ok = p.Value, true
		case p.Unrealised == nil || sum.Unrealised == nil:
			sum = Value{sum.Realised.Add(p.Realised), cmp.Or(sum.Unrealised, p.Unrealised)}
		default:
			sum = sum.Plus(p.Value)
		}
	}
	return sum, ok
}

// Largest returns the parts by their total, the largest gain or loss first, then by the realised
// amount. Parts without a total come last.
func (d Difference) Largest() []Part {
	size := func(p Part) trade.Decimal {
		if total := p.Total(); total != nil {
			return total.Abs()
		}
		return trade.Int(-1)
	}
	return slices.SortedStableFunc(slices.Values(d.Parts), func(a, b Part) int {
		return cmp.Or(size(b).Cmp(size(a)), b.Realised.Abs().Cmp(a.Realised.Abs()))
	})
}
