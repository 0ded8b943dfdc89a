package kafkatest

import (
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/kit/check"
	"example.com/blotter/labs/kit/contract"
)

var deciding = []spec{{
	Check: check.Check{
		ID: "L2.50", Points: 1, Invariant: "L2.I3", Operation: decide,
		Title: "a new batch is written if its stream is at the version that the caller expects",
		Misconception: "that an empty slice of receipts has no meaning. In fact it means that " +
			"the batch is recorded, with no events",
		Hint: "return nil receipts and a nil error if the events are to be written; " +
			"contract.Any is -1 and fits every version",
	},
	try: func(t *trial) {
		history := recorded(batch(1, 3)...)
		for _, tc := range []struct {
			history  []contract.Recorded
			expected int64
			fits     bool
		}{
			{nil, 0, true}, {nil, contract.Any, true}, {nil, 1, false},
			{history, 3, true}, {history, contract.Any, true},
			{history, 0, false}, {history, 2, false}, {history, 4, false},
		} {
			receipts, err := t.decide(tc.history, tc.expected, event(7))
			require.Nil(t, receipts, "receipts of a new batch")
			version := int64(len(tc.history))
			if tc.fits {
				require.NoError(t, err, "at version %d, expected %d", version, tc.expected)
				continue
			}
			conflict := new(contract.ConflictError)
			require.ErrorAs(t, err, &conflict, "at version %d, expected %d", version, tc.expected)
			want := contract.ConflictError{Stream: stream, Expected: tc.expected, Actual: version}
			require.Equal(t, want, *conflict)
		}
	},
}, {
	Check: check.Check{
		ID: "L2.51", Points: 2, Invariant: "L2.I4", Operation: decide,
		Title: "a batch that is already recorded gets its first receipts, whatever version is " +
			"expected",
		Misconception: "that versions are compared first. A retry expects the version of its " +
			"first attempt, and would get a conflict with its own events",
		Hint: "look the ids up BEFORE you compare versions; compare content by " +
			"Event.ContentDigest, not field by field",
	},
	try: func(t *trial) {
		history := recorded(batch(1, 3)...)
		want := []contract.Receipt{
			{Version: 2, RecordedAt: history[1].RecordedAt},
			{Version: 3, RecordedAt: history[2].RecordedAt},
		}
		for _, expected := range []int64{1, 0, 3, 9, contract.Any} {
			again := batch(2, 3)
			again[0].Traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
			again[1].Data[4]++
			receipts, err := t.decide(history, expected, again...)
			require.NoError(t, err, "expected version %d", expected)
			require.Equal(t, want, receipts, "expected version %d", expected)
		}
	},
}, {
	Check: check.Check{
		ID: "L2.52", Points: 2, Invariant: "L2.I5", Operation: decide,
		Title: "an id with other content is *ReusedError, and a partly recorded batch is " +
			"ErrPartial",
		Misconception: "that a known id means a known event. The recorded content may differ, " +
			"and the other events of the batch may be new",
		Hint: "go through the cases: the first id of a batch is known and the second is not; an " +
			"id is known with other content, and then the other events of the batch do not " +
			"matter",
	},
	try: func(t *trial) {
		history := recorded(batch(1, 3)...)
		other := event(2)
		other.Reason = "another reason"
		elsewhere := event(2)
		elsewhere.Stream = "trade/UTI-2"
		reusing := [][]contract.Event{{other}, {event(7), other}, {event(1), other}, {elsewhere}}
		for _, events := range reusing {
			receipts, err := t.decide(history, contract.Any, events...)
			reused := new(contract.ReusedError)
			require.ErrorAs(t, err, &reused)
			require.Equal(t, contract.ReusedError{ID: other.ID, Stream: stream}, *reused)
			require.Empty(t, receipts, "receipts beside an error")
		}
		partly := [][]contract.Event{batch(3, 4), batch(1, 5), {event(9), event(1)}}
		for _, events := range partly {
			receipts, err := t.decide(history, 3, events...)
			require.ErrorIs(t, err, contract.ErrPartial)
			require.Empty(t, receipts, "receipts beside an error")
		}
	},
}}

// decide asks the answer to decide on an append to a stream with the given history.
func (t *trial) decide(
	history []contract.Recorded, expected int64, events ...contract.Event,
) ([]contract.Receipt, error) {
	find := func(id uuid.UUID) (contract.Recorded, bool) {
		for _, e := range history {
			if e.ID == id {
				return e, true
			}
		}
		return contract.Recorded{}, false
	}
	var last contract.Recorded
	if len(history) > 0 {
		last = history[len(history)-1]
	}
	receipts, err := t.answer.Decide(find, last, expected, events)
	t.Answered("Decide", err)
	return receipts, err
}
