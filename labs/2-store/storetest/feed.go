package storetest

import (
	"context"
	"fmt"
	"sync"

	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/kit/check"
	"example.com/blotter/labs/kit/contract"
)

var feed = []spec{{
	Check: check.Check{ID: "L2.15", Points: 2, Invariant: "L2.I7", Title: "ranges of the feed that abut give the whole of it, each event once",
		Misconception: "that a range includes its end, or begins behind its start: then ranges that abut overlap, or leave a gap",
		Hint:          "a range is half-open, [from, to): the event at to belongs to the next one; a nil from is the beginning"},
	try: func(t *trial) {
		require.Empty(t, t.read(nil, t.end()), "an empty log")
		var ranges []contract.Recorded
		var from contract.Cursor
		for round := range 5 {
			for i := range 4 {
				name := fmt.Sprintf("trade/UTI-%d", i)
				t.append(name, contract.Any, t.events.batch(name, 1+round%3)...)
			}
			to := t.end()
			ranges = append(ranges, t.read(from, to)...)
			require.Empty(t, t.read(to, to), "an empty range")
			from = to
		}
		same(t, t.whole(), byStream(ranges), "the ranges together")
		require.Len(t, ranges, 4*(1+2+3+1+2))
		for e, err := range t.store.Read(t.Context(), nil, from) {
			require.NoError(t, err)
			require.EqualValues(t, 1, e.Version)
			break // a reader may stop early
		}
	},
}, {
	Check: check.Check{ID: "L2.16", Points: 2, Invariant: "L2.I7", Title: "a reader that stops behind any event goes on with the next one",
		Misconception: "that one reads from where batches begin only: a reader may stop anywhere, and goes on there",
		Hint:          "Cursor.After(position) must be a place to read from, and to read up to"},
	try: func(t *trial) {
		for i := range 12 {
			name := fmt.Sprintf("trade/UTI-%d", i%5)
			t.append(name, contract.Any, t.events.next(name))
		}
		end := t.end()
		whole := t.read(nil, end)
		var at contract.Cursor
		for n, e := range whole {
			before := at
			at = at.After(e.Position)
			require.Equal(t, []contract.Recorded{e}, t.read(before, at), "the range of event %d alone", n+1)
			same(t, byStream(whole[n+1:]), byStream(t.read(at, end)), fmt.Sprintf("what follows event %d", n+1))
		}
	},
}, {
	Check: check.Check{ID: "L2.17", Points: 3, Invariant: "L2.I7", Title: "a follower sees what is appended later, each event once, whoever else writes",
		Misconception: "that what is new can be told by a time or a number that only grows: both are given before they can be seen",
		Hint:          "positions can become visible in another order than they were given: polling for position >= n skips those"},
	try: func(t *trial) {
		const writers, each = 8, 25
		t.append(stream, 0, t.events.next(stream))
		seen := t.follow(nil, 1+writers*each)
		t.write(writers, each)
		same(t, t.whole(), byStream(<-seen), "what the follower saw")
	},
}, {
	Check: check.Check{ID: "L2.18", Points: 2, Invariant: "L2.I7", Title: "a follower goes on from a cursor",
		Misconception: "that a follower wants it all, or only what comes now: it says from where",
		Hint:          "nothing before the cursor comes again, and nothing behind it is left out"},
	try: func(t *trial) {
		t.write(3, 5)
		middle := t.end()
		seen := t.follow(middle, 15)
		t.write(3, 5)
		same(t, byStream(t.read(middle, t.end())), byStream(<-seen), "what the follower saw")
	},
}, {
	Check: check.Check{ID: "L2.19", Points: 1, Invariant: "L2.I7", Title: "a follower ends with its context's error",
		Misconception: "that who goes away need not be told: a loop that simply ends looks as if the log had ended",
		Hint:          "yield the context's error once, then return"},
	try: func(t *trial) {
		first := t.events.next(stream)
		t.append(stream, 0, first)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var ends []error
		for e, err := range t.store.Follow(ctx, nil) {
			if err != nil {
				ends = append(ends, err)
				continue
			}
			require.Equal(t, first, e.Event)
			cancel()
		}
		require.Len(t, ends, 1, "errors that the follower gave")
		require.ErrorIs(t, ends[0], context.Canceled)
	},
}, {
	Check: check.Check{ID: "L2.20", Points: 3, Invariant: "L2.I7", Title: "a reader that asks for the end again and again never skips an event that commits late",
		Misconception: "that behind the end nothing can come any more that was begun before it",
		Hint:          "End must lie before everything that has not committed yet"},
	try: func(t *trial) {
		const writers, each = 8, 25
		done := make(chan struct{})
		go func() {
			defer close(done)
			t.write(writers, each)
		}()
		var from contract.Cursor
		var got []contract.Recorded
		for over := false; !over; {
			select {
			case <-done:
				over = true // one more range, for what came since the last
			default:
			}
			to := t.end()
			got = append(got, t.read(from, to)...)
			from = to
		}
		same(t, t.whole(), byStream(got), "what the reader saw")
		require.Len(t, got, writers*each)
	},
}}

// follow collects n events in the background. What it gives may be fewer if the follower ends before.
func (t *trial) follow(from contract.Cursor, n int) <-chan []contract.Recorded {
	seen := make(chan []contract.Recorded, 1)
	go func() {
		var got []contract.Recorded
		defer func() { seen <- got }()
		for e, err := range t.store.Follow(t.Context(), from) {
			if err != nil {
				t.Errorf("follower after %d events: %v", len(got), err)
				return
			}
			if got = append(got, e); len(got) == n {
				return
			}
		}
	}()
	return seen
}

// write has so many writers append that many events each, to streams of which each belongs to two of them.
func (t *trial) write(writers, each int) {
	var all sync.WaitGroup
	for w := range writers {
		name := fmt.Sprintf("trade/SHARED-%d", w/2)
		batch := t.events.batch(name, each)
		all.Go(func() {
			for _, e := range batch {
				if _, err := t.store.Append(t.Context(), name, contract.Any, e); err != nil {
					t.Errorf("append to %s: %v", name, err)
					return
				}
			}
		})
	}
	all.Wait()
}
