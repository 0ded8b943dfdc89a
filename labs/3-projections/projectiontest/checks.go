package projectiontest

import (
	"cmp"
	"context"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/kit/check"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
)

var folding = []spec{
	{check.Check{
		ID: "L3.22", Points: 1, Invariant: "L3.I3",
		Title: "a new model is empty, and its cursor is at the beginning",
		Hint:  "the cursor of a new model reads as offset 0 in every partition",
	}, newModel},
	{check.Check{
		ID: "L3.6", Points: 4, Invariant: "L3.I3",
		Title: "after every batch the model equals a fold of all applied events",
		Hint:  "an event can change a leg inside a pool: fold the pool again from that leg",
	}, everyBatch},
	{check.Check{
		ID: "L3.7", Points: 2, Invariant: "L3.I3",
		Title: "the model does not depend on the order in which streams arrive",
		Hint:  "order legs by trade.LegKey, never by arrival",
	}, otherArrival},
	{check.Check{
		ID: "L3.8", Points: 2, Invariant: "L3.I3",
		Title: "a history that is applied one event at a time gives the same model",
		Hint:  "everything that the next batch needs must be stored with the model",
	}, oneByOne},
	{check.Check{
		ID: "L3.15", Points: 2, Invariant: "L3.I3",
		Title: "a late leg in a long pool changes the result of every leg after it",
		Hint: "go back to a saved state of the pool that is before the late leg, " +
			"and delete the saved states after it",
	}, lateLegs},
}

func newModel(t *trial) {
	m := t.open()
	m.requireFold(nil)
	require.EqualValues(t, 0, m.cursor().At(0))
}

func everyBatch(t *trial) {
	for seed := range uint64(3) {
		m, cursor, taken := t.open(), contract.Cursor(nil), 0
		log := History(seed+t.Seed(), 200, 1+2*int(seed))
		for _, batch := range batches(log.Events, rand.New(rand.NewPCG(seed, 2)).IntN) {
			cursor, taken = after(cursor, batch), taken+len(batch)
			m.apply(batch, cursor)
			m.requireFold(log.Events[:taken])
		}
	}
}

func otherArrival(t *trial) {
	log := History(7+t.Seed(), 200, 1)
	for _, partitions := range []int{1, 2, 12} {
		m, other := t.open(), log.Spread(partitions)
		m.apply(other.Events[:100], after(nil, other.Events[:100]))
		m.apply(other.Events[100:], after(nil, other.Events))
		m.requireFold(log.Events)
	}
}

func oneByOne(t *trial) {
	m, log := t.open(), History(11+t.Seed(), 120, 3)
	for i, r := range log.Events {
		m.apply([]contract.Recorded{r}, after(nil, log.Events[:i+1]))
	}
	m.requireFold(log.Events)
}

// The history of lateLegs.
const longSeed, longEvents = 2, 800

func lateLegs(t *trial) {
	m, log := t.open(), History(longSeed, longEvents, 1)
	const begun = longEvents - 60
	m.apply(log.Events[:begun], after(nil, log.Events[:begun]))
	// Apply the rest one by one: the next leg may be later than the saved state to which the model
	// went back for the last leg.
	for n := begun + 1; n <= longEvents; n++ {
		m.apply(log.Events[n-1:n], after(nil, log.Events[:n]))
		if n%6 == 0 {
			m.requireFold(log.Events[:n])
		}
	}
	m.requireFold(log.Events)
}

var moving = []spec{
	{check.Check{
		ID: "L3.23", Points: 2, Invariant: "L3.I1",
		Title: "the cursor is the one given with the batch, whatever the events' positions",
		Hint:  "store next unchanged: offsets have holes, and a range may have no event",
	}, givenCursor},
	{check.Check{
		ID: "L3.9", Points: 3, Invariant: "L3.I2",
		Title: "events that are applied again change nothing",
		Hint: "under the lock that moves the cursor, drop events before the stored cursor; " +
			"never move the cursor back",
	}, appliedAgain},
	{check.Check{
		ID: "L3.10", Points: 3, Invariant: "L3.I1",
		Title: "a batch with an event that cannot be decoded yet leaves no trace, " +
			"and the error names the event's stream and position",
		Hint: "never skip the event: a model without it is wrong without any sign of it",
	}, noRegistry},
	{check.Check{
		ID: "L3.24", Points: 2, Invariant: "L3.I6",
		Title: "an event that is illegal in its stream parks that stream, and changes nothing else",
		Hint: "trade.Fold and trade.FoldCurve return the parked stream: store it with the rows, " +
			"and keep its later events, too",
	}, illegal},
	{check.Check{
		ID: "L3.25", Points: 2, Invariant: "L3.I1",
		Title: "a batch with a repeated or a missing event leaves no trace",
		Hint:  "versions run 1, 2, 3 in every stream: of trades, of curves and of refusals",
	}, wrongVersion},
}

func givenCursor(t *trial) {
	m, log := t.open(), History(1+t.Seed(), 100, 3)
	end, err := log.End(t.Context())
	require.NoError(t, err)
	m.apply(log.Events, end)
	require.Equal(t, end, m.cursor())
	beyond := end.After(contract.Position{Partition: 2, Offset: end.At(2) + 10})
	m.apply(nil, beyond)
	require.Equal(t, beyond, m.cursor())
	m.requireFold(log.Events)
}

func appliedAgain(t *trial) {
	m, log := t.open(), History(2+t.Seed(), 150, 3)
	m.apply(log.Events[:100], after(nil, log.Events[:100]))
	m.apply(log.Events[:50], after(nil, log.Events[:50]))
	require.Equal(t, after(nil, log.Events[:100]), m.cursor(), "the cursor after an old batch")
	m.requireFold(log.Events[:100])
	m.apply(log.Events[40:], after(nil, log.Events))
	m.requireFold(log.Events)
	end := m.cursor()
	hole := end.After(contract.Position{Partition: 2, Offset: end.At(2) + 10})
	m.apply(log.Events[40:], hole)
	require.Equal(t.Hint("move the cursor even if no event of the batch is new: next may lie past "+
		"a hole"), hole.String(), m.cursor().String(),
		"the cursor after an old batch whose next is past a hole")
}

func noRegistry(t *trial) {
	m, log := t.open(), History(3+t.Seed(), 120, 3)
	m.apply(log.Events[:60], after(nil, log.Events[:60]))
	wrong := slices.Clone(log.Events[60:])
	unknown := &wrong[30]
	unknown.Data = slices.Concat(elsewhere, unknown.Data[len(wire):])
	err := m.requireRefusal(wrong, log.Events[:60])
	require.ErrorIs(t, err, errNoRegistry)
	require.ErrorContains(t, err, unknown.Stream)
	require.ErrorContains(t, err, unknown.Position.String())
	m.apply(log.Events[60:], after(nil, log.Events))
	m.requireFold(log.Events)
}

func illegal(t *trial) {
	for seed := range uint64(4) {
		random := rand.New(rand.NewPCG(seed, 3))
		log := &Log{Events: ruined(History(20+seed+t.Seed(), 200, 3).Events, random)}
		for _, arrival := range []*Log{log, log.Spread(1 + 4*int(seed))} {
			m, cursor, taken := t.open(), contract.Cursor(nil), 0
			for _, batch := range batches(arrival.Events, random.IntN) {
				cursor, taken = after(cursor, batch), taken+len(batch)
				m.apply(batch, cursor)
				m.requireFold(arrival.Events[:taken])
			}
			m.requireEvents(arrival.Events)
		}
	}
}

// ruined makes some events of trades and of curves illegal: it lets them correct an unknown event,
// states a mark in another currency, cuts their data short, lets them skip the first event
// of their stream, or replaces their body by one of another stream. The events after them stay.
func ruined(events []contract.Recorded, random *rand.Rand) []contract.Recorded {
	events = slices.Clone(events)
	for i, e := range events {
		if trade.Subject(e.Stream) != e.Stream || random.IntN(20) > 0 {
			continue
		}
		if strings.HasPrefix(e.Stream, trade.CurveStream("")) && random.IntN(2) == 0 {
			events[i].Data = inAnotherCurrency(e)
			events[i].EffectiveAt = e.EffectiveAt.AddDate(1, 0, 0) // so it only adds to the curve
			continue
		}
		switch random.IntN(4) {
		case 3:
			skipFirst(events, i)
			continue
		case 0:
			events[i].Corrects = uuid.UUID{1} // no event has this id
			continue
		case 1:
			events[i].Data = e.Data[:len(e.Data)-1]
			continue
		}
		other := events[random.IntN(len(events))]
		events[i].Type, events[i].Data = other.Type, other.Data
	}
	return events
}

// skipFirst lets an event skip the first one of its stream, whether that is legal or not.
func skipFirst(events []contract.Recorded, i int) {
	for _, e := range events[:i] {
		if e.Stream == events[i].Stream && e.Version == 1 {
			payload, err := Codec{}.Encode(context.Background(), trade.EventSkipped{
				Version: 1, Event: e.ID, Rule: string(trade.IsUnreadable),
			})
			if err != nil {
				panic(err) // every body is plain data
			}
			events[i].Type, events[i].Data = payload.Type, payload.Data
		}
	}
}

func inAnotherCurrency(e contract.Recorded) []byte {
	body, err := Codec{}.Decode(context.Background(), e.Type, e.Data)
	m := body.(trade.PriceMarked)
	m.Currency = "CAD" // no curve of the made-up histories is in it
	payload, alsoErr := Codec{}.Encode(context.Background(), m)
	if err := cmp.Or(err, alsoErr); err != nil {
		panic(err) // the package encoded the mark itself
	}
	return payload.Data
}

func wrongVersion(t *trial) {
	m, log := t.open(), History(12+t.Seed(), 240, 3)
	taken, rest := log.Events[:60], log.Events[60:]
	m.apply(taken, after(nil, taken))
	refused := trade.Command{}.RefusedStream()
	for _, kind := range []string{trade.TradeStream(""), trade.CurveStream(""), refused} {
		i := firstOf(kind, rest)
		repeated := slices.Insert(slices.Clone(rest), i, rest[i])
		require.ErrorContains(t, m.requireRefusal(repeated, taken), rest[i].Stream)
		missing := slices.Clone(rest)
		missing[i].Version++
		require.ErrorContains(t, m.requireRefusal(missing, taken), rest[i].Stream)
	}
	m.apply(rest, after(nil, log.Events))
	m.requireFold(log.Events)
}

// firstOf returns the index of the first event whose stream has a prefix.
func firstOf(prefix string, events []contract.Recorded) int {
	return slices.IndexFunc(events, func(r contract.Recorded) bool {
		return strings.HasPrefix(r.Stream, prefix)
	})
}

var reading = []spec{
	{check.Check{
		ID: "L3.26", Points: 1, Invariant: "L3.I3",
		Title: "Trade and Positions return the same as State",
		Hint:  "Trade returns terms and legs, too; Positions is sorted by key",
	}, tradeAndPositions},
	{check.Check{
		ID: "L3.27", Points: 2, Invariant: "L3.I3",
		Title: "Events returns all applied events unchanged, by stream and version",
		Hint:  "times have microseconds and are in UTC; refusals are events, too",
	}, allEvents},
}

func tradeAndPositions(t *trial) {
	m, log := t.open(), History(4+t.Seed(), 200, 2)
	m.apply(log.Events, after(nil, log.Events))
	want := fold(log.Events)
	positions, err := m.Positions(t.Context())
	require.NoError(t, err)
	requireSame(t, trade.State{Positions: want.Positions}, trade.State{Positions: positions},
		"the list of positions")
	for _, w := range want.Trades {
		got, ok, err := m.Trade(t.Context(), w.UTI)
		require.NoError(t, err)
		require.True(t, ok, "trade %s exists", w.UTI)
		requireSame(t, trade.State{Trades: []trade.Trade{w}},
			trade.State{Trades: []trade.Trade{got}}, "the answer of Trade")
		require.Equal(t, w.Terms, got.Terms, "terms of %s", w.UTI)
		require.Equal(t, w.Legs, got.Legs, "legs of %s", w.UTI)
	}
	_, ok, err := m.Trade(t.Context(), "UTI-NONE")
	require.NoError(t, err)
	require.False(t, ok, "trade UTI-NONE exists")
}

func allEvents(t *trial) {
	m, log := t.open(), History(5+t.Seed(), 150, 2)
	m.apply(log.Events, after(nil, log.Events))
	m.requireEvents(log.Events)
}

var durability = []spec{
	{check.Check{
		ID: "L3.28", Points: 2, Invariant: "L3.I1",
		Title: "another process finds the model where this one left it, and continues",
		Hint:  "everything that the model needs must be in its rows, not in memory",
	}, reopened},
}

func reopened(t *trial) {
	m, log := t.open(), History(6+t.Seed(), 150, 2)
	m.apply(log.Events[:90], after(nil, log.Events[:90]))
	m = t.reopen()
	m.requireFold(log.Events[:90])
	m.apply(log.Events[80:], after(nil, log.Events))
	m.requireFold(log.Events)
}
