package report

import (
	"iter"
	"time"

	"example.com/blotter/labs/kit/trade"
)

// Valuation returns the message type of a daily valuation: the worth of a live contract at a time,
// after its last action. ok is false for a contract that is not live then, as known with the last
// action. The contract is the whole one, as trade.Fold returns it: what it has delivered by then
// follows from its flows. The curve is that of its instrument.
//
// The worth is the exit value to us, before any payment: the market value of the open quantity less
// what is still to be paid for it. The premium of an option was paid.
func Valuation(
	typ string, last Action, contract trade.Trade, curve trade.Curve, at time.Time,
) (m Message, ok bool) {
	if contract.Status != trade.Live {
		return m, false
	}
	sign := contract.Side.Sign()
	position := trade.Position{
		PoolKey: trade.PoolKey{Book: contract.Book, Instrument: contract.Instrument,
			Currency: contract.Currency},
		Unit: contract.Unit, Quantity: sign.Mul(contract.Open),
	}
	v := position.ValuedAt(at, only(contract), curve, trade.HalfEven)
	worth := &Worth{At: at.UTC(), Marks: v.Marks}
	if v.MarketValue != nil {
		amount := *v.MarketValue
		if contract.Terms.Instrument.Option == nil {
			due := contract.Currency.Amount(contract.Price, contract.Open)
			amount = amount.Sub(sign.Mul(due))
		}
		worth.Amount = &amount
	}
	return Message{Action: last, N: 1, Type: typ, State: slim(contract), Value: worth}, true
}

func only(t trade.Trade) iter.Seq[trade.Trade] {
	return func(yield func(trade.Trade) bool) { yield(t) }
}
