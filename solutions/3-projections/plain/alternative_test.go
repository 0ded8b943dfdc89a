package projection

import (
	"context"
	"slices"
	"sort"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/3-projections/projectiontest"
	"example.com/blotter/labs/kit/check"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
)

// The reference gets full marks, and so do right answers of another design. Each check must have
// called the answer: otherwise it tested nothing.
func TestRightAnswersHaveFullMarks(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*answer){
		"the reference":                        func(*answer) {},
		"looks from the end, and locks late":   fromTheEnd,
		"stops the desk, and folds a snapshot": stopTheDesk,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, v := range check.JudgeAll(t.Context(), suiteOf(change)) {
				require.Equal(t, check.Passed, v.Outcome, v.Text)
				require.Positive(t, v.Answers, "%s did not call the answer", v.Check.ID)
			}
		})
	}
}

// fromTheEnd folds contract by contract in the order in which they come, searches saved states by
// halves, and reads the cursor without a lock first, so that an old batch takes no lock.
func fromTheEnd(a *answer) {
	a.fold = foldByContract
	a.refold = refoldByHalves
	a.apply = func(ctx context.Context, m *Model, batch []contract.Recorded,
		next contract.Cursor) error {
		if cursor, err := m.Cursor(ctx); err != nil || cursor.Reaches(next) {
			return err
		}
		return m.Apply(ctx, batch, next)
	}
}

func foldByContract(taken map[string]contract.Taken, batch []contract.StreamEvent) (
	contract.Changes, error) {
	trades := map[string]trade.Trade{}
	all := contract.Changes{
		Curves: map[string]trade.Curve{}, Pools: map[trade.PoolKey]trade.LegKey{},
	}
	for stream, of := range taken {
		events := slices.Clone(of.Events)
		for _, e := range batch {
			if e.Stream == stream {
				events = append(events, e.Event)
			}
		}
		if len(events) == len(of.Events) {
			continue
		}
		kind, name, _ := strings.Cut(stream, "/")
		switch kind + "/" {
		case trade.TradeStream(""):
			trades[name], _ = trade.Fold(name, events, trade.AsOf{})
		case trade.CurveStream(""):
			all.Curves[name], _ = trade.FoldCurve(name, events, trade.AsOf{})
		}
	}
	for uti, t := range trades {
		all.Trades = append(all.Trades, t)
		before := taken[trade.TradeStream(uti)].Legs
		for pool, leg := range trade.Changed(before, t.Legs) {
			if first, ok := all.Pools[pool]; ok && first.Compare(leg) < 0 {
				leg = first
			}
			all.Pools[pool] = leg
		}
	}
	return all, nil
}

func refoldByHalves(saved []contract.SavedPool, first trade.LegKey,
	after func(contract.SavedPool) ([]trade.Leg, error)) ([]contract.SavedPool, error) {
	n := sort.Search(len(saved), func(i int) bool { return saved[i].Last.Compare(first) >= 0 })
	var from contract.SavedPool
	if n > 0 {
		from = saved[n-1]
	}
	legs, err := after(from)
	var states []contract.SavedPool
	for len(legs) > 0 {
		// As many legs as are missing to the next state.
		some := legs[:min(len(legs), int(contract.Spacing-from.Legs%contract.Spacing))]
		legs = legs[len(some):]
		pool := from.Pool.Clone()
		for _, l := range some {
			pool.Apply(l)
		}
		from = contract.SavedPool{
			Legs: from.Legs + int64(len(some)), Last: some[len(some)-1].Key, Pool: pool,
		}
		states = append(states, from)
	}
	if len(states) > 0 && n > 0 && saved[n-1].Legs%contract.Spacing != 0 {
		n--
	}
	return slices.Concat(saved[:n], states), err
}

// stopTheDesk rebuilds while it holds the lock of the live cursor. Its snapshots are the events,
// and it folds them again.
func stopTheDesk(a *answer) {
	a.rebuild = func(ctx context.Context, m *Model, log contract.Reader, size int) error {
		if _, err := log.End(ctx); err != nil { // once before, as a rebuild in two steps does
			return err
		}
		next, err := m.beside(ctx)
		if err != nil {
			return err
		}
		return m.swap(ctx, next, func() error { return catchUp(ctx, log, next, size) })
	}
	a.snapshot = func(ctx context.Context, m *Model) ([]byte, error) {
		all, err := m.tables.read(ctx)
		if err != nil {
			return nil, err
		}
		only := rows{Cursor: all.Cursor, Events: all.Events}
		return snapshot{snapshotFormat, only}.encode()
	}
	a.restore = func(ctx context.Context, m *Model, data []byte) error {
		s, err := decodeSnapshot(data)
		if err != nil {
			return err
		}
		if s.Format != snapshotFormat {
			return errReplaced
		}
		next, err := m.beside(ctx)
		if err != nil {
			return err
		}
		return m.swap(ctx, next, func() error {
			// Cursor covers every event, so a batch would be old: begin before it.
			err := inTx(ctx, next, func(t tx, _ contract.Cursor) error {
				if err := next.store(ctx, t, s.Rows.Events); err != nil {
					return err
				}
				return t.moveCursor(ctx, s.Rows.Cursor)
			})
			return err
		})
	}
}

// L3.I3: interleavings of partitions, sizes of batches, places where the catch-up ends, and batches
// that come again give the same bytes.
func TestAnyWayGivesTheSameBytes(t *testing.T) {
	t.Parallel()
	for seed := range uint64(200) {
		p := InMemory(NewDatabase(), projectiontest.Codec{}, nil)
		require.NoError(t, projectiontest.Wander(t.Context(), p, seed))
	}
}
