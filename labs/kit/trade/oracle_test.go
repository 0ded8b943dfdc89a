package trade_test

import (
	"fmt"
	"math/big"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"example.com/blotter/labs/kit/trade"
)

// The oracle folds the same book by a simpler program: in fractions, with maps of totals, in one
// pass over the events that count at the end. It knows no refusals, because events on record are
// legal. It keeps costs only: the realised P&L is the sum of the cash of all legs and the remaining
// cost.

type oracle struct {
	legs   []oracleLeg
	seen   map[string]int                 // cases that a history should have
	trades map[string]map[string]*big.Rat // by UTI: "open", "SETTLED" and so on
	status map[string]trade.Status
	marks  map[string]trade.Mark // by curve, and delivery as it is written
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

func naive(streams map[string][]trade.Event) *oracle {
	o := &oracle{nil, map[string]int{}, map[string]map[string]*big.Rat{},
		map[string]trade.Status{}, map[string]trade.Mark{}}
	for stream, events := range streams {
		slots := valid(events)
		if strings.HasPrefix(stream, "curve/") {
			for _, s := range slots {
				m := s.last.Body.(trade.PriceMarked)
				for _, p := range m.Points {
					o.marks[m.Curve+"@"+p.Delivery.String()] = trade.Mark{Price: p.Price,
						Currency: m.Currency}
				}
			}
			continue
		}
		o.contract(stream, slots)
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

// valid walks back from every event to the one that it finally replaces. The last event that
// arrives there counts.
func valid(events []trade.Event) []oracleSlot {
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
		if e.Version >= last[root.ID].Version {
			last[root.ID] = e
		}
	}
	var slots []oracleSlot
	for id, e := range last {
		slots = append(slots, oracleSlot{byID[id], e})
	}
	slices.SortFunc(slots, func(a, b oracleSlot) int {
		if c := a.last.EffectiveAt.Compare(b.last.EffectiveAt); c != 0 {
			return c
		}
		return int(a.root.Version - b.root.Version)
	})
	return slots
}

func mul(a, b *big.Rat) *big.Rat { return new(big.Rat).Mul(a, b) }
func add(a, b *big.Rat) *big.Rat { return new(big.Rat).Add(a, b) }
func sub(a, b *big.Rat) *big.Rat { return new(big.Rat).Sub(a, b) }
func sign(n int) *big.Rat        { return big.NewRat(int64(n), 1) }

func placesOf(c trade.Currency) int {
	if c == "JPY" {
		return 0
	}
	return 2
}

func (o *oracle) contract(stream string, slots []oracleSlot) {
	c := &oracleTrade{
		stream: stream, price: new(big.Rat), side: 1, status: trade.Live, lastOut: trade.Live,
		total: map[string]*big.Rat{}, seen: o.seen,
	}
	c.clear()
	for _, s := range slots {
		if c.status == trade.Voided {
			break
		}
		c.take(s)
	}
	uti := strings.TrimPrefix(stream, "trade/")
	o.trades[uti], o.status[uti] = c.total, c.status
	o.legs = append(o.legs, c.legs...)
}

// An oracleTrade is a contract during the pass over its slots. Its rules for the kinds of events
// are in kinds_test.go.
type oracleTrade struct {
	stream          string
	terms           trade.New
	legs            []oracleLeg
	total           map[string]*big.Rat
	seen            map[string]int
	price           *big.Rat
	side            int
	status, lastOut trade.Status
}

func (c *oracleTrade) clear() {
	for _, k := range []string{"contracted", "open", "SETTLED", "NOVATED", "EXERCISED",
		"TERMINATED"} {
		c.total[k] = new(big.Rat)
	}
}

func (c *oracleTrade) cents(r *big.Rat) *big.Rat { return halfEven(r, placesOf(c.terms.Currency)) }

func (c *oracleTrade) move(s oracleSlot, q, a *big.Rat) {
	if q.Sign() != 0 || a.Sign() != 0 {
		pool := c.terms.Book + "|" + c.terms.Instrument.ID() + "|" + string(c.terms.Currency)
		c.legs = append(c.legs, oracleLeg{s, c.stream, pool, c.side, q, a, nil,
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
		return c.cents(mul(cost, new(big.Rat).Quo(new(big.Rat).Neg(q), open)))
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
	c.total["open"] = sub(c.total["open"], rat(q))
	c.total[string(as)] = add(c.total[string(as)], rat(q))
	c.lastOut = as
	if c.total["open"].Sign() == 0 {
		c.status = as
	}
}

// An oraclePool is the result of a pool.
type oraclePool struct {
	quantity, cash                         *big.Rat
	cost, realised, costFIFO, realisedFIFO *big.Rat
	lots                                   []oracleLot // as they were opened
	legs                                   int
	seen                                   map[string]int
}

type oracleLot struct {
	stream         string
	quantity, cost *big.Rat
}

func (o *oracle) pools() map[string]*oraclePool {
	pools := map[string]*oraclePool{}
	for _, l := range o.legs {
		p := pools[l.pool]
		if p == nil {
			p = &oraclePool{quantity: new(big.Rat), cash: new(big.Rat), cost: new(big.Rat),
				costFIFO: new(big.Rat), seen: o.seen}
			pools[l.pool] = p
		}
		p.take(l)
	}
	for _, p := range pools {
		for _, lot := range p.lots {
			p.costFIFO = add(p.costFIFO, lot.cost)
		}
		p.realised, p.realisedFIFO = add(p.cash, p.cost), add(p.cash, p.costFIFO)
	}
	return pools
}

func (p *oraclePool) take(l oracleLeg) {
	p.legs++
	p.cash = add(p.cash, l.amount)
	if l.quantity.Sign() == 0 {
		p.reprice(l)
		return
	}
	closing := new(big.Rat)
	if p.quantity.Sign()*l.quantity.Sign() < 0 {
		closing.Set(l.quantity)
		if new(big.Rat).Abs(l.quantity).Cmp(new(big.Rat).Abs(p.quantity)) > 0 {
			closing.Neg(p.quantity)
		}
		p.cost = sub(p.cost, p.out(l, closing))
		p.close(l, new(big.Rat).Neg(closing))
	}
	p.quantity = add(p.quantity, l.quantity)
	if opening := sub(l.quantity, closing); opening.Sign() != 0 {
		forClosing := halfEven(mul(l.amount, new(big.Rat).Quo(closing, l.quantity)), l.places)
		paid := sub(forClosing, l.amount)
		p.cost = add(p.cost, paid)
		p.lots = append(p.lots, oracleLot{l.stream, opening, paid})
		p.count(l, closing.Sign() != 0, "an exit of more than the pool holds")
		p.count(l, closing.Sign() == 0, "an exit of what the pool does not hold")
	}
}

func (p *oraclePool) count(l oracleLeg, is bool, what string) {
	if is && l.own != nil {
		p.seen[what]++
	}
}

// out returns the cost that goes out of the average with a closing quantity.
func (p *oraclePool) out(l oracleLeg, closing *big.Rat) *big.Rat {
	part := new(big.Rat).Quo(new(big.Rat).Neg(closing), p.quantity)
	share := halfEven(mul(p.cost, part), l.places)
	if l.own == nil || part.Cmp(sign(1)) == 0 {
		return share
	}
	p.count(l, l.own.Cmp(share) != 0, "an exit at another cost than the average")
	return l.own
}

// close takes q, in the direction of the lots, out of them. For an exit it goes through the lots
// twice: first through those of its own contract.
func (p *oraclePool) close(l oracleLeg, q *big.Rat) {
	for _, ownOnly := range []bool{true, false} {
		for i := range p.lots {
			lot := &p.lots[i]
			own := lot.stream == l.stream
			if q.Sign() == 0 || lot.quantity.Sign() == 0 || ownOnly && (l.own == nil || !own) {
				continue
			}
			p.count(l, ownOnly && i > 0, "an exit of its own lot before an older one")
			p.count(l, !own, "an exit of another contract's lot")
			part := q
			if new(big.Rat).Abs(q).Cmp(new(big.Rat).Abs(lot.quantity)) >= 0 {
				part = lot.quantity
			}
			out := halfEven(mul(lot.cost, new(big.Rat).Quo(part, lot.quantity)), l.places)
			q = sub(q, part)
			lot.quantity, lot.cost = sub(lot.quantity, part), sub(lot.cost, out)
		}
	}
	p.lots = slices.DeleteFunc(p.lots, func(lot oracleLot) bool { return lot.quantity.Sign() == 0 })
}

func (p *oraclePool) reprice(l oracleLeg) {
	if p.quantity.Sign() == l.side {
		p.cost = sub(p.cost, l.amount)
	}
	for i := len(p.lots) - 1; i >= 0; i-- {
		switch {
		case p.lots[i].stream != l.stream:
		case p.lots[i].quantity.Sign() != l.side:
			p.seen["a price behind a lot on its own other side"]++
		default:
			p.lots[i].cost = sub(p.lots[i].cost, l.amount)
			return
		}
	}
}

// worth returns the value of a position, or nil where a mark is missing.
func (o *oracle) worth(p trade.Valuation) *big.Rat {
	if p.Quantity.IsZero() {
		return new(big.Rat)
	}
	i, err := trade.ParseInstrumentID(p.Instrument)
	if err != nil {
		panic(err)
	}
	curve, mean, hours := i.Curve(), new(big.Rat), new(big.Rat)
	if m, marked := o.marks[p.Instrument]; marked && m.Currency == p.Currency {
		mean, hours = rat(m.Price), sign(1)
	} else {
		for at := i.Delivery.Start; at < i.Delivery.End; at++ {
			m, marked := o.marks[curve+"@"+at.UTC().Format("2006-01")]
			if !marked || m.Currency != p.Currency {
				m, marked = o.marks[curve+"@"+quarterOf(at)]
			}
			if !marked || m.Currency != p.Currency {
				return nil
			}
			n := sign(hoursOfDay(i, at))
			mean, hours = add(mean, mul(n, rat(m.Price))), add(hours, n)
		}
	}
	return halfEven(mul(rat(p.Quantity), new(big.Rat).Quo(mean, hours)), placesOf(p.Currency))
}

func quarterOf(d trade.Day) string {
	day := d.UTC()
	return fmt.Sprintf("%d-Q%d", day.Year(), (int(day.Month())+2)/3)
}

// hoursOfDay returns the hours of a delivery day. No clock changes in the summer of the histories.
func hoursOfDay(i trade.Instrument, d trade.Day) int {
	weekend := d.UTC().Weekday() == time.Saturday || d.UTC().Weekday() == time.Sunday
	switch {
	case i.Profile != "peak":
		return 24
	case weekend:
		return 0
	}
	return 12
}
