package codec_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/stack/stacktest"
	"example.com/blotter/labs/kit/trade"
	codec "example.com/blotter/solutions/1-schemas"
)

// A desk is a topic of events in two partitions, one for what is parked, and a group.
type desk struct {
	brokers []string
	prefix  string
	codec   *codec.Codec
}

func newDesk(t *testing.T, brokers []string) desk {
	d := desk{brokers, stacktest.Prefix(t), codec.Offline()}
	admin := kadm.NewClient(d.connect(t))
	for topic, partitions := range map[string]int32{d.events(): 2, d.parked(): 1} {
		_, err := admin.CreateTopic(t.Context(), partitions, -1, nil, topic)
		require.NoError(t, err)
	}
	return d
}

func (d desk) events() string { return d.prefix + "events" }
func (d desk) parked() string { return d.prefix + "parked" }

func (d desk) connect(t *testing.T, options ...kgo.Opt) *kgo.Client {
	client, err := kgo.NewClient(append(options, kgo.SeedBrokers(d.brokers...))...)
	require.NoError(t, err)
	t.Cleanup(client.CloseAllowingRebalance)
	return client
}

// member is set up as NewConsumer asks.
func (d desk) member(t *testing.T, options ...kgo.Opt) *kgo.Client {
	return d.connect(t, append(options, kgo.ConsumerGroup(d.prefix+"desk"), kgo.ConsumeTopics(d.events()), kgo.DisableAutoCommit(), kgo.BlockRebalanceOnPoll(),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.HeartbeatInterval(50*time.Millisecond), kgo.FetchMaxWait(50*time.Millisecond))...)
}

// write puts n events on each partition.
func (d desk) write(t *testing.T, n int) {
	client := d.connect(t, kgo.RecordPartitioner(kgo.ManualPartitioner()))
	p, err := d.codec.Encode(t.Context(), trade.Settle{Quantity: mwh("1"), Price: trade.Dec("83.1")})
	require.NoError(t, err)
	for i := range 2 * n {
		r := codec.RecordOf(contract.Event{
			ID: uuid.New(), Stream: "trade/UTI-1", Type: p.Type, Schema: p.Schema, Fingerprint: p.Fingerprint, Data: p.Data,
			EffectiveAt: time.Date(2025, 3, 1, 0, 0, 0, 0, time.UTC), Actor: "ops/1", Reason: "delivered", Source: "test",
		})
		r.Topic, r.Partition = d.events(), int32(i%2)
		require.NoError(t, client.ProduceSync(t.Context(), r).FirstErr())
	}
}

func soon(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// One partition has an event, and the other may not be read: both are said.
func TestAnErrorOfOnePartitionIsNotForgottenOverTheEventsOfAnother(t *testing.T) {
	t.Parallel()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1)) // no real broker errs to order
	require.NoError(t, err)
	t.Cleanup(cluster.Close)
	d := newDesk(t, cluster.ListenAddrs())
	d.write(t, 1)
	d.refuseTheSecond(t, cluster)
	client, got := d.member(t, kgo.DisableFetchSessions()), 0
	ctx, end := context.WithCancel(soon(t))
	defer end()
	err = codec.NewConsumer(client, d.parked(), d.codec).Run(ctx, func(context.Context, contract.Event, trade.Body) error {
		if got++; got == 2 {
			end() // the error went by
		}
		return nil
	})
	require.ErrorIs(t, err, kerr.TopicAuthorizationFailed)
	require.Equal(t, 1, got, "what came beside the error is handed over")
	done := client.CommittedOffsets()[d.events()]
	require.EqualValues(t, 1, done[0].Offset, "and is not handed over again")
}

// refuseTheSecond answers one fetch with the event of the first partition and no leave to read the second. A fetch that asks for one of the
// two alone has to ask again.
func (d desk) refuseTheSecond(t *testing.T, cluster *kfake.Cluster) {
	first := d.fetched(t)
	cluster.ControlKey(int16(kmsg.Fetch), func(request kmsg.Request) (kmsg.Response, error, bool) {
		asked := request.(*kmsg.FetchRequest)
		answer := asked.ResponseKind().(*kmsg.FetchResponse)
		if len(asked.Topics) != 1 || len(asked.Topics[0].Partitions) != 2 {
			cluster.KeepControl()
			return answer, nil, true
		}
		topic, refused := kmsg.NewFetchResponseTopic(), kmsg.NewFetchResponseTopicPartition()
		topic.Topic, topic.TopicID = asked.Topics[0].Topic, asked.Topics[0].TopicID
		refused.Partition, refused.ErrorCode = 1, kerr.TopicAuthorizationFailed.Code
		topic.Partitions = append(topic.Partitions, first, refused)
		answer.Topics = append(answer.Topics, topic)
		return answer, nil, true
	})
}

// fetched is what the first partition is answered.
func (d desk) fetched(t *testing.T) kmsg.FetchResponseTopicPartition {
	ask := kmsg.NewPtrFetchRequest()
	ask.MaxBytes = 1 << 20
	topic, partition := kmsg.NewFetchRequestTopic(), kmsg.NewFetchRequestTopicPartition()
	topic.Topic, partition.PartitionMaxBytes = d.events(), 1<<20
	topic.Partitions = append(topic.Partitions, partition)
	ask.Topics = append(ask.Topics, topic)
	answer, err := ask.RequestWith(t.Context(), d.connect(t, kgo.MaxVersions(kversion.V3_0_0()))) // the last that knows topics by name
	require.NoError(t, err)
	return answer.Topics[0].Partitions[0]
}

// A second member joins while the first has everything at hand. It waits, and goes on from there.
func TestAMemberThatJoinsIsHandedNothingThatAnotherHasAtHand(t *testing.T) {
	t.Parallel()
	d := newDesk(t, stacktest.Kafka(t))
	d.write(t, 6)
	ctx, stop := context.WithCancel(soon(t))
	var members sync.WaitGroup
	defer members.Wait()
	defer stop()

	handed := make(chan uuid.UUID, 100)
	run := func(client *kgo.Client, before func()) {
		members.Go(func() {
			defer client.CloseAllowingRebalance()
			err := codec.NewConsumer(client, d.parked(), d.codec).Run(ctx, func(_ context.Context, e contract.Event, _ trade.Body) error {
				before()
				handed <- e.ID
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	waits, given := make(chan struct{}), make(chan struct{})
	var onWait, onGiven, onFirst sync.Once
	second := kgo.OnPartitionsAssigned(func(_ context.Context, _ *kgo.Client, all map[string][]int32) {
		if len(all) > 0 {
			onGiven.Do(func() { close(given) })
		}
	})
	first := kgo.OnPartitionsCallbackBlocked(func(context.Context, *kgo.Client) { onWait.Do(func() { close(waits) }) })
	await := func(c chan struct{}) {
		select {
		case <-c:
		case <-ctx.Done():
		}
	}
	run(d.member(t, first), func() {
		onFirst.Do(func() {
			run(d.member(t, second), func() {})
			await(waits)
		})
	})
	times := map[uuid.UUID]int{}
	take := func(n int) {
		for len(times) < n {
			select {
			case id := <-handed:
				times[id]++
			case <-ctx.Done():
				require.Fail(t, "events are not handed over", "%d of %d", len(times), n)
			}
		}
	}
	take(12)
	await(given)  // its part of the partitions
	d.write(t, 6) // what comes later is handed over after whatever is handed over twice
	take(24)
	for id, n := range times {
		require.Equal(t, 1, n, "event %s", id)
	}
}
