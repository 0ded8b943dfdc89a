package memory_test

import (
	"context"
	"iter"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/2-store/storetest"
	"example.com/blotter/labs/kit/check"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/solutions/2-store/memory"
)

// verdicts runs the suite on a store, and returns the ids of the checks by outcome.
func verdicts(
	t *testing.T, open func(contract.Clock) contract.Store,
) map[check.Outcome][]string {
	suite := storetest.Suite(storetest.Fixture{
		Volatile: true,
		Open: func(_ check.T, clock contract.Clock) storetest.Log {
			return storetest.Log{Store: open(clock)}
		},
	})
	got := map[check.Outcome][]string{}
	for _, c := range suite.Checks {
		v := check.Judge(t.Context(), suite, c)
		got[v.Outcome] = append(got[v.Outcome], c.ID)
	}
	return got
}

// The rest of a stream that begins one event late fails its check.
func TestSuiteFindsWrongRests(t *testing.T) {
	t.Parallel()
	suite := storetest.Suite(storetest.Fixture{
		Volatile: true, Resumes: true,
		Open: func(_ check.T, clock contract.Clock) storetest.Log {
			return storetest.Log{Store: late{memory.New(clock)}}
		},
	})
	last := suite.Checks[len(suite.Checks)-1]
	require.Equal(t, "L2.71", last.ID)
	require.Equal(t, check.Failed, check.Judge(t.Context(), suite, last).Outcome)
}

type late struct{ *memory.Store }

func (l late) StreamFrom(
	ctx context.Context, stream string, version int64,
) iter.Seq2[contract.Recorded, error] {
	return l.Store.StreamFrom(ctx, stream, version+1)
}

// Each wrong answer has one fault, and the checks in fails find it.
func TestSuiteFindsWrongAnswers(t *testing.T) {
	t.Parallel()
	for _, wrong := range []struct {
		name  string
		wrap  func(*memory.Store) contract.Store
		fails []string
	}{
		{
			"ignores the expected version",
			func(s *memory.Store) contract.Store { return anyVersion{s} },
			[]string{"L2.17", "L2.36"},
		}, {
			"drops the second event of a batch",
			func(s *memory.Store) contract.Store { return firstOnly{s} },
			[]string{"L2.16"},
		}, {
			"returns every error as a conflict",
			func(s *memory.Store) contract.Store { return untyped{s} },
			[]string{"L2.43", "L2.44", "L2.45"},
		}, {
			"has a frontier in the future",
			func(s *memory.Store) contract.Store { return hasty{s} },
			[]string{"L2.31"},
		}, {
			"appends after the end of a stream",
			func(s *memory.Store) contract.Store { return endless{s} },
			[]string{"L2.44", "L2.55", "L2.56", "L2.38"},
		}, {
			"drops the last event of a range",
			func(s *memory.Store) contract.Store { return short{s} },
			[]string{"L2.48", "L2.49"},
		},
	} {
		t.Run(wrong.name, func(t *testing.T) {
			t.Parallel()
			got := verdicts(t, func(clock contract.Clock) contract.Store {
				return wrong.wrap(memory.New(clock))
			})
			require.Subset(t, got[check.Failed], wrong.fails)
			require.Empty(t, got[check.Todo])
		})
	}
}

// The checks of a stub are to do; none fails.
func TestStubIsTodo(t *testing.T) {
	t.Parallel()
	got := verdicts(t, func(contract.Clock) contract.Store { return stub{} })
	require.Empty(t, got[check.Failed])
	require.Empty(t, got[check.Passed])
}

type anyVersion struct{ *memory.Store }

func (w anyVersion) Append(
	ctx context.Context, stream string, _ int64, events ...contract.Event,
) ([]contract.Receipt, error) {
	return w.Store.Append(ctx, stream, contract.Any, events...)
}

type firstOnly struct{ *memory.Store }

func (w firstOnly) Append(
	ctx context.Context, stream string, expected int64, events ...contract.Event,
) ([]contract.Receipt, error) {
	return w.Store.Append(ctx, stream, expected, events[:min(1, len(events))]...)
}

type untyped struct{ *memory.Store }

func (w untyped) Append(
	ctx context.Context, stream string, expected int64, events ...contract.Event,
) ([]contract.Receipt, error) {
	receipts, err := w.Store.Append(ctx, stream, expected, events...)
	if err != nil {
		err = &contract.ConflictError{Stream: stream, Expected: expected}
	}
	return receipts, err
}

type endless struct{ *memory.Store }

func (w endless) Append(
	ctx context.Context, stream string, expected int64, events ...contract.Event,
) ([]contract.Receipt, error) {
	events = slices.Clone(events)
	for i := range events {
		events[i].Ends = false
	}
	return w.Store.Append(ctx, stream, expected, events...)
}

type hasty struct{ *memory.Store }

func (w hasty) Frontier(ctx context.Context) (time.Time, error) {
	f, err := w.Store.Frontier(ctx)
	return f.Add(time.Hour), err
}

type short struct{ *memory.Store }

func (w short) Read(
	ctx context.Context, from, to contract.Cursor,
) iter.Seq2[contract.Recorded, error] {
	to = slices.Clone(to)
	to[0]--
	return w.Store.Read(ctx, from, to)
}

// stub is a store that is not written yet.
type stub struct{}

func todo(operation string) error { return check.TODO("L2." + operation) }

func (stub) Append(
	context.Context, string, int64, ...contract.Event,
) ([]contract.Receipt, error) {
	return nil, todo("append")
}

func (stub) Find(context.Context, uuid.UUID) (contract.Recorded, error) {
	return contract.Recorded{}, todo("find")
}

func (stub) Stream(context.Context, string) iter.Seq2[contract.Recorded, error] {
	return none(todo("stream"))
}

func (stub) Read(
	context.Context, contract.Cursor, contract.Cursor,
) iter.Seq2[contract.Recorded, error] {
	return none(todo("read"))
}

func (stub) Follow(context.Context, contract.Cursor) iter.Seq2[contract.Recorded, error] {
	return none(todo("follow"))
}

func (stub) End(context.Context) (contract.Cursor, error) { return nil, todo("end") }

func (stub) Frontier(context.Context) (time.Time, error) {
	return time.Time{}, todo("frontier")
}

func (stub) Timeline(context.Context) (contract.Timeline, error) {
	return contract.Timeline{}, todo("timeline")
}

func (stub) CommitFrontier(context.Context) (time.Time, error) {
	return time.Time{}, todo("frontier")
}

func none(err error) iter.Seq2[contract.Recorded, error] {
	return func(yield func(contract.Recorded, error) bool) { yield(contract.Recorded{}, err) }
}
