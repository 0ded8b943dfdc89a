//go:build unix

package kafka_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/stack/stacktest"
	"example.com/blotter/solutions/2-store/kafka"
)

const (
	benchWriters    = 256
	benchPartitions = 4
	benchAppends    = 20 // by each writer, in each round
)

// BenchmarkGroupCommit compares the store with its limit, in turns on the broker of the tests'
// stack. Many writers append single events of 200 bytes at once, each to a stream of its own. A
// bare client then writes the same records, events and heads, in the same transactions. The time
// to make the events and to encode the heads is not measured, because the store does neither.
//
// The processor time (cpu-µs for each event, and cpu-%) is that of the whole process, so with the
// embedded broker it has the broker's part. It depends less than the rate on other work of the
// machine.
func BenchmarkGroupCommit(b *testing.B) {
	prefix := stacktest.Prefix(b)
	opts := kafka.Options{
		Brokers: stacktest.Kafka(b), Prefix: prefix + "ours", Partitions: benchPartitions,
		Dir: b.TempDir(), Heads: binaryHeads{}, Address: "127.0.0.1:7000",
		Clock: func(context.Context) time.Time { return time.Now() },
	}
	s, err := kafka.Open(b.Context(), opts)
	require.NoError(b, err)
	defer s.Close()
	bare := newBare(b, opts.Brokers, prefix+"bare")
	var ours, limit spent
	groups := 0
	for round := 0; b.Loop(); round++ {
		from, err := s.End(b.Context())
		require.NoError(b, err)
		ours = ours.and(appendByAll(b, s, round))
		to, err := s.End(b.Context())
		require.NoError(b, err)
		written := transactions(b, opts, from, to)
		for _, p := range written {
			groups += len(p)
		}
		limit = limit.and(bare.write(b, written))
	}
	events := float64(b.N * benchWriters * benchAppends)
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(events/float64(groups), "events/commit")
	b.ReportMetric(events/ours.wall.Seconds(), "append/s")
	b.ReportMetric(events/limit.wall.Seconds(), "bare/s")
	b.ReportMetric(100*limit.wall.Seconds()/ours.wall.Seconds(), "%")
	b.ReportMetric(float64(ours.cpu.Microseconds())/events, "cpu-µs")
	b.ReportMetric(100*limit.cpu.Seconds()/ours.cpu.Seconds(), "cpu-%")
}

// A spent is the time that some work took: on the clock, and of the processors.
type spent struct{ wall, cpu time.Duration }

func (s spent) and(more spent) spent { return spent{s.wall + more.wall, s.cpu + more.cpu} }

func spend(work func()) spent {
	wall, cpu := time.Now(), processors()
	work()
	return spent{time.Since(wall), processors() - cpu}
}

func processors() time.Duration {
	var used syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &used) != nil {
		return 0
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// binaryHeads writes the fields of a head one after the other, in about the time that the program's
// codec takes. It reads none: the benchmark's log is new.
type binaryHeads struct{ jsonHeads }

func (binaryHeads) EncodeHead(_ context.Context, h contract.Head) ([]byte, error) {
	b := make([]byte, 0, headSize)
	b = append(append(b, h.Stream...), h.EventID[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(h.Version))
	b = binary.BigEndian.AppendUint64(b, uint64(h.RecordedAt.UnixMicro()))
	b = append(append(b, h.Digest[:]...), h.History[:]...)
	return append(b, 0), nil
}

func appendByAll(b *testing.B, s *kafka.Store, round int) spent {
	all := make([][]contract.Event, benchWriters)
	for w := range all {
		for n := range benchAppends {
			e := event(fmt.Sprintf("trade/%d-%d", round, w), n)
			e.ID, e.Data = uuid.New(), make([]byte, 200)
			all[w] = append(all[w], e)
		}
	}
	var writers sync.WaitGroup
	return spend(func() {
		for _, events := range all {
			writers.Go(func() {
				for n, e := range events {
					if _, err := s.Append(b.Context(), e.Stream, int64(n), e); err != nil {
						b.Error(err)
					}
				}
			})
		}
		writers.Wait()
	})
}

// A group is the records of one transaction, in both topics.
type group struct{ events, heads []*kgo.Record }

// transactions returns the groups in [from, to), by partition. A transaction ends with a control
// record, which has an offset. So a gap in the offsets of the events is the end of a transaction.
func transactions(b *testing.B, opts kafka.Options, from, to contract.Cursor) [][]group {
	groups := make([][]group, opts.Partitions)
	for n := range groups {
		p, next := int32(n), int64(-1)
		for _, r := range fetch(b, opts, p, from.At(p), to.At(p)) {
			if r.Offset != next {
				groups[p] = append(groups[p], group{})
			}
			next = r.Offset + 1
			last := &groups[p][len(groups[p])-1]
			last.events = append(last.events, r)
			last.heads = append(last.heads, &kgo.Record{Key: r.Key, Value: make([]byte, headSize)})
		}
	}
	return groups
}

// headSize is the approximate size of a head that binaryHeads writes.
const headSize = 128

func fetch(
	b *testing.B, opts kafka.Options, partition int32, from, to int64,
) (records []*kgo.Record) {
	if from >= to {
		return nil
	}
	start := map[string]map[int32]kgo.Offset{
		opts.Prefix + ".events": {partition: kgo.NewOffset().At(from)},
	}
	client := dial(b, opts.Brokers, kgo.ConsumePartitions(start), kgo.KeepControlRecords(),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	defer client.Close()
	for from < to {
		fetches := client.PollFetches(b.Context())
		require.NoError(b, fetches.Err())
		fetches.EachRecord(func(r *kgo.Record) {
			if from = r.Offset + 1; !r.Attrs.IsControl() && r.Offset < to {
				records = append(records, r)
			}
		})
	}
	return records
}

// A bare is the bare client: a producer for each partition, and topics configured like the store's.
type bare struct {
	topic   string
	clients []*kgo.Client
}

func newBare(b *testing.B, brokers []kgo.Opt, prefix string) bare {
	w := bare{topic: prefix}
	for p := range benchPartitions {
		w.clients = append(w.clients, client(b, brokers,
			kgo.TransactionalID(fmt.Sprintf("%s.%d", prefix, p)),
			kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ManualFlushing(),
			kgo.ProducerBatchCompression(kgo.NoCompression()), kgo.MaxBufferedRecords(1<<30)))
	}
	admin := kadm.NewClient(w.clients[0])
	for topic, policy := range map[string]string{".events": "delete", ".heads": "compact"} {
		config := map[string]*string{"cleanup.policy": &policy}
		_, err := admin.CreateTopic(b.Context(), benchPartitions, -1, config, prefix+topic)
		require.NoError(b, err)
	}
	return w
}

// write writes all partitions at once, and the groups of each partition one after the other.
func (w bare) write(b *testing.B, groups [][]group) spent {
	var partitions sync.WaitGroup
	return spend(func() {
		for p, client := range w.clients {
			partitions.Go(func() {
				for _, g := range groups[p] {
					if err := w.transact(b.Context(), client, int32(p), g); err != nil {
						b.Error(err)
					}
				}
			})
		}
		partitions.Wait()
	})
}

func (w bare) transact(ctx context.Context, client *kgo.Client, partition int32, g group) error {
	if err := client.BeginTransaction(); err != nil {
		return err
	}
	for topic, records := range map[string][]*kgo.Record{".events": g.events, ".heads": g.heads} {
		for _, r := range records {
			client.Produce(ctx, &kgo.Record{
				Topic: w.topic + topic, Partition: partition,
				Key: r.Key, Value: r.Value, Headers: r.Headers,
			}, nil)
		}
	}
	if err := client.Flush(ctx); err != nil {
		return err
	}
	if err := kafka.AwaitStored(ctx, client,
		&kgo.Record{Topic: w.topic + ".events", Partition: partition},
		&kgo.Record{Topic: w.topic + ".heads", Partition: partition}); err != nil {
		return err
	}
	return client.EndTransaction(ctx, kgo.TryCommit)
}

// BenchmarkAppendOneByOne appends single events, each after the answer to the one before.
func BenchmarkAppendOneByOne(b *testing.B) {
	for _, partitions := range []int32{1, 12} {
		b.Run(fmt.Sprintf("%d partitions", partitions), func(b *testing.B) {
			cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.DataDir(b.TempDir()))
			require.NoError(b, err)
			defer cluster.Close()
			opts := options(cluster, "log")
			opts.Partitions, opts.Dir = partitions, b.TempDir()
			begun := time.Now()
			s, err := kafka.Open(context.Background(), opts)
			require.NoError(b, err)
			defer s.Close()
			opened := time.Since(begun)
			for i := 0; b.Loop(); i++ {
				_, err := s.Append(b.Context(), name(i%500), contract.Any, event(name(i%500), i))
				require.NoError(b, err)
			}
			b.ReportMetric(float64(opened.Milliseconds()), "open-ms")
		})
	}
}
