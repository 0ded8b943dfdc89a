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

// topics are a topic of events with two partitions, a topic of parked records, and a group.
type topics struct {
	brokers []kgo.Opt
	prefix  string
	codec   *codec.Codec
}

func newTopics(t *testing.T, brokers []kgo.Opt) topics {
	k := topics{brokers, stacktest.Prefix(t), codec.Offline()}
	admin := kadm.NewClient(k.connect(t))
	for topic, partitions := range map[string]int32{k.events(): 2, k.parked(): 1} {
		_, err := admin.CreateTopic(t.Context(), partitions, -1, nil, topic)
		require.NoError(t, err)
	}
	return k
}

func (k topics) events() string { return k.prefix + "events" }
func (k topics) parked() string { return k.prefix + "parked" }

func (k topics) connect(t *testing.T, options ...kgo.Opt) *kgo.Client {
	client, err := kgo.NewClient(append(options, k.brokers...)...)
	require.NoError(t, err)
	t.Cleanup(client.CloseAllowingRebalance)
	return client
}

// member returns a client with the options that NewConsumer requires.
func (k topics) member(t *testing.T, options ...kgo.Opt) *kgo.Client {
	return k.connect(t, append(options,
		kgo.ConsumerGroup(k.prefix+"desk"), kgo.ConsumeTopics(k.events()),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.DisableAutoCommit(), kgo.BlockRebalanceOnPoll(),
		kgo.HeartbeatInterval(50*time.Millisecond), kgo.FetchMaxWait(50*time.Millisecond),
	)...)
}

// write writes n events to each partition.
func (k topics) write(t *testing.T, n int) {
	client := k.connect(t, kgo.RecordPartitioner(kgo.ManualPartitioner()))
	body := trade.Settle{Quantity: mwh("1"), Price: trade.Dec("83.1")}
	p, err := k.codec.Encode(t.Context(), body)
	require.NoError(t, err)
	for i := range 2 * n {
		r := codec.RecordOf(contract.Event{
			ID: uuid.New(), Stream: "trade/UTI-1",
			Type: p.Type, Schema: p.Schema, Fingerprint: p.Fingerprint, Data: p.Data,
			EffectiveAt: time.Date(2025, 3, 1, 0, 0, 0, 0, time.UTC),
			EnteredAt:   time.Date(2025, 3, 1, 0, 0, 0, 0, time.UTC), CommandID: "c-1",
			SourceLine: 7, SubmittedBy: "sso/7",
			SourceRecordedAt: time.Date(2025, 3, 1, 0, 0, 0, 0, time.UTC),
			AppendGroup:      uuid.NewSHA1(uuid.NameSpaceOID, []byte("group")),
			Actor:            "ops/1", Reason: "delivered", Source: "test",
		})
		r.Topic, r.Partition = k.events(), int32(i%2)
		require.NoError(t, client.ProduceSync(t.Context(), r).FirstErr())
	}
}

func withDeadline(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// A fetch has an event of one partition and an error of the other. Run handles both.
func TestFetchErrorBesideEventsEndsRun(t *testing.T) {
	t.Parallel()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1)) // a real broker cannot be told to fail
	require.NoError(t, err)
	t.Cleanup(cluster.Close)
	k := newTopics(t, []kgo.Opt{kgo.SeedBrokers(cluster.ListenAddrs()...)})
	k.write(t, 1)
	k.refuseSecondPartition(t, cluster)
	client, got := k.member(t, kgo.DisableFetchSessions()), 0
	ctx, cancel := context.WithCancel(withDeadline(t))
	defer cancel()
	count := func(context.Context, contract.Event, trade.Body) error {
		if got++; got == 2 {
			cancel() // Run has missed the error
		}
		return nil
	}
	err = codec.NewConsumer(client, k.parked(), k.codec).Run(ctx, count)
	require.ErrorIs(t, err, kerr.TopicAuthorizationFailed)
	require.Equal(t, 1, got, "the event beside the error is handed over")
	done := client.CommittedOffsets()[k.events()]
	require.EqualValues(t, 1, done[0].Offset, "the event beside the error is committed")
}

// refuseSecondPartition answers one fetch with the event of the first partition, and with an
// authorization error for the second. A fetch that asks for only one of the two has to ask again.
func (k topics) refuseSecondPartition(t *testing.T, cluster *kfake.Cluster) {
	first := k.fetchFirstPartition(t)
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

// fetchFirstPartition returns the broker's answer for the first partition.
func (k topics) fetchFirstPartition(t *testing.T) kmsg.FetchResponseTopicPartition {
	ask := kmsg.NewPtrFetchRequest()
	ask.MaxBytes = 1 << 20
	topic, partition := kmsg.NewFetchRequestTopic(), kmsg.NewFetchRequestTopicPartition()
	topic.Topic, partition.PartitionMaxBytes = k.events(), 1<<20
	topic.Partitions = append(topic.Partitions, partition)
	ask.Topics = append(ask.Topics, topic)
	client := k.connect(t, kgo.MaxVersions(kversion.V3_0_0())) // the last that names topics
	answer, err := ask.RequestWith(t.Context(), client)
	require.NoError(t, err)
	return answer.Topics[0].Partitions[0]
}

// A second member joins while the first handles its records. The second waits, and continues after
// those records.
func TestJoiningMemberGetsNoHandledEvents(t *testing.T) {
	t.Parallel()
	k := newTopics(t, stacktest.Kafka(t))
	k.write(t, 6)
	ctx, stop := context.WithCancel(withDeadline(t))
	var members sync.WaitGroup
	defer members.Wait()
	defer stop()

	handed := make(chan uuid.UUID, 100)
	run := func(client *kgo.Client, before func()) {
		members.Go(func() {
			defer client.CloseAllowingRebalance()
			handle := func(_ context.Context, e contract.Event, _ trade.Body) error {
				before()
				handed <- e.ID
				return nil
			}
			err := codec.NewConsumer(client, k.parked(), k.codec).Run(ctx, handle)
			if err != nil {
				t.Error(err)
			}
		})
	}
	waits, assigned := make(chan struct{}), make(chan struct{})
	var onWait, onAssigned, onFirst sync.Once
	second := kgo.OnPartitionsAssigned(
		func(_ context.Context, _ *kgo.Client, all map[string][]int32) {
			if len(all) > 0 {
				onAssigned.Do(func() { close(assigned) })
			}
		})
	first := kgo.OnPartitionsCallbackBlocked(func(context.Context, *kgo.Client) {
		onWait.Do(func() { close(waits) })
	})
	await := func(c chan struct{}) {
		select {
		case <-c:
		case <-ctx.Done():
		}
	}
	run(k.member(t, first), func() {
		onFirst.Do(func() {
			run(k.member(t, second), func() {})
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
	await(assigned)
	k.write(t, 6) // on each partition, an event that comes twice comes before these
	take(24)
	for id, n := range times {
		require.Equal(t, 1, n, "event %s", id)
	}
}

// recordOf and eventOf keep every attribute: of an event with all of them, and of an event whose
// payload is offloaded.
func TestEnvelopeKeepsEveryAttribute(t *testing.T) {
	t.Parallel()
	all := contract.Event{
		ID: uuid.New(), Stream: "trade/UTI-1", Type: "trade.cancelled", Schema: 1,
		Fingerprint: [32]byte{1, 31: 2},
		EffectiveAt: time.Date(2025, 3, 1, 0, 0, 0, 1000, time.UTC),
		EnteredAt:   time.Date(2025, 3, 1, 0, 0, 0, 1000, time.UTC), CommandID: "c-1",
		SourceLine: 7, SubmittedBy: "sso/7",
		SourceRecordedAt: time.Date(2025, 3, 1, 0, 0, 0, 1000, time.UTC),
		AppendGroup:      uuid.NewSHA1(uuid.NameSpaceOID, []byte("group")),
		Corrects:         uuid.New(), Actor: "trader/1", Approver: "control/1", Reason: "busted",
		Correlation: uuid.New(), Causation: uuid.New(),
		Traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
		Source:      "import", Ends: true, Data: []byte{0, 0, 0, 0, 7, 1, 2, 3},
	}
	offloaded := all
	offloaded.BodyDigest, offloaded.Data = [32]byte{3, 31: 4}, all.Data[:5]
	offloaded.Ends = false
	for name, sent := range map[string]contract.Event{"all": all, "offloaded": offloaded} {
		got, err := codec.EventOf(codec.RecordOf(sent))
		require.NoError(t, err, name)
		require.Equal(t, sent, got, name)
	}
}
