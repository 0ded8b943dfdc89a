package trade

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
)

// A Book is the read model in memory, kept up by one event at a time. An event refolds the stream it belongs to, and the
// pools which that changes, from the earliest changed leg. Whatever order the streams come interleaved in, the state is
// that of StateOf.
type Book struct {
	streams map[string][]Event // in version order
	trades  map[string]Trade   // by UTI
	pools   map[PoolKey]*ledger
	curves  map[string]*bookCurve
}

// NewBook is an empty book.
func NewBook() *Book {
	return &Book{map[string][]Event{}, map[string]Trade{}, map[PoolKey]*ledger{}, map[string]*bookCurve{}}
}

// Apply takes the next event of a stream. One that was taken already changes nothing, and neither does one of a stream that
// is neither a trade's nor a curve's. An error (a version is missing, or the event is illegal in its stream) leaves the
// book as it was.
func (b *Book) Apply(stream string, e Event) error {
	uti, isTrade := strings.CutPrefix(stream, TradeStream(""))
	curve, isCurve := strings.CutPrefix(stream, CurveStream(""))
	taken := b.streams[stream]
	switch {
	case !isTrade && !isCurve, e.Version <= int64(len(taken)):
		return nil
	case e.Version != int64(len(taken))+1:
		return fmt.Errorf("stream %s: version %d comes after %d", stream, e.Version, len(taken))
	}
	var err error
	if events := append(taken, e); isTrade {
		err = b.applyTrade(uti, stream, events)
	} else {
		err = b.applyCurve(curve, events)
	}
	if err != nil {
		return fmt.Errorf("stream %s: %w", stream, err)
	}
	b.streams[stream] = append(taken, e)
	return nil
}

func (b *Book) applyTrade(uti, stream string, events []Event) error {
	t, err := Fold(uti, events, AsOf{})
	if err != nil {
		return err
	}
	b.move(stream, b.trades[uti].Legs, t.Legs)
	b.trades[uti] = t
	return nil
}

// A bookCurve is a curve, and the effective time of its last slot.
type bookCurve struct {
	Curve
	last time.Time
}

// applyCurve sets the points of a mark that comes in order, and folds the curve again for any other.
func (b *Book) applyCurve(name string, events []Event) error {
	e, known := events[len(events)-1], b.curves[name]
	m, isMark := e.Body.(PriceMarked)
	if known != nil && isMark && e.Corrects == uuid.Nil && !e.EffectiveAt.Before(known.last) {
		known.set(m)
		known.last = e.EffectiveAt
		return nil
	}
	c, err := curveOf(events, AsOf{})
	if err != nil {
		return err
	}
	b.curves[name] = &bookCurve{c, slices.MaxFunc(events, func(a, b Event) int { return a.EffectiveAt.Compare(b.EffectiveAt) }).EffectiveAt}
	return nil
}

// move carries a change of one contract's legs into the pools it touches.
func (b *Book) move(stream string, before, after []Leg) {
	for key, from := range Changed(before, after) {
		g := b.pools[key]
		if g == nil {
			g = &ledger{}
			b.pools[key] = g
		}
		g.replace(stream, from, slices.DeleteFunc(slices.Clone(after), func(l Leg) bool {
			return l.Pool != key || l.Key.Compare(from) < 0
		}))
		if len(g.legs) == 0 {
			delete(b.pools, key)
		}
	}
}

// Trade is one contract; ok says whether it has begun.
func (b *Book) Trade(uti string) (t Trade, ok bool) {
	t, ok = b.trades[uti]
	return t, ok
}

// State is the whole of it.
func (b *Book) State() State {
	var s State
	for _, uti := range slices.Sorted(maps.Keys(b.trades)) {
		s.Trades = append(s.Trades, b.trades[uti])
	}
	for _, key := range slices.SortedFunc(maps.Keys(b.pools), PoolKey.Compare) {
		var c Curve
		if marked := b.curves[key.Curve()]; marked != nil {
			c = marked.Curve
		}
		s.Positions = append(s.Positions, PositionOf(key, b.pools[key].pool, c))
	}
	return s
}
