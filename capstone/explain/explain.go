// Package explain attributes a difference of P&L to its causes. The parts of a difference add up to
// it exactly.
//
// Between explains the P&L of one question by that of another, each as known at one time and as
// effective at another. It follows the P&L along a path of states:
//
//	as known at K1, effective at F1
//	   │  one event recorded after K1 after the other, in the order of recorded_at
//	as known at K2, effective at F1
//	   │  one slot that takes effect after F1 after the other, in the order of effective_at
//	as known at K2, effective at F2
//
// Each step changes the P&L of a few pools. The change is a part of the difference: of the event or
// the mark. Positions are valued as effective at each place of the path, so time passes between two
// steps of a pool, and this change is a part of its own. The parts of one path add up to the
// difference between its ends, because each step begins where the step before it ended.
//
// The first half of the path restates the first question by later knowledge: an event recorded
// after K1 changes the P&L at F1 only if it is late, or corrects an event. Its parts are the class
// Restated. The second half has the classes of a day's business.
//
// A pool without a mark has no value. A step into such a state has no amount, and the next step to
// a state with a value has the difference since the last known value: the first mark of a position,
// or the settlement that closes it. If a pool has no value at an end of the path, its book has no
// difference. No amount is ever zero because a mark is missing.
//
// WhatIf compares two histories, or two sets of rules, after each event. With and Without make the
// second history.
//
// The package is pure: it reads no clock and no log, and writes nothing.
package explain

import (
	"bytes"
	"cmp"
	"slices"
	"time"

	"github.com/google/uuid"

	"example.com/blotter/labs/kit/trade"
)

// A Class groups the parts of a difference.
type Class string

// The classes, in the order of a report.
const (
	Restated    Class = "late and corrected" // recorded after the first question, effective by then
	NewTrades   Class = "new trades"
	Amendments  Class = "amendments"
	Exits       Class = "novations and fees" // terminations, too
	Settlements Class = "settlements"        // exercises, too
	PriceMoves  Class = "price moves"
	Time        Class = "time" // deliveries and expiries
)

// Classes returns all classes, in the order of a report.
func Classes() []Class {
	return []Class{Restated, NewTrades, Amendments, Exits, Settlements, PriceMoves, Time}
}

// ClassOf returns the class of an event that takes effect between the two questions. It is empty
// for an event that changes no trade and no curve.
func ClassOf(b trade.Body) Class {
	k, _ := trade.FindKind(b)
	_, begins := b.(trade.New)
	cancel, _ := b.(trade.Cancel)
	switch {
	case !k.IsCommand():
		return ""
	case k.Stream == trade.CurveStream(""):
		return PriceMoves
	case cancel.Kind == trade.Void:
		return Restated
	case begins:
		return NewTrades
	case k.ChangesTerms():
		return Amendments
	case k.Exits():
		return Exits
	}
	return Settlements
}

// A Cause is the event that made a part. Of a slot it is the event that counts.
type Cause struct {
	Stream      string
	Version     int64
	Event       uuid.UUID
	Operation   string
	Corrects    uuid.UUID
	Actor       string
	EffectiveAt time.Time
	RecordedAt  time.Time
}

func causeOf(stream string, e trade.Event) *Cause {
	k, _ := trade.FindKind(e.Body)
	return &Cause{
		stream, e.Version, e.ID, cmp.Or(k.Operation, "unreadable"), e.Corrects, e.Actor,
		e.EffectiveAt, e.RecordedAt,
	}
}

// A Part is a change of the P&L of one pool.
type Part struct {
	trade.PoolKey
	Class Class
	Cause *Cause // nil for time
	Value
}

// A Difference is that of the P&L of one book in one currency. Currencies are never added.
type Difference struct {
	Book     string
	Currency trade.Currency
	From, To Value
	Change   Value // from From to To
	Unmarked int   // the positions whose change is unknown, because a mark is missing
	Parts    []Part
}

// Rules are the rules of a valuation.
type Rules struct {
	FIFO     bool              // realised P&L by FIFO, and not by average cost
	Rounding trade.Rounding    // wherever the fold and the valuation round
	Curves   map[string]string // from a curve to the curve that values its positions instead
}

// curve returns the name of the curve that values a pool.
func (r Rules) curve(key trade.PoolKey) string { return cmp.Or(r.Curves[key.Curve()], key.Curve()) }

// Between explains the P&L of the question to by that of the question from, by average cost. All
// four times are needed, and those of from are not later than those of to. It returns the books
// that have a position at one of the ends, sorted by book and currency. The parts of a book are in
// the order of the path, and those of time come last.
func Between(streams map[string][]trade.Event, from, to trade.AsOf) []Difference {
	w := &walk{worldOf(History{Streams: streams}, from), newPath(), map[trade.PoolKey]time.Time{}}
	before := w.values(from.Effective)
	for _, key := range sorted(before) {
		w.begin(key, before[key])
		w.now[key] = from.Effective
	}
	w.learn(streams, from, to.Known)
	w.advance(streams, from.Effective, to)
	for _, key := range sorted(w.pools) {
		w.pass(key, to.Effective)
	}
	after, changes := w.values(to.Effective), map[trade.PoolKey]Value{}
	for _, key := range sorted(after) { // no pool of before leaves the world
		changes[key] = after[key].Minus(valueIn(before, key))
	}
	return w.report(before, after, changes)
}

// A walk leads a world along the path of Between.
type walk struct {
	*world
	*path
	now map[trade.PoolKey]time.Time // of the last value of each pool
}

// learn takes the events that are recorded after from, up to a time.
func (w *walk) learn(streams map[string][]trade.Event, from trade.AsOf, known time.Time) {
	folds := folds{w.rules, from.Effective, map[string]*trade.Stream{}}
	for _, e := range recorded(streams) {
		if e.RecordedAt.After(known) {
			return
		}
		fold := folds.take(e)
		if from.Knows(e.RecordedAt) {
			continue
		}
		part := Part{Class: Restated, Cause: causeOf(e.stream, e.Event)}
		if curve, ok := curveIn(e.stream); ok {
			w.mark(curve, fold.Curve(), from.Effective, part)
		} else {
			w.trade(e.stream, fold.Trade(), from.Effective, part)
		}
	}
}

// advance takes the slots that take effect after a time, up to the question to.
func (w *walk) advance(streams map[string][]trade.Event, after time.Time, to trade.AsOf) {
	classOf := classifier(streams)
	for _, s := range slotsOf(streams, after, to) {
		e := s.Event
		part := Part{Class: classOf(s.stream, e.Body), Cause: causeOf(s.stream, e)}
		if curve, ok := curveIn(s.stream); ok {
			w.mark(curve, w.curves[curve].With(s.Slot), e.EffectiveAt, part)
			continue
		}
		now := w.contracts[s.stream]
		if now.Status == trade.Voided {
			continue // the slots after a void are moot
		}
		next, refused := trade.Evolve(now, s.Slot)
		if refused != nil { // the slots of a legal fold
			panic("explain: " + s.stream + " is illegal: " + refused.Error())
		}
		w.trade(s.stream, next, e.EffectiveAt, part)
	}
}

// trade replaces a contract at a time.
func (w *walk) trade(stream string, next trade.Trade, at time.Time, part Part) {
	touched := w.touched(stream, next)
	for _, key := range touched {
		w.pass(key, at)
	}
	w.set(stream, next)
	for _, key := range touched {
		w.step(key, w.value(key, at), part)
	}
}

// mark replaces a curve at a time.
func (w *walk) mark(curve string, next trade.Curve, at time.Time, part Part) {
	valued := w.on(curve)
	for _, key := range valued {
		w.pass(key, at)
	}
	w.curves[curve] = next
	for _, key := range valued {
		w.step(key, w.value(key, at), part)
	}
}

// pass lets time pass for a pool.
func (w *walk) pass(key trade.PoolKey, at time.Time) {
	if now, ok := w.now[key]; ok && at.After(now) {
		w.step(key, w.value(key, at), Part{Class: Time})
	}
	w.now[key] = at
}

// A placed event is an event of a stream.
type placed struct {
	stream string
	trade.Event
}

// recorded returns the events of trades and curves in the order of recorded_at.
func recorded(streams map[string][]trade.Event) (all []placed) {
	//determinism:unordered the events are sorted
	for stream, events := range streams {
		for _, e := range events {
			if trade.Folds(stream) {
				all = append(all, placed{stream, e})
			}
		}
	}
	slices.SortFunc(all, placed.compare)
	return all
}

// compare orders events by recorded_at, stream, version and id.
func (e placed) compare(o placed) int {
	return cmp.Or(e.RecordedAt.Compare(o.RecordedAt), cmp.Compare(e.stream, o.stream),
		cmp.Compare(e.Version, o.Version), bytes.Compare(e.ID[:], o.ID[:]))
}

// A placedSlot is a slot of a stream.
type placedSlot struct {
	stream string
	trade.Slot
}

// slotsOf returns the slots that take effect after a time, up to the question to, in the order of
// effective_at.
func slotsOf(streams map[string][]trade.Event, after time.Time, to trade.AsOf) (all []placedSlot) {
	//determinism:unordered the slots are sorted
	for stream, events := range streams {
		isLater := func(e trade.Event) bool { return e.EffectiveAt.After(after) }
		if !trade.Folds(stream) || !slices.ContainsFunc(events, isLater) {
			continue
		}
		for _, s := range trade.Slots(stream, events, to) {
			if isLater(s.Event) {
				all = append(all, placedSlot{stream, s})
			}
		}
	}
	slices.SortFunc(all, func(a, b placedSlot) int {
		return cmp.Or(a.Event.EffectiveAt.Compare(b.Event.EffectiveAt),
			cmp.Compare(a.stream, b.stream), cmp.Compare(a.Version, b.Version))
	})
	return all
}

// classifier returns a function that gives the class of an event of a stream. The NEW of a contract
// that began from another one has the class of its cause: a novation moves a contract, and makes no
// new trade.
func classifier(streams map[string][]trade.Event) func(string, trade.Body) Class {
	causes := map[string]trade.Body{} // by the stream of the contract that began
	for _, e := range recorded(streams) {
		if uti := trade.Begun(e.Body); uti != "" {
			causes[trade.TradeStream(uti)] = e.Body
		}
	}
	return func(stream string, b trade.Body) Class {
		n, isNew := b.(trade.New)
		if cause := causes[stream]; isNew && n.PriorUTI != "" && cause != nil {
			b = cause
		}
		return ClassOf(b)
	}
}
