// Code generated from solutions/3-projections/plain/model.go by make generate; DO NOT EDIT.

package projection

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"

	"example.com/blotter/labs/kit/check"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
)

// A Model is a read model of trades, positions and curves. It keeps nothing in memory. Several
// processes may use one model; those that apply events take turns.
type Model struct {
	codec  contract.Codec
	tables tables
	fold   foldFunc   // Fold
	refold refoldFunc // Refold
}

type foldFunc = func(map[string]contract.Taken, []contract.StreamEvent) (contract.Changes, error)

type refoldFunc = func([]contract.SavedPool, trade.LegKey,
	func(contract.SavedPool) ([]trade.Leg, error)) ([]contract.SavedPool, error)

func newModel(codec contract.Codec, in tables) *Model { return &Model{codec, in, Fold, Refold} }

var (
	_ contract.Rebuilder   = (*Model)(nil)
	_ contract.Snapshotter = (*Model)(nil)
)

// Close ends the connections. Every applied event is in the tables already.
func (m *Model) Close() { m.tables.close() }

// store writes the rows that fresh events change. Pools come last: a late leg refolds all legs
// after it, whichever contract they belong to.
func (m *Model) store(ctx context.Context, t tx, fresh []contract.Recorded) error {
	if len(fresh) == 0 {
		return nil
	}
	taken, batch, err := m.decode(ctx, t, fresh)
	if err != nil {
		return err
	}
	changes, err := m.fold(taken, batch)
	if err != nil {
		return err
	}
	var trades []tradeRow
	for _, c := range changes.Trades {
		trades = append(trades, tradeRow{c, c.Terms, c.Legs})
	}
	for _, write := range []func() error{
		func() error { return t.insertEvents(ctx, fresh) },
		func() error { return t.putTrades(ctx, trades) },
		func() error { return t.putCurves(ctx, curveRows(changes.Curves)) },
		func() error { return t.putParked(ctx, parkedRows(taken, batch)) },
	} {
		if err := write(); err != nil {
			return err
		}
	}
	for _, pool := range slices.SortedFunc(maps.Keys(changes.Pools), trade.PoolKey.Compare) {
		if err := m.storePool(ctx, t, pool, changes.Pools[pool]); err != nil {
			return fmt.Errorf("pool %v: %w", pool, err)
		}
	}
	return nil
}

// decode returns fresh events decoded, and the part of their streams that the model has. A feed
// that skips or repeats an event of a stream is not the log: it is a *contract.DamagedError.
func (m *Model) decode(ctx context.Context, t tx, fresh []contract.Recorded) (
	map[string]contract.Taken, []contract.StreamEvent, error) {
	taken, err := m.taken(ctx, t, fresh)
	if err != nil {
		return nil, nil, err
	}
	var batch []contract.StreamEvent
	next := map[string]int64{}
	for _, r := range fresh {
		next[r.Stream] = max(next[r.Stream], int64(len(taken[r.Stream].Events))) + 1
		if r.Version != next[r.Stream] {
			what := fmt.Sprintf("%s has version %d here, want %d: the feed skipped or repeated "+
				"an event", r.Stream, r.Version, next[r.Stream])
			return nil, nil, &contract.DamagedError{Position: r.Position, What: what}
		}
		e, err := contract.Decoded(ctx, m.codec, r)
		if err != nil {
			return nil, nil, err
		}
		batch = append(batch, contract.StreamEvent{Stream: r.Stream, Event: e})
	}
	return taken, batch, nil
}

// taken returns the part of the streams of fresh events that the model has.
func (m *Model) taken(ctx context.Context, t tx, fresh []contract.Recorded) (
	map[string]contract.Taken, error) {
	taken := map[string]contract.Taken{}
	for _, r := range fresh {
		taken[r.Stream] = contract.Taken{}
	}
	streams := slices.Sorted(maps.Keys(taken))
	earlier, err := t.events(ctx, streams)
	if err != nil {
		return nil, err
	}
	legs, err := t.legs(ctx, streams)
	if err != nil {
		return nil, err
	}
	for _, r := range earlier {
		e, err := contract.Decoded(ctx, m.codec, r)
		if err != nil {
			return nil, err
		}
		s := taken[r.Stream]
		s.Events = append(s.Events, e)
		taken[r.Stream] = s
	}
	for _, l := range legs {
		s := taken[l.Key.Stream]
		s.Legs = append(s.Legs, l)
		taken[l.Key.Stream] = s
	}
	return taken, nil
}

// storePool replaces the saved states of a pool whose legs changed from first on.
func (m *Model) storePool(ctx context.Context, t tx, pool trade.PoolKey, first trade.LegKey) error {
	saved, err := t.saved(ctx, pool)
	if err != nil {
		return err
	}
	after := func(s contract.SavedPool) ([]trade.Leg, error) {
		return t.legsAfter(ctx, pool, s.Last)
	}
	states, err := m.refold(saved, first, after)
	var todo *check.TODOError
	if errors.As(err, &todo) { // exercise 4 is not written yet
		states, err = refoldAll(after)
	}
	if err != nil {
		return err
	}
	kept := 0
	for kept < min(len(saved), len(states)) && states[kept].Last == saved[kept].Last &&
		saved[kept].Last.Compare(first) < 0 {
		kept++
	}
	legs := int64(0)
	if kept > 0 {
		legs = saved[kept-1].Legs
	}
	return t.replaceSaved(ctx, pool, legs, states[kept:])
}

// refoldAll folds a pool from its first leg, and saves only its last state.
func refoldAll(after func(contract.SavedPool) ([]trade.Leg, error)) ([]contract.SavedPool, error) {
	all := contract.SavedPool{}
	legs, err := after(all)
	if err != nil || len(legs) == 0 {
		return nil, err
	}
	for _, l := range legs {
		all.Pool.Apply(l)
		all.Legs, all.Last = all.Legs+1, l.Key
	}
	return []contract.SavedPool{all}, nil
}

func curveRows(curves map[string]trade.Curve) []curveRow {
	var all []curveRow
	for _, name := range slices.Sorted(maps.Keys(curves)) {
		row := curveRow{Name: name}
		for delivery, mark := range curves[name].Points {
			row.Points = append(row.Points, point{delivery.String(), mark})
		}
		slices.SortFunc(row.Points, func(a, b point) int {
			return strings.Compare(a.Delivery, b.Delivery)
		})
		all = append(all, row)
	}
	return all
}

// parkedRows returns the rows of the streams of a batch, also of those without an illegal event.
func parkedRows(taken map[string]contract.Taken, batch []contract.StreamEvent) []parkedRow {
	streams := map[string][]trade.Event{}
	for stream, s := range taken {
		streams[stream] = s.Events[:len(s.Events):len(s.Events)]
	}
	for _, e := range batch {
		streams[e.Stream] = append(streams[e.Stream], e.Event)
	}
	var all []parkedRow
	for _, stream := range slices.Sorted(maps.Keys(streams)) {
		if trade.Folds(stream) {
			_, parked := trade.Legal(stream, streams[stream])
			skipped := trade.Skips(stream, streams[stream])
			all = append(all, parkedRow{stream, parked, skipped})
		}
	}
	return all
}

// Cursor returns the model's progress.
func (m *Model) Cursor(ctx context.Context) (contract.Cursor, error) {
	return m.tables.cursor(ctx)
}

// State returns the whole model.
func (m *Model) State(ctx context.Context) (trade.State, error) {
	all, err := m.tables.read(ctx)
	if err != nil {
		return trade.State{}, err
	}
	s := trade.State{Positions: all.positions()}
	for _, row := range all.Parked {
		if row.Parked != nil {
			s.Parked = append(s.Parked, *row.Parked)
		}
		s.Skipped = append(s.Skipped, row.Skipped...)
	}
	for _, row := range all.Trades {
		s.Trades = append(s.Trades, row.trade())
	}
	s.Curves, err = all.curves()
	return s, err
}

// Trade returns one trade of the model, with its terms and legs.
func (m *Model) Trade(ctx context.Context, uti string) (trade.Trade, bool, error) {
	all, err := m.tables.read(ctx)
	for _, row := range all.Trades {
		if row.Trade.UTI == uti {
			return row.trade(), true, err
		}
	}
	return trade.Trade{}, false, err
}

// Positions returns the pools of the model, sorted by key.
func (m *Model) Positions(ctx context.Context) ([]trade.Position, error) {
	all, err := m.tables.read(ctx)
	return all.positions(), err
}

// Events yields all events of the model, by stream and version.
func (m *Model) Events(ctx context.Context) iter.Seq2[contract.StreamEvent, error] {
	return func(yield func(contract.StreamEvent, error) bool) {
		all, err := m.tables.read(ctx)
		if err != nil {
			yield(contract.StreamEvent{}, err)
			return
		}
		for _, r := range all.Events {
			e, err := contract.Decoded(ctx, m.codec, r)
			if !yield(contract.StreamEvent{Stream: r.Stream, Event: e}, err) || err != nil {
				return
			}
		}
	}
}

func (r tradeRow) trade() trade.Trade {
	t := r.Trade
	t.Terms, t.Legs = r.Terms, r.Legs
	return t
}

func (r rows) positions() []trade.Position {
	var all []trade.Position
	for _, p := range r.Pools {
		all = append(all, trade.PositionOf(p.PoolKey, p.Saved[len(p.Saved)-1].Pool))
	}
	return all
}

func (r rows) curves() (map[string]trade.Curve, error) {
	all := map[string]trade.Curve{}
	for _, row := range r.Curves {
		all[row.Name] = trade.Curve{Points: map[trade.Period]trade.Mark{}}
		for _, p := range row.Points {
			delivery, err := trade.ParsePeriod(p.Delivery)
			if err != nil {
				return nil, fmt.Errorf("curve %s: %w", row.Name, err)
			}
			all[row.Name].Points[delivery] = p.Mark
		}
	}
	return all, nil
}

// beside returns a new, empty model that no reader sees.
func (m *Model) beside(ctx context.Context) (*Model, error) {
	next, err := m.tables.beside(ctx)
	return &Model{m.codec, next, m.fold, m.refold}, err
}

// catchUp applies the events of log that m has not taken, size events in a transaction.
func catchUp(ctx context.Context, log contract.Reader, m *Model, size int) error {
	cursor, err := m.Cursor(ctx)
	if err != nil {
		return err
	}
	end, err := log.End(ctx)
	if err != nil {
		return fmt.Errorf("ask for the end of the log: %w", err)
	}
	var batch []contract.Recorded
	next := cursor
	for r, err := range log.Read(ctx, cursor, end) {
		if err != nil {
			return fmt.Errorf("read the log from %s: %w", next, err)
		}
		batch, next = append(batch, r), next.After(r.Position)
		if len(batch) == size {
			if err := m.Apply(ctx, batch, next); err != nil {
				return err
			}
			batch = nil
		}
	}
	return m.Apply(ctx, batch, end) // offsets may have holes: end may be past the last event
}

// A snapshot is the JSON of Model.Snapshot.
type snapshot struct {
	Format string
	Rows   rows
}

// snapshotFormat changes whenever the rows or the rules of the fold do.
const snapshotFormat = "blotter/lab3/v2 " + trade.StateFormat

// encode returns a snapshot as bytes.
func (s snapshot) encode() ([]byte, error) { return json.Marshal(s) }

// decodeSnapshot is the inverse of encode.
func decodeSnapshot(data []byte) (s snapshot, err error) {
	if err := json.Unmarshal(data, &s); err != nil {
		return s, fmt.Errorf("read the snapshot: %w", err)
	}
	return s, nil
}

// load fills an empty model with rows, in one transaction.
func (m *Model) load(ctx context.Context, all rows) error {
	t, err := m.tables.begin(ctx)
	if err != nil {
		return err
	}
	defer t.rollback(ctx)
	for _, write := range []func() error{
		func() error { return t.insertEvents(ctx, all.Events) },
		func() error { return t.putTrades(ctx, all.Trades) },
		func() error { return t.putCurves(ctx, all.Curves) },
		func() error { return t.putParked(ctx, all.Parked) },
	} {
		if err := write(); err != nil {
			return err
		}
	}
	for _, p := range all.Pools {
		if err := t.replaceSaved(ctx, p.PoolKey, 0, p.Saved); err != nil {
			return err
		}
	}
	if err := t.moveCursor(ctx, all.Cursor); err != nil {
		return err
	}
	return t.commit(ctx)
}
