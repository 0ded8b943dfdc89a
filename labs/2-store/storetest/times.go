package storetest

import (
	"time"

	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/kit/check"
	"example.com/blotter/labs/kit/contract"
)

var times = []spec{{
	Check: check.Check{
		ID: "L2.20", Points: 3, Invariant: "L2.I8",
		Title: "recorded_at is the time of the append's clock, and never runs backwards, even " +
			"if the clock does",
		Misconception: "that a machine's clock never goes back: it is corrected, and then it jumps",
		Hint: "use contract.Stamp with the clock under the append's context, and with the " +
			"time of the last event",
	},
	parts: []part{{
		hint: "use contract.Stamp with the time of the last event, within a batch too",
		try: func(t *trial) {
			const tick = time.Microsecond
			var want, got []time.Time
			for _, step := range []struct {
				clock time.Time
				want  []time.Time
			}{
				{noon, []time.Time{noon, noon.Add(tick)}},
				{noon.Add(-time.Hour), []time.Time{noon.Add(2 * tick), noon.Add(3 * tick)}},
				// finer than a microsecond
				{noon.Add(time.Minute + 999), []time.Time{noon.Add(time.Minute)}},
				{noon.Add(time.Minute), []time.Time{noon.Add(time.Minute + tick)}},
			} {
				t.clock.set(step.clock)
				batch := t.events.batch(stream, len(step.want))
				for _, r := range t.append(stream, contract.Any, batch...) {
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
		hint: "pass the caller's context to the clock",
		try: func(t *trial) {
			for day := range 3 {
				at := noon.AddDate(0, 0, day+1)
				receipts, err := t.store.Append(contract.At(t.Context(), at), stream, contract.Any,
					t.events.next(stream))
				require.NoError(t, err)
				require.Equal(t, []contract.Receipt{{Version: int64(day + 1), RecordedAt: at}},
					receipts)
			}
		},
	}},
}, {
	Check: check.Check{
		ID: "L2.31", Points: 2, Invariant: "L2.I8",
		Title: "nothing is recorded at or before an announced frontier, and the frontier " +
			"passes each event as the clock moves on",
		Misconception: "that an announced frontier is only information: if the clock is set " +
			"back, the next event would get a time that the frontier declared complete",
		Hint: "the frontier is before the earliest time that the next append can get: remember " +
			"the " +
			"announced one in whole microseconds, and give the next event a later time, even if " +
			"the clock was set back",
	},
	try: func(t *trial) {
		for i := range 4 {
			name := []string{stream, "trade/UTI-2", "trade/UTI-3", "trade/UTI-4"}[i]
			last := t.append(name, contract.Any, t.events.next(name))[0].RecordedAt
			// finer than a microsecond
			t.clock.set(noon.Add(time.Duration(i+1)*time.Second + 999))
			frontier := t.frontier()
			require.False(t, frontier.Before(last),
				"the frontier is %s, but an event was recorded at %s", frontier, last)
			require.Equal(t.Hint("a question must not move the frontier: while the clock stands "+
				"still, each call has the same answer"), frontier, t.frontier(),
				"the second frontier while the clock stands still")
			t.clock.set(noon.Add(time.Duration(i) * time.Second))
			next := t.append(name, contract.Any, t.events.next(name))[0].RecordedAt
			require.True(t, next.After(frontier),
				"recorded at %s after the clock was set back, but the frontier was %s", next,
				frontier)
			require.Equal(t, t.readAll()[name][1].RecordedAt, next,
				"the time in the receipt (actual) and in the log (expected)")
		}
	},
}}

// frontier requires that the store returns its frontier.
func (t *trial) frontier() time.Time {
	frontier, err := t.store.Frontier(t.Context())
	require.NoError(t, err, "frontier of the log")
	return frontier
}
