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

// instruments are few, so that contracts share pools.
var instruments = []trade.Instrument{
	{Commodity: trade.Power, Zone: "CET", Profile: "base", Delivery: period("2025-03")},
	{Commodity: trade.Power, Zone: "CET", Profile: "base", Delivery: period("2025-Q2")},
	{Commodity: trade.Gas, Zone: "TTF", Profile: "base", Delivery: period("2025-04")},
	{Commodity: trade.Oil, Zone: "BRENT", Delivery: period("2025-05"), Option: &trade.Option{
		Kind: trade.Call, Strike: trade.Dec("70"), From: opening.AddDate(0, -6, 0), Until: opening.AddDate(0, 2, 0).Add(time.Microsecond),
	}},
}

func (h *historian) instrument() trade.Instrument { return instruments[h.IntN(len(instruments))] }

func (h *historian) price() trade.Decimal {
	return trade.Dec(fmt.Sprintf("%d.%03d", 40+h.IntN(60), h.IntN(1000)))
}

func (h *historian) quantity(i trade.Instrument, most int) trade.Quantity {
	return trade.Quantity{Value: trade.Dec(fmt.Sprintf("%d.%d", 1+h.IntN(most), h.IntN(10))), Unit: i.Commodity.Unit()}
}

func (h *historian) fee() trade.Decimal {
	return trade.Dec(fmt.Sprintf("-%d.%02d", h.IntN(100), h.IntN(100)))
}

func (h *historian) contract() trade.New {
	i := h.instrument()
	side := trade.Buy
	if h.IntN(2) == 0 {
		side = trade.Sell
	}
	return trade.New{
		Book: []string{"north", "Süd"}[h.IntN(2)], Counterparty: "LEI-1", Trader: "t-1", Side: side, Instrument: i,
		Quantity: h.quantity(i, 200), Price: h.price(), Currency: "EUR", Fee: h.fee(),
	}
}

// follow is what may happen to a contract. A third of what takes a part out takes all that is open now.
func (h *historian) follow(now trade.Trade) trade.Body {
	terms := now.Terms
	part := h.quantity(terms.Instrument, 60)
	if h.IntN(3) == 0 {
		part.Value = now.Open
	}
	price := h.price()
	other := fmt.Sprintf("OTHER-%d", len(h.log.Events))
	switch h.IntN(16) {
	case 0, 1, 2:
		return trade.Amend{Kind: trade.Amendment, Quantity: h.quantity(terms.Instrument, 250)}
	case 3, 4:
		return trade.Amend{Kind: trade.Amendment, Price: &price}
	case 5:
		return trade.Amend{Kind: trade.Update, Trader: fmt.Sprintf("t-%d", h.IntN(9))}
	case 6:
		return trade.Cancel{Kind: trade.Void}
	case 7, 8:
		return trade.Cancel{Kind: trade.Terminate, Quantity: part, Fee: h.fee()}
	case 9, 10:
		return trade.Novate{Role: trade.Transferor, Quantity: part, Fee: h.fee(), NewUTI: other, Incoming: "LEI-2"}
	}
	if terms.Instrument.Option != nil {
		return trade.Exercise{Quantity: part, UnderlyingPrice: price, Settlement: trade.Physical, NewUTI: other}
	}
	return trade.Settle{Quantity: part, Price: price}
}

// restate is a body of the same kind with other figures.
func (h *historian) restate(wrong trade.Body) trade.Body {
	switch b := wrong.(type) {
	case trade.New:
		b.Price, b.Quantity = h.price(), h.quantity(b.Instrument, 250)
		if h.IntN(3) == 0 {
			b.Book = "east" // the legs move to another pool
		}
		return b
	case trade.Settle:
		b.Quantity.Value = trade.Int(int64(h.IntN(40)))
		return b
	case trade.Novate:
		b.Quantity.Value = trade.Int(int64(h.IntN(40)))
		return b
	case trade.Exercise:
		b.UnderlyingPrice = h.price()
		return b
	}
	return wrong
}
