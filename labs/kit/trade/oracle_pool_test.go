package trade_test

import (
	"math/big"
	"slices"
)

// This file holds the pools of the oracle: both cost methods, over all legs in their order.

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
