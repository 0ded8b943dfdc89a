package codectest

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/blotter/labs/kit/check"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
)

// kafka is a check's own two topics and group. Events have a few partitions, parked records one.
type kafka struct {
	brokers              []kgo.Opt
	client               *kgo.Client
	topic, parked, group string
}

// newKafka creates the topics on the brokers of the fixture.
func newKafka(t *trial) *kafka { return newKafkaAt(t, t.answer.Brokers, 3) }

func newKafkaAt(t *trial, brokers []kgo.Opt, partitions int32) *kafka {
	own := t.answer.Prefix + strings.ReplaceAll(strings.ToLower(t.Name()), ".", "-")
	k := &kafka{
		brokers: brokers, topic: own + "-events", parked: own + "-parked", group: own + "-desk",
	}
	k.client = k.connect(t)
	t.Cleanup(k.client.Close)
	k.create(t, k.topic, partitions)
	k.create(t, k.parked, 1)
	return k
}

// create creates a topic, and deletes it after the check: others may share the brokers.
func (k *kafka) create(t *trial, name string, partitions int32) {
	admin := kadm.NewClient(k.client)
	_, err := admin.CreateTopic(t.Context(), partitions, -1, nil, name)
	require.NoError(t, err, "create a topic")
	awaitTopic(t, admin, name, partitions)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 5*time.Second)
		defer cancel()
		_, _ = admin.DeleteTopic(ctx, name) // a topic that stays is harmless: its name is unique
	})
}

// awaitTopic waits until the broker answers for all partitions of a topic. A real broker reports
// that it created a topic before that.
func awaitTopic(t *trial, admin *kadm.Client, name string, partitions int32) {
	for {
		ends, err := admin.ListEndOffsets(t.Context(), name)
		if err == nil && ends.Error() == nil && len(ends[name]) == int(partitions) {
			return
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-t.Context().Done():
			t.fail("the broker does not know the topic %s that it created: %v, %v",
				name, err, ends.Error())
		}
	}
}

func (k *kafka) connect(t check.T, options ...kgo.Opt) *kgo.Client {
	client, err := kgo.NewClient(append(options, k.brokers...)...)
	require.NoError(t, err, "connect to the broker")
	return client
}

// member returns a client in the consumer group. It reads from the group's offsets, or from the
// beginning. It keeps its partitions while it has records in flight, and can write records that are
// larger than those that it reads, as parked records are.
func (k *kafka) member(t check.T, options ...kgo.Opt) *kgo.Client {
	return k.connect(t, append([]kgo.Opt{
		kgo.ConsumerGroup(k.group), kgo.ConsumeTopics(k.topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.DisableAutoCommit(), kgo.BlockRebalanceOnPoll(),
		kgo.HeartbeatInterval(100 * time.Millisecond), kgo.FetchMaxWait(100 * time.Millisecond),
		kgo.ProducerBatchMaxBytes(2 << 20),
	}, options...)...)
}

func (k *kafka) produce(t check.T, topic string, r *kgo.Record) {
	copied := *r
	copied.Topic = topic
	require.NoError(t, k.client.ProduceSync(t.Context(), &copied).FirstErr(), "produce a record")
}

// all returns the n records of a topic, and requires that there are no more.
func (k *kafka) all(t check.T, topic string, n int) []*kgo.Record {
	require.Equal(t, n, k.count(t, topic), "records in the topic of the %s", k.describe(topic))
	fromStart := kgo.ConsumeResetOffset(kgo.NewOffset().AtStart())
	client := k.connect(t, kgo.ConsumeTopics(topic), fromStart)
	defer client.Close()
	var records []*kgo.Record
	for len(records) < n {
		fetches := client.PollFetches(t.Context())
		require.NoError(t, fetches.Err(), "read the topic of the %s", k.describe(topic))
		records = append(records, fetches.Records()...)
	}
	return records
}

// describe names a topic in a failure. The topic's own name differs between runs.
func (k *kafka) describe(topic string) string {
	if topic == k.parked {
		return "parked records"
	}
	return "events"
}

// count returns the number of records in a topic. It has a deadline of its own, because the check's
// time may have run out.
func (k *kafka) count(t check.T, topic string) int {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 15*time.Second)
	defer cancel()
	ends, err := kadm.NewClient(k.client).ListEndOffsets(ctx, topic)
	require.NoError(t, err, "ends of the topic of the %s", k.describe(topic))
	// The call succeeds even if a partition fails.
	require.NoError(t, ends.Error(), "ends of the topic of the %s", k.describe(topic))
	n := int64(0)
	ends.Each(func(o kadm.ListedOffset) { n += o.Offset })
	return int(n)
}

// foreign produces e again, under another event id and a schema id that the codec has not seen.
func (k *kafka) foreign(t *trial, e contract.Event) contract.Event {
	last := k.last(t, e.Stream)
	e.ID = event(99).ID
	e.Data = wire(t.registry.publish(reformatted("trade.settled", " ")), e.Data[prefixSize:])
	for i, h := range last.Headers {
		if h.Key == "ce_id" {
			last.Headers[i].Value = []byte(e.ID.String())
		}
	}
	k.produce(t, k.topic, &kgo.Record{Key: last.Key, Value: e.Data, Headers: last.Headers})
	return e
}

// last returns the last record of a stream.
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

// A member is one run of a consumer in the check's group.
type member struct {
	t      *trial
	k      *kafka
	events chan contract.Event // that were handed over
	cancel context.CancelFunc
	done   <-chan struct{}
	err    error

	mayPark bool // otherwise a parked record is one that is missing
}

// consumeUntil runs a consumer until it ends by itself.
func (t *trial) consumeUntil(k *kafka, c Codec, handle func(contract.Event) error) error {
	return t.run(k, c, handle).wait()
}

// consume runs a consumer that accepts every event.
func (t *trial) consume(k *kafka, c Codec, options ...kgo.Opt) *member {
	return t.run(k, c, func(contract.Event) error { return nil }, options...)
}

func (t *trial) run(
	k *kafka, c Codec, handle func(contract.Event) error, options ...kgo.Opt,
) *member {
	life, kill := context.WithCancel(context.WithoutCancel(t.Context()))
	client := k.member(t, append(options, kgo.WithContext(life))...)
	ctx, cancel := context.WithCancel(t.Context())
	m := &member{t: t, k: k, events: make(chan contract.Event, 100), cancel: cancel}
	consumer := t.consumer(client, k, c)
	m.done = check.Go(t, func() {
		defer client.CloseAllowingRebalance() // leaves the group, for the next member
		m.err = consumer.Run(ctx, func(_ context.Context, e contract.Event, body trade.Body) error {
			if err := handle(e); err != nil {
				return err
			}
			s, ok := body.(trade.Settle)
			if !ok || !s.Price.Equal(settlement.Price) {
				return fmt.Errorf("the body of %s is %s", e.ID, show(body))
			}
			m.events <- e
			return nil
		})
		answered(t, consume, m.err)
	})
	t.Cleanup(func() {
		defer kill() // a consumer that ignores its context ends with the client's context
		cancel()
		select {
		case <-m.done:
		case <-time.After(t.patience()):
		}
	})
	return m
}

func (t *trial) patience() time.Duration { return cmp.Or(t.answer.Patience, 15*time.Second) }

// take waits for n events.
func (m *member) take(n int) []contract.Event {
	poll := time.NewTicker(50 * time.Millisecond)
	defer poll.Stop()
	var got []contract.Event
	for len(got) < n {
		select {
		case <-poll.C:
			m.requireNothingParked()
		case e := <-m.events:
			got = append(got, e)
		case <-m.done:
			if len(m.events) > 0 {
				continue
			}
			const ended = "Run ended by itself after it had handed over %d of %d events"
			require.NoError(m.t, m.err, ended, len(got), n)
			m.t.fail(ended, len(got), n)
		case <-m.t.Context().Done():
			m.t.fail("%d of %d events were handed over; if L1.27 fails, begin there: an event "+
				"that was not written correctly does not arrive", len(got), n)
		}
	}
	return got
}

// passes waits for the event with an id, which follows records that are parked. If it does not
// come, the failure names the record that the consumer waits at.
func (m *member) passes(id uuid.UUID, at func() string) {
	select {
	case e := <-m.events:
		require.Equal(m.t, id, e.ID, "the event after the poison")
	case <-m.done:
		m.t.fail("Run ended by itself at %s: %v", at(), m.err)
	case <-m.t.Context().Done():
		m.t.fail("nothing was handed over after %s", at())
	}
}

// stop ends the context of the run, and requires that Run returns nil.
func (m *member) stop() {
	m.cancel()
	select {
	case <-m.done:
		require.NoError(m.t, m.err, "Run, when its context had ended")
	case <-time.After(m.t.patience()):
		m.t.fail("Run did not return after its context ended")
	}
}

// wait returns the error of a run that must end by itself. A run that parks a record instead would
// continue for ever.
func (m *member) wait() error {
	poll := time.NewTicker(50 * time.Millisecond)
	defer poll.Stop()
	late := time.After(m.t.patience())
	for {
		select {
		case <-m.done:
			return m.err
		case <-poll.C:
			m.requireNothingParked()
		case <-late:
			m.t.fail("Run continued; it must end with an error")
		}
	}
}

// requireNothingParked does nothing for a member that may park.
func (m *member) requireNothingParked() {
	if !m.mayPark {
		require.Zero(m.t, m.k.count(m.t, m.k.parked), "parked records; no record is poison")
	}
}

// A signal fires once.
type signal struct {
	once sync.Once
	c    chan struct{}
}

func newSignal() *signal { return &signal{c: make(chan struct{})} }

func (s *signal) fire() { s.once.Do(func() { close(s.c) }) }

// fireAfter fires s if other has fired.
func (s *signal) fireAfter(other *signal) {
	if other.fired() {
		s.fire()
	}
}

func (s *signal) fired() bool {
	select {
	case <-s.c:
		return true
	default:
		return false
	}
}
