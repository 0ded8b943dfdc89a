package trade

import "time"

// resolve makes explicit what a command leaves to be understood, against the contract as it is at the command's slot:
//
//	10 MW, in NEW                       10 MW over all hours of the delivery that begin at or after the slot
//	10 MW, in an amendment              the same, if delivery has not begun: else what was delivered would be guessed
//	4 MW, in a reduction                4 MW over the hours that are left
//	no quantity, in a reduction         all that is open
//
// Anything else stays as it is, for Evolve to judge.
func (t Trade) resolve(body Body, at time.Time) (Body, *Refusal) {
	var r *Refusal
	switch b := body.(type) {
	case New:
		return b.resolve(at)
	case Amend:
		b.Quantity, r = t.amended(b.Quantity, at)
		return b, r
	case Reducer:
		q, ok := b.Reduction()
		if !ok {
			return body, nil
		}
		q, r = t.reduced(q, at)
		return b.WithReduction(q), r
	}
	return body, nil
}

// resolve keeps the capacity that was agreed beside the energy it comes to. A capacity that comes with the energy must
// come to it.
func (n New) resolve(at time.Time) (Body, *Refusal) {
	capacity := Quantity{n.Capacity, MW}
	if n.Quantity.Unit == MW {
		capacity = n.Quantity
	}
	if capacity.Value.IsZero() || n.Instrument.check() != nil {
		return n, nil
	}
	energy, r := n.Instrument.energy(capacity, at)
	if r != nil {
		return n, r
	}
	if n.Quantity.Unit != MW && !energy.Value.Equal(n.Quantity.Value) {
		return n, refuse(BadTerms, "%s over the delivery is %s, not %s", capacity, energy, n.Quantity)
	}
	n.Quantity, n.Capacity = energy, capacity.Value
	return n, nil
}

func (t Trade) amended(q Quantity, at time.Time) (Quantity, *Refusal) {
	if q.Unit != MW || t.Status != Live || t.Unit != MWh {
		return q, nil
	}
	i := t.Terms.Instrument
	left, _ := Hours(i, at)
	if all, _ := Hours(i, time.Time{}); left != all {
		return q, refuse(AmendInDelivery, "%d of %d hours are left of %s: give the new total in MWh", left, all, i.Delivery)
	}
	return i.energy(q, at)
}

func (t Trade) reduced(q Quantity, at time.Time) (Quantity, *Refusal) {
	switch {
	case t.Status != Live:
		return q, nil
	case q.IsZero():
		return Quantity{t.Open, t.Unit}, nil
	case q.Unit == MW && t.Unit == MWh:
		return t.Terms.Instrument.energy(q, at)
	}
	return q, nil
}

// energy is a capacity over the hours not yet delivered.
func (i Instrument) energy(q Quantity, at time.Time) (Quantity, *Refusal) {
	if i.Commodity.Unit() != MWh {
		return q, refuse(WrongUnit, "%s of %s: want %s", q, i.Commodity, i.Commodity.Unit())
	}
	n, err := Hours(i, at)
	if err != nil {
		return q, refuse(BadTerms, "%v", err)
	}
	if n == 0 {
		return q, refuse(NothingToDeliver, "%s of %s, and no hour of it is left at %s", q, i.ID(), show(at))
	}
	return Quantity{q.Value.Mul(Int(n)), MWh}, nil
}
