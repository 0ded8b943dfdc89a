package trade

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
)

// A Book is the read model in memory. It takes one event at a time. An event refolds the contract
// that it belongs to, and the pools that change with it, from the earliest changed leg. The events
// of different streams may come in any order: the state is always that of StateOf.
type Book struct {
	streams map[string]*Stream
	pools   map[PoolKey]*Ledger
}

// NewBook returns an empty book.
func NewBook() *Book {
	return &Book{map[string]*Stream{}, map[PoolKey]*Ledger{}}
}

// Apply takes the next event of a stream. It ignores an event that it took before, and events of
// streams that belong to neither a trade nor a curve. An event that is illegal in its stream parks
// the stream. An error, which is that a version is missing, leaves the book as it was.
func (b *Book) Apply(stream string, e Event) error {
	if !Folds(stream) {
		return nil
	}
	s := b.streams[stream]
	if s == nil {
		s = NewStream(stream)
	}
	if e.Version <= s.version {
		return nil
	}
	before := s.now.Legs
	if err := s.Take(e); err != nil {
		return err
	}
	b.streams[stream] = s
	b.moveLegs(stream, before, s.now.Legs)
	return nil
}

// A Stream is the fold of one stream, which takes one event at a time: what Fold and FoldCurve
// return for its events.
type Stream struct {
	legality
	limit   time.Time // the fold is as effective at this time; zero does not limit
	version int64     // of the last event that came
	events  []Event   // all that came
	curve   Curve     // of a curve, unless it is stale
	latest  time.Time // the effective time of the curve's last slot
	stale   bool      // a mark came that may be earlier than another one
}

// NewStream returns the fold of a stream without events.
func NewStream(name string) *Stream { return HalfEven.Stream(name, time.Time{}) }

// Stream is NewStream by another rule of rounding, and as effective at a time. The zero time does
// not limit.
func (r Rounding) Stream(name string, effective time.Time) *Stream {
	s := &Stream{legality: *newLegality(name), limit: effective, curve: curveOf(nil)}
	s.now.rounding = r
	return s
}

// Take takes the next event. An illegal event parks the stream. An error, which is that a version
// is missing, leaves the stream as it was.
func (s *Stream) Take(e Event) error {
	if e.Version != s.version+1 {
		return fmt.Errorf("stream %s: version %d comes after %d", s.stream, e.Version, s.version)
	}
	s.Follow(e)
	return nil
}

// Follow is Take for a history with gaps: the versions between the last event and this one have no
// events.
func (s *Stream) Follow(e Event) {
	s.version = e.Version
	s.events = append(s.events, e)
	_, skips := e.Body.(EventSkipped)
	if skips {
		again := newLegality(s.stream)
		again.now.rounding = s.now.rounding
		again.takeAll(s.events, AsOf{})
		s.legality = *again
	}
	if (skips || s.take(e)) && strings.HasPrefix(s.stream, curveStreams) {
		s.mark(e)
	}
}

// mark sets the points of a mark that comes in order. After any other event the curve is stale.
func (s *Stream) mark(e Event) {
	m, isMark := e.Body.(PriceMarked)
	at := AsOf{Effective: s.limit}
	if isMark && e.Corrects == uuid.Nil && !at.Counts(e.EffectiveAt) {
		return
	}
	if !isMark || e.Corrects != uuid.Nil || e.EffectiveAt.Before(s.latest) {
		s.stale = true
	}
	if !s.stale {
		s.curve.set(m, e.EffectiveAt, e.Version)
		s.latest = e.EffectiveAt
	}
}

// Version returns the version of the last event.
func (s *Stream) Version() int64 { return s.version }

// Trade returns the contract of the stream. It has no status before it has begun.
func (s *Stream) Trade() Trade {
	if s.limit.IsZero() {
		return s.now
	}
	return s.until(s.limit)
}

// Curve returns the curve of the stream, which the next event changes.
func (s *Stream) Curve() Curve {
	if s.stale {
		slots := effective(s.line.slots, s.limit)
		s.curve, s.latest, s.stale = curveOf(slots), time.Time{}, false
		if n := len(slots); n > 0 {
			s.latest = slots[n-1].Event.EffectiveAt
		}
	}
	return s.curve
}

// Parked returns the event that parks the stream, or nil.
func (s *Stream) Parked() *Parked { return s.parked }

// Skipped returns the events of the stream that are left out, in version order.
func (s *Stream) Skipped() []Skipped { return s.skipped }

// moveLegs carries a change of one contract's legs into the pools that it touches.
func (b *Book) moveLegs(stream string, before, after []Leg) {
	//determinism:unordered each pool changes for itself
	for key, from := range Changed(before, after) {
		g := b.pools[key]
		if g == nil {
			g = &Ledger{}
			b.pools[key] = g
		}
		g.Replace(stream, key, from, after)
		if g.IsEmpty() {
			delete(b.pools, key)
		}
	}
}

// Trade returns one contract. ok reports whether it has begun.
func (b *Book) Trade(uti string) (t Trade, ok bool) {
	if s := b.streams[TradeStream(uti)]; s != nil && s.now.Status != "" {
		return s.now, true
	}
	return t, false
}

// State returns the state of all trades, positions, curves and parked streams.
func (b *Book) State() State {
	s := State{Curves: map[string]Curve{}}
	for _, stream := range slices.Sorted(maps.Keys(b.streams)) {
		s.addStream(stream, b.streams[stream])
	}
	for _, key := range slices.SortedFunc(maps.Keys(b.pools), PoolKey.Compare) {
		s.Positions = append(s.Positions, PositionOf(key, b.pools[key].pool))
	}
	return s
}

// addStream adds the contract or the curve of a stream, the stream if it is parked, and its skipped
// events.
func (s *State) addStream(stream string, of *Stream) {
	if name, isCurve := strings.CutPrefix(stream, curveStreams); isCurve {
		s.Curves[name] = Curve{maps.Clone(of.Curve().Points)}
	} else if of.now.Status != "" {
		s.Trades = append(s.Trades, of.now)
	}
	s.setAside(&of.legality)
}

// A Ledger holds the legs of one pool in order, and the pool that they make. It also keeps the
// pool at some earlier places, its checkpoints. So a late leg costs as much as it is late, and a
// leg that comes in order costs only itself.
type Ledger struct {
	legs        []Leg
	pool        Pool         // of all legs
	checkpoints []checkpoint // in the order of n
}

type checkpoint struct {
	n    int // the number of legs that made the pool
	pool Pool
}

// minSpacing is the least number of legs between two checkpoints.
const minSpacing = 64

// NewLedger returns a ledger without legs, for a rule of rounding.
func NewLedger(r Rounding) *Ledger { return &Ledger{pool: Pool{Rounding: r}} }

// Pool returns the pool of all legs. The next leg may change its lots.
func (g *Ledger) Pool() Pool { return g.pool }

// IsEmpty reports whether the ledger has no legs.
func (g *Ledger) IsEmpty() bool { return len(g.legs) == 0 }

// Replace removes the legs that a stream has at or after a key. In their place it adds the legs of
// a contract that are in the pool, at or after that key.
func (g *Ledger) Replace(stream string, pool PoolKey, from LegKey, contract []Leg) {
	legs := slices.DeleteFunc(slices.Clone(contract), func(l Leg) bool {
		return l.Pool != pool || l.Key.Compare(from) < 0
	})
	byKey := func(l Leg, k LegKey) int { return l.Key.Compare(k) }
	at, _ := slices.BinarySearchFunc(g.legs, from, byKey)
	if at == len(g.legs) {
		g.extend(legs)
		return
	}
	ofStream := func(l Leg) bool { return l.Key.Stream == stream }
	tail := slices.DeleteFunc(slices.Clone(g.legs[at:]), ofStream)
	tail = append(tail, legs...)
	slices.SortFunc(tail, func(a, b Leg) int { return a.Key.Compare(b.Key) })
	g.extend(append(g.rewind(at), tail...))
}

// rewind goes back to the last checkpoint at or before n, and returns the legs between the two.
func (g *Ledger) rewind(n int) []Leg {
	for len(g.checkpoints) > 0 && g.checkpoints[len(g.checkpoints)-1].n > n {
		g.checkpoints = g.checkpoints[:len(g.checkpoints)-1]
	}
	last := g.lastCheckpoint()
	between := slices.Clone(g.legs[last.n:n])
	g.legs, g.pool = g.legs[:last.n], last.pool.Clone()
	return between
}

// extend takes legs that come after all others.
func (g *Ledger) extend(legs []Leg) {
	for _, l := range legs {
		g.legs = append(g.legs, l)
		g.pool.Apply(l)
		// A checkpoint copies the lots. A spacing of as many legs keeps its cost per leg constant.
		if len(g.legs)-g.lastCheckpoint().n >= max(minSpacing, len(g.pool.FIFO.Lots)) {
			g.checkpoints = append(g.thinned(), checkpoint{len(g.legs), g.pool.Clone()})
		}
	}
}

func (g *Ledger) lastCheckpoint() checkpoint {
	if len(g.checkpoints) == 0 {
		return checkpoint{pool: Pool{Rounding: g.pool.Rounding}}
	}
	return g.checkpoints[len(g.checkpoints)-1]
}

// thinned drops checkpoints that are closer together than half their distance from the end. About
// log n are left, and going back costs in proportion to the distance.
func (g *Ledger) thinned() []checkpoint {
	var kept []checkpoint
	for i, c := range g.checkpoints {
		before, after := 0, len(g.legs)
		if len(kept) > 0 {
			before = kept[len(kept)-1].n
		}
		if i+1 < len(g.checkpoints) {
			after = g.checkpoints[i+1].n
		}
		if 2*(after-before) > len(g.legs)-after {
			kept = append(kept, c)
		}
	}
	return kept
}
