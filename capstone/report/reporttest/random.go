package reporttest

import (
	"fmt"
	"time"

	"pgregory.net/rapid"

	"example.com/blotter/labs/kit/trade"
)

// Random sends up to n random commands to the desk: new contracts and all that may happen to them,
// late events and corrections. A command that the desk refuses leaves no event. At least one
// contract begins. Random draws from its seed only.
func Random(t *rapid.T, d *Desk, n int) {
	now := At("2025-01-02")
	for i := range n {
		now = now.Add(time.Duration(rapid.IntRange(1, 40).Draw(t, "hours")) * time.Hour)
		utis := d.UTIs()
		if len(utis) == 0 || rapid.IntRange(0, 9).Draw(t, "begin") == 0 {
			uti := fmt.Sprintf("R%d", i)
			_, err := d.Send(trade.Command{UTI: uti, EnteredAt: now, Body: randomNew(t)})
			if err != nil {
				t.Fatalf("a random contract was refused: %v", err)
			}
			continue
		}
		uti := rapid.SampledFrom(utis).Draw(t, "uti")
		cmd := trade.Command{UTI: uti, EnteredAt: now, Body: randomChange(t, i)}
		history := d.Streams[trade.TradeStream(uti)]
		switch rapid.IntRange(0, 9).Draw(t, "how") {
		case 0, 1:
			cmd.EffectiveAt = now.Add(-72 * time.Hour)
		case 2, 3:
			wrong := rapid.SampledFrom(history).Draw(t, "wrong")
			cmd.Corrects, cmd.Body = wrong.ID, restated(t, wrong.Body)
		}
		_, _ = d.Send(cmd) // a refusal leaves no event
	}
}

func quantity(t *rapid.T, low int) trade.Quantity {
	q := rapid.IntRange(low, 40).Draw(t, "quantity")
	return trade.Quantity{Value: trade.Int(int64(q)), Unit: trade.MWh}
}

func randomNew(t *rapid.T) trade.New {
	n := trade.New{Book: "POWER", Counterparty: "ACME", Trader: "anna", Side: trade.Buy,
		Instrument: trade.Instrument{Commodity: trade.Power, Zone: "DE-LU", Profile: "base",
			Delivery: june}, Quantity: quantity(t, 20), Price: trade.Int(80), Currency: "EUR"}
	if rapid.Bool().Draw(t, "option") {
		n.Instrument.Option = &trade.Option{Kind: trade.Call, Strike: trade.Int(70),
			From: At("2025-01-01"), Until: At("2025-05-15")}
	}
	if rapid.Bool().Draw(t, "sell") {
		n.Side = trade.Sell
	}
	return n
}

var june = Period("2025-06")

func randomChange(t *rapid.T, i int) trade.Body {
	price := trade.Int(int64(rapid.IntRange(60, 99).Draw(t, "price")))
	next := fmt.Sprintf("N%d", i)
	switch rapid.IntRange(0, 9).Draw(t, "change") {
	case 0, 1:
		return trade.Amend{Kind: trade.Amendment, Price: &price}
	case 2:
		return trade.Amend{Kind: trade.Amendment, Quantity: quantity(t, 1)}
	case 3:
		return trade.Amend{Kind: trade.Update, Trader: "ben"}
	case 4:
		return trade.Cancel{Kind: trade.Void}
	case 5:
		return trade.Cancel{Kind: trade.Terminate, Quantity: quantity(t, 1)}
	case 6:
		return trade.Novate{Role: trade.Remaining, Quantity: quantity(t, 1), NewUTI: next,
			Incoming: "BETA"}
	case 7:
		return trade.Novate{Role: trade.Transferor, Quantity: quantity(t, 1), NewUTI: next,
			Incoming: "BETA"}
	case 8:
		return trade.Exercise{Quantity: quantity(t, 1), UnderlyingPrice: price,
			Settlement: trade.Physical, NewUTI: next}
	}
	return trade.Settle{Quantity: quantity(t, 1), Price: price}
}

// restated returns a body with another quantity or price, which may be zero for a reduction.
func restated(t *rapid.T, b trade.Body) trade.Body {
	switch b := b.(type) {
	case trade.New:
		b.Price = b.Price.Add(trade.Int(1))
		return b
	case trade.Reducer:
		return b.WithReduction(quantity(t, 0))
	}
	return b
}
