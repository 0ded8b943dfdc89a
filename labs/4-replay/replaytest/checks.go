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

// snapshot of some state. A later minute is a later snapshot.
func snapshot(name, state string, minute int) contract.Snapshot {
	return contract.Snapshot{
		Name: name, Taken: noon.Add(time.Duration(minute)*time.Minute + 3*time.Microsecond), Cursor: contract.Cursor{7, 0, 12},
		Digest: sha256.Sum256([]byte(state)), State: []byte(state),
	}
}

var archiving = []spec{{
	Check: check.Check{ID: "L4.1", Points: 2, Invariant: "L4.I1", Title: "what was put is what one gets, to the byte",
		Hint: "cursor, count, digest and the microseconds too"},
	try: func(t *trial) {
		a, s := t.archive(), snapshot("month-end", "{\"trade\":1}\n{\"trade\":\"ü\"}\n", 0)
		t.put(a, s)
		got, err := a.Get(t.Context(), "month-end")
		require.NoError(t, err)
		require.Equal(t, s, got)
	},
}, {
	Check: check.Check{ID: "L4.2", Points: 1, Invariant: "L4.I1", Title: "an unknown name is ErrNoSnapshot",
		Hint: "tell an object that is not there from a server that does not answer"},
	try: func(t *trial) {
		a := t.archive()
		_, err := a.Get(t.Context(), "month-end")
		require.ErrorIs(t, err, contract.ErrNoSnapshot)
		names, err := a.Names(t.Context())
		require.NoError(t, err)
		require.Empty(t, names)
	},
}, {
	Check: check.Check{ID: "L4.3", Points: 3, Invariant: "L4.I2", Title: "a name that is taken by another state is refused, and the first stays",
		Hint: "let the object store decide: If-None-Match: * on the object that makes the snapshot count"},
	try: func(t *trial) {
		a, first := t.archive(), snapshot("month-end", "first\n", 0)
		t.put(a, first)
		require.ErrorIs(t, a.Put(t.Context(), snapshot("month-end", "second\n", 1)), contract.ErrSnapshotTaken)
		got, err := a.Get(t.Context(), "month-end")
		require.NoError(t, err)
		require.Equal(t, first, got)
	},
}, {
	Check: check.Check{ID: "L4.4", Points: 1, Invariant: "L4.I2", Title: "the same state again is fine",
		Hint: "a writer that heard nothing tries again"},
	try: func(t *trial) {
		a, first := t.archive(), snapshot("month-end", "first\n", 0)
		t.put(a, first)
		t.put(a, snapshot("month-end", "first\n", 1))
		got, err := a.Get(t.Context(), "month-end")
		require.NoError(t, err)
		require.Equal(t, first, got, "the snapshot as it was put first")
	},
}, {
	Check: check.Check{ID: "L4.5", Points: 3, Invariant: "L4.I2", Title: "of writers that put other states under one name, one wins, and its state is what one gets",
		Hint: "the loser's state must not lie where the winner's is read"},
	try: oneWinner,
}, {
	Check: check.Check{ID: "L4.6", Points: 3, Invariant: "L4.I1", Title: "a state that was tampered with is ErrSnapshotDamaged",
		Hint: "compute SHA-256 of what came, and compare it with what was put: an object store serves what it has"},
	try: func(t *trial) {
		a := t.archive()
		t.put(a, snapshot("month-end", "{\"open\":\"50\"}\n", 0))
		t.tamper(t, "month-end", []byte("{\"open\":\"51\"}\n"))
		_, err := a.Get(t.Context(), "month-end")
		require.ErrorIs(t, err, contract.ErrSnapshotDamaged)
	},
}, {
	Check: check.Check{ID: "L4.7", Points: 1, Invariant: "L4.I1", Title: "a digest that is not the state's is not archived",
		Hint: "check it before anything is written"},
	try: func(t *trial) {
		a, s := t.archive(), snapshot("month-end", "first\n", 0)
		s.Digest[0]++
		require.Error(t, a.Put(t.Context(), s))
		_, err := a.Get(t.Context(), "month-end")
		require.ErrorIs(t, err, contract.ErrNoSnapshot)
	},
}, {
	Check: check.Check{ID: "L4.8", Points: 1, Invariant: "L4.I1", Title: "names come in the order in which the snapshots were taken",
		Hint: "not in the order of their names"},
	try: func(t *trial) {
		a := t.archive()
		t.put(a, snapshot("b", "2\n", 2))
		t.put(a, snapshot("c", "1\n", 1))
		t.put(a, snapshot("a", "3\n", 3))
		names, err := a.Names(t.Context())
		require.NoError(t, err)
		require.Equal(t, []string{"c", "b", "a"}, names)
	},
}}

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
		require.ErrorIs(t, err, contract.ErrSnapshotTaken, "what a loser is told")
	}
	require.Len(t, won, 1, "writers that were told they won")
	got, err := a.Get(t.Context(), "month-end")
	require.NoError(t, err)
	require.Equal(t, fmt.Sprintf("state %d\n", won[0]), string(got.State))
}

var replaying = []spec{{
	Check: check.Check{ID: "L4.9", Points: 3, Invariant: "L4.I3", Title: "a replay of the events before a cursor comes to their state, and counts them",
		Hint: "the cursor is the first offset not in it; refusals count as events and take no part in the state"},
	try: func(t *trial) {
		s := newStory()
		r := t.fixture.Replayer(s.codec)
		for n := range len(s.events) + 1 {
			to := contract.Cursor{s.end}
			if n < len(s.events) {
				to = contract.Cursor{s.events[n].Position.Offset}
			}
			state, events, err := watchedReplayer{r, t}.Replay(t.Context(), s, to)
			require.NoError(t, err)
			require.Equal(t, string(s.state(n).Canonical()), string(state.Canonical()), "the state of the first %d events", n)
			require.EqualValues(t, n, events, "events replayed")
		}
	},
}, {
	Check: check.Check{ID: "L4.10", Points: 2, Invariant: "L4.I3", Title: "a replay stops at an event that does not decode",
		Hint: "what is left out of a proof is not proved"},
	try: func(t *trial) {
		s := newStory()
		s.events[4].Data = []byte{0, 0, 0, 0, 99}
		_, _, err := watchedReplayer{t.fixture.Replayer(s.codec), t}.Replay(t.Context(), s, contract.Cursor{s.end})
		require.ErrorIs(t, err, contract.ErrMalformed)
		require.ErrorContains(t, err, s.events[4].Stream)
	},
}, {
	Check: check.Check{ID: "L4.11", Points: 1, Invariant: "L4.I3", Title: "equal bytes do not differ, and every other pair does",
		Hint: "a line more, a line less, and a newline at the end are differences too"},
	try: func(t *trial) {
		r := t.replayer()
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
		require.Error(t, r.Compare([]byte("a\n"), []byte("a")), "a newline less")
	},
}, {
	Check: check.Check{ID: "L4.12", Points: 3, Invariant: "L4.I3", Title: "a history in which one event was changed differs, first where that event tells",
		Hint: "compare the canonical bytes, not values that were parsed from them"},
	try: func(t *trial) {
		s := newStory()
		archived := s.state(len(s.events)).Canonical()
		s.codec.bodies[1] = sellMore(s.codec.bodies[1])
		state, _, err := watchedReplayer{t.fixture.Replayer(s.codec), t}.Replay(t.Context(), s, contract.Cursor{s.end})
		require.NoError(t, err)
		difference := new(contract.Difference)
		require.ErrorAs(t, t.replayer().Compare(archived, state.Canonical()), &difference)
		require.Equal(t, 2, difference.Line, "the line of trade B")
		require.Contains(t, difference.Archived, `"contracted":"120"`)
		require.Contains(t, difference.Replay, `"contracted":"121"`)
	},
}}

func sellMore(b trade.Body) trade.Body {
	n := b.(trade.New)
	n.Quantity.Value = n.Quantity.Value.Add(trade.Int(1))
	return n
}
