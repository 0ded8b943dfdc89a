package trade_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"example.com/blotter/labs/kit/trade"
)

// Commands of the tables below.
var (
	bought     = on("02-03", power("100", "50"))
	boughtOpt  = on("04-01", option("100", "2"))
	terminate  = on("02-20", trade.Cancel{Kind: trade.Terminate})
	settleAll  = on("02-20", trade.Settle{Price: dec("55")})
	novateAll  = on("02-20", trade.Novate{Role: trade.Transferor, NewUTI: "T2", Incoming: "cpty/8"})
	settlePart = on("02-20", trade.Settle{Quantity: mwh("30"), Price: dec("55")})
	voidIt     = approvedBy("control/1", on("02-25", trade.Cancel{Kind: trade.Void}))
	remain20   = on("02-20", trade.Novate{Role: trade.Remaining, Quantity: mwh("20"), NewUTI: "T2",
		Incoming: "cpty/8"})
)

func exercises(day string, b trade.Exercise) trade.Command {
	if b.Settlement == "" {
		b.Settlement = trade.Cash
	}
	if b.UnderlyingPrice.IsZero() {
		b.UnderlyingPrice = dec("76")
	}
	return on(day, b)
}

// account returns a contract as one line: its status, then contracted = open + settled + novated +
// exercised + terminated.
func account(t trade.Trade) string {
	return fmt.Sprintf("%s %s = %s + %s + %s + %s + %s", t.Status, t.Contracted,
		t.Open, t.Settled, t.Novated, t.Exercised, t.Terminated)
}

func TestLifecycle(t *testing.T) {
	t.Parallel()
	continued := power("100", "50")
	continued.PriorUTI = "T0"
	for _, c := range []struct {
		name  string
		given []trade.Command
		when  trade.Command
		then  string
		legs  string // quantity@amount of the legs that when added
	}{
		{"nothing, NEW", nil, bought, "LIVE 100 = 100 + 0 + 0 + 0 + 0", "100@-5000"},
		{"nothing, NEW sold with a fee", nil, on("02-03",
			func() trade.New { n := sell(power("100", "50")); n.Fee = dec("-3.25"); return n }()),
			"LIVE 100 = 100 + 0 + 0 + 0 + 0", "-100@4996.75"},
		{"nothing, NEW in MW", nil, on("02-03",
			func() trade.New { n := power("1", "50"); n.Quantity = mw("0.5"); return n }()),
			"LIVE 371.5 = 371.5 + 0 + 0 + 0 + 0", "371.5@-18575"},
		{"LIVE, AMEND amendment of quantity", []trade.Command{bought},
			on("02-10", trade.Amend{Kind: trade.Amendment, Quantity: mwh("120")}),
			"LIVE 120 = 120 + 0 + 0 + 0 + 0", "20@-1000"},
		{"LIVE, AMEND amendment of quantity in MW", []trade.Command{bought},
			on("02-10", trade.Amend{Kind: trade.Amendment, Quantity: mw("1")}),
			"LIVE 743 = 743 + 0 + 0 + 0 + 0", "643@-32150"},
		{"LIVE, AMEND amendment of price", []trade.Command{bought},
			on("02-10", trade.Amend{Kind: trade.Amendment, Price: ref("51.5")}),
			"LIVE 100 = 100 + 0 + 0 + 0 + 0", "0@-150"},
		{"LIVE reduced, AMEND amendment of both", []trade.Command{bought, settlePart},
			on("02-21", trade.Amend{Kind: trade.Amendment, Quantity: mwh("80"), Price: ref("60")}),
			"LIVE 80 = 50 + 30 + 0 + 0 + 0", "0@-700 -20@1200"},
		{"LIVE reduced, AMEND amendment to what is out", []trade.Command{bought, settlePart},
			on("02-21", trade.Amend{Kind: trade.Amendment, Quantity: mwh("30")}),
			"SETTLED 30 = 0 + 30 + 0 + 0 + 0", "-70@3500"},
		{"LIVE reduced in two ways, AMEND amendment to what is out",
			[]trade.Command{bought, settlePart, on("02-21",
				trade.Cancel{Kind: trade.Terminate, Quantity: mwh("10")})},
			on("02-22", trade.Amend{Kind: trade.Amendment,
				Quantity: mwh("40")}), "TERMINATED 40 = 0 + 30 + 0 + 0 + 10", "-60@3000"},
		{"LIVE, AMEND update", []trade.Command{bought}, on("02-10",
			trade.Amend{Kind: trade.Update, Trader: "trader/2"}),
			"LIVE 100 = 100 + 0 + 0 + 0 + 0", ""},
		{"LIVE, AMEND correction", []trade.Command{bought, settlePart},
			corrects(settlePart, on("02-21", trade.Settle{Quantity: mwh("40"), Price: dec("55")})),
			"LIVE 100 = 60 + 40 + 0 + 0 + 0", "-40@2200"},
		{"LIVE, CANCEL void", []trade.Command{bought, settlePart}, voidIt,
			"VOIDED 0 = 0 + 0 + 0 + 0 + 0", ""},
		{"LIVE, CANCEL terminate in full", []trade.Command{bought},
			on("02-20", trade.Cancel{Kind: trade.Terminate, Fee: dec("-7")}),
			"TERMINATED 100 = 0 + 0 + 0 + 0 + 100", "-100@4993"},
		{"LIVE, CANCEL terminate in part", []trade.Command{bought},
			on("02-20", trade.Cancel{Kind: trade.Terminate, Quantity: mwh("25")}),
			"LIVE 100 = 75 + 0 + 0 + 0 + 25", "-25@1250"},
		{"LIVE, NOVATE in full", []trade.Command{bought}, novateAll,
			"NOVATED 100 = 0 + 0 + 100 + 0 + 0", "-100@5000"},
		{"LIVE, NOVATE in part, remaining", []trade.Command{bought}, remain20,
			"LIVE 100 = 80 + 0 + 20 + 0 + 0", "-20@1000"},
		{"LIVE, SETTLE in full", []trade.Command{bought}, settleAll,
			"SETTLED 100 = 0 + 100 + 0 + 0 + 0", "-100@5500"},
		{"LIVE, SETTLE in part", []trade.Command{bought}, settlePart,
			"LIVE 100 = 70 + 30 + 0 + 0 + 0", "-30@1650"},
		{"LIVE reduced, NOVATE what is left", []trade.Command{bought, settlePart},
			on("02-21", novateAll.Body), "NOVATED 100 = 0 + 30 + 70 + 0 + 0", "-70@3500"},
		{"LIVE option, EXERCISE in full", []trade.Command{boughtOpt},
			exercises("05-06", trade.Exercise{}), "EXERCISED 100 = 0 + 0 + 0 + 100 + 0",
			"-100@600"},
		{"LIVE option, EXERCISE in part", []trade.Command{boughtOpt},
			exercises("05-06", trade.Exercise{Quantity: bbl("10")}),
			"LIVE 100 = 90 + 0 + 0 + 10 + 0", "-10@60"},
		{"LIVE option out of the money, EXERCISE", []trade.Command{boughtOpt},
			exercises("05-06", trade.Exercise{UnderlyingPrice: dec("69")}),
			"EXERCISED 100 = 0 + 0 + 0 + 100 + 0", "-100@0"},
		{"LIVE option, SETTLE worthless", []trade.Command{boughtOpt}, on("05-16", trade.Settle{}),
			"SETTLED 100 = 0 + 100 + 0 + 0 + 0", "-100@0"},
		{"SETTLED, AMEND correction approved", []trade.Command{bought, settleAll},
			corrects(settleAll, on("02-21", trade.Settle{Quantity: mwh("60"), Price: dec("55")})),
			"LIVE 100 = 40 + 60 + 0 + 0 + 0", "-60@3300"},
		{"SETTLED, AMEND correction to in full at another price",
			[]trade.Command{bought, settleAll}, corrects(settleAll,
				on("02-21", trade.Settle{Price: dec("56")})),
			"SETTLED 100 = 0 + 100 + 0 + 0 + 0", "-100@5600"},
		{"TERMINATED, AMEND correction to nothing", []trade.Command{bought, terminate},
			corrects(terminate, on("02-21",
				trade.Cancel{Kind: trade.Terminate, Quantity: mwh("0")})),
			"LIVE 100 = 100 + 0 + 0 + 0 + 0", ""},
		{"TERMINATED, CANCEL void", []trade.Command{bought, terminate}, voidIt,
			"VOIDED 0 = 0 + 0 + 0 + 0 + 0", ""},
		{"NOVATED, CANCEL void", []trade.Command{bought, novateAll}, voidIt,
			"VOIDED 0 = 0 + 0 + 0 + 0 + 0", ""},
		{"SETTLED, entered by hand as continuing another, CANCEL void",
			[]trade.Command{on("02-03", continued), settleAll}, voidIt,
			"VOIDED 0 = 0 + 0 + 0 + 0 + 0", ""},
		{"EXERCISED, CANCEL void", []trade.Command{boughtOpt, exercises("05-06", trade.Exercise{})},
			approvedBy("control/1", on("05-07", voidIt.Body)), "VOIDED 0 = 0 + 0 + 0 + 0 + 0", ""},
	} {
		d := newDesk()
		d.do(t, c.given...)
		e, err := d.try(c.when)
		require.NoError(t, err, c.name)
		got := d.trade(t, T, trade.AsOf{})
		require.Equal(t, c.then, account(got), c.name)
		require.Equal(t, c.legs, legsOf(d, got, e), c.name)
	}
}

// legsOf returns the legs in the slot of e.
func legsOf(d *desk, t trade.Trade, e trade.Event) string {
	version := e.Version
	for _, h := range d.streams[trade.TradeStream(t.UTI)] {
		if h.ID == e.Corrects {
			version = h.Version
		}
	}
	var legs []string
	for _, l := range t.Legs {
		if l.Key.Version == version {
			legs = append(legs, l.Quantity.String()+"@"+l.Amount.String())
		}
	}
	return strings.Join(legs, " ")
}

func TestVoidedContractHasNoLegs(t *testing.T) {
	t.Parallel()
	d := newDesk()
	d.do(t, bought, settlePart, voidIt)
	require.Empty(t, d.trade(t, T, trade.AsOf{}).Legs)
	require.Empty(t, d.state(t).Positions)
	require.Equal(t, "LIVE 100 = 70 + 30 + 0 + 0 + 0",
		account(d.trade(t, T, trade.AsOf{Known: at("2025-02-24T00:00:00Z")})),
		"as known before the void")
}

// A void stands where its NEW stands, so the contract counts at no effective time. Cancel and
// rebook leaves the new contract alone.
func TestVoidStandsAtItsNew(t *testing.T) {
	t.Parallel()
	d := newDesk()
	earlier := corrects(bought, effective("02-01", on("02-04", bought.Body)))
	d.do(t, bought, settlePart, earlier, voidIt,
		of("A2", effective("02-03", on("02-25", power("90", "50")))))
	for day, held := range map[string]string{"02-02": "0", "02-04": "90", "02-21": "90",
		"02-26": "90"} {
		s := trade.StateOf(d.streams, trade.AsOf{Effective: at("2025-" + day + "T00:00:00Z")})
		require.Empty(t, s.Parked)
		sum := trade.Decimal{}
		for _, p := range s.Positions {
			sum = sum.Add(p.Quantity)
		}
		equal(t, held, sum)
	}
	gone := d.trade(t, T, trade.AsOf{Effective: at("2025-02-01T12:00:00Z")})
	require.Equal(t, trade.Voided, gone.Status, "from the moment at which it began")
}

// Slots that are effective after a void are moot: a contract with an event dated ahead can be
// voided like any other.
func TestContractWithEventsAheadIsVoided(t *testing.T) {
	t.Parallel()
	ahead := effective("03-05", on("02-24", trade.Settle{Quantity: mwh("30"), Price: dec("55")}))
	for _, later := range []trade.Command{ahead, settlePart} {
		d := newDesk()
		d.do(t, bought, later, voidIt)
		require.Equal(t, "VOIDED 0 = 0 + 0 + 0 + 0 + 0", account(d.trade(t, T, trade.AsOf{})))
		require.Empty(t, d.state(t).Positions)
		require.Equal(t, trade.IsVoided, d.refusedAs(t, on("03-06",
			trade.Settle{Price: dec("55")})).Rule)
	}
}

func TestContractHasNoStatusBeforeItBegins(t *testing.T) {
	t.Parallel()
	d := newDesk()
	d.do(t, bought)
	early := trade.AsOf{Effective: at("2025-02-01T00:00:00Z")}
	require.Empty(t, d.trade(t, T, early).Status)
	s := trade.StateOf(d.streams, early)
	require.Empty(t, s.Parked)
	require.Empty(t, s.Trades)
}

func TestTermsAreTheAmendedOnes(t *testing.T) {
	t.Parallel()
	n := power("1", "50")
	n.Quantity = mw("1")
	d := newDesk()
	d.do(t, on("02-03", n),
		on("02-04", trade.Amend{Kind: trade.Amendment, Quantity: mwh("700"), Price: ref("51")}),
		on("02-05", trade.Amend{Kind: trade.Update, Counterparty: "cpty/9", Trader: "trader/2"}))
	terms := d.trade(t, T, trade.AsOf{}).Terms
	equal(t, "700", terms.Quantity.Value)
	equal(t, "0", terms.Capacity)
	equal(t, "51", terms.Price)
	require.Equal(t, "cpty/9", terms.Counterparty)
	require.Equal(t, "trader/2", terms.Trader)
}

// The body of an event can be read without a calendar.
func TestQuantitiesOnRecordAreExplicit(t *testing.T) {
	t.Parallel()
	d := newDesk()
	d.do(t, bought)
	e, err := d.try(on("02-20", trade.Settle{Price: dec("55")}))
	require.NoError(t, err)
	require.Equal(t, mwh("100"), e.Body.(trade.Settle).Quantity)

	n := power("1", "50")
	n.Quantity = mw("10")
	// Entered at noon UTC on the 30th: 10 hours of that day are left, and 24 of the next.
	d.do(t, of("T3", on("03-30", n)))
	equal(t, "340", d.trade(t, "T3", trade.AsOf{}).Contracted)
}

func TestDefaultEffectiveTimeIsTheEntry(t *testing.T) {
	t.Parallel()
	d := newDesk()
	cmd := on("02-03", power("70", "50"))
	cmd.EnteredAt = at("2025-02-03T12:00:00.123456789+01:00")
	e, err := d.try(cmd)
	require.NoError(t, err)
	require.Equal(t, at("2025-02-03T11:00:00.123456Z"), e.EffectiveAt)

	restated := corrects(cmd, on("02-09", power("80", "50")))
	e, err = d.try(restated)
	require.NoError(t, err)
	require.Equal(t, at("2025-02-03T11:00:00.123456Z"), e.EffectiveAt,
		"a correction keeps the time of its slot")

	moved := corrects(restated, effective("02-01", on("02-10", power("90", "50"))))
	e, err = d.try(moved)
	require.NoError(t, err)
	require.Equal(t, at("2025-02-01T12:00:00Z"), e.EffectiveAt, "unless it restates the time")
	require.EqualValues(t, 1, d.trade(t, T, trade.AsOf{}).Legs[0].Key.Version,
		"a correction of a correction stays in the slot")
}

// An amend is taken back by a correction that changes nothing.
func TestCorrectionTakesBackAnAmend(t *testing.T) {
	t.Parallel()
	amend := on("02-10", trade.Amend{Kind: trade.Amendment, Price: ref("60")})
	d := newDesk()
	d.do(t, bought, amend, corrects(amend, on("02-11", trade.Amend{Kind: trade.Amendment,
		Price: ref("50")})))
	got := d.trade(t, T, trade.AsOf{})
	equal(t, "50", got.Price)
	require.Len(t, got.Legs, 1)
}

// A correction of NEW may set the price that a later amend sets. The amend stays legal.
func TestCorrectedNewMayEqualALaterAmend(t *testing.T) {
	t.Parallel()
	d := newDesk()
	d.do(t, bought, on("02-10", trade.Amend{Kind: trade.Amendment, Price: ref("60")}),
		corrects(bought, on("02-11", power("100", "60"))))
	got := d.trade(t, T, trade.AsOf{})
	equal(t, "60", got.Price)
	require.Len(t, got.Legs, 1)
}

func TestCorrectedNewMovesLegsToAnotherPool(t *testing.T) {
	t.Parallel()
	n := power("100", "50")
	n.Book = "other"
	d := newDesk()
	d.do(t, bought, settlePart, corrects(bought, on("02-21", n)))
	positions := d.state(t).Positions
	require.Len(t, positions, 1)
	require.Equal(t, "other", positions[0].Book)
	equal(t, "70", positions[0].Quantity)
}

// An annulled reduction blocks no other event, not even after the contract is closed.
func TestAnnulledReductionLeavesNoLeg(t *testing.T) {
	t.Parallel()
	late := on("02-24", trade.Settle{Quantity: mwh("10"), Price: dec("55")})
	d := newDesk()
	d.do(t, bought, late,
		corrects(late, on("02-25", trade.Settle{Quantity: mwh("0"), Price: dec("55")})),
		effective("02-20", on("02-26", trade.Settle{Price: dec("56")})))
	got := d.trade(t, T, trade.AsOf{})
	require.Equal(t, "SETTLED 100 = 0 + 100 + 0 + 0 + 0", account(got))
	require.Len(t, got.Legs, 2)
}

func TestLateEventIsUnknownBeforeItsRecord(t *testing.T) {
	t.Parallel()
	d := newDesk()
	d.do(t, bought, on("02-20", settlePart.Body), effective("02-10",
		on("02-22", trade.Settle{Quantity: mwh("5"), Price: dec("52")})))
	open := func(known, until string) string {
		return d.trade(t, T, trade.AsOf{Known: at(known), Effective: at(until)}).Open.String()
	}
	require.Equal(t, "100", open("2025-02-21T00:00:00Z", "2025-02-15T00:00:00Z"))
	require.Equal(t, "95", open("2025-02-23T00:00:00Z", "2025-02-15T00:00:00Z"))
	require.Equal(t, "65", open("2025-02-23T00:00:00Z", "2025-02-20T12:00:00Z"))
}

func TestFoldTakesEventsInAnyOrder(t *testing.T) {
	t.Parallel()
	d := newDesk()
	d.do(t, bought, settlePart, corrects(settlePart, on("02-22",
		trade.Settle{Quantity: mwh("40"), Price: dec("55")})))
	h := d.streams[trade.TradeStream(T)]
	got, parked := trade.Fold(T, []trade.Event{h[2], h[0], h[1]}, trade.AsOf{})
	require.Nil(t, parked)
	require.Equal(t, d.trade(t, T, trade.AsOf{}), got)
}

// MW of a settlement count over the hours of its delivered period, whatever hours are left.
func TestSettleInMWOverItsPeriod(t *testing.T) {
	t.Parallel()
	d := newDesk()
	n := power("1", "50")
	n.Quantity = mw("10")
	d.do(t, on("02-03", n), on("03-16", settledOver(mw("10"),
		"2025-02-28T23:00:00Z", "2025-03-15T23:00:00Z"))) // 15 days
	require.Equal(t, "3600", d.trade(t, T, trade.AsOf{}).Settled.String())
	d.do(t, on("04-01", settledOver(mw("10"),
		"2025-03-15T23:00:00Z", "2025-03-31T22:00:00Z"))) // 16 days, one of them with 23 hours
	require.Equal(t, trade.Settled, d.trade(t, T, trade.AsOf{}).Status)
}

// Oil and options may be settled before the period that they pay for ends.
func TestPeriodOfOilMayEndLater(t *testing.T) {
	t.Parallel()
	oil := option("100", "70")
	oil.Instrument = brentJune
	powerOption := option("100", "2")
	powerOption.Instrument.Commodity, powerOption.Instrument.Zone = trade.Power, "CET"
	powerOption.Instrument.Profile, powerOption.Quantity.Unit = "base", trade.MWh
	powerOption.Currency = "EUR"
	for _, n := range []trade.New{oil, option("100", "2"), powerOption} {
		d := newDesk()
		d.do(t, on("02-03", n), on("04-02", settledOver(n.Quantity,
			"2025-06-01T00:00:00Z", "2025-07-01T00:00:00Z")))
		require.Equal(t, trade.Settled, d.trade(t, T, trade.AsOf{}).Status)
	}
}

// A contract that began from another one may begin after the delivery: a delivered quantity that is
// not settled moves to another party.
func TestNovateAfterDelivery(t *testing.T) {
	t.Parallel()
	d := newDesk()
	d.do(t, bought, on("04-02", remain20.Body))
	require.Equal(t, trade.Live, d.trade(t, "T2", trade.AsOf{}).Status)
}

// Evolve leaves the state from which it begins as it is: states of one contract share arrays, and
// an event on one of them must show in no other. From each state of a random history, all later
// events are applied, each as if it were the next.
func TestEvolveKeepsItsOldStates(t *testing.T) {
	t.Parallel()
	legs := 0
	rapid.Check(t, func(t *rapid.T) {
		d := histories().Draw(t, "history")
		for _, uti := range utis(d) {
			stream := trade.TradeStream(uti)
			slots := trade.Slots(stream, d.streams[stream], trade.AsOf{})
			states, texts := []trade.Trade{{UTI: uti}}, []string{fmt.Sprintf("%+v", trade.Trade{
				UTI: uti})}
			for i, s := range slots {
				now := states[len(states)-1]
				next, r := trade.Evolve(now, s)
				if r != nil {
					break // after a void
				}
				texts = append(texts, fmt.Sprintf("%+v", next))
				for _, other := range slots[i+1:] { // another branch of the same state
					_, _ = trade.Evolve(now, other)
				}
				states, legs = append(states, next), legs+len(next.Legs)
			}
			for i, text := range texts {
				require.Equal(t, text, fmt.Sprintf("%+v", states[i]))
			}
		}
	})
	require.Positive(t, legs)
}
