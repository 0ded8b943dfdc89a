package capstone_test

import (
	"context"
	"errors"
	"iter"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/blotter/capstone"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
)

var nine = time.Date(2025, 1, 6, 9, 0, 0, 0, time.UTC)

// oil begins a contract of 1,000 bbl.
func oil(id, uti string) trade.Command {
	return trade.Command{ID: id, UTI: uti, EnteredAt: nine, Actor: "trader/1", Reason: "client order", Body: trade.New{
		Book: "CRUDE", Counterparty: "ACME", Trader: "trader/1", Side: trade.Buy,
		Instrument: trade.Instrument{Commodity: trade.Oil, Zone: "BRENT", Delivery: period("2025-06")},
		Quantity:   trade.Quantity{Value: trade.Int(1000), Unit: trade.BBL}, Price: trade.Dec("70"), Currency: "USD",
	}}
}

func period(s string) trade.Period {
	p, err := trade.ParsePeriod(s)
	if err != nil {
		panic(err)
	}
	return p
}

// novate has us remain with another party for a part of the contract.
func novate(id, uti, begins string) trade.Command {
	return trade.Command{ID: id, UTI: uti, EnteredAt: nine.Add(time.Hour), Actor: "trader/1", Reason: "client leaves", Body: trade.Novate{
		Role: trade.Remaining, Quantity: trade.Quantity{Value: trade.Int(400), Unit: trade.BBL}, NewUTI: begins, Incoming: "NEWCO",
	}}
}

func do(t *testing.T, desk *capstone.Desk, cmd trade.Command) capstone.Outcome {
	out, err := desk.Do(t.Context(), cmd)
	require.NoError(t, err)
	return out
}

func TestACommandSentAgainGivesTheRecordedOutcome(t *testing.T) {
	t.Parallel()
	desk := newDesk(contract.SimulatedClock)
	first := do(t, desk, oil("c-1", "A"))
	require.False(t, first.Again)
	again := do(t, desk, oil("c-1", "A"))
	require.True(t, again.Again)
	require.Equal(t, first.Event.ID, again.Event.ID)
	require.Equal(t, first.Event.RecordedAt, again.Event.RecordedAt)
}

func TestARefusalIsOnRecordAndStaysWhenTheReasonIsGone(t *testing.T) {
	t.Parallel()
	desk := newDesk(contract.SimulatedClock)
	early := novate("c-2", "A", "B")
	require.Equal(t, trade.NotBegun, do(t, desk, early).Refusal.Rule)
	do(t, desk, oil("c-1", "A"))
	out := do(t, desk, early) // would be legal now
	require.True(t, out.Again)
	require.Equal(t, trade.NotBegun, out.Refusal.Rule)
	require.Equal(t, "refused/A", out.Event.Stream)
}

// Nothing follows a void: the desk refuses it, and the store would too, whoever wrote it.
func TestAVoidEndsTheStreamOfItsTrade(t *testing.T) {
	t.Parallel()
	desk := newDesk(contract.SimulatedClock)
	do(t, desk, oil("c-1", "A"))
	void := trade.Command{ID: "c-2", UTI: "A", EnteredAt: nine.Add(time.Hour), Actor: "trader/1", Reason: "entered twice", Body: trade.Cancel{Kind: trade.Void}}
	last := do(t, desk, void).Event
	require.True(t, last.Ends)
	late := last.Event
	late.ID, late.Ends = trade.EventID("somebody", 0), false
	_, err := desk.Store.Append(t.Context(), late.Stream, contract.Any, late)
	ended := new(contract.EndedError)
	require.ErrorAs(t, err, &ended)
	require.Equal(t, contract.EndedError{Stream: "trade/A", Version: 2}, *ended)
	require.Equal(t, trade.IsVoided, do(t, desk, novate("c-3", "A", "B")).Refusal.Rule)
	require.True(t, do(t, desk, void).Again)
}

func TestACommandIDWithOtherContentIsAnError(t *testing.T) {
	t.Parallel()
	for _, first := range []trade.Command{oil("c-1", "A"), novate("c-1", "A", "B")} { // accepted, refused
		desk := newDesk(contract.SimulatedClock)
		do(t, desk, first)
		_, err := desk.Do(t.Context(), oil("c-1", "OTHER"))
		var reused *capstone.ReusedCommandError
		require.ErrorAs(t, err, &reused)
	}
}

func TestANovationInWhichWeRemainBeginsAContract(t *testing.T) {
	t.Parallel()
	desk := newDesk(contract.SimulatedClock)
	do(t, desk, oil("c-1", "A"))
	out := do(t, desk, novate("c-2", "A", "B"))
	system := capstone.System{Desk: desk}
	b, err := system.Trade(t.Context(), "B", trade.AsOf{})
	require.NoError(t, err)
	require.Equal(t, "A", b.PriorUTI)
	require.Equal(t, "NEWCO", b.Counterparty)
	require.Equal(t, "400", b.Open.String())
	for e, err := range desk.Store.Stream(t.Context(), trade.TradeStream("B")) {
		require.NoError(t, err)
		require.Equal(t, out.Event.ID, e.Causation)
		require.Equal(t, out.Event.Correlation, e.Correlation)
		require.Equal(t, out.Event.RecordedAt.Add(time.Microsecond), e.RecordedAt, "recorded when its cause was, not when it is effective")
	}
}

func TestCorrectingACauseCorrectsWhatBeganFromIt(t *testing.T) {
	t.Parallel()
	desk := newDesk(contract.SimulatedClock)
	do(t, desk, oil("c-1", "A"))
	cause := novate("c-2", "A", "B")
	do(t, desk, cause)
	open := func() string {
		b, err := (&capstone.System{Desk: desk}).Trade(t.Context(), "B", trade.AsOf{})
		require.NoError(t, err)
		return string(b.Status) + " " + b.Open.String()
	}
	for i, quantity := range []int64{250, 0} {
		body := cause.Body.(trade.Novate)
		body.Quantity.Value = trade.Int(quantity)
		do(t, desk, trade.Command{ID: []string{"c-3", "c-4"}[i], UTI: "A", EnteredAt: nine.Add(2 * time.Hour), Actor: "ops/1", Reason: "as the confirmation says",
			Corrects: trade.EventID("c-2", 0), Body: body})
		require.Equal(t, []string{"LIVE 250", "VOIDED 0"}[i], open())
	}
}

// dying is a store whose process dies before its n-th append.
type dying struct {
	contract.Store
	appends int
}

var errDied = errors.New("died")

func (s *dying) Append(ctx context.Context, stream string, expected int64, events ...contract.Event) ([]contract.Receipt, error) {
	if s.appends--; s.appends < 0 {
		return nil, errDied
	}
	return s.Store.Append(ctx, stream, expected, events...)
}

func TestADeskThatDiesBetweenCauseAndFollowUpIsCaughtUp(t *testing.T) {
	t.Parallel()
	for _, mend := range []string{"sweep", "the same command again"} {
		desk := newDesk(contract.SimulatedClock)
		store := desk.Store
		desk.Store = &dying{store, 2}
		do(t, desk, oil("c-1", "A"))
		_, err := desk.Do(t.Context(), novate("c-2", "A", "B"))
		require.ErrorIs(t, err, errDied, "the cause is on record, what follows from it is not")

		desk.Store = store
		missing, err := desk.MissingFollowUps(t.Context())
		require.NoError(t, err)
		require.Len(t, missing, 1)
		require.Equal(t, "B", missing[0].Command.UTI)
		if mend == "sweep" {
			_, err = desk.Sweep(t.Context(), nil)
			require.NoError(t, err)
		} else {
			do(t, desk, novate("c-2", "A", "B"))
		}
		missing, err = desk.MissingFollowUps(t.Context())
		require.NoError(t, err)
		require.Empty(t, missing)
		_, err = desk.Sweep(t.Context(), nil)
		require.NoError(t, err, "again: nothing is begun twice")
		b, err := (&capstone.System{Desk: desk}).Trade(t.Context(), "B", trade.AsOf{})
		require.NoError(t, err)
		require.Equal(t, "400", b.Open.String())
	}
}

// restated is novate("c-2", …) corrected to another quantity.
func restated(id string, quantity int64) trade.Command {
	cmd := novate(id, "A", "B")
	body := cmd.Body.(trade.Novate)
	body.Quantity.Value = trade.Int(quantity)
	cmd.Body, cmd.Corrects = body, trade.EventID("c-2", 0)
	return cmd
}

// A correction finds the follow-up of what it corrects, even where the desk died before issuing that: otherwise it would be
// refused for good, and the follow-up, issued later, would stay as it was first.
func TestACorrectionIssuesWhatItsCauseStillOwes(t *testing.T) {
	t.Parallel()
	desk := newDesk(contract.SimulatedClock)
	store := desk.Store
	desk.Store = &dying{store, 2}
	do(t, desk, oil("c-1", "A"))
	_, err := desk.Do(t.Context(), novate("c-2", "A", "B"))
	require.ErrorIs(t, err, errDied)

	desk.Store = store
	do(t, desk, restated("c-3", 250))
	b, err := (&capstone.System{Desk: desk}).Trade(t.Context(), "B", trade.AsOf{})
	require.NoError(t, err)
	require.Equal(t, "250", b.Open.String())
	missing, err := desk.MissingFollowUps(t.Context())
	require.NoError(t, err)
	require.Empty(t, missing)
}

// A novation into a UTI that is taken begins nothing, and says so until it is annulled. That voids nothing.
func TestANovationIntoATakenUTIIsListedUntilItIsAnnulled(t *testing.T) {
	t.Parallel()
	desk := newDesk(contract.SimulatedClock)
	do(t, desk, oil("c-0", "B"))
	do(t, desk, oil("c-1", "A"))
	do(t, desk, novate("c-2", "A", "B"))
	missing, err := desk.MissingFollowUps(t.Context())
	require.NoError(t, err)
	require.Len(t, missing, 1)
	require.Equal(t, trade.AlreadyBegun, missing[0].Refusal.Rule)

	do(t, desk, restated("c-3", 0))
	missing, err = desk.MissingFollowUps(t.Context())
	require.NoError(t, err)
	require.Empty(t, missing)
	b, err := (&capstone.System{Desk: desk}).Trade(t.Context(), "B", trade.AsOf{})
	require.NoError(t, err)
	require.Equal(t, trade.Live, b.Status)
}

// A curve has the currency of its first mark, or of what that was corrected to while it was alone, whoever asks and however much was marked since.
func TestACurveIsMarkedInOneCurrency(t *testing.T) {
	t.Parallel()
	first := newDesk(contract.SimulatedClock)
	second := &capstone.Desk{Store: first.Store, Codec: first.Codec, Source: first.Source}
	mark := func(id string, currency trade.Currency) trade.Command {
		return trade.Command{ID: id, EnteredAt: nine, Actor: "risk/1", Reason: "close", Body: trade.PriceMarked{
			Curve: "oil/BRENT", Currency: currency, Points: []trade.Point{{Delivery: period("2025-06"), Price: trade.Dec("70")}},
		}}
	}
	right := mark("c-2", "USD")
	right.Corrects = trade.EventID("c-1", 0)
	for _, cmd := range []trade.Command{mark("c-1", "EUR"), right, mark("c-3", "USD"), mark("c-4", "USD"), mark("c-5", "USD")} {
		require.Nil(t, do(t, first, cmd).Refusal, cmd.ID)
	}
	for i, desk := range []*capstone.Desk{first, second, second} {
		require.Equal(t, trade.OtherCurrency, do(t, desk, mark("d-"+strconv.Itoa(i), "EUR")).Refusal.Rule)
		require.Nil(t, do(t, desk, mark("e-"+strconv.Itoa(i), "USD")).Refusal)
	}
}

func TestTheIDsOfFollowUpsAreNotForSenders(t *testing.T) {
	t.Parallel()
	desk := newDesk(contract.SimulatedClock)
	_, err := desk.Do(t.Context(), oil("follow-up/"+trade.EventID("c-2", 0).String(), "B"))
	require.ErrorIs(t, err, capstone.ErrReserved)
	end, err := desk.Store.End(t.Context())
	require.NoError(t, err)
	require.Zero(t, end.At(0), "nothing is recorded")
}

// twice is a store that another desk sends the same command to, between our question whether it is there and our append.
type twice struct {
	contract.Store
	other func()
}

func (s *twice) Append(ctx context.Context, stream string, expected int64, events ...contract.Event) ([]contract.Receipt, error) {
	if other := s.other; other != nil {
		s.other = nil
		other()
	}
	return s.Store.Append(ctx, stream, expected, events...)
}

// We find the contract closed, and are about to refuse what the other desk, meanwhile, has had refused for another reason.
func TestACommandThatTwoDesksTakeAtOnceHasOneOutcome(t *testing.T) {
	t.Parallel()
	first := newDesk(contract.SimulatedClock)
	second := capstone.Desk{Codec: first.Codec, Source: first.Source}
	late := novate("c-2", "A", "B")
	second.Store = &twice{first.Store, func() {
		do(t, first, oil("c-1", "A"))
		do(t, first, late)
	}}
	out := do(t, &second, late) // no contract A when it was decided
	require.True(t, out.Again)
	require.Nil(t, out.Refusal)
}

// reading notes where it was read from.
type reading struct {
	contract.Store
	from []contract.Cursor
}

func (s *reading) Read(ctx context.Context, from, to contract.Cursor) iter.Seq2[contract.Recorded, error] {
	s.from = append(s.from, from)
	return s.Store.Read(ctx, from, to)
}

func TestASweepGoesOnFromTheLastUnlessTheLogIsAnother(t *testing.T) {
	t.Parallel()
	desk := newDesk(contract.SimulatedClock)
	store := &reading{Store: desk.Store}
	desk.Store = store
	do(t, desk, oil("c-1", "A"))
	first, err := desk.Sweep(t.Context(), nil)
	require.NoError(t, err)
	do(t, desk, oil("c-2", "B"))
	second, err := desk.Sweep(t.Context(), first)
	require.NoError(t, err)
	require.NotEqual(t, first, second)
	other := newDesk(contract.SimulatedClock)
	other.Store = &reading{Store: other.Store}
	_, err = other.Sweep(t.Context(), second)
	require.NoError(t, err)
	require.Equal(t, []contract.Cursor{nil, first}, store.from)
	require.Equal(t, []contract.Cursor{nil}, other.Store.(*reading).from)
}
