package storetest

import (
	"slices"

	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/kit/check"
	"example.com/blotter/labs/kit/contract"
)

var reading = []spec{{
	Check: check.Check{ID: "L2.11", Points: 2, Invariant: "L2.I6", Title: "an event is found by its id as it was appended, with the version and time of its receipt",
		Misconception: "that attributes which nobody asks for need not be kept: the audit asks for all of them",
		Hint:          "every attribute must survive, the empty ones too; times are UTC with microseconds"},
	try: func(t *trial) {
		batch := t.events.batch(stream, 6)
		receipts := t.append(stream, 0, batch...)
		for i, e := range batch {
			got, err := t.store.Find(t.Context(), e.ID)
			require.NoError(t, err)
			require.Equal(t, e, got.Event)
			require.Equal(t, receipts[i], contract.Receipt{Version: got.Version, RecordedAt: got.RecordedAt})
		}
		_, err := t.store.Find(t.Context(), t.events.next(stream).ID)
		require.ErrorIs(t, err, contract.ErrNotFound)
	},
}, {
	Check: check.Check{ID: "L2.12", Points: 1, Invariant: "L2.I1", Title: "a stream is read in version order, and one that does not exist is empty",
		Misconception: "that a stream must be created, or found: it is a name, and is empty until something is in it",
		Hint:          "no error for a stream that is not there: it is a stream of no events"},
	try: func(t *trial) {
		require.Empty(t, t.stream(stream))
		batch := t.events.batch(stream, 20)
		for i, e := range batch {
			t.append(stream, int64(i), e)
			t.append("trade/UTI-2", int64(i), t.events.next("trade/UTI-2"))
		}
		holds(t, 1, batch, t.stream(stream))
		require.Empty(t, t.stream("trade/UTI"), "a name that another begins with")
		for e, err := range t.store.Stream(t.Context(), stream) {
			require.NoError(t, err)
			require.Equal(t, batch[0], e.Event)
			break // a caller may stop early
		}
	},
}, {
	Check: check.Check{ID: "L2.13", Points: 1, Invariant: "L2.I7", Title: "find, stream and feed give the same record of an event",
		Misconception: "that a position is for readers of the feed: who found an event by its id wants to read on from there",
		Hint:          "position included: it is the place in the feed, whoever tells it"},
	try: func(t *trial) {
		t.append(stream, 0, t.events.batch(stream, 5)...)
		recorded := t.stream(stream)
		require.Equal(t, recorded, t.read(nil, t.end()))
		for _, want := range recorded {
			got, err := t.store.Find(t.Context(), want.ID)
			require.NoError(t, err)
			require.Equal(t, want, got)
		}
	},
}, {
	Check: check.Check{ID: "L2.14", Points: 2, Invariant: "L2.I6", Title: "what a caller does to its bytes afterwards changes nothing that is recorded",
		Misconception: "that a slice is a value: it is a window on bytes that its owner may change",
		Hint:          "copy Data on the way in and on the way out"},
	try: func(t *trial) {
		batch := t.events.batch(stream, 2)
		appended := make([]contract.Event, len(batch))
		for i, e := range batch {
			e.Data = slices.Clone(e.Data)
			appended[i] = e
		}
		receipts := t.append(stream, 0, appended...)
		want := slices.Clone(receipts)
		scribble := func(e contract.Event) { e.Data[len(e.Data)-1] ^= 0xff }
		scribble(appended[0])
		receipts[0].Version = 99
		for range 2 {
			found, err := t.store.Find(t.Context(), batch[0].ID)
			require.NoError(t, err)
			require.Equal(t, batch[0], found.Event)
			scribble(found.Event)
			for _, events := range [][]contract.Recorded{t.stream(stream), t.read(nil, t.end())} {
				holds(t, 1, batch, events)
				scribble(events[0].Event)
			}
		}
		require.Equal(t, want, t.append(stream, 0, batch...), "the receipts of a retry")
	},
}}
