package projection

import (
	"slices"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
)

// Refold returns the saved states of a pool after a change of its legs (L3.I4). saved are the
// states before the change, in the order of their legs; first is the first changed leg. after
// returns the legs that now come after a saved state, in their order; the zero state is before all
// legs.
//
// A state is saved after every Spacing legs, and after the last leg. A pool without legs has none.
func Refold(saved []contract.SavedPool, first trade.LegKey,
	after func(contract.SavedPool) ([]trade.Leg, error)) ([]contract.SavedPool, error) {
	kept, at := []contract.SavedPool{}, contract.SavedPool{}
	for _, s := range saved {
		if s.Last.Compare(first) >= 0 {
			break
		}
		kept, at = append(kept, s), s
	}
	legs, err := after(at)
	if err != nil || len(legs) == 0 {
		return kept, err
	}
	if at.Legs%contract.Spacing != 0 { // it was saved as the last state, and is not the last now
		kept = kept[:len(kept)-1]
	}
	at.Pool = at.Pool.Clone()
	for i, l := range legs {
		at.Pool.Apply(l)
		at.Legs, at.Last = at.Legs+1, l.Key
		if at.Legs%contract.Spacing == 0 || i == len(legs)-1 {
			state := at
			state.Pool = at.Pool.Clone()
			kept = append(kept, state)
		}
	}
	return slices.Clip(kept), nil
}
