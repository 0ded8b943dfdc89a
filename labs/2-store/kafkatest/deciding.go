package kafkatest

import (
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/kit/check"
	"example.com/blotter/labs/kit/contract"
)

var deciding = []spec{{
	Check: check.Check{
		ID: "L2.1", Points: 1, Invariant: "L2.I3", Operation: decide,
		Title: "a new batch is written if its stream is at the version that the caller expects",
		Misconception: "that an empty slice of receipts has no meaning. In fact it means that " +
			"the batch is recorded, with no events",
		Hint: "return nil receipts and a nil error if the events are to be written; " +
			"contract.Any is -1 and fits every version",
		More: "case expected != contract.Any && expected != last.Version: return a " +
			"&contract.ConflictError with the stream of events[0]; last is the zero value, " +
			"version 0, for an unknown stream",
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
			require.Equal(t.Hint("name the stream of the events in *ConflictError: last is the "+
				"zero value for an unknown stream"), want, *conflict)
		}
	},
}, {
	Check: check.Check{
		ID: "L2.2", Points: 2, Invariant: "L2.I4", Operation: decide,
		Title: "a batch that is already recorded gets its first receipts, whatever version is " +
			"expected",
		Misconception: "that versions are compared first. A retry expects the version of its " +
			"first attempt, and would get a conflict with its own events",
		Hint: "look the ids up BEFORE you compare versions; compare content by " +
			"Event.ContentDigest, not field by field",
		More: "for each event: was, ok := find(e.ID); if ok, append receipt(was) to the " +
			"receipts. " +
			"If there are as many receipts as events, return them before any other question",
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
		ID: "L2.3", Points: 2, Invariant: "L2.I5", Operation: decide,
		Title: "an id that other content has taken is *ReusedError, whatever the rest of " +
			"its batch is",
		Misconception: "that a known id means a known event. The recorded content may differ",
		Hint: "compare the content of each event whose id is known; one that differs decides the " +
			"batch",
		More: "return &contract.ReusedError{ID: e.ID, Stream: was.Stream} from inside the loop: " +
			"was.Stream is the stream that has the id",
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
			require.Equal(t.Hint("name the stream of the recorded event in *ReusedError: find "+
				"returns that event"),
				contract.ReusedError{ID: other.ID, Stream: stream}, *reused)
			require.Empty(t, receipts, "receipts beside an error")
		}
	},
}, {
	Check: check.Check{
		ID: "L2.4", Points: 2, Invariant: "L2.I5", Operation: decide,
		Title: "a batch that is recorded only in part is ErrPartial",
		Misconception: "that the missing events of a batch may be added. They would follow " +
			"events " +
			"that the caller has not seen",
		Hint: "count the events that are recorded: all is a retry, none is new, anything else is " +
			"this error",
		More: "after the loop: if len(receipts) > 0 and len(receipts) < len(events), return " +
			"contract.ErrPartial, wrapped, and no receipts",
	},
	try: func(t *trial) {
		history := recorded(batch(1, 3)...)
		partly := [][]contract.Event{batch(3, 4), batch(1, 5), {event(9), event(1)}}
		for _, events := range partly {
			receipts, err := t.decide(history, 3, events...)
			require.ErrorIs(t, err, contract.ErrPartial)
			require.Empty(t, receipts, "receipts beside an error")
		}
	},
}, {
	Check: check.Check{
		ID: "L2.5", Points: 1, Invariant: "L2.I10", Operation: decide,
		Title: "after the end of a stream a new batch is *EndedError, and a retry gets its " +
			"receipts",
		Misconception: "that an ended stream refuses everything. A retry of a recorded event " +
			"still " +
			"gets its receipts",
		Hint: "look the ids up first, then test whether the last event has Ends, then compare " +
			"versions",
		More: "case last.Ends: return nil, &contract.EndedError{Stream: last.Stream, Version: " +
			"last.Version}",
	},
	try: func(t *trial) {
		history := recorded(batch(1, 3)...)
		history[2].Ends = true
		for _, expected := range []int64{0, 2, 3, contract.Any} {
			receipts, err := t.decide(history, expected, event(7))
			ended := new(contract.EndedError)
			require.ErrorAs(t, err, &ended, "a new event, expected version %d", expected)
			require.Equal(t, contract.EndedError{Stream: stream, Version: 3}, *ended)
			require.Empty(t, receipts, "receipts beside an error")
		}
		again := history[2].Event
		receipts, err := t.decide(history, 2, again)
		require.NoError(t, err, "a retry of the event that ended the stream")
		require.Len(t, receipts, 1)
		require.EqualValues(t, 3, receipts[0].Version)
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
