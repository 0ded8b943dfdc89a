package storetest

import (
	"context"
	"errors"

	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/kit/check"
	"example.com/blotter/labs/kit/contract"
)

var ending = []spec{{
	Check: check.Check{ID: "L2.31", Points: 2, Invariant: "L2.I10", Title: "behind an event that ends its stream nothing is appended, and its retry gets its receipts",
		Misconception: "that an ended stream refuses everything: a retry of what is in it still has its answer",
		Hint:          "look ids up first, then whether the last event has Ends, then compare versions"},
	try: func(t *trial) {
		batch := t.events.batch(stream, 3)
		batch[2].Ends = true
		first := t.append(stream, 0, batch[:2]...)
		last := t.append(stream, 2, batch[2])
		for _, expected := range []int64{0, 2, 3, contract.Any} {
			wantEnded(t, 3, t.refused(stream, expected, t.events.next(stream)))
		}
		require.Equal(t, last, t.append(stream, 2, batch[2]), "the event that ended the stream, again")
		require.Equal(t, first, t.append(stream, contract.Any, batch[:2]...), "events before it, again")
		reused := new(contract.ReusedError)
		other := batch[2]
		other.Ends = false
		require.ErrorAs(t, t.refused(stream, 2, other), &reused, "the same id, and the stream would go on")
		holds(t, 1, batch, t.stream(stream))
		t.append("trade/UTI-2", 0, t.events.next("trade/UTI-2"))
	},
}, {
	Check: check.Check{ID: "L2.32", Points: 1, Invariant: "L2.I10", Title: "a batch may end its stream with its last event, and with no other",
		Misconception: "that what follows an end can be left out: a batch goes in whole or not at all",
		Hint:          "an event behind one that ends the stream makes the batch invalid: contract.ErrInvalid"},
	try: func(t *trial) {
		batch := t.events.batch(stream, 3)
		batch[1].Ends = true
		require.ErrorIs(t, t.refused(stream, 0, batch...), contract.ErrInvalid)
		t.append(stream, 0, batch[:2]...)
		wantEnded(t, 2, t.refused(stream, 2, batch[2]))
	},
}, {
	Check: check.Check{ID: "L2.33", Points: 2, Invariant: "L2.I10", Title: "of writers that race one who ends the stream, none comes behind",
		Misconception: "that it is enough to look whether a stream has ended, and then to write",
		Hint:          "the end is to be seen where the write is decided, as the version is"},
	try: func(t *trial) {
		const writers = 8
		batch := t.events.batch(stream, writers)
		batch[writers/2].Ends = true
		errs := t.race(batch, func(ctx context.Context, e contract.Event) error {
			_, err := t.store.Append(ctx, stream, contract.Any, e)
			return err
		})
		went := 0
		for _, err := range errs {
			ended := new(contract.EndedError)
			if err != nil && !errors.As(err, &ended) {
				require.NoError(t, err)
			}
			if err == nil {
				went++
			}
		}
		all := t.stream(stream)
		require.Len(t, all, went, "events of the stream, of which each writer was told the truth")
		require.Equal(t, batch[writers/2], all[went-1].Event, "the last event")
	},
}}

func wantEnded(t *trial, version int64, err error) {
	ended := new(contract.EndedError)
	require.ErrorAs(t, err, &ended)
	require.Equal(t, contract.EndedError{Stream: stream, Version: version}, *ended)
}
