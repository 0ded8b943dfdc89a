package projectiontest

import (
	"context"
	"iter"

	"example.com/blotter/labs/kit/check"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
)

// watched is the proxy through which checks reach a model: the check learns of every answer, so that a TODO is never
// taken for a failure, nor for a success.
type watched struct {
	model contract.Projection
	t     check.T
}

var _ contract.Projection = watched{}

func (w watched) Cursor(ctx context.Context) (contract.Cursor, error) {
	c, err := w.model.Cursor(ctx)
	w.t.Answered("Cursor", err)
	return c, err
}

func (w watched) Apply(ctx context.Context, events []contract.Recorded, next contract.Cursor) error {
	err := w.model.Apply(ctx, events, next)
	w.t.Answered("Apply", err)
	return err
}

func (w watched) State(ctx context.Context) (trade.State, error) {
	s, err := w.model.State(ctx)
	w.t.Answered("State", err)
	return s, err
}

func (w watched) Trade(ctx context.Context, uti string) (trade.Trade, bool, error) {
	t, ok, err := w.model.Trade(ctx, uti)
	w.t.Answered("Trade", err)
	return t, ok, err
}

func (w watched) Positions(ctx context.Context) ([]trade.Position, error) {
	p, err := w.model.Positions(ctx)
	w.t.Answered("Positions", err)
	return p, err
}

func (w watched) Events(ctx context.Context) iter.Seq2[contract.StreamEvent, error] {
	return func(yield func(contract.StreamEvent, error) bool) {
		for e, err := range w.model.Events(ctx) {
			w.t.Answered("Events", err)
			if !yield(e, err) {
				return
			}
		}
	}
}
