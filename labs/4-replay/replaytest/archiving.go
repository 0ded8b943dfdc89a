package replaytest

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/kit/check"
	"example.com/blotter/labs/kit/contract"
)

var taken = time.Date(2025, 3, 31, 21, 59, 59, 999999000, time.UTC)

// snapshot returns a snapshot of some state.
func snapshot(name, state string) contract.Snapshot {
	return contract.Snapshot{
		Name: name, Taken: taken, Cursor: contract.Cursor{7, 0, 12},
		Digest: sha256.Sum256([]byte(state)), State: []byte(state), Format: "example/v1",
		RecordedThrough: taken.Add(-time.Minute),
	}
}

// The two objects of a snapshot, as the type Snapshots of the lab describes them.
func stateKey(s contract.Snapshot) string {
	return fmt.Sprintf("snapshots/%s/%x.jsonl", s.Name, s.Digest)
}

func manifestKey(s contract.Snapshot) string { return "snapshots/" + s.Name + "/manifest.json" }

func manifestOf(s contract.Snapshot) string {
	return fmt.Sprintf(`{"name":"%s","taken":"2025-03-31T21:59:59.999999Z","cursor":%s,`+
		`"sha256":"%x","format":"%s","recorded_through":"2025-03-31T21:58:59.999999Z"}`+"\n",
		s.Name, s.Cursor, s.Digest, s.Format)
}

// keep stores the objects of a snapshot without the archive.
func (t *trial) keep(s contract.Snapshot) {
	require.NoError(t, t.storage.Put(t.Context(), stateKey(s), s.State))
	require.NoError(t, t.storage.Put(t.Context(), manifestKey(s), []byte(manifestOf(s))))
}

var getting = []spec{
	{Check: check.Check{
		ID: "L4.9", Points: 2, Invariant: "L4.I1", Operation: get,
		Title: "Get returns the snapshot that is archived, to the byte",
		Hint: "manifest.snapshot() returns all but the state: its name, both times, the cursor, " +
			"the digest and the format",
		More: "m, err := a.manifest(ctx, name); s := m.snapshot(); s.State, err = " +
			"a.Objects.Get(ctx, stateKey(name, s.Digest))",
		Misconception: "that the bytes of a state are all that a replay needs",
	}, on: archived},
	{Check: check.Check{
		ID: "L4.10", Points: 3, Invariant: "L4.I1", Operation: get,
		Title: "a state that was changed or removed is ErrSnapshotDamaged",
		Hint: "compute SHA-256 of the bytes that were read, and compare it with the manifest's " +
			"digest: the storage does not",
		More: "contract.ErrNoObject of the state, and sha256.Sum256(s.State) != s.Digest, are " +
			"both contract.ErrSnapshotDamaged; return every other error as it is",
		Misconception: "that a read without an error returns the bytes that were written",
	}, on: damaged},
}

func archived(t *trial) {
	for _, state := range []string{"{\"trade\":1}\n{\"trade\":\"ü\"}\n", "", "no newline"} {
		s := snapshot(fmt.Sprintf("month-%d", len(state)), state)
		t.keep(s)
		got, err := t.archive(t.storage).Get(t.Context(), s.Name)
		require.NoError(t, err, "get a snapshot of %d bytes", len(state))
		requireSnapshot(t, s, got)
	}
	_, err := t.archive(t.storage).Get(t.Context(), "unknown")
	require.ErrorIs(t.Hint("return the error of a.manifest as it is"), err,
		contract.ErrNoSnapshot, "get a name that no snapshot has")
}

// requireSnapshot compares two snapshots. A nil state is an empty one.
func requireSnapshot(t check.T, want, got contract.Snapshot) {
	require.Equal(t, string(want.State), string(got.State), "the state of %s", want.Name)
	want.State, got.State = nil, nil
	require.Equal(t, want, got, "the description of %s", want.Name)
}

func damaged(t *trial) {
	for _, tc := range []struct {
		name  string
		state []byte
	}{{"changed", []byte("{\"open\":\"51\"}\n")}, {"cut", []byte("{\"open\":")}, {"removed", nil}} {
		s := snapshot(tc.name, "{\"open\":\"50\"}\n")
		t.keep(s)
		t.storage.Tamper(t, stateKey(s), tc.state)
		_, err := t.archive(t.storage).Get(t.Context(), tc.name)
		require.ErrorIs(t, err, contract.ErrSnapshotDamaged, "get a snapshot whose state was %s",
			tc.name)
	}
	s := snapshot("unreachable", "{}\n")
	t.keep(s)
	away := &hooked{Objects: t.storage, before: func(_, key string) error {
		if key == stateKey(s) {
			return errBroken
		}
		return nil
	}}
	_, err := t.archive(away).Get(t.Context(), s.Name)
	hinted := t.Hint("only contract.ErrNoObject says that the state is missing: a storage that " +
		"does not answer proves nothing")
	require.ErrorIs(hinted, err, errBroken, "get a state that the storage cannot read now")
	require.NotErrorIs(hinted, err, contract.ErrSnapshotDamaged)
}

var putting = []spec{
	{Check: check.Check{
		ID: "L4.11", Points: 2, Invariant: "L4.I1", Operation: put,
		Title: "Put stores the state and the manifest, each under its key, as they are",
		Hint: "stateKey and manifestKey are in manifest.go; the state goes in as the caller gave " +
			"it: the digest is that of these bytes",
		More: "a.Objects.Put(ctx, stateKey(s.Name, s.Digest), s.State), and then " +
			"a.Objects.Put(ctx, manifestKey(s.Name), manifestOf(s).encode())",
		Misconception: "that white space in a state may be tidied",
	}, on: stored},
	{Check: check.Check{
		ID: "L4.12", Points: 1, Invariant: "L4.I1", Operation: put,
		Title: "a snapshot with a wrong digest, or with a name that is no part of a key, is not " +
			"archived",
		Hint: "check the digest before anything is written, and do not repair it",
		More: "CheckName(s.Name), and if sha256.Sum256(s.State) != s.Digest { return an error }, " +
			"come first",
		Misconception: "that the digest belongs to the archive, and not to the writer",
	}, on: refused},
	{Check: check.Check{
		ID: "L4.13", Points: 2, Invariant: "L4.I2", Operation: put,
		Title: "another state under a name that is taken is refused, and the first state stays",
		Hint: "contract.ErrObjectExists of the manifest says that some writer was first: compare " +
			"its digest with yours",
		More: "after the two puts: archived, err := a.Get(ctx, s.Name); if archived.Digest != " +
			"s.Digest, return contract.ErrSnapshotTaken",
		Misconception: "that an object that is there already is my own",
	}, on: takenName},
	{Check: check.Check{
		ID: "L4.14", Points: 1, Invariant: "L4.I2", Operation: put,
		Title: "putting the same state again succeeds, and changes nothing",
		Hint: "a writer that got no answer tries again: an object that exists is no error of " +
			"its own",
		More: "errors.Is(err, contract.ErrObjectExists) of either put: go on, and compare at " +
			"the end",
		Misconception: "that a name that exists is always a conflict",
	}, on: sameAgain},
	{Check: check.Check{
		ID: "L4.15", Points: 4, Invariant: "L4.I2", Operation: put,
		Title: "of several writers with different states under one name, one wins, and the " +
			"others hear of it",
		Hint: "between your look and your write another writer writes: let one put decide, and " +
			"look afterwards",
		More: "no Get before the puts; the put of the manifest decides; the Get after it names " +
			"the winner to every writer",
		Misconception: "that a name that was free a moment ago is still free",
	}, on: oneWinner},
	{Check: check.Check{
		ID: "L4.16", Points: 3, Invariant: "L4.I3", Operation: put,
		Title: "a crash between any two calls of the storage, or an error of a call, leaves the " +
			"whole snapshot or none, and the next Put succeeds",
		Hint: "the manifest makes the snapshot exist: put the state BEFORE it",
		More: "state, then manifest; the next Put finds the state of the crash under the same " +
			"key, and contract.ErrObjectExists is no error then",
		Misconception: "that the order of two writes does not matter if both succeed",
	}, try: crashes},
}

// put must succeed.
func (t *trial) put(a contract.Snapshots, s contract.Snapshot) {
	require.NoError(t, a.Put(t.Context(), s), "put %s", s.Name)
}

func stored(t *trial) {
	for _, state := range []string{"{\"trade\":1}\n", "", "no newline", "two\n\n"} {
		s := snapshot(fmt.Sprintf("month-%d", len(state)), state)
		a := t.archive(t.storage)
		t.put(a, s)
		for _, object := range [][2]string{
			{stateKey(s), state}, {manifestKey(s), manifestOf(s)},
		} {
			content, err := t.storage.Get(t.Context(), object[0])
			require.NoError(t, err, "the object %s after a Put", object[0])
			require.Equal(t, object[1], string(content), "the object %s", object[0])
		}
		got, err := a.Get(t.Context(), s.Name)
		require.NoError(t, err)
		requireSnapshot(t, s, got)
	}
}

func refused(t *trial) {
	a := t.archive(t.storage)
	right := snapshot("right", "first\n")
	require.NoError(t.Hint("a snapshot whose name and digest are right is archived: L4.11 comes "+
		"before this check"), a.Put(t.Context(), right), "put a right snapshot")
	before := t.keys()
	wrong := snapshot("month-end", "first\n")
	wrong.Digest[0]++
	require.Error(t, a.Put(t.Context(), wrong), "put a snapshot with a wrong digest")
	require.Equal(t, before, t.keys(), "the objects after it")
	hinted := t.Hint("return the error of CheckName (manifest.go) before anything is written: " +
		"List leaves out the keys of other names")
	for _, name := range []string{"q1/month-end", ".hidden"} {
		err := a.Put(t.Context(), snapshot(name, "first\n"))
		require.Error(hinted, err, "put a snapshot with the name %s", name)
		require.Equal(hinted, before, t.keys(), "the objects after it")
	}
}

// keys returns the keys of all objects.
func (t *trial) keys() []string {
	keys, err := t.storage.List(t.Context(), "")
	require.NoError(t, err)
	return keys
}

func takenName(t *trial) {
	a, first := t.archive(t.storage), snapshot("month-end", "first\n")
	t.put(a, first)
	err := a.Put(t.Context(), snapshot("month-end", "second\n"))
	require.ErrorIs(t, err, contract.ErrSnapshotTaken, "put another state under the same name")
	got, err := a.Get(t.Context(), "month-end")
	require.NoError(t, err)
	requireSnapshot(t, first, got)
}

func sameAgain(t *trial) {
	a, first := t.archive(t.storage), snapshot("month-end", "first\n")
	t.put(a, first)
	later := first
	later.Taken = later.Taken.Add(time.Hour)
	t.put(a, later)
	got, err := a.Get(t.Context(), "month-end")
	require.NoError(t, err)
	requireSnapshot(t, first, got)
	t.storage.Tamper(t, stateKey(first), []byte("changed\n"))
	require.Error(t.Hint("an object that exists need not have your bytes: Get compares them "+
		"with the digest"), a.Put(t.Context(), first),
		"put a state again that somebody has changed in the archive")
}

// oneWinner lets two writers take turns in every order of 8 storage calls, in memory. Then several
// writers run freely.
func oneWinner(t *trial) {
	for order := range 1 << 8 {
		s := t.answer.Memory(t)
		turns := &turns{order: order}
		writers := []contract.Objects{turns.of(0, s), turns.of(1, s)}
		requireOneWinner(t, s, writers, turns.run, turns.String)
	}
	free := func(t check.T, writers []func()) {
		var ends []<-chan struct{}
		for _, write := range writers {
			ends = append(ends, check.Go(t, write))
		}
		for _, end := range ends {
			<-end
		}
	}
	writers := []contract.Objects{t.storage, t.storage, t.storage, t.storage}
	requireOneWinner(t, t.storage, writers, free, func() string { return "by all at once" })
}

// requireOneWinner lets writers put different states under one name. Each has its own view of the
// storage.
func requireOneWinner(t *trial, s Storage, views []contract.Objects,
	run func(t check.T, writers []func()), order func() string) {
	errs, writers := make([]error, len(views)), make([]func(), len(views))
	for i, view := range views {
		a := t.archive(view)
		writers[i] = func() {
			errs[i] = a.Put(t.Context(), snapshot("month-end", fmt.Sprintf("state %d\n", i)))
		}
	}
	run(t, writers)
	var won []int
	for i, err := range errs {
		if err == nil {
			won = append(won, i)
		}
	}
	require.Len(t, won, 1, "writers whose Put returned nil; the storage was called %s", order())
	for i, err := range errs {
		if i != won[0] {
			require.ErrorIs(t, err, contract.ErrSnapshotTaken,
				"the error of writer %d, which lost; the storage was called %s", i, order())
		}
	}
	got, err := t.archive(s).Get(t.Context(), "month-end")
	require.NoError(t, err, "the storage was called %s", order())
	require.Equal(t, fmt.Sprintf("state %d\n", won[0]), string(got.State),
		"the state of writer %d, which won; the storage was called %s", won[0], order())
}

func crashes(t *trial) {
	for at, reached := 1, true; reached; at++ {
		for _, c := range []crash{
			{at: at}, {at: at, landed: true}, {at: at, once: true},
			{at: at, once: true, landed: true},
		} {
			reached = t.crash(&c)
		}
	}
}

// crash reports whether a Put reached the call of a crash. A Put that returns nil has stored the
// whole snapshot.
func (t *trial) crash(c *crash) (reached bool) {
	s, storage := snapshot("month-end", "state\n"), t.answer.Memory(t)
	err := t.archive(c.on(storage)).Put(t.Context(), s)
	reached = c.calls >= c.at
	switch {
	case !reached:
		require.NoError(t, err, "Put without a crash")
	case !c.once && strings.HasPrefix(c.place, "put"):
		require.Error(t.Hint("return an error of the storage that is not contract."+
			"ErrObjectExists: the caller puts the snapshot again"), err, "Put with %s", c)
	}
	if err == nil {
		got, err := t.archive(storage).Get(t.Context(), s.Name)
		require.NoError(t.Hint("a Put that returns nil has stored both objects"), err,
			"get the snapshot after a Put that returned nil")
		requireSnapshot(t, s, got)
	}
	requireWhole(t, storage, s, c)
	return reached
}

// requireWhole requires that the snapshot is whole or absent after a crash, and that the next Put
// succeeds.
func requireWhole(t *trial, storage Storage, s contract.Snapshot, c *crash) {
	a, hinted := t.archive(storage), t.T
	if c.once {
		hinted = t.Hint("return an error of the put of the state at once: a manifest after it " +
			"would name a state that is not there")
	}
	got, err := a.Get(t.Context(), s.Name)
	if !errors.Is(err, contract.ErrNoSnapshot) {
		require.NoError(hinted, err, "get the snapshot after %s", c)
		requireSnapshot(t, s, got)
	}
	require.NoError(t, a.Put(t.Context(), s), "the next Put after %s", c)
	got, err = a.Get(t.Context(), s.Name)
	require.NoError(t, err, "get the snapshot after the next Put, after %s", c)
	requireSnapshot(t, s, got)
}
