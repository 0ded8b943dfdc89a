package projection

import (
	"context"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/3-projections/projectiontest"
	"example.com/blotter/labs/cmd/lab/grade/gradetest"
	"example.com/blotter/labs/kit/check"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
)

// Update is the flag that rewrites the golden files, the guide's table of checks and its picture.
var Update = flag.Bool("update", false, "rewrite the golden files")

// A wrongAnswer is the reference with one fault.
type wrongAnswer struct {
	name   string // of the fault
	finds  string // checks that find this fault; testdata/wrong has the text of the first
	hint   string // a part of the failure text of the first check, meant for this fault
	change func(*answer)
	varies bool // the text of the failure differs from run to run
}

// An answer is a student's answer: functions, and methods that take the place of the model's.
type answer struct {
	fold     foldFunc
	refold   refoldFunc
	advance  advanceFunc
	apply    func(context.Context, *Model, []contract.Recorded, contract.Cursor) error
	rebuild  func(context.Context, *Model, contract.Reader, int) error
	snapshot func(context.Context, *Model) ([]byte, error)
	restore  func(context.Context, *Model, []byte) error
}

type advanceFunc = func(contract.Cursor, []contract.Recorded, contract.Cursor) (
	[]contract.Recorded, contract.Cursor, error)

// variant is a model with the methods of an answer.
type variant struct {
	*Model
	answer
}

func (v variant) Apply(ctx context.Context, batch []contract.Recorded, next contract.Cursor) error {
	return v.apply(ctx, v.Model, batch, next)
}

func (v variant) Rebuild(ctx context.Context, log contract.Reader, size int) error {
	return v.rebuild(ctx, v.Model, log, size)
}

func (v variant) Snapshot(ctx context.Context) ([]byte, error) { return v.snapshot(ctx, v.Model) }

func (v variant) Restore(ctx context.Context, data []byte) error {
	return v.restore(ctx, v.Model, data)
}

// suiteOf returns the checks of the reference with a change. Its database is in memory.
func suiteOf(change func(*answer)) check.Suite {
	a := answer{
		Fold, Refold, Advance, applyOf, rebuildOf,
		func(ctx context.Context, m *Model) ([]byte, error) { return m.Snapshot(ctx) },
		func(ctx context.Context, m *Model, data []byte) error { return m.Restore(ctx, data) },
	}
	change(&a)
	memory := func(check.T) projectiontest.Database {
		db := NewDatabase()
		return func(_ check.T, codec contract.Codec, hook projectiontest.Hook,
		) projectiontest.LabModel {
			m := InMemory(db, codec, hook)
			m.fold, m.refold = a.fold, a.refold
			return variant{m, a}
		}
	}
	return projectiontest.Lab(projectiontest.Answer{
		Fold: a.fold, Advance: a.advance, Refold: a.refold, Memory: memory,
	})
}

func applyOf(ctx context.Context, m *Model, batch []contract.Recorded, next contract.Cursor) error {
	return m.Apply(ctx, batch, next)
}

func rebuildOf(ctx context.Context, m *Model, log contract.Reader, size int) error {
	return m.Rebuild(ctx, log, size)
}

var wrongs = []wrongAnswer{
	{
		name: "makes a row of each event", finds: "L3.1",
		hint: "fold each stream once",
		change: func(a *answer) {
			a.fold = func(taken map[string]contract.Taken, batch []contract.StreamEvent) (
				contract.Changes, error) {
				all, err := Fold(taken, batch)
				all.Trades = nil
				for n := range batch {
					to := slices.Clone(batch[:n+1])
					to = slices.DeleteFunc(to, func(e contract.StreamEvent) bool {
						return e.Stream != batch[n].Stream
					})
					some, _ := Fold(taken, to)
					all.Trades = append(all.Trades, some.Trades...)
				}
				return all, err
			}
		},
	},
	{
		name: "folds the batch without the events before it", finds: "L3.2 L3.8",
		hint: "begin with taken[stream].Events",
		change: func(a *answer) {
			a.fold = func(taken map[string]contract.Taken, batch []contract.StreamEvent) (
				contract.Changes, error) {
				legs := map[string]contract.Taken{}
				for stream, of := range taken {
					legs[stream] = contract.Taken{Legs: of.Legs}
				}
				return Fold(legs, batch)
			}
		},
	},
	{
		name: "appends to the events of the caller", finds: "L3.2",
		hint: "write into the caller's array",
		change: func(a *answer) {
			a.fold = func(taken map[string]contract.Taken, batch []contract.StreamEvent) (
				contract.Changes, error) {
				grown := map[string][]trade.Event{}
				for _, e := range batch {
					if grown[e.Stream] == nil {
						grown[e.Stream] = taken[e.Stream].Events
					}
					grown[e.Stream] = append(grown[e.Stream], e.Event)
				}
				return Fold(taken, batch)
			}
		},
	},
	{
		name: "takes the last change of a pool", finds: "L3.3",
		hint:   "the leg with the smaller key counts",
		change: foldPools(func(first, leg trade.LegKey) bool { return leg.Compare(first) > 0 }),
	},
	{
		name: "names every pool of a contract", finds: "L3.3",
		hint: "trade.Changed compares the legs",
		change: func(a *answer) {
			a.fold = func(taken map[string]contract.Taken, batch []contract.StreamEvent) (
				contract.Changes, error) {
				changes, err := Fold(taken, batch)
				for _, c := range changes.Trades {
					for _, l := range c.Legs {
						if first, ok := changes.Pools[l.Pool]; !ok || l.Key.Compare(first) < 0 {
							changes.Pools[l.Pool] = l.Key
						}
					}
				}
				return changes, err
			}
		},
	},
	{
		name: "takes a batch whole or not at all", finds: "L3.4 L3.9",
		hint: "Cursor.Covers compares a position",
		change: advanceWith(func(cursor contract.Cursor, batch []contract.Recorded,
			next contract.Cursor) ([]contract.Recorded, contract.Cursor) {
			if cursor.Reaches(next) {
				batch = nil
			}
			return batch, cursor.Max(next)
		}),
	},
	{
		name: "compares offsets of all partitions with one", finds: "L3.4",
		hint: "the offset of its own partition",
		change: advanceWith(func(cursor contract.Cursor, batch []contract.Recorded,
			next contract.Cursor) ([]contract.Recorded, contract.Cursor) {
			fresh := slices.DeleteFunc(slices.Clone(batch), func(r contract.Recorded) bool {
				return r.Position.Offset < cursor.At(0)
			})
			return fresh, cursor.Max(next)
		}),
	},
	{
		name: "derives the cursor from the events", finds: "L3.5",
		hint: "do not derive the cursor from the events",
		change: advanceWith(func(cursor contract.Cursor, batch []contract.Recorded,
			next contract.Cursor) ([]contract.Recorded, contract.Cursor) {
			fresh, _, _ := Advance(cursor, batch, next)
			for _, r := range fresh {
				cursor = cursor.After(r.Position)
			}
			return fresh, cursor
		}),
	},
	{
		name: "moves the cursor back for an old batch", finds: "L3.5 L3.9",
		hint: "take the later offset",
		change: advanceWith(func(cursor contract.Cursor, batch []contract.Recorded,
			next contract.Cursor) ([]contract.Recorded, contract.Cursor) {
			fresh, _, _ := Advance(cursor, batch, next)
			return fresh, next
		}),
	},
	{
		name: "commits the rows before the cursor", finds: "L3.11",
		hint: "count the commits",
		change: func(a *answer) {
			a.apply = func(ctx context.Context, m *Model, batch []contract.Recorded,
				next contract.Cursor) error {
				err := inTx(ctx, m, func(t tx, cursor contract.Cursor) error {
					fresh, _, _ := Advance(cursor, batch, next)
					return m.store(ctx, t, fresh)
				})
				if err != nil {
					return err
				}
				return inTx(ctx, m, func(t tx, cursor contract.Cursor) error {
					return t.moveCursor(ctx, cursor.Max(next))
				})
			}
		},
	},
	{
		name: "commits the cursor before the rows", finds: "L3.11",
		hint: "count the commits",
		change: func(a *answer) {
			a.apply = func(ctx context.Context, m *Model, batch []contract.Recorded,
				next contract.Cursor) error {
				var fresh []contract.Recorded
				err := inTx(ctx, m, func(t tx, cursor contract.Cursor) (err error) {
					var to contract.Cursor
					fresh, to, _ = Advance(cursor, batch, next)
					return t.moveCursor(ctx, to)
				})
				if err != nil {
					return err
				}
				return inTx(ctx, m, func(t tx, _ contract.Cursor) error {
					return m.store(ctx, t, fresh)
				})
			}
		},
	},
	{
		name: "applies every event of a batch", finds: "L3.9 L3.12",
		hint: "drop events before the stored cursor",
		change: func(a *answer) {
			a.apply = func(ctx context.Context, m *Model, batch []contract.Recorded,
				next contract.Cursor) error {
				return inTx(ctx, m, func(t tx, cursor contract.Cursor) error {
					if err := m.store(ctx, t, batch); err != nil {
						return err
					}
					return t.moveCursor(ctx, cursor.Max(next))
				})
			}
		},
	},
	{
		name: "moves the cursor only with new events", finds: "L3.9",
		hint: "even if no event of the batch is new",
		change: func(a *answer) {
			a.apply = func(ctx context.Context, m *Model, batch []contract.Recorded,
				next contract.Cursor) error {
				return inTx(ctx, m, func(t tx, cursor contract.Cursor) error {
					fresh, to, _ := Advance(cursor, batch, next)
					if len(fresh) == 0 {
						return nil
					}
					if err := m.store(ctx, t, fresh); err != nil {
						return err
					}
					return t.moveCursor(ctx, to)
				})
			}
		},
	},
	{
		name: "skips events that do not decode", finds: "L3.10",
		hint: "never skip the event",
		change: func(a *answer) {
			a.apply = func(ctx context.Context, m *Model, batch []contract.Recorded,
				next contract.Cursor) error {
				legible := slices.DeleteFunc(slices.Clone(batch), func(r contract.Recorded) bool {
					_, err := contract.Decoded(ctx, m.codec, r)
					return err != nil
				})
				_ = m.Apply(ctx, legible, next)
				return nil
			}
		},
	},
	{
		name: "treats a commit without an answer as done", finds: "L3.12",
		hint: "the caller applies the batch again",
		change: func(a *answer) {
			a.apply = func(ctx context.Context, m *Model, batch []contract.Recorded,
				next contract.Cursor) error {
				_ = m.Apply(ctx, batch, next)
				return nil
			}
		},
	},
	{
		name: "reads the cursor before the lock", finds: "L3.21", varies: true,
		hint: "lockCursor before anything else",
		change: func(a *answer) {
			a.apply = func(ctx context.Context, m *Model, batch []contract.Recorded,
				next contract.Cursor) error {
				cursor, err := m.Cursor(ctx)
				if err != nil {
					return err
				}
				return inTx(ctx, m, func(t tx, _ contract.Cursor) error {
					fresh, to, _ := Advance(cursor, batch, next)
					if err := m.store(ctx, t, fresh); err != nil {
						return err
					}
					return t.moveCursor(ctx, to)
				})
			}
		},
	},
	{
		name: "keeps the state of the changed leg", finds: "L3.13",
		hint: "a state whose last leg is the changed one",
		change: func(a *answer) {
			a.refold = func(saved []contract.SavedPool, first trade.LegKey,
				after func(contract.SavedPool) ([]trade.Leg, error)) ([]contract.SavedPool, error) {
				later := first
				later.N++ // no leg is between the two
				return Refold(saved, later, after)
			}
		},
	},
	{
		name: "adds late legs at the end", finds: "L3.13 L3.6 L3.7 L3.15",
		hint: "compare s.Last with first",
		change: func(a *answer) {
			a.refold = func(saved []contract.SavedPool, _ trade.LegKey,
				after func(contract.SavedPool) ([]trade.Leg, error)) ([]contract.SavedPool, error) {
				end := trade.LegKey{Stream: "~"}
				if len(saved) > 0 {
					end = saved[len(saved)-1].Last
					end.N++
				}
				return Refold(saved, end, after)
			}
		},
	},
	{
		name: "shares the lots of saved states", finds: "L3.14",
		hint: "save pool.Clone()",
		change: func(a *answer) {
			a.refold = func(saved []contract.SavedPool, first trade.LegKey,
				after func(contract.SavedPool) ([]trade.Leg, error)) ([]contract.SavedPool, error) {
				own := slices.Clone(saved)
				for i := range own {
					own[i].Pool = own[i].Pool.Clone()
				}
				return refoldShared(own, first, after)
			}
		},
	},
	{
		name: "builds its answer in the array of saved", finds: "L3.14",
		hint: "append to a slice of your own",
		change: func(a *answer) {
			a.refold = func(saved []contract.SavedPool, first trade.LegKey,
				after func(contract.SavedPool) ([]trade.Leg, error)) ([]contract.SavedPool, error) {
				states, err := Refold(saved, first, after)
				return append(saved[:0], states...), err
			}
		},
	},
	{
		name: "applies legs to the pool of the start", finds: "L3.14",
		hint: "clone the pool of the start",
		change: func(a *answer) {
			a.refold = func(saved []contract.SavedPool, first trade.LegKey,
				after func(contract.SavedPool) ([]trade.Leg, error)) ([]contract.SavedPool, error) {
				states, err := Refold(saved, first, after)
				_, _ = refoldShared(saved, first, after)
				return states, err
			}
		},
	},
	{
		name: "keeps a state that was the last", finds: "L3.14",
		hint: "not the last any more",
		change: func(a *answer) {
			a.refold = func(saved []contract.SavedPool, first trade.LegKey,
				after func(contract.SavedPool) ([]trade.Leg, error)) ([]contract.SavedPool, error) {
				states, err := Refold(saved, first, after)
				for _, s := range saved {
					same := func(o contract.SavedPool) bool { return o.Legs == s.Legs }
					if s.Last.Compare(first) < 0 && !slices.ContainsFunc(states, same) {
						states = append(states, s)
					}
				}
				slices.SortFunc(states, func(a, b contract.SavedPool) int {
					return int(a.Legs - b.Legs)
				})
				return states, err
			}
		},
	},
	{
		name: "repairs the live model", finds: "L3.16",
		hint: "build on m.beside(ctx)",
		change: func(a *answer) {
			a.rebuild = func(ctx context.Context, m *Model, log contract.Reader, size int) error {
				return catchUp(ctx, log, m, size)
			}
		},
	},
	{
		name: "empties the live model first", finds: "L3.17 L3.18",
		hint: "only then replace it",
		change: func(a *answer) {
			a.rebuild = func(ctx context.Context, m *Model, log contract.Reader, size int) error {
				empty, err := m.beside(ctx)
				if err != nil {
					return err
				}
				if err := m.swap(ctx, empty, func() error { return nil }); err != nil {
					return err
				}
				return catchUp(ctx, log, m, size)
			}
		},
	},
	{
		name: "swaps without catching up again", finds: "L3.17",
		hint: "catch up once more",
		change: func(a *answer) {
			a.rebuild = func(ctx context.Context, m *Model, log contract.Reader, size int) error {
				next, err := m.beside(ctx)
				if err != nil {
					return err
				}
				if err := catchUp(ctx, log, next, size); err != nil {
					return err
				}
				return m.swap(ctx, next, func() error { return nil })
			}
		},
	},
	{
		name: "replaces the model without the lock", finds: "L3.17",
		hint: "lock its cursor",
		change: func(a *answer) {
			a.rebuild = func(ctx context.Context, m *Model, log contract.Reader, size int) error {
				next, err := m.beside(ctx)
				if err != nil {
					return err
				}
				for range 2 {
					if err := catchUp(ctx, log, next, size); err != nil {
						return err
					}
				}
				return unlocked(ctx, m, next)
			}
		},
	},
	{
		name: "restores the model without the lock", finds: "L3.20",
		hint: "hold the lock until the commit",
		change: func(a *answer) {
			a.restore = func(ctx context.Context, m *Model, data []byte) error {
				s, err := decodeSnapshot(data)
				if err != nil {
					return err
				}
				if s.Format != snapshotFormat {
					return errReplaced
				}
				next, err := m.beside(ctx)
				if err != nil {
					return err
				}
				if err := next.load(ctx, s.Rows); err != nil {
					return err
				}
				return unlocked(ctx, m, next)
			}
		},
	},
	{
		name: "reads the cursor of a snapshot apart", finds: "L3.19",
		hint: "a cursor that is read by another call",
		change: func(a *answer) {
			a.snapshot = func(ctx context.Context, m *Model) ([]byte, error) {
				all, err := m.tables.read(ctx)
				if err != nil {
					return nil, err
				}
				if all.Cursor, err = m.Cursor(ctx); err != nil {
					return nil, err
				}
				return snapshot{snapshotFormat, all}.encode()
			}
		},
	},
	{
		name: "believes every snapshot", finds: "L3.20",
		hint:   "compare Format",
		change: restoreWith(func(s *snapshot) { s.Format = snapshotFormat }),
	},
	{
		name: "restores the rows without their cursor", finds: "L3.20",
		hint:   "with their cursor",
		change: restoreWith(func(s *snapshot) { s.Rows.Cursor = nil }),
	},
}

// foldPools returns Fold with another choice among the legs of a pool.
func foldPools(instead func(first, leg trade.LegKey) bool) func(*answer) {
	return func(a *answer) {
		a.fold = func(taken map[string]contract.Taken, batch []contract.StreamEvent) (
			contract.Changes, error) {
			changes, err := Fold(taken, batch)
			clear(changes.Pools)
			for _, c := range changes.Trades {
				before := taken[trade.TradeStream(c.UTI)].Legs
				for pool, leg := range trade.Changed(before, c.Legs) {
					if first, ok := changes.Pools[pool]; !ok || instead(first, leg) {
						changes.Pools[pool] = leg
					}
				}
			}
			return changes, err
		}
	}
}

// advanceWith replaces Advance, and the call in Apply.
func advanceWith(advance func(contract.Cursor, []contract.Recorded, contract.Cursor) (
	[]contract.Recorded, contract.Cursor)) func(*answer) {
	return func(a *answer) {
		a.advance = func(c contract.Cursor, batch []contract.Recorded, next contract.Cursor) (
			[]contract.Recorded, contract.Cursor, error) {
			fresh, to := advance(c, batch, next)
			return fresh, to, nil
		}
		a.apply = func(ctx context.Context, m *Model, batch []contract.Recorded,
			next contract.Cursor) error {
			return inTx(ctx, m, func(t tx, cursor contract.Cursor) error {
				fresh, to := advance(cursor, batch, next)
				if err := m.store(ctx, t, fresh); err != nil {
					return err
				}
				return t.moveCursor(ctx, to)
			})
		}
	}
}

// inTx does work in a transaction that holds the lock of the cursor.
func inTx(ctx context.Context, m *Model, work func(tx, contract.Cursor) error) error {
	t, err := m.tables.begin(ctx)
	if err != nil {
		return err
	}
	defer t.rollback(ctx)
	cursor, err := t.lockCursor(ctx)
	if err != nil {
		return err
	}
	if err := work(t, cursor); err != nil {
		return err
	}
	return t.commit(ctx)
}

// unlocked replaces the live model by next without its lock.
func unlocked(ctx context.Context, m, next *Model) error {
	t, err := m.tables.begin(ctx)
	if err != nil {
		return err
	}
	defer t.rollback(ctx)
	if err := t.replace(ctx, next.tables); err != nil {
		return err
	}
	return t.commit(ctx)
}

// refoldShared is Refold without its clones.
func refoldShared(saved []contract.SavedPool, first trade.LegKey,
	after func(contract.SavedPool) ([]trade.Leg, error)) ([]contract.SavedPool, error) {
	var kept []contract.SavedPool
	at := contract.SavedPool{}
	for _, s := range saved {
		if s.Last.Compare(first) < 0 {
			kept, at = append(kept, s), s
		}
	}
	legs, err := after(at)
	if err != nil || len(legs) == 0 {
		return kept, err
	}
	if at.Legs%contract.Spacing != 0 {
		kept = kept[:len(kept)-1]
	}
	for i, l := range legs {
		at.Pool.Apply(l)
		at.Legs, at.Last = at.Legs+1, l.Key
		if at.Legs%contract.Spacing == 0 || i == len(legs)-1 {
			kept = append(kept, at)
		}
	}
	return kept, nil
}

// restoreWith changes a snapshot before it is restored.
func restoreWith(change func(*snapshot)) func(*answer) {
	return func(a *answer) {
		a.restore = func(ctx context.Context, m *Model, data []byte) error {
			s, err := decodeSnapshot(data)
			if err != nil {
				return err
			}
			change(&s)
			if data, err = s.encode(); err != nil {
				return err
			}
			return m.Restore(ctx, data)
		}
	}
}

// Each wrong answer fails the checks that are meant to find it. A golden file has the text of the
// first.
func TestSuiteFindsWrongAnswers(t *testing.T) {
	t.Parallel()
	var scores gradetest.Scores
	if !testing.Short() {
		t.Cleanup(func() { scores.Compare(t, *Update) }) // after the parallel subtests
	}
	found := map[string]bool{}
	for _, w := range wrongs {
		for _, id := range strings.Fields(w.finds) {
			found[id] = true
		}
		t.Run(w.name, func(t *testing.T) {
			t.Parallel()
			requireFound(t, w, &scores)
		})
	}
	for _, c := range suiteOf(func(*answer) {}).Checks {
		require.True(t, found[c.ID], "no wrong answer has %s in finds", c.ID)
	}
}

// requireFound requires that the listed checks fail. The long run also tries the others, and takes
// down the score.
func requireFound(t *testing.T, w wrongAnswer, scores *gradetest.Scores) {
	expected := strings.Fields(w.finds)
	s := suiteOf(w.change)
	scores.Add(w.name, []check.Suite{s}, append(othersLost(t, w), expected...))
	for _, c := range s.Checks {
		if !slices.Contains(expected, c.ID) {
			continue
		}
		v := check.Judge(t.Context(), s, c)
		for n := 0; w.varies && v.Outcome == check.Passed && n < 30; n++ {
			v = check.Judge(t.Context(), s, c)
		}
		require.Equal(t, check.Failed, v.Outcome, "%s: %s", c.ID, v.Text)
		if c.ID == expected[0] {
			require.Contains(t, v.Text, w.hint, "the hint for this fault")
			if !w.varies {
				golden(t, w.name, v.Text)
			}
		}
	}
}

// concurrent is the check that finds a fault only if two processes meet.
const concurrent = "L3.21"

// othersLost returns the checks that fail, too, in a long run.
func othersLost(t *testing.T, w wrongAnswer) (lost []string) {
	if testing.Short() || w.varies {
		return nil
	}
	s := suiteOf(w.change)
	for _, c := range s.Checks {
		if !slices.Contains(strings.Fields(w.finds), c.ID) && c.ID != concurrent &&
			check.Judge(t.Context(), s, c).Outcome != check.Passed {
			lost = append(lost, c.ID)
		}
	}
	return lost
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", "wrong", strings.ReplaceAll(name, " ", "-")+".golden")
	if *Update {
		require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
		require.NoError(t, os.WriteFile(file, []byte(got), 0o644))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, string(want), got,
		"to rewrite it: go test ./solutions/3-projections/plain -run Wrong -update")
}

// A stub is to do, or blocked by another one, in every check.
func TestStubsAreToDo(t *testing.T) {
	t.Parallel()
	todo := func(name string) error { return check.TODO("L3." + name) }
	s := suiteOf(func(a *answer) {
		a.fold = func(map[string]contract.Taken, []contract.StreamEvent) (contract.Changes, error) {
			return contract.Changes{}, todo("fold")
		}
		a.advance = func(contract.Cursor, []contract.Recorded, contract.Cursor) (
			[]contract.Recorded, contract.Cursor, error) {
			return nil, nil, todo("advance")
		}
		a.apply = func(context.Context, *Model, []contract.Recorded, contract.Cursor) error {
			return todo("apply")
		}
		a.refold = func([]contract.SavedPool, trade.LegKey,
			func(contract.SavedPool) ([]trade.Leg, error)) ([]contract.SavedPool, error) {
			return nil, todo("refold")
		}
		a.rebuild = func(context.Context, *Model, contract.Reader, int) error {
			return todo("rebuild")
		}
		a.snapshot = func(context.Context, *Model) ([]byte, error) { return nil, todo("snapshot") }
		a.restore = func(context.Context, *Model, []byte) error { return todo("restore") }
	})
	for _, v := range check.JudgeAll(t.Context(), s) {
		require.Contains(t, []check.Outcome{check.Todo, check.Blocked}, v.Outcome,
			"%s: %s", v.Check.ID, v.Text)
	}
}
