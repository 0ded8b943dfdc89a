package projection

import (
	"example.com/blotter/labs/kit/check"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
)

// Refold returns the saved states of a pool after a change of its legs (L3.I4). saved are the
// states before the change, in the order of their legs; first is the first changed leg. after
// returns the legs that now come after a saved state, in their order; the zero state is before all
// legs. saved belongs to the caller.
//
// A state is saved after every contract.Spacing legs, and after the last leg. A pool without legs
// has none.
//
// Exercise 4. Until you write it, the model folds each changed pool from its first leg (refoldAll
// in model.go). That is right, and slow.
func Refold(saved []contract.SavedPool, first trade.LegKey,
	after func(contract.SavedPool) ([]trade.Leg, error)) ([]contract.SavedPool, error) {
	return nil, check.TODO("L3.refold")
}
