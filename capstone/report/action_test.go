package report_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"example.com/blotter/capstone/report"
	"example.com/blotter/capstone/report/reporttest"
	"example.com/blotter/labs/kit/trade"
)

var (
	dec = trade.Dec
	mwh = func(q string) trade.Quantity { return trade.Quantity{Value: dec(q), Unit: trade.MWh} }
)

func forward(q, price string) trade.New {
	period, err := trade.ParsePeriod("2025-06")
	if err != nil {
		panic(err)
	}
	return trade.New{Book: "POWER", Counterparty: "ACME", Trader: "anna", Side: trade.Buy,
		Instrument: trade.Instrument{Commodity: trade.Power, Zone: "DE-LU", Profile: "base",
			Delivery: period},
		Quantity: mwh(q), Price: dec(price), Currency: "EUR"}
}

func must(t *testing.T) func(trade.Event, error) trade.Event {
	return func(e trade.Event, err error) trade.Event {
		t.Helper()
		require.NoError(t, err)
		return e
	}
}

// shown prints an action: its kind, the kind in its slot, and the quantity that remains.
func shown(a report.Action) string {
	s := []string{string(a.Kind), string(a.Of), report.Remaining(a.After).String(),
		string(a.After.Status)}
	if a.Closes() {
		s = append(s, "closes")
	}
	if a.Reopens() {
		s = append(s, "reopens")
	}
	if a.Cause != "" {
		s = append(s, "from", a.PriorUTI, "by", string(a.Cause))
	}
	return strings.Join(s, " ")
}

func actionsOf(d *reporttest.Desk, uti, known string) (all []string) {
	at := time.Time{}
	if known != "" {
		at = reporttest.At(known)
	}
	actions, _ := report.Actions(d.Contract(uti), at)
	for _, a := range actions {
		all = append(all, shown(a))
	}
	return all
}

// Each event that counts is one action, with the states just before and just after its recording.
func TestEachEventIsOneAction(t *testing.T) {
	t.Parallel()
	d, do := reporttest.New(), must(t)
	price := dec("81")
	do(d.Do("2025-03-01", "T1", forward("100", "80")))
	do(d.Do("2025-03-02", "T1", trade.Amend{Kind: trade.Amendment, Price: &price}))
	do(d.Do("2025-03-03", "T1", trade.Amend{Kind: trade.Update, Trader: "ben"}))
	novate := do(d.Do("2025-03-04", "T1", trade.Novate{Role: trade.Remaining, Quantity: mwh("20"),
		NewUTI: "T2", Incoming: "BETA"}))
	do(d.Correct("2025-03-05", "T1", novate, trade.Novate{Role: trade.Remaining,
		Quantity: mwh("25"), NewUTI: "T2", Incoming: "BETA"}))
	do(d.Do("2025-03-06", "T1", trade.Cancel{Kind: trade.Terminate, Quantity: mwh("5")}))
	end := do(d.Do("2025-03-07", "T1", trade.Cancel{Kind: trade.Terminate}))
	do(d.Correct("2025-03-08", "T1", end, trade.Cancel{Kind: trade.Terminate, Quantity: mwh("0")}))
	do(d.Do("2025-07-01", "T1", trade.Settle{Quantity: mwh("70"), Price: dec("90")}))

	require.Equal(t, []string{
		"begin begin 100 LIVE", "amendment amendment 100 LIVE", "update update 100 LIVE",
		"novation novation 80 LIVE", "correction novation 75 LIVE",
		"termination termination 70 LIVE", "termination termination 0 TERMINATED closes",
		"correction termination 70 LIVE reopens", "settlement settlement 70 SETTLED closes",
	}, actionsOf(d, "T1", "2025-07-01"))
	require.Equal(t, []string{
		"begin begin 20 LIVE from T1 by novation",
		"correction begin 25 LIVE from T1 by novation",
	}, actionsOf(d, "T2", "2025-07-01"))
	actions, _ := report.Actions(d.Contract("T1"), time.Time{})
	require.Equal(t, "20", actions[4].Replaced.Body.(trade.Novate).Quantity.Value.String())
}

// The states around an action are those of a fold of the whole history as known then: each prefix
// of the versions is folded from nothing by trade.Fold.
func TestActionsAgreeWithTheFold(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		d := reporttest.New()
		reporttest.Random(t, d, 30)
		for _, uti := range d.UTIs() {
			c := d.Contract(uti)
			actions, parked := report.Actions(c, time.Time{})
			require.Nil(t, parked)
			require.Len(t, actions, len(c.History))
			for i, a := range actions {
				before, _ := trade.Fold(uti, c.History[:i], trade.AsOf{})
				after, _ := trade.Fold(uti, c.History[:i+1], trade.AsOf{})
				require.Equal(t, slim(before), slim(a.Before))
				require.Equal(t, slim(after), slim(a.After))
				require.Equal(t, c.History[i].ID, a.Event.ID)
			}
		}
	})
}

// slim returns the public state of a contract.
func slim(t trade.Trade) string {
	t.Legs, t.Flows = nil, nil
	t.Terms.Entered = nil
	return strings.Join([]string{t.UTI, string(t.Status), t.Counterparty, t.Trader,
		t.Price.String(), t.Contracted.String(), t.Open.String(), t.Settled.String(),
		t.Novated.String(), t.Exercised.String(), t.Terminated.String()}, " ")
}

// A report as known at a time before an event does not have it, whatever came later.
func TestLaterEventsChangeNoEarlierAction(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		d := reporttest.New()
		reporttest.Random(t, d, 20)
		uti := rapid.SampledFrom(d.UTIs()).Draw(t, "uti")
		all, _ := report.Actions(d.Contract(uti), time.Time{})
		known := rapid.SampledFrom(all).Draw(t, "action").Event.RecordedAt
		then, _ := report.Actions(d.Contract(uti), known)
		for i, a := range then {
			require.Equal(t, shown(all[i]), shown(a))
		}
	})
}
