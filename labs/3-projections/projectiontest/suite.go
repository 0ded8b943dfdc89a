// Package projectiontest holds the checks of Lab 3: the rules that every contract.Projection must
// satisfy, wherever it keeps its rows.
//
//	func TestProjection(t *testing.T) {
//		check.Run(t, projectiontest.Suite(projectiontest.Fixture{
//			Volatile: true,
//			Open: func(t check.T, codec contract.Codec) projectiontest.Model {
//				return projectiontest.Model{Projection: memory.New(codec)}
//			},
//		}))
//	}
//
// The histories are generated, and the same in every run. They are legal, except in one check. They
// have late events, events that are dated ahead, corrections of every kind, every kind of
// reduction, and the contracts that begin by one. A model must equal trade.StateOf of the same
// events, byte for byte.
package projectiontest

import (
	"context"
	"iter"
	"slices"

	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/kit/check"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
)

// A Fixture makes the models that the checks try.
type Fixture struct {
	// Open returns a new, empty model. It calls t.Cleanup to release resources. Several checks call
	// it at once.
	Open func(t check.T, codec contract.Codec) Model
	// Volatile is true for a model in memory, which cannot be reopened.
	Volatile bool
}

// A Model is one read model.
type Model struct {
	Projection contract.Projection
	// Reopen opens the same model as another process does. It is not called for a Volatile model.
	Reopen func(t check.T) contract.Projection
}

// Suite returns the checks of Lab 3 for the models of f, in the order in which to meet them.
func Suite(f Fixture) check.Suite {
	s := check.Suite{Name: "3-projections", Guide: "labs/3-projections/README.md"}
	groups := [][]spec{folding, moving, reading}
	if !f.Volatile {
		groups = append(groups, durability)
	}
	for _, c := range slices.Concat(groups...) {
		c.Func = func(t check.T) { c.try(&trial{T: t, fixture: f}) }
		s.Checks = append(s.Checks, c.Check)
	}
	return s
}

// A spec is a check without its fixture.
type spec struct {
	check.Check
	try func(t *trial)
}

// A trial is one run of a check.
type trial struct {
	check.T
	fixture Fixture
	reopen  func() *model
}

// open returns an empty model.
func (t *trial) open() *model {
	m := t.fixture.Open(t, Codec{})
	t.reopen = func() *model { return &model{watched{m.Reopen(t), t}, t} }
	return &model{watched{m.Projection, t}, t}
}

// A model is a projection with the helpers of the checks.
type model struct {
	contract.Projection
	t check.T
}

// apply must succeed.
func (m *model) apply(events []contract.Recorded, next contract.Cursor) {
	err := m.Apply(m.t.Context(), events, next)
	require.NoError(m.t, err, "apply %d events up to %s", len(events), next)
}

func (m *model) cursor() contract.Cursor {
	c, err := m.Cursor(m.t.Context())
	require.NoError(m.t, err, "cursor of the model")
	return c
}

// requireFold compares the model with a fold of events from scratch.
func (m *model) requireFold(events []contract.Recorded) {
	got, err := m.State(m.t.Context())
	require.NoError(m.t, err, "state of the model")
	want := fold(events)
	requireSame(m.t, want, got, "the state after %d events", len(events))
}

// requireRefusal applies a wrong batch and returns the model's error. The model must still be that
// of the events taken.
func (m *model) requireRefusal(wrong, taken []contract.Recorded) error {
	err := m.Apply(m.t.Context(), wrong, after(after(nil, taken), wrong))
	require.Error(m.t, err, "the wrong batch")
	require.Equal(m.t, after(nil, taken), m.cursor(), "the cursor after the wrong batch")
	m.requireFold(taken)
	return err
}

// requireEvents compares the events of the model with those that it has taken.
func (m *model) requireEvents(taken []contract.Recorded) {
	got := map[string][]trade.Event{}
	last := ""
	for e, err := range m.Events(m.t.Context()) {
		require.NoError(m.t, err)
		require.LessOrEqual(m.t, last, e.Stream, "streams come in order")
		last = e.Stream
		got[e.Stream] = append(got[e.Stream], e.Event)
	}
	require.Equal(m.t, streamsOf(taken), got)
}

// fold returns the right state of a model of events.
func fold(events []contract.Recorded) trade.State {
	return trade.StateOf(streamsOf(events), trade.AsOf{})
}

func canonical(s trade.State) string { return string(s.Canonical()) }

// batches cuts events at random places.
func batches(events []contract.Recorded, intN func(int) int) [][]contract.Recorded {
	var all [][]contract.Recorded
	for len(events) > 0 {
		n := min(len(events), 1+intN(60))
		all, events = append(all, events[:n]), events[n:]
	}
	return all
}

// after returns the cursor after the last of events.
func after(from contract.Cursor, events []contract.Recorded) contract.Cursor {
	for _, e := range events {
		from = from.After(e.Position)
	}
	return from
}

// watched is the proxy between the checks and a model. The check learns of every answer, so a TODO
// counts neither as a failure nor as a success.
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

func (w watched) Apply(ctx context.Context, events []contract.Recorded,
	next contract.Cursor) error {
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
