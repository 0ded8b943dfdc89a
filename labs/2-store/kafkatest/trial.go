package kafkatest

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/blotter/labs/kit/check"
	"example.com/blotter/labs/kit/contract"
)

// A trial is one check under way, on a broker of its own with a log of one partition.
type trial struct {
	check.T
	answer  Fixture
	cluster *kfake.Cluster
	opts    Options
	store   Store
}

// begin starts the broker and opens a log there for the first time.
func (t *trial) begin() {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
	require.NoError(t, err)
	t.Cleanup(cluster.Close)
	t.cluster = cluster
	t.opts = Options{
		Brokers: cluster.ListenAddrs(), Prefix: "log", Partitions: 1, Heads: jsonHeads{}, Address: "127.0.0.1:7000",
		Clock: func(context.Context) time.Time { return noon }, Timeout: 15 * time.Second,
	}
	t.store = t.answer.open(t, t.opts, "Open")
}

// reopen has the owner go, does what is to happen meanwhile, and lets another come.
func (t *trial) reopen(meanwhile func()) {
	require.NoError(t, t.store.Close())
	meanwhile()
	t.store = t.answer.open(t, t.opts, "Reopen")
}

// append is the store's, watched.
func (t *trial) append(expected int64, events ...contract.Event) ([]contract.Receipt, error) {
	receipts, err := t.store.Append(t.Context(), stream, expected, events...)
	t.Answered("Append", err)
	return receipts, err
}

// appended must succeed.
func (t *trial) appended(expected int64, events ...contract.Event) []contract.Receipt {
	receipts, err := t.append(expected, events...)
	require.NoError(t, err, "append of %d events at %d", len(events), expected)
	return receipts
}

func (t *trial) find(id uuid.UUID) (contract.Recorded, error) {
	e, err := t.store.Find(t.Context(), id)
	t.Answered("Find", err)
	return e, err
}

// stream is what the store says of the stream.
func (t *trial) stream() []contract.Recorded {
	var all []contract.Recorded
	for e, err := range t.store.Stream(t.Context(), stream) {
		t.Answered("Stream", err)
		require.NoError(t, err)
		all = append(all, e)
	}
	return all
}

// holds says that the stream is these events, for who asks the store and for who reads the topic.
func (t *trial) holds(what string, want ...contract.Event) {
	check.Events(t, what+": the stream", want, eventsOf(t.stream()))
	var numbers, found []string
	for _, e := range want {
		numbers = append(numbers, number(e.ID.String()))
	}
	for _, r := range t.committed(t.opts.Prefix + ".events") {
		if string(r.Key) == stream {
			found = append(found, number(header(r, "ce_id")))
		}
	}
	t.same(what+": the events in the topic", strings.Join(numbers, " "), strings.Join(found, " "))
}

// number is the n of event(n).
func number(id string) string {
	for n := range 100 {
		if event(n).ID.String() == id {
			return fmt.Sprintf("%d", n)
		}
	}
	return id
}

// same ends the check unless what came is what was expected, in a few words.
func (t *trial) same(what, want, got string) {
	if want == got {
		return
	}
	t.Errorf("%s\n  expected  %s\n  actual    %s", what, cmp.Or(want, "none"), cmp.Or(got, "none"))
	t.FailNow()
}

func header(r *kgo.Record, name string) string {
	for _, h := range r.Headers {
		if h.Key == name {
			return string(h.Value)
		}
	}
	return ""
}

// committed is what who reads committed can see of a topic now.
func (t *trial) committed(topic string) []*kgo.Record {
	client, err := kgo.NewClient(
		kgo.SeedBrokers(t.opts.Brokers...), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords(),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: {0: kgo.NewOffset().AtStart()}}),
	)
	require.NoError(t, err)
	defer client.Close()
	offsets, err := kadm.NewClient(client).ListCommittedOffsets(t.Context(), topic)
	require.NoError(t, err)
	stable, _ := offsets.Lookup(topic, 0)
	var all []*kgo.Record
	for next := int64(0); next < stable.Offset; {
		fetches := client.PollFetches(t.Context())
		require.NoError(t, fetches.Err())
		for _, r := range fetches.Records() {
			if next = r.Offset + 1; !r.Attrs.IsControl() {
				all = append(all, r)
			}
		}
	}
	return all
}

// headOf is what the compacted topic says of a stream.
func (t *trial) headOf(stream string) *contract.Head {
	var last *contract.Head
	for _, r := range t.committed(t.opts.Prefix + ".heads") {
		if string(r.Key) != stream {
			continue
		}
		last = nil
		if r.Value != nil {
			h, err := t.opts.Heads.DecodeHead(t.Context(), r.Value)
			if err == nil {
				last = &h
			}
		}
	}
	return last
}

// headIs says that the head is that of the event.
func (t *trial) headIs(what string, version int64, last contract.Event) {
	h := t.headOf(stream)
	require.NotNil(t, h, "%s: the head of %s in the compacted topic", what, stream)
	t.same(what+": the head", fmt.Sprintf("version %d, event %s", version, number(last.ID.String())), fmt.Sprintf("version %d, event %s", h.Version, number(h.EventID.String())))
	require.Equal(t, last.ContentDigest(), h.Digest, what+": the digest in the head")
}

// before is an owner of the partition that was there before the store: it begins a transaction with events of the stream.
func (t *trial) before(events ...contract.Recorded) *kgo.Client {
	client := producer(t, t.opts, t.opts.Prefix+".0")
	require.NoError(t, client.BeginTransaction())
	for _, e := range events {
		require.NoError(t, client.ProduceSync(t.Context(), record(t.opts.Prefix+".events", e)).FirstErr())
	}
	return client
}
