package kafkatest

import (
	"cmp"
	"context"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"example.com/blotter/labs/kit/check"
	"example.com/blotter/labs/kit/contract"
)

// A trial is one run of a check, on a broker of its own with a log of one partition.
type trial struct {
	check.T
	answer  Fixture
	cluster *kfake.Cluster
	opts    Options
	store   Store
}

// begin starts the broker and opens a new log there.
func (t *trial) begin() {
	t.start()
	t.store = t.answer.open(t, t.opts, "Open")
}

// start starts the broker.
func (t *trial) start() {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
	require.NoError(t, err)
	t.Cleanup(cluster.Close)
	t.cluster = cluster
	t.opts = Options{
		Brokers: []kgo.Opt{kgo.SeedBrokers(cluster.ListenAddrs()...)},
		Prefix:  "log", Partitions: 1, Heads: jsonHeads{},
		Address: "127.0.0.1:7000", Timeout: 15 * time.Second,
		Clock: func(context.Context) time.Time { return noon },
	}
}

// reopen closes the store, calls meanwhile, and opens the log again.
func (t *trial) reopen(meanwhile func()) {
	require.NoError(t, t.store.Close())
	meanwhile()
	t.store = t.answer.open(t, t.opts, "Reopen")
}

// hint returns the same trial, except that its failures have this hint.
func (t *trial) hint(text string) *trial {
	hinted := *t
	hinted.T = t.Hint(text)
	return &hinted
}

// append calls the store's Append, and notes that it answered.
func (t *trial) append(expected int64, events ...contract.Event) ([]contract.Receipt, error) {
	receipts, err := t.store.Append(t.Context(), stream, expected, events...)
	t.Answered("Append", err)
	return receipts, err
}

// appended calls append, which must succeed.
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

// stream returns the stream as the store has it.
func (t *trial) stream() []contract.Recorded {
	var all []contract.Recorded
	for e, err := range t.store.Stream(t.Context(), stream) {
		t.Answered("Stream", err)
		require.NoError(t, err)
		all = append(all, e)
	}
	return all
}

func (t *trial) storeEnd() contract.Cursor {
	end, err := t.store.End(t.Context())
	require.NoError(t, err)
	return end
}

func (t *trial) read(from, to contract.Cursor) []contract.Event {
	var events []contract.Event
	for e, err := range t.store.Read(t.Context(), from, to) {
		t.Answered("Read", err)
		require.NoError(t, err)
		events = append(events, e.Event)
	}
	return events
}

// holds requires that the stream has these events, in the store and in the topic.
func (t *trial) holds(when string, want ...contract.Event) {
	check.Events(t, when+": the stream", want, eventsOf(t.stream()))
	var numbers, found []string
	for _, e := range want {
		numbers = append(numbers, numberOf(e.ID.String()))
	}
	for _, r := range t.committed(".events") {
		if string(r.Key) == stream {
			found = append(found, numberOf(header(r, "ce_id")))
		}
	}
	t.same(when+": the events in the topic", strings.Join(numbers, " "), strings.Join(found, " "))
}

// numberOf returns the n of the event(n) with an id.
func numberOf(id string) string {
	for n := range 100 {
		if event(n).ID.String() == id {
			return fmt.Sprintf("%d", n)
		}
	}
	return id
}

// same ends the check with a short message unless want and got are equal.
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

// client returns a client of the broker, which the caller closes.
func (t *trial) client(opts ...kgo.Opt) *kgo.Client {
	client, err := kgo.NewClient(append(opts, t.opts.Brokers...)...)
	require.NoError(t, err)
	return client
}

// committed returns the records of a topic that a reader of committed records can see now.
func (t *trial) committed(topic string) []*kgo.Record {
	topic = t.opts.Prefix + topic
	start := map[string]map[int32]kgo.Offset{topic: {0: kgo.NewOffset().AtStart()}}
	client := t.client(kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords(),
		kgo.ConsumePartitions(start))
	defer client.Close()
	offsets, err := kadm.NewClient(client).ListCommittedOffsets(t.Context(), topic)
	require.NoError(t, err)
	stable, _ := offsets.Lookup(topic, 0)
	require.NoError(t, stable.Err)
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

// headOf returns the head of a stream in the compacted topic, or nil.
func (t *trial) headOf(stream string) *contract.Head {
	var last *contract.Head
	for _, r := range t.committed(".heads") {
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

// headIs requires that the head of the stream has this version and is the head of this event.
func (t *trial) headIs(when string, version int64, last contract.Event) {
	h := t.headOf(stream)
	require.NotNil(t, h, "%s: the head of %s in the compacted topic", when, stream)
	inWords := func(version int64, id uuid.UUID) string {
		return fmt.Sprintf("version %d, event %s", version, numberOf(id.String()))
	}
	t.same(when+": the head", inWords(version, last.ID), inWords(h.Version, h.EventID))
	require.Equal(t, last.ContentDigest(), h.Digest, when+": the digest in the head")
}

// produce writes a record in the open transaction of client.
func (t *trial) produce(client *kgo.Client, r *kgo.Record) {
	require.NoError(t, client.ProduceSync(t.Context(), r).FirstErr())
}

// commit commits the open transaction of client.
func (t *trial) commit(client *kgo.Client) {
	require.NoError(t, client.EndTransaction(t.Context(), kgo.TryCommit))
}

// control has answer see each request with a key before the broker does, as
// kfake.Cluster.ControlKey describes.
func (t *trial) control(key kmsg.Key, answer func(kmsg.Request) (kmsg.Response, error, bool)) {
	t.cluster.ControlKey(int16(key), answer)
}

// otherOwner is another owner of the partition: it fences the store, and begins a transaction with
// events of the stream and its head.
func (t *trial) otherOwner(events ...contract.Recorded) *kgo.Client {
	client := t.ownerWithoutHead(events...)
	t.produce(client, t.headRecord(events[len(events)-1]))
	return client
}

// ownerWithoutHead is another owner, which writes no head.
func (t *trial) ownerWithoutHead(events ...contract.Recorded) *kgo.Client {
	client := producer(t, t.opts, t.opts.Prefix+".0")
	require.NoError(t, client.BeginTransaction())
	for _, e := range events {
		t.produce(client, record(t.opts.Prefix+".events", e))
	}
	return client
}

// record returns the record of an event(n) as any owner writes it: a CloudEvent in binary mode.
func record(topic string, e contract.Recorded) *kgo.Record {
	at := func(t time.Time) string { return t.Format("2006-01-02T15:04:05.000000Z") }
	r := &kgo.Record{Topic: topic, Key: []byte(e.Stream), Value: e.Data}
	for _, h := range [][2]string{
		{"ce_specversion", "1.0"},
		{"ce_id", e.ID.String()},
		{"ce_source", e.Source},
		{"ce_type", e.Type},
		{"ce_time", at(e.RecordedAt)},
		{"ce_version", strconv.FormatInt(e.Version, 10)},
		{"ce_schema", strconv.Itoa(e.Schema)},
		{"ce_fingerprint", hex.EncodeToString(e.Fingerprint[:])},
		{"ce_effectiveat", at(e.EffectiveAt)},
		{"ce_enteredat", at(e.EnteredAt)},
		{"ce_commandid", e.CommandID},
		{"ce_actor", e.Actor},
		{"ce_reason", e.Reason},
		{"content-type", "application/vnd.confluent.avro"},
	} {
		r.Headers = append(r.Headers, kgo.RecordHeader{Key: h[0], Value: []byte(h[1])})
	}
	return r
}
