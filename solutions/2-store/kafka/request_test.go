package kafka

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/kit/contract"
)

// A request in the queue has no memory of its own. It has a copy of the events from when it is
// taken, because its caller may then give up and change them.
func TestQueuedRequestHoldsNoCopy(t *testing.T) {
	t.Parallel()
	events := []contract.Event{indexed().Event}
	r := newRequest(t.Context(), "trade/T", 0, events)
	require.Same(t, &events[0], &r.events[0])
	require.True(t, r.take())
	want := indexed().Event
	require.Error(t, r.giveUp(context.Canceled))
	events[0].Stream, events[0].Data[6] = "trade/OTHER", 9
	require.Equal(t, []contract.Event{want}, r.events)
}

// A request whose caller has given up is not taken: its events may have changed.
func TestRequestOfAGoneCallerIsNotTaken(t *testing.T) {
	t.Parallel()
	r := newRequest(t.Context(), "trade/T", 0, []contract.Event{indexed().Event})
	require.Error(t, r.giveUp(context.Canceled))
	require.False(t, r.take())
}
