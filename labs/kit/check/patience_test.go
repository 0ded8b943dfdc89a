package check

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A minute is for what is slow. Where checks hang one after the other, each minute more would be for nothing.
func TestChecksThatHangCostTheOthersTime(t *testing.T) {
	t.Parallel()
	var p patience
	never := make(chan struct{})
	hangs := Check{Limit: 10 * time.Millisecond, Func: func(T) { <-never }}
	stays := Check{Limit: 10 * time.Millisecond, Func: func(t T) { t.Cleanup(func() { <-never }) }}
	slow := Check{Limit: 10 * time.Millisecond, Func: func(t T) { <-t.Context().Done() }}
	quick := Check{Func: func(t T) { t.Answered("add", nil) }}
	limits := func() []time.Duration {
		return []time.Duration{p.limit(Check{}), p.limit(Check{Limit: 10 * time.Second}), p.limit(Check{Limit: time.Second})}
	}
	full := []time.Duration{Limit, 10 * time.Second, time.Second}

	require.True(t, p.judge(t.Context(), Suite{}, hangs).Hung)
	require.False(t, p.judge(t.Context(), Suite{}, quick).Hung)
	require.Equal(t, full, limits(), "one that hangs may have a reason of its own")
	require.True(t, p.judge(t.Context(), Suite{}, stays).Hung, "its cleanup")
	require.Equal(t, []time.Duration{15 * time.Second, 10 * time.Second, time.Second}, limits())
	require.Equal(t, Failed, p.judge(t.Context(), Suite{}, slow).Outcome)
	require.Equal(t, Passed, p.judge(t.Context(), Suite{}, quick).Outcome)
}
