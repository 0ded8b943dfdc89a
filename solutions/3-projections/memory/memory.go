// Package memory is a projection in memory: a trade.Book with a cursor. It ends with its process.
package memory

import (
	"context"
	"iter"
	"maps"
	"slices"
	"sync"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
	projection "example.com/blotter/solutions/3-projections"
)

// Projection is contract.Projection in memory. It is safe for use by many goroutines.
type Projection struct {
	codec contract.Codec

	mu     sync.Mutex
	cursor contract.Cursor
	book   *trade.Book
	taken  map[string][]trade.Event // by stream, in version order
}

var _ contract.Projection = (*Projection)(nil)

// New returns an empty model.
func New(codec contract.Codec) *Projection {
	return &Projection{codec: codec, book: trade.NewBook(), taken: map[string][]trade.Event{}}
}

// Cursor returns the model's progress.
func (p *Projection) Cursor(context.Context) (contract.Cursor, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.cursor), nil
}

// Apply takes all events or, with an error, none.
func (p *Projection) Apply(ctx context.Context, events []contract.Recorded,
	next contract.Cursor) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	batch, err := p.decoded(ctx, projection.Fresh(events, p.cursor))
	if err != nil {
		return err
	}
	for _, e := range batch {
		if err := p.book.Apply(e.Stream, e.Event); err != nil {
			panic("memory: " + err.Error()) // decoded has checked the versions
		}
		p.taken[e.Stream] = append(p.taken[e.Stream], e.Event)
	}
	p.cursor = p.cursor.Max(next)
	return nil
}

// decoded decodes fresh events. Each must have the next version of its stream. The book does not
// check that: it ignores an event that it already has, and it ignores refusals.
func (p *Projection) decoded(ctx context.Context, fresh []contract.Recorded) (
	[]contract.StreamEvent, error) {
	var batch []contract.StreamEvent
	inBatch := map[string]int{} // events of this batch, by stream
	for _, r := range fresh {
		next := int64(len(p.taken[r.Stream]) + inBatch[r.Stream] + 1)
		if err := projection.CheckVersion(r, next); err != nil {
			return nil, err
		}
		e, err := contract.Decoded(ctx, p.codec, r)
		if err != nil {
			return nil, err
		}
		batch = append(batch, contract.StreamEvent{Stream: r.Stream, Event: e})
		inBatch[r.Stream]++
	}
	return batch, nil
}

// events lists all events of the model, by stream and version.
func (p *Projection) events() []contract.StreamEvent {
	var all []contract.StreamEvent
	for _, stream := range slices.Sorted(maps.Keys(p.taken)) {
		for _, e := range p.taken[stream] {
			all = append(all, contract.StreamEvent{Stream: stream, Event: e})
		}
	}
	return all
}

// State returns the whole model.
func (p *Projection) State(context.Context) (trade.State, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.book.State(), nil
}

// Trade returns one trade of the model.
func (p *Projection) Trade(_ context.Context, uti string) (trade.Trade, bool, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	t, ok := p.book.Trade(uti)
	return t, ok, nil
}

// Positions returns the pools of the model, sorted by key.
func (p *Projection) Positions(ctx context.Context) ([]trade.Position, error) {
	s, err := p.State(ctx)
	return s.Positions, err
}

// Events yields all events of the model, by stream and version.
func (p *Projection) Events(context.Context) iter.Seq2[contract.StreamEvent, error] {
	return func(yield func(contract.StreamEvent, error) bool) {
		p.mu.Lock()
		all := p.events()
		p.mu.Unlock()
		for _, e := range all {
			if !yield(e, nil) {
				return
			}
		}
	}
}
