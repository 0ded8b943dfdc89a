package replay

import (
	"context"
	"fmt"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
)

// AsOf returns the state as known and as effective at two times. It is known at the frontier if
// at.Known is zero. A time past the frontier is a *contract.BeyondFrontierError: events recorded by
// then may yet come (L4.I7).
func (r Replayer) AsOf(ctx context.Context, log contract.Reader, at trade.AsOf) (
	trade.State, error) {
	frontier, err := log.Frontier(ctx)
	if err != nil {
		return trade.State{}, fmt.Errorf("frontier of the log: %w", err)
	}
	if at.Known.After(frontier) {
		return trade.State{}, &contract.BeyondFrontierError{Asked: at.Known, Frontier: frontier}
	}
	if at.Known.IsZero() {
		at.Known = frontier
	}
	end, err := log.End(ctx) // AFTER the frontier: every event recorded by then is before end
	if err != nil {
		return trade.State{}, fmt.Errorf("end of the log: %w", err)
	}
	streams, _, err := r.streams(ctx, log, end)
	if err != nil {
		return trade.State{}, err
	}
	return trade.StateOf(streams, at), nil
}
