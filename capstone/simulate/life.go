package simulate

import (
	"fmt"
	"time"

	"github.com/google/uuid"

	"example.com/blotter/labs/kit/trade"
)

// deal begins a contract. One in twelve is entered up to three days late.
func (d *desk) deal(at time.Time) {
	m := pick(d, d.markets)
	c := &contract{uti: d.nextUTI("T"), market: m}
	cmd := trade.Command{Reason: "client order", Body: d.terms(m, at)}
	cmd.Actor = cmd.Body.(trade.New).Trader
	if d.chance(12) {
		cmd.Reason, cmd.EffectiveAt = "found in the recap", d.ago(at, 3*day)
	}
	d.deals++
	switch d.deals % 200 {
	case 50:
		d.dealInKroner(c, at, cmd)
		return
	case 100:
		cmd = dealInDelivery(cmd, at)
	}
	if d.enter(c, at, inTherms(cmd), "") {
		d.live(c, at)
	}
}

// dealInKroner begins a contract in the currency of another column, which is accepted with a
// warning. The currency is corrected soon after.
func (d *desk) dealInKroner(c *contract, at time.Time, right trade.Command) {
	n := right.Body.(trade.New)
	n.Currency = "NOK"
	wrong := right
	wrong.Body = n
	if !d.enter(c, at, wrong, "") {
		return
	}
	d.plan(at.Add(20*time.Minute), func(at time.Time) {
		fix := trade.Command{Actor: "ops/1", Reason: "the recap has another currency",
			Corrects: c.history[0].ID, Body: right.Body}
		d.enter(c, at, fix, "")
		d.live(c, at)
	})
}

// dealInDelivery turns a forward into one on the month under way, for the hours that are left. In
// MW, and effective at its entry, it is accepted with a warning.
func dealInDelivery(cmd trade.Command, at time.Time) trade.Command {
	n := cmd.Body.(trade.New)
	if n.Instrument.Commodity == trade.Oil || n.Instrument.Option != nil {
		return cmd
	}
	n.Instrument.Delivery = month(at, 0)
	n.Quantity = trade.Quantity{Value: trade.Int(5), Unit: trade.MW}
	cmd.Body, cmd.Reason, cmd.EffectiveAt = n, "balance of the month", time.Time{}
	return cmd
}

// terms returns the terms of a deal at today's prices. Three in four are forwards.
func (d *desk) terms(m *market, at time.Time) trade.New {
	n := trade.New{
		Book: pick(d, m.books), Counterparty: pick(d, counterparties), Trader: pick(d, m.traders),
		Side:       pick(d, []trade.Side{trade.Buy, trade.Sell}),
		Instrument: m.instrument, Currency: m.currency,
	}
	n.Quantity = d.size(m)
	if d.chance(4) {
		return d.optionTerms(m, n, at)
	}
	n.Instrument.Delivery = pick(d, m.deliveries(at)[1:4])
	if m.instrument.Commodity != trade.Oil && d.chance(4) {
		n.Instrument.Delivery = quarter(at, 1)
	}
	n.Price = price(m.ticks(n.Instrument.Delivery) + d.spread(50))
	if d.chance(3) {
		n.Fee = price(-250 - d.rng.Int64N(5000))
	}
	return n
}

// optionTerms returns the terms of an option on the second or third month from now. It expires five
// days before delivery, and may be exercised in the thirty days before that.
func (d *desk) optionTerms(m *market, n trade.New, at time.Time) trade.New {
	n.Instrument.Delivery = month(at, 2+d.rng.IntN(2))
	until := n.Instrument.Delivery.Start.UTC().Add(-5*day + 16*time.Hour)
	strike := (m.ticks(n.Instrument.Delivery)/m.grid + d.rng.Int64N(3) - 1) * m.grid
	n.Instrument.Option = &trade.Option{
		Kind: pick(d, []string{trade.Call, trade.Put}), Strike: price(strike),
		From: until.Truncate(day).Add(-30 * day), Until: until,
	}
	n.Price = price(m.level * (3 + d.rng.Int64N(5)) / 100)
	n.Fee = price(-500 - d.rng.Int64N(3000))
	return n
}

// size returns 1 to 25 MW, or hundreds of MWh; for oil, thousands of barrels.
func (d *desk) size(m *market) trade.Quantity {
	switch {
	case m.instrument.Commodity == trade.Oil:
		return trade.Quantity{Value: trade.Int(1000 * (1 + d.rng.Int64N(20))), Unit: trade.BBL}
	case d.chance(5):
		return trade.Quantity{Value: trade.Int(100 * (1 + d.rng.Int64N(50))), Unit: trade.MWh}
	}
	return trade.Quantity{Value: trade.Int(1 + d.rng.Int64N(25)), Unit: trade.MW}
}

// begun returns a contract that begins from another one. Its own life starts after it is recorded.
func (d *desk) begun(parent *contract, uti string) *contract {
	child := &contract{uti: uti, market: parent.market}
	if parent.children == nil {
		parent.children = map[string]*contract{}
	}
	parent.children[uti] = child
	d.plan(d.last.Add(time.Hour), func(at time.Time) { d.live(child, at) })
	return child
}

// live plans the rest of a contract's life: visits, and an end.
func (d *desk) live(c *contract, at time.Time) {
	d.plan(d.in(at, 1, 25), func(at time.Time) { d.visit(c, at) })
	i := c.now.Terms.Instrument
	if i.Option == nil {
		d.plan(d.in(i.Delivery.End.UTC(), 2, 6), func(at time.Time) { d.try(c, at, settle) })
		return
	}
	evening := at.UTC().Truncate(day).Add(17*time.Hour + 40*time.Minute)
	d.plan(evening, func(at time.Time) { d.markOption(c, at) })
	lastHours := i.Option.Until.Add(-time.Duration(2+d.rng.IntN(6)) * time.Hour)
	d.plan(lastHours, func(at time.Time) { d.try(c, at, exercise) })
	d.plan(d.in(i.Option.Until, 2, 6), func(at time.Time) { d.try(c, at, lapse) })
}

// visit makes a move on a contract, or in one of seven visits a mistake. A closed contract has
// three further visits, most of which do nothing.
func (d *desk) visit(c *contract, at time.Time) {
	if !c.live() {
		c.late++
	}
	if c.late > 3 {
		return
	}
	d.plan(d.in(at, 5, 50), func(at time.Time) { d.visit(c, at) })
	if !c.live() && !d.chance(5) {
		return
	}
	all := moves
	if d.chance(7) {
		all = mistakes
	}
	for _, i := range d.shuffled(all) {
		if d.try(c, at, all[i]) {
			return
		}
	}
}

// try makes the move m if it fits.
func (d *desk) try(c *contract, at time.Time, m move) bool {
	cmd, fits := m.command(d, c, at)
	if !fits {
		return false
	}
	if cmd.Actor == "" {
		cmd.Actor = pick(d, []string{"ops/1", "ops/2", c.market.traders[0]})
	}
	if m.refused == "" && cmd.Corrects == uuid.Nil {
		cmd = inInvoiceUnit(c.now.Terms.Instrument.Zone, cmd)
	}
	if cmd.UTI != "" { // the command was meant for c, and names another contract
		c = &contract{uti: cmd.UTI}
	}
	cmd.Reason = m.reason
	d.enter(c, at, cmd, m.refused)
	return true
}

// shuffled returns the indices of moves in a random order in which heavier moves tend to come
// first.
func (d *desk) shuffled(all []move) []int {
	weights, total := make([]int, len(all)), 0
	for i, m := range all {
		weights[i] = m.weight
		total += m.weight
	}
	order := make([]int, 0, len(all))
	for total > 0 {
		n, i := d.rng.IntN(total), 0
		for ; n >= weights[i]; i++ {
			n -= weights[i]
		}
		order = append(order, i)
		total -= weights[i]
		weights[i] = 0
	}
	return order
}

var counterparties = []string{
	"NORDWIND", "SOLARIS", "TULIP", "POLDER", "HARBOUR", "THAMES", "ALPENSTROM", "MERIDIAN",
}

func (d *desk) nextUTI(series string) string {
	d.utis++
	return fmt.Sprintf("SIM%d%s%07d", d.cfg.Seed, series, d.utis)
}

// chance reports true once in n times.
func (d *desk) chance(n int) bool { return d.rng.IntN(n) == 0 }

// spread returns a number of ticks from -n to n.
func (d *desk) spread(n int64) int64 { return d.rng.Int64N(2*n+1) - n }

// ago returns a whole second up to span before at.
func (d *desk) ago(at time.Time, span time.Duration) time.Time {
	seconds := time.Duration(1 + d.rng.Int64N(int64(span/time.Second)))
	return at.Truncate(time.Second).Add(-seconds * time.Second)
}

func pick[T any](d *desk, of []T) T { return of[d.rng.IntN(len(of))] }
