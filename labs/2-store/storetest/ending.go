package storetest

import (
	"context"
	"errors"

	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/kit/check"
	"example.com/blotter/labs/kit/contract"
)

var ending = []spec{{
	Check: check.Check{
		ID: "L2.55", Points: 2, Invariant: "L2.I10",
		Title: "after an event that ends its stream nothing is appended, and its retry " +
			"gets its receipts",
		Misconception: "that an ended stream refuses everything: a retry of a recorded event " +
			"still gets its receipts",
		Hint: "look up the ids first, then test whether the last event has Ends, then " +
			"compare versions",
	},
	try: func(t *trial) {
		batch := t.events.batch(stream, 3)
		batch[2].Ends = true
		first := t.append(stream, 0, batch[:2]...)
		last := t.append(stream, 2, batch[2])
		for _, expected := range []int64{0, 2, 3, contract.Any} {
			requireEnded(t, 3, t.refused(stream, expected, t.events.next(stream)))
		}
		require.Equal(t, last, t.append(stream, 2, batch[2]),
			"retry of the event that ended the stream")
		require.Equal(t, first, t.append(stream, contract.Any, batch[:2]...),
			"retry of the events before it")
		reused := new(contract.ReusedError)
		other := batch[2]
		other.Ends = false
		require.ErrorAs(t, t.refused(stream, 2, other), &reused,
			"the same id without Ends")
		requireEvents(t, 1, batch, t.stream(stream))
		t.append("trade/UTI-2", 0, t.events.next("trade/UTI-2"))
	},
}, {
	Check: check.Check{
		ID: "L2.56", Points: 1, Invariant: "L2.I10",
		Title: "only the last event of a batch may end its stream",
		Misconception: "that events after an end may be dropped: a batch is recorded whole or " +
			"not at all",
		Hint: "refuse a batch in which an event follows one with Ends: " +
			"contract.ErrInvalid",
	},
	try: func(t *trial) {
		batch := t.events.batch(stream, 3)
		batch[1].Ends = true
		require.ErrorIs(t, t.refused(stream, 0, batch...), contract.ErrInvalid)
		t.append(stream, 0, batch[:2]...)
		requireEnded(t, 2, t.refused(stream, 2, batch[2]))
	},
}, {
	Check: check.Check{
		ID: "L2.38", Points: 2, Invariant: "L2.I10",
		Title:         "of writers that race with the end of a stream, none appends after it",
		Misconception: "that a writer may read whether a stream has ended, and then write",
		Hint: "test for the end where you compare the version, in the same atomic step " +
			"as the write",
	},
	try: func(t *trial) {
		const writers = 8
		batch := t.events.batch(stream, writers)
		batch[writers/2].Ends = true
		errs := t.race(batch, func(ctx context.Context, e contract.Event) error {
			_, err := t.store.Append(ctx, stream, contract.Any, e)
			return err
		})
		succeeded := 0
		for _, err := range errs {
			ended := new(contract.EndedError)
			if err != nil && !errors.As(err, &ended) {
				require.NoError(t, err)
			}
			if err == nil {
				succeeded++
			}
		}
		all := t.stream(stream)
		require.Len(t, all, succeeded, "events of the stream: one for each append that succeeded")
		require.Equal(t, batch[writers/2], all[succeeded-1].Event, "the last event")
	},
}}

func requireEnded(t *trial, version int64, err error) {
	ended := new(contract.EndedError)
	require.ErrorAs(t, err, &ended)
	require.Equal(t, contract.EndedError{Stream: stream, Version: version}, *ended)
}
