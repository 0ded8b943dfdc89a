package replaytest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/3-projections/projectiontest"
	"example.com/blotter/labs/kit/check"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
)

var comparing = []spec{
	{Check: check.Check{
		ID: "L4.1", Points: 1, Invariant: "L4.I4", Operation: compare,
		Title: "equal bytes are no difference",
		Hint: "return the word nil: an interface that holds a nil *Difference is not nil, and " +
			"the caller sees an error",
		More:          "if bytes.Equal(archived, replayed) { return nil } as the first statement",
		Misconception: "that a nil pointer in an error is a nil error",
	}, try: equalStates},
	{Check: check.Check{
		ID: "L4.2", Points: 2, Invariant: "L4.I4", Operation: compare,
		Title: "the Difference has the first line that differs, counted from 1, in both states",
		Hint: "cut one line from each state, compare, and go on with the rest; the first line " +
			"is line 1",
		More: "for line := 1; ; line++: a, archived, _ = bytes.Cut(archived, []byte(\"\\n\")), " +
			"the same for r; if they differ, return &contract.Difference{…}",
		Misconception: "that any line that differs tells as much as the first one",
	}, try: firstLine},
	{Check: check.Check{
		ID: "L4.3", Points: 2, Invariant: "L4.I4", Operation: compare,
		Title: "a line more, a line less, and a missing newline at the end are differences",
		Hint: "the shorter state has an empty line where the other goes on; the third result of " +
			"bytes.Cut tells a line from the same text without its newline",
		More: "a, archived, moreA := bytes.Cut(…), r, replayed, moreR := …; they differ if " +
			"!bytes.Equal(a, r) || moreA != moreR",
		Misconception: "that white space at the end is no part of a state",
	}, try: stateEnds},
}

func equalStates(t *trial) {
	require.Error(t.Hint("two states that are not equal give a *contract.Difference"),
		t.compare([]byte("a\n"), []byte("b\n")), "Compare of two states that differ")
	for _, state := range []string{"", "a\n", "a\nb\n"} {
		err := t.compare([]byte(state), []byte(state))
		require.True(t, err == nil, "Compare of %q with itself returned a %T, not nil", state, err)
	}
}

// requireDifference requires a Difference of two states.
func requireDifference(t *trial, archived, replayed string, want contract.Difference) {
	err := t.compare([]byte(archived), []byte(replayed))
	difference := new(contract.Difference)
	require.ErrorAs(t, err, &difference, "Compare(%q, %q)", archived, replayed)
	require.Equal(t, want, *difference, "Compare(%q, %q)", archived, replayed)
}

func firstLine(t *trial) {
	requireDifference(t, "a\n", "b\n", contract.Difference{Line: 1, Archived: "a", Replay: "b"})
	requireDifference(t, "a\nb\nc\nd\n", "a\nx\nc\ny\n",
		contract.Difference{Line: 2, Archived: "b", Replay: "x"})
}

func stateEnds(t *trial) {
	requireDifference(t, "a\nb\n", "a\n", contract.Difference{Line: 2, Archived: "b"})
	requireDifference(t, "a\n", "a\nb\n", contract.Difference{Line: 2, Replay: "b"})
	requireDifference(t, "a\n", "", contract.Difference{Line: 1, Archived: "a"})
	require.Error(t, t.compare([]byte("a\n"), []byte("a")), `Compare("a\n", "a")`)
}

var replaying = []spec{
	{Check: check.Check{
		ID: "L4.4", Points: 3, Invariant: "L4.I4", Operation: replay,
		Title: "a replay of the events before a cursor gives their state and their number",
		Hint: "log.Read(ctx, nil, to) yields these events and no other; collect them by stream, " +
			"and fold all streams once with trade.StateOf",
		More: "for r, err := range log.Read(ctx, nil, to): contract.Decoded, take(streams, r, " +
			"e), events++; then trade.StateOf(streams, trade.AsOf{})",
		Misconception: "that a cursor cuts the feed at one place",
	}, try: everyCursor},
	{Check: check.Check{
		ID: "L4.5", Points: 2, Invariant: "L4.I5", Operation: replay,
		Title: "a log that cannot be read to the end gives an error, and no state",
		Hint:  "each step of the feed has an error: look at it before the event",
		More: "if err != nil { return trade.State{}, 0, fmt.Errorf(\"read the log up to %s: " +
			"%w\", to, err) } as the first statement of the loop",
		Misconception: "that a feed that ends has delivered everything",
	}, try: brokenFeed},
	{Check: check.Check{
		ID: "L4.6", Points: 2, Invariant: "L4.I5", Operation: replay,
		Title: "a replay stops at an event that cannot be decoded yet, and names it",
		Hint: "return the error of contract.Decoded: a replay that skips an event vouches for " +
			"another history",
		More: "e, err := contract.Decoded(ctx, r.codec, recorded); if err != nil, return err " +
			"as it is",
		Misconception: "that a state without the event is better than no state",
	}, try: noRegistry},
	{Check: check.Check{
		ID: "L4.7", Points: 2, Invariant: "L4.I5", Operation: replay,
		Title: "a replay stops at an event whose predecessor is missing",
		Hint:  "take in replayer.go compares the version with the number of events so far",
		More: "if err := take(streams, recorded, e); err != nil { return trade.State{}, 0, err } " +
			"in place of an append of your own",
		Misconception: "that the events of a log are complete because they decode",
	}, try: missingVersion},
	{Check: check.Check{
		ID: "L4.8", Points: 3, Invariant: "L4.I4", Operation: replay,
		Title: "after a change of one event the replay differs, first at the line of its trade",
		Hint: "each replay begins from nothing: no field and no variable of the package may hold " +
			"events or states",
		More: "streams is a local variable of Replay; Compare returns at the first line that " +
			"differs",
		Misconception: "that an event that was read once need not be read again",
	}, try: changedEvent},
}

// codec takes the place of the codec of Lab 1, so that a mistake there costs no points here.
var codec = projectiontest.Codec{}

// stateOf folds events, as known and effective at two times. It is the plain definition.
func stateOf(events []contract.Recorded, at trade.AsOf) trade.State {
	streams := map[string][]trade.Event{}
	for _, r := range events {
		e, err := contract.Decoded(context.Background(), codec, r)
		if err != nil {
			panic(err) // a suite encoded it
		}
		streams[r.Stream] = append(streams[r.Stream], e)
	}
	return trade.StateOf(streams, at)
}

// requireState requires a state. It shows the first line that differs.
func requireState(t check.T, want, got trade.State, name string) {
	expected := strings.Split(string(want.Canonical()), "\n")
	actual := strings.Split(string(got.Canonical()), "\n")
	for i := range expected {
		if i < len(actual) && i < len(expected)-1 {
			require.Equal(t, expected[i], actual[i], "line %d of %s", i+1, name)
		}
	}
	require.Len(t, actual, len(expected), "lines of %s", name)
}

// endOf returns the end of a log in memory.
func endOf(log contract.Reader) contract.Cursor {
	end, err := log.End(context.Background())
	if err != nil {
		panic(err)
	}
	return end
}

func everyCursor(t *trial) {
	log := projectiontest.History(41+t.Seed(), 80, 3)
	end := endOf(log)
	for n := range int64(8) {
		// A cursor stands at any place of each partition.
		for _, to := range []contract.Cursor{
			end.Min(contract.Cursor{5 * n, 4 * n, 6 * n}),
			end.Min(contract.Cursor{30 - 4*n, 9, 5 * n}),
		} {
			before := slices.DeleteFunc(slices.Clone(log.Events), func(r contract.Recorded) bool {
				return !to.Covers(r.Position)
			})
			state, events, err := t.replay(log, to)
			require.NoError(t, err, "replay of the events before %s", to)
			want := stateOf(before, trade.AsOf{})
			requireState(t, want, state, fmt.Sprintf("the state of the %d events before %s",
				len(before), to))
			require.EqualValues(t.Hint("every event before the cursor counts: those of refusals "+
				"and of snapshots, too, although they change no state"), len(before), events,
				"number of the events before %s", to)
		}
	}
}

// errBroken is the error of a part that a check breaks.
var errBroken = errors.New("the connection is gone")

// A broken log fails after some events.
type broken struct {
	contract.Reader
	after int
}

func (b broken) Read(ctx context.Context, from, to contract.Cursor) (
	feed iter.Seq2[contract.Recorded, error]) {
	return func(yield func(contract.Recorded, error) bool) {
		n := 0
		for r, err := range b.Reader.Read(ctx, from, to) {
			if n++; n > b.after {
				yield(contract.Recorded{}, errBroken)
				return
			}
			if !yield(r, err) {
				return
			}
		}
	}
}

func brokenFeed(t *trial) {
	log := projectiontest.History(42+t.Seed(), 20, 1)
	for _, n := range []int{0, 12} {
		_, _, err := t.replay(broken{log, n}, endOf(log))
		require.ErrorIs(t, err, errBroken, "replay of a log that fails after %d events", n)
	}
}

// unknownSchema returns a log with one event whose schema only the registry knows.
func unknownSchema() *projectiontest.Log {
	log := projectiontest.History(43, 20, 2)
	log.Events[12].Data = []byte{0, 0, 0, 0, 2}
	return log
}

func noRegistry(t *trial) {
	log := unknownSchema()
	_, _, err := t.replay(log, endOf(log))
	require.ErrorContains(t, err, "the registry does not answer", "replay of an event whose "+
		"schema only the registry knows")
	require.ErrorContains(t, err, log.Events[12].Stream, "the error names the stream")
}

// withoutFirst returns a log without the first event of a stream.
func withoutFirst() (log *projectiontest.Log, stream string) {
	log = projectiontest.History(44, 60, 2)
	at := slices.IndexFunc(log.Events, func(r contract.Recorded) bool { return r.Version == 2 })
	stream = log.Events[at].Stream
	log.Events = slices.DeleteFunc(log.Events, func(r contract.Recorded) bool {
		return r.Version == 1 && r.Stream == stream
	})
	return log, stream
}

// requireErrors requires an error of a fold of each log that has an event which a fold cannot take.
func requireErrors(t check.T, name string,
	fold func(log contract.Reader, to contract.Cursor) error) {
	hole, _ := withoutFirst()
	for _, tc := range []struct {
		name string
		log  *projectiontest.Log
	}{
		{"a log with an event whose schema only the registry knows", unknownSchema()},
		{"a log without the first event of a stream", hole},
	} {
		require.Error(t, fold(tc.log, endOf(tc.log)), "%s of %s", name, tc.name)
	}
}

func missingVersion(t *trial) {
	log, stream := withoutFirst()
	_, _, err := t.replay(log, endOf(log))
	damage := new(contract.DamagedError)
	require.ErrorAs(t, err, &damage, "replay without the first event of %s", stream)
	require.Contains(t, damage.What, stream)
}

// altered returns a copy of a log in which the first NEW after some events has another quantity,
// and the place of that event.
func altered(log *projectiontest.Log, after int) (*projectiontest.Log, int) {
	other := *log
	other.Events = slices.Clone(log.Events)
	for k := after; k < len(other.Events); k++ {
		r := &other.Events[k]
		body, err := codec.Decode(context.Background(), r.Type, r.Data)
		n, isNew := body.(trade.New)
		if err != nil || !isNew {
			continue
		}
		n.Quantity.Value = n.Quantity.Value.Add(trade.Int(1))
		payload, err := codec.Encode(context.Background(), n)
		if err != nil {
			panic(err) // every body is plain data
		}
		r.Data = payload.Data
		return &other, k
	}
	panic(fmt.Sprintf("replaytest: no NEW after event %d", after))
}

func changedEvent(t *trial) {
	log := projectiontest.History(45, 60, 1)
	archived := stateOf(log.Events, trade.AsOf{}).Canonical()
	state, _, err := t.replay(log, endOf(log))
	require.NoError(t, err)
	require.NoError(t, t.compare(archived, state.Canonical()), "the replay of an unchanged log")
	other, k := altered(log, 20)
	uti := other.Events[k].Stream[len(trade.TradeStream("")):]
	state, _, err = t.replay(other, endOf(other))
	require.NoError(t, err)
	difference := new(contract.Difference)
	err = t.compare(archived, state.Canonical())
	require.ErrorAs(t, err, &difference, "the replay of a log in which %s was changed", uti)
	require.Equal(t, lineOf(t, archived, uti), difference.Line, "the line of %s", uti)
	require.NotEqual(t, difference.Archived, difference.Replay)
}

// lineOf returns the number of a contract's line in a state.
func lineOf(t *trial, state []byte, uti string) int {
	for i, line := range bytes.Split(state, []byte("\n")) {
		var of struct{ Trade struct{ UTI string } }
		if json.Unmarshal(line, &of) == nil && of.Trade.UTI == uti {
			return i + 1
		}
	}
	require.Fail(t, "no line of "+uti)
	return 0
}
