package outage_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/stack/stacktest"
	projection "example.com/blotter/solutions/3-projections"
	model "example.com/blotter/solutions/3-projections/memory"
)

func client(t *testing.T, l log, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	opts = append(slices.Concat(l.brokers, opts), kgo.MetadataMinAge(10*time.Millisecond))
	c, err := kgo.NewClient(opts...)
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c
}

// records returns the committed records of a topic.
func records(t *testing.T, l log, topic string) []*kgo.Record {
	t.Helper()
	ends, err := kadm.NewClient(client(t, l)).ListCommittedOffsets(t.Context(), topic)
	require.NoError(t, err)
	left := map[int32]int64{}
	ends.Each(func(o kadm.ListedOffset) {
		if o.Offset > 0 {
			left[o.Partition] = o.Offset
		}
	})
	cl := client(t, l, kgo.ConsumeTopics(topic),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords())
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var found []*kgo.Record
	for len(left) > 0 {
		fetches := cl.PollFetches(ctx)
		require.NoError(t, fetches.Err())
		fetches.EachRecord(func(r *kgo.Record) {
			if !r.Attrs.IsControl() {
				found = append(found, r)
			}
			if r.Offset >= left[r.Partition]-1 {
				delete(left, r.Partition) // the last record of a transaction is a control record
			}
		})
	}
	return found
}

// abort writes a copy of a recorded event with another id, in a transaction. It calls while before
// it aborts the transaction.
func abort(t *testing.T, l log, while func()) {
	t.Helper()
	cl := client(t, l, kgo.TransactionalID(l.name+".intruder"),
		kgo.RecordPartitioner(kgo.ManualPartitioner()))
	original := records(t, l, l.topic("events"))[1] // the first record is the owner's mark
	require.NoError(t, cl.BeginTransaction())
	copied := kgo.Record{
		Topic: original.Topic, Partition: original.Partition,
		Key: original.Key, Value: original.Value,
	}
	for _, h := range original.Headers {
		if h.Key == "ce_id" {
			h.Value = []byte(uuid.NewString())
		}
		copied.Headers = append(copied.Headers, h)
	}
	require.NoError(t, cl.ProduceSync(t.Context(), &copied).FirstErr())
	while()
	require.NoError(t, cl.EndTransaction(t.Context(), kgo.TryAbort))
}

func TestAbortedTransactionIsNotProjected(t *testing.T) {
	t.Parallel()
	l := onKafka(t, stacktest.Shared(t), 1)
	book := sample(t, 200)
	imported(t, l.System, book[:150])
	before := all(t, l.Log)
	abort(t, l, func() {
		require.Equal(t, before, all(t, l.Log), "an open transaction is not read")
	})
	require.Equal(t, before, all(t, l.Log), "an aborted transaction is not read")
	imported(t, l.System, book[150:])
	p := model.New(l.Desk.Codec)
	require.NoError(t, project(t, l, p))
	state, err := p.State(t.Context())
	require.NoError(t, err)
	want, _ := undisturbed(t, book)
	require.Equal(t, want, state.Digest())
}

func project(t *testing.T, l log, p contract.Projection) error {
	t.Helper()
	end, err := l.Log.End(t.Context())
	require.NoError(t, err)
	return projection.Project(t.Context(), l.Log, p, end, 100)
}

func TestLagReachesZeroDespiteHoles(t *testing.T) {
	t.Parallel()
	const partitions = 3
	l := onKafka(t, stacktest.Shared(t), partitions)
	imported(t, l.System, sample(t, 200))
	p := model.New(l.Desk.Codec)
	require.NoError(t, project(t, l, p))
	ends, err := kadm.NewClient(client(t, l)).ListEndOffsets(t.Context(), l.topic("events"))
	require.NoError(t, err)
	cursor, err := p.Cursor(t.Context())
	require.NoError(t, err)
	var offsets int64
	for partition := range int32(partitions) {
		end, ok := ends.Lookup(l.topic("events"), partition)
		require.True(t, ok)
		require.Equal(t, end.Offset, cursor.At(partition), "lag of partition %d", partition)
		offsets += end.Offset
	}
	require.Greater(t, offsets, int64(len(all(t, l.Log)))+partitions,
		"there are offsets of control records")
}

func TestHeadsAfterCompaction(t *testing.T) {
	t.Parallel()
	if !stacktest.Can().Compact {
		t.Skip("the broker of this stack does not compact by itself: STACK=containers make test")
	}
	l := onKafka(t, stacktest.Shared(t), 1)
	compactAtOnce(t, l)
	book := sample(t, 600)
	imported(t, l.System, book[:500])
	// Further lines close the earlier segments, and keep the cleaner awake.
	next := 500
	require.Eventually(t, func() bool {
		if next < len(book) {
			imported(t, l.System, book[next:next+1])
			next++
		}
		return len(records(t, l, l.topic("heads"))) < next*9/10
	}, time.Minute, 50*time.Millisecond, "compaction removes heads that were replaced")

	got := map[string]contract.Head{}
	for _, r := range records(t, l, l.topic("heads")) {
		head, err := l.Desk.Codec.(contract.HeadCodec).DecodeHead(t.Context(), r.Value)
		if err == nil { // an owner's mark is not a head
			got[string(r.Key)] = head
		}
	}
	want := map[string]contract.Head{} // the heads that a replay of the log computes
	for _, e := range all(t, l.Log) {
		history := got[e.Stream].History // the tests of the store compute it
		require.NotZero(t, history, e.Stream)
		want[e.Stream] = contract.Head{
			Stream: e.Stream, Version: e.Version, EventID: e.ID, RecordedAt: e.RecordedAt,
			Digest: e.ContentDigest(), History: history, Ended: e.Ends,
		}
	}
	require.Equal(t, want, got)
}

// compactAtOnce has the broker close segments of the heads almost at once, and compact any of them.
func compactAtOnce(t *testing.T, l log) {
	t.Helper()
	settings := map[string]string{
		"segment.ms": "100", "min.cleanable.dirty.ratio": "0.001",
		"min.compaction.lag.ms": "0", "max.compaction.lag.ms": "100",
	}
	var alter []kadm.AlterConfig
	for name, value := range settings {
		alter = append(alter, kadm.AlterConfig{Op: kadm.SetConfig, Name: name, Value: &value})
	}
	admin := kadm.NewClient(client(t, l))
	altered, err := admin.AlterTopicConfigs(t.Context(), alter, l.topic("heads"))
	require.NoError(t, err)
	require.NoError(t, altered[0].Err)
}
