package kafka_test

import (
	"context"
	"encoding/json"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/blotter/labs/2-store/storetest"
	"example.com/blotter/labs/kit/check"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/solutions/2-store/kafka"
	"example.com/blotter/solutions/2-store/offload"
)

func TestStore(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		partitions int32
		unwritten  int // 0: the index is in memory
	}{{1, 0}, {3, 0}, {3, 1000}} {
		t.Run(fmt.Sprintf("%d partitions, %d unwritten", c.partitions, c.unwritten), func(t *testing.T) {
			t.Parallel()
			cluster := broker(t)
			dir := ""
			if c.unwritten > 0 {
				dir = t.TempDir()
			}
			var logs atomic.Int32
			check.Run(t, storetest.Suite(storetest.Fixture{
				Owned: true,
				Open: func(t check.T, clock contract.Clock) storetest.Log {
					opts := options(cluster, fmt.Sprintf("log%d", logs.Add(1)))
					opts.Partitions, opts.Clock = c.partitions, clock
					opts.Dir, opts.Unwritten = dir, c.unwritten
					return fixture(t, opts)
				},
			}))
		})
	}
}

func TestOffload(t *testing.T) {
	t.Parallel()
	cluster, dir := broker(t), t.TempDir()
	var logs atomic.Int32
	check.Run(t, storetest.Offload(storetest.Fixture{Owned: true, Open: func(t check.T, clock contract.Clock) storetest.Log {
		opts := options(cluster, fmt.Sprintf("log%d", logs.Add(1)))
		opts.Partitions, opts.Clock, opts.Dir, opts.Unwritten = 3, clock, dir, 2
		return fixture(t, opts)
	}}, offloads))
}

func offloads(s contract.Store, blobs contract.Blobs, limit int) contract.Store {
	return offload.Wrap(s, blobs, limit)
}

// fixture is the log under opts.
func fixture(t check.T, opts kafka.Options) storetest.Log {
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
}

// usurp takes the transactional id of a partition, as another owner would, and goes away.
func usurp(t tester, opts kafka.Options, partition int32) {
	rival, err := kgo.NewClient(kgo.SeedBrokers(opts.Brokers...), kgo.TransactionalID(fmt.Sprintf("%s.%d", opts.Prefix, partition)))
	require.NoError(t, err)
	defer rival.Close()
	_, _, err = rival.ProducerID(t.Context())
	require.NoError(t, err)
}

func broker(t *testing.T, opts ...kfake.Opt) *kfake.Cluster {
	cluster, err := kfake.NewCluster(append(opts, kfake.NumBrokers(1))...)
	require.NoError(t, err)
	t.Cleanup(cluster.Close)
	return cluster
}

func options(cluster *kfake.Cluster, prefix string) kafka.Options {
	return kafka.Options{
		Brokers: cluster.ListenAddrs(), Prefix: prefix, Partitions: 1, Heads: jsonHeads{}, Address: "127.0.0.1:7000",
		Clock: func(context.Context) time.Time { return noon },
	}
}

// tester is what check.T and *testing.T have in common.
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

var noon = time.Date(2025, 3, 30, 12, 0, 0, 0, time.UTC)

const stream = "trade/UTI-1"

// event is the nth of a stream.
func event(stream string, n int) contract.Event {
	return contract.Event{
		ID: uuid.NewSHA1(uuid.NameSpaceOID, fmt.Appendf(nil, "%s/%d", stream, n)), Stream: stream,
		Type: "trade.amended", Schema: 1, EffectiveAt: noon.Add(time.Duration(n) * time.Minute),
		Actor: "desk-7", Reason: "agreed", Source: "test", Data: fmt.Appendf([]byte{0, 0, 0, 0, 7}, "body %d", n),
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
