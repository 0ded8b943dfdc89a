package kafka_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/solutions/2-store/kafka"
)

// The broker does not answer EndTxn, however often the client asks, until the id is fenced. The
// store must find out from the log whether the commit landed.
func TestUnansweredCommit(t *testing.T) {
	t.Parallel()
	for _, landed := range []bool{true, false} {
		t.Run(fmt.Sprintf("landed=%t", landed), func(t *testing.T) {
			t.Parallel()
			cluster := broker(t)
			opts := options(cluster, "log")
			opts.Timeout = time.Second
			s := open(t, opts)
			first, err := s.Append(t.Context(), stream, 0, event(stream, 1))
			require.NoError(t, err)

			lost := loseCommits(t, cluster, landed)
			second, err := s.Append(t.Context(), stream, 1, event(stream, 2))
			require.NoError(t, err, "the log has the outcome")
			require.EqualValues(t, 2, second[0].Version)
			require.Positive(t, lost.Load(), "commits without an answer")

			events := all(t, s)
			require.Len(t, events, 2)
			require.Equal(t, event(stream, 2), events[1].Event)
			again, err := s.Append(t.Context(), stream, 0, event(stream, 1))
			require.NoError(t, err)
			require.Equal(t, first, again)
			again, err = s.Append(t.Context(), stream, 1, event(stream, 2))
			require.NoError(t, err)
			require.Equal(t, second, again)
		})
	}
}

// loseCommits has the cluster answer no EndTxn until a producer id is requested. If landed is true,
// it commits all the same.
func loseCommits(t *testing.T, cluster *kfake.Cluster, landed bool) *atomic.Int32 {
	side := client(t, at(cluster))
	var lost atomic.Int32
	var fenced, inside atomic.Bool
	control(cluster, kmsg.InitProducerID, func(kmsg.Request) (kmsg.Response, error, bool) {
		fenced.Store(true)
		return nil, nil, false
	})
	control(cluster, kmsg.EndTxn, func(req kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		if fenced.Load() || inside.Load() {
			return nil, nil, false
		}
		if lost.Add(1) == 1 && landed {
			inside.Store(true)
			cluster.SleepControl(func() {
				_, _ = req.(*kmsg.EndTxnRequest).RequestWith(t.Context(), side)
			})
			inside.Store(false)
		}
		return nil, errors.New("the answer is lost"), true
	})
	return &lost
}

// The connection breaks at each commit, after the request or before it, until the owner fences
// itself. This works on any broker, also on a real one: the store asks the log, writes nothing
// twice, and returns no receipt for an event that did not land.
func TestConnectionBreaksAtCommit(t *testing.T) {
	t.Parallel()
	for _, landed := range []bool{true, false} {
		t.Run(fmt.Sprintf("landed=%t", landed), func(t *testing.T) {
			t.Parallel()
			var losing atomic.Bool
			var lost atomic.Int32
			n := breaking(landed, &losing, &lost)
			opts := stackOptions(t)
			opts.Timeout = 2 * time.Second
			s := open(t, n.over(opts))
			var want []contract.Receipt
			for n := 1; n <= 5; n++ {
				losing.Store(n%2 == 0)
				receipts, err := s.Append(t.Context(), stream, int64(n-1), event(stream, n))
				require.NoError(t, err)
				require.EqualValues(t, n, receipts[0].Version)
				want = append(want, receipts...)
			}
			require.GreaterOrEqual(t, lost.Load(), int32(2), "commits without an answer")
			events := all(t, s)
			require.Len(t, events, 5)
			for i, e := range events {
				require.Equal(t, event(stream, i+1), e.Event)
				again, err := s.Append(t.Context(), stream, int64(i), e.Event)
				require.NoError(t, err)
				require.Equal(t, want[i:i+1], again)
			}
		})
	}
}

// breaking returns a network that breaks the connection at each EndTxn while losing is set: before
// the answer if landed is true, else before the request. It stops when a producer id is requested,
// which means that the owner fences.
func breaking(landed bool, losing *atomic.Bool, lost *atomic.Int32) *network {
	return &network{
		request: func(c *conn, key kmsg.Key, _ []byte) error {
			switch {
			case key == kmsg.InitProducerID:
				losing.Store(false)
			case key == kmsg.EndTxn && losing.Load():
				lost.Add(1)
				if !landed {
					return errBroken
				}
				c.flag.Store(true)
			}
			return nil
		},
		answer: func() error { return errBroken },
	}
}

// An owner that was fenced before it produced returns ErrFenced, and serves the next append.
func TestFencedProduce(t *testing.T) {
	t.Parallel()
	opts := options(broker(t), "log")
	s := open(t, opts)
	_, err := s.Append(t.Context(), stream, 0, event(stream, 1))
	require.NoError(t, err)
	usurp(t, opts, 0)
	_, err = s.Append(t.Context(), stream, 1, event(stream, 2))
	require.ErrorIs(t, err, contract.ErrFenced)
	require.Len(t, all(t, s), 1)
	receipts, err := s.Append(t.Context(), stream, 1, event(stream, 2))
	require.NoError(t, err)
	require.EqualValues(t, 2, receipts[0].Version)
}

// The commit lands, but its answer is lost. The owner is fenced before it can request the commit
// again. The append gets its receipts from the log.
func TestFencedCommitThatLanded(t *testing.T) {
	t.Parallel()
	cluster := broker(t)
	opts := options(cluster, "log")
	s := open(t, opts)
	side := client(t, opts.Brokers)
	var tries atomic.Int32
	control(cluster, kmsg.EndTxn, func(req kmsg.Request) (kmsg.Response, error, bool) {
		if tries.Add(1) > 1 {
			return nil, nil, false // the request of side, and then the client's second try
		}
		cluster.KeepControl()
		cluster.SleepControl(func() {
			_, _ = req.(*kmsg.EndTxnRequest).RequestWith(t.Context(), side)
			usurp(t, opts, 0)
		})
		return nil, errors.New("the answer is lost"), true
	})
	receipts, err := s.Append(t.Context(), stream, 0, event(stream, 1))
	require.NoError(t, err)
	require.EqualValues(t, 1, receipts[0].Version)
	require.Len(t, all(t, s), 1)
}

// The topic takes smaller records than the store promised. Only the appends with a large record
// fail; the others of the group are recorded.
func TestRefusedAppendStopsNoOther(t *testing.T) {
	t.Parallel()
	opts := options(broker(t), "log")
	opts.Partitions = 1
	s := open(t, opts)
	limit(t, opts.Brokers, "log.events", "4000")
	var appends sync.WaitGroup
	for n := range 24 {
		appends.Go(func() {
			e := event(name(n), n)
			if n%6 == 0 {
				e.Data = append(e.Data, make([]byte, 5000)...)
			}
			_, err := s.Append(t.Context(), e.Stream, 0, e)
			if n%6 == 0 {
				assert.ErrorIs(t, err, kerr.MessageTooLarge)
				assert.ErrorContains(t, err, "append to "+e.Stream)
			} else {
				assert.NoError(t, err)
			}
		})
	}
	appends.Wait()
	require.Len(t, all(t, s), 20)
	limit(t, opts.Brokers, "log.events", "1200000")
	_, err := s.Append(t.Context(), name(0), 0, event(name(0), 0))
	require.NoError(t, err)
}

// In a simulated log each append has a transaction of its own, however many wait. So the positions
// follow from the order of the appends: each takes an offset, and the end of its transaction one.
func TestSimulatedAppendsShareNoCommit(t *testing.T) {
	t.Parallel()
	opts := options(broker(t), "log")
	opts.Simulated = true
	s := open(t, opts)
	var appends sync.WaitGroup
	for n := range 64 {
		queued := make(chan struct{})
		ctx := contract.OnQueued(t.Context(), func() { close(queued) })
		appends.Go(func() {
			_, err := s.Append(ctx, name(n), 0, event(name(n), n))
			assert.NoError(t, err)
		})
		<-queued
	}
	appends.Wait()
	events := all(t, s)
	require.Len(t, events, 64)
	for n, e := range events {
		require.Equal(t, name(n), e.Stream)
		require.Equal(t, events[0].Position.Offset+2*int64(n), e.Position.Offset)
	}
}

// limit sets the largest size of a record in a topic.
func limit(t *testing.T, brokers []kgo.Opt, topic, bytes string) {
	t.Helper()
	config := []kadm.AlterConfig{{Name: "max.message.bytes", Value: &bytes}}
	admin := kadm.NewClient(client(t, brokers))
	changed, err := admin.AlterTopicConfigs(t.Context(), config, topic)
	require.NoError(t, err)
	require.NoError(t, changed[0].Err)
}

// A commit has landed, and its owner has no answer yet. Another process reads the event. After that
// the owner must not deny it: a question about events of the group waits for the outcome. Any other
// question is answered at once.
func TestReadsWaitForTheCommitInFlight(t *testing.T) {
	t.Parallel()
	var holding atomic.Bool
	gate := make(chan struct{})
	held := &network{
		request: func(c *conn, key kmsg.Key, _ []byte) error {
			if key == kmsg.EndTxn && holding.Load() {
				c.flag.Store(true)
			}
			return nil
		},
		answer: func() error { <-gate; return nil },
	}
	opts := stackOptions(t)
	opts.Timeout = 2 * time.Minute
	owner := open(t, held.over(opts))
	release := sync.OnceFunc(func() { close(gate) })
	t.Cleanup(release) // registered AFTER open: it runs before Close, which waits for the answer
	const other = "trade/UTI-2"
	for i, e := range []contract.Event{event(stream, 1), event(other, 2)} {
		_, err := owner.Append(t.Context(), e.Stream, 0, e)
		require.NoError(t, err, i)
	}
	late := event(stream, 3)
	holding.Store(true)
	appended := make(chan error, 1)
	go func() {
		_, err := owner.Append(t.Context(), stream, 1, late)
		appended <- err
	}()
	opts.ReadOnly = true
	reader := open(t, opts)
	require.Eventually(t, func() bool {
		_, err := reader.Find(t.Context(), late.ID)
		return err == nil
	}, time.Minute, 10*time.Millisecond)

	asked, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := owner.Find(asked, late.ID)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	read := make(chan int, 1)
	go func() {
		events, _ := streamOf(t, owner, stream)
		read <- len(events)
	}()
	answered := func() bool { return len(read) > 0 }
	require.Never(t, answered, 50*time.Millisecond, 10*time.Millisecond, "Stream must wait")
	_, err = owner.Find(t.Context(), event(other, 2).ID)
	require.NoError(t, err)
	_, err = streamOf(t, owner, other)
	require.NoError(t, err)

	release()
	require.NoError(t, <-appended)
	found, err := owner.Find(t.Context(), late.ID)
	require.NoError(t, err)
	require.EqualValues(t, 2, found.Version)
	require.Equal(t, 2, <-read)
}

// streamOf returns the events of a stream, and the error that ended the read.
func streamOf(t *testing.T, s *kafka.Store, name string) (events []contract.Recorded, err error) {
	for e, err := range s.Stream(t.Context(), name) {
		if err != nil {
			return events, err
		}
		events = append(events, e)
	}
	return events, nil
}

// usurp fences the owner of a partition, as another owner does, and ends.
func usurp(t tester, opts kafka.Options, partition int32) {
	id := fmt.Sprintf("%s.%d", opts.Prefix, partition)
	rival := dial(t, opts.Brokers, kgo.TransactionalID(id))
	defer rival.Close()
	_, _, err := rival.ProducerID(t.Context())
	require.NoError(t, err)
}

// The events of a partition have the order in which their appends were queued (contract.OnQueued),
// however many are committed at once, and also if the broker refuses one record and the rest of its
// group is committed append by append.
func TestEventsKeepTheOrderOfTheQueue(t *testing.T) {
	t.Parallel()
	const appends, streams = 500, 50
	for _, large := range []int{-1, appends / 2} {
		t.Run(fmt.Sprintf("large=%d", large), func(t *testing.T) {
			t.Parallel()
			opts := options(broker(t), "log")
			s := open(t, opts)
			limit(t, opts.Brokers, "log.events", "500000")
			var want []contract.Event
			var answers sync.WaitGroup
			for n := range appends {
				e := event(name(n%streams), n)
				if n == large {
					e.Data = append(e.Data, make([]byte, 600_000)...)
				} else {
					want = append(want, e)
				}
				queued := make(chan struct{})
				ctx := contract.OnQueued(t.Context(), func() { close(queued) })
				answers.Go(func() {
					_, err := s.Append(ctx, e.Stream, contract.Any, e)
					if n == large {
						assert.ErrorIs(t, err, kerr.MessageTooLarge)
					} else {
						assert.NoError(t, err)
					}
				})
				<-queued
			}
			answers.Wait()
			var got []contract.Event
			for _, e := range all(t, s) {
				got = append(got, e.Event)
			}
			require.Equal(t, want, got)
		})
	}
}

// An append that is refused, and waits for the outcome of its group, writes nothing. Another
// partition can record its events meanwhile.
func TestRefusedAppendHoldsNoIds(t *testing.T) {
	t.Parallel()
	var holding atomic.Bool
	requested, gate := make(chan struct{}), make(chan struct{})
	held := &network{
		request: func(c *conn, key kmsg.Key, _ []byte) error {
			if holding.Load() {
				c.flag.Store(key == kmsg.EndTxn)
				if key == kmsg.EndTxn {
					requested <- struct{}{}
				}
			}
			return nil
		},
		answer: func() error { <-gate; return nil },
	}
	opts := options(broker(t), "log")
	opts.Partitions, opts.Timeout = 2, 2*time.Minute
	s := open(t, held.over(opts))
	release := sync.OnceFunc(func() { holding.Store(false); close(gate) })
	t.Cleanup(release) // registered AFTER open: it runs before Close, which waits for the answer
	other := ""
	for i := 2; s.PartitionOf(other) == s.PartitionOf(stream); i++ {
		other = name(i)
	}
	appended := func(expected int64, n int) <-chan error {
		queued, answer := make(chan struct{}), make(chan error, 1)
		ctx := contract.OnQueued(t.Context(), func() { close(queued) })
		go func() {
			_, err := s.Append(ctx, stream, expected, event(stream, n))
			answer <- err
		}()
		<-queued
		return answer
	}
	holding.Store(true)
	first := appended(0, 1)
	<-requested
	second, refused := appended(1, 2), appended(1, 3) // the next group
	gate <- struct{}{}
	<-requested
	holding.Store(false)

	moved := event(stream, 3)
	moved.Stream = other
	_, err := s.Append(t.Context(), other, 0, moved)
	require.NoError(t, err)
	require.Empty(t, second, "the group is in flight")
	release()
	require.NoError(t, <-first)
	require.NoError(t, <-second)
	var conflict *contract.ConflictError
	require.ErrorAs(t, <-refused, &conflict)
}

// A commit waits until the client has stored the partitions of its records: awaitStored says why.
func TestProduceAwaitsStoredPartitions(t *testing.T) {
	t.Parallel()
	cluster := broker(t, kfake.SeedTopics(1, "trades"))
	client, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...),
		kgo.RecordPartitioner(kgo.ManualPartitioner()))
	require.NoError(t, err)
	t.Cleanup(client.Close)
	record := &kgo.Record{Topic: "trades"}
	ended, end := context.WithCancel(t.Context())
	end()
	require.ErrorIs(t, kafka.AwaitStored(ended, client, record), context.Canceled)
	require.NoError(t, client.ProduceSync(t.Context(), record).FirstErr())
	require.NoError(t, kafka.AwaitStored(t.Context(), client, record))
}
