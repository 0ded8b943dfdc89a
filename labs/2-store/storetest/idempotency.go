package storetest

import (
	"context"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/kit/check"
	"example.com/blotter/labs/kit/contract"
)

var idempotency = []spec{{
	Check: check.Check{
		ID: "L2.18", Points: 4, Invariant: "L2.I4",
		Title: "the same content again gets the receipts of the first time and writes nothing",
		Misconception: "that a retry is the same request again: it expects the version of the " +
			"first " +
			"attempt, and its trace and schema id may differ",
		Hint: "return the receipts of Decide as they are; nothing is left to write",
	},
	parts: []part{{
		hint: "look up the ids before you compare versions",
		try: func(t *trial) {
			batch := t.events.batch(stream, 3)
			first := t.append(stream, 0, batch...)
			t.append(stream, 3, t.events.next(stream))
			before := t.readAll()
			for _, expected := range []int64{0, 3, 4, contract.Any} {
				require.Equal(t, first, t.append(stream, expected, batch...),
					"receipts at expected version %d", expected)
			}
			require.Equal(t, first[1:2], t.append(stream, 1, batch[1]),
				"receipts of one event of the batch")
			requireSame(t, before, t.readAll(), "the log after the retries")
		},
	}, {
		hint: "compare Event.ContentDigest: it leaves out the traceparent and the schema id " +
			"(bytes 1 to 4 of the data)",
		try: func(t *trial) {
			e := t.events.next(stream)
			first := t.append(stream, 0, e)
			again := e
			again.Data = slices.Clone(e.Data)
			again.Data[4]++
			again.Traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
			again.Source, again.SourceLine, again.SubmittedBy = "elsewhere", 99, "sso/8"
			again.EnteredAt = again.EnteredAt.Add(time.Minute)
			require.Equal(t, first, t.append(stream, 0, again))
			requireEvents(t, 1, []contract.Event{e}, t.stream(stream))
		},
	}},
}, {
	Check: check.Check{
		ID: "L2.44", Points: 2, Invariant: "L2.I5",
		Title: "an id that other content has taken is *ReusedError and writes nothing",
		Misconception: "that the same id means the same event: after a programming error two " +
			"events can share an id, and one of them would be lost silently",
		Hint: "keep the content digest beside each id, and compare it; an id is unique " +
			"in the whole log, not only in its stream",
	},
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
		require.ErrorAs(t, t.refused(stream, 1, mixed...), &reused,
			"a new event and a reused id in one batch")
	},
}, {
	Check: check.Check{
		ID: "L2.45", Points: 2, Invariant: "L2.I5",
		Title: "a batch that is recorded only in part is ErrPartial and writes nothing",
		Misconception: "that the missing events of a batch may be added: they would stand in " +
			"another order than the caller believes",
		Hint: "count the ids of the batch that are recorded: all is a retry, none is " +
			"new, anything else is this error",
	},
	try: func(t *trial) {
		batch := t.events.batch(stream, 4)
		t.append(stream, 0, batch[:2]...)
		require.ErrorIs(t, t.refused(stream, 2, batch...), contract.ErrPartial)
		require.ErrorIs(t, t.refused(stream, 2, batch[1:3]...), contract.ErrPartial)
		require.ErrorIs(t, t.refused(stream, contract.Any, batch[2], batch[0]), contract.ErrPartial)
	},
}, {
	Check: check.Check{
		ID: "L2.37", Points: 3, Invariant: "L2.I4",
		Title: "of concurrent retries one is recorded, and all get the same receipt",
		Misconception: "that the other writer's success is an error for this one: both appended " +
			"the same event, and it is recorded",
		Hint: "if another writer was first (its event is in the index, or a unique index is " +
			"violated), read the recorded event and return its receipt",
	},
	try: func(t *trial) {
		const writers = 8
		for range 10 {
			e := t.events.next(stream)
			receipts := make(chan contract.Receipt, writers)
			for _, err := range t.race(slices.Repeat([]contract.Event{e}, writers), func(
				ctx context.Context, e contract.Event,
			) error {
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

// changes are all changes that make an event with the same id another event.
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
	func(e *contract.Event) { e.CommandID = "c-0" },
	func(e *contract.Event) { e.SourceRecordedAt = noon },
	func(e *contract.Event) { e.Ends = true },
	func(e *contract.Event) { e.Data = append(slices.Clone(e.Data), 'x') },
}
