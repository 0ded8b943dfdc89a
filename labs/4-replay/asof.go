package replay

import (
	"context"

	"example.com/blotter/labs/kit/check"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
)

// AsOf returns the state as known and as effective at two times. It is known at the frontier if
// at.Known is zero. A time past the frontier is a *contract.BeyondFrontierError: events recorded by
// then may yet come (L4.I7). It ends with the errors of Replay, too.
//
// Exercise 6, a bonus. log.Frontier and log.End are two questions, and the log grows in between.
func (r Replayer) AsOf(ctx context.Context, log contract.Reader, at trade.AsOf) (
	trade.State, error) {
	return trade.State{}, check.TODO("L4.asof")
}
