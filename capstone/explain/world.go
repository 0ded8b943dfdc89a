package explain

import (
	"maps"
	"slices"
	"strings"
	"time"

	"example.com/blotter/labs/kit/trade"
)

// A world is the contracts and the curves at some place of a history, netted into pools.
type world struct {
	rules     Rules
	contracts map[string]trade.Trade // by stream
	curves    map[string]trade.Curve // by name
	pools     map[trade.PoolKey]*pool
}

// A pool is netted again only where a leg changes that is not the last one.
type pool struct {
	contracts map[string]trade.Trade // by stream: those with legs in it
	netted    trade.Pool
	last      trade.LegKey // of the netted legs
}

// worldOf folds the streams of trades and curves, as known and as effective at the given times.
func worldOf(h History, at trade.AsOf) *world {
	w := &world{
		h.Rules, map[string]trade.Trade{}, map[string]trade.Curve{}, map[trade.PoolKey]*pool{},
	}
	for _, stream := range slices.Sorted(maps.Keys(h.Streams)) {
		events := h.Streams[stream]
		if curve, ok := curveIn(stream); ok {
			w.curves[curve], _ = trade.FoldCurve(curve, events, at)
		} else if trade.Folds(stream) {
			w.set(stream, foldTrade(stream, events, at))
		}
	}
	return w
}

// curveIn returns the name of the curve that a stream marks. ok is false for any other stream.
func curveIn(stream string) (name string, ok bool) {
	return strings.CutPrefix(stream, trade.CurveStream(""))
}

func foldTrade(stream string, events []trade.Event, at trade.AsOf) trade.Trade {
	t, _ := trade.Fold(strings.TrimPrefix(stream, trade.TradeStream("")), events, at)
	return t
}

// touched returns the pools that change when a contract does, in their order. The value of a pool
// depends on the legs of its contracts: each flow and each open quantity comes from a leg.
func (w *world) touched(stream string, next trade.Trade) []trade.PoolKey {
	return sorted(trade.Changed(w.contracts[stream].Legs, next.Legs))
}

// set replaces a contract.
func (w *world) set(stream string, next trade.Trade) {
	for key, from := range trade.Changed(w.contracts[stream].Legs, next.Legs) {
		p := w.pools[key]
		if p == nil {
			p = &pool{contracts: map[string]trade.Trade{}}
			p.netted.Rounding = w.rules.Rounding
			w.pools[key] = p
		}
		delete(p.contracts, stream)
		if len(next.Legs) > 0 && next.Legs[0].Pool == key { // all legs of a contract share a pool
			p.contracts[stream] = next
		}
		p.net(from, p.contracts[stream].Legs)
	}
	w.contracts[stream] = next
}

// net nets the legs from a key on, which are those of one contract unless some are netted already.
func (p *pool) net(from trade.LegKey, legs []trade.Leg) {
	if from.Compare(p.last) <= 0 {
		p.netted = trade.Pool{Rounding: p.netted.Rounding}
		p.last, legs = trade.LegKey{}, nil
		for _, t := range p.contracts {
			legs = append(legs, t.Legs...)
		}
		slices.SortFunc(legs, func(a, b trade.Leg) int { return a.Key.Compare(b.Key) })
	}
	for _, leg := range legs {
		if leg.Key.Compare(p.last) > 0 {
			p.netted.Apply(leg)
			p.last = leg.Key
		}
	}
}

// value returns the P&L of a pool at a time.
func (w *world) value(key trade.PoolKey, at time.Time) Value {
	p := w.pools[key]
	if p == nil || len(p.contracts) == 0 {
		return nothing()
	}
	s := trade.State{
		Positions: []trade.Position{trade.PositionOf(key, p.netted)},
		Curves:    map[string]trade.Curve{key.Curve(): w.curves[w.rules.curve(key)]},
	}
	for _, stream := range slices.Sorted(maps.Keys(p.contracts)) {
		s.Trades = append(s.Trades, p.contracts[stream])
	}
	v := s.ValuedAt(at)[0]
	gain := v.AverageCost
	if w.rules.FIFO {
		gain = v.FIFO
	}
	return Value{gain.Realised, gain.Unrealised}
}

// atCost returns the P&L of a pool as if its position were worth nothing.
func (w *world) atCost(key trade.PoolKey) Value {
	p := trade.PositionOf(key, w.pools[key].netted)
	result := p.AverageCost
	if w.rules.FIFO {
		result = p.FIFO
	}
	minus := result.Cost.Neg()
	return Value{result.Realised, &minus}
}

// on returns the pools that a curve values, in their order.
func (w *world) on(curve string) []trade.PoolKey {
	other := func(key trade.PoolKey) bool { return w.rules.curve(key) != curve }
	return slices.DeleteFunc(sorted(w.pools), other)
}

// values returns the P&L of every pool at a time.
func (w *world) values(at time.Time) map[trade.PoolKey]Value {
	all := map[trade.PoolKey]Value{}
	for key := range w.pools {
		all[key] = w.value(key, at)
	}
	return all
}
