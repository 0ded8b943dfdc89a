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
	Check: check.Check{ID: "L2.1", Points: 2, Invariant: "L2.I1", Title: "versions of a stream run 1, 2, 3, … in the order of appends",
		Misconception: "that versions count the whole log, or the records of a topic: each stream counts for itself, from 1",
		Hint:          "the first event of a stream has version 1, and each stream counts for itself"},
	try: func(t *trial) {
		mine, other := t.events.batch(stream, 4), t.events.batch("trade/UTI-2", 1)
		require.EqualValues(t, 1, t.append(stream, 0, mine[0])[0].Version)
		require.EqualValues(t, 1, t.append("trade/UTI-2", 0, other...)[0].Version)
		require.EqualValues(t, 2, t.append(stream, 1, mine[1])[0].Version)
		later := t.append(stream, 2, mine[2], mine[3])
		require.Equal(t, []int64{3, 4}, []int64{later[0].Version, later[1].Version})
		holds(t, 1, mine, t.stream(stream))
		holds(t, 1, other, t.stream("trade/UTI-2"))
	},
}, {
	Check: check.Check{ID: "L2.2", Points: 1, Invariant: "L2.I1", Title: "Any takes the stream wherever it is",
		Misconception: "that Any is a version like another: it is the wish not to compare",
		Hint:          "contract.Any is -1: compare it before you compare versions"},
	try: func(t *trial) {
		for i, e := range t.events.batch(stream, 3) {
			require.EqualValues(t, i+1, t.append(stream, contract.Any, e)[0].Version)
		}
	},
}, {
	Check: check.Check{ID: "L2.3", Points: 2, Invariant: "L2.I3", Title: "an append at a version that is not the stream's is *ConflictError and writes nothing",
		Misconception: "that who calls knows the version: somebody else may have appended since it was read",
		Hint:          "compare the expected version with the stream's under the same lock or transaction that writes"},
	try: func(t *trial) {
		t.append(stream, 0, t.events.batch(stream, 2)...)
		for _, expected := range []int64{0, 1, 3} {
			conflict := new(contract.ConflictError)
			require.ErrorAs(t, t.refused(stream, expected, t.events.next(stream)), &conflict)
			require.Equal(t, contract.ConflictError{Stream: stream, Expected: expected, Actual: 2}, *conflict)
		}
		conflict := new(contract.ConflictError)
		require.ErrorAs(t, t.refused("trade/NONE", 1, t.events.next("trade/NONE")), &conflict)
		require.Equal(t, contract.ConflictError{Stream: "trade/NONE", Expected: 1, Actual: 0}, *conflict)
	},
}, {
	Check: check.Check{ID: "L2.4", Points: 3, Invariant: "L2.I3", Title: "of writers that expect the same version, one wins",
		Misconception: "that one can read the version, compare it and then write: somebody else does the same in between",
		Hint:          "SELECT the version, compare, then INSERT lets two through: decide where the write happens"},
	try: func(t *trial) {
		const writers, rounds = 8, 10
		for round := range int64(rounds) {
			errs := t.race(t.events.batch(stream, writers), func(ctx context.Context, e contract.Event) error {
				_, err := t.store.Append(ctx, stream, round, e)
				return err
			})
			won := 0
			for _, err := range errs {
				if err == nil {
					won++
					continue
				}
				conflict := new(contract.ConflictError)
				require.ErrorAs(t, err, &conflict, "what a loser is told")
				require.Equal(t, round+1, conflict.Actual, "the version a loser is told")
			}
			require.Equal(t, 1, won, "writers that were told they won at version %d", round)
		}
		require.Len(t, t.stream(stream), rounds)
	},
}, {
	Check: check.Check{ID: "L2.5", Points: 2, Invariant: "L2.I2", Title: "a batch with an invalid event is refused whole, and the error names what is wrong",
		Misconception: "that bad input is found when it is written: then the first half of its batch is in",
		Hint:          "call Event.Validate for every event, and compare its stream, before anything is written"},
	try: invalid,
}}

// race calls do once per event, all at once, and waits for all.
func (t *trial) race(events []contract.Event, do func(context.Context, contract.Event) error) []error {
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
	for _, tc := range []struct {
		names string
		spoil func(*contract.Event)
	}{
		{"stream", func(e *contract.Event) { e.Stream = "trade/UTI-2" }},
		{"stream", func(e *contract.Event) { e.Stream = "" }},
		{"id", func(e *contract.Event) { e.ID = uuid.Nil }},
		{"type", func(e *contract.Event) { e.Type = "" }},
		{"type", func(e *contract.Event) { e.Type = contract.Reserved + "owner" }},
		{"schema", func(e *contract.Event) { e.Schema = 0 }},
		{"actor", func(e *contract.Event) { e.Actor = "" }},
		{"reason", func(e *contract.Event) { e.Reason = strings.Repeat("x", contract.MaxAttribute+1) }},
		{"reason", func(e *contract.Event) { e.Reason = "a zero byte: \x00" }},
		{"source", func(e *contract.Event) { e.Source = "" }},
		{"source", func(e *contract.Event) { e.Source = "not UTF-8: \xff" }},
		{"effective_at", func(e *contract.Event) { e.EffectiveAt = e.EffectiveAt.Add(time.Nanosecond) }},
		{"effective_at", func(e *contract.Event) { e.EffectiveAt = e.EffectiveAt.AddDate(8000, 0, 0) }},
		{"data", func(e *contract.Event) { e.Data = []byte("{}") }},
	} {
		batch := t.events.batch(stream, 3)
		tc.spoil(&batch[1])
		err := t.refused(stream, 0, batch...)
		assert.ErrorIs(t, err, contract.ErrInvalid)
		assert.ErrorContains(t, err, tc.names)
	}
	twice := t.events.next(stream)
	require.ErrorIs(t, t.refused(stream, 0, twice, t.events.next(stream), twice), contract.ErrInvalid, "one id twice in a batch")
	require.ErrorIs(t, t.refused(stream, 0), contract.ErrInvalid, "a batch of nothing")
}
