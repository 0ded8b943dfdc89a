// Code generated from solutions/3-projections/plain/tables.go by make generate; DO NOT EDIT.

package projection

import (
	"context"
	"errors"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
)

// tables hold the rows of one model: in memory (memory.go) or in Postgres (postgres.go).
type tables interface {
	// begin starts a transaction. Nobody else sees its rows before its commit.
	begin(ctx context.Context) (tx, error)
	// cursor returns the cursor as last committed.
	cursor(ctx context.Context) (contract.Cursor, error)
	// read returns all rows as of one moment.
	read(ctx context.Context) (rows, error)
	// beside returns new, empty tables, which no reader sees. A later tx.replace deletes them,
	// if they do not take part in it.
	beside(ctx context.Context) (tables, error)
	close()
}

// A tx is a transaction. Each statement sees the rows that were committed before it, and those of
// its own transaction.
type tx interface {
	// lockCursor returns the cursor. It waits until no other transaction holds its lock, and
	// holds the lock until this transaction ends. cursor and read do not wait.
	lockCursor(ctx context.Context) (contract.Cursor, error)
	moveCursor(ctx context.Context, to contract.Cursor) error

	// events returns the events of streams, each stream in version order.
	events(ctx context.Context, streams []string) ([]contract.Recorded, error)
	// legs returns the legs of the contracts of streams, in the order of their keys.
	legs(ctx context.Context, streams []string) ([]trade.Leg, error)
	// legsAfter returns the legs of a pool after a key, in the order of their keys.
	legsAfter(ctx context.Context, pool trade.PoolKey, key trade.LegKey) ([]trade.Leg, error)
	// saved returns the saved states of a pool, in the order of their legs.
	saved(ctx context.Context, pool trade.PoolKey) ([]contract.SavedPool, error)

	// insertEvents fails if an event is there already.
	insertEvents(ctx context.Context, events []contract.Recorded) error
	// putTrades replaces the rows of contracts, with all their legs. A contract without a status
	// has not begun, since its first event is illegal or skipped: it has no row.
	putTrades(ctx context.Context, trades []tradeRow) error
	putCurves(ctx context.Context, curves []curveRow) error
	// putParked replaces the rows of streams. A stream without an illegal event has none: an event
	// that parked it may be legal for this program.
	putParked(ctx context.Context, parked []parkedRow) error
	// replaceSaved replaces the saved states of a pool that have more than after legs.
	replaceSaved(ctx context.Context, pool trade.PoolKey, after int64,
		states []contract.SavedPool) error
	// replace puts the rows of next in the place of all rows of this model.
	replace(ctx context.Context, next tables) error

	commit(ctx context.Context) error
	// rollback ends a transaction without a trace. After commit it does nothing.
	rollback(ctx context.Context)
}

// rows are all rows of a model.
type rows struct {
	Cursor contract.Cursor
	Events []contract.Recorded // by stream and version
	Trades []tradeRow          // by UTI
	Curves []curveRow          // by name
	Pools  []poolRow           // by key
	Parked []parkedRow         // by stream
}

// A tradeRow is a contract. The JSON of trade.Trade has neither terms nor legs.
type tradeRow struct {
	Trade trade.Trade
	Terms trade.New
	Legs  []trade.Leg
}

// A parkedRow has the illegal events of a stream: the event that parks it, unless that is nil, and
// those that other events skip.
type parkedRow struct {
	Stream  string
	Parked  *trade.Parked
	Skipped []trade.Skipped
}

// A curveRow is a price curve.
type curveRow struct {
	Name   string
	Points []point
}

type point struct {
	Delivery string
	trade.Mark
}

// A poolRow is a pool with its saved states. The last one is the pool after all its legs.
type poolRow struct {
	trade.PoolKey
	Saved []contract.SavedPool
}

// A Hook is called before each statement and before each commit, and after a commit with
// "committed". Its error ends the transaction, as a crash of the process would.
type Hook func(ctx context.Context, statement string) error

// call calls a hook, unless it is nil.
func (h Hook) call(ctx context.Context, statement string) error {
	if h == nil {
		return nil
	}
	return h(ctx, statement)
}

var errReplaced = errors.New("a rebuild has replaced this model")
