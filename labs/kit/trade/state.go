package trade

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// State is the business state: every replay must reproduce it to the byte. It has quantities, costs
// and marks, and no market value: that depends on a time of valuation (see State.ValuedAt).
type State struct {
	Trades    []Trade          // sorted by UTI
	Positions []Position       // sorted by book, instrument, currency
	Curves    map[string]Curve // by name
	Parked    []Parked         // sorted by stream
	Skipped   []Skipped        // sorted by stream and version
	Rounding  Rounding         // by which it was folded
}

// A Position is the quantity and the cost of a pool.
type Position struct {
	PoolKey
	Unit        Unit    `json:"unit"`
	Quantity    Decimal `json:"quantity"` // bought is positive, sold is negative
	AverageCost Result  `json:"average_cost"`
	FIFO        Result  `json:"fifo"`
}

// A Result is the cost and the gain of a pool by one method.
type Result struct {
	Cost     Decimal `json:"cost"`     // of the open quantity: paid is positive
	Realised Decimal `json:"realised"` // by the closed quantity
}

// PositionOf returns the position of a pool. It needs no contract: the instrument's id names the
// commodity.
func PositionOf(key PoolKey, p Pool) Position {
	return Position{
		PoolKey: key, Unit: key.instrument().Unit(), Quantity: p.Average.Quantity,
		AverageCost: Result{Cost: p.Average.Cost, Realised: p.Average.Realised},
		FIFO:        Result{Cost: p.FIFO.Cost(), Realised: p.FIFO.Realised},
	}
}

func (k PoolKey) instrument() Instrument {
	i, err := ParseInstrumentID(k.Instrument)
	if err != nil { // legs come from contracts, whose terms were checked
		panic("trade: a pool of no instrument: " + err.Error())
	}
	return i
}

// StateOf folds everything from scratch: the streams of trades and curves, by name, as known and
// as effective at the given times. It leaves out other streams. It is the plain definition of the
// state, which Book computes by steps.
func StateOf(streams map[string][]Event, at AsOf) State { return HalfEven.StateOf(streams, at) }

// StateOf is the function StateOf by another rule of rounding.
func (r Rounding) StateOf(streams map[string][]Event, at AsOf) State {
	s := r.unnetted(streams, at)
	s.Net()
	return s
}

// Unnetted returns StateOf without positions. Everything but a position depends on one stream.
func Unnetted(streams map[string][]Event, at AsOf) State { return HalfEven.unnetted(streams, at) }

func (r Rounding) unnetted(streams map[string][]Event, at AsOf) State {
	s := State{
		Curves: map[string]Curve{}, Trades: make([]Trade, 0, len(streams)), Rounding: r,
	}
	var l legality
	for _, stream := range slices.Sorted(maps.Keys(streams)) {
		if !Folds(stream) {
			continue
		}
		l.begin(stream)
		l.now.rounding = r
		l.takeAll(streams[stream], at)
		if name, ok := strings.CutPrefix(stream, curveStreams); ok {
			s.Curves[name] = curveOf(effective(l.line.slots, at.Effective))
		} else if t := l.until(at.Effective); t.Status != "" { // it has begun by then
			s.Trades = append(s.Trades, t)
		}
		s.setAside(&l)
	}
	return s
}

// Net sets the positions that the legs of all trades make.
func (s *State) Net() {
	s.Positions = nil
	pools := map[PoolKey][]*Leg{}
	for i := range s.Trades {
		legs := s.Trades[i].Legs
		for n := range legs {
			pools[legs[n].Pool] = append(pools[legs[n].Pool], &legs[n])
		}
	}
	for _, key := range slices.SortedFunc(maps.Keys(pools), PoolKey.Compare) {
		s.Positions = append(s.Positions, PositionOf(key, net(pools[key], s.Rounding)))
	}
}

// setAside appends the stream if it is parked, and its skipped events.
func (s *State) setAside(l *legality) {
	if l.parked != nil {
		s.Parked = append(s.Parked, *l.parked)
	}
	s.Skipped = append(s.Skipped, l.skipped...)
}

// net folds the legs of one pool.
func net(legs []*Leg, r Rounding) Pool {
	slices.SortFunc(legs, func(a, b *Leg) int { return a.Key.Compare(b.Key) })
	p := Pool{Rounding: r}
	for _, l := range legs {
		p.Apply(*l)
	}
	return p
}

// StateFormat names the format of Canonical. It changes whenever one history would give other
// bytes: by another layout, or by another rule of the fold.
const StateFormat = "blotter/state/v4"

// Canonical returns s as bytes. They are the same for the same history, wherever and whenever it
// was folded. The format is JSON Lines: a line for each trade, sorted by UTI, then a line for each
// position, sorted by book, instrument and currency, then a line for each mark that counts, sorted
// by curve and delivery, then a line for each parked stream, sorted by stream and without its
// detail, then a line for each skipped event, sorted by stream and version. Fields are in the order
// of their structs, decimals are strings without trailing zeros, no value was chosen by a store,
// and none is text for people:
//
//	{"trade":{"uti":"T1","status":"LIVE",…,"price":"80","contracted":"7430",…}}
//	{"position":{"book":"power","instrument":"power/CET/base@2025-03","currency":"EUR",…}}
//	{"mark":{"curve":"power/CET/base","delivery":"2025-03","currency":"EUR","price":"85",…}}
//	{"parked":{"stream":"trade/T2","version":3,"event":"…","actor":"trader/1",…}}
//	{"skipped":{"stream":"trade/T3","version":2,"event":"…","actor":"…",…,"skipped_by":"…"}}
func (s State) Canonical() []byte {
	var b bytes.Buffer
	lines := json.NewEncoder(&b)
	lines.SetEscapeHTML(false)
	write := func(line any) {
		if err := lines.Encode(line); err != nil { // every field is plain data
			panic(fmt.Sprintf("trade: a state that does not marshal: %v", err))
		}
	}
	for _, t := range s.Trades {
		write(struct {
			Trade Trade `json:"trade"`
		}{t})
	}
	for _, p := range s.Positions {
		write(struct {
			Position Position `json:"position"`
		}{p})
	}
	for _, m := range s.marks() {
		write(struct {
			Mark canonicalMark `json:"mark"`
		}{m})
	}
	for _, p := range s.Parked {
		p.Detail = ""
		write(struct {
			Parked Parked `json:"parked"`
		}{p})
	}
	for _, k := range s.Skipped {
		write(struct {
			Skipped Skipped `json:"skipped"`
		}{k})
	}
	return b.Bytes()
}

// A canonicalMark is a mark as a line of the canonical state.
type canonicalMark struct {
	Curve       string    `json:"curve"`
	Delivery    string    `json:"delivery"`
	Currency    Currency  `json:"currency"`
	Price       Decimal   `json:"price"`
	EffectiveAt time.Time `json:"effective_at"`
}

func (s State) marks() (all []canonicalMark) {
	for _, name := range slices.Sorted(maps.Keys(s.Curves)) {
		from := len(all)
		for p, m := range s.Curves[name].Points {
			all = append(all, canonicalMark{name, p.String(), m.Currency, m.Price, m.EffectiveAt})
		}
		slices.SortFunc(all[from:], func(a, b canonicalMark) int {
			return strings.Compare(a.Delivery, b.Delivery)
		})
	}
	return all
}

// Digest returns SHA-256 of Canonical.
func (s State) Digest() [sha256.Size]byte { return sha256.Sum256(s.Canonical()) }
