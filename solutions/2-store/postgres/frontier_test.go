package postgres

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/kit/contract"
)

func TestFrontierBefore(t *testing.T) {
	t.Parallel()
	at := func(d time.Duration) *time.Time { v := noon.Add(d); return &v }
	second := func(d time.Duration) *int64 { v := noon.Add(d).Unix(); return &v }
	const tick = time.Microsecond
	for name, c := range map[string]struct {
		clock, skew     time.Duration
		second          *int64
		waiting, latest *time.Time
		want            time.Duration
	}{
		"no append in flight": {clock: 0, want: -tick},
		"clocks that differ":  {clock: 0, skew: time.Second, want: -time.Second - tick},
		"an append in flight": {
			clock: 1500 * time.Millisecond, second: second(time.Second),
			want: time.Second - tick,
		},
		"an append by a fast clock": {clock: 0, second: second(time.Hour), want: -tick},
		"a skew and an append in flight": {
			clock: 5 * time.Second, skew: time.Second, second: second(2 * time.Second),
			want: time.Second - tick,
		},
		"a pending event": {
			clock: 5 * time.Second, waiting: at(time.Second), want: time.Second - tick,
		},
		"a recorded event does not matter": {clock: 0, latest: at(time.Hour), want: -tick},
	} {
		s := &Store{skew: c.skew}
		require.Equal(t, noon.Add(c.want),
			s.frontierBefore(noon.Add(c.clock-c.skew), c.second, c.waiting, c.latest), name)
	}
	require.Equal(t, noon, new(Store).frontierBefore(time.Time{}, nil, nil, &noon),
		"a clock that gives no time")
}

// TestFrontierWaitsForOtherProcesses plays an append of another process step by step.
func TestFrontierWaitsForOtherProcesses(t *testing.T) {
	t.Parallel()
	later := noon.Add(time.Minute)
	clock := func(context.Context) time.Time { return later }
	s, dsn := open(t, func(opt *Options) { opt.Clock = clock })
	frontier := func() time.Time {
		f, err := s.Frontier(t.Context())
		require.NoError(t, err)
		return f
	}
	require.Equal(t, later.Add(-time.Microsecond), frontier())
	other, err := session(t, dsn).Begin(t.Context())
	require.NoError(t, err)
	_, err = other.Exec(t.Context(), announce, s.schema, int32(noon.Unix()))
	require.NoError(t, err)
	require.Equal(t, noon.Add(-time.Microsecond), frontier(), "announced")
	insert(t, other, 1, event("trade/A", 1)) // recorded just after noon
	require.Equal(t, noon.Add(-time.Microsecond), frontier(), "inserted")
	_, err = s.Append(t.Context(), "trade/B", 0, event("trade/B", 1))
	require.NoError(t, err, "another append must not wait")
	require.NoError(t, other.Commit(t.Context()))
	require.Equal(t, later.Add(-time.Microsecond), frontier(), "committed")
}

// appending is the key of a value in the context of an append.
type appending struct{}

// TestClockSetBackDuringAnAppend sets the clock back at the worst moment: the append has announced
// a time and has no recorded_at yet. A lock on the table then delays the insert until Frontier has
// answered.
func TestClockSetBackDuringAnAppend(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	announced := noon.Add(10 * time.Second)
	stamping := make(chan struct{})
	s, dsn := open(t, func(opt *Options) {
		opt.Clock = func(ctx context.Context) time.Time {
			if ctx.Value(appending{}) == nil {
				return noon.Add(time.Second) // for the frontier
			}
			n := asked.Add(1) // an append that waits too long for a lock begins again
			if n == 2 {
				close(stamping)
			}
			if n%2 == 1 {
				return announced
			}
			return noon
		}
	})
	other, err := session(t, dsn).Begin(t.Context())
	require.NoError(t, err)
	_, err = other.Exec(t.Context(), "lock table events in share mode")
	require.NoError(t, err)
	done := make(chan outcome, 1)
	go func() {
		ctx := context.WithValue(t.Context(), appending{}, true)
		receipts, err := s.Append(ctx, "trade/A", 0, event("trade/A", 1))
		done <- outcome{[][]contract.Receipt{receipts}, err}
	}()
	<-stamping
	frontier, err := s.Frontier(t.Context())
	require.NoError(t, err)
	require.NoError(t, other.Rollback(t.Context()))
	appended := <-done
	require.NoError(t, appended.err)
	at := appended.receipts[0][0].RecordedAt
	require.True(t, at.After(frontier), "recorded at %s, but the frontier was %s", at, frontier)
	require.Equal(t, announced, at)
}

func TestFrontierSurvivesClockReset(t *testing.T) {
	t.Parallel()
	var clock atomic.Pointer[time.Time]
	set := func(to time.Time) { clock.Store(&to) }
	s, _ := open(t, func(opt *Options) {
		opt.Clock = func(context.Context) time.Time { return *clock.Load() }
		opt.Skew = 2 * time.Second
	})
	frontier := func() time.Time {
		f, err := s.Frontier(t.Context())
		require.NoError(t, err)
		return f
	}
	set(noon.Add(10 * time.Second))
	announced := noon.Add(8*time.Second - time.Microsecond)
	require.Equal(t, announced, frontier())
	set(noon)
	require.Equal(t, announced, frontier(), "set back")
	require.Equal(t, announced, frontier(), "second call")
	receipts, err := s.Append(t.Context(), "trade/A", 0, event("trade/A", 1))
	require.NoError(t, err)
	require.True(t, receipts[0].RecordedAt.After(announced), "recorded at %s",
		receipts[0].RecordedAt)
	set(noon.Add(11 * time.Second))
	require.Equal(t, announced.Add(time.Second), frontier(), "the clock is past the frontier again")
}

func TestFrontierOfASimulatedClock(t *testing.T) {
	t.Parallel()
	s, _ := open(t, func(opt *Options) { opt.Clock = contract.SimulatedClock })
	for n := range 3 {
		_, err := s.Append(contract.At(t.Context(), noon.AddDate(0, 0, n)), "trade/A", int64(n),
			event("trade/A", n))
		require.NoError(t, err)
	}
	frontier, err := s.Frontier(t.Context())
	require.NoError(t, err)
	require.Equal(t, noon.AddDate(0, 0, 2), frontier)
}

// TestReaderReportsADeletedEvent deletes an event as a superuser can, without the triggers.
func TestReaderReportsADeletedEvent(t *testing.T) {
	t.Parallel()
	for _, version := range []int64{1, 2, 3} {
		s, dsn := open(t)
		_, err := s.Append(t.Context(), "trade/A", 0, event("trade/A", 1), event("trade/A", 2),
			event("trade/A", 3))
		require.NoError(t, err)
		end, err := s.End(t.Context())
		require.NoError(t, err)
		_, err = session(t, dsn).Exec(t.Context(), "alter table events disable trigger all")
		require.NoError(t, err)
		_, err = session(t, dsn).Exec(t.Context(), "delete from events where version = $1", version)
		require.NoError(t, err)
		var last error
		for _, last = range s.Read(t.Context(), nil, end) {
		}
		var damaged *contract.DamagedError
		require.ErrorAs(t, last, &damaged)
		require.Equal(t, contract.Position{Offset: version - 1}, damaged.Position)
	}
}
