package trade

// Average is a pool by average cost: one quantity with one cost. Cost has the sign of the quantity's worth: what was
// paid for a long position is positive, what was received for a short one negative.
type Average struct {
	Quantity Decimal `json:"quantity"`
	Cost     Decimal `json:"cost"`
	Realised Decimal `json:"realised"`
}

// apply takes a leg that does not cross zero.
func (a *Average) apply(l Leg) {
	if !opposite(l.Quantity, a.Quantity) {
		a.Quantity, a.Cost = a.Quantity.Add(l.Quantity), a.Cost.Sub(l.Amount)
		return
	}
	out := share(a.Cost, l.Quantity, a.Quantity, l.Pool.Currency)
	a.Quantity, a.Cost = a.Quantity.Add(l.Quantity), a.Cost.Sub(out)
	a.Realised = a.Realised.Add(l.Amount).Sub(out)
}

// reprice takes a leg without a quantity, as a change of price makes one. It is cost where the contract is on the side
// that is open; otherwise what it was part of is closed, and it is realised.
func (a *Average) reprice(l Leg) {
	if l.Side.Sign().Sign() == a.Quantity.Sign() {
		a.Cost = a.Cost.Sub(l.Amount)
		return
	}
	a.Realised = a.Realised.Add(l.Amount)
}
