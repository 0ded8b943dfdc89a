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
	marked    map[string]map[trade.PoolKey]bool // the pools that a curve values
}

// A pool is the legs of its contracts. A change of one contract costs as much as it is late.
type pool struct {
	*trade.Ledger
	open map[string]trade.Trade // the contracts of which a quantity is open, by stream
}

// worldOf folds the streams of trades and curves by the rules of a history, as known and as
// effective at the given times.
func worldOf(h History, at trade.AsOf) *world {
	w := &world{
		h.Rules, map[string]trade.Trade{}, map[string]trade.Curve{}, map[trade.PoolKey]*pool{},
		map[string]map[trade.PoolKey]bool{},
	}
	folds := folds{h.Rules, at.Effective, map[string]*trade.Stream{}}
	for _, e := range recorded(h.Streams) {
		if at.Knows(e.RecordedAt) {
			folds.take(e)
		}
	}
	for _, stream := range slices.Sorted(maps.Keys(folds.streams)) {
		if curve, ok := curveIn(stream); ok {
			w.curves[curve] = folds.streams[stream].Curve()
		} else {
			w.set(stream, folds.streams[stream].Trade())
		}
	}
	return w
}

// curveIn returns the name of the curve that a stream marks. ok is false for any other stream.
func curveIn(stream string) (name string, ok bool) {
	return strings.CutPrefix(stream, trade.CurveStream(""))
}

// folds takes the events of many streams, each of which it folds by steps.
type folds struct {
	rules     Rules
	effective time.Time
	streams   map[string]*trade.Stream
}

// take takes the next event of its stream.
func (f *folds) take(e placed) *trade.Stream {
	s := f.streams[e.stream]
	if s == nil {
		s = f.rules.Rounding.Stream(e.stream, f.effective)
		f.streams[e.stream] = s
	}
	s.Follow(e.Event)
	return s
}

// touched returns the pools that change when a contract does, in their order. The value of a pool
// depends on the legs of its contracts: each flow and each open quantity comes from a leg.
func (w *world) touched(stream string, next trade.Trade) []trade.PoolKey {
	return sorted(trade.Changed(w.contracts[stream].Legs, next.Legs))
}

// set replaces a contract.
func (w *world) set(stream string, next trade.Trade) {
	//determinism:unordered each pool changes for itself
	for key, from := range trade.Changed(w.contracts[stream].Legs, next.Legs) {
		p := w.pool(key)
		p.Replace(stream, key, from, next.Legs)
		delete(p.open, stream)
		// All legs of a contract share a pool.
		if len(next.Legs) > 0 && next.Legs[0].Pool == key && !next.Open.IsZero() {
			p.open[stream] = next
		}
	}
	w.contracts[stream] = next
}

func (w *world) pool(key trade.PoolKey) *pool {
	p := w.pools[key]
	if p == nil {
		p = &pool{trade.NewLedger(w.rules.Rounding), map[string]trade.Trade{}}
		w.pools[key] = p
		curve := w.rules.curve(key)
		if w.marked[curve] == nil {
			w.marked[curve] = map[trade.PoolKey]bool{}
		}
		w.marked[curve][key] = true
	}
	return p
}

// value returns the P&L of a pool at a time.
func (w *world) value(key trade.PoolKey, at time.Time) Value {
	p := w.pools[key]
	if p == nil || p.IsEmpty() {
		return nothing()
	}
	open := func(yield func(trade.Trade) bool) {
		//determinism:unordered a valuation adds the contracts up
		for _, t := range p.open {
			if !yield(t) {
				return
			}
		}
	}
	v := trade.PositionOf(key, p.Pool()).ValuedAt(at, open,
		w.curves[w.rules.curve(key)], w.rules.Rounding)
	gain := v.AverageCost
	if w.rules.FIFO {
		gain = v.FIFO
	}
	return Value{gain.Realised, gain.Unrealised}
}

// atCost returns the P&L of a pool as if its position were worth nothing.
func (w *world) atCost(key trade.PoolKey) Value {
	p := trade.PositionOf(key, w.pools[key].Pool())
	result := p.AverageCost
	if w.rules.FIFO {
		result = p.FIFO
	}
	minus := result.Cost.Neg()
	return Value{result.Realised, &minus}
}

// on returns the pools that a curve values, in their order.
func (w *world) on(curve string) []trade.PoolKey { return sorted(w.marked[curve]) }

// values returns the P&L of every pool at a time.
func (w *world) values(at time.Time) map[trade.PoolKey]Value {
	all := map[trade.PoolKey]Value{}
	for key := range w.pools {
		all[key] = w.value(key, at)
	}
	return all
}
