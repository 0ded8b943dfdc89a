package trade_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/kit/trade"
)

// onto novates a part of T, which continues under another UTI.
func onto(quantity, uti string) trade.Novate {
	return trade.Novate{Role: trade.Remaining, Quantity: mwh(quantity), NewUTI: uti,
		Incoming: "cpty/8"}
}

// A command whose follow-up would be refused is refused itself, with the follow-up's rule, and
// nothing is on record of either.
func TestRefusedFollowUpRefusesItsCause(t *testing.T) {
	t.Parallel()
	taken := of("T2", on("02-04", power("7", "50")))
	settled := of("T2", on("02-21", trade.Settle{Quantity: mwh("15"), Price: dec("55")}))
	onward := of("T2", on("02-21", onto("15", "T3")))
	physical := trade.Exercise{Quantity: bbl("10"), UnderlyingPrice: dec("76"),
		Settlement: trade.Physical, NewUTI: "T2"}
	exercised := exercises("05-06", physical)
	for name, c := range map[string]struct {
		past []trade.Command
		last trade.Command
		rule trade.Rule
	}{
		"a novation onto a UTI that is taken": {[]trade.Command{bought, taken}, remain20,
			trade.AlreadyBegun},
		"a novation onto a voided UTI": {[]trade.Command{bought, taken,
			of("T2", on("02-05", voidIt.Body))}, remain20, trade.IsVoided},
		"an exercise onto a UTI that is taken": {[]trade.Command{boughtOpt, taken}, exercised,
			trade.AlreadyBegun},
		"a novation corrected below what is settled": {[]trade.Command{bought, remain20, settled},
			corrects(remain20, on("02-22", onto("10", "T2"))), trade.BreaksLater},
		"a novation corrected below what is novated": {[]trade.Command{bought, remain20, onward},
			corrects(remain20, on("02-22", onto("10", "T2"))), trade.BreaksLater},
		"a novation moved to after a settlement": {[]trade.Command{bought, remain20, settled},
			corrects(remain20, effective("02-22", on("02-22", onto("20", "T2")))),
			trade.BreaksLater},
		"a contract in another unit": {[]trade.Command{bought, remain20, settled},
			corrects(bought, on("02-22", inOil(bought))), trade.BreaksLater},
	} {
		d := newDesk()
		d.do(t, c.past...)
		before := d.state(t).Canonical()
		require.Equal(t, c.rule, d.refusedAs(t, c.last).Rule, name)
		require.Equal(t, string(before), string(d.state(t).Canonical()), name)
	}
}

// The refusal names the contract on which the follow-up would be refused.
func TestRefusalNamesTheLinkedContract(t *testing.T) {
	t.Parallel()
	d := newDesk()
	d.do(t, bought, of("T2", on("02-04", power("7", "50"))))
	require.Equal(t, "the follow-up on T2 would be refused: T2 is LIVE",
		d.refusedAs(t, remain20).Detail)
}

// A change is refused also where the contract that forbids it is the last of a chain.
func TestRefusalComesThroughTheChain(t *testing.T) {
	t.Parallel()
	d := newDesk()
	d.do(t, bought, remain20, of("T2", on("02-21", onto("20", "T3"))),
		of("T3", on("02-22", trade.Settle{Quantity: mwh("15"), Price: dec("55")})))
	r := d.refusedAs(t, corrects(remain20, effective("02-25", on("02-25", onto("20", "T2")))))
	require.Equal(t, trade.BreaksLater, r.Rule)
	moved := of("T2", corrects(of("T2", on("02-21", onto("20", "T3"))),
		effective("02-23", on("02-23", onto("20", "T3")))))
	moved.Corrects = d.streams[trade.TradeStream("T2")][1].ID
	require.Equal(t, trade.BreaksLater, d.refusedAs(t, moved).Rule)
}

// The first follow-up is legal, and the one that follows from it is not: the last contract has
// settled days of March, and the first one is corrected to April.
func TestRefusalComesFromTheEndOfTheChain(t *testing.T) {
	t.Parallel()
	d := newDesk()
	d.do(t, bought, remain20, of("T2", on("02-21", onto("20", "T3"))), of("T3", on("04-02",
		settledOver(mwh("5"), "2025-03-01T00:00:00Z", "2025-03-16T00:00:00Z"))))
	april := power("100", "50")
	april.Instrument.Delivery = period("2025-04")
	r := d.refusedAs(t, corrects(bought, on("04-03", april)))
	require.Equal(t, trade.BreaksLater, r.Rule)
	require.Contains(t, r.Detail, "the follow-up on T2 would be refused: the follow-up on T3 ")
}

// A follow-up that a stopped process did not issue is decided before those of the command.
func TestUnissuedFollowUpComesFirst(t *testing.T) {
	t.Parallel()
	d := newDesk()
	d.do(t, bought)
	next := d.followUps(t, remain20)
	e, err := d.try(corrects(remain20, on("02-22", onto("25", "T2"))))
	require.NoError(t, err)
	d.do(t, next...)
	d.do(t, trade.FollowUps(T, d.streams[trade.TradeStream(T)], e)...)
	equal(t, "25", d.trade(t, "T2", trade.AsOf{}).Contracted)
}

// Linked names only the contracts that a command can reach.
func TestLinkedNamesTheReachedContracts(t *testing.T) {
	t.Parallel()
	d := newDesk()
	d.do(t, bought, remain20)
	history := d.streams[trade.TradeStream(T)]
	for _, c := range []struct {
		cmd  trade.Command
		want []string
	}{
		{settlePart, nil},
		{on("02-22", onto("5", "T3")), []string{"trade/T3"}},
		{on("02-22", trade.Amend{Kind: trade.Amendment, Price: ref("60")}), []string{"trade/T2"}},
		{corrects(bought, on("02-22", power("100", "51"))), []string{"trade/T2"}},
		{voidIt, []string{"trade/T2"}},
		{mark("02-22", "power/CET/base", "EUR", "2025-03", "50"), nil},
	} {
		require.Equal(t, c.want, trade.Linked(history, c.cmd), "%+v", c.cmd)
	}
}

func inOil(cmd trade.Command) trade.New {
	n := cmd.Body.(trade.New)
	n.Instrument, n.Quantity = brentJune, bbl("100")
	return n
}

// A mismatch is a contract that is not as its cause determines. It names the affected books.
func TestMismatchesNameTheAffectedBooks(t *testing.T) {
	t.Parallel()
	other := power("7", "50")
	other.Book = "other"
	taken := of("T2", on("02-04", other))
	settled := of("T2", on("02-21", trade.Settle{Quantity: mwh("15"), Price: dec("55")}))
	less := corrects(remain20, on("02-22", onto("10", "T2")))
	annul := corrects(remain20, on("02-22", onto("0", "T2")))
	for _, c := range []struct {
		past []trade.Command
		last trade.Command // its follow-up is not issued
		want string
	}{
		{[]trade.Command{bought}, remain20, "it is to begin"},
		{[]trade.Command{bought, remain20}, less, "its cause determines another quantity"},
		{[]trade.Command{bought, remain20, settled}, annul, "it is to be voided"},
	} {
		d := newDesk()
		d.do(t, c.past...)
		require.Empty(t, trade.Mismatches(d.streams, time.Time{}))
		next := d.followUps(t, c.last)
		require.Equal(t, []trade.Mismatch{{UTI: "T2", Cause: T, Why: c.want,
			Books: []string{"power"}}}, trade.Mismatches(d.streams, time.Time{}))
		before := at("2025-01-01T00:00:00Z")
		require.Empty(t, trade.Mismatches(d.streams, before), "as known before")
		d.do(t, next...)
		require.Empty(t, trade.Mismatches(d.streams, time.Time{}))
	}
	d := newDesk()
	d.do(t, bought)
	late := d.followUps(t, remain20)
	d.do(t, taken)
	require.Equal(t, trade.AlreadyBegun, d.refusedAs(t, late[0]).Rule)
	require.Equal(t, []trade.Mismatch{{UTI: "T2", Cause: T, Why: "it is to begin",
		Books: []string{"power"}}}, trade.Mismatches(d.streams, time.Time{}),
		"the other contract's book is as it should be")
	d.followUps(t, annul) // it finds no contract to void
	require.Empty(t, trade.Mismatches(d.streams, time.Time{}))
}
