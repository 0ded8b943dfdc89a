package projection

import (
	"context"
	"fmt"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
)

// AsOf is the state as it was known, and as it is effective, at the two times of at. It folds the events that p has
// taken from scratch; p's own rows are the answer for the zero AsOf alone.
//
// Whether at.Known is settled already is for the caller to ask of the log (contract.Reader.Frontier).
func AsOf(ctx context.Context, p contract.ModelEvents, at trade.AsOf) (trade.State, error) {
	streams := map[string][]trade.Event{}
	for e, err := range p.Events(ctx) {
		if err != nil {
			return trade.State{}, fmt.Errorf("read the model's events: %w", err)
		}
		streams[e.Stream] = append(streams[e.Stream], e.Event)
	}
	return trade.StateOf(streams, at)
}
