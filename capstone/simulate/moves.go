package simulate

import (
	"time"

	"example.com/blotter/labs/kit/trade"
)

// A move is a command about a contract. If it fits the contract, it is refused by the rule refused,
// or accepted if there is no rule.
type move struct {
	reason  string
	weight  int
	refused trade.Rule
	command func(d *desk, c *contract, at time.Time) (trade.Command, bool)
}

// moves are the legal moves.
var moves = []move{
	{"agreed with the counterparty", 10, "", amendPrice},
	{"agreed last week, entered late", 4, "", amendPriceLate},
	{"client needs another volume", 8, "", amendQuantity},
	{"desk handover", 6, "", update},
	{"limit relief", 7, "", novatePart},
	{"portfolio transfer", 3, "", novate},
	{"agreed early end of a part", 6, "", terminatePart},
	{"agreed early end", 2, "", terminate},
	{"delivered so far", 40, "", settlePart},
	{"delivered so far", 30, "", settlePeriod},
	{"delivered", 30, "", settle.command},
	{"in the money", 40, "", exercisePart},
	{"expired", 30, "", lapse.command},
	{"booked twice", 1, "", void},
	{"price keyed wrongly", 3, "", correctNew},
	{"the recap has another date", 2, "", correctDate},
	{"booked on the wrong trader", 3, "", correctTrader},
	{"final price came in", 8, "", correctPrice},
	{"confirmation has less", 6, "", correctQuantity},
	{"it never happened", 4, "", annul},
}

// Moves that end a contract when its time has come.
var (
	settle   = move{reason: "delivered", command: settleAll}
	exercise = move{reason: "expires in the money", command: exerciseAll}
	lapse    = move{reason: "expired", command: lapsed}
)

// no is returned by a move that does not fit, yes by one that does.
func no() (trade.Command, bool) { return trade.Command{}, false }

func yes(body trade.Body) (trade.Command, bool) { return trade.Command{Body: body}, true }

func amendPrice(d *desk, c *contract, _ time.Time) (trade.Command, bool) {
	p, ok := d.freshPrice(c)
	if !c.live() || !ok {
		return no()
	}
	return yes(trade.Amend{Kind: trade.Amendment, Price: &p})
}

// amendPriceLate amends at a time between earlier events. A price changes no quantity, so later
// events stay legal. The contract may be closed by now, but not at that time.
func amendPriceLate(d *desk, c *contract, at time.Time) (trade.Command, bool) {
	p, ok := d.freshPrice(c)
	if c.voided() || !ok || len(c.slots) < 2 {
		return no()
	}
	begun := c.slots[0].event.EffectiveAt
	span := c.lastEffective().Sub(begun)
	if span < time.Minute {
		return no()
	}
	cmd := trade.Command{Body: trade.Amend{Kind: trade.Amendment, Price: &p}}
	seconds := time.Duration(1 + d.rng.Int64N(int64(span/time.Second)))
	cmd.EffectiveAt = begun.Add(seconds * time.Second)
	if c.live() {
		return cmd, true
	}
	cmd.UTI, cmd.Approver = c.uti, "ops/3"
	_, err := c.decide(cmd)
	return cmd, err == nil
}

// freshPrice returns a price near the contract's that the contract never had, because an amend to
// the same price is refused.
func (d *desk) freshPrice(c *contract) (trade.Decimal, bool) {
	p := c.now.Price.Add(price(d.spread(60)))
	for _, s := range c.slots {
		switch b := s.event.Body.(type) {
		case trade.New:
			if b.Price.Equal(p) {
				return p, false
			}
		case trade.Amend:
			if b.Price != nil && b.Price.Equal(p) {
				return p, false
			}
		}
	}
	return p, p.Sign() > 0
}

// amendQuantity adds or takes away a quarter of the open quantity. Before delivery it may change
// the capacity.
func amendQuantity(d *desk, c *contract, at time.Time) (trade.Command, bool) {
	more := c.part(4)
	if !c.live() || more.IsZero() {
		return no()
	}
	untouched := c.before(at) && c.taken().IsZero()
	if c.now.Unit == trade.MWh && untouched && !c.now.Terms.Capacity.IsZero() {
		mw := c.now.Terms.Capacity.Add(trade.Int(1 + d.rng.Int64N(3)))
		q := trade.Quantity{Value: mw, Unit: trade.MW}
		return yes(trade.Amend{Kind: trade.Amendment, Quantity: q})
	}
	if d.chance(2) {
		more = more.Neg()
	}
	q := c.quantity(c.now.Contracted.Add(more))
	return yes(trade.Amend{Kind: trade.Amendment, Quantity: q})
}

func update(d *desk, c *contract, _ time.Time) (trade.Command, bool) {
	traders := []string{"trader/11", "trader/12", "trader/14"}
	a := trade.Amend{Kind: trade.Update, Trader: pick(d, traders)}
	if d.chance(3) {
		a = trade.Amend{Kind: trade.Update, Counterparty: pick(d, counterparties) + "-AG"}
	}
	if !c.live() || a.Trader == c.now.Trader || a.Counterparty == c.now.Counterparty {
		return no()
	}
	return yes(a)
}

func void(_ *desk, c *contract, _ time.Time) (trade.Command, bool) {
	if c.voided() || c.parent() || c.now.PriorUTI != "" {
		return no()
	}
	return yes(trade.Cancel{Kind: trade.Void})
}

func terminatePart(d *desk, c *contract, at time.Time) (trade.Command, bool) {
	q := c.part(3 + d.rng.Int64N(3))
	if !c.live() || q.IsZero() || c.over(at) {
		return no()
	}
	part := trade.Cancel{Kind: trade.Terminate, Quantity: c.quantity(q), Fee: d.fee()}
	return d.backdated(c, at, part)
}

func terminate(d *desk, c *contract, at time.Time) (trade.Command, bool) {
	if !c.live() || c.over(at) {
		return no()
	}
	return yes(trade.Cancel{Kind: trade.Terminate, Fee: d.fee()})
}

// novatePart novates a part. Before delivery that is 1 MW, if the part is large enough.
func novatePart(d *desk, c *contract, at time.Time) (trade.Command, bool) {
	q := c.part(2 + d.rng.Int64N(4))
	if !c.live() || q.IsZero() || c.over(at) {
		return no()
	}
	n := d.novation(c)
	n.Quantity = c.quantity(q)
	hours, err := trade.Hours(c.now.Terms.Instrument, at)
	if err == nil && c.before(at) && trade.Int(hours).Cmp(q) < 0 {
		n.Quantity = trade.Quantity{Value: trade.Int(1), Unit: trade.MW}
	}
	return yes(n)
}

func novate(d *desk, c *contract, at time.Time) (trade.Command, bool) {
	if !c.live() || c.over(at) {
		return no()
	}
	return yes(d.novation(c))
}

func (d *desk) novation(c *contract) trade.Novate {
	n := trade.Novate{Role: trade.Transferor, Fee: d.fee(), Incoming: pick(d, counterparties)}
	if d.chance(2) {
		n.Role, n.NewUTI = trade.Remaining, d.nextUTI("N")
	} else {
		n.NewUTI = d.nextUTI("EXT")
	}
	return n
}

// settlePart settles a part during delivery.
func settlePart(d *desk, c *contract, at time.Time) (trade.Command, bool) {
	q := c.part(2 + d.rng.Int64N(3))
	if !c.live() || c.option() || q.IsZero() || c.before(at) || c.after(at) {
		return no()
	}
	return d.backdated(c, at, trade.Settle{Quantity: c.quantity(q), Price: price(c.ticks())})
}

// settlePeriod settles 1 MW over the first days of the delivery, after all other events.
func settlePeriod(_ *desk, c *contract, at time.Time) (trade.Command, bool) {
	if !c.live() || c.option() || c.now.Unit != trade.MWh {
		return no()
	}
	from := c.now.Terms.Instrument.Delivery.Start.UTC()
	to := at.UTC().Truncate(day).Add(-day)
	hours := trade.Int(int64(to.Sub(from) / time.Hour))
	if c.after(at) || to.Sub(from) < 3*day || hours.Cmp(c.now.Open) >= 0 {
		return no()
	}
	return yes(trade.Settle{Quantity: trade.Quantity{Value: trade.Int(1), Unit: trade.MW},
		Price: price(c.ticks()), From: from, To: to})
}

// settleAll settles the rest after delivery.
func settleAll(_ *desk, c *contract, at time.Time) (trade.Command, bool) {
	if !c.live() || c.option() || !c.after(at) {
		return no()
	}
	return yes(trade.Settle{Price: price(c.ticks())})
}

func exercisePart(d *desk, c *contract, at time.Time) (trade.Command, bool) {
	q := c.part(2 + d.rng.Int64N(2))
	if !c.live() || !c.exercisable(at) || q.IsZero() || c.inTheMoney().Sign() <= 0 {
		return no()
	}
	e := d.exercise(c)
	e.Quantity = c.quantity(q)
	return yes(e)
}

func exerciseAll(d *desk, c *contract, at time.Time) (trade.Command, bool) {
	if !c.live() || !c.exercisable(at) || c.inTheMoney().Sign() <= 0 {
		return no()
	}
	return yes(d.exercise(c))
}

func (d *desk) exercise(c *contract) trade.Exercise {
	e := trade.Exercise{UnderlyingPrice: price(c.ticks()), Settlement: trade.Cash}
	if d.chance(2) {
		e.Settlement, e.NewUTI = trade.Physical, d.nextUTI("X")
	}
	return e
}

// lapsed settles an expired option at zero.
func lapsed(_ *desk, c *contract, at time.Time) (trade.Command, bool) {
	if !c.live() || !c.option() || !at.After(c.now.Terms.Instrument.Option.Until) {
		return no()
	}
	return yes(trade.Settle{})
}

// backdated returns a command that in one of four cases is effective before now, but after all
// other events.
func (d *desk) backdated(c *contract, at time.Time, body trade.Body) (trade.Command, bool) {
	cmd := trade.Command{Body: body}
	if span := at.Sub(c.lastEffective()); span > 2*time.Second && d.chance(4) {
		cmd.EffectiveAt = d.ago(at, min(span-time.Second, 5*day))
	}
	return cmd, true
}

// part returns an n-th of the open quantity in whole units, or zero if that is less than a unit. It
// is never the whole, because n is 2 or more.
func (c *contract) part(n int64) trade.Decimal {
	return trade.MulDiv(c.now.Open, trade.Int(1), trade.Int(n), 0)
}

func (c *contract) quantity(v trade.Decimal) trade.Quantity {
	return trade.Quantity{Value: v, Unit: c.now.Unit}
}

// fee returns a fee that is paid or received, or no fee.
func (d *desk) fee() trade.Decimal {
	if d.chance(3) {
		return trade.Decimal{}
	}
	return price(d.spread(20000))
}
