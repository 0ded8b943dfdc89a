package replaytest

import (
	"crypto/sha256"
	"fmt"
	"sync"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/kit/check"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
)

// snapshot returns a snapshot of some state. A later minute gives a later snapshot.
func snapshot(name, state string, minute int) contract.Snapshot {
	return contract.Snapshot{
		Name: name, Taken: noon.Add(time.Duration(minute)*time.Minute + 3*time.Microsecond),
		Cursor: contract.Cursor{7, 0, 12},
		Digest: sha256.Sum256([]byte(state)), State: []byte(state), Format: "example/v1",
		RecordedThrough: noon.Add(5 * time.Microsecond),
	}
}

var archiving = []spec{
	{check.Check{
		ID: "L4.1", Points: 2, Invariant: "L4.I1",
		Title: "Get returns the snapshot that was put, to the byte",
		Hint:  "store the cursor and the digest, too, and both times with their microseconds",
	}, sameBytes},
	{check.Check{
		ID: "L4.2", Points: 1, Invariant: "L4.I1",
		Title: "an unknown name is ErrNoSnapshot",
		Hint:  "a missing object and a server that does not answer are different errors",
	}, unknownName},
	{check.Check{
		ID: "L4.3", Points: 3, Invariant: "L4.I2",
		Title: "another state under a name that is taken is refused, and the first state stays",
		Hint: "let the object store decide: " +
			"If-None-Match: * on the object that makes the snapshot exist",
	}, takenName},
	{check.Check{
		ID: "L4.4", Points: 1, Invariant: "L4.I2",
		Title: "putting the same state again succeeds",
		Hint:  "a writer that got no answer tries again",
	}, sameStateAgain},
	{check.Check{
		ID: "L4.5", Points: 3, Invariant: "L4.I2",
		Title: "of several writers with different states under one name, one wins, " +
			"and Get returns its state",
		Hint: "the losers must not overwrite the object from which the winner's state is read",
	}, oneWinner},
	{check.Check{
		ID: "L4.6", Points: 3, Invariant: "L4.I1",
		Title: "a state that was changed in the archive is ErrSnapshotDamaged",
		Hint: "compute SHA-256 of the bytes that were read; compare it with the stored digest: " +
			"an object store does not check this",
	}, changedState},
	{check.Check{
		ID: "L4.7", Points: 1, Invariant: "L4.I1",
		Title: "a snapshot whose digest does not match its state is not archived",
		Hint:  "check the digest before anything is written",
	}, wrongDigest},
	{check.Check{
		ID: "L4.8", Points: 1, Invariant: "L4.I1",
		Title: "List returns the snapshots without their states, in the order of their times",
		Hint:  "sort by the time of the snapshots, not by their names",
	}, listed},
}

func sameBytes(t *trial) {
	a, s := t.archive(), snapshot("month-end", "{\"trade\":1}\n{\"trade\":\"ü\"}\n", 0)
	t.put(a, s)
	got, err := a.Get(t.Context(), "month-end")
	require.NoError(t, err)
	require.Equal(t, s, got)
}

func unknownName(t *trial) {
	a := t.archive()
	_, err := a.Get(t.Context(), "month-end")
	require.ErrorIs(t, err, contract.ErrNoSnapshot)
	all, err := a.List(t.Context())
	require.NoError(t, err)
	require.Empty(t, all)
}

func takenName(t *trial) {
	a, first := t.archive(), snapshot("month-end", "first\n", 0)
	t.put(a, first)
	err := a.Put(t.Context(), snapshot("month-end", "second\n", 1))
	require.ErrorIs(t, err, contract.ErrSnapshotTaken)
	got, err := a.Get(t.Context(), "month-end")
	require.NoError(t, err)
	require.Equal(t, first, got)
}

func sameStateAgain(t *trial) {
	a, first := t.archive(), snapshot("month-end", "first\n", 0)
	t.put(a, first)
	t.put(a, snapshot("month-end", "first\n", 1))
	got, err := a.Get(t.Context(), "month-end")
	require.NoError(t, err)
	require.Equal(t, first, got, "the snapshot as it was put first")
}

func oneWinner(t *trial) {
	const writers = 6
	a, start := t.archive(), make(chan struct{})
	errs := make([]error, writers)
	var all sync.WaitGroup
	for i := range writers {
		all.Go(func() {
			<-start
			errs[i] = a.Put(t.Context(), snapshot("month-end", fmt.Sprintf("state %d\n", i), i))
		})
	}
	close(start)
	all.Wait()
	var won []int
	for i, err := range errs {
		if err == nil {
			won = append(won, i)
			continue
		}
		require.ErrorIs(t, err, contract.ErrSnapshotTaken, "the error of a writer that lost")
	}
	require.Len(t, won, 1, "writers whose Put succeeded")
	got, err := a.Get(t.Context(), "month-end")
	require.NoError(t, err)
	require.Equal(t, fmt.Sprintf("state %d\n", won[0]), string(got.State))
}

func changedState(t *trial) {
	a := t.archive()
	t.put(a, snapshot("month-end", "{\"open\":\"50\"}\n", 0))
	t.tamper(t, "month-end", []byte("{\"open\":\"51\"}\n"))
	_, err := a.Get(t.Context(), "month-end")
	require.ErrorIs(t, err, contract.ErrSnapshotDamaged)
}

func wrongDigest(t *trial) {
	a, s := t.archive(), snapshot("month-end", "first\n", 0)
	s.Digest[0]++
	require.Error(t, a.Put(t.Context(), s))
	_, err := a.Get(t.Context(), "month-end")
	require.ErrorIs(t, err, contract.ErrNoSnapshot)
}

func listed(t *trial) {
	a := t.archive()
	want := []contract.Snapshot{
		snapshot("c", "1\n", 1), snapshot("b", "2\n", 2), snapshot("a", "3\n", 3),
	}
	for _, i := range []int{1, 0, 2} {
		t.put(a, want[i])
		want[i].State = nil
	}
	all, err := a.List(t.Context())
	require.NoError(t, err)
	require.Equal(t, want, all)
}

var replaying = []spec{
	{check.Check{
		ID: "L4.9", Points: 3, Invariant: "L4.I3",
		Title: "a replay of the events before a cursor gives their state and their number",
		Hint: "the cursor is the first offset that is not replayed; " +
			"refusals count as events and do not change the state",
	}, everyCursor},
	{check.Check{
		ID: "L4.10", Points: 2, Invariant: "L4.I3",
		Title: "a replay stops at an event that cannot be decoded yet",
		Hint:  "a replay that skips an event vouches for another history",
	}, noRegistry},
	{check.Check{
		ID: "L4.11", Points: 1, Invariant: "L4.I3",
		Title: "Compare returns nil only for equal bytes, otherwise the first line that differs",
		Hint:  "a line more, a line less, and a newline at the end are differences, too",
	}, compared},
	{check.Check{
		ID: "L4.12", Points: 3, Invariant: "L4.I3",
		Title: "after a change of one event the replay differs, first at the line of its trade",
		Hint:  "compare the canonical bytes, not values that were parsed from them",
	}, changedEvent},
}

func everyCursor(t *trial) {
	s := newStory()
	r := t.replayer(s.codec)
	for n := range len(s.events) + 1 {
		to := contract.Cursor{s.end}
		if n < len(s.events) {
			to = contract.Cursor{s.events[n].Position.Offset}
		}
		state, events, err := r.Replay(t.Context(), s, to)
		require.NoError(t, err)
		require.Equal(t, string(s.state(n).Canonical()), string(state.Canonical()),
			"the state of the first %d events", n)
		require.EqualValues(t, n, events, "events replayed")
	}
}

func noRegistry(t *trial) {
	s := newStory()
	s.events[4].Data = elsewhere
	_, _, err := t.replayer(s.codec).Replay(t.Context(), s, contract.Cursor{s.end})
	require.ErrorIs(t, err, errNoRegistry)
	require.ErrorContains(t, err, s.events[4].Stream)
}

func compared(t *trial) {
	r := t.replayer(&numberCodec{})
	for _, tc := range []struct {
		archived, replayed string
		want               *contract.Difference
	}{
		{"", "", nil},
		{"a\nb\n", "a\nb\n", nil},
		{"a\nb\n", "a\nc\n", &contract.Difference{Line: 2, Archived: "b", Replay: "c"}},
		{"a\nb\n", "a\n", &contract.Difference{Line: 2, Archived: "b"}},
		{"a\n", "a\nb\n", &contract.Difference{Line: 2, Replay: "b"}},
		{"a\n", "", &contract.Difference{Line: 1, Archived: "a"}},
	} {
		err := r.Compare([]byte(tc.archived), []byte(tc.replayed))
		if tc.want == nil {
			require.NoError(t, err, "%q and %q", tc.archived, tc.replayed)
			continue
		}
		difference := new(contract.Difference)
		require.ErrorAs(t, err, &difference, "%q and %q", tc.archived, tc.replayed)
		require.Equal(t, tc.want, difference)
	}
	require.Error(t, r.Compare([]byte("a\n"), []byte("a")), "without the newline at the end")
}

func changedEvent(t *trial) {
	s := newStory()
	archived := s.state(len(s.events)).Canonical()
	s.codec.bodies[1] = sellMore(s.codec.bodies[1])
	r := t.replayer(s.codec)
	state, _, err := r.Replay(t.Context(), s, contract.Cursor{s.end})
	require.NoError(t, err)
	difference := new(contract.Difference)
	require.ErrorAs(t, r.Compare(archived, state.Canonical()), &difference)
	require.Equal(t, 2, difference.Line, "the line of trade B")
	require.Contains(t, difference.Archived, `"contracted":"120"`)
	require.Contains(t, difference.Replay, `"contracted":"121"`)
}

func sellMore(b trade.Body) trade.Body {
	n := b.(trade.New)
	n.Quantity.Value = n.Quantity.Value.Add(trade.Int(1))
	return n
}
