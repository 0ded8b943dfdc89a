package capstone_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/kit/trade"
)

// Every event on record at the known time of an answer counts: here the clock is read right after
// each trade was recorded.
func TestAnswerHasAllKnownEvents(t *testing.T) {
	t.Parallel()
	s, next := newSystem(), "A"
	s.Clock = func() time.Time {
		do(t, s, oil("c-"+next, next))
		return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	require.Equal(t, trade.Live, tradeOf(t, s, "A").Status)
	next = "B"
	state, basis, err := s.StateAsOf(t.Context(), trade.AsOf{})
	require.NoError(t, err)
	require.Len(t, state.Trades, 2)
	require.Equal(t, 2026, basis.Known.Year())
}
