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
//	L3.I1  rows and cursor move in one transaction: after any crash the model is that of some prefix of the feed
//	L3.I2  events at or before the cursor change nothing when they come again
//	L3.I3  the model equals a fold from scratch of the same set of events, byte for byte (trade.State.Canonical)
//	L3.I4  a late event refolds only the pools it touches
//
// A model that many read while it is made again is a Rebuilder, too.
type Projection interface {
	// Cursor is how far the model has come.
	Cursor(ctx context.Context) (Cursor, error)
	// Apply takes events in feed order and moves the cursor to next, in one transaction.
	Apply(ctx context.Context, events []Recorded, next Cursor) error
	// State is the whole model.
	State(ctx context.Context) (trade.State, error)
	// Trade is one trade of the model; ok says whether there is one.
	Trade(ctx context.Context, uti string) (t trade.Trade, ok bool, err error)
	// Positions are the pools of the model, sorted by key.
	Positions(ctx context.Context) ([]trade.Position, error)
	// Events is every event that the model has taken, by stream and version: what as-of questions are folded from.
	Events(ctx context.Context) iter.Seq2[StreamEvent, error]
}

// A Rebuilder is a Projection that can be made again from the log while it is in use. Not every one needs to be: a model in
// memory is made again by who makes a new one.
//
// Invariant, of those that are:
//
//	L3.I5  a rebuild runs beside the live model and takes its place at once; readers never see half of it
type Rebuilder interface {
	Projection
	// Rebuild folds log from its beginning, size events in one transaction, and puts the result in the model's place. An
	// error or a crash leaves the old model or the new one, whole.
	Rebuild(ctx context.Context, log Reader, size int) error
}

// A StreamEvent is a decoded event with its stream.
type StreamEvent struct {
	Stream string
	Event  trade.Event
}
