package explain

import (
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"

	"example.com/blotter/labs/kit/trade"
)

// A History is the events of trades and curves, by stream, and the rules that value them.
type History struct {
	Streams map[string][]trade.Event
	Rules   Rules
}

// WhatIf explains the P&L of the history would by that of the history is, both as effective at a
// time. It takes the events of both in the order of recorded_at. The part of an event is the
// difference after it, less the difference before it. The parts of a book come largest first.
func WhatIf(is, would History, at time.Time) []Difference {
	c := &comparison{
		newSide(is, at), newSide(would, at), newPath(), at, map[trade.PoolKey]map[string]bool{},
	}
	events := slices.Concat(recorded(is.Streams), recorded(would.Streams))
	slices.SortStableFunc(events, placed.compare)
	same := func(a, b placed) bool { return a.stream == b.stream && a.ID == b.ID }
	for _, e := range slices.CompactFunc(events, same) {
		touched := map[trade.PoolKey]bool{}
		for _, s := range []*side{c.is, c.would} {
			for _, key := range s.take(e) {
				touched[key] = true
			}
		}
		c.compare(e.stream, touched)
		part := Part{Class: ClassOf(e.Body), Cause: causeOf(e.stream, e.Event)}
		for _, key := range sorted(touched) {
			c.step(key, c.change(key), part)
		}
	}
	from, to := c.is.values(at), c.would.values(at)
	changes := maps.Clone(from)
	maps.Copy(changes, to)
	for _, key := range sorted(changes) {
		changes[key] = c.change(key)
	}
	differences := c.report(from, to, changes)
	for i, d := range differences {
		differences[i].Parts = d.Largest()
	}
	return differences
}

// A comparison follows the difference of two worlds.
type comparison struct {
	is, would *side
	*path
	at    time.Time
	apart map[trade.PoolKey]map[string]bool // the streams whose legs in the pool differ
}

// A side is a history and the world that its events made so far.
type side struct {
	*world
	folds folds
	has   map[uuid.UUID]bool
}

func newSide(h History, effective time.Time) *side {
	s := &side{
		worldOf(History{Rules: h.Rules}, trade.AsOf{}),
		folds{h.Rules, effective, map[string]*trade.Stream{}}, map[uuid.UUID]bool{},
	}
	for _, e := range recorded(h.Streams) {
		s.has[e.ID] = true
	}
	return s
}

// take takes an event, if the history has it, and returns the pools that may change with it.
func (s *side) take(e placed) []trade.PoolKey {
	if !s.has[e.ID] {
		return nil
	}
	fold := s.folds.take(e)
	if curve, ok := curveIn(e.stream); ok {
		s.curves[curve] = fold.Curve()
		return s.on(curve)
	}
	next := fold.Trade()
	touched := s.touched(e.stream, next)
	s.set(e.stream, next)
	return touched
}

// change returns the P&L of a pool in the world would, less that in the world is. The worth of an
// unmarked position is the same in both if they have the same legs and the same marks.
func (c *comparison) change(key trade.PoolKey) Value {
	is, would := c.is.value(key, c.at), c.would.value(key, c.at)
	if is.Unrealised == nil && would.Unrealised == nil && c.sameWorth(key) {
		is, would = c.is.atCost(key), c.would.atCost(key)
	}
	return would.Minus(is)
}

// compare notes in which pools the legs of a stream differ.
func (c *comparison) compare(stream string, touched map[trade.PoolKey]bool) {
	differ := trade.Changed(c.is.contracts[stream].Legs, c.would.contracts[stream].Legs)
	//determinism:unordered each pool is noted for itself
	for key := range touched {
		if c.apart[key] == nil {
			c.apart[key] = map[string]bool{}
		}
		if _, is := differ[key]; is {
			c.apart[key][stream] = true
		} else {
			delete(c.apart[key], stream)
		}
	}
}

// sameWorth reports whether a pool has the same legs and the same marks in both worlds.
func (c *comparison) sameWorth(key trade.PoolKey) bool {
	curve := c.is.rules.curve(key)
	return curve == c.would.rules.curve(key) && len(c.apart[key]) == 0 &&
		maps.EqualFunc(c.is.curves[curve].Points, c.would.curves[curve].Points, sameMark)
}

func sameMark(a, b trade.Mark) bool {
	return a.Price.Equal(b.Price) && a.Currency == b.Currency &&
		a.EffectiveAt.Equal(b.EffectiveAt) && a.Version == b.Version
}
