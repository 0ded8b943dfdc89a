package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/stack/stacktest"
)

// Each benchmark compares the store with its limit: a bare statement that inserts the same rows
// into an identical table. The two run in turns, so that both meet the same load of the machine.
// The store sequences in the background; the second ratio includes the time until all events are in
// the feed.

// A limit is the store and a bare table with the same columns.
type limit struct {
	*Store
	bare *pgxpool.Pool
}

const writers = 32

func newLimit(b *testing.B) limit {
	dsn, schema := stacktest.Schema(b)
	clock := func(context.Context) time.Time { return time.Now() }
	s, err := Open(b.Context(), Options{DSN: dsn, Schema: schema, Clock: clock})
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, s.Close()) })
	config, err := pgxpool.ParseConfig(dsn)
	require.NoError(b, err)
	config.MaxConns = writers
	bare, err := pgxpool.NewWithConfig(b.Context(), config)
	require.NoError(b, err)
	b.Cleanup(bare.Close)
	_, err = bare.Exec(b.Context(), "create table bare (like events including all)")
	require.NoError(b, err)
	return limit{s, bare}
}

func benchEvents(stream string, n int) []contract.Event {
	events := make([]contract.Event, n)
	for i := range events {
		events[i] = event(stream, i)
		events[i].ID = uuid.New()
		events[i].Correlation, events[i].Causation = uuid.New(), uuid.New()
		events[i].Data = make([]byte, 200)
	}
	return events
}

func (l limit) append(ctx context.Context, stream string, events []contract.Event) error {
	_, err := l.Append(ctx, stream, 0, events...)
	return err
}

func (l limit) insert(ctx context.Context, _ string, events []contract.Event) error {
	return l.insertAt(ctx, 1, events)
}

func (l limit) insertAt(ctx context.Context, version int64, events []contract.Event) error {
	statement := strings.Replace(insertEvents, "into events", "into bare", 1)
	_, err := l.bare.Exec(ctx, statement, arrays(rowsAt(version, events...))...)
	return err
}

func (l limit) version(ctx context.Context, stream string) (version int64, err error) {
	err = l.bare.QueryRow(ctx,
		"select max(version) from bare where stream = $1", stream).Scan(&version)
	return version, err
}

// compare measures rounds of concurrent writers that append batches. It reports both rates and
// their ratio.
func (l limit) compare(b *testing.B, writers, batches, size int) {
	var ours, tail, bare time.Duration
	for round := 0; b.Loop(); round++ {
		ours += measure(b, round, writers, batches, size, func(
			stream string, events []contract.Event,
		) error {
			return l.append(b.Context(), stream, events)
		})
		appended := time.Now()
		_, err := l.End(b.Context())
		require.NoError(b, err)
		tail += time.Since(appended)
		bare += measure(b, round, writers, batches, size, func(
			stream string, events []contract.Event,
		) error {
			return l.insert(b.Context(), stream, events)
		})
	}
	events := float64(b.N * writers * batches * size)
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(events/ours.Seconds(), "append/s")
	b.ReportMetric(events/bare.Seconds(), "bare/s")
	b.ReportMetric(100*bare.Seconds()/ours.Seconds(), "%")
	b.ReportMetric(100*bare.Seconds()/(ours+tail).Seconds(), "%sequenced")
}

func measure(
	b *testing.B, round, writers, batches, size int, do func(string, []contract.Event) error,
) time.Duration {
	work := make([][][]contract.Event, writers)
	for w := range work {
		for i := range batches {
			work[w] = append(work[w], benchEvents(fmt.Sprintf("trade/%d-%d-%d", round, w, i), size))
		}
	}
	start := time.Now()
	var all sync.WaitGroup
	for _, batches := range work {
		all.Go(func() {
			for _, events := range batches {
				if err := do(events[0].Stream, events); err != nil {
					b.Error(err)
				}
			}
		})
	}
	all.Wait()
	return time.Since(start)
}

func Benchmark8BatchesOf10(b *testing.B)   { newLimit(b).compare(b, 8, 60, 10) }
func Benchmark8BatchesOf100(b *testing.B)  { newLimit(b).compare(b, 8, 12, 100) }
func BenchmarkBatchesOf100(b *testing.B)   { newLimit(b).compare(b, 1, 100, 100) }
func BenchmarkBatchesOf1000(b *testing.B)  { newLimit(b).compare(b, 1, 10, 1000) }
func Benchmark32SingleEvents(b *testing.B) { newLimit(b).compare(b, writers, 100, 1) }

// BenchmarkHotStream has 8 writers append single events to one stream. Each expects the version
// that it was told last. A bare writer that is refused asks for the version.
func BenchmarkHotStream(b *testing.B) {
	l := newLimit(b)
	const writers, each = 8, 40
	var attempts, bareAttempts atomic.Int64
	var ours, bare time.Duration
	for round := 0; b.Loop(); round++ {
		stream := fmt.Sprintf("trade/%d", round)
		ours += contend(writers, each, &attempts, func(version int64) (int64, bool) {
			_, err := l.Append(b.Context(), stream, version, benchEvents(stream, 1)...)
			if conflict := new(contract.ConflictError); errors.As(err, &conflict) {
				return conflict.Actual, false
			}
			if err != nil {
				b.Error(err)
			}
			return version + 1, true
		})
		bare += contend(writers, each, &bareAttempts, func(version int64) (int64, bool) {
			err := l.insertAt(b.Context(), version+1, benchEvents(stream, 1))
			if isUnique(err) {
				version, err = l.version(b.Context(), stream)
				if err != nil {
					b.Error(err)
				}
				return version, false
			}
			if err != nil {
				b.Error(err)
			}
			return version + 1, true
		})
	}
	events := float64(b.N * writers * each)
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(events/ours.Seconds(), "append/s")
	b.ReportMetric(events/bare.Seconds(), "bare/s")
	b.ReportMetric(100*bare.Seconds()/ours.Seconds(), "%")
	b.ReportMetric(float64(attempts.Load())/events, "attempts")
	b.ReportMetric(float64(bareAttempts.Load())/events, "bare-attempts")
}

// contend has each writer succeed so often with do. do gets a version, returns the next one, and
// reports whether it has appended.
func contend(
	writers, each int, attempts *atomic.Int64, do func(version int64) (int64, bool),
) time.Duration {
	start := time.Now()
	var all sync.WaitGroup
	for range writers {
		all.Go(func() {
			var version int64
			for done := 0; done < each; attempts.Add(1) {
				var appended bool
				if version, appended = do(version); appended {
					done++
				}
			}
		})
	}
	all.Wait()
	return time.Since(start)
}
