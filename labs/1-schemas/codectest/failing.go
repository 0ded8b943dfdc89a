package codectest

import (
	"fmt"
	"slices"
	"sync/atomic"

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

var failing = []spec{{
	Check: check.Check{ID: "L1.36", Points: 3, Operation: consume, Invariant: "L1.I10",
		Title: "a failure that the record did not cause parks nothing; the record comes again",
		Misconception: "that every error is poison; in fact a database that is away for a minute " +
			"would then park a minute of trades",
		Hint: "return the error from Run; commit the records before this one, and not the record " +
			"itself",
		More: "park only for errors of eventOf and c.decode that are in poison; return the error " +
			"of " +
			"handle as it is, even if it wraps ErrTruncated",
		Read: "section 3 and exercise 5"},
	try: func(t *trial) {
		c, k := t.codec(), newKafka(t)
		t.publish(k, c, event(0), settlement)
		second := t.publish(k, c, event(2), settlement)
		// The truncated data is other data: this record is valid.
		broken := fmt.Errorf("the database is away: %w", contract.ErrTruncated)
		err := t.consumeUntil(k, c, func(e contract.Event) error {
			if e.ID == second.ID {
				return broken
			}
			return nil
		})
		require.ErrorIs(t, err, broken, "Run, after the handler failed")

		t.registry.setAway(true)
		foreign := k.foreign(t, second)
		m := t.consume(k, c)
		check.Events(t, "the events after the handler failed", []contract.Event{second}, m.take(1))
		require.ErrorIs(t, m.wait(), errAway, "Run, when the registry did not answer")

		t.registry.setAway(false)
		m = t.consume(k, c)
		check.Events(t, "the events after the registry is back",
			[]contract.Event{foreign}, m.take(1))
		m.stop()
		require.Zero(t, k.count(t, k.parked), "parked records; no record is poison")
	},
}, {
	Check: check.Check{ID: "L1.37", Points: 2, Operation: consume, Invariant: "L1.I10",
		Title: "if the brokers refuse to serve a partition, Run ends with their error, even if " +
			"the same fetch has records",
		Misconception: "that a fetch that has records has no error; in fact a fetch can have " +
			"both, and the client reports each error once",
		Hint: "look at the fetch's errors AFTER its records are handled and committed; the " +
			"client retries temporary errors by itself",
		More: "cmp.Or(failed, c.commit(ctx, done), fetches.Err())",
		Read: "section 3 and exercise 5"},
	try: func(t *trial) {
		c, cluster := t.codec(), newCluster(t)
		k := newKafkaAt(t, []kgo.Opt{kgo.SeedBrokers(cluster.ListenAddrs()...)}, 2)
		n := 0
		publish := func() {
			for range 6 { // some on each partition
				t.publish(k, c, separate(n), settlement)
				n++
			}
		}
		publish()
		refused := k.ids(t, 1)
		require.NotEmpty(t, refused)
		require.Less(t, len(refused), n)
		k.refuseSecondPartition(t, cluster)

		m := t.consume(k, c, kgo.DisableFetchSessions())
		times := map[uuid.UUID]int{}
		count(times, m.takeUntilDone(refused)...)
		require.ErrorIs(t, m.err, kerr.TopicAuthorizationFailed,
			"Run, when one of two partitions could not be read")

		publish() // on each partition, an event that comes twice comes before these
		m = t.consume(k, c)
		for len(times) < n {
			count(times, m.take(1)...)
		}
		for i := range n {
			require.Equal(t, 1, times[separate(i).ID],
				"times that event %d was handed over, before the error and after it", i+1)
		}
		m.stop()
	},
}}

// newCluster returns a broker in this process for one check, which lets it refuse a request.
func newCluster(t *trial) *kfake.Cluster {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
	require.NoError(t, err, "start a broker")
	t.Cleanup(cluster.Close)
	return cluster
}

// ids returns the ids of the events in a partition.
func (k *kafka) ids(t *trial, partition int32) []string {
	var ids []string
	for _, r := range k.all(t, k.topic, k.count(t, k.topic)) {
		for _, h := range r.Headers {
			if h.Key == "ce_id" && r.Partition == partition {
				ids = append(ids, string(h.Value))
			}
		}
	}
	return ids
}

// takeUntilDone returns the events that are handed over before Run ends. An event of the refused
// partition fails the check.
func (m *member) takeUntilDone(refused []string) []contract.Event {
	var got []contract.Event
	for {
		select {
		case e := <-m.events:
			if slices.Contains(refused, e.ID.String()) {
				m.t.fail("a partition could not be read, and then Run handed over an event of it")
			}
			got = append(got, e)
		case <-m.done:
			return append(got, m.take(len(m.events))...)
		case <-m.t.Context().Done():
			m.t.fail("Run continued; it must end with an error")
		}
	}
}

// refuseSecondPartition answers one fetch with the events of the first partition, and with an
// authorization error for the second. A fetch that asks for only one of the two has to ask again.
// Later fetches are answered as usual.
func (k *kafka) refuseSecondPartition(t *trial, cluster *kfake.Cluster) {
	first := k.fetchFirstPartition(t)
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

// fetchFirstPartition returns the broker's answer for the first partition.
func (k *kafka) fetchFirstPartition(t *trial) kmsg.FetchResponseTopicPartition {
	client := k.connect(t, kgo.MaxVersions(kversion.V3_0_0())) // the last that names topics
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
