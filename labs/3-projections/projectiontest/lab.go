package projectiontest

import (
	"context"
	"slices"

	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/kit/check"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
)

// An Answer is a student's answer to Lab 3: three pure functions, and a model on them.
type Answer struct {
	// Fold returns the rows that a batch changes.
	Fold func(taken map[string]contract.Taken, batch []contract.StreamEvent) (
		contract.Changes, error)
	// Advance returns the events of a batch that are new to a model, and its cursor after them.
	Advance func(cursor contract.Cursor, batch []contract.Recorded, next contract.Cursor) (
		[]contract.Recorded, contract.Cursor, error)
	// Refold returns the saved states of a pool after a change of its legs.
	Refold func(saved []contract.SavedPool, first trade.LegKey,
		after func(contract.SavedPool) ([]trade.Leg, error)) ([]contract.SavedPool, error)
	// Memory and Postgres return new databases with an empty model. Without Postgres, the checks
	// of a model run in memory only.
	Memory, Postgres func(t check.T) Database
}

// A Database opens its model, as a new process does. The model calls hook before each statement
// and before each commit, and after the commit with "committed". An error of the hook is a crash
// at that place: the transaction ends, and the model is only closed.
type Database func(t check.T, codec contract.Codec, hook Hook) LabModel

// A Hook is called by a model. It may be nil.
type Hook = func(ctx context.Context, statement string) error

// A LabModel is the model of Lab 3.
type LabModel interface {
	contract.Rebuilder
	contract.Snapshotter
	Close()
}

// Lab returns the checks of Lab 3 in the order in which a student should meet them. Checks of a
// model run in memory first, and then on Postgres.
func Lab(a Answer) check.Suite {
	s := check.Suite{Name: "3-projections", Guide: "labs/3-projections/README.md",
		Files: []string{"fold.go", "apply.go", "refold.go", "rebuild.go"}}
	for _, c := range slices.Concat(foldingBatches, advancing) {
		s.Checks = append(s.Checks, c.bind(a))
	}
	for _, c := range []assigned{
		{"L3.6", "that a change of one contract changes only its own row: it moves the pool " +
			"of every contract with the same instrument",
			"if L3.13 or L3.14 fails, too, mend Refold first; else, if L3.1 to L3.3 pass, look " +
				"at Apply: it must give m.store all fresh events of the batch at once"},
		{"L3.7", "that events arrive in the order in which they happened",
			"nothing in Apply may depend on the order of partitions: give m.store the fresh" +
				" events as they came"},
		{"L3.8", "that the next batch finds the last one still in memory",
			"Apply must read everything from the transaction: no field of Model and no " +
				"variable of the package may hold events or a cursor"},
		{"L3.9", "that a feed delivers each event once",
			"fresh, to, err := Advance(cursor, batch, next) with the cursor of lockCursor; " +
				"store fresh, and move the cursor to to, even if fresh is empty"},
		{"L3.10", "that a model without the bad event is better than no model",
			"return the error of m.store, and let the deferred rollback undo the statements" +
				" before it: without a rollback the next lockCursor waits for ever"},
	} {
		s.Checks = append(s.Checks, c.bind(a, apply))
	}
	for _, c := range slices.Concat(crashing, refolding) {
		s.Checks = append(s.Checks, c.bind(a))
	}
	late := assigned{"L3.15", "that a late leg changes only the result of its own contract",
		"if L3.13 or L3.14 fails, too, mend that first; else nothing is left to write in " +
			"Refold: does Fold return the first leg of each pool (L3.3)?"}
	s.Checks = append(s.Checks, late.bind(a, refold))
	for _, c := range slices.Concat(replacing, sharing) {
		s.Checks = append(s.Checks, c.bind(a))
	}
	for i, c := range s.Checks {
		s.Checks[i].Read = sections[c.Operation]
	}
	return s
}

// sections are the places of the guide that explain an operation.
var sections = map[string]string{
	foldRows: "section 1, exercise 1", advance: "section 2, exercise 2",
	apply: "section 3, exercise 3", refold: "section 4, exercise 4",
	rebuild: "section 5, exercise 5", snapshot: "section 5, exercise 6",
	restore: "section 5, exercise 6",
}

// The operations of the lab, as its stubs name them.
const (
	foldRows = "L3.fold"
	advance  = "L3.advance"
	apply    = "L3.apply"
	refold   = "L3.refold"
	rebuild  = "L3.rebuild"
	snapshot = "L3.snapshot"
	restore  = "L3.restore"
)

// Given returns the checks of every projection that Lab does not have: in the lab they would only
// test code that students are given.
func Given() check.Suite {
	s := Suite(Fixture{})
	s.Checks = slices.DeleteFunc(s.Checks, func(c check.Check) bool {
		same := func(other check.Check) bool { return other.ID == c.ID }
		return slices.ContainsFunc(Lab(Answer{}).Checks, same)
	})
	return s
}

// An assigned check is one of every projection, with its place in the lab.
type assigned struct{ id, misconception, more string }

func (c assigned) bind(a Answer, operation string) check.Check {
	groups := slices.Concat(folding, moving, reading, durability)
	i := slices.IndexFunc(groups, func(s spec) bool { return s.ID == c.id })
	s := groups[i]
	s.Operation, s.Misconception, s.More = operation, c.misconception, c.more
	s.Func = func(t check.T) {
		if operation == refold {
			l := &labTrial{T: t, answer: a}
			_, _ = l.refold(nil, trade.LegKey{}, nil)
		}
		for _, on := range a.databases() {
			t.Logf("%s", on.name)
			s.try(&trial{T: t, fixture: on.fixture()})
		}
	}
	return s.Check
}

// A named database constructor.
type named struct {
	name string
	make func(t check.T) Database
	pace
}

// A pace says which crashes of a rebuild are tried. On Postgres not every statement has its turn,
// but each statement of the swap has.
type pace struct {
	step     int      // a crash before every step-th statement
	swapping []string // and first, at these statements
}

func (a Answer) databases() []named {
	all := []named{{"in memory", a.Memory, pace{1, []string{"replace the model"}}}}
	if a.Postgres != nil {
		swapping := []string{"replace the model", "delete checkpoint", "delete parked"}
		all = append(all, named{
			"on Postgres, after the model in memory", a.Postgres, pace{7, swapping},
		})
	}
	return all
}

// fixture makes the models of a database for checks of every projection.
func (n named) fixture() Fixture {
	return Fixture{Open: func(t check.T, codec contract.Codec) Model {
		db := n.make(t)
		open := func(t check.T) contract.Projection {
			m := db(t, codec, nil)
			t.Cleanup(m.Close)
			return m
		}
		return Model{Projection: open(t), Reopen: open}
	}}
}

// A labSpec is a check of the lab without its answer. Checks of a model try it on each database.
type labSpec struct {
	check.Check
	try func(t *labTrial)
	on  func(t *labTrial)
}

func (c labSpec) bind(a Answer) check.Check {
	c.Func = func(t check.T) {
		if c.try != nil {
			c.try(&labTrial{T: t, answer: a})
			return
		}
		for _, on := range a.databases() {
			t.Logf("%s", on.name)
			c.on(&labTrial{T: t, answer: a, db: on.make(t), pace: on.pace})
		}
	}
	return c.Check
}

// A labTrial is one run of a check of the lab.
type labTrial struct {
	check.T
	answer Answer
	db     Database
	pace
}

func (t *labTrial) fold(taken map[string]contract.Taken, batch []contract.StreamEvent) (
	contract.Changes, error) {
	c, err := t.answer.Fold(taken, batch)
	t.Answered("Fold", err)
	return c, err
}

func (t *labTrial) advance(cursor contract.Cursor, batch []contract.Recorded,
	next contract.Cursor) ([]contract.Recorded, contract.Cursor, error) {
	fresh, to, err := t.answer.Advance(cursor, batch, next)
	t.Answered("Advance", err)
	return fresh, to, err
}

func (t *labTrial) refold(saved []contract.SavedPool, first trade.LegKey,
	legs []trade.Leg) ([]contract.SavedPool, error) {
	got, _, err := t.refoldFrom(saved, first, legs)
	return got, err
}

// refoldFrom also returns the state whose later legs were asked for.
func (t *labTrial) refoldFrom(saved []contract.SavedPool, first trade.LegKey,
	legs []trade.Leg) (states []contract.SavedPool, from contract.SavedPool, err error) {
	from.Legs = -1
	states, err = t.answer.Refold(saved, first, func(s contract.SavedPool) ([]trade.Leg, error) {
		from = s
		from.Pool = s.Pool.Clone()
		return slices.DeleteFunc(slices.Clone(legs), func(l trade.Leg) bool {
			return s.Legs > 0 && l.Key.Compare(s.Last) <= 0
		}), nil
	})
	t.Answered("Refold", err)
	return states, from, err
}

// open opens the model as a new process does.
func (t *labTrial) open(hook Hook) *labModel {
	m := t.db(t, Codec{}, hook)
	t.Cleanup(m.Close)
	return &labModel{model{watched{m, t}, t}, m}
}

// killed lets a process do its work until the crash, and then closes its connections.
func (t *labTrial) killed(c *crash, work func(*labModel) error) error {
	m := t.open(c.hook)
	defer m.lab.Close()
	return work(m)
}

// A labModel is the model of a process.
type labModel struct {
	model
	lab LabModel
}

func (m *labModel) rebuild(log contract.Reader, size int) error {
	err := m.lab.Rebuild(m.t.Context(), log, size)
	m.t.Answered("Rebuild", err)
	return err
}

func (m *labModel) snapshot() []byte {
	data, err := m.lab.Snapshot(m.t.Context())
	m.t.Answered("Snapshot", err)
	require.NoError(m.t, err, "snapshot of the model")
	return data
}

func (m *labModel) restore(data []byte) error {
	err := m.lab.Restore(m.t.Context(), data)
	m.t.Answered("Restore", err)
	return err
}

// requirePrefix requires that the model is the fold of the events before its cursor, and returns
// the cursor.
func (m *labModel) requirePrefix(log *Log, when string) contract.Cursor {
	cursor := m.cursor()
	events := log.before(cursor)
	got, err := m.State(m.t.Context())
	require.NoError(m.t, err, "state of the model")
	requireSame(m.t, fold(events), got, "%s the cursor is %s, and the state of the %d events "+
		"before it", when, cursor, len(events))
	return cursor
}
