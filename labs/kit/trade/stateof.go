package trade

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// StateOf folds everything from scratch: the streams of trades and curves, by name, as known and as effective at the times
// given. Other streams are left out. It is the plain definition of the state, which Book arrives at by steps.
func StateOf(streams map[string][]Event, at AsOf) (State, error) {
	var s State
	pools, curves := map[PoolKey][]Leg{}, map[string]Curve{}
	for _, stream := range slices.Sorted(maps.Keys(streams)) {
		var bad error
		if name, ok := strings.CutPrefix(stream, CurveStream("")); ok {
			curves[name], bad = curveOf(streams[stream], at)
		} else if uti, ok := strings.CutPrefix(stream, TradeStream("")); ok {
			bad = s.add(uti, streams[stream], at, pools)
		}
		if bad != nil {
			return State{}, fmt.Errorf("stream %s: %w", stream, bad)
		}
	}
	for _, key := range slices.SortedFunc(maps.Keys(pools), PoolKey.Compare) {
		s.Positions = append(s.Positions, PositionOf(key, net(pools[key]), curves[key.Curve()]))
	}
	return s, nil
}

// add takes a contract, unless it has not begun by then. Streams come sorted, so the contracts do.
func (s *State) add(uti string, events []Event, at AsOf, pools map[PoolKey][]Leg) error {
	t, err := Fold(uti, events, at)
	if err != nil || t.Status == "" {
		return err
	}
	s.Trades = append(s.Trades, t)
	for _, l := range t.Legs {
		pools[l.Pool] = append(pools[l.Pool], l)
	}
	return nil
}

func curveOf(events []Event, at AsOf) (Curve, error) {
	c, bad := foldCurve(events, at)
	if bad != nil {
		return Curve{}, bad
	}
	return c, nil
}

// net folds the legs of one pool.
func net(legs []Leg) Pool {
	slices.SortFunc(legs, func(a, b Leg) int { return a.Key.Compare(b.Key) })
	var p Pool
	for _, l := range legs {
		p.Apply(l)
	}
	return p
}
