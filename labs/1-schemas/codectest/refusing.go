package codectest

import (
	"slices"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"example.com/blotter/labs/kit/check"
	"example.com/blotter/labs/kit/contract"
)

var refusing = []spec{{
	Check: check.Check{ID: "L1.26", Points: 2, Limit: time.Minute, Operation: consume, Invariant: "L1.I10",
		Title:         "a partition that the brokers do not hand out ends Run with their error, whatever came beside it",
		Misconception: "that a poll which brought records brought no error: each fetch has both, and the client tells of an error once",
		Hint:          "look at the fetch's errors AFTER its records are handled and committed; the client itself tries again what may pass"},
	try: func(t *trial) {
		c, cluster := t.codec(), newCluster(t)
		k := newKafkaAt(t, cluster.ListenAddrs(), 2)
		n := 0
		publish := func() {
			for range 6 { // some on each partition
				t.publish(k, c, spread(n), settlement)
				n++
			}
		}
		publish()
		refused := k.ids(t, 1)
		require.NotEmpty(t, refused)
		require.Less(t, len(refused), n)
		k.refuseTheSecond(t, cluster)

		g := t.consume(k, c, kgo.DisableFetchSessions())
		times := map[uuid.UUID]int{}
		note(times, g.takeUntilOver(refused)...)
		require.ErrorIs(t, g.err, kerr.TopicAuthorizationFailed, "Run, when one of two partitions could not be read")

		publish() // what is handed over twice comes before these, on each partition
		g = t.consume(k, c)
		for len(times) < n {
			note(times, g.take(1)...)
		}
		for i := range n {
			require.Equal(t, 1, times[spread(i).ID], "how often event %d was handed over, before the error and after it", i+1)
		}
		g.stop()
	},
}}

// newCluster is a broker in this process, of the check's own: it is told to refuse.
func newCluster(t *trial) *kfake.Cluster {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
	require.NoError(t, err, "start a broker")
	t.Cleanup(cluster.Close)
	return cluster
}

// ids are those of the events in a partition.
func (k *kafka) ids(t *trial, partition int32) []string {
	var some []string
	for _, r := range k.all(t, k.topic, k.count(t, k.topic)) {
		for _, h := range r.Headers {
			if h.Key == "ce_id" && r.Partition == partition {
				some = append(some, string(h.Value))
			}
		}
	}
	return some
}

// takeUntilOver is what is handed over before Run ends. Nothing of what could not be read may be among it.
func (g *group) takeUntilOver(refused []string) []contract.Event {
	var done []contract.Event
	for {
		select {
		case e := <-g.got:
			if slices.Contains(refused, e.ID.String()) {
				g.t.fail("a partition could not be read, and then Run handed over an event of it")
			}
			done = append(done, e)
		case <-g.over:
			return append(done, g.take(len(g.got))...)
		case <-g.t.Context().Done():
			g.t.fail("Run went on, where it was to end with an error")
		}
	}
}

// refuseTheSecond answers one fetch with the events of the first partition and no leave to read the second. A fetch that asks for one of the
// two alone has to ask again, and one that comes later is answered as ever.
func (k *kafka) refuseTheSecond(t *trial, cluster *kfake.Cluster) {
	first := k.fetched(t)
	var refusedOnce atomic.Bool
	cluster.ControlKey(int16(kmsg.Fetch), func(request kmsg.Request) (kmsg.Response, error, bool) {
		if refusedOnce.Load() {
			return nil, nil, false
		}
		asked := request.(*kmsg.FetchRequest)
		answer := asked.ResponseKind().(*kmsg.FetchResponse)
		if len(asked.Topics) != 1 || len(asked.Topics[0].Partitions) != 2 {
			cluster.KeepControl()
			return answer, nil, true
		}
		refusedOnce.Store(true)
		topic, refused := kmsg.NewFetchResponseTopic(), kmsg.NewFetchResponseTopicPartition()
		topic.Topic, topic.TopicID = asked.Topics[0].Topic, asked.Topics[0].TopicID
		refused.Partition, refused.ErrorCode = 1, kerr.TopicAuthorizationFailed.Code
		topic.Partitions = append(topic.Partitions, first, refused)
		answer.Topics = append(answer.Topics, topic)
		return answer, nil, true
	})
}

// fetched is what the first partition is answered.
func (k *kafka) fetched(t *trial) kmsg.FetchResponseTopicPartition {
	client := k.connect(t, kgo.MaxVersions(kversion.V3_0_0())) // the last that knows topics by name
	defer client.Close()
	ask := kmsg.NewPtrFetchRequest()
	ask.MaxBytes = 1 << 20
	topic, partition := kmsg.NewFetchRequestTopic(), kmsg.NewFetchRequestTopicPartition()
	topic.Topic, partition.PartitionMaxBytes = k.topic, 1<<20
	topic.Partitions = append(topic.Partitions, partition)
	ask.Topics = append(ask.Topics, topic)
	answer, err := ask.RequestWith(t.Context(), client)
	require.NoError(t, err, "fetch")
	return answer.Topics[0].Partitions[0]
}
