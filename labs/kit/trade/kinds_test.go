package trade_test

import (
	"fmt"
	"math/big"
	"strings"

	"pgregory.net/rapid"

	"example.com/blotter/labs/kit/trade"
)

// This file holds the parts of the random histories and of the oracle that depend on the kind of an
// event.

// part draws a quantity of a contract. Sometimes it is empty, which means "in full".
func part(t *rapid.T, now trade.Trade) trade.Quantity {
	switch rapid.IntRange(0, 9).Draw(t, "part") {
	case 0, 1:
		return trade.Quantity{}
	case 2:
		if now.Unit == trade.MWh {
			return mw("0.01")
		}
	}
	return trade.Quantity{Value: number(t, "quantity", 0, 40), Unit: now.Unit}
}

func anyBody(t *rapid.T, now trade.Trade, i int) trade.Body {
	q, price, fee, next := part(t, now), number(t, "at", -20, 100), cash(t, "fee",
		now.Currency), fmt.Sprintf("%s-%d", now.UTI, i)
	if rapid.IntRange(0, 7).Draw(t, "taken") == 0 {
		next = now.UTI[:1] + "2" // another contract may have it
	}
	switch rapid.IntRange(0, 12).Draw(t, "event") {
	case 0, 1:
		return trade.Amend{Kind: trade.Amendment, Price: &price}
	case 2:
		a := trade.Amend{Kind: trade.Amendment, Quantity: q}
		if rapid.Bool().Draw(t, "both") {
			a.Price = &price
		}
		return a
	case 3:
		return trade.Amend{Kind: trade.Update, Trader: "trader/" + price.String()}
	case 4:
		return trade.Cancel{Kind: trade.Terminate, Quantity: q, Fee: fee}
	case 5:
		if rapid.IntRange(0, 2).Draw(t, "void") == 0 {
			return trade.Cancel{Kind: trade.Void}
		}
		return anyMark(t, now)
	case 6:
		role := rapid.SampledFrom([]string{trade.Transferor, trade.Remaining}).Draw(t, "role")
		return trade.Novate{Role: role, Quantity: q, Fee: fee, NewUTI: next, Incoming: "in"}
	case 7:
		if now.Terms.Instrument.Option == nil && rapid.IntRange(0, 7).Draw(t, "not an option") > 0 {
			return anyMark(t, now)
		}
		b := trade.Exercise{Quantity: q, UnderlyingPrice: price, Settlement: trade.Physical,
			NewUTI: next}
		if rapid.Bool().Draw(t, "cash") {
			b.Settlement, b.NewUTI = trade.Cash, ""
		}
		return b
	case 8, 9, 10:
		return anyMark(t, now)
	}
	return trade.Settle{Quantity: q, Price: price}
}

// anyConfirm draws a report about the terms after any event of a contract.
func anyConfirm(t *rapid.T, history []trade.Event) trade.Body {
	c := trade.Confirm{
		Kind: rapid.SampledFrom([]string{trade.Sent, trade.Matched, trade.Disputed}).Draw(t,
			"report"),
		Event: rapid.SampledFrom(history).Draw(t, "confirmed").ID, Reference: "CONF-1",
	}
	switch c.Kind {
	case trade.Sent:
		c.Method = "swift"
	case trade.Disputed:
		c.Differences = []trade.Difference{{Term: "price", Theirs: "80.50"}}
	}
	return c
}

func anyMark(t *rapid.T, now trade.Trade) trade.Body {
	p := products[now.UTI[0]]
	m := trade.PriceMarked{Curve: now.Terms.Instrument.Curve(),
		Currency: rapid.SampledFrom([]trade.Currency{p.currency, p.currency, p.currency,
			"JPY"}).Draw(t, "marked in")}
	if rapid.Bool().Draw(t, "underlying") {
		m.Curve = now.Terms.Instrument.Underlying().Curve()
	}
	only := rapid.IntRange(-len(p.marked), len(p.marked)-1).Draw(t, "only")
	for i, delivery := range p.marked {
		if i == only || only < 0 && rapid.IntRange(0, 2).Draw(t, "marked") > 0 {
			m.Points = append(m.Points, trade.Point{Delivery: period(delivery),
				Price: number(t, "mark", 1, 100)})
		}
	}
	return m
}

// restated draws a body for the slot of e. Often it is the body of e with other figures.
func restated(t *rapid.T, now trade.Trade, cmd trade.Command, e trade.Event) trade.Body {
	q := trade.Quantity{Value: number(t, "new quantity", 0, 20), Unit: now.Unit}
	if rapid.IntRange(0, 4).Draw(t, "annul") == 0 {
		q.Value = trade.Decimal{}
	}
	switch b := e.Body.(type) {
	case trade.New:
		if b.PriorUTI != "" && rapid.IntRange(0, 2).Draw(t, "by hand") > 0 {
			return renamed(t, b)
		}
		return renewed(t, now.UTI, b)
	case trade.Novate:
		b.Quantity, b.Fee = q, cash(t, "new fee", now.Currency)
		return b
	case trade.Exercise:
		b.Quantity = q
		return b
	case trade.Settle:
		b.Quantity, b.Price = q, number(t, "new price", 1, 100)
		return b
	case trade.Cancel:
		if b.Kind == trade.Terminate {
			b.Quantity, b.Fee = q, cash(t, "new fee", now.Currency)
			return b
		}
	}
	return cmd.Body
}

// renamed returns n with another name, or another fee, and the same figures.
func renamed(t *rapid.T, n trade.New) trade.Body {
	name := rapid.SampledFrom([]string{"x", "y", "z"}).Draw(t, "new name")
	switch rapid.IntRange(0, 3).Draw(t, "renamed") {
	case 0:
		n.Book = name
	case 1:
		n.Trader = "trader/" + name
	case 2:
		n.Counterparty = name
	case 3:
		n.Fee = cash(t, "fee by hand", n.Currency)
	}
	return n
}

// renewed returns n with one or two terms of another contract.
func renewed(t *rapid.T, uti string, n trade.New) trade.Body {
	other := anyNew(t, uti).(trade.New)
	n.Quantity.Value, n.Capacity = number(t, "new quantity", 1, 100), trade.Decimal{}
	for range 2 {
		switch rapid.IntRange(0, 6).Draw(t, "term") {
		case 0:
			n.Price = other.Price
		case 1:
			n.Book = other.Book
		case 2:
			n.Side = other.Side
		case 3:
			n.Currency, n.Fee = other.Currency, other.Fee
		case 4:
			n.Fee = cash(t, "new fee", n.Currency)
		case 5:
			if (n.Instrument.Option == nil) == (other.Instrument.Option == nil) {
				n.Instrument = other.Instrument
			}
		}
	}
	return n
}

// take applies the event of a slot. The contract is not voided.
func (c *oracleTrade) take(s oracleSlot) {
	switch b := s.last.Body.(type) {
	case trade.New:
		c.terms, c.price = b, rat(b.Price)
		c.side = map[trade.Side]int{trade.Buy: 1, trade.Sell: -1}[b.Side]
		q := rat(b.Quantity.Value)
		c.total["contracted"], c.total["open"] = q, q
		paid := mul(sign(-c.side), c.cents(mul(c.price, q)))
		c.move(s, mul(sign(c.side), q), add(paid, add(rat(b.Fee), rat(b.CarriedIn))))
		c.flow(s, q)
	case trade.Amend:
		c.amend(s, b)
	case trade.Cancel:
		c.out(s, b.Quantity.Value, b.Fee, c.cashless(), trade.Terminated)
	case trade.Novate:
		worth := c.cashless()
		if b.Role == trade.Remaining {
			worth = c.price
			c.bears(s, b.NewUTI, b.Quantity.Value, map[string]string{"counterparty": b.Incoming})
		}
		c.out(s, b.Quantity.Value, b.Fee, worth, trade.Novated)
	case trade.Settle:
		c.out(s, b.Quantity.Value, trade.Decimal{}, rat(b.Price), trade.Settled)
	case trade.Exercise:
		inside := c.inside(b)
		if b.Settlement == trade.Physical {
			c.bears(s, b.NewUTI, b.Quantity.Value, c.onUnderlying(b, inside))
		}
		c.out(s, b.Quantity.Value, trade.Decimal{}, inside, trade.Exercised)
	default:
		panic(fmt.Sprintf("the oracle has no rule for a body %T", b))
	}
}

// inside returns the gain per unit of an exercise.
func (c *oracleTrade) inside(b trade.Exercise) *big.Rat {
	o := c.terms.Instrument.Option
	inside := sub(rat(b.UnderlyingPrice), rat(o.Strike))
	if o.Kind == trade.Put {
		inside.Neg(inside)
	}
	if inside.Sign() < 0 {
		return new(big.Rat)
	}
	return inside
}

// onUnderlying returns the terms of the contract on the underlying that differ from the option's.
func (c *oracleTrade) onUnderlying(b trade.Exercise, inside *big.Rat) map[string]string {
	i := c.terms.Instrument
	buys := (c.side > 0) == (i.Option.Kind == trade.Call)
	side := map[bool]trade.Side{true: trade.Buy, false: trade.Sell}[buys]
	worth := mul(sign(-c.side), c.cents(mul(inside, rat(b.Quantity.Value))))
	name, _, _ := strings.Cut(i.ID(), "/"+i.Option.Kind+"/")
	return map[string]string{
		"side": string(side), "price": rat(i.Option.Strike).RatString(),
		"instrument": name + "@" + i.Delivery.String(), "carried in": worth.RatString(),
	}
}

// cashless returns the price that is neither paid nor received any more: a premium was paid.
func (c *oracleTrade) cashless() *big.Rat {
	if c.terms.Instrument.Option != nil {
		return new(big.Rat)
	}
	return c.price
}

func (c *oracleTrade) amend(s oracleSlot, b trade.Amend) {
	if b.Trader != "" {
		c.terms.Trader = b.Trader
	}
	if b.Counterparty != "" {
		c.terms.Counterparty = b.Counterparty
	}
	open := c.total["open"]
	newPrice, newOpen := c.price, open
	if b.Price != nil {
		newPrice = rat(*b.Price)
	}
	if !b.Quantity.IsZero() {
		newOpen = add(open, sub(rat(b.Quantity.Value), c.total["contracted"]))
		c.total["contracted"] = rat(b.Quantity.Value)
	}
	before, repriced := c.cents(mul(c.price, open)), c.cents(mul(newPrice, open))
	after := c.cents(mul(newPrice, newOpen))
	c.move(s, new(big.Rat), mul(sign(-c.side), sub(repriced, before)))
	more := c.move
	if newOpen.Cmp(open) < 0 {
		more = c.exit
	}
	more(s, mul(sign(c.side), sub(newOpen, open)), mul(sign(-c.side), sub(after, repriced)))
	c.flow(s, sub(newOpen, open))
	c.price, c.total["open"] = newPrice, newOpen
	if newOpen.Sign() == 0 {
		c.status = c.lastOut
	}
}
