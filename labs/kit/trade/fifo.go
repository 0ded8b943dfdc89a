package trade

// FIFO is a pool by lots, which close in the order they opened. All lots are on one side.
type FIFO struct {
	Lots     []Lot   `json:"lots"`
	Realised Decimal `json:"realised"`
}

// A Lot is what is left of one opening leg, with its cost (signed as Average.Cost is).
type Lot struct {
	Stream   string  `json:"stream"` // that the leg came from
	Quantity Decimal `json:"quantity"`
	Cost     Decimal `json:"cost"`
}

// Cost is what the open lots cost together.
func (f FIFO) Cost() Decimal {
	sum := Decimal{}
	for _, lot := range f.Lots {
		sum = sum.Add(lot.Cost)
	}
	return sum
}

// apply takes a leg that does not cross zero.
func (f *FIFO) apply(l Leg) {
	if len(f.Lots) == 0 || !opposite(l.Quantity, f.Lots[0].Quantity) {
		f.Lots = append(f.Lots, Lot{l.Key.Stream, l.Quantity, l.Amount.Neg()})
		return
	}
	f.Realised = f.Realised.Add(l.Amount)
	for left := l.Quantity.Abs(); !left.IsZero(); {
		left = left.Sub(f.takeOut(left, l.Pool.Currency))
	}
}

// takeOut closes up to q of the first lot, and says how much it was.
func (f *FIFO) takeOut(q Decimal, c Currency) Decimal {
	lot := &f.Lots[0]
	if size := lot.Quantity.Abs(); q.Cmp(size) >= 0 {
		f.Realised = f.Realised.Sub(lot.Cost)
		f.Lots = f.Lots[1:]
		return size
	}
	out := share(lot.Cost, q, lot.Quantity, c)
	f.Realised, lot.Cost = f.Realised.Sub(out), lot.Cost.Sub(out)
	if lot.Quantity.Sign() > 0 {
		lot.Quantity = lot.Quantity.Sub(q)
	} else {
		lot.Quantity = lot.Quantity.Add(q)
	}
	return q
}

// reprice takes a leg without a quantity: it is cost of the newest open lot of its own contract, and realised where
// there is none. A lot on the other side is not what was repriced: a reduction opened it, where others had closed what it reduces.
func (f *FIFO) reprice(l Leg) {
	for i := len(f.Lots) - 1; i >= 0; i-- {
		if lot := &f.Lots[i]; lot.Stream == l.Key.Stream && lot.Quantity.Sign() == l.Side.Sign().Sign() {
			lot.Cost = lot.Cost.Sub(l.Amount)
			return
		}
	}
	f.Realised = f.Realised.Add(l.Amount)
}
