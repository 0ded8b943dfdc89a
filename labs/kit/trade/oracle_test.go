package trade_test

import (
	"fmt"
	"math/big"
	"slices"
	"strings"

	"github.com/google/uuid"

	"example.com/blotter/labs/kit/trade"
)

// The oracle folds the same book by a simpler program: in fractions, with maps of totals, in one
// pass over the events that count at the end. It knows no refusals, because events on record are
// legal. It keeps costs only: the realised P&L is the sum of the cash of all legs and the remaining
// cost. It has these files:
//
//	oracle_test.go         the events that count, and the contracts
//	kinds_test.go          the effect of each kind of event
//	oracle_pool_test.go    quantities and costs of the legs that net
//	oracle_value_test.go   the worth of a position at a time, hour by hour
//	oracle_birth_test.go   contracts that began from another one

type oracle struct {
	legs   []oracleLeg
	seen   map[string]int                   // cases that a history should have
	trades map[string]*oracleTrade          // by UTI
	births map[string]birth                 // by UTI, as the contract before determines them
	marks  map[string]map[string]oracleMark // by curve, and delivery as it is written
}

type oracleLeg struct {
	slot             oracleSlot
	stream, pool     string
	side             int
	quantity, amount *big.Rat
	own              *big.Rat // the own cost of an exit, nil for a trade with the market
	places           int      // of the currency
}

type oracleSlot struct {
	root, last trade.Event
}

// naive folds the events that are known at a time, as far as they are effective at another.
func naive(streams map[string][]trade.Event, at trade.AsOf) *oracle {
	o := &oracle{nil, map[string]int{}, map[string]*oracleTrade{}, map[string]birth{},
		map[string]map[string]oracleMark{}}
	for stream, events := range streams {
		slots := valid(events, at)
		switch kind, name, _ := strings.Cut(stream, "/"); kind {
		case "curve":
			o.curve(name, slots)
		case "trade":
			o.contract(stream, name, slots, streams[stream], at)
		}
	}
	slices.SortStableFunc(o.legs, func(a, b oracleLeg) int {
		if c := a.slot.last.EffectiveAt.Compare(b.slot.last.EffectiveAt); c != 0 {
			return c
		}
		first := func(l oracleLeg) trade.Event { return streams[l.stream][0] }
		if c := first(a).EnteredAt.Compare(first(b).EnteredAt); c != 0 {
			return c
		}
		if c := strings.Compare(a.stream, b.stream); c != 0 {
			return c
		}
		return int(a.slot.root.Version - b.slot.root.Version)
	})
	o.countTies()
	return o
}

// countTies counts legs of one effective time whose order is not that of their names.
func (o *oracle) countTies() {
	for i := 1; i < len(o.legs); i++ {
		a, b := o.legs[i-1], o.legs[i]
		tie := a.slot.last.EffectiveAt.Equal(b.slot.last.EffectiveAt)
		if tie && a.stream > b.stream {
			o.seen["legs of one time in the order of entry"]++
		}
	}
}

// valid walks back from every known event to the one that it finally replaces. The last event that
// arrives there counts, if it is effective by then.
func valid(events []trade.Event, at trade.AsOf) []oracleSlot {
	byID := map[uuid.UUID]trade.Event{}
	for _, e := range events {
		byID[e.ID] = e
	}
	last := map[uuid.UUID]trade.Event{}
	for _, e := range events {
		root := e
		for root.Corrects != uuid.Nil {
			root = byID[root.Corrects]
		}
		if isKnown(e, at) && e.Version >= last[root.ID].Version {
			last[root.ID] = e
		}
	}
	var slots []oracleSlot
	for id, e := range last {
		if at.Effective.IsZero() || !e.EffectiveAt.After(at.Effective) {
			slots = append(slots, oracleSlot{byID[id], e})
		}
	}
	slices.SortFunc(slots, func(a, b oracleSlot) int {
		if c := a.last.EffectiveAt.Compare(b.last.EffectiveAt); c != 0 {
			return c
		}
		return int(a.root.Version - b.root.Version)
	})
	return slots
}

func isKnown(e trade.Event, at trade.AsOf) bool {
	return at.Known.IsZero() || !e.RecordedAt.After(at.Known)
}

func mul(a, b *big.Rat) *big.Rat { return new(big.Rat).Mul(a, b) }
func add(a, b *big.Rat) *big.Rat { return new(big.Rat).Add(a, b) }
func sub(a, b *big.Rat) *big.Rat { return new(big.Rat).Sub(a, b) }
func quo(a, b *big.Rat) *big.Rat { return new(big.Rat).Quo(a, b) }
func sign(n int) *big.Rat        { return big.NewRat(int64(n), 1) }

func placesOf(c trade.Currency) int {
	if c == "JPY" {
		return 0
	}
	return 2
}

// contract folds the slots of a contract. As soon as a void is known, the contract never was: the
// time of the void, and everything else that happened to it, are without effect.
func (o *oracle) contract(
	stream, uti string, slots []oracleSlot, all []trade.Event, at trade.AsOf,
) {
	if len(slots) == 0 {
		return
	}
	c := &oracleTrade{
		stream: stream, price: new(big.Rat), side: 1, status: trade.Live, lastOut: trade.Live,
		total: map[string]*big.Rat{}, seen: o.seen, births: o.births,
	}
	for _, account := range accounts {
		c.total[account] = new(big.Rat)
	}
	o.trades[uti] = c
	if void := voidOf(all, at); void != nil {
		c.status = trade.Voided
		o.countVoid(*void, slots, at)
		return
	}
	for _, s := range slots {
		c.take(s)
	}
	o.legs = append(o.legs, c.legs...)
}

// accounts are the totals of a contract: the quantities by status, and the settled amount.
var accounts = []string{"contracted", "open", "SETTLED", "NOVATED", "EXERCISED", "TERMINATED",
	"amount"}

func voidOf(events []trade.Event, at trade.AsOf) *trade.Event {
	for _, e := range events {
		if c, ok := e.Body.(trade.Cancel); ok && c.Kind == trade.Void && isKnown(e, at) {
			return &e
		}
	}
	return nil
}

func (o *oracle) countVoid(void trade.Event, slots []oracleSlot, at trade.AsOf) {
	if !at.Effective.IsZero() && at.Effective.Before(void.EnteredAt) {
		o.seen["a void before the time of its entry"]++
	}
	for _, s := range slots {
		if q, reduces := trade.Reduction(s.last.Body); reduces && !q.Value.IsZero() {
			o.seen["a void of a contract that was reduced"]++
		}
	}
}

// An oracleTrade is a contract during the pass over its slots. Its rules for the kinds of events
// are in kinds_test.go.
type oracleTrade struct {
	stream          string
	terms           trade.New // the names as changed since, and all else as it began
	legs            []oracleLeg
	flows           []oracleFlow
	total           map[string]*big.Rat // see accounts
	seen            map[string]int
	births          map[string]birth
	price           *big.Rat
	side            int
	status, lastOut trade.Status
}

func (c *oracleTrade) pool() string {
	return c.terms.Book + "|" + c.terms.Instrument.ID() + "|" + string(c.terms.Currency)
}

func (c *oracleTrade) cents(r *big.Rat) *big.Rat { return halfEven(r, placesOf(c.terms.Currency)) }

func (c *oracleTrade) count(account string, q *big.Rat) {
	c.total[account] = add(c.total[account], q)
}

func (c *oracleTrade) move(s oracleSlot, q, a *big.Rat) {
	if q.Sign() != 0 || a.Sign() != 0 {
		c.legs = append(c.legs, oracleLeg{s, c.stream, c.pool(), c.side, q, a, nil,
			placesOf(c.terms.Currency)})
	}
}

// exit is move for a quantity that leaves other than by a trade.
func (c *oracleTrade) exit(s oracleSlot, q, a *big.Rat) {
	own := c.shareOfCost(q)
	c.move(s, q, a)
	c.legs[len(c.legs)-1].own = own
	if c.terms.Instrument.Option != nil {
		c.seen[fmt.Sprintf("option leaves by %T", s.last.Body)]++
	}
}

// shareOfCost returns the booked cost of a part: of the contract's own legs, as if it were alone.
func (c *oracleTrade) shareOfCost(part *big.Rat) *big.Rat {
	open, cost := new(big.Rat), new(big.Rat)
	share := func(q *big.Rat) *big.Rat {
		return c.cents(mul(cost, quo(new(big.Rat).Neg(q), open)))
	}
	for _, l := range c.legs {
		if l.quantity.Sign()*c.side < 0 {
			cost = sub(cost, share(l.quantity))
		} else {
			cost = sub(cost, l.amount)
		}
		open = add(open, l.quantity)
	}
	return share(part)
}

// out takes q out of the contract, at a price of worth.
func (c *oracleTrade) out(s oracleSlot, q, fee trade.Decimal, worth *big.Rat, as trade.Status) {
	if q.IsZero() {
		return
	}
	received := mul(sign(c.side), c.cents(mul(worth, rat(q))))
	leave := map[trade.Status]func(oracleSlot, *big.Rat, *big.Rat){trade.Terminated: c.exit,
		trade.Novated: c.exit, trade.Settled: c.move, trade.Exercised: c.move}[as]
	leave(s, mul(sign(-c.side), rat(q)), add(received, rat(fee)))
	if as == trade.Settled {
		c.count("amount", c.cents(mul(c.price, rat(q))))
	} else {
		c.flow(s, mul(sign(-1), rat(q)))
	}
	c.count("open", mul(sign(-1), rat(q)))
	c.count(string(as), rat(q))
	c.lastOut = as
	if c.total["open"].Sign() == 0 {
		c.status = as
	}
}
