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
	Check: check.Check{
		ID: "L2.23", Points: 4, Invariant: "L2.I6",
		Title: "a crash changes nothing: events, receipts of retries, times and ended streams " +
			"stay as they were",
		Misconception: "that the process may remember: most retries come after a crash, and the " +
			"next " +
			"owner has only the log",
		Hint: "return receipts only after the events are durable, and read all of the log at " +
			"the take-over",
	},
	parts: []part{{
		hint: "return receipts only after the events are durable, and open the same topics again",
		try: func(t *trial) {
			for i := range 10 {
				name := fmt.Sprintf("trade/UTI-%d", i%4)
				t.append(name, contract.Any, t.events.batch(name, 1+i%3)...)
			}
			before, end := t.readAll(), t.end()
			t.reopen()
			requireSame(t, before, byStream(t.read(nil, end)), "the same range")
			requireSame(t, before, t.readAll(), "the whole log")
			for name, events := range before {
				require.Equal(t, events, t.stream(name))
			}
		},
	}, {
		hint: "rebuild ids and versions from the log, or store them as durably as the log",
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
		hint: "take the last time from the log, not from memory",
		try: func(t *trial) {
			last := t.append(stream, 0, t.events.next(stream))[0].RecordedAt
			t.reopen()
			t.clock.set(noon.Add(-time.Hour))
			next := t.append(stream, 1, t.events.next(stream))[0].RecordedAt
			require.Equal(t, last.Add(time.Microsecond), next)
		},
	}, {
		hint: "read from the last event of a stream whether it has ended",
		try: func(t *trial) {
			batch := t.events.batch(stream, 3)
			batch[2].Ends = true
			first := t.append(stream, 0, batch...)
			t.reopen()
			requireEnded(t, 3, t.refused(stream, 3, t.events.next(stream)))
			require.Equal(t, first, t.append(stream, 0, batch...))
		},
	}},
}}

var ownership = []spec{{
	Check: check.Check{
		ID: "L2.27", Points: 3, Invariant: "L2.I9",
		Title: "a writer that lost its partition gets ErrFenced, and its append never " +
			"becomes visible",
		Misconception: "that a writer notices when it is replaced: it may have been suspended",
		Hint: "the broker refuses the old owner if both have one transactional id; the old owner " +
			"then returns ErrFenced, and takes over before its next append",
	},
	try: func(t *trial) {
		t.append(stream, 0, t.events.next(stream))
		before := t.readAll()
		t.log.Usurp(t)
		late := t.events.next(stream)
		_, err := t.store.Append(t.Context(), stream, 1, late)
		require.ErrorIs(t, err, contract.ErrFenced)
		requireSame(t, before, t.readAll(), "the log after the append of the old owner")
		_, err = t.store.Find(t.Context(), late.ID)
		require.ErrorIs(t, err, contract.ErrNotFound)
		receipts, err := t.store.Append(t.Context(), stream, 1, late)
		for errors.Is(err, contract.ErrFenced) { // until it owns the partition again
			receipts, err = t.store.Append(t.Context(), stream, 1, late)
		}
		require.NoError(t, err)
		require.EqualValues(t, 2, receipts[0].Version)
	},
}}
