package trade

import "fmt"

// Fold is the state of the contract uti, as known and as effective at the times given. The events come in any order. A
// contract that has not begun by then has no status. A history with a slot that may not stand where it does is a
// *SlotError.
func Fold(uti string, events []Event, at AsOf) (Trade, error) {
	line, bad := timelineOf(events, at)
	if bad != nil {
		return Trade{}, bad
	}
	t, bad := foldSlots(uti, effective(line.slots, at.Effective))
	if bad != nil {
		return Trade{}, bad
	}
	return t, nil
}

// foldSlots takes slots that are in their order. Nothing follows a void: what stands behind one, being effective later, is moot, and
// not illegal, or a contract that has any such event could never be voided.
func foldSlots(uti string, slots []Slot) (Trade, *SlotError) {
	t := Trade{UTI: uti}
	for _, s := range slots {
		next, r := Evolve(t, s)
		if r != nil {
			return t, &SlotError{s.Version, r}
		}
		if t = next; t.Status == Voided {
			break
		}
	}
	t.mustConserve()
	return t, nil
}

// mustConserve holds the invariant that makes a contract's quantities an account: whatever was contracted is open or has
// gone somewhere, and nothing is negative.
func (t Trade) mustConserve() {
	sum := Decimal{}
	for _, q := range []Decimal{t.Open, t.Settled, t.Novated, t.Exercised, t.Terminated} {
		if q.Sign() < 0 {
			panic(fmt.Sprintf("trade: %s has a negative quantity: %+v", t.UTI, t))
		}
		sum = sum.Add(q)
	}
	if !sum.Equal(t.Contracted) {
		panic(fmt.Sprintf("trade: %s contracted %s, but accounts for %s", t.UTI, t.Contracted, sum))
	}
}
