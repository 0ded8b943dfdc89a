// Code generated from solutions/3-projections/plain/memory.go by make generate; DO NOT EDIT.

package projection

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
)

// A Database holds a model in memory. It outlives its Models, as a server outlives its clients.
//
// It is as strict as Postgres: a transaction sees its own rows, other transactions see them after
// the commit, and an event is inserted once.
type Database struct {
	mu     sync.Mutex
	models map[int]*memoryRows // committed rows, which never change, by the number of their model
	live   int
	last   int // the number given last

	applying chan struct{} // holds a value while a transaction has the lock of the live cursor
}

// NewDatabase returns the database of an empty model.
func NewDatabase() *Database {
	return &Database{
		models: map[int]*memoryRows{0: newMemoryRows()}, applying: make(chan struct{}, 1),
	}
}

// InMemory returns the model of a database. hook may be nil.
func InMemory(db *Database, codec contract.Codec, hook Hook) *Model {
	return newModel(codec, &memoryTables{db, liveModel, db.applying, hook})
}

// memoryRows are the rows of a model, by their keys.
type memoryRows struct {
	cursor contract.Cursor
	events map[string][]contract.Recorded
	trades map[string]tradeRow
	curves map[string]curveRow
	pools  map[trade.PoolKey][]contract.SavedPool
	parked map[string]parkedRow
}

func newMemoryRows() *memoryRows {
	return &memoryRows{
		nil, map[string][]contract.Recorded{}, map[string]tradeRow{}, map[string]curveRow{},
		map[trade.PoolKey][]contract.SavedPool{}, map[string]parkedRow{},
	}
}

// clone copies the maps. Their values are replaced, and never changed.
func (r *memoryRows) clone() *memoryRows {
	return &memoryRows{
		r.cursor, maps.Clone(r.events), maps.Clone(r.trades), maps.Clone(r.curves),
		maps.Clone(r.pools), maps.Clone(r.parked),
	}
}

// liveModel is the number of whichever model is live.
const liveModel = -1

type memoryTables struct {
	db    *Database
	model int
	lock  chan struct{}
	hook  Hook
}

func (m *memoryTables) close() {}

// committed returns the rows of a model, and its number.
func (m *memoryTables) committed() (*memoryRows, int, error) {
	m.db.mu.Lock()
	defer m.db.mu.Unlock()
	n := m.model
	if n == liveModel {
		n = m.db.live
	}
	if m.db.models[n] == nil {
		return nil, n, errReplaced
	}
	return m.db.models[n], n, nil
}

func (m *memoryTables) cursor(ctx context.Context) (contract.Cursor, error) {
	if err := m.hook.call(ctx, "read the cursor"); err != nil {
		return nil, err
	}
	r, _, err := m.committed()
	if err != nil {
		return nil, err
	}
	return slices.Clone(r.cursor), ctx.Err()
}

func (m *memoryTables) read(ctx context.Context) (all rows, err error) {
	if err := m.hook.call(ctx, "read the model"); err != nil {
		return rows{}, err
	}
	r, _, err := m.committed()
	if err != nil {
		return rows{}, err
	}
	all.Cursor = slices.Clone(r.cursor)
	for _, stream := range slices.Sorted(maps.Keys(r.events)) {
		all.Events = append(all.Events, r.events[stream]...)
	}
	for _, uti := range slices.Sorted(maps.Keys(r.trades)) {
		all.Trades = append(all.Trades, r.trades[uti])
	}
	for _, name := range slices.Sorted(maps.Keys(r.curves)) {
		all.Curves = append(all.Curves, r.curves[name])
	}
	for _, pool := range slices.SortedFunc(maps.Keys(r.pools), trade.PoolKey.Compare) {
		all.Pools = append(all.Pools, poolRow{pool, r.pools[pool]})
	}
	for _, stream := range slices.Sorted(maps.Keys(r.parked)) {
		all.Parked = append(all.Parked, r.parked[stream])
	}
	return all, ctx.Err()
}

func (m *memoryTables) beside(ctx context.Context) (tables, error) {
	m.db.mu.Lock()
	defer m.db.mu.Unlock()
	m.db.last++
	m.db.models[m.db.last] = newMemoryRows()
	return &memoryTables{m.db, m.db.last, make(chan struct{}, 1), m.hook}, ctx.Err()
}

func (m *memoryTables) begin(ctx context.Context) (tx, error) {
	return &memoryTx{memoryTables: m}, ctx.Err()
}

// A memoryTx keeps its writes, and repeats them on the rows that are committed when it commits.
type memoryTx struct {
	*memoryTables
	base   *memoryRows // committed rows
	view   *memoryRows // base with the writes
	writes []func(*memoryRows) error
	swap   *memoryTables // takes the place of the live model
	locked bool
	ended  bool
}

// rows returns the rows that the next statement sees.
func (t *memoryTx) rows(ctx context.Context, statement string) (*memoryRows, error) {
	if err := t.hook.call(ctx, statement); err != nil {
		t.rollback(ctx)
		return nil, fmt.Errorf("%s: %w", statement, err)
	}
	if t.ended {
		return nil, fmt.Errorf("%s: the transaction has ended", statement)
	}
	base, _, err := t.committed()
	if err != nil || base == t.base {
		return t.view, err
	}
	t.base, t.view = base, base.clone()
	for _, write := range t.writes {
		if err := write(t.view); err != nil {
			return nil, err
		}
	}
	return t.view, ctx.Err()
}

func (t *memoryTx) write(ctx context.Context, statement string,
	write func(*memoryRows) error) error {
	view, err := t.rows(ctx, statement)
	if err == nil {
		err = write(view)
	}
	t.writes = append(t.writes, write)
	return err
}

func (t *memoryTx) lockCursor(ctx context.Context) (contract.Cursor, error) {
	if !t.locked {
		select {
		case t.lock <- struct{}{}:
			t.locked = true
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	r, err := t.rows(ctx, "lock the cursor")
	if err != nil {
		return nil, err
	}
	return slices.Clone(r.cursor), nil
}

func (t *memoryTx) moveCursor(ctx context.Context, to contract.Cursor) error {
	return t.write(ctx, "move the cursor", func(r *memoryRows) error {
		r.cursor = slices.Clone(to)
		return nil
	})
}

func (t *memoryTx) events(ctx context.Context, streams []string) (
	all []contract.Recorded, err error) {
	r, err := t.rows(ctx, "read events")
	for _, stream := range streams {
		if err == nil {
			all = append(all, r.events[stream]...)
		}
	}
	return all, err
}

func (t *memoryTx) legs(ctx context.Context, streams []string) ([]trade.Leg, error) {
	return t.legsOf(ctx, "read legs", func(l trade.Leg) bool {
		return slices.Contains(streams, l.Key.Stream)
	})
}

func (t *memoryTx) legsAfter(ctx context.Context, pool trade.PoolKey, key trade.LegKey) (
	[]trade.Leg, error) {
	return t.legsOf(ctx, "read the legs of a pool", func(l trade.Leg) bool {
		return l.Pool == pool && l.Key.Compare(key) > 0
	})
}

func (t *memoryTx) legsOf(ctx context.Context, statement string, of func(trade.Leg) bool) (
	all []trade.Leg, err error) {
	r, err := t.rows(ctx, statement)
	if err != nil {
		return nil, err
	}
	for _, row := range r.trades {
		for _, l := range row.Legs {
			if of(l) {
				all = append(all, l)
			}
		}
	}
	slices.SortFunc(all, func(a, b trade.Leg) int { return a.Key.Compare(b.Key) })
	return all, nil
}

func (t *memoryTx) saved(ctx context.Context, pool trade.PoolKey) ([]contract.SavedPool, error) {
	r, err := t.rows(ctx, "read the saved states of a pool")
	if err != nil {
		return nil, err
	}
	return slices.Clone(r.pools[pool]), nil
}

func (t *memoryTx) insertEvents(ctx context.Context, events []contract.Recorded) error {
	return t.write(ctx, "insert events", func(r *memoryRows) error {
		for _, e := range events {
			stream := r.events[e.Stream]
			if e.Version != int64(len(stream))+1 {
				return fmt.Errorf("insert events: %s has version %d already", e.Stream, e.Version)
			}
			r.events[e.Stream] = append(stream[:len(stream):len(stream)], e)
		}
		return nil
	})
}

func (t *memoryTx) putTrades(ctx context.Context, trades []tradeRow) error {
	return t.write(ctx, "put trades", func(r *memoryRows) error {
		for _, row := range trades {
			r.trades[row.Trade.UTI] = row
			if row.Trade.Status == "" {
				delete(r.trades, row.Trade.UTI)
			}
		}
		return nil
	})
}

func (t *memoryTx) putCurves(ctx context.Context, curves []curveRow) error {
	return t.write(ctx, "put curves", func(r *memoryRows) error {
		for _, row := range curves {
			r.curves[row.Name] = row
		}
		return nil
	})
}

func (t *memoryTx) putParked(ctx context.Context, parked []parkedRow) error {
	return t.write(ctx, "put parked streams", func(r *memoryRows) error {
		for _, row := range parked {
			r.parked[row.Stream] = row
			if row.Parked == nil && len(row.Skipped) == 0 {
				delete(r.parked, row.Stream)
			}
		}
		return nil
	})
}

func (t *memoryTx) replaceSaved(ctx context.Context, pool trade.PoolKey, after int64,
	states []contract.SavedPool) error {
	return t.write(ctx, "replace the saved states of a pool", func(r *memoryRows) error {
		kept := slices.DeleteFunc(slices.Clone(r.pools[pool]), func(s contract.SavedPool) bool {
			return s.Legs > after
		})
		if r.pools[pool] = append(kept, states...); len(r.pools[pool]) == 0 {
			delete(r.pools, pool)
		}
		return nil
	})
}

func (t *memoryTx) replace(ctx context.Context, next tables) error {
	other, ok := next.(*memoryTables)
	if !ok || other.db != t.db {
		return errors.New("the new model is in another database")
	}
	t.swap = other
	return t.write(ctx, "replace the model", func(*memoryRows) error { return nil })
}

func (t *memoryTx) commit(ctx context.Context) error {
	view, err := t.rows(ctx, "commit")
	if err == nil {
		err = t.install(view)
	}
	t.rollback(ctx)
	if err != nil {
		return err
	}
	return t.hook.call(ctx, "committed")
}

// install makes the transaction visible. If another transaction has committed since the last
// statement, the writes are done again on its rows.
func (t *memoryTx) install(view *memoryRows) error {
	t.db.mu.Lock()
	defer t.db.mu.Unlock()
	n := t.model
	if n == liveModel {
		n = t.db.live
	}
	now := t.db.models[n]
	if now == nil || t.swap != nil && t.db.models[t.swap.model] == nil {
		return errReplaced
	}
	if now != t.base {
		view = now.clone()
		for _, write := range t.writes {
			if err := write(view); err != nil {
				return err
			}
		}
	}
	t.db.models[n] = view
	if t.swap == nil {
		return nil
	}
	t.db.live = t.swap.model
	t.db.models = map[int]*memoryRows{t.db.live: t.db.models[t.db.live]}
	return nil
}

func (t *memoryTx) rollback(context.Context) {
	if t.locked {
		<-t.lock
	}
	t.locked, t.ended = false, true
}
