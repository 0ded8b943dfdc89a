package check

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A limit of a minute is for slow checks. If checks hang one after the other, the others must not
// wait as long, and after three the run stops.
func TestHangsAreCheap(t *testing.T) {
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
	judge := func(c Check) Verdict { return l.judge(t.Context(), Suite{}, c) }

	require.False(t, judge(quick).Hung)
	require.Equal(t, []time.Duration{Limit, 10 * time.Second, time.Second}, limits())
	require.True(t, judge(hangs).Hung)
	require.Equal(t, []time.Duration{15 * time.Second, 10 * time.Second, time.Second}, limits())
	require.True(t, judge(cleanupHangs).Hung, "a cleanup that hangs counts")
	require.Equal(t, Passed, judge(quick).Outcome)
	require.True(t, judge(slow).Hung, "a check that ends only because its context ends counts")
	stopped := judge(quick)
	require.Equal(t, Stopped, stopped.Outcome)
	require.Equal(t, "STOPPED: 3 checks did not end; make them end first", stopped.Text)
	require.Zero(t, stopped.Points())
}
