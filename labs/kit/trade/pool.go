package trade

import "slices"

// A Pool nets legs by both cost methods at once. Costs and amounts have the currency's minor unit and are never derived from
// prices. Of both methods holds, whatever the legs:
//
//	realised - cost = the sum of all amounts
//
// so their totals, realised and unrealised, are equal: they differ in when, not in how much. That the totals agree is no test of the split: what
// a method puts on the wrong side of it cancels out.
type Pool struct {
	Average Average `json:"average"`
	FIFO    FIFO    `json:"fifo"`
}

// Apply takes the next leg, in the order of leg keys.
func (p *Pool) Apply(l Leg) {
	held := p.Average.Quantity // the same by both methods
	if l.Quantity.IsZero() {
		p.Average.reprice(l)
		p.FIFO.reprice(l)
		return
	}
	for _, part := range split(l, held) {
		p.Average.apply(part)
		p.FIFO.apply(part)
	}
}

// Clone shares nothing with p.
func (p *Pool) Clone() Pool {
	c := *p
	c.FIFO.Lots = slices.Clone(c.FIFO.Lots)
	return c
}

// split cuts a leg that crosses zero: one part closes what is held, the other opens on the other side. The
// closing part's amount is rounded, the opening part has the rest. This is one of the named places that round.
func split(l Leg, held Decimal) []Leg {
	if !opposite(l.Quantity, held) || l.Quantity.Abs().Cmp(held.Abs()) <= 0 {
		return []Leg{l}
	}
	closing, opening := l, l
	closing.Quantity = held.Neg()
	closing.Amount = MulDiv(l.Amount, held.Abs(), l.Quantity.Abs(), l.Pool.Currency.Places())
	opening.Quantity = l.Quantity.Sub(closing.Quantity)
	opening.Amount = l.Amount.Sub(closing.Amount)
	return []Leg{closing, opening}
}

func opposite(a, b Decimal) bool { return a.Sign()*b.Sign() < 0 }

// share is the part of cost that goes with a part of the quantity, rounded to the currency's minor unit; all of it goes
// with the last. This is one of the named places that round.
func share(cost, part, whole Decimal, c Currency) Decimal {
	return MulDiv(cost, part.Abs(), whole.Abs(), c.Places())
}
