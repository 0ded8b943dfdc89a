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
	Check: check.Check{
		ID: "L2.48", Points: 2, Invariant: "L2.I7",
		Title: "adjacent ranges of the feed give the whole feed, each event once",
		Misconception: "that a range includes its end, or excludes its start: then adjacent " +
			"ranges overlap or leave a gap",
		Hint: "a range is half-open, [from, to): the event at to belongs to the next " +
			"range; a nil from is the beginning",
	},
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
		requireSame(t, t.readAll(), byStream(ranges), "the ranges together")
		require.Len(t, ranges, 4*(1+2+3+1+2))
		for e, err := range t.store.Read(t.Context(), nil, from) {
			require.NoError(t, err)
			require.EqualValues(t, 1, e.Version)
			break // a reader may stop early
		}
	},
}, {
	Check: check.Check{
		ID: "L2.49", Points: 2, Invariant: "L2.I7",
		Title:         "a reader that stops after any event continues with the next event",
		Misconception: "that readers stop only between batches: a reader may stop after any event",
		Hint: "accept Cursor.After(position) of any event as the start and as the end " +
			"of a range",
	},
	try: func(t *trial) {
		for i := range 12 {
			name := fmt.Sprintf("trade/UTI-%d", i%5)
			t.append(name, contract.Any, t.events.next(name))
		}
		end := t.end()
		all := t.read(nil, end)
		var at contract.Cursor
		for n, e := range all {
			before := at
			at = at.After(e.Position)
			require.Equal(t, []contract.Recorded{e}, t.read(before, at), "the range of event %d",
				n+1)
			requireSame(t, byStream(all[n+1:]), byStream(t.read(at, end)),
				fmt.Sprintf("the events after event %d", n+1))
		}
	},
}, {
	Check: check.Check{
		ID: "L2.50", Points: 3, Invariant: "L2.I7",
		Title: "a follower sees every later event once, while others write",
		Misconception: "that a growing time or number shows which events are new: it is assigned " +
			"before the event is visible",
		Hint: "do not poll for position >= n: positions may become visible in another " +
			"order than they were assigned",
	},
	try: func(t *trial) {
		const writers, each = 8, 25
		t.append(stream, 0, t.events.next(stream))
		seen := t.follow(nil, 1+writers*each)
		t.write(writers, each)
		requireSame(t, t.readAll(), byStream(<-seen), "events that the follower saw")
	},
}, {
	Check: check.Check{
		ID: "L2.51", Points: 2, Invariant: "L2.I7",
		Title: "a follower continues from its cursor",
		Misconception: "that a follower wants the whole log, or only new events: its cursor says " +
			"where it starts",
		Hint: "yield no event before the cursor, and every event after it",
	},
	try: func(t *trial) {
		t.write(3, 5)
		middle := t.end()
		seen := t.follow(middle, 15)
		t.write(3, 5)
		requireSame(t, byStream(t.read(middle, t.end())), byStream(<-seen),
			"events that the follower saw")
	},
}, {
	Check: check.Check{
		ID: "L2.52", Points: 1, Invariant: "L2.I7",
		Title: "a follower ends with its context's error",
		Misconception: "that the end of a follower needs no error: a loop that just ends looks " +
			"like the end of the log",
		Hint: "yield the context's error once, then return",
	},
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
		require.Len(t, ends, 1, "errors of the follower")
		require.ErrorIs(t, ends[0], context.Canceled)
	},
}, {
	Check: check.Check{
		ID: "L2.22", Points: 3, Invariant: "L2.I7",
		Title: "a reader that repeatedly asks for the end never skips an event that " +
			"commits late",
		Misconception: "that every event that commits later is after the end: a transaction may " +
			"have begun before it",
		Hint: "return an end that is before every event that has not committed yet",
	},
	try: func(t *trial) {
		const writers, each = 8, 25
		written := check.Go(t, func() { t.write(writers, each) })
		var from contract.Cursor
		var got []contract.Recorded
		for done := false; !done; {
			select {
			case <-written:
				done = true // read one last range
			default:
			}
			to := t.end()
			got = append(got, t.read(from, to)...)
			from = to
		}
		requireSame(t, t.readAll(), byStream(got), "events that the reader saw")
		require.Len(t, got, writers*each)
	},
}}

// follow collects n events in the background, or fewer if the follower ends earlier.
func (t *trial) follow(from contract.Cursor, n int) <-chan []contract.Recorded {
	seen := make(chan []contract.Recorded, 1)
	check.Go(t, func() {
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
		t.Hint("a follower goes on after the end of the log, until its context ends").
			Errorf("the follower ended after %d of %d events", len(got), n)
	})
	return seen
}

// write runs concurrent writers. Each appends the given number of events, and two writers share a
// stream.
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
