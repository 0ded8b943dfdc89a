package kafka_test

import (
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/solutions/2-store/kafka"
)

// The streams of one place, in the order of their events in an append.
var entry = []string{"journal/main/1", "account/main/cash", "account/main/fees"}

const period = "period/main/2025-03"

// posting returns an append of the n-th event of each stream of entry, at version n-1.
func posting(n int) (appends []contract.StreamAppend) {
	for _, name := range entry {
		appends = append(appends, contract.StreamAppend{
			Stream: name, Expected: int64(n - 1), Events: []contract.Event{event(name, n)},
		})
	}
	return appends
}

// requireEntries requires that a log has the first n postings and nothing else, each at one time.
func requireEntries(t *testing.T, s *kafka.Store, n int) {
	t.Helper()
	events := all(t, s)
	require.Len(t, events, n*len(entry))
	for i, e := range events {
		n, first := i/len(entry)+1, events[i-i%len(entry)]
		want := event(entry[i%len(entry)], n)
		want.AppendGroup = contract.GroupOf(posting(n)...)
		require.Equal(t, want, e.Event)
		require.Equal(t, first.RecordedAt, e.RecordedAt)
		require.EqualValues(t, n, e.Version)
	}
}

// L2.I14: the events and the heads of all streams are one transaction.
func TestSeveralStreamsAreOneCommit(t *testing.T) {
	t.Parallel()
	cluster := broker(t)
	opts := options(cluster, "log")
	opts.Place = kafka.ByPlace
	s := open(t, opts)
	var commits atomic.Int32
	control(cluster, kmsg.EndTxn, func(kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		commits.Add(1)
		return nil, nil, false
	})
	_, err := s.AppendAll(t.Context(), posting(1), contract.Guard{Stream: period})
	require.NoError(t, err)
	require.EqualValues(t, 1, commits.Load(), "transactions")
	requireEntries(t, s, 1)
	require.NoError(t, s.Close())
	written := heads(t, opts)
	require.Len(t, written, len(entry))
	for _, name := range entry {
		require.EqualValues(t, 1, written[name].Version)
		require.Equal(t, event(name, 1).ID, written[name].EventID)
	}
}

// L2.I18: the outcome of an unanswered commit is found in the log, for all streams.
func TestUnansweredCommitOfStreams(t *testing.T) {
	t.Parallel()
	for _, landed := range []bool{true, false} {
		t.Run(fmt.Sprintf("landed=%t", landed), func(t *testing.T) {
			t.Parallel()
			cluster := broker(t)
			opts := options(cluster, "log")
			opts.Timeout, opts.Place = time.Second, kafka.ByPlace
			s := open(t, opts)
			_, err := s.AppendAll(t.Context(), posting(1))
			require.NoError(t, err)
			lost := loseCommits(t, cluster, landed)
			guard := contract.Guard{Stream: period}
			second, err := s.AppendAll(t.Context(), posting(2), guard)
			require.NoError(t, err, "the log has the outcome")
			require.Positive(t, lost.Load(), "commits without an answer")
			requireEntries(t, s, 2)
			_, err = s.Append(t.Context(), period, 0, event(period, 1))
			require.NoError(t, err)
			again, err := s.AppendAll(t.Context(), posting(2), guard)
			require.NoError(t, err)
			require.Equal(t, second, again)
		})
	}
}

// The connection breaks at the commit, on any broker. A crash of the process at the same moment
// leaves the same log.
func TestConnectionBreaksForStreams(t *testing.T) {
	t.Parallel()
	for _, landed := range []bool{true, false} {
		t.Run(fmt.Sprintf("landed=%t", landed), func(t *testing.T) {
			t.Parallel()
			var losing atomic.Bool
			var lost atomic.Int32
			opts := stackOptions(t)
			opts.Timeout, opts.Place = 2*time.Second, kafka.ByPlace
			s := open(t, breaking(landed, &losing, &lost).over(opts))
			for n := 1; n <= 3; n++ {
				losing.Store(n == 2)
				receipts, err := s.AppendAll(t.Context(), posting(n))
				require.NoError(t, err)
				require.EqualValues(t, n, receipts[2][0].Version)
			}
			require.Positive(t, lost.Load(), "commits without an answer")
			requireEntries(t, s, 3)
		})
	}
}

// L2.I9: an owner that was fenced records nothing of any stream.
func TestFencedAppendToStreams(t *testing.T) {
	t.Parallel()
	opts := options(broker(t), "log")
	opts.Place = kafka.ByPlace
	s := open(t, opts)
	_, err := s.AppendAll(t.Context(), posting(1))
	require.NoError(t, err)
	usurp(t, opts, 0)
	_, err = s.AppendAll(t.Context(), posting(2))
	require.ErrorIs(t, err, contract.ErrFenced)
	requireEntries(t, s, 1)
	_, err = s.AppendAll(t.Context(), posting(2))
	require.NoError(t, err)
	requireEntries(t, s, 2)
}

// A record that the broker refuses leaves nothing of the other streams.
func TestRefusedRecordRefusesAllStreams(t *testing.T) {
	t.Parallel()
	opts := options(broker(t), "log")
	opts.Place = kafka.ByPlace
	s := open(t, opts)
	limit(t, opts.Brokers, "log.events", "4000")
	large := posting(1)
	large[1].Events[0].Data = append(large[1].Events[0].Data, make([]byte, 5000)...)
	_, err := s.AppendAll(t.Context(), large)
	require.ErrorIs(t, err, kerr.MessageTooLarge)
	require.ErrorContains(t, err, "append to journal/main/1 and 2 more")
	require.Empty(t, all(t, s))
	_, err = s.AppendAll(t.Context(), posting(1))
	require.NoError(t, err)
	requireEntries(t, s, 1)
}

// L2.I19: a log with another Placement refuses streams that it has in different partitions.
func TestOtherPlacementHasStreamsApart(t *testing.T) {
	t.Parallel()
	opts := options(broker(t), "log")
	opts.Partitions = 8
	s := open(t, opts)
	require.False(t, s.Together(slices.Concat(entry, []string{period})...))
	_, err := s.AppendAll(t.Context(), posting(1), contract.Guard{Stream: period})
	require.ErrorAs(t, err, new(*contract.ApartError))
	require.Empty(t, all(t, s))
	_, err = s.AppendAll(t.Context(), posting(1)[:1])
	require.NoError(t, err)
}
