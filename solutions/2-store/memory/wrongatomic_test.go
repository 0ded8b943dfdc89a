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
	store "example.com/blotter/solutions/2-store"
	"example.com/blotter/solutions/2-store/memory"
)

// Each wrong answer to contract.Atomic has one fault, and exactly the checks in fails find it.
func TestSuiteFindsWrongAtomics(t *testing.T) {
	t.Parallel()
	for _, wrong := range []struct {
		name  string
		wrap  func(*memory.Store) contract.Atomic
		fails []string
	}{
		{
			"appends to one stream after the other",
			func(s *memory.Store) contract.Atomic { return torn{s} },
			[]string{"L2.62", "L2.63", "L2.64", "L2.65", "L2.66", "L2.67", "L2.68"},
		}, {
			"gives each event a time of its own",
			func(s *memory.Store) contract.Atomic { return manyTimes{s} },
			[]string{"L2.65", "L2.66"},
		}, {
			"gives each stream an append group of its own",
			func(s *memory.Store) contract.Atomic { return manyGroups{s} },
			[]string{"L2.62", "L2.65", "L2.66"},
		}, {
			"ignores guards",
			func(s *memory.Store) contract.Atomic { return unguarded{s} },
			[]string{"L2.63", "L2.64"},
		}, {
			"records a retry again",
			func(s *memory.Store) contract.Atomic { return doubling{s} },
			[]string{"L2.67"},
		}, {
			"returns an end in the middle of an append",
			func(s *memory.Store) contract.Atomic { return cutting{s} },
			[]string{"L2.66"},
		}, {
			"returns the receipts of a part",
			func(s *memory.Store) contract.Atomic { return lenient{s} },
			[]string{"L2.67"},
		}, {
			"has all streams together",
			func(s *memory.Store) contract.Atomic { return everywhere{s} },
			[]string{"L2.68"},
		},
	} {
		t.Run(wrong.name, func(t *testing.T) {
			t.Parallel()
			suite := storetest.Suite(storetest.Fixture{
				Volatile: true, Atomic: true,
				Open: func(_ check.T, clock contract.Clock) storetest.Log {
					return storetest.Log{Store: wrong.wrap(memory.New(clock))}
				},
			})
			var failed []string
			for _, c := range suite.Checks {
				if c.ID < "L2.62" { // those of every store
					continue
				}
				if v := check.Judge(t.Context(), suite, c); v.Outcome != check.Passed {
					failed = append(failed, c.ID)
				}
			}
			require.Equal(t, wrong.fails, failed)
		})
	}
}

type torn struct{ *memory.Store }

func (w torn) AppendAll(
	ctx context.Context, appends []contract.StreamAppend, _ ...contract.Guard,
) (all [][]contract.Receipt, err error) {
	for _, a := range appends {
		receipts, err := w.Append(ctx, a.Stream, a.Expected, a.Events...)
		if err != nil {
			return nil, err
		}
		all = append(all, receipts)
	}
	return all, nil
}

type manyTimes struct{ *memory.Store }

func (w manyTimes) Read(
	ctx context.Context, from, to contract.Cursor,
) iter.Seq2[contract.Recorded, error] {
	return later(w.Store.Read(ctx, from, to))
}

func (w manyTimes) Stream(
	ctx context.Context, stream string,
) iter.Seq2[contract.Recorded, error] {
	return later(w.Store.Stream(ctx, stream))
}

// later yields events whose times differ within an append.
func later(events iter.Seq2[contract.Recorded, error]) iter.Seq2[contract.Recorded, error] {
	return func(yield func(contract.Recorded, error) bool) {
		for e, err := range events {
			if e.AppendGroup != uuid.Nil {
				e.RecordedAt = e.RecordedAt.Add(time.Duration(e.Position.Offset) * time.Nanosecond)
			}
			if !yield(e, err) {
				return
			}
		}
	}
}

type manyGroups struct{ *memory.Store }

func (w manyGroups) Read(
	ctx context.Context, from, to contract.Cursor,
) iter.Seq2[contract.Recorded, error] {
	return regrouped(w.Store.Read(ctx, from, to))
}

func (w manyGroups) Stream(
	ctx context.Context, stream string,
) iter.Seq2[contract.Recorded, error] {
	return regrouped(w.Store.Stream(ctx, stream))
}

// regrouped yields events whose append groups differ between streams.
func regrouped(events iter.Seq2[contract.Recorded, error]) iter.Seq2[contract.Recorded, error] {
	return func(yield func(contract.Recorded, error) bool) {
		for e, err := range events {
			if e.AppendGroup != uuid.Nil {
				e.AppendGroup = uuid.NewSHA1(e.AppendGroup, []byte(e.Stream))
			}
			if !yield(e, err) {
				return
			}
		}
	}
}

type unguarded struct{ *memory.Store }

func (w unguarded) AppendAll(
	ctx context.Context, appends []contract.StreamAppend, guards ...contract.Guard,
) ([][]contract.Receipt, error) {
	if err := store.ValidateAll(appends, guards); err != nil {
		return nil, err
	}
	at := contract.At(ctx, w.after(ctx, guards))
	return w.Store.AppendAll(at, appends)
}

// after returns the time after the guards, so that the only fault is the missing comparison.
func (w unguarded) after(ctx context.Context, guards []contract.Guard) (last time.Time) {
	for _, g := range guards {
		for e := range w.Stream(ctx, g.Stream) {
			last = e.RecordedAt
		}
	}
	return last
}

type doubling struct{ *memory.Store }

func (w doubling) AppendAll(
	ctx context.Context, appends []contract.StreamAppend, guards ...contract.Guard,
) ([][]contract.Receipt, error) {
	receipts, err := w.Store.AppendAll(ctx, appends, guards...)
	if err != nil || receipts[0][0].Version > 1 || len(guards) == 0 {
		return receipts, err
	}
	again := slices.Clone(appends)
	for i := range again {
		again[i].Expected = contract.Any
		again[i].Events = slices.Clone(again[i].Events)
		for n := range again[i].Events {
			again[i].Events[n].ID = uuid.NewSHA1(again[i].Events[n].ID, []byte("again"))
			again[i].Events[n].AppendGroup = uuid.Nil
		}
	}
	found, _ := w.Find(ctx, appends[0].Events[0].ID)
	if end, _ := w.End(ctx); found.Position.Offset+4 < end[0] { // others came after it: a retry
		_, err = w.Store.AppendAll(ctx, again)
	}
	return receipts, err
}

type cutting struct{ *memory.Store }

// End returns the cursor before the last event of the last append of a long log.
func (w cutting) End(ctx context.Context) (contract.Cursor, error) {
	end, err := w.Store.End(ctx)
	cut := end
	for e := range w.Read(ctx, nil, end) {
		if e.AppendGroup != uuid.Nil && end[0] > 200 {
			cut = contract.Cursor{e.Position.Offset}
		}
	}
	return cut, err
}

type lenient struct{ *memory.Store }

func (w lenient) AppendAll(
	ctx context.Context, appends []contract.StreamAppend, guards ...contract.Guard,
) ([][]contract.Receipt, error) {
	all := make([][]contract.Receipt, len(appends))
	for i, a := range appends {
		for _, e := range a.Events {
			was, err := w.Find(ctx, e.ID)
			if err != nil || was.ContentDigest() != e.ContentDigest() {
				return w.Store.AppendAll(ctx, appends, guards...)
			}
			all[i] = append(all[i], contract.Receipt{
				Version: was.Version, RecordedAt: was.RecordedAt,
			})
		}
	}
	if len(all) == 0 {
		return w.Store.AppendAll(ctx, appends, guards...)
	}
	return all, nil
}

type everywhere struct{ *memory.Store }

func (everywhere) Together(...string) bool { return true }
