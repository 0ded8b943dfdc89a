package kafka_test

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/solutions/2-store/kafka"
)

// A stream of 20 events is read as fast from a long log as from a short one, by the owner and by a
// reader. An id is found as fast, except for a deeper tree. The sizes are 10 and 100 thousand
// events, and the bound is loose, because the machine may be busy. BLOTTER_SCALE=1000000 compares
// 10 thousand with a million, and uses the bound that the store promises.
func TestALongLogAnswersAsFastAsAShortOne(t *testing.T) {
	small, large, bound := 10_000, 100_000, 4.0
	if size, err := strconv.Atoi(os.Getenv("BLOTTER_SCALE")); err == nil {
		large = size
	}
	if large >= 1_000_000 {
		bound = 1.3
	}
	a, b := longLog(t, small), longLog(t, large)
	for _, q := range []struct {
		name string
		ask  func(*long, int)
	}{
		{"a stream, by its owner", func(l *long, i int) { l.stream(t, l.owner, i) }},
		{"an id, by the owner", func(l *long, i int) { l.find(t, l.owner, i) }},
		{"a stream, by a reader", func(l *long, i int) { l.stream(t, l.reader, i) }},
	} {
		short, long := medians(func(i int) { q.ask(a, i) }, func(i int) { q.ask(b, i) })
		t.Logf("%s: %v of %d events, %v of %d: %.2f times",
			q.name, short, small, long, large, float64(long)/float64(short))
		slack := float64(20 * time.Microsecond) // any answer within that time is fast
		require.Less(t, float64(long), bound*float64(short)+slack, q.name)
		require.Less(t, long, 10*time.Millisecond, q.name)
	}
}

// A long is a log of streams of 20 events.
type long struct {
	streams       int
	owner, reader *kafka.Store
}

const perStream = 20

func longLog(t *testing.T, events int) *long {
	opts := options(broker(t, kfake.DataDir(t.TempDir())), "log")
	opts.Partitions, opts.Dir = 12, t.TempDir()
	begun := time.Now()
	s := open(t, opts)
	streams := make(chan string)
	var writers sync.WaitGroup
	for range 400 { // so that many appends share a commit
		writers.Go(func() {
			for name := range streams {
				batch := make([]contract.Event, perStream)
				for n := range batch {
					batch[n] = event(name, n)
				}
				_, err := s.Append(t.Context(), name, 0, batch...)
				require.NoError(t, err)
			}
		})
	}
	for i := range events / perStream {
		streams <- fmt.Sprintf("trade/UTI-%d", i)
	}
	close(streams)
	writers.Wait()
	written := time.Since(begun)
	require.NoError(t, s.Close())
	begun = time.Now()
	l := &long{streams: events / perStream, owner: open(t, opts)}
	t.Logf("%d events: appended in %v, taken over again in %v", events, written, time.Since(begun))
	opts.ReadOnly = true
	l.reader = open(t, opts)
	return l
}

func (l *long) name(i int) string { return fmt.Sprintf("trade/UTI-%d", i*7919%l.streams) }

func (l *long) stream(t *testing.T, s *kafka.Store, i int) {
	n := 0
	for _, err := range s.Stream(t.Context(), l.name(i)) {
		require.NoError(t, err)
		n++
	}
	require.Equal(t, perStream, n)
}

func (l *long) find(t *testing.T, s *kafka.Store, i int) {
	_, err := s.Find(t.Context(), event(l.name(i), i%perStream).ID)
	require.NoError(t, err)
}

// medians returns the median times of a and b, which it calls in turns.
func medians(a, b func(int)) (time.Duration, time.Duration) {
	const rounds = 301
	var of [2][]time.Duration
	for i := range rounds {
		for k, ask := range []func(int){a, b} {
			begun := time.Now()
			ask(i)
			of[k] = append(of[k], time.Since(begun))
		}
	}
	slices.Sort(of[0])
	slices.Sort(of[1])
	return of[0][rounds/2], of[1][rounds/2]
}
