package audit

import (
	"context"

	"example.com/blotter/labs/kit/check"
	"example.com/blotter/labs/kit/contract"
)

// Trace returns the events of a contract in version order, each with its proof under the last
// checkpoint, and this checkpoint (L5.I10).
//
// Exercise 6. The stream of a contract is trade.TradeStream(uti).
func (a *Auditor) Trace(ctx context.Context, uti string) (
	rows []contract.TraceRow, under contract.Checkpoint, err error) {
	return nil, under, check.TODO("L5.trace")
}
