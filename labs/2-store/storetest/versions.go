package storetest

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/kit/check"
	"example.com/blotter/labs/kit/contract"
)

const stream = "trade/UTI-1"

var versions = []spec{{
	Check: check.Check{
		ID: "L2.16", Points: 3, Invariant: "L2.I1",
		Title: "versions of a stream run 1, 2, 3, … in the order of appends, whatever version " +
			"is expected",
		Misconception: "that versions count the whole log, or the records of a topic",
		Hint: "the next version is that of the last event of the stream in the index, " +
			"plus one",
	},
	parts: []part{{
		hint: "give the first event of each stream version 1, and count each stream separately",
		try: func(t *trial) {
			mine, other := t.events.batch(stream, 4), t.events.batch("trade/UTI-2", 1)
			require.EqualValues(t, 1, t.append(stream, 0, mine[0])[0].Version)
			require.EqualValues(t, 1, t.append("trade/UTI-2", 0, other...)[0].Version)
			require.EqualValues(t, 2, t.append(stream, 1, mine[1])[0].Version)
			later := t.append(stream, 2, mine[2], mine[3])
			require.Equal(t, []int64{3, 4}, []int64{later[0].Version, later[1].Version})
			requireEvents(t, 1, mine, t.stream(stream))
			requireEvents(t, 1, other, t.stream("trade/UTI-2"))
		},
	}, {
		hint: "contract.Any is -1 and means \"do not compare\": test for it before you " +
			"compare versions",
		try: func(t *trial) {
			for i, e := range t.events.batch(stream, 3) {
				require.EqualValues(t, i+1, t.append(stream, contract.Any, e)[0].Version)
			}
		},
	}},
}, {
	Check: check.Check{
		ID: "L2.17", Points: 2, Invariant: "L2.I3",
		Title: "an append that expects another version than the stream has is " +
			"*ConflictError and writes nothing",
		Misconception: "that the caller knows the version: another writer may have appended " +
			"since the caller read it",
		Hint: "compare the expected version with the stream's under the same lock or " +
			"transaction that writes",
	},
	try: func(t *trial) {
		t.append(stream, 0, t.events.batch(stream, 2)...)
		for _, expected := range []int64{0, 1, 3} {
			conflict := new(contract.ConflictError)
			require.ErrorAs(t, t.refused(stream, expected, t.events.next(stream)), &conflict)
			require.Equal(t, contract.ConflictError{Stream: stream, Expected: expected, Actual: 2},
				*conflict)
		}
		conflict := new(contract.ConflictError)
		require.ErrorAs(t, t.refused("trade/NONE", 1, t.events.next("trade/NONE")), &conflict)
		require.Equal(t, contract.ConflictError{Stream: "trade/NONE", Expected: 1, Actual: 0},
			*conflict)
	},
}, {
	Check: check.Check{
		ID: "L2.36", Points: 3, Invariant: "L2.I3",
		Title: "of writers that expect the same version, exactly one succeeds",
		Misconception: "that a writer may read the version, compare it and then write: another " +
			"writer may do the same in between",
		Hint: "make the comparison and the write one atomic step: hold one lock over both, or " +
			"have the database compare; SELECT, compare, then INSERT lets two writers through",
	},
	try: func(t *trial) {
		const writers, rounds = 8, 10
		for round := range int64(rounds) {
			errs := t.race(t.events.batch(stream, writers), func(
				ctx context.Context, e contract.Event,
			) error {
				_, err := t.store.Append(ctx, stream, round, e)
				return err
			})
			succeeded := 0
			for _, err := range errs {
				if err == nil {
					succeeded++
					continue
				}
				conflict := new(contract.ConflictError)
				require.ErrorAs(t, err, &conflict, "the error of the other writers")
				require.Equal(t, round+1, conflict.Actual,
					"the version in the error of the other writers")
			}
			require.Equal(t, 1, succeeded, "writers that succeeded at version %d", round)
		}
		require.Len(t, t.stream(stream), rounds)
	},
}, {
	Check: check.Check{
		ID: "L2.43", Points: 2, Invariant: "L2.I2",
		Title: "a batch with an invalid event is refused whole, and the error names the " +
			"fault",
		Misconception: "that bad input may be found while the batch is written: then half of the " +
			"batch is recorded",
		Hint: "call Event.Validate for every event, and compare its stream, before " +
			"anything is written",
	},
	try: invalid,
}}

// race calls do once for each event, all at the same time, and waits for all calls.
func (t *trial) race(events []contract.Event, do func(
	context.Context, contract.Event,
) error) []error {
	errs := make([]error, len(events))
	start := make(chan struct{})
	var all sync.WaitGroup
	for i, e := range events {
		all.Go(func() {
			<-start
			errs[i] = do(t.Context(), e)
		})
	}
	close(start)
	all.Wait()
	return errs
}

func invalid(t *trial) {
	tooLong := strings.Repeat("x", contract.MaxAttribute+1)
	for _, tc := range []struct {
		attribute string
		change    func(*contract.Event)
	}{
		{"stream", func(e *contract.Event) { e.Stream = "trade/UTI-2" }},
		{"stream", func(e *contract.Event) { e.Stream = "" }},
		{"id", func(e *contract.Event) { e.ID = uuid.Nil }},
		{"type", func(e *contract.Event) { e.Type = "" }},
		{"type", func(e *contract.Event) { e.Type = contract.Reserved + "owner" }},
		{"schema", func(e *contract.Event) { e.Schema = 0 }},
		{"actor", func(e *contract.Event) { e.Actor = "" }},
		{"reason", func(e *contract.Event) { e.Reason = tooLong }},
		{"reason", func(e *contract.Event) { e.Reason = "a zero byte: \x00" }},
		{"source", func(e *contract.Event) { e.Source = "" }},
		{"source", func(e *contract.Event) { e.Source = "not UTF-8: \xff" }},
		{"effective_at", func(e *contract.Event) { e.EffectiveAt = noon.Add(time.Nanosecond) }},
		{"effective_at", func(e *contract.Event) { e.EffectiveAt = noon.AddDate(8000, 0, 0) }},
		{"entered_at", func(e *contract.Event) { e.EnteredAt = time.Time{} }},
		{"source_recorded_at", func(e *contract.Event) {
			e.SourceRecordedAt = noon.AddDate(8000, 0, 0)
		}},
		{"command_id", func(e *contract.Event) { e.CommandID = "" }},
		{"submitted_by", func(e *contract.Event) { e.SubmittedBy = tooLong }},
		{"source_line", func(e *contract.Event) { e.SourceLine = -1 }},
		{"data", func(e *contract.Event) { e.Data = []byte("{}") }},
	} {
		batch := t.events.batch(stream, 3)
		tc.change(&batch[1])
		err := t.refused(stream, 0, batch...)
		assert.ErrorIs(t, err, contract.ErrInvalid)
		assert.ErrorContains(t, err, tc.attribute)
	}
	e := t.events.next(stream)
	require.ErrorIs(t, t.refused(stream, 0, e, t.events.next(stream), e), contract.ErrInvalid,
		"an id that occurs twice")
	_, err := t.store.Append(t.Context(), stream, 0)
	require.ErrorIs(t.Hint("an empty batch has no receipts to return: refuse it"), err,
		contract.ErrInvalid, "an empty batch")
}
