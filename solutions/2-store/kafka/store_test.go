package kafka_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"example.com/blotter/labs/2-store/storetest"
	"example.com/blotter/labs/kit/check"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/stack/stacktest"
	"example.com/blotter/solutions/2-store/kafka"
	"example.com/blotter/solutions/2-store/offload"
)

func TestMain(m *testing.M) {
	if os.Getenv(ownerEnv) != "" {
		os.Exit(runOwner())
	}
	stacktest.Main(m)
}

func TestStore(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		partitions int32
		unwritten  int // 0: the index is in memory
	}{{1, 0}, {3, 0}, {3, 1000}} {
		name := fmt.Sprintf("%d partitions, %d unwritten", c.partitions, c.unwritten)
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			opts := options(broker(t), "log")
			opts.Partitions, opts.Unwritten = c.partitions, c.unwritten
			if c.unwritten > 0 {
				opts.Dir = t.TempDir()
			}
			check.Run(t, storetest.Suite(fixture(opts)))
		})
	}
}

func TestOffload(t *testing.T) {
	t.Parallel()
	opts := options(broker(t), "log")
	opts.Partitions, opts.Dir, opts.Unwritten = 3, t.TempDir(), 2
	check.Run(t, storetest.Offload(fixture(opts), offloads))
}

// TestStoreOnTheStack runs the suite on the broker of the tests' stack, which may be a real one.
// Most other tests have brokers of their own, which give wrong answers.
func TestStoreOnTheStack(t *testing.T) {
	t.Parallel()
	for _, partitions := range []int32{1, 3} {
		t.Run(fmt.Sprintf("%d partitions", partitions), func(t *testing.T) {
			t.Parallel()
			opts := stackOptions(t)
			opts.Partitions, opts.Dir, opts.Unwritten = partitions, t.TempDir(), 2
			onStack := fixture(opts)
			check.Run(t, storetest.Suite(onStack))
			check.Run(t, storetest.Offload(onStack, offloads))
		})
	}
}

func offloads(s contract.Store, blobs contract.Blobs, limit int) contract.Store {
	return offload.Wrap(s, blobs, limit)
}

// fixture opens a new log with opts for each check.
func fixture(opts kafka.Options) storetest.Fixture {
	var logs atomic.Int32
	opts.Place = kafka.ByPlace
	return storetest.Fixture{
		Owned: true, Atomic: true, Resumes: true,
		Open: func(t check.T, clock contract.Clock) storetest.Log {
			opts := opts
			opts.Prefix, opts.Clock = fmt.Sprintf("%s%d", opts.Prefix, logs.Add(1)), clock
			s := open(t, opts)
			return storetest.Log{
				Store: s,
				Reopen: func(t check.T) contract.Store {
					require.NoError(t, s.Close())
					return open(t, opts)
				},
				Usurp: func(t check.T) {
					for p := range opts.Partitions {
						usurp(t, opts, p)
					}
				},
			}
		},
	}
}

func broker(t *testing.T, opts ...kfake.Opt) *kfake.Cluster {
	cluster, err := kfake.NewCluster(append(opts, kfake.NumBrokers(1))...)
	require.NoError(t, err)
	t.Cleanup(cluster.Close)
	return cluster
}

// control has answer see each request with a key before the broker does.
func control(
	cluster *kfake.Cluster, key kmsg.Key, answer func(kmsg.Request) (kmsg.Response, error, bool),
) {
	cluster.ControlKey(int16(key), answer)
}

// client returns a client that is closed after the test.
func client(t tester, brokers []kgo.Opt, opts ...kgo.Opt) *kgo.Client {
	c := dial(t, brokers, opts...)
	t.Cleanup(c.Close)
	return c
}

func dial(t tester, brokers []kgo.Opt, opts ...kgo.Opt) *kgo.Client {
	c, err := kgo.NewClient(slices.Concat(brokers, opts)...)
	require.NoError(t, err)
	return c
}

func options(cluster *kfake.Cluster, prefix string) kafka.Options {
	return optionsAt(at(cluster), prefix)
}

// at returns the options that reach a cluster.
func at(cluster *kfake.Cluster) []kgo.Opt {
	return []kgo.Opt{kgo.SeedBrokers(cluster.ListenAddrs()...)}
}

// stackOptions returns the options of a new log on the tests' stack.
func stackOptions(t *testing.T) kafka.Options {
	return optionsAt(stacktest.Kafka(t), stacktest.Prefix(t)+"log")
}

func optionsAt(brokers []kgo.Opt, prefix string) kafka.Options {
	return kafka.Options{
		Brokers: brokers, Prefix: prefix, Partitions: 1, Address: "127.0.0.1:7000",
		Heads: jsonHeads{}, Clock: func(context.Context) time.Time { return noon },
	}
}

// A tester has the methods that check.T and *testing.T share.
type tester interface {
	require.TestingT
	Context() context.Context
	Cleanup(func())
}

func open(t tester, opts kafka.Options) *kafka.Store {
	s, err := kafka.Open(t.Context(), opts)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

// fill opens a log, appends n events to each of some streams, and closes it.
func fill(t *testing.T, opts kafka.Options, streams, n int) {
	t.Helper()
	s, err := kafka.Open(t.Context(), opts)
	require.NoError(t, err)
	for i := range streams {
		for v := range n {
			_, err := s.Append(t.Context(), name(i), contract.Any, event(name(i), v))
			require.NoError(t, err)
		}
	}
	require.NoError(t, s.Close())
}

// all reads the whole log.
func all(t *testing.T, s *kafka.Store) []contract.Recorded {
	t.Helper()
	end, err := s.End(t.Context())
	require.NoError(t, err)
	var events []contract.Recorded
	for e, err := range s.Read(t.Context(), nil, end) {
		require.NoError(t, err)
		events = append(events, e)
	}
	return events
}

// requireConsistent compares the store's answers, by stream and by id, with the whole log.
func requireConsistent(t *testing.T, s *kafka.Store) {
	t.Helper()
	streams := map[string][]contract.Recorded{}
	for _, e := range all(t, s) {
		streams[e.Stream] = append(streams[e.Stream], e)
		found, err := s.Find(t.Context(), e.ID)
		require.NoError(t, err)
		require.Equal(t, e, found)
	}
	for name, want := range streams {
		got, err := streamOf(t, s, name)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
}

var noon = time.Date(2025, 3, 30, 12, 0, 0, 0, time.UTC)

const stream = "trade/UTI-1"

func name(i int) string { return fmt.Sprintf("trade/UTI-%d", i) }

// event returns the nth event of a stream.
func event(stream string, n int) contract.Event {
	return contract.Event{
		ID: uuid.NewSHA1(uuid.NameSpaceOID, fmt.Appendf(nil, "%s/%d", stream, n)), Stream: stream,
		Type: "trade.amended", Schema: 1, EffectiveAt: noon.Add(time.Duration(n) * time.Minute),
		EnteredAt: noon.Add(time.Duration(n) * time.Minute), CommandID: "c-1",
		Actor: "desk-7", Reason: "agreed", Source: "test",
		Data: fmt.Appendf([]byte{0, 0, 0, 0, 7}, "body %d", n),
	}
}

// jsonHeads is a head codec that needs no registry.
type jsonHeads struct{}

func (jsonHeads) EncodeHead(_ context.Context, h contract.Head) ([]byte, error) {
	return json.Marshal(h)
}

func (jsonHeads) DecodeHead(_ context.Context, data []byte) (h contract.Head, err error) {
	return h, json.Unmarshal(data, &h)
}

// A store knows without a broker how far its events reach, also after it has retired: if the broker
// is then lost with them, the mark of the command tells.
func TestReachedOutlivesRetire(t *testing.T) {
	t.Parallel()
	cluster := broker(t)
	opts := options(cluster, "log")
	opts.Partitions, opts.Dir, opts.Unwritten = 3, t.TempDir(), 7
	fill(t, opts, 6, 2)
	s := open(t, opts)
	want := make(contract.Cursor, opts.Partitions)
	for _, e := range all(t, s) {
		want[e.Position.Partition] = max(want[e.Position.Partition], e.Position.Offset+1)
	}
	require.Equal(t, want, s.Reached(), "events of an earlier process")
	_, err := s.Append(t.Context(), name(0), contract.Any, event(name(0), 2))
	require.NoError(t, err)
	for _, e := range all(t, s) {
		want[e.Position.Partition] = max(want[e.Position.Partition], e.Position.Offset+1)
	}
	s.Retire()
	cluster.Close()
	require.Equal(t, want, s.Reached())
}
