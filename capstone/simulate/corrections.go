package simulate

import (
	"time"

	"example.com/blotter/labs/kit/trade"
)

// correction restates the event of s.
func (c *contract) correction(s slot, body trade.Body) (trade.Command, bool) {
	return trade.Command{Corrects: s.event.ID, Body: body}, true
}

// slot returns a random slot that fits.
func (d *desk) slot(c *contract, fits func(slot) bool) (slot, bool) {
	var all []slot
	for _, s := range c.slots {
		if fits(s) {
			all = append(all, s)
		}
	}
	if len(all) == 0 || c.voided() {
		return slot{}, false
	}
	return pick(d, all), true
}

// dealt returns the contract's NEW as it was commanded. A contract that began from another one has
// none: its cause has to be corrected.
func (c *contract) dealt() (s slot, n trade.New, ok bool) {
	s = c.slots[0]
	n, ok = s.event.Body.(trade.New)
	if !n.Capacity.IsZero() {
		n.Quantity = trade.Quantity{Value: n.Capacity, Unit: trade.MW}
		n.Capacity = trade.Decimal{}
	}
	return s, n, ok && n.PriorUTI == "" && !c.voided()
}

func correctNew(d *desk, c *contract, _ time.Time) (trade.Command, bool) {
	s, n, ok := c.dealt()
	n.Price = n.Price.Add(price(d.spread(40)))
	if !ok || n.Price.Sign() <= 0 {
		return no()
	}
	return c.correction(s, n)
}

// correctDate moves a NEW back in time. The NEW stays the first event.
func correctDate(d *desk, c *contract, _ time.Time) (trade.Command, bool) {
	s, n, ok := c.dealt()
	if !ok {
		return no()
	}
	cmd, _ := c.correction(s, n)
	cmd.EffectiveAt = d.ago(s.event.EffectiveAt, 2*day)
	return cmd, true
}

// correctTrader gives a contract that began from another one a trader by hand.
func correctTrader(d *desk, c *contract, _ time.Time) (trade.Command, bool) {
	n, _ := c.slots[0].event.Body.(trade.New)
	n.Trader = pick(d, []string{"trader/11", "trader/12", "trader/14"})
	if n.PriorUTI == "" || c.voided() || n.Trader == c.now.Trader {
		return no()
	}
	return c.correction(c.slots[0], n)
}

// correctPrice restates a settlement or an amendment at another price.
func correctPrice(d *desk, c *contract, _ time.Time) (trade.Command, bool) {
	s, ok := d.slot(c, func(s slot) bool {
		a, amends := s.event.Body.(trade.Amend)
		_, settles := s.event.Body.(trade.Settle)
		return settles && !c.option() && !annulled(s.event) || amends && a.Price != nil
	})
	if !ok {
		return no()
	}
	move := price(d.spread(80))
	switch b := s.event.Body.(type) {
	case trade.Settle:
		b.Price = b.Price.Add(move)
		return c.correction(s, b)
	case trade.Amend:
		p := b.Price.Add(move)
		b.Price = &p
		if p.Sign() > 0 {
			return c.correction(s, b)
		}
	}
	return no()
}

// correctQuantity halves a reduction. Later events find a larger open quantity, so they stay legal.
func correctQuantity(d *desk, c *contract, _ time.Time) (trade.Command, bool) {
	s, ok := d.slot(c, func(s slot) bool {
		_, reduces := trade.Reduction(s.event.Body)
		return reduces && trade.Begun(s.event.Body) == "" && !annulled(s.event)
	})
	if !ok {
		return no()
	}
	q, _ := trade.Reduction(s.event.Body)
	q.Value = trade.MulDiv(q.Value, trade.Int(1), trade.Int(2), 0)
	if q.Value.IsZero() {
		return no()
	}
	return c.correction(s, s.event.Body.(trade.Reducer).WithReduction(q))
}

// annul annuls a reduction. Its follow-up voids a contract that began from it, if that contract has
// no other event yet.
func annul(d *desk, c *contract, _ time.Time) (trade.Command, bool) {
	s, ok := d.slot(c, func(s slot) bool {
		_, reduces := trade.Reduction(s.event.Body)
		begins := trade.Begun(s.event.Body) != ""
		return reduces && !annulled(s.event) && (!begins || c.untouched(s))
	})
	if !ok {
		return no()
	}
	return c.correction(s, s.event.Body.(trade.Reducer).WithReduction(c.quantity(trade.Decimal{})))
}

func (c *contract) untouched(s slot) bool {
	child := c.children[trade.Begun(s.event.Body)]
	return child != nil && len(child.history) == 1
}
