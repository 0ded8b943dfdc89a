package projectiontest

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/kit/check"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
)

var folding = []spec{{
	Check: check.Check{ID: "L3.1", Points: 1, Invariant: "L3.I3", Title: "a model of nothing is empty, and at the beginning",
		Hint: "its cursor reads as offset 0 in every partition"},
	try: func(t *trial) {
		m := t.open()
		m.is(nil)
		require.EqualValues(t, 0, m.cursor().At(0))
	},
}, {
	Check: check.Check{ID: "L3.2", Points: 4, Invariant: "L3.I3", Title: "after every batch the model is the fold of what it has taken",
		Hint: "an event may change a leg in the middle of a pool: fold the pool again from there"},
	try: func(t *trial) {
		for seed := range uint64(3) {
			m, cursor, taken := t.open(), contract.Cursor(nil), 0
			log := History(seed, 200, 1+2*int(seed))
			for _, batch := range batches(log.Events, rand.New(rand.NewPCG(seed, 2)).IntN) {
				cursor, taken = behind(cursor, batch), taken+len(batch)
				m.apply(batch, cursor)
				m.is(log.Events[:taken])
			}
		}
	},
}, {
	Check: check.Check{ID: "L3.3", Points: 2, Invariant: "L3.I3", Title: "the model does not depend on how streams arrive interleaved",
		Hint: "order legs by effective time, stream, slot version and leg: never by when they came"},
	try: func(t *trial) {
		log := History(7, 200, 1)
		for _, partitions := range []int{1, 2, 12} {
			m, other := t.open(), log.Spread(partitions)
			m.apply(other.Events[:100], behind(nil, other.Events[:100]))
			m.apply(other.Events[100:], behind(nil, other.Events))
			m.is(log.Events)
		}
	},
}, {
	Check: check.Check{ID: "L3.4", Points: 2, Invariant: "L3.I3", Title: "the same history one event at a time comes to the same",
		Hint: "what a batch leaves behind must be enough to go on from"},
	try: func(t *trial) {
		m, log := t.open(), History(11, 120, 3)
		for i, r := range log.Events {
			m.apply([]contract.Recorded{r}, behind(nil, log.Events[:i+1]))
		}
		m.is(log.Events)
	},
}, {
	Check: check.Check{ID: "L3.13", Points: 2, Invariant: "L3.I3", Title: "a leg that comes late into a long pool changes what every leg behind it comes to",
		Hint: "a state of the pool that is kept to go back to must be of legs before the late one, and those kept behind it are stale"},
	try: func(t *trial) {
		m, log := t.open(), History(longSeed, longEvents, 1)
		const begun = longEvents - 60
		m.apply(log.Events[:begun], behind(nil, log.Events[:begun]))
		for n := begun + 1; n <= longEvents; n++ { // one by one: the next leg may be later than where the last one had the pool folded from
			m.apply(log.Events[n-1:n], behind(nil, log.Events[:n]))
			if n%6 == 0 {
				m.is(log.Events[:n])
			}
		}
		m.is(log.Events)
	},
}}

// Of the history that L3.13 takes.
const longSeed, longEvents = 2, 800

var moving = []spec{{
	Check: check.Check{ID: "L3.5", Points: 2, Invariant: "L3.I1", Title: "the cursor is where the batch said, whatever the events' own positions",
		Hint: "keep next as it is: a feed's offsets have holes, and a range may have no event at all"},
	try: func(t *trial) {
		m, log := t.open(), History(1, 100, 3)
		end, err := log.End(t.Context())
		require.NoError(t, err)
		m.apply(log.Events, end)
		require.Equal(t, end, m.cursor())
		beyond := end.After(contract.Position{Partition: 2, Offset: end.At(2) + 10})
		m.apply(nil, beyond)
		require.Equal(t, beyond, m.cursor())
		m.is(log.Events)
	},
}, {
	Check: check.Check{ID: "L3.6", Points: 3, Invariant: "L3.I2", Title: "events that come again change nothing",
		Hint: "drop what lies before the stored cursor, under the lock that moves it; and never move it back"},
	try: func(t *trial) {
		m, log := t.open(), History(2, 150, 3)
		m.apply(log.Events[:100], behind(nil, log.Events[:100]))
		m.apply(log.Events[:50], behind(nil, log.Events[:50]))
		require.Equal(t, behind(nil, log.Events[:100]), m.cursor(), "the cursor, after an old batch came again")
		m.is(log.Events[:100])
		m.apply(log.Events[40:], behind(nil, log.Events))
		m.is(log.Events)
	},
}, {
	Check: check.Check{ID: "L3.7", Points: 3, Invariant: "L3.I1", Title: "a batch with an event that does not decode leaves no trace, and the error says where it stands",
		Hint: "never skip it: a model without one event is wrong and does not say so"},
	try: func(t *trial) {
		m, log := t.open(), History(3, 120, 3)
		m.apply(log.Events[:60], behind(nil, log.Events[:60]))
		broken := slices.Clone(log.Events[60:])
		spoilt := &broken[30]
		spoilt.Data = bytes.Clone(spoilt.Data[:len(spoilt.Data)-1])
		err := m.refuses(broken, log.Events[:60])
		require.ErrorIs(t, err, contract.ErrMalformed)
		require.ErrorContains(t, err, spoilt.Stream)
		require.ErrorContains(t, err, spoilt.Position.String())
		m.apply(log.Events[60:], behind(nil, log.Events))
		m.is(log.Events)
	},
}, {
	Check: check.Check{ID: "L3.11", Points: 2, Invariant: "L3.I1", Title: "a batch with an event that its stream cannot take leaves no trace",
		Hint: "trade.Fold says so; so does trade.StateOf, of trades and of curves"},
	try: func(t *trial) {
		m, log := t.open(), History(8, 120, 3)
		m.apply(log.Events[:60], behind(nil, log.Events[:60]))
		for _, stream := range []string{trade.TradeStream(""), trade.CurveStream("")} {
			wrong := slices.Clone(log.Events[60:])
			i := slices.IndexFunc(wrong, func(r contract.Recorded) bool { return strings.HasPrefix(r.Stream, stream) })
			wrong[i].Corrects = uuid.UUID{1} // no event has this id
			require.ErrorContains(t, m.refuses(wrong, log.Events[:60]), wrong[i].Stream)
		}
		m.apply(log.Events[60:], behind(nil, log.Events))
		m.is(log.Events)
	},
}, {
	Check: check.Check{ID: "L3.12", Points: 2, Invariant: "L3.I1", Title: "a batch in which an event comes twice, or after one that is missing, leaves no trace",
		Hint: "versions run 1, 2, 3 in every stream: of trades, of curves, and of refusals too"},
	try: func(t *trial) {
		m, log := t.open(), History(12, 240, 3)
		taken, rest := log.Events[:60], log.Events[60:]
		m.apply(taken, behind(nil, taken))
		for _, stream := range []string{trade.TradeStream(""), trade.CurveStream(""), trade.Command{}.RefusedStream()} {
			i := slices.IndexFunc(rest, func(r contract.Recorded) bool { return strings.HasPrefix(r.Stream, stream) })
			twice := slices.Insert(slices.Clone(rest), i, rest[i])
			require.ErrorContains(t, m.refuses(twice, taken), rest[i].Stream)
			missing := slices.Clone(rest)
			missing[i].Version++
			require.ErrorContains(t, m.refuses(missing, taken), rest[i].Stream)
		}
		m.apply(rest, behind(nil, log.Events))
		m.is(log.Events)
	},
}}

var reading = []spec{{
	Check: check.Check{ID: "L3.8", Points: 1, Invariant: "L3.I3", Title: "a trade, and the positions, are those of the state",
		Hint: "mark the positions with the curves when they are read"},
	try: func(t *trial) {
		m, log := t.open(), History(4, 200, 2)
		m.apply(log.Events, behind(nil, log.Events))
		want := fold(log.Events)
		positions, err := m.Positions(t.Context())
		require.NoError(t, err)
		require.Equal(t, canonical(trade.State{Positions: want.Positions}), canonical(trade.State{Positions: positions}))
		for _, w := range want.Trades {
			got, ok, err := m.Trade(t.Context(), w.UTI)
			require.NoError(t, err)
			require.True(t, ok, "there is a trade %s", w.UTI)
			require.Equal(t, canonical(trade.State{Trades: []trade.Trade{w}}), canonical(trade.State{Trades: []trade.Trade{got}}))
			require.Equal(t, w.Terms, got.Terms, "terms of %s", w.UTI)
			require.Equal(t, w.Legs, got.Legs, "legs of %s", w.UTI)
		}
		_, ok, err := m.Trade(t.Context(), "UTI-NONE")
		require.NoError(t, err)
		require.False(t, ok, "there is a trade UTI-NONE")
	},
}, {
	Check: check.Check{ID: "L3.9", Points: 2, Invariant: "L3.I3", Title: "the events it took come back whole, by stream and version",
		Hint: "times to the microsecond, in UTC; and the events of every stream, refusals too"},
	try: func(t *trial) {
		m, log := t.open(), History(5, 150, 2)
		m.apply(log.Events, behind(nil, log.Events))
		got := map[string][]trade.Event{}
		last := ""
		for e, err := range m.Events(t.Context()) {
			require.NoError(t, err)
			require.LessOrEqual(t, last, e.Stream, "streams come in order")
			last = e.Stream
			got[e.Stream] = append(got[e.Stream], e.Event)
		}
		require.Equal(t, streamsOf(log.Events), got)
	},
}}

var durability = []spec{{
	Check: check.Check{ID: "L3.10", Points: 2, Invariant: "L3.I1", Title: "another process finds the model where this one left it, and goes on",
		Hint: "keep nothing in memory that the rows do not have"},
	try: func(t *trial) {
		m, log := t.open(), History(6, 150, 2)
		m.apply(log.Events[:90], behind(nil, log.Events[:90]))
		m = t.reopen()
		m.is(log.Events[:90])
		m.apply(log.Events[80:], behind(nil, log.Events))
		m.is(log.Events)
	},
}}

func canonical(s trade.State) string { return string(s.Canonical()) }
