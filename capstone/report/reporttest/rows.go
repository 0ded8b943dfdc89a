package reporttest

import (
	"bytes"
	"slices"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/blotter/capstone/report"
	"example.com/blotter/labs/kit/trade"
)

// MWh returns a quantity of energy.
func MWh(q string) trade.Quantity { return trade.Quantity{Value: trade.Dec(q), Unit: trade.MWh} }

// Period returns a delivery period, such as 2025-06.
func Period(s string) trade.Period {
	p, err := trade.ParsePeriod(s)
	if err != nil {
		panic(err)
	}
	return p
}

// Forward returns a purchase of base load for June 2025 in DE-LU from ACME, for the book POWER.
func Forward(q, price string) trade.New {
	return trade.New{Book: "POWER", Counterparty: "ACME", Trader: "anna", Side: trade.Buy,
		Instrument: trade.Instrument{Commodity: trade.Power, Zone: "DE-LU", Profile: "base",
			Delivery: june}, Quantity: MWh(q), Price: trade.Dec(price), Currency: "EUR"}
}

// Call returns a purchase of a call on Forward with the strike 70, to be exercised from a day to
// noon of 15 May 2025.
func Call(q, premium, from string) trade.New {
	n := Forward(q, premium)
	n.Instrument.Option = &trade.Option{Kind: trade.Call, Strike: trade.Dec("70"), From: At(from),
		Until: At("2025-05-15T12:00:00Z")}
	return n
}

// Amendment returns an amendment to another price, another quantity, or both. An empty text changes
// nothing.
func Amendment(price, quantity string) trade.Amend {
	a := trade.Amend{Kind: trade.Amendment}
	if price != "" {
		p := trade.Dec(price)
		a.Price = &p
	}
	if quantity != "" {
		a.Quantity = MWh(quantity)
	}
	return a
}

// Rows returns the rows of all contracts that are in scope, in the order of their events on record.
func (d *Desk) Rows(t require.TestingT, set report.RuleSet) (all []report.Row) {
	for _, uti := range d.UTIs() {
		for _, in := range d.Inputs(set, uti, time.Time{}) {
			reported, _, gap := set.InScope(in)
			require.Nil(t, gap)
			if !reported {
				continue
			}
			r, missing, ok := set.Row(in)
			require.True(t, ok, "%v", missing)
			all = append(all, r)
		}
	}
	slices.SortStableFunc(all, func(a, b report.Row) int {
		return a.Message.Action.Event.RecordedAt.Compare(b.Message.Action.Event.RecordedAt)
	})
	return all
}

// Written returns the file of rows.
func Written(t require.TestingT, set report.RuleSet, rows []report.Row) []byte {
	var b bytes.Buffer
	w := set.Write(&b, report.Header{})
	for _, r := range rows {
		require.NoError(t, w.Row(r))
	}
	require.NoError(t, w.Close())
	return b.Bytes()
}
