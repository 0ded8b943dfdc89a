package postgres

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/kit/contract"
	store "example.com/blotter/solutions/2-store"
)

// posting returns an append of the n-th event of each stream, at any version.
func posting(n int, streams ...string) (appends []contract.StreamAppend) {
	for _, stream := range streams {
		appends = append(appends, contract.StreamAppend{
			Stream: stream, Expected: contract.Any, Events: []contract.Event{event(stream, n)},
		})
	}
	return appends
}

const (
	cash   = "account/main/cash"
	fees   = "account/main/fees"
	period = "period/main/2025-03"
)

// L2.I15: a guard holds against the appends of other processes, which share nothing but the
// database. The closing is in the feed after every append that guarded the period.
func TestGuardsHoldAcrossProcesses(t *testing.T) {
	t.Parallel()
	s, dsn := open(t)
	other := openAt(t, Options{DSN: dsn, Schema: s.schema, Clock: stoppedAtNoon})
	const rounds, writers = 12, 16
	for round := range rounds {
		period := fmt.Sprint(period, "-", round)
		_, err := s.Append(t.Context(), period, 0, event(period, 1))
		require.NoError(t, err)
		var all sync.WaitGroup
		errs := make([]error, writers+1)
		for w := range writers {
			to, n := []*Store{s, other}[w%2], round*writers+w
			all.Go(func() {
				_, errs[w] = to.AppendAll(t.Context(),
					posting(n, fmt.Sprintf("journal/main/%d/%d", round, w)),
					contract.Guard{Stream: period, Version: 1})
			})
			if w == writers/2 {
				all.Go(func() {
					_, errs[writers] = other.Append(t.Context(), period, 1, event(period, 2))
				})
			}
		}
		all.Wait()
		for _, err := range errs {
			if conflict := new(contract.ConflictError); !errors.As(err, &conflict) {
				require.NoError(t, err)
			}
		}
	}
	end, err := s.End(t.Context())
	require.NoError(t, err)
	closed := map[string]bool{}
	for _, r := range readRange(t, s, nil, end) {
		if strings.HasPrefix(r.Stream, period) && r.Version == 2 {
			closed["journal/main/"+strings.TrimPrefix(r.Stream, period+"-")] = true
		}
		require.False(t, closed[path.Dir(r.Stream)], "%s is after its closing", r.Stream)
	}
	require.Len(t, closed, rounds)
}

// L2.I17: one pass of the sequencer places the appends of two processes, which came one after the
// other in the same streams, and of one transaction, in which single events are between them.
func TestAppendsAreTogetherInTheFeed(t *testing.T) {
	t.Parallel()
	s, dsn := open(t)
	other := openAt(t, Options{DSN: dsn, Schema: s.schema, Clock: stoppedAtNoon})
	held, err := session(t, dsn).Begin(t.Context())
	require.NoError(t, err)
	_, err = held.Exec(t.Context(), "select from counter for update")
	require.NoError(t, err)
	for n, to := range []*Store{s, other, s} {
		_, err := to.AppendAll(t.Context(), posting(n, "journal/main/1", cash, fees))
		require.NoError(t, err)
	}
	var group []*appendCall
	for n, streams := range [][]string{{cash}, {fees, cash}, {cash}, {"trade/A"}, {cash, fees}} {
		parts := posting(10+n, streams...)
		if len(parts) > 1 {
			parts = store.Grouped(parts)
		}
		group = append(group, &appendCall{ctx: t.Context(), parts: parts, atomic: len(parts) > 1})
	}
	_, err = s.attempt(group, false)
	require.NoError(t, err)
	require.NoError(t, held.Rollback(t.Context()))

	end, err := s.End(t.Context())
	require.NoError(t, err)
	var got []string
	for _, r := range readRange(t, s, nil, end) {
		got = append(got, fmt.Sprintf("%s@%d", r.Stream, r.Version))
	}
	var want []string
	for n := range 3 {
		want = append(want, fmt.Sprint(cash, "@", n+1), fmt.Sprint(fees, "@", n+1),
			fmt.Sprint("journal/main/1@", n+1))
	}
	want = append(want, cash+"@4", cash+"@5", fees+"@4", cash+"@6", cash+"@7", fees+"@5")
	got = slices.DeleteFunc(got, func(at string) bool { return at == "trade/A@1" })
	require.Equal(t, want, got)
}

// L2.I14 and L2.I18: the connection breaks at the commit, before and after it landed. A crash of
// the process at the same moment leaves the same log.
func TestLostAnswerOfSeveralStreams(t *testing.T) {
	t.Parallel()
	for _, where := range []string{beforeSending, afterLanding} {
		for _, accounts := range []int{1, fewRows + 1} {
			t.Run(fmt.Sprintf("%s, %d accounts", where, accounts), func(t *testing.T) {
				t.Parallel()
				b := new(breaker)
				s, _ := open(t, func(opt *Options) { opt.connected = b.wrap })
				streams := []string{"journal/main/1"}
				for n := range accounts {
					streams = append(streams, fmt.Sprint("account/main/", n))
				}
				for n := range 3 {
					b.armed.Store(&where)
					receipts, err := s.AppendAll(t.Context(), posting(n, streams...),
						contract.Guard{Stream: period})
					require.NoError(t, err)
					for _, r := range receipts {
						require.EqualValues(t, n+1, r[0].Version)
						require.Equal(t, receipts[0][0].RecordedAt, r[0].RecordedAt)
					}
					require.EqualValues(t, n+1, b.broke.Load(), "connections that broke")
				}
				end, err := s.End(t.Context())
				require.NoError(t, err)
				require.Len(t, readRange(t, s, nil, end), 3*len(streams))
			})
		}
	}
}
