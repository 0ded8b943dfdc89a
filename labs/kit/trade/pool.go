package trade

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// A LegKey orders legs across trades: by effective time, then by the time at which the contract was
// entered, then stream, slot version and number. It does not depend on the time or the order in
// which events were recorded, and a correction moves a leg only by its effective time.
type LegKey struct {
	EffectiveAt time.Time `json:"effective_at"`
	EnteredAt   time.Time `json:"entered_at"` // of the contract's version 1
	Stream      string    `json:"stream"`
	Version     int64     `json:"version"` // of the slot
	N           int       `json:"n"`
}

// Compare orders legs: by effective time, time of entry, stream, slot version and number.
func (k LegKey) Compare(o LegKey) int {
	return cmp.Or(
		k.EffectiveAt.Compare(o.EffectiveAt),
		k.EnteredAt.Compare(o.EnteredAt),
		cmp.Compare(k.Stream, o.Stream),
		cmp.Compare(k.Version, o.Version),
		cmp.Compare(k.N, o.N),
	)
}

// A PoolKey names a pool: the legs that net against each other.
type PoolKey struct {
	Book       string   `json:"book"`
	Instrument string   `json:"instrument"` // Instrument.ID
	Currency   Currency `json:"currency"`
}

// Compare orders pools: by book, instrument and currency.
func (k PoolKey) Compare(o PoolKey) int {
	return cmp.Or(
		cmp.Compare(k.Book, o.Book),
		cmp.Compare(k.Instrument, o.Instrument),
		cmp.Compare(k.Currency, o.Currency),
	)
}

// Curve returns the name of the curve that marks the pool.
func (k PoolKey) Curve() string {
	curve, _, _ := strings.Cut(k.Instrument, "@")
	return curve
}

// A Leg is one movement of a pool: a quantity (bought is positive) and an amount (cash to us). It
// has no price: a price derived from the two would have to be rounded.
//
// An exit is a leg that leaves the book other than by a trade with the market: a novation, a
// termination, a lower quantity. It takes its own lot with it, at its own cost.
type Leg struct {
	Key      LegKey  `json:"key"`
	Pool     PoolKey `json:"pool"`
	Side     Side    `json:"side"` // of the contract that the leg belongs to
	Quantity Decimal `json:"quantity"`
	Amount   Decimal `json:"amount"`
	Exit     bool    `json:"exit,omitzero"`
	OwnCost  Decimal `json:"own_cost,omitzero"` // of an exit, signed as Average.Cost
}

func (l Leg) same(o Leg) bool {
	return l.Key.Compare(o.Key) == 0 && l.Pool == o.Pool && l.Side == o.Side &&
		l.Quantity.Equal(o.Quantity) && l.Amount.Equal(o.Amount) &&
		l.Exit == o.Exit && l.OwnCost.Equal(o.OwnCost)
}

// Changed returns the pools in which two lists of a contract's legs differ, each with the earliest
// leg that came, went or changed. The fold of the pool stays valid up to that leg. Both lists are
// in the order of their keys.
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

// A Pool nets legs by both cost methods at once. Costs and amounts are in the currency's minor
// unit, and never derived from prices. For both methods, and all legs:
//
//	realised - cost = the sum of all amounts
//
// So their totals of realised and unrealised P&L are equal. The methods differ in the time at
// which P&L is realised, not in its total. Equal totals do not prove the split: an amount that a
// method puts on the wrong side cancels out.
//
// An exit takes out its own cost, so an average price may leave the range of the prices paid. Of
// 100 bought at 50 and 100 at 60, 100 are sold: by average cost, 100 at 55 are left. Then 75 of
// those at 60 are terminated: 5500 - 4500 is the cost of the other 25, or 40 each.
type Pool struct {
	Average Average `json:"average"`
	FIFO    FIFO    `json:"fifo"`

	// Rounding is the rule for the cost that leaves the pool. It moves cents between the realised
	// P&L and the cost.
	Rounding Rounding `json:"-"`
}

// Apply takes the next leg, in the order of leg keys.
func (p *Pool) Apply(l Leg) {
	if l.Quantity.IsZero() {
		p.Average.reprice(l)
		p.FIFO.reprice(l)
		return
	}
	held := p.Average.Quantity // the same by both methods
	if opposite(l.Quantity, held) && l.Quantity.Abs().Cmp(held.Abs()) > 0 {
		closing, opening := split(l, held, p.Rounding)
		p.apply(closing)
		l = opening
	}
	p.apply(l)
}

// apply takes a leg that does not cross zero.
func (p *Pool) apply(l Leg) {
	p.Average.apply(l, p.Rounding)
	p.FIFO.apply(l, p.Rounding)
}

// Clone returns a copy that shares nothing with p.
func (p *Pool) Clone() Pool {
	c := *p
	c.FIFO.Lots = slices.Clone(c.FIFO.Lots)
	return c
}

// split cuts a leg that crosses zero. One part closes the held quantity, the other opens the other
// side. The amount of the closing part is rounded, and the opening part gets the rest. This is one
// of the named places at which this package rounds.
func split(l Leg, held Decimal, r Rounding) (closing, opening Leg) {
	closing, opening = l, l
	closing.Quantity = held.Neg()
	closing.Amount = r.mulDiv(
		l.Amount, held.Abs(), l.Quantity.Abs(), l.Pool.Currency.Places())
	opening.Quantity = l.Quantity.Sub(closing.Quantity)
	opening.Amount = l.Amount.Sub(closing.Amount)
	return closing, opening
}

func opposite(a, b Decimal) bool { return a.Sign()*b.Sign() < 0 }

// share returns the cost of a part of a quantity, rounded to the currency's minor unit. The last
// part takes all that is left. This is one of the named places at which this package rounds.
func share(cost, part, quantity Decimal, c Currency, r Rounding) Decimal {
	return r.mulDiv(cost, part.Abs(), quantity.Abs(), c.Places())
}

// Average is a pool by average cost: one quantity with one cost. The cost of a long position is
// positive (cash paid), the cost of a short one negative (cash received).
type Average struct {
	Quantity Decimal `json:"quantity"`
	Cost     Decimal `json:"cost"`
	Realised Decimal `json:"realised"`
}

// apply takes a leg that does not cross zero.
func (a *Average) apply(l Leg, r Rounding) {
	if !opposite(l.Quantity, a.Quantity) {
		a.Quantity, a.Cost = a.Quantity.Add(l.Quantity), a.Cost.Sub(l.Amount)
		return
	}
	out := share(a.Cost, l.Quantity, a.Quantity, l.Pool.Currency, r)
	a.Quantity = a.Quantity.Add(l.Quantity)
	if l.Exit && !a.Quantity.IsZero() { // a flat pool keeps no cost
		out = l.OwnCost
	}
	a.Cost = a.Cost.Sub(out)
	a.Realised = a.Realised.Add(l.Amount).Sub(out)
}

// reprice takes a leg without a quantity, which a change of price makes. Its amount is cost while
// the contract's side is open. Otherwise the repriced quantity is closed, and the amount is
// realised.
func (a *Average) reprice(l Leg) {
	if l.Side.Sign().Sign() == a.Quantity.Sign() {
		a.Cost = a.Cost.Sub(l.Amount)
		return
	}
	a.Realised = a.Realised.Add(l.Amount)
}

// FIFO is a pool by lots, which close in the order in which they opened. An exit closes the lots of
// its own contract before any other. All lots are on one side.
type FIFO struct {
	Lots     []Lot   `json:"lots"`
	Realised Decimal `json:"realised"`
}

// A Lot is the rest of one opening leg, with its cost (signed as Average.Cost).
type Lot struct {
	Stream   string  `json:"stream"` // of the leg
	Quantity Decimal `json:"quantity"`
	Cost     Decimal `json:"cost"`
}

// Cost returns the cost of the open lots.
func (f FIFO) Cost() Decimal {
	sum := Decimal{}
	for _, lot := range f.Lots {
		sum = sum.Add(lot.Cost)
	}
	return sum
}

// apply takes a leg that does not cross zero.
func (f *FIFO) apply(l Leg, r Rounding) {
	if len(f.Lots) == 0 || !opposite(l.Quantity, f.Lots[0].Quantity) {
		f.Lots = append(f.Lots, Lot{l.Key.Stream, l.Quantity, l.Amount.Neg()})
		return
	}
	f.Realised = f.Realised.Add(l.Amount)
	for left := l.Quantity.Abs(); !left.IsZero(); {
		left = left.Sub(f.takeOut(f.next(l), left, l.Pool.Currency, r))
	}
}

// next returns the index of the lot that a closing leg takes from next.
func (f *FIFO) next(l Leg) int {
	if !l.Exit {
		return 0
	}
	own := func(lot Lot) bool { return lot.Stream == l.Key.Stream }
	return max(0, slices.IndexFunc(f.Lots, own))
}

// takeOut closes up to q of the lot at i, and returns the quantity that it closed.
func (f *FIFO) takeOut(i int, q Decimal, c Currency, r Rounding) Decimal {
	lot := &f.Lots[i]
	if size := lot.Quantity.Abs(); q.Cmp(size) >= 0 {
		f.Realised = f.Realised.Sub(lot.Cost)
		copy(f.Lots[1:], f.Lots[:i]) // mostly none: the first lot closes most often
		f.Lots = f.Lots[1:]
		return size
	}
	out := share(lot.Cost, q, lot.Quantity, c, r)
	f.Realised, lot.Cost = f.Realised.Sub(out), lot.Cost.Sub(out)
	if lot.Quantity.Sign() > 0 {
		lot.Quantity = lot.Quantity.Sub(q)
	} else {
		lot.Quantity = lot.Quantity.Add(q)
	}
	return q
}

// reprice applies a leg that has an amount and no quantity. The amount changes the cost of the
// newest open lot of the leg's contract. If the contract has no open lot, the amount is realised.
// Lots on the other side are skipped: a reduction of the contract opened such a lot, after other
// contracts had closed the reduced quantity.
func (f *FIFO) reprice(l Leg) {
	for i := len(f.Lots) - 1; i >= 0; i-- {
		lot := &f.Lots[i]
		if lot.Stream == l.Key.Stream && lot.Quantity.Sign() == l.Side.Sign().Sign() {
			lot.Cost = lot.Cost.Sub(l.Amount)
			return
		}
	}
	f.Realised = f.Realised.Add(l.Amount)
}
