package projectiontest

import (
	"fmt"
	"time"

	"example.com/blotter/labs/kit/trade"
)

func period(s string) trade.Period {
	p, err := trade.ParsePeriod(s)
	if err != nil {
		panic(err)
	}
	return p
}

// A product is an instrument with the currency of its curve.
type product struct {
	trade.Instrument
	currency trade.Currency
}

// products are few, so that contracts share pools.
var products = []product{
	underlying(trade.Power, "CET", "base", "2025", "EUR"),
	underlying(trade.Power, "CET", "base", "2025-Q3", "EUR"),
	underlying(trade.Power, "GB", "peak", "2025-07-16/2025-09-01", "GBP"),
	underlying(trade.Gas, "TTF", "base", "2025-Q3", "EUR"),
	underlying(trade.Oil, "BRENT", "", "2025-08", "JPY"),
	option(trade.Call, underlying(trade.Oil, "BRENT", "", "2025-08", "JPY")),
	option(trade.Put, underlying(trade.Gas, "TTF", "base", "2025-Q3", "EUR")),
}

func underlying(c trade.Commodity, zone, profile, delivery string, marked trade.Currency) product {
	i := trade.Instrument{Commodity: c, Zone: zone, Profile: profile, Delivery: period(delivery)}
	return product{i, marked}
}

// option returns an option on p that can be exercised from half a year before the opening on.
func option(kind string, p product) product {
	p.Option = &trade.Option{
		Kind: kind, Strike: trade.Dec("70"),
		From: opening.AddDate(0, -6, 0), Until: opening.AddDate(0, 2, 0).Add(time.Microsecond),
	}
	return p
}

// deliveries are the points of curves: the months of the products, and some of the products
// themselves.
var deliveries = []trade.Period{
	period("2025"), period("2025-07"), period("2025-08"), period("2025-09"), period("2025-Q3"),
}

// product draws the first product half of the time, so that its pool becomes long.
func (h *historian) product() product {
	if h.IntN(2) == 0 {
		return products[0]
	}
	return products[h.IntN(len(products))]
}

// currency draws c most of the time.
func (h *historian) currency(c trade.Currency) trade.Currency {
	if h.IntN(5) > 0 {
		return c
	}
	return []trade.Currency{"EUR", "JPY", "USD"}[h.IntN(3)]
}

func (h *historian) side() trade.Side { return []trade.Side{trade.Buy, trade.Sell}[h.IntN(2)] }

func (h *historian) book() string {
	return []string{"north", "north", "north", "north", "north", "Süd"}[h.IntN(6)]
}

func (h *historian) price() trade.Decimal {
	return trade.Dec(fmt.Sprintf("%d.%03d", 40+h.IntN(60), h.IntN(1000)))
}

// quantity draws an energy or a volume, and sometimes a capacity.
func (h *historian) quantity(i trade.Instrument, most int) trade.Quantity {
	if i.Commodity != trade.Oil && h.IntN(5) == 0 {
		return trade.Quantity{Value: trade.Dec(fmt.Sprintf("0.%d", 1+h.IntN(9))), Unit: trade.MW}
	}
	value := trade.Dec(fmt.Sprintf("%d.%d", 1+h.IntN(most), h.IntN(10)))
	return trade.Quantity{Value: value, Unit: i.Unit()}
}

func (h *historian) fee(c trade.Currency) trade.Decimal {
	if c.Places() == 0 {
		return trade.Int(int64(-h.IntN(100)))
	}
	return trade.Dec(fmt.Sprintf("-%d.%02d", h.IntN(100), h.IntN(100)))
}

func (h *historian) contract() trade.New {
	p := h.product()
	c := h.currency(p.currency)
	return trade.New{
		Book: h.book(), Counterparty: "LEI-1", Trader: "t-1", Side: h.side(),
		Instrument: p.Instrument, Quantity: h.quantity(p.Instrument, 200),
		Price: h.price(), Currency: c, Fee: h.fee(c),
	}
}

// prices draws marks for a few deliveries of a curve. Sometimes they are in the wrong currency, or
// name a delivery twice.
func (h *historian) prices() trade.PriceMarked {
	p := h.product()
	m := trade.PriceMarked{Curve: p.Curve(), Currency: p.currency}
	if h.IntN(10) == 0 {
		m.Currency = "CHF"
	}
	for _, n := range h.Perm(len(deliveries))[:1+h.IntN(3)] {
		m.Points = append(m.Points, trade.Point{Delivery: deliveries[n], Price: h.price()})
	}
	if h.IntN(10) == 0 {
		m.Points = append(m.Points, m.Points[0])
	}
	return m
}

// change draws a change of a contract.
func (h *historian) change(now trade.Trade) trade.Body {
	switch n := h.IntN(32); {
	case n < 7:
		return h.amendment(now)
	case n < 9:
		return trade.Amend{Kind: trade.Update, Trader: fmt.Sprintf("t-%d", h.IntN(9))}
	case n < 10:
		return trade.Cancel{Kind: trade.Void}
	case n < 14:
		quantity := h.reduction(now)
		return trade.Cancel{Kind: trade.Terminate, Quantity: quantity, Fee: h.fee(now.Currency)}
	case n < 20:
		role := []string{trade.Transferor, trade.Remaining}[h.IntN(2)]
		return trade.Novate{
			Role: role, Quantity: h.reduction(now), Fee: h.fee(now.Currency),
			NewUTI: h.successor(now), Incoming: "LEI-2",
		}
	}
	if now.Terms.Instrument.Option == nil {
		return trade.Settle{Quantity: h.reduction(now), Price: h.price()}
	}
	quantity, price := h.reduction(now), h.price()
	e := trade.Exercise{Quantity: quantity, UnderlyingPrice: price, Settlement: trade.Cash}
	if h.IntN(2) == 0 {
		e.Settlement, e.NewUTI = trade.Physical, h.successor(now)
	}
	return e
}

// amendment changes the price, the quantity, or both.
func (h *historian) amendment(now trade.Trade) trade.Amend {
	a, price, n := trade.Amend{Kind: trade.Amendment}, h.price(), h.IntN(3)
	if n != 0 {
		a.Price = &price
	}
	if n != 1 {
		a.Quantity = h.quantity(now.Terms.Instrument, 250)
	}
	return a
}

// reduction draws the quantity by which a contract is reduced: a third of the time all of it.
func (h *historian) reduction(now trade.Trade) trade.Quantity {
	if h.IntN(3) == 0 {
		return trade.Quantity{}
	}
	return h.quantity(now.Terms.Instrument, 60)
}

// successor returns a UTI that no contract has.
func (h *historian) successor(now trade.Trade) string {
	return fmt.Sprintf("%s-%d", now.UTI, h.commands)
}

// restate draws a body of the same kind with other figures. It annuls one of four reductions.
func (h *historian) restate(wrong trade.Body) trade.Body {
	other := trade.Int(int64(max(0, h.IntN(40)-10)))
	switch b := wrong.(type) {
	case trade.New:
		return h.restateTerms(b)
	case trade.Amend:
		if b.Price != nil {
			price := h.price()
			b.Price = &price
		} else if b.Kind == trade.Amendment {
			b.Quantity.Value = b.Quantity.Value.Add(other)
		}
		return b
	case trade.Exercise:
		b.Quantity.Value, b.UnderlyingPrice = other, h.price()
		return b
	case trade.Reducer:
		if q, ok := b.Reduction(); ok {
			return b.WithReduction(trade.Quantity{Value: other, Unit: q.Unit})
		}
	}
	return wrong
}

// restateTerms changes one or two terms. A new book, currency or instrument moves the legs to
// another pool.
func (h *historian) restateTerms(n trade.New) trade.New {
	switch h.IntN(12) {
	case 0:
		n.Book = "east"
	case 1:
		n.Side = n.Side.Opposite()
	case 2:
		n.Currency = h.currency("USD")
		n.Fee = h.fee(n.Currency)
	case 3:
		n.Instrument = h.product().Instrument
		n.Quantity, n.Capacity = h.quantity(n.Instrument, 250), trade.Decimal{}
	case 4:
		n.Fee = h.fee(n.Currency)
	default:
		n.Price, n.Quantity, n.Capacity = h.price(), h.quantity(n.Instrument, 250), trade.Decimal{}
	}
	return n
}

// report returns the n-th report about the confirmation of a contract. Every fifth one is about its
// first terms.
func report(history []trade.Event, n int) trade.Confirm {
	c := trade.Confirm{Event: history[0].ID, Reference: fmt.Sprintf("CONF-%d", n)}
	if n%5 > 0 {
		c.Event = history[len(history)-1].ID
	}
	switch n % 4 {
	case 0:
		c.Kind, c.Method = trade.Sent, "swift"
	case 1:
		c.Kind = trade.Disputed
		c.Differences = []trade.Difference{{Term: "price", Theirs: "80.50"}}
	default:
		c.Kind = trade.Matched
	}
	return c
}
