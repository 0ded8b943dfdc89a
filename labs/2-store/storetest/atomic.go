package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/kit/check"
	"example.com/blotter/labs/kit/contract"
)

// The streams of the checks of contract.Atomic. All but the last share a place.
const (
	cash    = "account/main/cash"
	fees    = "account/main/fees"
	journal = "journal/main/1"
	period  = "period/main/2025-03"
	foreign = "account/other/cash"
)

var atomicAppends = []spec{{
	Check: check.Check{
		ID: "L2.62", Points: 3, Invariant: "L2.I14",
		Title: "an append to several streams is recorded whole or not at all, and its error " +
			"names the stream",
		Misconception: "that the streams may be appended to one after the other: a conflict on " +
			"the last one leaves the others half done",
		Hint: "decide about all streams before anything is written, and write all events in one " +
			"transaction",
	},
	try: func(t *trial) {
		first := t.posting(journal, cash, cash, fees)
		receipts := t.appendAll(first)
		require.Equal(t, [][]int64{{1}, {1, 2}, {1}}, versionsOf(receipts))
		for i, a := range first {
			requireEvents(t, 1, grouped(first)[i].Events, t.stream(a.Stream))
		}
		t.append(fees, 1, t.events.next(fees))
		ending := t.events.next("account/main/closed")
		ending.Ends = true
		t.append(ending.Stream, 0, ending)

		for _, tc := range []struct {
			stream           string
			expected, actual int64
		}{{fees, 1, 2}, {cash, 0, 2}, {cash, 3, 2}, {"account/main/none", 1, 0}} {
			appends := t.posting("journal/main/2", tc.stream)
			appends[1].Expected = tc.expected
			conflict := new(contract.ConflictError)
			require.ErrorAs(t, t.refusedAll(appends), &conflict)
			require.Equal(t, contract.ConflictError{
				Stream: tc.stream, Expected: tc.expected, Actual: tc.actual,
			}, *conflict)
		}
		ended := new(contract.EndedError)
		require.ErrorAs(t, t.refusedAll(t.posting("journal/main/2", ending.Stream)), &ended)
		require.Equal(t, contract.EndedError{Stream: ending.Stream, Version: 1}, *ended)
		t.refusesInvalid()
	},
}, {
	Check: check.Check{
		ID: "L2.63", Points: 2, Invariant: "L2.I15",
		Title: "a guard refuses an append if its stream has another version, and adds nothing " +
			"to it",
		Misconception: "that a guard is an empty append: the guarded stream gets no version",
		Hint: "compare the versions of guards where you compare expected versions, in the same " +
			"atomic step as the write",
	},
	try: func(t *trial) {
		none := contract.Guard{Stream: period}
		t.appendAll(t.posting(cash, fees), none)
		t.append(period, 0, t.events.next(period))
		open := contract.Guard{Stream: period, Version: 1}
		t.appendAll(t.posting(cash, fees), open, contract.Guard{Stream: journal})
		require.Len(t, t.stream(period), 1)
		t.appendAll(t.posting(period, journal))
		for _, moved := range []contract.Guard{none, open, {Stream: period, Version: 3}} {
			for _, also := range [][]contract.Guard{nil, {{Stream: journal, Version: 1}}} {
				conflict := new(contract.ConflictError)
				err := t.refusedAll(t.posting(cash, fees), append(also, moved)...)
				require.ErrorAs(t, err, &conflict)
				require.Equal(t, contract.ConflictError{
					Stream: period, Expected: moved.Version, Actual: 2,
				}, *conflict)
			}
		}
	},
}, {
	Check: check.Check{
		ID: "L2.64", Points: 4, Invariant: "L2.I15",
		Title: "of writers that guard a stream while another appends to it, none is recorded " +
			"after that",
		Misconception: "that a guard may be read before the write: its stream moves on in between",
		Hint: "an append to a guarded stream must wait for the appends that guard it, or they " +
			"for it: let one owner decide, or let both take one lock",
	},
	parts: []part{{
		hint: "Append moves a guarded stream on, too: it takes the same lock",
		try:  func(t *trial) { t.raceWithClosing(t.closePlain) },
	}, {
		hint: "AppendAll moves guarded streams on, too",
		try:  func(t *trial) { t.raceWithClosing(t.closeAtomic) },
	}},
}, {
	Check: check.Check{
		ID: "L2.65", Points: 3, Invariant: "L2.I16",
		Title: "all events of an append have one recorded_at and one append group, and times " +
			"rise from append to append",
		Misconception: "that each event needs a time of its own: a question as known at a time " +
			"between them would see half of the append",
		Hint: "take one time with contract.Stamp after the latest of all streams and guards of " +
			"the append, and use it for every event; contract.GroupOf gives the append group",
	},
	try: func(t *trial) {
		last := noon.Add(-time.Microsecond)
		for _, step := range []struct {
			clock time.Time
			want  time.Time
			touch []string
		}{
			{noon, noon, []string{cash, fees}},
			{noon.Add(-time.Hour), noon.Add(time.Microsecond), []string{journal, cash, cash}},
			{noon.Add(-time.Hour), noon.Add(2 * time.Microsecond), []string{fees, fees, fees}},
			{noon.Add(time.Minute + 999), noon.Add(time.Minute), []string{journal, fees}},
		} {
			t.clock.set(step.clock)
			appends := t.posting(step.touch...)
			receipts := t.appendAll(appends)
			for i, a := range appends {
				events := t.stream(a.Stream)
				events = events[len(events)-len(a.Events):]
				for n, e := range events {
					require.Equal(t, step.want, e.RecordedAt, "recorded_at in %s", a.Stream)
					require.Equal(t, step.want, receipts[i][n].RecordedAt, "receipt")
					require.Equal(t, contract.GroupOf(appends...), e.AppendGroup, "append group")
				}
			}
			require.True(t, step.want.After(last))
			last = step.want
		}
		t.clock.set(noon)
		guarded := t.appendAll(t.posting("journal/main/9"),
			contract.Guard{Stream: fees, Version: 5})
		require.True(t.Hint("the times of guards count, too"),
			guarded[0][0].RecordedAt.After(last), "recorded_at is after that of the guard")
	},
}, {
	Check: check.Check{
		ID: "L2.66", Points: 4, Invariant: "L2.I17",
		Title: "the events of an append are next to each other in the feed, and no reader of " +
			"an end sees only some of them",
		Misconception: "that a transaction is enough: the feed may place the events of two " +
			"transactions alternately",
		Hint: "give all events of one append their places in the feed together, and let End " +
			"return only the ends of appends",
	},
	try: func(t *trial) {
		const writers, each, size = 8, 12, 4
		seen := t.follow(nil, writers*each*(size+1))
		written := check.Go(t, func() { t.writeAll(writers, each) })
		var from contract.Cursor
		for done := false; !done; {
			select {
			case <-written:
				done = true // read one last range
			default:
			}
			to := t.end()
			requireWhole(t, t.read(from, to), size)
			from = to
		}
		all := t.read(nil, from)
		require.Len(t, all, writers*each*(size+1))
		require.Equal(t, writers*each, requireWhole(t, all, size), "append groups in the log")
		require.Equal(t, writers*each, requireWhole(t, <-seen, size), "append groups followed")
	},
}, {
	Check: check.Check{
		ID: "L2.67", Points: 3, Invariant: "L2.I18",
		Title: "the same append again gets the receipts of the first time, and a part of it is " +
			"ErrPartial",
		Misconception: "that the first stream tells whether an append is recorded",
		Hint: "look up the ids of all streams before you compare versions and guards; events " +
			"with another append group were recorded by another append",
	},
	try: func(t *trial) {
		appends := t.posting(journal, cash, cash, fees)
		for i := range appends {
			appends[i].Expected = 0
		}
		guard := contract.Guard{Stream: period}
		first := t.appendAll(appends, guard)
		t.append(cash, 2, t.events.next(cash))
		t.append(period, 0, t.events.next(period))
		before := t.readAll()
		require.Equal(t, first, t.appendAll(appends, guard), "receipts of the retry")
		require.Equal(t, first, t.appendAll(grouped(appends)), "with its append group, no guard")
		turned := slices.Clone(appends)
		slices.Reverse(turned)
		slices.Reverse(first)
		require.Equal(t, first, t.appendAll(turned), "with its streams in another order")
		requireSame(t, before, t.readAll(), "the log after the retries")

		more := append(slices.Clone(appends), t.posting("journal/main/2")...)
		for i := range more {
			more[i].Expected = contract.Any
		}
		require.ErrorIs(t, t.refusedAll(more), contract.ErrPartial)
		require.ErrorIs(t, t.refusedAll(appends[:2]), contract.ErrPartial, "less than the append")
		plain := t.posting("journal/main/3", fees)
		t.append(plain[0].Stream, 0, plain[0].Events...)
		t.append(plain[1].Stream, 1, plain[1].Events...)
		require.ErrorIs(t, t.refusedAll(plain), contract.ErrPartial, "appended one by one")
		other := t.posting(fees, journal)
		other[1].Events[0].ID = appends[1].Events[1].ID
		reused := new(contract.ReusedError)
		require.ErrorAs(t, t.refusedAll(other), &reused)
		require.Equal(t, contract.ReusedError{ID: other[1].Events[0].ID, Stream: cash}, *reused)
	},
}, {
	Check: check.Check{
		ID: "L2.68", Points: 1, Invariant: "L2.I19",
		Title: "an append to streams that do not share their place is *ApartError and writes " +
			"nothing",
		Misconception: "that two streams are together if they happen to be in one partition: " +
			"with more partitions the same append would be refused",
		Hint: "call contract.Apart with all streams and guards before anything is written",
	},
	try: func(t *trial) {
		apart := new(contract.ApartError)
		require.ErrorAs(t, t.refusedAll(t.posting(cash, foreign)), &apart)
		require.Equal(t, contract.ApartError{Stream: cash, Other: foreign}, *apart)
		require.ErrorAs(t, t.refusedAll(t.posting(cash), contract.Guard{Stream: stream}), &apart)
		require.Equal(t, contract.ApartError{Stream: cash, Other: stream}, *apart)
		require.True(t, t.atomic().Together(cash, fees, journal, period))
		require.True(t, t.atomic().Together(stream, stream))
		require.False(t, t.atomic().Together(cash, foreign))
		require.False(t, t.atomic().Together(stream, "refused/UTI-1"))
		t.appendAll(t.posting(stream))
	},
}, {
	Check: check.Check{
		ID: "L2.69", Points: 3, Invariant: "L2.I14",
		Title: "of writers that append to the same streams in any order, each is recorded once " +
			"and whole",
		Misconception: "that locks may be taken in the order of the caller: two writers with the " +
			"same streams in another order wait for each other",
		Hint: "take locks in one order, such as that of the names; repeat an append that lost a " +
			"race, for its condition may still hold",
	},
	try: func(t *trial) {
		const writers, each = 8, 10
		atomic := t.atomic()
		batches := make([][][]contract.StreamAppend, writers)
		for w := range batches {
			for range each {
				appends := t.posting(cash, fees, journal)
				if w%2 == 0 {
					slices.Reverse(appends)
				}
				batches[w] = append(batches[w], appends)
			}
		}
		t.together(writers, func(ctx context.Context, w int) error {
			for _, appends := range batches[w] {
				if _, err := atomic.AppendAll(ctx, appends); err != nil {
					return err
				}
			}
			return nil
		})
		for _, name := range []string{cash, fees, journal} {
			require.Len(t, t.stream(name), writers*each, "events of %s", name)
		}
		won := make(chan int, writers)
		expected := make([][]contract.StreamAppend, writers)
		for w := range expected {
			expected[w] = t.posting(cash, fmt.Sprintf("journal/main/r%d", w))
			expected[w][0].Expected = writers * each
		}
		t.together(writers, func(ctx context.Context, w int) error {
			_, err := atomic.AppendAll(ctx, expected[w])
			conflict := new(contract.ConflictError)
			if errors.As(err, &conflict) {
				return nil
			}
			won <- w
			return err
		})
		require.Len(t, won, 1, "writers that expected the same version and succeeded")
	},
}}

var atomicDurability = []spec{{
	Check: check.Check{
		ID: "L2.70", Points: 2, Invariant: "L2.I18",
		Title:         "a crash changes nothing of an append to several streams, nor its retry",
		Misconception: "that the process may remember which appends were recorded together",
		Hint:          "record the append group with each event, and read it back",
	},
	try: func(t *trial) {
		appends := t.posting(journal, cash, fees, fees)
		first := t.appendAll(appends)
		before := t.readAll()
		t.reopen()
		requireSame(t, before, t.readAll(), "the log after a crash")
		require.Equal(t, first, t.appendAll(appends), "receipts of the retry")
		require.ErrorIs(t, t.refusedAll(appends[:1]), contract.ErrPartial)
		conflict := new(contract.ConflictError)
		require.ErrorAs(t, t.refusedAll(t.posting(cash), contract.Guard{Stream: fees, Version: 1}),
			&conflict)
		t.clock.set(noon.Add(-time.Hour))
		next := t.appendAll(t.posting(cash, fees))
		require.Equal(t, first[0][0].RecordedAt.Add(time.Microsecond), next[0][0].RecordedAt)
	},
}}

// atomic returns the store as contract.Atomic, which its fixture declares.
func (t *trial) atomic() contract.Atomic {
	a, ok := t.store.(watched).store.(contract.Atomic)
	require.True(t, ok, "the fixture says that the store is contract.Atomic")
	return a
}

// posting returns an append of a new event for each stream, at any version. A stream that comes
// several times gets several events.
func (t *trial) posting(streams ...string) (appends []contract.StreamAppend) {
	for _, name := range streams {
		e := t.events.next(name)
		e.AppendGroup = uuid.Nil
		i := slices.IndexFunc(appends, func(a contract.StreamAppend) bool {
			return a.Stream == name
		})
		if i < 0 {
			i = len(appends)
			appends = append(appends, contract.StreamAppend{Stream: name, Expected: contract.Any})
		}
		appends[i].Events = append(appends[i].Events, e)
	}
	return appends
}

// grouped returns an append as it is read from the log: its events have their append group.
func grouped(appends []contract.StreamAppend) []contract.StreamAppend {
	group := contract.GroupOf(appends...)
	appends = slices.Clone(appends)
	for i := range appends {
		appends[i].Events = slices.Clone(appends[i].Events)
		for n := range appends[i].Events {
			appends[i].Events[n].AppendGroup = group
		}
	}
	return appends
}

// appendAll requires that the append succeeds.
func (t *trial) appendAll(
	appends []contract.StreamAppend, guards ...contract.Guard,
) [][]contract.Receipt {
	receipts, err := t.atomic().AppendAll(t.Context(), appends, guards...)
	t.Answered("AppendAll", err)
	require.NoError(t, err, "append to %d streams with %d guards", len(appends), len(guards))
	require.Len(t, receipts, len(appends), "receipts of each stream")
	for i, a := range appends {
		require.Len(t, receipts[i], len(a.Events), "one receipt for each event of %s", a.Stream)
	}
	return receipts
}

// refusedAll requires that the append fails and leaves the log unchanged. It returns the error.
func (t *trial) refusedAll(appends []contract.StreamAppend, guards ...contract.Guard) error {
	before := t.readAll()
	receipts, err := t.atomic().AppendAll(t.Context(), appends, guards...)
	t.Answered("AppendAll", err)
	require.Error(t, err, "append to %d streams with %d guards", len(appends), len(guards))
	require.Empty(t, receipts, "receipts with an error")
	requireSame(t, before, t.readAll(), "the log after an append that failed")
	return err
}

func versionsOf(receipts [][]contract.Receipt) [][]int64 {
	all := make([][]int64, len(receipts))
	for i := range receipts {
		for _, r := range receipts[i] {
			all[i] = append(all[i], r.Version)
		}
	}
	return all
}

// refusesInvalid requires that malformed appends are refused.
func (t *trial) refusesInvalid() {
	type appends = []contract.StreamAppend
	for name, change := range map[string]func(appends) appends{
		"no stream":               func(appends) appends { return nil },
		"a stream without events": func(a appends) appends { a[1].Events = nil; return a },
		"an invalid event":        func(a appends) appends { a[1].Events[0].Actor = ""; return a },
		"an event of another stream": func(a appends) appends {
			a[1].Events[0].Stream = cash
			return a
		},
		"a stream twice": func(a appends) appends { return append(a, t.posting(cash)...) },
		"an id twice": func(a appends) appends {
			a[1].Events[0].ID = a[0].Events[0].ID
			return a
		},
		"another append group": func(a appends) appends {
			a[1].Events[0].AppendGroup = uuid.NameSpaceURL
			return a
		},
		"too much data": func(a appends) appends {
			a[0].Events[0].Data = append(a[0].Events[0].Data, make([]byte, contract.MaxData/2)...)
			a[1].Events[0].Data = append(a[1].Events[0].Data, make([]byte, contract.MaxData/2)...)
			return a
		},
		"too many events": func(appends) appends {
			return t.posting(slices.Repeat([]string{cash}, contract.MaxAppend+1)...)
		},
	} {
		err := t.refusedAll(change(t.posting(cash, fees)))
		require.ErrorIs(t, err, contract.ErrInvalid, name)
	}
	for name, guards := range map[string][]contract.Guard{
		"a stream of the append": {{Stream: cash, Version: 2}},
		"any version":            {{Stream: period, Version: contract.Any}},
		"a stream twice":         {{Stream: period}, {Stream: period}},
		"no name":                {{}},
	} {
		err := t.refusedAll(t.posting(cash, fees), guards...)
		require.ErrorIs(t, err, contract.ErrInvalid, "a guard with %s", name)
	}
}

// closePlain and closeAtomic append one event to the period, which the returned event is.
func (t *trial) closePlain() (contract.Event, func(context.Context) error) {
	e := t.events.next(period)
	return e, func(ctx context.Context) error {
		_, err := t.store.Append(ctx, period, 1, e)
		return err
	}
}

func (t *trial) closeAtomic() (contract.Event, func(context.Context) error) {
	appends, atomic := t.posting(period, "journal/main/closing"), t.atomic()
	appends[0].Expected = 1
	return appends[0].Events[0], func(ctx context.Context) error {
		_, err := atomic.AppendAll(ctx, appends)
		return err
	}
}

// raceWithClosing lets 64 writers guard the period while it is closed.
func (t *trial) raceWithClosing(closing func() (contract.Event, func(context.Context) error)) {
	const writers = 64
	t.append(period, 0, t.events.next(period))
	last, closePeriod := closing()
	atomic, postings := t.atomic(), make([][]contract.StreamAppend, writers)
	for w := range postings {
		postings[w] = t.posting(cash, fmt.Sprintf("journal/main/%d", w))
	}
	recorded := make([]bool, writers)
	t.together(writers+1, func(ctx context.Context, w int) error {
		if w == writers/2 {
			return closePeriod(ctx)
		}
		if w > writers/2 {
			w--
		}
		_, err := atomic.AppendAll(ctx, postings[w], contract.Guard{Stream: period, Version: 1})
		conflict := new(contract.ConflictError)
		if errors.As(err, &conflict) && conflict.Stream == period && conflict.Actual == 2 {
			return nil
		}
		recorded[w] = err == nil
		return err
	})
	want, got := 0, 0
	for _, r := range recorded {
		if r {
			want++
		}
	}
	var closed *contract.Recorded
	for _, e := range t.read(nil, t.end()) {
		if e.ID == last.ID {
			closed = &e
		}
		if e.Stream == cash {
			got++
			require.Nil(t, closed, "a guarded append has its place after the stream moved on")
		}
		if closed != nil && e.ID != last.ID {
			require.False(t, e.RecordedAt.Before(closed.RecordedAt),
				"recorded_at of an event after the closing")
		}
	}
	require.NotNil(t, closed, "the closing is recorded")
	require.Equal(t, want, got, "guarded appends on record: those that were acknowledged")
	for _, e := range t.stream(cash) {
		require.True(t, e.RecordedAt.Before(closed.RecordedAt),
			"a guarded append has a time before the closing: %s", e.RecordedAt)
	}
}

// together runs n writers at the same time, and requires that none of them fails.
func (t *trial) together(n int, do func(ctx context.Context, writer int) error) {
	errs := make([]error, n)
	start := make(chan struct{})
	var all sync.WaitGroup
	for w := range n {
		all.Go(func() {
			<-start
			errs[w] = do(t.Context(), w)
		})
	}
	close(start)
	all.Wait()
	for w, err := range errs {
		t.Answered("AppendAll", err)
		require.NoError(t, err, "writer %d", w)
	}
}

// writeAll runs concurrent writers. Each round of a writer is an append of four events to streams
// that it shares with others, and one of a single event.
func (t *trial) writeAll(writers, each int) {
	atomic := t.atomic()
	var all sync.WaitGroup
	for w := range writers {
		main := w%4 != 0 // else the streams of another place
		var postings [][]contract.StreamAppend
		var single []contract.Event
		for range each {
			if main {
				postings = append(postings, t.posting(cash, fees, fees, "journal/main/7"))
			} else {
				postings = append(postings, t.posting(foreign, "journal/other/7", foreign, foreign))
			}
			e := t.events.next([]string{fees, stream, foreign}[w%3])
			e.AppendGroup = uuid.Nil
			single = append(single, e)
		}
		all.Go(func() {
			for i := range postings {
				_, err := atomic.AppendAll(t.Context(), postings[i])
				if err == nil {
					_, err = t.store.Append(t.Context(), single[i].Stream, contract.Any, single[i])
				}
				if err != nil {
					t.Errorf("writer %d: %v", w, err)
					return
				}
			}
		})
	}
	all.Wait()
}

// requireWhole requires that the events of each append are next to each other in their partition,
// and that none of the size events is missing. It returns the number of appends.
func requireWhole(t *trial, events []contract.Recorded, size int) int {
	last, seen := map[int32]uuid.UUID{}, map[uuid.UUID]int{}
	times := map[uuid.UUID]time.Time{}
	for _, e := range events {
		group, p := e.AppendGroup, e.Position.Partition
		if group != uuid.Nil {
			require.True(t, seen[group] == 0 || last[p] == group,
				"event %s at %s is apart from the other events of its append", e.ID, e.Position)
			if seen[group]++; seen[group] == 1 {
				times[group] = e.RecordedAt
			}
			require.Equal(t, times[group], e.RecordedAt, "recorded_at within one append")
		}
		last[p] = group
	}
	for group, n := range seen {
		require.Equal(t, size, n, "events of the append %s that a reader sees", group)
	}
	return len(seen)
}
