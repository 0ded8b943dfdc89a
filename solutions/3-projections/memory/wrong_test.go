package memory_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/3-projections/projectiontest"
	"example.com/blotter/labs/kit/check"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
	projection "example.com/blotter/solutions/3-projections"
	"example.com/blotter/solutions/3-projections/memory"
)

// Each wrong answer has one fault. Every check fails for at least one of them.
func TestTheSuiteFindsWrongAnswers(t *testing.T) {
	t.Parallel()
	type model = func(*memory.Projection) contract.Projection
	tried := map[string]bool{}
	for _, wrong := range []struct {
		name  string
		make  model
		fails []string
	}{
		{"begins after the first event",
			func(p *memory.Projection) contract.Projection { return skipsFirst{p} },
			[]string{"L3.22", "L3.6"}},
		{"nets legs in order of arrival",
			func(p *memory.Projection) contract.Projection { return newArrival(p) },
			[]string{"L3.6", "L3.7", "L3.8", "L3.26", "L3.15"}},
		{"ignores events that are dated ahead",
			func(p *memory.Projection) contract.Projection { return waiting{p} },
			[]string{"L3.6", "L3.7", "L3.8"}},
		{"has one currency for an instrument",
			func(p *memory.Projection) contract.Projection { return oneCurrency{p} },
			[]string{"L3.6", "L3.7", "L3.8"}},
		{"stores the position of the last event",
			func(p *memory.Projection) contract.Projection { return lastEvent{p} },
			[]string{"L3.23"}},
		{"moves its cursor back for an old batch",
			func(p *memory.Projection) contract.Projection { return &movesBack{Projection: p} },
			[]string{"L3.9"}},
		{"applies a part of a failing batch",
			func(p *memory.Projection) contract.Projection { return partial{p} },
			[]string{"L3.10", "L3.25"}},
		{"skips events that it cannot apply",
			func(p *memory.Projection) contract.Projection { return lenient{p} },
			[]string{"L3.10", "L3.25"}},
		{"stops at an illegal event",
			func(p *memory.Projection) contract.Projection { return stopping{p} },
			[]string{"L3.24"}},
		{"lists no parked streams",
			func(p *memory.Projection) contract.Projection { return unlisted{p} },
			[]string{"L3.24"}},
		{"goes on after an illegal event",
			func(p *memory.Projection) contract.Projection { return goingOn{p} },
			[]string{"L3.24"}},
		{"drops the events of a parked stream",
			func(p *memory.Projection) contract.Projection { return dropping{p} },
			[]string{"L3.24"}},
		{"has no marks",
			func(p *memory.Projection) contract.Projection { return unmarked{p} },
			[]string{"L3.6", "L3.7", "L3.8"}},
		{"finds every contract",
			func(p *memory.Projection) contract.Projection { return findsAll{p} },
			[]string{"L3.26"}},
		{"keeps no refusals",
			func(p *memory.Projection) contract.Projection { return withoutRefusals{p} },
			[]string{"L3.27"}},
		{"cuts times to seconds",
			func(p *memory.Projection) contract.Projection { return seconds{p} },
			[]string{"L3.27"}},
		{"is lost with its process",
			func(p *memory.Projection) contract.Projection { return p },
			[]string{"L3.28"}},
	} {
		for _, id := range wrong.fails {
			tried[id] = true
		}
		t.Run(wrong.name, func(t *testing.T) {
			t.Parallel()
			for id, outcome := range verdicts(t, wrong.fails, wrong.make) {
				require.Equal(t, check.Failed, outcome, id)
			}
		})
	}
	for _, c := range suite(nil).Checks {
		require.True(t, tried[c.ID], "no wrong answer fails %s", c.ID)
	}
}

func TestAStubIsToDo(t *testing.T) {
	t.Parallel()
	stubs := func(*memory.Projection) contract.Projection { return stub{} }
	for id, outcome := range verdicts(t, nil, stubs) {
		require.Equal(t, check.Todo, outcome, id)
	}
}

// suite returns the suite for models that are empty when they are opened again.
func suite(make func(*memory.Projection) contract.Projection) check.Suite {
	open := func(_ check.T, codec contract.Codec) projectiontest.Model {
		open := func(check.T) contract.Projection { return make(memory.New(codec)) }
		return projectiontest.Model{Projection: open(nil), Reopen: open}
	}
	return projectiontest.Suite(projectiontest.Fixture{Open: open})
}

// verdicts returns the outcomes of the checks with the given ids, or of all checks, by id.
func verdicts(t *testing.T, ids []string,
	make func(*memory.Projection) contract.Projection) map[string]check.Outcome {
	s, got := suite(make), map[string]check.Outcome{}
	for _, c := range s.Checks {
		if ids == nil || slices.Contains(ids, c.ID) {
			got[c.ID] = check.Judge(t.Context(), s, c).Outcome
		}
	}
	return got
}

type events = []contract.Recorded

type skipsFirst struct{ *memory.Projection }

func (w skipsFirst) Cursor(ctx context.Context) (contract.Cursor, error) {
	c, err := w.Projection.Cursor(ctx)
	if len(c) == 0 {
		c = contract.Cursor{1}
	}
	return c, err
}

func (w skipsFirst) Apply(ctx context.Context, batch events, next contract.Cursor) error {
	if c, err := w.Projection.Cursor(ctx); err == nil && len(c) == 0 && len(batch) > 0 {
		batch = batch[1:]
	}
	return w.Projection.Apply(ctx, batch, next)
}

// arrival is right about contracts. It orders the legs of a pool by the arrival of their events.
type arrival struct {
	*memory.Projection
	arrived map[string]int // by stream and version
}

func newArrival(p *memory.Projection) arrival { return arrival{p, map[string]int{}} }

func (w arrival) Apply(ctx context.Context, batch events, next contract.Cursor) error {
	for _, e := range batch {
		if key := fmt.Sprint(e.Stream, e.Version); w.arrived[key] == 0 {
			w.arrived[key] = len(w.arrived) + 1
		}
	}
	return w.Projection.Apply(ctx, batch, next)
}

func (w arrival) State(ctx context.Context) (trade.State, error) {
	s, err := w.Projection.State(ctx)
	var legs []trade.Leg
	for _, t := range s.Trades {
		legs = append(legs, t.Legs...)
	}
	arrived := func(l trade.Leg) int { return w.arrived[fmt.Sprint(l.Key.Stream, l.Key.Version)] }
	slices.SortStableFunc(legs, func(a, b trade.Leg) int { return arrived(a) - arrived(b) })
	pools := map[trade.PoolKey]*trade.Pool{}
	for _, l := range legs {
		if pools[l.Pool] == nil {
			pools[l.Pool] = &trade.Pool{}
		}
		pools[l.Pool].Apply(l)
	}
	for i, p := range s.Positions {
		s.Positions[i].AverageCost.Realised = pools[p.PoolKey].Average.Realised
		s.Positions[i].FIFO.Realised = pools[p.PoolKey].FIFO.Realised
	}
	return s, err
}

func (w arrival) Positions(ctx context.Context) ([]trade.Position, error) {
	s, err := w.State(ctx)
	return s.Positions, err
}

type waiting struct{ *memory.Projection }

func (w waiting) State(ctx context.Context) (trade.State, error) {
	now := time.Unix(0, 0)
	for e, err := range w.Events(ctx) {
		if err != nil {
			return trade.State{}, err
		}
		if e.Event.RecordedAt.After(now) {
			now = e.Event.RecordedAt
		}
	}
	return projection.AsOf(ctx, w, trade.AsOf{Effective: now})
}

type oneCurrency struct{ *memory.Projection }

func (w oneCurrency) State(ctx context.Context) (trade.State, error) {
	s, err := w.Projection.State(ctx)
	s.Positions = slices.CompactFunc(s.Positions, func(a, b trade.Position) bool {
		return a.Book == b.Book && a.Instrument == b.Instrument
	})
	return s, err
}

type lastEvent struct{ *memory.Projection }

func (w lastEvent) Apply(ctx context.Context, batch events, _ contract.Cursor) error {
	next, err := w.Cursor(ctx)
	if err != nil {
		return err
	}
	for _, e := range batch {
		next = next.After(e.Position)
	}
	return w.Projection.Apply(ctx, batch, next)
}

type movesBack struct {
	contract.Projection
	cursor contract.Cursor
}

func (w *movesBack) Cursor(context.Context) (contract.Cursor, error) { return w.cursor, nil }

func (w *movesBack) Apply(ctx context.Context, batch events, next contract.Cursor) error {
	w.cursor = next
	return w.Projection.Apply(ctx, batch, next)
}

type partial struct{ *memory.Projection }

func (w partial) Apply(ctx context.Context, batch events, next contract.Cursor) error {
	for _, e := range batch {
		if err := w.Projection.Apply(ctx, events{e}, nil); err != nil {
			return err
		}
	}
	return w.Projection.Apply(ctx, nil, next)
}

type lenient struct{ *memory.Projection }

func (w lenient) Apply(ctx context.Context, batch events, next contract.Cursor) error {
	for _, e := range batch {
		_ = w.Projection.Apply(ctx, events{e}, nil)
	}
	return w.Projection.Apply(ctx, nil, next)
}

type stopping struct{ *memory.Projection }

func (w stopping) Apply(ctx context.Context, batch events, next contract.Cursor) error {
	err := w.Projection.Apply(ctx, batch, next)
	if s, _ := w.Projection.State(ctx); len(s.Parked) > 0 {
		return errors.New(s.Parked[0].String())
	}
	return err
}

type unlisted struct{ *memory.Projection }

func (w unlisted) State(ctx context.Context) (trade.State, error) {
	s, err := w.Projection.State(ctx)
	s.Parked = nil
	return s, err
}

// goingOn leaves out illegal events only, and not the events after them.
type goingOn struct{ *memory.Projection }

func (w goingOn) State(ctx context.Context) (trade.State, error) {
	first, err := w.Projection.State(ctx)
	streams := map[string][]trade.Event{}
	for e, err := range w.Events(ctx) {
		if err != nil {
			return first, err
		}
		streams[e.Stream] = append(streams[e.Stream], e.Event)
	}
	s := first
	for len(s.Parked) > 0 {
		for _, p := range s.Parked {
			illegal := func(e trade.Event) bool { return e.Version == p.Version }
			streams[p.Stream] = slices.DeleteFunc(streams[p.Stream], illegal)
		}
		s = trade.StateOf(streams, trade.AsOf{})
	}
	s.Parked = first.Parked
	return s, err
}

type dropping struct{ *memory.Projection }

func (w dropping) Events(ctx context.Context) iter.Seq2[contract.StreamEvent, error] {
	return func(yield func(contract.StreamEvent, error) bool) {
		s, err := w.Projection.State(ctx)
		if err != nil {
			yield(contract.StreamEvent{}, err)
			return
		}
		for e, err := range w.Projection.Events(ctx) {
			late := func(p trade.Parked) bool {
				return p.Stream == e.Stream && e.Event.Version >= p.Version
			}
			if !slices.ContainsFunc(s.Parked, late) && !yield(e, err) {
				return
			}
		}
	}
}

type unmarked struct{ *memory.Projection }

func (w unmarked) State(ctx context.Context) (trade.State, error) {
	s, err := w.Projection.State(ctx)
	s.Curves = nil
	return s, err
}

type findsAll struct{ *memory.Projection }

func (w findsAll) Trade(ctx context.Context, uti string) (trade.Trade, bool, error) {
	t, _, err := w.Projection.Trade(ctx, uti)
	return t, true, err
}

type withoutRefusals struct{ *memory.Projection }

func (w withoutRefusals) Events(ctx context.Context) iter.Seq2[contract.StreamEvent, error] {
	return func(yield func(contract.StreamEvent, error) bool) {
		for e, err := range w.Projection.Events(ctx) {
			refused := strings.HasPrefix(e.Stream, trade.Command{}.RefusedStream())
			if !refused && !yield(e, err) {
				return
			}
		}
	}
}

type seconds struct{ *memory.Projection }

func (w seconds) Events(ctx context.Context) iter.Seq2[contract.StreamEvent, error] {
	return func(yield func(contract.StreamEvent, error) bool) {
		for e, err := range w.Projection.Events(ctx) {
			e.Event.RecordedAt = e.Event.RecordedAt.Truncate(time.Second)
			if !yield(e, err) {
				return
			}
		}
	}
}

// stub is a model that is not written yet.
type stub struct{}

func todo(operation string) error { return check.TODO("L3." + operation) }

func (stub) Cursor(context.Context) (contract.Cursor, error) { return nil, todo("cursor") }

func (stub) Apply(context.Context, events, contract.Cursor) error { return todo("apply") }

func (stub) State(context.Context) (trade.State, error) { return trade.State{}, todo("state") }

func (stub) Trade(context.Context, string) (trade.Trade, bool, error) {
	return trade.Trade{}, false, todo("trade")
}

func (stub) Positions(context.Context) ([]trade.Position, error) { return nil, todo("positions") }

func (stub) Events(context.Context) iter.Seq2[contract.StreamEvent, error] {
	return func(yield func(contract.StreamEvent, error) bool) {
		yield(contract.StreamEvent{}, todo("events"))
	}
}
