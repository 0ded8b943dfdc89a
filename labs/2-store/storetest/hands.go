package storetest

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"example.com/blotter/labs/kit/check"
	"example.com/blotter/labs/kit/contract"

	"github.com/stretchr/testify/require"
)

// hands are the clock of a check: they stand still until they are set. Until then it is noon.
type hands struct {
	mu sync.Mutex
	at time.Time
}

func (h *hands) set(at time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.at = at
}

// clock follows contract.At where the context has it, as the clock of a simulated log does.
func (h *hands) clock(ctx context.Context) time.Time {
	if at := contract.SimulatedClock(ctx); !at.IsZero() {
		return at
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.at.IsZero() {
		return noon
	}
	return h.at
}

// append must succeed.
func (t *trial) append(stream string, expected int64, events ...contract.Event) []contract.Receipt {
	receipts, err := t.store.Append(t.Context(), stream, expected, events...)
	require.NoError(t, err, "append of %d events to %s at %d", len(events), stream, expected)
	require.Len(t, receipts, len(events), "one receipt for each event")
	return receipts
}

// refused must fail, and leave the log as it was.
func (t *trial) refused(stream string, expected int64, events ...contract.Event) error {
	before := t.whole()
	receipts, err := t.store.Append(t.Context(), stream, expected, events...)
	require.Error(t, err, "append of %d events to %s at %d", len(events), stream, expected)
	require.Empty(t, receipts, "receipts beside an error")
	same(t, before, t.whole(), "the log after an append that failed")
	return err
}

// stream is all of one stream.
func (t *trial) stream(name string) []contract.Recorded {
	return collect(t, t.store.Stream(t.Context(), name))
}

// end is the cursor behind all that is committed.
func (t *trial) end() contract.Cursor {
	end, err := t.store.End(t.Context())
	require.NoError(t, err, "end of the log")
	return end
}

// read is the range [from, to) of the feed.
func (t *trial) read(from, to contract.Cursor) []contract.Recorded {
	return collect(t, t.store.Read(t.Context(), from, to))
}

// whole is the whole log, by stream: how streams interleave is the store's affair.
func (t *trial) whole() map[string][]contract.Recorded {
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

// holds says that got is what was appended, in that order, with versions from first on.
func holds(t check.T, first int64, want []contract.Event, got []contract.Recorded) {
	check.Events(t, "what was appended", want, eventsOf(got))
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

// same says that two readings of streams are one, and names the first stream and event that differ.
func same(t check.T, want, got map[string][]contract.Recorded, what string) {
	for _, name := range slices.Sorted(maps.Keys(want)) {
		check.Events(t, what+": "+name, eventsOf(want[name]), eventsOf(got[name]))
		for i, e := range got[name] {
			require.Equal(t, want[name][i], e, "%s: event %d of %s", what, i+1, name)
		}
	}
	require.Equal(t, slices.Sorted(maps.Keys(want)), slices.Sorted(maps.Keys(got)), "%s: streams", what)
}
