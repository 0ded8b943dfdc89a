package kafka_test

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/solutions/2-store/kafka"
)

// A new owner knows all committed events. A retry gets its first receipts, even if the registry has
// given the schema another id meanwhile.
func TestTakeOverReadsAllEvents(t *testing.T) {
	t.Parallel()
	opts := options(broker(t), "log")
	opts.Partitions = 3
	first := open(t, opts)
	receipts := map[string][]contract.Receipt{}
	for i := range 50 {
		stream := name(i)
		got, err := first.Append(t.Context(), stream, 0, event(stream, 1), event(stream, 2))
		require.NoError(t, err)
		receipts[stream] = got
	}
	require.NoError(t, first.Close())

	opts.Partitions = 7 // ignored: the log exists
	second := open(t, opts)
	require.Len(t, all(t, second), 100)
	for name, want := range receipts {
		again := []contract.Event{event(name, 1), event(name, 2)}
		again[1].Data = slices.Clone(again[1].Data)
		again[1].Data[4] = 99
		got, err := second.Append(t.Context(), name, 0, again...)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	require.Len(t, all(t, second), 100)
}

// A take-over rewrites heads that differ from the log, and removes heads of unknown streams.
func TestTakeOverMendsHeads(t *testing.T) {
	t.Parallel()
	opts := options(broker(t), "log")
	s := open(t, opts)
	for i := range 3 {
		for n := range i + 1 {
			_, err := s.Append(t.Context(), name(i), contract.Any, event(name(i), n))
			require.NoError(t, err)
		}
	}
	want := heads(t, opts)
	require.Len(t, want, 3)
	require.EqualValues(t, 3, want[name(2)].Version)
	require.Equal(t, event(name(2), 2).ContentDigest(), want[name(2)].Digest)
	require.NoError(t, s.Close())

	wrong := want[name(1)]
	wrong.Version = 9
	data, err := opts.Heads.EncodeHead(t.Context(), wrong)
	require.NoError(t, err)
	writeHeads(t, opts, map[string][]byte{
		name(0): nil, name(1): data, name(2): []byte("?"), "trade/NONE": data,
	})
	reader := opts
	reader.ReadOnly = true
	stated, read, err := open(t, reader).Heads(t.Context())
	require.NoError(t, err)
	require.Len(t, read, 3)
	require.Len(t, stated, 3, "one is null, and one is of no stream")
	for stream, end := range read {
		require.NotEqual(t, end, stated[stream], "%s", stream)
	}
	s = open(t, opts)
	require.Equal(t, want, heads(t, opts))
	stated, read, err = s.Heads(t.Context())
	require.NoError(t, err)
	require.Equal(t, read, stated, "the owner mended them")
}

// A broker that has just started is not yet the leader of its partitions. A log that is opened then
// waits for it, and so does each question for an offset.
func TestOpenWaitsForLeaders(t *testing.T) {
	t.Parallel()
	cluster := broker(t)
	opts := options(cluster, "log")
	fill(t, opts, 3, 1)
	opts.Brokers = append(opts.Brokers, kgo.RequestRetries(0)) // only the store asks again
	var starting atomic.Bool
	var refused atomic.Int64
	control(cluster, kmsg.ListOffsets, func(r kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		if starting.Load() && refused.Add(1)%2 == 0 {
			starting.Store(false) // until the next question
		}
		if !starting.Load() {
			return nil, nil, false
		}
		return notLeading(r.(*kmsg.ListOffsetsRequest)), nil, true
	})
	starting.Store(true)
	s := open(t, opts)
	for _, ask := range []func() error{
		func() error { _, err := s.End(t.Context()); return err },
		func() error { _, _, err := s.Heads(t.Context()); return err },
	} {
		starting.Store(true)
		require.NoError(t, ask())
	}
	require.Len(t, all(t, s), 3)
	require.GreaterOrEqual(t, refused.Load(), int64(6))
}

// notLeading answers that the broker is the leader of none of the partitions.
func notLeading(r *kmsg.ListOffsetsRequest) kmsg.Response {
	answer := r.ResponseKind().(*kmsg.ListOffsetsResponse)
	for _, topic := range r.Topics {
		none := kmsg.ListOffsetsResponseTopic{Topic: topic.Topic}
		for _, p := range topic.Partitions {
			at := kmsg.NewListOffsetsResponseTopicPartition()
			at.Partition, at.ErrorCode = p.Partition, kerr.NotLeaderForPartition.Code
			none.Partitions = append(none.Partitions, at)
		}
		answer.Topics = append(answer.Topics, none)
	}
	return answer
}

// A log that is opened while another producer takes the id of a partition is open, whether the
// broker refuses the mark of the first take-over, or the commit of the mark.
func TestOpenWhileUsurped(t *testing.T) {
	t.Parallel()
	for _, key := range []kmsg.Key{kmsg.Produce, kmsg.EndTxn} {
		t.Run(key.Name(), func(t *testing.T) {
			t.Parallel()
			cluster := broker(t)
			opts := options(cluster, "log")
			var usurped atomic.Bool
			control(cluster, key, func(kmsg.Request) (kmsg.Response, error, bool) {
				if !usurped.Swap(true) {
					cluster.SleepControl(func() { usurp(t, opts, 0) })
				}
				cluster.KeepControl()
				return nil, nil, false
			})
			s := open(t, opts)
			require.True(t, usurped.Load())
			_, err := s.Append(t.Context(), stream, 0, event(stream, 1))
			require.NoError(t, err)
		})
	}
}

// writeHeads writes heads by key without the store.
func writeHeads(t *testing.T, opts kafka.Options, heads map[string][]byte) {
	t.Helper()
	writer := client(t, opts.Brokers)
	for key, value := range heads {
		r := &kgo.Record{Topic: opts.Prefix + ".heads", Key: []byte(key), Value: value}
		require.NoError(t, writer.ProduceSync(t.Context(), r).FirstErr())
	}
}

// heads returns the content of the compacted topic, without owner marks.
func heads(t *testing.T, opts kafka.Options) map[string]contract.Head {
	t.Helper()
	found := map[string]contract.Head{}
	for _, r := range headRecords(t, opts) {
		switch {
		case string(r.Key) == "blotter.owner":
		case r.Value == nil:
			delete(found, string(r.Key))
		default:
			head, err := opts.Heads.DecodeHead(t.Context(), r.Value)
			if err != nil {
				head = contract.Head{}
			}
			found[string(r.Key)] = head
		}
	}
	return found
}

// headRecords returns the committed records of the compacted topic. It writes a null head that
// tells it where to stop.
func headRecords(t *testing.T, opts kafka.Options) (records []*kgo.Record) {
	t.Helper()
	stop := fmt.Sprintf("stop/%d", stops.Add(1))
	writeHeads(t, opts, map[string][]byte{stop: nil})
	reader := dial(t, opts.Brokers,
		kgo.ConsumeTopics(opts.Prefix+".heads"), kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	defer reader.Close()
	for {
		for _, r := range reader.PollFetches(t.Context()).Records() {
			if string(r.Key) == stop {
				return records
			}
			records = append(records, r)
		}
	}
}

var stops atomic.Int32

// The owner dies without leaving the group, and the broker restarts from its files. The next owner
// does not wait for the session of the dead one to end.
func TestLogOutlivesOwnerAndBroker(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.DataDir(dir))
	require.NoError(t, err)
	opts := kafka.WithSession(options(cluster, "log"), 5*time.Minute)
	opts.Partitions = 12
	dead := open(t, opts)
	for i := range 30 {
		_, err := dead.Append(t.Context(), name(i), 0, event(name(i), 1))
		require.NoError(t, err)
	}
	want := all(t, dead)
	cluster.Close()

	opts.Brokers = at(broker(t, kfake.DataDir(dir)))
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	next, err := kafka.Open(ctx, opts)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, next.Close()) })
	require.ElementsMatch(t, want, all(t, next))
}

// A reader creates no topic, appends nothing, and reads the same events as the owner.
func TestReaderWritesNothing(t *testing.T) {
	t.Parallel()
	opts := options(broker(t), "log")
	opts.ReadOnly = true
	_, err := kafka.Open(t.Context(), opts)
	require.Error(t, err, "there is no log to read")
	opts.ReadOnly = false
	s := open(t, opts)
	_, err = s.Append(t.Context(), stream, 0, event(stream, 1))
	require.NoError(t, err)
	end, err := s.End(t.Context())
	require.NoError(t, err)

	opts.ReadOnly = true
	r := open(t, opts)
	_, err = r.Append(t.Context(), stream, 1, event(stream, 2))
	require.ErrorIs(t, err, kafka.ErrReadOnly)
	require.Equal(t, all(t, s), all(t, r))
	frontier, err := r.Frontier(t.Context())
	require.NoError(t, err)
	require.Equal(t, noon, frontier)
	after, err := r.End(t.Context())
	require.NoError(t, err)
	require.Equal(t, end, after)
}

// A reader that keeps owners away knows the frontier, except while a transaction is open.
func TestFrontierOfALoneReader(t *testing.T) {
	t.Parallel()
	opts := options(broker(t), "log")
	opts.Partitions = 3 // two of them empty
	fill(t, opts, 1, 1)
	opts.ReadOnly, opts.Alone = true, true
	s := open(t, opts)
	frontier, err := s.Frontier(t.Context())
	require.NoError(t, err)
	require.Equal(t, noon.Add(-time.Microsecond), frontier)

	dead := client(t, opts.Brokers,
		kgo.TransactionalID("dead"), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	require.NoError(t, dead.BeginTransaction())
	r := &kgo.Record{Topic: "log.events", Partition: 1}
	require.NoError(t, dead.ProduceSync(t.Context(), r).FirstErr())
	frontier, err = s.Frontier(t.Context())
	require.NoError(t, err)
	require.Zero(t, frontier)
}
