package storetest

import (
	"fmt"
	"slices"

	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/kit/check"
	"example.com/blotter/labs/kit/contract"
)

var reading = []spec{{
	Check: check.Check{
		ID: "L2.19", Points: 3, Invariant: "L2.I6",
		Title: "an event is read as it was appended, with the version, time and position of " +
			"its record, by Find, Stream and Read",
		Misconception: "that an attribute or a position without a reader need not be kept: the " +
			"audit " +
			"reads all of them",
		Hint: "index the events that the transaction wrote, with the times and offsets of " +
			"their records",
	},
	parts: []part{{
		hint: "store every attribute, empty ones included; times are UTC with microseconds",
		try: func(t *trial) {
			batch := t.events.batch(stream, 6)
			receipts := t.append(stream, 0, batch...)
			for i, e := range batch {
				got, err := t.store.Find(t.Context(), e.ID)
				require.NoError(t, err)
				require.Equal(t, e, got.Event)
				require.Equal(t, receipts[i],
					contract.Receipt{Version: got.Version, RecordedAt: got.RecordedAt})
			}
			_, err := t.store.Find(t.Context(), t.events.next(stream).ID)
			require.ErrorIs(t, err, contract.ErrNotFound)
		},
	}, {
		hint: "set the position of each event before you index it; Find and Stream return it, " +
			"too",
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
	}},
}, {
	Check: check.Check{
		ID: "L2.46", Points: 1, Invariant: "L2.I1",
		Title: "a stream is read in version order, and an unknown stream is empty",
		Misconception: "that a stream must be created before it is read: it is only a name, and " +
			"empty until its first event",
		Hint: "return no events and no error for an unknown stream",
	},
	try: func(t *trial) {
		require.Empty(t, t.stream(stream))
		batch := t.events.batch(stream, 20)
		for i, e := range batch {
			t.append(stream, int64(i), e)
			t.append("trade/UTI-2", int64(i), t.events.next("trade/UTI-2"))
		}
		requireEvents(t, 1, batch, t.stream(stream))
		require.Empty(t, t.stream("trade/UTI"), "a name that is a prefix of another")
		for e, err := range t.store.Stream(t.Context(), stream) {
			require.NoError(t, err)
			require.Equal(t, batch[0], e.Event)
			break // a caller may stop early
		}
	},
}, {
	Check: check.Check{
		ID: "L2.47", Points: 2, Invariant: "L2.I6",
		Title:         "a caller that changes its bytes after the call changes no recorded event",
		Misconception: "that a slice is a value: it refers to bytes that the caller may change",
		Hint:          "copy Data when an event is appended, and again when it is read",
	},
	try: func(t *trial) {
		batch := t.events.batch(stream, 2)
		appended := make([]contract.Event, len(batch))
		for i, e := range batch {
			e.Data = slices.Clone(e.Data)
			appended[i] = e
		}
		receipts := t.append(stream, 0, appended...)
		want := slices.Clone(receipts)
		overwrite := func(e contract.Event) { e.Data[len(e.Data)-1] ^= 0xff }
		overwrite(appended[0])
		receipts[0].Version = 99
		for range 2 {
			found, err := t.store.Find(t.Context(), batch[0].ID)
			require.NoError(t, err)
			require.Equal(t, batch[0], found.Event)
			overwrite(found.Event)
			for _, events := range [][]contract.Recorded{t.stream(stream), t.read(nil, t.end())} {
				requireEvents(t, 1, batch, events)
				overwrite(events[0].Event)
			}
		}
		require.Equal(t, want, t.append(stream, 0, batch...), "the receipts of a retry")
	},
}}

// resuming has the check of contract.Resumer.
var resuming = []spec{{
	Check: check.Check{
		ID: "L2.71", Points: 1, Invariant: "L2.I20",
		Title: "the rest of a stream is the end of what Stream returns, from any version",
		Misconception: "that a version is a place in the result: there is none before version 1 " +
			"and none after the last",
		Hint: "read the events whose version is at least the one that is asked for",
	},
	try: func(t *trial) {
		const events = 600 // more than a store reads in one step
		for n := range events / 100 {
			t.append(stream, int64(n*100), t.events.batch(stream, 100)...)
			t.append("trade/UTI-2", contract.Any, t.events.next("trade/UTI-2"))
		}
		t.requiresRests(events)
		if t.log.Reopen != nil {
			t.reopen()
			t.requiresRests(events)
		}
	},
}}

// requiresRests compares the rests of the stream with the whole of it.
func (t *trial) requiresRests(events int64) {
	resumer, ok := t.store.(watched).store.(contract.Resumer)
	require.True(t, ok, "the fixture says that the store is contract.Resumer")
	whole := t.stream(stream)
	require.Len(t, whole, int(events))
	for _, from := range []int64{-1, 0, 1, 2, 255, 256, 257, 258, 512, 513, 514, events, events + 1,
		events + 1000} {
		rest := []contract.Recorded{}
		for e, err := range resumer.StreamFrom(t.Context(), stream, from) {
			t.Answered("StreamFrom", err)
			require.NoError(t, err)
			rest = append(rest, e)
		}
		want := whole[min(max(0, from-1), events):]
		check.Events(t, fmt.Sprint("from version ", from), eventsOf(want), eventsOf(rest))
		require.Equal(t, want, rest, "from version %d", from)
	}
	for range resumer.StreamFrom(t.Context(), "trade/UTI", 2) {
		require.Fail(t, "a name that is a prefix of another has events")
	}
}
