package storetest

import (
	"context"
	"slices"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/kit/check"
	"example.com/blotter/labs/kit/contract"
)

var idempotency = []spec{{
	Check: check.Check{ID: "L2.6", Points: 3, Invariant: "L2.I4", Title: "the same content again gives the receipts of the first time and writes nothing",
		Misconception: "that a retry knows the version by now: it expects the version of its first time",
		Hint:          "look the ids up before you compare versions: a retry expects the version of the first time"},
	try: func(t *trial) {
		batch := t.events.batch(stream, 3)
		first := t.append(stream, 0, batch...)
		t.append(stream, 3, t.events.next(stream))
		before := t.whole()
		for _, expected := range []int64{0, 3, 4, contract.Any} {
			require.Equal(t, first, t.append(stream, expected, batch...), "receipts at expected version %d", expected)
		}
		require.Equal(t, first[1:2], t.append(stream, 1, batch[1]), "receipts of a part of the batch")
		same(t, before, t.whole(), "the log after the retries")
	},
}, {
	Check: check.Check{ID: "L2.7", Points: 2, Invariant: "L2.I4", Title: "what a retry may change does not make it other content",
		Misconception: "that the same event comes with the same bytes: a retry has another trace, and perhaps another registry's id",
		Hint:          "compare Event.ContentDigest: traceparent and the registry's id, bytes 1 to 4 of the data, are not in it"},
	try: func(t *trial) {
		e := t.events.next(stream)
		first := t.append(stream, 0, e)
		again := e
		again.Data = slices.Clone(e.Data)
		again.Data[4]++
		again.Traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
		require.Equal(t, first, t.append(stream, 0, again))
		holds(t, 1, []contract.Event{e}, t.stream(stream))
	},
}, {
	Check: check.Check{ID: "L2.8", Points: 2, Invariant: "L2.I5", Title: "an id that is taken by other content is *ReusedError and writes nothing",
		Misconception: "that an id says it all: a programming error can give two events one id, and then one of them would vanish in silence",
		Hint:          "an id is unique in the whole log, not in its stream; keep the content digest beside it"},
	try: func(t *trial) {
		e := t.events.next(stream)
		t.append(stream, 0, e)
		for _, change := range changes {
			other := e
			change(&other)
			reused := new(contract.ReusedError)
			require.ErrorAs(t, t.refused(other.Stream, contract.Any, other), &reused)
			require.Equal(t, contract.ReusedError{ID: e.ID, Stream: stream}, *reused)
		}
		mixed := t.events.batch(stream, 2)
		mixed[1] = e
		mixed[1].Reason = "another reason"
		reused := new(contract.ReusedError)
		require.ErrorAs(t, t.refused(stream, 1, mixed...), &reused, "a new event and a reused id in one batch")
	},
}, {
	Check: check.Check{ID: "L2.9", Points: 2, Invariant: "L2.I5", Title: "a batch of which only a part is recorded is ErrPartial and writes nothing",
		Misconception: "that what is missing of a batch can be added: then its events stand in another order than its caller believes",
		Hint:          "count how many ids of the batch are known: all, none, or this error"},
	try: func(t *trial) {
		batch := t.events.batch(stream, 4)
		t.append(stream, 0, batch[:2]...)
		require.ErrorIs(t, t.refused(stream, 2, batch...), contract.ErrPartial)
		require.ErrorIs(t, t.refused(stream, 2, batch[1:3]...), contract.ErrPartial)
		require.ErrorIs(t, t.refused(stream, contract.Any, batch[2], batch[0]), contract.ErrPartial)
	},
}, {
	Check: check.Check{ID: "L2.10", Points: 3, Invariant: "L2.I4", Title: "retries that race each other write once, and all are told the same",
		Misconception: "that a unique index settles a race: it only says that there was one",
		Hint:          "a unique index that fires is not yet an answer: read what is there and give its receipt"},
	try: func(t *trial) {
		const writers = 8
		for range 10 {
			e := t.events.next(stream)
			receipts := make(chan contract.Receipt, writers)
			for _, err := range t.race(slices.Repeat([]contract.Event{e}, writers), func(ctx context.Context, e contract.Event) error {
				got, err := t.store.Append(ctx, stream, contract.Any, e)
				if err == nil && len(got) == 1 {
					receipts <- got[0]
				}
				return err
			}) {
				require.NoError(t, err)
			}
			require.Len(t, receipts, writers, "receipts")
			for first := <-receipts; len(receipts) > 0; {
				require.Equal(t, first, <-receipts)
			}
		}
		require.Len(t, t.stream(stream), 10)
	},
}}

// changes are all that makes an event another one under the same id.
var changes = []func(*contract.Event){
	func(e *contract.Event) { e.Stream = "trade/UTI-2" },
	func(e *contract.Event) { e.Stream = "trade/UTI-3" },
	func(e *contract.Event) { e.Type = "trade.settled" },
	func(e *contract.Event) { e.Fingerprint[31]++ },
	func(e *contract.Event) { e.EffectiveAt = e.EffectiveAt.AddDate(0, 0, 1) },
	func(e *contract.Event) { e.Corrects = uuid.NameSpaceURL },
	func(e *contract.Event) { e.Actor = "desk-8" },
	func(e *contract.Event) { e.Approver = "desk-8" },
	func(e *contract.Event) { e.Reason = "another reason" },
	func(e *contract.Event) { e.Correlation = uuid.NameSpaceURL },
	func(e *contract.Event) { e.Causation = uuid.NameSpaceURL },
	func(e *contract.Event) { e.Source = "elsewhere" },
	func(e *contract.Event) { e.Ends = true },
	func(e *contract.Event) { e.Data = append(slices.Clone(e.Data), 'x') },
}
