package trade_test

import (
	"math/big"
	"slices"
	"strings"

	"github.com/google/uuid"

	"example.com/blotter/labs/kit/trade"
)

// This is the same book folded by someone who never read the package: in fractions, with maps of totals, one pass over
// a list of what is valid at the end. It knows nothing of refusals, since what is on record is legal.

type oracle struct {
	legs   []oracleLeg
	trades map[string]map[string]*big.Rat // by UTI: "open", "SETTLED" and so on
	status map[string]trade.Status
	marks  map[string]*big.Rat // by instrument id
}

type oracleLeg struct {
	slot             oracleSlot
	stream, pool     string
	side             int
	quantity, amount *big.Rat
}

type oracleSlot struct {
	root, last trade.Event
}

func naive(streams map[string][]trade.Event) *oracle {
	o := &oracle{nil, map[string]map[string]*big.Rat{}, map[string]trade.Status{}, map[string]*big.Rat{}}
	for stream, events := range streams {
		slots := valid(events)
		if strings.HasPrefix(stream, "curve/") {
			for _, s := range slots {
				m := s.last.Body.(trade.PriceMarked)
				for _, p := range m.Points {
					o.marks[m.Curve+"@"+p.Delivery.String()] = rat(p.Price)
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
		if c := strings.Compare(a.stream, b.stream); c != 0 {
			return c
		}
		return int(a.slot.root.Version - b.slot.root.Version)
	})
	return o
}

// valid walks back from every event to the one it finally replaces; the last that arrives there counts.
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
func cents(r *big.Rat) *big.Rat  { return halfEven(r, 2) }
func sign(n int) *big.Rat        { return big.NewRat(int64(n), 1) }

func (o *oracle) contract(stream string, slots []oracleSlot) {
	uti := strings.TrimPrefix(stream, "trade/")
	var terms trade.New
	var legs []oracleLeg
	total := map[string]*big.Rat{}
	for _, k := range []string{"contracted", "open", "SETTLED", "NOVATED", "EXERCISED", "TERMINATED"} {
		total[k] = new(big.Rat)
	}
	price, side, status, lastOut := new(big.Rat), 1, trade.Live, trade.Live
	move := func(s oracleSlot, q, a *big.Rat) {
		if q.Sign() != 0 || a.Sign() != 0 {
			pool := terms.Book + "|" + terms.Instrument.ID()
			legs = append(legs, oracleLeg{s, stream, pool, side, q, a})
		}
	}
	out := func(s oracleSlot, q, fee trade.Decimal, worth *big.Rat, as trade.Status) {
		if q.IsZero() {
			return
		}
		move(s, mul(sign(-side), rat(q)), add(mul(sign(side), cents(mul(worth, rat(q)))), rat(fee)))
		total["open"] = sub(total["open"], rat(q))
		total[string(as)] = add(total[string(as)], rat(q))
		lastOut = as
		if total["open"].Sign() == 0 {
			status = as
		}
	}
	for _, s := range slots {
		if status == trade.Voided {
			break
		}
		switch b := s.last.Body.(type) {
		case trade.New:
			terms, price = b, rat(b.Price)
			side = map[trade.Side]int{trade.Buy: 1, trade.Sell: -1}[b.Side]
			q := rat(b.Quantity.Value)
			total["contracted"], total["open"] = q, q
			move(s, mul(sign(side), q), add(mul(sign(-side), cents(mul(price, q))), add(rat(b.Fee), rat(b.CarriedIn))))
		case trade.Amend:
			newPrice, newOpen := price, total["open"]
			if b.Price != nil {
				newPrice = rat(*b.Price)
			}
			if !b.Quantity.IsZero() {
				newOpen = add(newOpen, sub(rat(b.Quantity.Value), total["contracted"]))
				total["contracted"] = rat(b.Quantity.Value)
			}
			was, between, is := cents(mul(price, total["open"])), cents(mul(newPrice, total["open"])), cents(mul(newPrice, newOpen))
			move(s, new(big.Rat), mul(sign(-side), sub(between, was)))
			move(s, mul(sign(side), sub(newOpen, total["open"])), mul(sign(-side), sub(is, between)))
			price, total["open"] = newPrice, newOpen
			if newOpen.Sign() == 0 {
				status = lastOut
			}
		case trade.Cancel:
			if b.Kind == trade.Void {
				status, legs = trade.Voided, nil
				for k := range total {
					total[k] = new(big.Rat)
				}
				continue // to what is effective later, and moot
			}
			out(s, b.Quantity.Value, b.Fee, price, trade.Terminated)
		case trade.Novate:
			out(s, b.Quantity.Value, b.Fee, price, trade.Novated)
		case trade.Settle:
			out(s, b.Quantity.Value, trade.Decimal{}, rat(b.Price), trade.Settled)
		case trade.Exercise:
			inside := sub(rat(b.UnderlyingPrice), rat(terms.Instrument.Option.Strike))
			if terms.Instrument.Option.Kind == trade.Put {
				inside.Neg(inside)
			}
			if inside.Sign() < 0 {
				inside = new(big.Rat)
			}
			out(s, b.Quantity.Value, trade.Decimal{}, inside, trade.Exercised)
		}
	}
	o.trades[uti], o.status[uti] = total, status
	o.legs = append(o.legs, legs...)
}

// An oraclePool is what a pool comes to.
type oraclePool struct {
	quantity, cost, realised, costFIFO, realisedFIFO *big.Rat
	lots                                             []oracleLot
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
			p = &oraclePool{new(big.Rat), new(big.Rat), new(big.Rat), new(big.Rat), new(big.Rat), nil}
			pools[l.pool] = p
		}
		p.take(l)
	}
	for _, p := range pools {
		for _, lot := range p.lots {
			p.costFIFO = add(p.costFIFO, lot.cost)
		}
	}
	return pools
}

func (p *oraclePool) take(l oracleLeg) {
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
	}
	opening := sub(l.quantity, closing)
	forClosing := l.amount
	if opening.Sign() != 0 {
		forClosing = cents(mul(l.amount, new(big.Rat).Quo(closing, l.quantity)))
	}
	if closing.Sign() != 0 {
		out := cents(mul(p.cost, new(big.Rat).Quo(new(big.Rat).Neg(closing), p.quantity)))
		p.cost, p.realised = sub(p.cost, out), add(p.realised, sub(forClosing, out))
		p.realisedFIFO = add(p.realisedFIFO, forClosing)
		p.close(closing)
	}
	if opening.Sign() != 0 {
		paid := new(big.Rat).Neg(l.amount)
		if closing.Sign() != 0 {
			paid = sub(forClosing, l.amount)
		}
		p.cost = add(p.cost, paid)
		p.lots = append(p.lots, oracleLot{l.stream, opening, paid})
	}
	p.quantity = add(p.quantity, l.quantity)
}

func (p *oraclePool) close(q *big.Rat) {
	for q = new(big.Rat).Neg(q); q.Sign() != 0; { // in the sense of the lots
		lot := p.lots[0]
		part := q
		if new(big.Rat).Abs(q).Cmp(new(big.Rat).Abs(lot.quantity)) >= 0 {
			part, p.lots = lot.quantity, p.lots[1:]
			p.realisedFIFO = sub(p.realisedFIFO, lot.cost)
		} else {
			out := cents(mul(lot.cost, new(big.Rat).Quo(part, lot.quantity)))
			p.lots[0] = oracleLot{lot.stream, sub(lot.quantity, part), sub(lot.cost, out)}
			p.realisedFIFO = sub(p.realisedFIFO, out)
		}
		q = sub(q, part)
	}
}

func (p *oraclePool) reprice(l oracleLeg) {
	if p.quantity.Sign() == l.side {
		p.cost = sub(p.cost, l.amount)
	} else {
		p.realised = add(p.realised, l.amount)
	}
	for i := len(p.lots) - 1; i >= 0; i-- {
		if p.lots[i].stream == l.stream && p.lots[i].quantity.Sign() == l.side {
			p.lots[i].cost = sub(p.lots[i].cost, l.amount)
			return
		}
	}
	p.realisedFIFO = add(p.realisedFIFO, l.amount)
}
