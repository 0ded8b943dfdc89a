package projection

import (
	"maps"
	"slices"
	"strings"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
)

// Fold returns the rows that a batch changes. taken is the part of each stream of the batch that
// the model has taken before, by stream. The events of a stream come in version order.
func Fold(taken map[string]contract.Taken, batch []contract.StreamEvent) (
	contract.Changes, error) {
	streams := map[string][]trade.Event{}
	for _, e := range batch {
		if streams[e.Stream] == nil {
			streams[e.Stream] = slices.Clone(taken[e.Stream].Events)
		}
		streams[e.Stream] = append(streams[e.Stream], e.Event)
	}
	changes := contract.Changes{
		Curves: map[string]trade.Curve{}, Pools: map[trade.PoolKey]trade.LegKey{},
	}
	for _, stream := range slices.Sorted(maps.Keys(streams)) {
		if name, isCurve := strings.CutPrefix(stream, trade.CurveStream("")); isCurve {
			changes.Curves[name], _ = trade.FoldCurve(name, streams[stream], trade.AsOf{})
		}
		uti, isTrade := strings.CutPrefix(stream, trade.TradeStream(""))
		if !isTrade {
			continue
		}
		t, _ := trade.Fold(uti, streams[stream], trade.AsOf{})
		changes.Trades = append(changes.Trades, t)
		for pool, leg := range trade.Changed(taken[stream].Legs, t.Legs) {
			if first, ok := changes.Pools[pool]; !ok || leg.Compare(first) < 0 {
				changes.Pools[pool] = leg
			}
		}
	}
	return changes, nil
}
