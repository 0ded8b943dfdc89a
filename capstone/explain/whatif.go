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
	c := &comparison{newSide(is), newSide(would), newPath(), at}
	events := slices.Concat(recorded(is.Streams), recorded(would.Streams))
	slices.SortStableFunc(events, placed.compare)
	same := func(a, b placed) bool { return a.stream == b.stream && a.ID == b.ID }
	for _, e := range slices.CompactFunc(events, same) {
		touched := map[trade.PoolKey]bool{}
		for _, s := range []*side{c.is, c.would} {
			for _, key := range s.take(e, at) {
				touched[key] = true
			}
		}
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
	at time.Time
}

// A side is a history and the world that its events made so far.
type side struct {
	*world
	History
	has map[uuid.UUID]bool
}

func newSide(h History) *side {
	s := &side{worldOf(History{Rules: h.Rules}, trade.AsOf{}), h, map[uuid.UUID]bool{}}
	for _, e := range recorded(h.Streams) {
		s.has[e.ID] = true
	}
	return s
}

// take takes an event, if the history has it, and returns the pools that may change with it.
func (s *side) take(e placed, effective time.Time) []trade.PoolKey {
	if !s.has[e.ID] {
		return nil
	}
	at := trade.AsOf{Known: e.RecordedAt, Effective: effective}
	if curve, ok := curveIn(e.stream); ok {
		s.curves[curve], _ = trade.FoldCurve(curve, s.Streams[e.stream], at)
		return s.on(curve)
	}
	next := foldTrade(e.stream, s.Streams[e.stream], at)
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

// sameWorth reports whether a pool has the same contracts and the same marks in both worlds.
func (c *comparison) sameWorth(key trade.PoolKey) bool {
	a, b := c.is.pools[key].contracts, c.would.pools[key].contracts
	curve := c.is.rules.curve(key)
	return curve == c.would.rules.curve(key) &&
		maps.EqualFunc(c.is.curves[curve].Points, c.would.curves[curve].Points, sameMark) &&
		maps.EqualFunc(a, b, func(a, b trade.Trade) bool {
			return len(trade.Changed(a.Legs, b.Legs)) == 0
		})
}

func sameMark(a, b trade.Mark) bool {
	return a.Price.Equal(b.Price) && a.Currency == b.Currency &&
		a.EffectiveAt.Equal(b.EffectiveAt) && a.Version == b.Version
}
