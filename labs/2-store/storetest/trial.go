package storetest

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/kit/check"
	"example.com/blotter/labs/kit/contract"
)

// A trial is one running check: its store, its clock and its events.
type trial struct {
	check.T
	log    Log
	store  contract.Store
	clock  fakeClock
	events generator
}

// reopen crashes the store and opens the log again.
func (t *trial) reopen() { t.store = watched{t.log.Reopen(t), t.T} }

// noon is the first time of each fakeClock.
var noon = time.Date(2025, 3, 30, 12, 0, 0, 0, time.UTC)

// A fakeClock shows noon until it is set, and moves only when it is set.
type fakeClock struct {
	mu sync.Mutex
	at time.Time
}

func (c *fakeClock) set(at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = at
}

// now returns the time in the context (contract.At) if there is one, like the clock of a simulated
// log.
func (c *fakeClock) now(ctx context.Context) time.Time {
	if at := contract.SimulatedClock(ctx); !at.IsZero() {
		return at
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.at.IsZero() {
		return noon
	}
	return c.at
}

// append requires that the append succeeds.
func (t *trial) append(stream string, expected int64, events ...contract.Event) []contract.Receipt {
	receipts, err := t.store.Append(t.Context(), stream, expected, events...)
	require.NoError(t, err, "append of %d events to %s at %d", len(events), stream, expected)
	require.Len(t, receipts, len(events), "one receipt for each event")
	return receipts
}

// refused requires that the append fails and leaves the log unchanged. It returns the error.
func (t *trial) refused(stream string, expected int64, events ...contract.Event) error {
	before := t.readAll()
	receipts, err := t.store.Append(t.Context(), stream, expected, events...)
	require.Error(t, err, "append of %d events to %s at %d", len(events), stream, expected)
	require.Empty(t, receipts, "receipts with an error")
	requireSame(t, before, t.readAll(), "the log after an append that failed")
	return err
}

// stream returns all events of one stream.
func (t *trial) stream(name string) []contract.Recorded {
	return collect(t, t.store.Stream(t.Context(), name))
}

// end returns the cursor after every committed event.
func (t *trial) end() contract.Cursor {
	end, err := t.store.End(t.Context())
	require.NoError(t, err, "end of the log")
	return end
}

// read returns the range [from, to) of the feed.
func (t *trial) read(from, to contract.Cursor) []contract.Recorded {
	return collect(t, t.store.Read(t.Context(), from, to))
}

// readAll returns the whole log by stream. Stores may interleave streams in any order.
func (t *trial) readAll() map[string][]contract.Recorded {
	return byStream(t.read(nil, t.end()))
}

func byStream(events []contract.Recorded) map[string][]contract.Recorded {
	streams := map[string][]contract.Recorded{}
	for _, e := range events {
		streams[e.Stream] = append(streams[e.Stream], e)
	}
	return streams
}

func collect(t check.T, events func(func(contract.Recorded, error) bool)) []contract.Recorded {
	var all []contract.Recorded
	for e, err := range events {
		require.NoError(t, err, "after %d events", len(all))
		all = append(all, e)
	}
	return all
}

// requireEvents requires that got are the appended events in order, with versions from first on.
func requireEvents(t check.T, first int64, want []contract.Event, got []contract.Recorded) {
	check.Events(t, "appended events", want, eventsOf(got))
	for i, e := range got {
		require.Equal(t, want[i], e.Event, "event %d of the stream", i+1)
		require.Equal(t, first+int64(i), e.Version, "version of event %d of the stream", i+1)
	}
}

func eventsOf(recorded []contract.Recorded) []contract.Event {
	var events []contract.Event
	for _, e := range recorded {
		events = append(events, e.Event)
	}
	return events
}

// requireSame requires that two readings agree. Its failure names the first stream and event that
// differ.
func requireSame(t check.T, want, got map[string][]contract.Recorded, subject string) {
	for _, name := range slices.Sorted(maps.Keys(want)) {
		check.Events(t, subject+": "+name, eventsOf(want[name]), eventsOf(got[name]))
		for i, e := range got[name] {
			require.Equal(t, want[name][i], e, "%s: event %d of %s", subject, i+1, name)
		}
	}
	require.Equal(t, slices.Sorted(maps.Keys(want)), slices.Sorted(maps.Keys(got)), "%s: streams",
		subject)
}
