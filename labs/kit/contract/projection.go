package contract

import (
	"context"
	"iter"

	"example.com/blotter/labs/kit/trade"
)

// Projection is a read model of trades, positions and P&L (Lab 3).
//
// Invariants:
//
//	L3.I1  rows and cursor move in one transaction: after any crash the model is that of a prefix
//	       of the feed
//	L3.I2  events before the cursor change nothing when they are applied again
//	L3.I3  the model equals a fold from scratch of the same events, byte for byte
//	       (trade.State.Canonical)
//	L3.I4  a late event refolds only the pools that it touches, each from the last saved state
//	       before the first leg that changed
//	L3.I6  an event that is illegal, or that cannot be decoded, parks its stream: the rows have
//	       the events before it, the state names it (trade.Parked), and all other streams go on
//
// A model that is rebuilt while it is read is also a Rebuilder.
type Projection interface {
	Applier
	ModelEvents
	// State returns the whole model.
	State(ctx context.Context) (trade.State, error)
	// Trade returns one trade of the model, and reports whether it exists.
	Trade(ctx context.Context, uti string) (t trade.Trade, ok bool, err error)
	// Positions returns the pools of the model, sorted by key. They have no market value, which
	// depends on a time of valuation (see trade.State.ValuedAt).
	Positions(ctx context.Context) ([]trade.Position, error)
}

// An Applier takes events from the feed and remembers its progress.
type Applier interface {
	// Cursor returns the model's progress.
	Cursor(ctx context.Context) (Cursor, error)
	// Apply takes events in feed order and moves the cursor to next, in one transaction.
	Apply(ctx context.Context, events []Recorded, next Cursor) error
}

// A Sharer is a model that several processes may project at once, each in other partitions.
type Sharer interface {
	Applier
	// Claim claims partitions that nobody has claimed, of about size offsets together. It returns
	// the cursor before to up to which the caller projects then, or nil if no partition is free.
	// The claims last until release.
	Claim(ctx context.Context, to Cursor, size int64) (free Cursor, release func(), err error)
}

// ModelEvents lists the events that a model was folded from.
type ModelEvents interface {
	// Events yields every event that the model has taken, by stream and version. As-of questions
	// are folded from them.
	Events(ctx context.Context) iter.Seq2[StreamEvent, error]
}

// A Rebuilder is a Projection that can be rebuilt from the log while it is in use. A model in
// memory needs none of this: its owner makes a new one.
//
// Invariant:
//
//	L3.I5  a rebuild runs beside the live model and replaces it in one step; readers never see a
//	       half-built model
type Rebuilder interface {
	Projection
	// Rebuild folds log from its beginning, size events a transaction, and replaces the model with
	// the result. An error or a crash leaves the old model or the new one, whole.
	Rebuild(ctx context.Context, log Reader, size int) error
}

// A Snapshotter is a Projection that can be saved, and restored without its log.
//
// Invariant:
//
//	L3.I7  a snapshot is the whole model of one moment, with its cursor; restoring it replaces the
//	       live model in one step, and a snapshot of another format changes nothing
type Snapshotter interface {
	Projection
	// Snapshot returns the model as bytes, which only Restore reads.
	Snapshot(ctx context.Context) ([]byte, error)
	// Restore replaces the model with that of a snapshot. The model then continues from the
	// snapshot's cursor.
	Restore(ctx context.Context, snapshot []byte) error
}

// A StreamEvent is a decoded event with its stream.
type StreamEvent struct {
	Stream string
	Event  trade.Event
}

// Taken is the part of a stream that a model has taken: its events, in version order, and the legs
// of its contract after them, in the order of their keys.
type Taken struct {
	Events []trade.Event
	Legs   []trade.Leg
}

// Changes are the rows that a batch changes.
type Changes struct {
	Trades []trade.Trade          // in any order
	Curves map[string]trade.Curve // by name
	// Pools holds the first leg of each pool that came, went or changed. The fold of the pool
	// stays valid up to that leg.
	Pools map[trade.PoolKey]trade.LegKey
}

// A SavedPool is a pool after its first legs.
type SavedPool struct {
	Legs int64        // their number; zero for the empty pool
	Last trade.LegKey // the last of them
	Pool trade.Pool
}

// Spacing is the number of legs between two saved states of a pool. A late leg folds fewer legs
// than that a second time before it comes to its own place.
const Spacing = 16
