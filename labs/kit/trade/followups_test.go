package trade_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/kit/trade"
)

func (d *desk) followUps(t *testing.T, cmd trade.Command) []trade.Command {
	e, err := d.try(cmd)
	require.NoError(t, err)
	return trade.FollowUps(cmd.UTI, d.streams[cmd.Stream()], e)
}

func TestNovationBeginsASuccessor(t *testing.T) {
	t.Parallel()
	d := newDesk()
	d.do(t, bought, on("02-10", trade.Amend{Kind: trade.Amendment, Price: ref("52")}), remain20)
	got := d.trade(t, "T2", trade.AsOf{})
	require.Equal(t, "LIVE 20 = 20 + 0 + 0 + 0 + 0", account(got))
	require.Equal(t, "cpty/8", got.Counterparty)
	require.Equal(t, T, got.PriorUTI)
	equal(t, "52", got.Price)
	equal(t, "-1040", got.Legs[0].Amount)
	require.Equal(t, d.trade(t, T, trade.AsOf{}).Legs[2].Key.EffectiveAt,
		got.Legs[0].Key.EffectiveAt)
}

func TestOtherEventsHaveNoFollowUps(t *testing.T) {
	t.Parallel()
	d := newDesk()
	for _, cmd := range []trade.Command{bought, settlePart, on("02-21", novateAll.Body)} {
		require.Empty(t, d.followUps(t, cmd))
	}
	cash := newDesk()
	cash.do(t, boughtOpt)
	require.Empty(t, cash.followUps(t, exercises("05-06", trade.Exercise{})))
}

func TestCorrectedNovationRestatesSuccessor(t *testing.T) {
	t.Parallel()
	d := newDesk()
	restated := func(q string) trade.Novate {
		return trade.Novate{Role: trade.Remaining, Quantity: mwh(q), NewUTI: "T2",
			Incoming: "cpty/9"}
	}
	first := corrects(remain20, on("02-21", restated("25")))
	d.do(t, bought, remain20, first)
	require.Equal(t, "LIVE 25 = 25 + 0 + 0 + 0 + 0", account(d.trade(t, "T2", trade.AsOf{})))
	require.Equal(t, "cpty/9", d.trade(t, "T2", trade.AsOf{}).Counterparty)

	d.do(t, corrects(first, effective("02-19", on("02-22", restated("30")))))
	moved := d.trade(t, "T2", trade.AsOf{})
	require.Equal(t, "LIVE 30 = 30 + 0 + 0 + 0 + 0", account(moved))
	require.Equal(t, at("2025-02-19T12:00:00Z"), moved.Legs[0].Key.EffectiveAt,
		"it begins when the novation takes effect")

	d.do(t, corrects(remain20, on("02-23", restated("0"))))
	require.Equal(t, trade.Voided, d.trade(t, "T2", trade.AsOf{}).Status)
	require.Equal(t, "LIVE 100 = 100 + 0 + 0 + 0 + 0", account(d.trade(t, T, trade.AsOf{})))
	d.do(t, voidIt)
	require.Empty(t, d.state(t).Positions)
}

var annulled20 = trade.Novate{Role: trade.Remaining, Quantity: mwh("0"), NewUTI: "T2",
	Incoming: "cpty/8"}

// No later event of the successor prevents its void.
// Otherwise the novated quantity would count twice.
func TestAnnulledNovationVoidsSuccessor(t *testing.T) {
	t.Parallel()
	began := trade.FollowUps(T, []trade.Event{{Version: 1, Body: bought.Body},
		{ID: trade.EventID(remain20.ID, 0), Version: 2, EffectiveAt: remain20.EnteredAt,
			Body: remain20.Body}},
		trade.Event{ID: trade.EventID(remain20.ID, 0), Version: 2, EffectiveAt: remain20.EnteredAt,
			Body: remain20.Body})[0]
	continued := began.Body.(trade.New)
	continued.Trader = "trader/2"
	for name, since := range map[string]trade.Command{
		"an update":           on("02-21", trade.Amend{Kind: trade.Update, Trader: "trader/2"}),
		"a settlement":        on("02-21", trade.Settle{Quantity: mwh("5"), Price: dec("55")}),
		"a settlement of all": on("02-21", trade.Settle{Price: dec("55")}),
		"an event ahead":      effective("03-20", on("02-21", trade.Settle{Price: dec("55")})),
		"a NEW by hand":       corrects(began, on("02-25", continued)),
	} {
		d := newDesk()
		d.do(t, bought, remain20, of("T2", since), corrects(remain20, on("02-26", annulled20)))
		next := d.trade(t, "T2", trade.AsOf{})
		require.Equal(t, trade.Voided, next.Status, name)
		require.Empty(t, next.Legs, name)
		equal(t, "100", d.position(t, "power/CET/base@2025-03").Quantity)
	}
}

// The void takes effect when the successor began, so both contracts never count at the same time.
func TestSuccessorIsVoidedFromItsBeginning(t *testing.T) {
	t.Parallel()
	for _, when := range []string{"02-05", "02-28"} {
		d := newDesk()
		d.do(t, bought, remain20, of("T2", on("02-21", trade.Settle{Quantity: mwh("5"),
			Price: dec("55")})),
			corrects(remain20, effective(when, on("02-28", annulled20))))
		for _, day := range []string{"2025-02-20T13:00:00Z", "2025-02-22T00:00:00Z",
			"2025-03-01T00:00:00Z"} {
			s := trade.StateOf(d.streams, trade.AsOf{Effective: at(day)})
			require.Empty(t, s.Parked)
			require.Len(t, s.Positions, 1)
			equal(t, "100", s.Positions[0].Quantity)
		}
	}
}

// Where another contract took the UTI before the follow-up came, the novation began nothing. Its
// annulment must leave that contract alone.
func TestAnnulledNovationVoidsNoOtherContract(t *testing.T) {
	t.Parallel()
	d := newDesk()
	d.do(t, bought)
	late := d.followUps(t, remain20)[0]
	d.do(t, of("T2", on("02-04", power("7", "50"))))
	require.Equal(t, trade.AlreadyBegun, d.refusedAs(t, late).Rule)

	zero := trade.Novate{Role: trade.Remaining, Quantity: mwh("0"), NewUTI: "T2",
		Incoming: "cpty/8"}
	void := d.followUps(t, corrects(remain20, on("02-21", zero)))
	require.Len(t, void, 1)
	require.Equal(t, trade.UnknownEvent, d.refusedAs(t, void[0]).Rule)
	require.Equal(t, "LIVE 7 = 7 + 0 + 0 + 0 + 0", account(d.trade(t, "T2", trade.AsOf{})))
}

// A price that was agreed after the novation is agreed with the other party only.
func TestCorrectedNovationKeepsItsPrice(t *testing.T) {
	t.Parallel()
	d := newDesk()
	d.do(t, bought, remain20, on("02-22", trade.Amend{Kind: trade.Amendment, Price: ref("60")}),
		corrects(remain20, on("02-23", trade.Novate{Role: trade.Remaining, Quantity: mwh("25"),
			NewUTI: "T2", Incoming: "cpty/8"})))
	equal(t, "60", d.trade(t, T, trade.AsOf{}).Price)
	equal(t, "50", d.trade(t, "T2", trade.AsOf{}).Price)
}

// A follow-up that corrects a NEW has an approver, so it is accepted on a closed contract.
func TestCorrectionReachesAClosedSuccessor(t *testing.T) {
	t.Parallel()
	d := newDesk()
	d.do(t, bought, remain20, of("T2", on("02-21", trade.Cancel{Kind: trade.Terminate})),
		corrects(remain20, on("02-22", trade.Novate{Role: trade.Remaining, Quantity: mwh("25"),
			NewUTI: "T2", Incoming: "cpty/8"})))
	require.Equal(t, "LIVE 25 = 5 + 0 + 0 + 0 + 20", account(d.trade(t, "T2", trade.AsOf{})))
}

// A late change of the contract before the novation also changes the novated part. Otherwise a gain
// would appear from nothing.
func TestLateChangesReachTheSuccessor(t *testing.T) {
	t.Parallel()
	other := sell(power("100", "60"))
	other.Trader = "trader/2"
	for name, c := range map[string]struct {
		late        trade.Command
		side        trade.Side
		trader, amt string
	}{
		"a late price": {approvedBy("control/1", effective("02-10", on("02-25",
			trade.Amend{Kind: trade.Amendment, Price: ref("60")}))), trade.Buy, "trader/1",
			"-1200"},
		"a late trader": {effective("02-10", on("02-25",
			trade.Amend{Kind: trade.Update, Trader: "trader/2"})), trade.Buy, "trader/2", "-1000"},
		"a corrected NEW": {corrects(bought, on("02-25", other)), trade.Sell, "trader/2",
			"1200"},
		"a price from later on": {on("02-25", trade.Amend{Kind: trade.Amendment, Price: ref("60")}),
			trade.Buy, "trader/1", "-1000"},
		"a late quantity": {effective("02-10", on("02-25",
			trade.Amend{Kind: trade.Amendment, Quantity: mwh("150")})), trade.Buy, "trader/1",
			"-1000"},
	} {
		d := newDesk()
		d.do(t, bought, remain20, of("T2", on("02-21", trade.Settle{Quantity: mwh("5"),
			Price: dec("55")})), c.late)
		next := d.trade(t, "T2", trade.AsOf{})
		require.Equal(t, "LIVE 20 = 15 + 5 + 0 + 0 + 0", account(next), name)
		require.Equal(t, c.side, next.Side, name)
		require.Equal(t, c.trader, next.Trader, name)
		equal(t, c.amt, next.Legs[0].Amount)
		require.Equal(t, remain20.EnteredAt, next.Legs[0].Key.EffectiveAt, name)
	}
}

// Follow-ups go on to the contract that began from the successor. A void of the first contract
// voids all of them.
func TestFollowUpsReachTheLastSuccessor(t *testing.T) {
	t.Parallel()
	onward := of("T2", on("02-22", trade.Novate{Role: trade.Remaining, Quantity: mwh("10"),
		NewUTI: "T3", Incoming: "cpty/9"}))
	d := newDesk()
	d.do(t, bought, remain20, onward, approvedBy("control/1", effective("02-10", on("02-25",
		trade.Amend{Kind: trade.Amendment, Price: ref("60")}))))
	equal(t, "60", d.trade(t, "T3", trade.AsOf{}).Price)
	require.Equal(t, "LIVE 10 = 10 + 0 + 0 + 0 + 0", account(d.trade(t, "T3", trade.AsOf{})))

	require.Equal(t, trade.ContinuesAnother, d.refusedAs(t, of("T3",
		on("02-26", voidIt.Body))).Rule)
	d.do(t, corrects(remain20, on("02-26", annulled20)))
	for _, uti := range []string{"T2", "T3"} {
		require.Equal(t, trade.Voided, d.trade(t, uti, trade.AsOf{}).Status)
	}
	equal(t, "100", d.position(t, "power/CET/base@2025-03").Quantity)
}

// One event can change the contracts that began from two others. Each gets its own command, with
// an id made of the event and the slot.
func TestOneCauseChangesAllSuccessors(t *testing.T) {
	t.Parallel()
	d := newDesk()
	more := on("02-21", trade.Novate{Role: trade.Remaining, Quantity: mwh("30"), NewUTI: "T3",
		Incoming: "cpty/9"})
	d.do(t, bought, remain20, more)
	late := approvedBy("control/1", effective("02-10", on("02-25",
		trade.Amend{Kind: trade.Amendment, Price: ref("60")})))
	cmds := d.followUps(t, late)
	require.Len(t, cmds, 2)
	cause := "follow-up/" + trade.EventID(late.ID, 0).String()
	for i, c := range []struct{ uti, id string }{{"T2", cause + "/2"}, {"T3", cause + "/3"}} {
		require.Equal(t, c.uti, cmds[i].UTI)
		require.Equal(t, c.id, cmds[i].ID)
		require.Equal(t, trade.FollowUpApprover, cmds[i].Approver)
		require.True(t, trade.IsFollowUp(cmds[i].ID))
	}
	require.Equal(t, trade.EventID("follow-up/"+trade.EventID(more.ID, 0).String(), 0),
		cmds[1].Corrects)
	d.do(t, cmds...)

	fee := corrects(remain20, on("02-26", trade.Novate{Role: trade.Remaining, Quantity: mwh("20"),
		NewUTI: "T2", Incoming: "cpty/8", Fee: dec("1")}))
	again := d.followUps(t, fee)
	require.Len(t, again, 1, "the correction before may have been refused, so the successor is "+
		"restated")
	require.Equal(t, "T2", again[0].UTI)
}

func TestExerciseBeginsASuccessor(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		side    trade.Side
		kind    string
		market  string
		want    trade.Side
		carried string
	}{
		{"long call", trade.Buy, trade.Call, "76", trade.Buy, "-60"},
		{"short call", trade.Sell, trade.Call, "76", trade.Sell, "60"},
		{"long put", trade.Buy, trade.Put, "64", trade.Sell, "-60"},
		{"short put", trade.Sell, trade.Put, "64", trade.Buy, "60"},
	} {
		n := option("100", "2")
		o := *n.Instrument.Option
		o.Kind, n.Side, n.Instrument.Option = c.kind, c.side, &o
		n.Fee = dec("-5")
		d := newDesk()
		d.do(t, on("04-01", n), mark("05-06", "oil/BRENT", "USD", "2025-06", c.market),
			on("05-06", trade.Exercise{Quantity: bbl("10"), UnderlyingPrice: dec(c.market),
				Settlement: trade.Physical, NewUTI: "T2"}))
		got := d.trade(t, "T2", trade.AsOf{})
		require.Equal(t, c.want, got.Side, c.name)
		require.Equal(t, "oil/BRENT@2025-06", got.Instrument, c.name)
		equal(t, "70", got.Price)
		equal(t, "0", got.Terms.Fee)
		equal(t, c.carried, got.Terms.CarriedIn)
		equal(t, "0", *d.position(t, "oil/BRENT@2025-06").AverageCost.Unrealised)
	}
}

// A process that derives follow-ups again, in another run or after later events, derives the same
// commands.
func TestFollowUpsDependOnTheirCauseOnly(t *testing.T) {
	t.Parallel()
	d := newDesk()
	d.do(t, bought)
	first := d.followUps(t, remain20)
	d.do(t, first...)
	restate := trade.Novate{Role: trade.Remaining, Quantity: mwh("25"), NewUTI: "T2",
		Incoming: "cpty/8"}
	d.do(t, settlePart, corrects(bought, on("02-21", power("200", "70"))),
		corrects(remain20, on("02-22", restate)))

	other := append([]trade.Event{}, d.streams[trade.TradeStream(T)]...)
	for i := range other {
		other[i].RecordedAt = other[i].RecordedAt.Add(1000 * time.Hour)
	}
	again := trade.FollowUps(T, other, other[1])
	require.Equal(t, first, again)
	require.Equal(t, first[0].ContentID(), again[0].ContentID())
	require.Equal(t, "follow-up/"+other[1].ID.String(), again[0].ID)
}
