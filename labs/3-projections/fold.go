package projection

import (
	"example.com/blotter/labs/kit/check"
	"example.com/blotter/labs/kit/contract"
)

// Fold returns the rows that a batch changes. taken is the part of each stream of the batch that
// the model has taken before, by stream. The events of a stream come in version order. Both
// arguments belong to the caller.
//
// Exercise 1. The stream of a contract is trade.TradeStream(uti), that of a curve
// trade.CurveStream(name). Other streams hold refusals. trade.Fold and trade.FoldCurve fold one
// stream: give them trade.AsOf{}, and ignore their second result, which store looks after.
// trade.Changed compares the legs of a contract before and after.
func Fold(taken map[string]contract.Taken, batch []contract.StreamEvent) (
	contract.Changes, error) {
	return contract.Changes{}, check.TODO("L3.fold")
}
