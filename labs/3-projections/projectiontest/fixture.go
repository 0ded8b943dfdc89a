package projectiontest

import (
	"slices"

	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/kit/check"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
)

// A Fixture makes the models that the checks try.
type Fixture struct {
	// Open gives a model of its own, which is empty. What must be released goes to t.Cleanup. It is called from
	// several checks at once.
	Open func(t check.T, codec contract.Codec) Model
	// Volatile says that the model lives in memory only: there is nothing to reopen.
	Volatile bool
}

// A Model is one read model as the checks hold it.
type Model struct {
	Projection contract.Projection
	// Reopen gives the same model as another process finds it. Not called where the model is Volatile.
	Reopen func(t check.T) contract.Projection
}

// Suite is the checks of Lab 3 for the models of f, in the order in which they should be met.
func Suite(f Fixture) check.Suite {
	s := check.Suite{Name: "3-projections", Guide: "labs/3-projections/README.md"}
	groups := [][]spec{folding, moving, reading}
	if !f.Volatile {
		groups = append(groups, durability)
	}
	for _, c := range slices.Concat(groups...) {
		s.Checks = append(s.Checks, c.bind(f))
	}
	return s
}

// A spec is a check before it has a fixture.
type spec struct {
	check.Check
	try func(t *trial)
}

func (c spec) bind(f Fixture) check.Check {
	c.Func = func(t check.T) { c.try(&trial{T: t, fixture: f}) }
	return c.Check
}

// A trial is one check under way.
type trial struct {
	check.T
	fixture Fixture
	reopen  func() *model
}

// A model is a projection as a check speaks to it.
type model struct {
	contract.Projection
	t check.T
}

// open gives an empty model.
func (t *trial) open() *model {
	m := t.fixture.Open(t, Codec{})
	t.reopen = func() *model { return &model{watched{m.Reopen(t), t}, t} }
	return &model{watched{m.Projection, t}, t}
}

// apply must succeed.
func (m *model) apply(events []contract.Recorded, next contract.Cursor) {
	require.NoError(m.t, m.Apply(m.t.Context(), events, next), "apply %d events up to %s", len(events), next)
}

// cursor is how far the model says it is.
func (m *model) cursor() contract.Cursor {
	c, err := m.Cursor(m.t.Context())
	require.NoError(m.t, err, "cursor of the model")
	return c
}

// is holds the model against a fold from scratch of events.
func (m *model) is(events []contract.Recorded) {
	got, err := m.State(m.t.Context())
	require.NoError(m.t, err, "state of the model")
	require.Equal(m.t, string(fold(events).Canonical()), string(got.Canonical()), "the state, after %d events", len(events))
}

// refuses is the error with which the model refuses wrong, which may leave no trace: it is that of taken, as before.
func (m *model) refuses(wrong, taken []contract.Recorded) error {
	err := m.Apply(m.t.Context(), wrong, behind(behind(nil, taken), wrong))
	require.Error(m.t, err, "the batch")
	require.Equal(m.t, behind(nil, taken), m.cursor(), "the cursor, after the batch failed")
	m.is(taken)
	return err
}

// fold is what a model of events must come to. The events are legal, so it cannot fail.
func fold(events []contract.Recorded) trade.State {
	s, err := trade.StateOf(streamsOf(events), trade.AsOf{})
	if err != nil {
		panic(err)
	}
	return s
}

// batches cut events at random places.
func batches(events []contract.Recorded, intN func(int) int) [][]contract.Recorded {
	var all [][]contract.Recorded
	for len(events) > 0 {
		n := min(len(events), 1+intN(60))
		all, events = append(all, events[:n]), events[n:]
	}
	return all
}

// behind is the cursor behind the last of events.
func behind(from contract.Cursor, events []contract.Recorded) contract.Cursor {
	for _, e := range events {
		from = from.After(e.Position)
	}
	return from
}
