package check

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A limit of a minute is for slow checks. If checks hang one after the other, the others must not
// wait as long.
func TestHangsShortenTheOtherLimits(t *testing.T) {
	t.Parallel()
	var l limiter
	never := make(chan struct{})
	const limit = 10 * time.Millisecond
	hangs := Check{Limit: limit, Func: func(T) { <-never }}
	cleanupHangs := Check{Limit: limit, Func: func(t T) { t.Cleanup(func() { <-never }) }}
	slow := Check{Limit: limit, Func: func(t T) { <-t.Context().Done() }}
	quick := Check{Func: func(t T) { t.Answered("add", nil) }}
	limits := func() []time.Duration {
		return []time.Duration{
			l.limit(Check{}), l.limit(Check{Limit: 10 * time.Second}),
			l.limit(Check{Limit: time.Second}),
		}
	}
	full := []time.Duration{Limit, 10 * time.Second, time.Second}

	require.True(t, l.judge(t.Context(), Suite{}, hangs).Hung)
	require.False(t, l.judge(t.Context(), Suite{}, quick).Hung)
	require.Equal(t, full, limits(), "one check that hangs does not shorten the limits")
	require.True(t, l.judge(t.Context(), Suite{}, cleanupHangs).Hung, "a cleanup that hangs counts")
	require.Equal(t, []time.Duration{15 * time.Second, 10 * time.Second, time.Second}, limits())
	require.Equal(t, Failed, l.judge(t.Context(), Suite{}, slow).Outcome)
	require.Equal(t, Passed, l.judge(t.Context(), Suite{}, quick).Outcome)
}
