package codectest

import (
	"context"
	"strings"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/blotter/labs/kit/check"
	"example.com/blotter/labs/kit/contract"
)

// kafka is two topics and a group of the check's own: events in a few partitions, and what was parked in one.
type kafka struct {
	seeds               []string
	client              *kgo.Client
	topic, parked, desk string
}

// newKafka makes the topics on the brokers that the fixture names.
func newKafka(t *trial) *kafka { return newKafkaAt(t, t.answer.Brokers, 3) }

func newKafkaAt(t *trial, seeds []string, partitions int32) *kafka {
	own := t.answer.Prefix + strings.ReplaceAll(strings.ToLower(t.Name()), ".", "-")
	k := &kafka{seeds: seeds, topic: own + "-events", parked: own + "-parked", desk: own + "-desk"}
	k.client = k.connect(t)
	t.Cleanup(k.client.Close)
	k.create(t, k.topic, partitions)
	k.create(t, k.parked, 1)
	return k
}

// create makes a topic, and takes it away after the check: the brokers may be somebody's.
func (k *kafka) create(t *trial, name string, partitions int32) {
	admin := kadm.NewClient(k.client)
	_, err := admin.CreateTopic(t.Context(), partitions, -1, nil, name)
	require.NoError(t, err, "create a topic")
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 5*time.Second)
		defer cancel()
		_, _ = admin.DeleteTopic(ctx, name) // one that stays is empty of meaning: its name is never used again
	})
}

func (k *kafka) connect(t check.T, options ...kgo.Opt) *kgo.Client {
	client, err := kgo.NewClient(append(options, kgo.SeedBrokers(k.seeds...))...)
	require.NoError(t, err, "connect to the broker")
	return client
}

// member is a client in the consumer group, which reads from where the group is, or else from the beginning. It keeps its partitions while
// it has records at hand, and can write records that are larger than those that it reads, as parked ones are.
func (k *kafka) member(t check.T, options ...kgo.Opt) *kgo.Client {
	return k.connect(t, append([]kgo.Opt{kgo.ConsumerGroup(k.desk), kgo.ConsumeTopics(k.topic), kgo.DisableAutoCommit(), kgo.BlockRebalanceOnPoll(),
		kgo.HeartbeatInterval(100 * time.Millisecond), kgo.FetchMaxWait(100 * time.Millisecond),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.ProducerBatchMaxBytes(2 << 20)}, options...)...)
}

func (k *kafka) produce(t check.T, to string, r *kgo.Record) {
	copied := *r
	copied.Topic = to
	require.NoError(t, k.client.ProduceSync(t.Context(), &copied).FirstErr(), "produce a record")
}

// all waits for n records of a topic, and is sure that there are no more.
func (k *kafka) all(t check.T, of string, n int) []*kgo.Record {
	require.Equal(t, n, k.count(t, of), "records in the topic of the %s", k.what(of))
	client := k.connect(t, kgo.ConsumeTopics(of), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	defer client.Close()
	var records []*kgo.Record
	for len(records) < n {
		fetches := client.PollFetches(t.Context())
		require.NoError(t, fetches.Err(), "read the topic of the %s", k.what(of))
		records = append(records, fetches.Records()...)
	}
	return records
}

// what a topic is called in a failure: its name is another in each run.
func (k *kafka) what(topic string) string {
	if topic == k.parked {
		return "parked records"
	}
	return "events"
}

// count is how many records a topic has. It is asked in a time of its own, for that of the check may be up.
func (k *kafka) count(t check.T, of string) int {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 15*time.Second)
	defer cancel()
	ends, err := kadm.NewClient(k.client).ListEndOffsets(ctx, of)
	require.NoError(t, err, "ends of the topic of the %s", k.what(of))
	require.NoError(t, ends.Error(), "ends of the topic of the %s", k.what(of)) // one partition's failure is no failure of the whole
	n := int64(0)
	ends.Each(func(o kadm.ListedOffset) { n += o.Offset })
	return int(n)
}

// foreign puts e on the topic once more, under another id and a schema id that the codec has not seen.
func (k *kafka) foreign(t *trial, e contract.Event) contract.Event {
	last := k.last(t, e.Stream)
	e.ID = event(99).ID
	e.Data = wire(t.registry.publish(strings.ReplaceAll(schema("trade.settled").Text, "\n", " ")), e.Data[header:])
	for i, h := range last.Headers {
		if h.Key == "ce_id" {
			last.Headers[i].Value = []byte(e.ID.String())
		}
	}
	k.produce(t, k.topic, &kgo.Record{Key: last.Key, Value: e.Data, Headers: last.Headers})
	return e
}

// last is the last record of a stream.
func (k *kafka) last(t *trial, stream string) *kgo.Record {
	var last *kgo.Record
	for _, r := range k.all(t, k.topic, k.count(t, k.topic)) {
		if string(r.Key) == stream {
			last = r
		}
	}
	require.NotNil(t, last, "a record of %s", stream)
	return last
}
