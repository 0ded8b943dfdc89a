package replay_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/3-projections/projectiontest"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
	replay "example.com/blotter/solutions/4-replay"
)

// snapshotsOf returns a snapshot by a full replay after every step events, the last one at the end.
func snapshotsOf(t *testing.T, log *projectiontest.Log, step int) (all []contract.Snapshot) {
	t.Helper()
	var at contract.Cursor
	for i, e := range log.Events {
		at = at.After(e.Position)
		if i%step == step-1 {
			state, _, err := replay.New(projectiontest.Codec{}).Replay(t.Context(), log, at)
			require.NoError(t, err)
			all = append(all, contract.Snapshot{
				Name: fmt.Sprint(i + 1), Cursor: at, State: state.Canonical(),
			})
		}
	}
	return all
}

// Must show 3 of Lab 4's reference: from every archived snapshot, the window up to every later one
// gives the bytes of the full replay. The histories have late events, corrections of first events
// into other books, voids, parked and skipped events.
func TestEveryWindowEqualsTheFullReplay(t *testing.T) {
	t.Parallel()
	for seed, partitions := range []int{1, 3, 2} {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			log := projectiontest.History(uint64(700+seed), 480, partitions)
			all := snapshotsOf(t, log, 60)
			all = append([]contract.Snapshot{{Name: "nothing"}}, all...)
			r := replay.New(projectiontest.Codec{})
			for i, from := range all {
				for _, to := range all[i:] {
					state, _, err := r.Window(t.Context(), log, from, to.Cursor)
					require.NoError(t, err)
					require.NoError(t, r.Compare(to.State, state),
						"from %s to %s", from.Name, to.Name)
				}
			}
		})
	}
}

// A window decodes the streams that it touches and the contracts of their pools, and no others.
func TestWindowDecodesLess(t *testing.T) {
	t.Parallel()
	other := begin("1", "1")
	other.Book = "south"
	l := log{
		{"trade/A", begin("100", "50")}, {"trade/B", begin("50", "56")}, {"trade/C", other},
		{"trade/C", settle("1")}, {"trade/B", settle("20")},
	}
	from, err := archive(t, l[:4]).Get(t.Context(), "month-end")
	require.NoError(t, err)
	full, _, err := replay.New(l).Replay(t.Context(), l, contract.Cursor{5})
	require.NoError(t, err)
	state, events, err := replay.New(l).Window(t.Context(), l, from, contract.Cursor{5})
	require.NoError(t, err)
	require.Equal(t, string(full.Canonical()), string(state))
	require.EqualValues(t, 3, events, "A and B share a pool; C has its own")
	_, _, err = replay.New(l).Window(t.Context(), l, from, contract.Cursor{3})
	require.EqualError(t, err, "the window ends at [3], before snapshot month-end at [4]")
}

// A state that is cut, or in another format, begins no window.
func TestWindowRefusesOtherStates(t *testing.T) {
	t.Parallel()
	l := history()
	whole, err := archive(t, l).Get(t.Context(), "month-end")
	require.NoError(t, err)
	lines := slices.Collect(strings.Lines(string(whole.State)))
	require.Len(t, lines, 3)
	for name, tc := range map[string]struct{ state, line string }{
		"cut":          {string(whole.State[:len(whole.State)-9]), "3"},
		"another kind": {lines[0] + `{"order":{}}` + "\n", "2"},
		"no JSON":      {"<state/>\n", "1"},
		"not sorted":   {lines[1] + lines[0], "2"},
	} {
		s := whole
		s.State = []byte(tc.state)
		_, _, err := replay.New(l).Window(t.Context(), l, s, contract.Cursor{4})
		require.ErrorIs(t, err, contract.ErrSnapshotDamaged)
		require.ErrorContains(t, err, ": line "+tc.line+
			" of the state is not in the format "+trade.StateFormat, name)
	}
}

// Must show 3 of Lab 4's reference: the state as of 1,000 random pairs of times, or 200 under
// -short, equals that of a naive fold.
func TestAsOfEqualsANaiveFold(t *testing.T) {
	t.Parallel()
	pairs := 1000
	if testing.Short() {
		pairs = 200
	}
	const perHistory = 100
	for seed := range uint64(pairs / perHistory) {
		log := projectiontest.History(900+seed, 150, 2)
		random := rand.New(rand.NewPCG(seed, 2))
		first, last := log.Events[0].RecordedAt, log.Events[len(log.Events)-1].RecordedAt
		between := func(from, to time.Time) time.Time {
			later := from.Add(time.Duration(random.Int64N(int64(to.Sub(from)))))
			return later.Truncate(time.Microsecond)
		}
		for range perHistory {
			at := trade.AsOf{Known: between(first, last)}
			if random.IntN(5) > 0 {
				at.Effective = between(first.AddDate(0, -2, 0), last.AddDate(0, 1, 0))
			}
			state, err := replay.New(projectiontest.Codec{}).AsOf(t.Context(), log, at)
			require.NoError(t, err)
			require.Equal(t, naive(t, log, at), string(state.Canonical()),
				"history %d, %+v", seed, at)
		}
	}
}

// naive folds each stream from nothing once for each event, which it parks at the first prefix that
// does not fold. It sorts all legs, and knows no timeline, no legality and no ledger.
func naive(t *testing.T, log *projectiontest.Log, at trade.AsOf) string {
	t.Helper()
	streams := map[string][]trade.Event{}
	for _, r := range log.Events {
		if r.RecordedAt.After(at.Known) {
			continue
		}
		e, err := contract.Decoded(context.Background(), projectiontest.Codec{}, r)
		require.NoError(t, err)
		streams[r.Stream] = append(streams[r.Stream], e)
	}
	s, legs := trade.State{Curves: map[string]trade.Curve{}}, []trade.Leg{}
	for stream, events := range streams {
		kind, name, _ := strings.Cut(stream, "/")
		if kind != "trade" && kind != "curve" {
			continue
		}
		s.Skipped = append(s.Skipped, trade.Skips(stream, events)...)
		var counts []trade.Event
		for i, e := range events {
			if _, skips := e.Body.(trade.EventSkipped); skips || skipped(s.Skipped, e.ID) {
				continue
			}
			_, now := fold(name, counts, time.Time{})
			counts = append(counts, e)
			if rule, _ := fold(name, counts, time.Time{}); rule != "" {
				s.Parked = append(s.Parked, trade.Parked{Stream: stream, Version: int64(i + 1),
					Event: e.ID, Actor: e.Actor, Rule: rule, Book: now.Book})
				counts = counts[:len(counts)-1]
				break
			}
		}
		if kind == "curve" {
			s.Curves[name] = curve(counts, at.Effective)
			continue
		}
		if _, now := fold(name, counts, at.Effective); now.Status != "" {
			s.Trades, legs = append(s.Trades, now), append(legs, now.Legs...)
		}
	}
	slices.SortFunc(s.Trades, func(a, b trade.Trade) int { return strings.Compare(a.UTI, b.UTI) })
	slices.SortFunc(s.Parked, func(a, b trade.Parked) int {
		return strings.Compare(a.Stream, b.Stream)
	})
	slices.SortStableFunc(s.Skipped, func(a, b trade.Skipped) int {
		return strings.Compare(a.Stream, b.Stream)
	})
	s.Positions = positions(legs)
	return string(s.Canonical())
}

func skipped(all []trade.Skipped, id uuid.UUID) bool {
	return slices.ContainsFunc(all, func(s trade.Skipped) bool { return s.Event == id })
}

// slotsOf puts the events into slots: each into that of the first event in its chain of
// corrections.
func slotsOf(events []trade.Event) (slots []trade.Slot, rule trade.Rule) {
	for _, e := range events {
		root, found := e, e.Corrects == uuid.Nil
		for !found {
			i := slices.IndexFunc(events, func(o trade.Event) bool { return o.ID == root.Corrects })
			if i < 0 {
				return nil, trade.UnknownEvent
			}
			root = events[i]
			found = root.Corrects == uuid.Nil
		}
		slots = slices.DeleteFunc(slots, func(s trade.Slot) bool { return s.Root == root.ID })
		slots = append(slots, trade.Slot{Version: root.Version, Root: root.ID, By: root.Actor,
			EnteredAt: root.EnteredAt, Event: e})
	}
	slices.SortFunc(slots, func(a, b trade.Slot) int {
		if c := a.Event.EffectiveAt.Compare(b.Event.EffectiveAt); c != 0 {
			return c
		}
		return int(a.Version - b.Version)
	})
	return slots, ""
}

// fold returns the broken rule, or the contract. The marks of a curve break no rule here.
func fold(uti string, events []trade.Event, until time.Time) (trade.Rule, trade.Trade) {
	now := trade.Trade{UTI: uti}
	slots, rule := slotsOf(events)
	for _, s := range slots {
		if _, isMark := s.Event.Body.(trade.PriceMarked); isMark || now.Status == trade.Voided ||
			!until.IsZero() && s.Event.EffectiveAt.After(until) {
			continue
		}
		next, r := trade.Evolve(now, s)
		if r != nil {
			return r.Rule, now
		}
		now = next
	}
	return rule, now
}

func curve(events []trade.Event, until time.Time) trade.Curve {
	c := trade.Curve{Points: map[trade.Period]trade.Mark{}}
	slots, _ := slotsOf(events)
	for _, s := range slots {
		m := s.Event.Body.(trade.PriceMarked)
		for _, p := range m.Points {
			if until.IsZero() || !s.Event.EffectiveAt.After(until) {
				c.Points[p.Delivery] = trade.Mark{Price: p.Price, Currency: m.Currency,
					EffectiveAt: s.Event.EffectiveAt}
			}
		}
	}
	return c
}

func positions(legs []trade.Leg) (all []trade.Position) {
	slices.SortFunc(legs, func(a, b trade.Leg) int {
		if c := a.Pool.Compare(b.Pool); c != 0 {
			return c
		}
		return a.Key.Compare(b.Key)
	})
	for len(legs) > 0 {
		var p trade.Pool
		key := legs[0].Pool
		for len(legs) > 0 && legs[0].Pool == key {
			p.Apply(legs[0])
			legs = legs[1:]
		}
		all = append(all, trade.PositionOf(key, p))
	}
	return all
}
