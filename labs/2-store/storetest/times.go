package storetest

import (
	"time"

	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/kit/check"
	"example.com/blotter/labs/kit/contract"
)

var times = []spec{{
	Check: check.Check{ID: "L2.21", Points: 2, Invariant: "L2.I8", Title: "recorded_at is the clock's time, and never runs backwards when the clock does",
		Misconception: "that the machine's clock never goes back: it is set right, and it jumps",
		Hint:          "use contract.Stamp with the time of the last event, inside a batch too"},
	try: func(t *trial) {
		const tick = time.Microsecond
		var want, got []time.Time
		for _, step := range []struct {
			clock time.Time
			want  []time.Time
		}{
			{noon, []time.Time{noon, noon.Add(tick)}},
			{noon.Add(-time.Hour), []time.Time{noon.Add(2 * tick), noon.Add(3 * tick)}},
			{noon.Add(time.Minute + 999), []time.Time{noon.Add(time.Minute)}}, // finer than it can be recorded
			{noon.Add(time.Minute), []time.Time{noon.Add(time.Minute + tick)}},
		} {
			t.now.set(step.clock)
			for _, r := range t.append(stream, contract.Any, t.events.batch(stream, len(step.want))...) {
				got = append(got, r.RecordedAt)
			}
			want = append(want, step.want...)
		}
		require.Equal(t, want, got, "recorded_at of the receipts")
		for i, e := range t.stream(stream) {
			require.Equal(t, want[i], e.RecordedAt, "recorded_at of event %d", i+1)
		}
	},
}, {
	Check: check.Check{ID: "L2.22", Points: 1, Invariant: "L2.I8", Title: "the clock is asked with the context of the append",
		Misconception: "that there is one time for everybody: a simulated log has a time of its own, and it is in the context",
		Hint:          "pass the caller's context to the clock: a simulated log carries its time there"},
	try: func(t *trial) {
		for day := range 3 {
			at := noon.AddDate(0, 0, day+1)
			receipts, err := t.store.Append(contract.At(t.Context(), at), stream, contract.Any, t.events.next(stream))
			require.NoError(t, err)
			require.Equal(t, []contract.Receipt{{Version: int64(day + 1), RecordedAt: at}}, receipts)
		}
	},
}, {
	Check: check.Check{ID: "L2.23", Points: 2, Invariant: "L2.I8", Title: "nothing is recorded at or before a frontier that was told, and what is recorded is within it once the clock moves on",
		Misconception: "that to tell the time binds nobody: the clock is set back, and the next event is stamped with what was told to be over",
		Hint:          "remember what you told, in whole microseconds: what comes next is stamped behind it, whatever the clock says then"},
	try: func(t *trial) {
		for i := range 4 {
			name := []string{stream, "trade/UTI-2", "trade/UTI-3", "trade/UTI-4"}[i]
			last := t.append(name, contract.Any, t.events.next(name))[0].RecordedAt
			t.now.set(noon.Add(time.Duration(i+1)*time.Second + 999)) // finer than it can be recorded
			frontier := t.frontier()
			require.False(t, frontier.Before(last), "the frontier %s is before what was recorded at %s", frontier, last)
			require.Equal(t, frontier, t.frontier(), "the frontier, told twice by a clock that stands still")
			t.now.set(noon.Add(time.Duration(i) * time.Second))
			next := t.append(name, contract.Any, t.events.next(name))[0].RecordedAt
			require.True(t, next.After(frontier), "recorded at %s by a clock that was set back, after the frontier was %s", next, frontier)
			require.Equal(t, t.whole()[name][1].RecordedAt, next, "the time in the receipt, beside the one in the log")
		}
	},
}}

// frontier must be told.
func (t *trial) frontier() time.Time {
	frontier, err := t.store.Frontier(t.Context())
	require.NoError(t, err, "frontier of the log")
	return frontier
}
