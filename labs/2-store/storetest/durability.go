package storetest

import (
	"errors"
	"fmt"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/kit/check"
	"example.com/blotter/labs/kit/contract"
)

var durability = []spec{{
	Check: check.Check{ID: "L2.26", Points: 2, Invariant: "L2.I6", Title: "what was acknowledged is there after a crash, as it was",
		Misconception: "that what the broker has taken, or what is in memory, is durable",
		Hint:          "a receipt is a promise: give it when the events are durable, not before"},
	try: func(t *trial) {
		for i := range 10 {
			name := fmt.Sprintf("trade/UTI-%d", i%4)
			t.append(name, contract.Any, t.events.batch(name, 1+i%3)...)
		}
		before, end := t.whole(), t.end()
		t.reopen()
		same(t, before, byStream(t.read(nil, end)), "the same range")
		same(t, before, t.whole(), "the whole log")
		for name, events := range before {
			require.Equal(t, events, t.stream(name))
		}
	},
}, {
	Check: check.Check{ID: "L2.27", Points: 3, Invariant: "L2.I4", Title: "a retry after a crash gives the receipts of the first time",
		Misconception: "that ids may be remembered by the process: the retry comes after the crash, for that is why it comes",
		Hint:          "what is known of ids and versions must come from the log, or be as durable as it"},
	try: func(t *trial) {
		batch := t.events.batch(stream, 3)
		first := t.append(stream, 0, batch...)
		t.reopen()
		require.Equal(t, first, t.append(stream, 0, batch...))
		other := batch[1]
		other.Reason = "another reason"
		reused := new(contract.ReusedError)
		require.ErrorAs(t, t.refused(stream, 3, other), &reused)
		conflict := new(contract.ConflictError)
		require.ErrorAs(t, t.refused(stream, 2, t.events.next(stream)), &conflict)
		require.EqualValues(t, 3, conflict.Actual)
	},
}, {
	Check: check.Check{ID: "L2.28", Points: 1, Invariant: "L2.I8", Title: "time does not run backwards over a crash",
		Misconception: "that time begins with the process: the log has been stamped before",
		Hint:          "take the last time from the log, not from memory"},
	try: func(t *trial) {
		last := t.append(stream, 0, t.events.next(stream))[0].RecordedAt
		t.reopen()
		t.now.set(noon.Add(-time.Hour))
		next := t.append(stream, 1, t.events.next(stream))[0].RecordedAt
		require.Equal(t, last.Add(time.Microsecond), next)
	},
}, {
	Check: check.Check{ID: "L2.34", Points: 1, Invariant: "L2.I10", Title: "a stream that has ended stays so over a crash",
		Misconception: "that who ended a stream remembers it: the next owner has only the log",
		Hint:          "whether a stream has ended is in its last event, wherever that is kept"},
	try: func(t *trial) {
		batch := t.events.batch(stream, 3)
		batch[2].Ends = true
		first := t.append(stream, 0, batch...)
		t.reopen()
		wantEnded(t, 3, t.refused(stream, 3, t.events.next(stream)))
		require.Equal(t, first, t.append(stream, 0, batch...))
	},
}}

var ownership = []spec{{
	Check: check.Check{ID: "L2.29", Points: 3, Invariant: "L2.I9", Title: "a writer that lost its place is told ErrFenced, and nothing of it becomes visible",
		Misconception: "that a writer notices that it was replaced: it was asleep, and does not know",
		Hint:          "fence first, then read: the broker must refuse the old owner, not your memory of who it was"},
	try: func(t *trial) {
		t.append(stream, 0, t.events.next(stream))
		before := t.whole()
		t.log.Usurp(t)
		late := t.events.next(stream)
		_, err := t.store.Append(t.Context(), stream, 1, late)
		require.ErrorIs(t, err, contract.ErrFenced)
		same(t, before, t.whole(), "the log after its append")
		_, err = t.store.Find(t.Context(), late.ID)
		require.ErrorIs(t, err, contract.ErrNotFound)
		receipts, err := t.store.Append(t.Context(), stream, 1, late)
		for errors.Is(err, contract.ErrFenced) { // until it has its place again
			receipts, err = t.store.Append(t.Context(), stream, 1, late)
		}
		require.NoError(t, err)
		require.EqualValues(t, 2, receipts[0].Version)
	},
}}
