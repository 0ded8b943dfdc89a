package trade_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/kit/trade"
)

// An amend is taken back by restating it so that it changes nothing.
func TestAnAmendIsTakenBack(t *testing.T) {
	t.Parallel()
	amend := on("02-10", trade.Amend{Kind: trade.Amendment, Price: ref("60")})
	d := newDesk()
	d.do(t, bought, amend, corrects(amend, on("02-11", trade.Amend{Kind: trade.Amendment, Price: ref("50")})))
	got := d.trade(t, T, trade.AsOf{})
	equal(t, "50", got.Price)
	require.Len(t, got.Legs, 1)
}

// A correction of NEW may make a later amend true from the start: that breaks nothing.
func TestANewIsCorrectedToWhatWasAmendedLater(t *testing.T) {
	t.Parallel()
	d := newDesk()
	d.do(t, bought, on("02-10", trade.Amend{Kind: trade.Amendment, Price: ref("60")}), corrects(bought, on("02-11", power("100", "60"))))
	got := d.trade(t, T, trade.AsOf{})
	equal(t, "60", got.Price)
	require.Len(t, got.Legs, 1)
}

func TestACorrectedNewMovesItsLegsToAnotherPool(t *testing.T) {
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

// What was annulled stands in no one's way: not even after the contract is closed.
func TestWhatIsAnnulledIsNoLongerThere(t *testing.T) {
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

func TestALateEventIsSeenAsEffectiveButNotAsKnownBefore(t *testing.T) {
	t.Parallel()
	d := newDesk()
	d.do(t, bought, on("02-20", settlePart.Body), effective("02-10", on("02-22", trade.Settle{Quantity: mwh("5"), Price: dec("52")})))
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
	d.do(t, bought, settlePart, corrects(settlePart, on("02-22", trade.Settle{Quantity: mwh("40"), Price: dec("55")})))
	h := d.streams[trade.TradeStream(T)]
	got, err := trade.Fold(T, []trade.Event{h[2], h[0], h[1]}, trade.AsOf{})
	require.NoError(t, err)
	require.Equal(t, d.trade(t, T, trade.AsOf{}), got)
}
