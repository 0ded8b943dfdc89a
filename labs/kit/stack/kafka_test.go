package stack_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/blotter/labs/kit/stack"
	"example.com/blotter/labs/kit/stack/stacktest"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

func embedded(dir string) stack.Stack {
	return stack.Embedded(stack.EmbeddedOptions{Dir: dir})
}

func client(t *testing.T, s stack.Stack, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	seeds, err := s.Kafka(t.Context())
	require.NoError(t, err)
	cl, err := kgo.NewClient(append(opts, kgo.SeedBrokers(seeds...))...)
	require.NoError(t, err)
	return cl
}

func createTopic(t *testing.T, s stack.Stack, topic string, configs map[string]*string) {
	t.Helper()
	cl := client(t, s)
	defer cl.Close()
	_, err := kadm.NewClient(cl).CreateTopic(t.Context(), 1, 1, configs, topic)
	require.NoError(t, err)
}

// commit writes one transaction, so two batches: the records and the marker.
func commit(t *testing.T, cl *kgo.Client, topic string, values ...string) {
	t.Helper()
	require.NoError(t, cl.BeginTransaction())
	for _, v := range values {
		cl.Produce(t.Context(), &kgo.Record{Topic: topic, Value: []byte(v)}, nil)
	}
	require.NoError(t, cl.Flush(t.Context()))
	require.NoError(t, cl.EndTransaction(t.Context(), kgo.TryCommit))
}

// committed is what a reader of committed records finds in one partition.
func committed(t *testing.T, s stack.Stack, topic string) []string {
	t.Helper()
	cl := client(t, s, kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	defer cl.Close()
	ends, err := kadm.NewClient(cl).ListEndOffsets(t.Context(), topic)
	require.NoError(t, err)
	end, _ := ends.Lookup(topic, 0)
	sentinel := client(t, s)
	defer sentinel.Close()
	// A record of our own marks the end: markers leave holes in the offsets, so counting does not
	// tell.
	require.NoError(t, sentinel.ProduceSync(t.Context(), &kgo.Record{Topic: topic, Value: []byte("end")}).FirstErr())
	var values []string
	for {
		fetches := cl.PollFetches(t.Context())
		require.NoError(t, fetches.Err())
		for r := range fetches.RecordsAll() {
			if r.Offset >= end.Offset {
				return values
			}
			values = append(values, string(r.Value))
		}
	}
}

// requireReadableToTheEnd waits for the last offset to come to a reader of committed records that
// is shown the ends of transactions: as it would on a real broker, where a marker follows what was
// aborted.
func requireReadableToTheEnd(t *testing.T, s stack.Stack, topic string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	cl := client(t, s, kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords())
	defer cl.Close()
	ends, err := kadm.NewClient(cl).ListEndOffsets(ctx, topic)
	require.NoError(t, err)
	end, _ := ends.Lookup(topic, 0)
	for last := int64(-1); last < end.Offset-1; {
		fetches := cl.PollFetches(ctx)
		require.NoError(t, fetches.Err(), "offset %d of %s did not come", end.Offset-1, topic)
		fetches.EachRecord(func(r *kgo.Record) { last = r.Offset })
	}
}

func TestTopicsAreNotMadeByAsking(t *testing.T) {
	t.Parallel()
	cl := client(t, stacktest.Shared(t), kgo.AllowAutoTopicCreation(), kgo.UnknownTopicRetries(0))
	defer cl.Close()
	err := cl.ProduceSync(t.Context(), &kgo.Record{Topic: stacktest.Prefix(t) + "nobody-made-it"}).FirstErr()
	require.ErrorIs(t, err, kerr.UnknownTopicOrPartition)
}

// TestKafkaRemembers covers what the log rests on over an orderly restart: records, topic
// configuration, the end of transactions, the fence against an old producer, group offsets.
func TestKafkaRemembers(t *testing.T) {
	t.Parallel()
	dir := stacktest.Dir(t)
	compact := "compact"
	s := embedded(dir)
	createTopic(t, s, "events", nil)
	createTopic(t, s, "heads", map[string]*string{"cleanup.policy": &compact})
	cl := client(t, s, kgo.TransactionalID("owner"), kgo.DefaultProduceTopic("events"))
	commit(t, cl, "events", "a", "b")
	commitOffset(t, cl, "readers", "events", 2)
	firstID, firstEpoch, err := cl.ProducerID(t.Context())
	require.NoError(t, err)
	cl.Close()
	require.NoError(t, s.Close())

	s = embedded(dir)
	defer func() { require.NoError(t, s.Close()) }()
	require.Equal(t, []string{"a", "b"}, committed(t, s, "events"))
	cl = client(t, s, kgo.TransactionalID("owner"))
	defer cl.Close()
	id, epoch, err := cl.ProducerID(t.Context())
	require.NoError(t, err)
	require.Equal(t, firstID, id)
	require.Greater(t, epoch, firstEpoch)
	require.EqualValues(t, 2, fetchOffset(t, cl, "readers", "events"))
	configs, err := kadm.NewClient(cl).DescribeTopicConfigs(t.Context(), "heads")
	require.NoError(t, err)
	require.Contains(t, fmt.Sprint(values(configs[0])), "cleanup.policy=compact")
}

func values(c kadm.ResourceConfig) (all []string) {
	for _, kv := range c.Configs {
		all = append(all, kv.Key+"="+kv.MaybeValue())
	}
	return all
}

func commitOffset(t *testing.T, cl *kgo.Client, group, topic string, at int64) {
	t.Helper()
	var offsets kadm.Offsets
	offsets.AddOffset(topic, 0, at, -1)
	require.NoError(t, kadm.NewClient(cl).CommitAllOffsets(t.Context(), group, offsets))
}

func fetchOffset(t *testing.T, cl *kgo.Client, group, topic string) int64 {
	t.Helper()
	offsets, err := kadm.NewClient(cl).FetchOffsets(t.Context(), group)
	require.NoError(t, err)
	o, ok := offsets.Lookup(topic, 0)
	require.True(t, ok)
	return o.At
}

// written is a directory whose topic "events" holds 3 transactions of 2 records: offsets 0-1 and
// marker 2, and so on to 8.
func written(t *testing.T) (dir, segment string) {
	t.Helper()
	dir = stacktest.Dir(t)
	s := embedded(dir)
	createTopic(t, s, "events", nil)
	cl := client(t, s, kgo.TransactionalID("owner"), kgo.ManualFlushing()) // however slow the machine: one batch each
	for _, v := range []string{"first", "second", "third"} {
		commit(t, cl, "events", v, v)
	}
	cl.Close()
	require.NoError(t, s.Close())
	return dir, filepath.Join(dir, "kafka", "partitions", "events-0", "0.dat")
}

func openKafka(t *testing.T, dir string) (stack.Stack, error) {
	t.Helper()
	s := embedded(dir)
	t.Cleanup(func() { s.Close() })
	_, err := s.Kafka(context.WithoutCancel(t.Context()))
	return s, err
}

// batchStarts is where each batch of a segment begins, found by their lengths.
func batchStarts(t *testing.T, raw []byte) []int {
	t.Helper()
	var starts []int
	for at := 0; at < len(raw); {
		starts = append(starts, at)
		at += 12 + int(raw[at+8])<<24 + int(raw[at+9])<<16 + int(raw[at+10])<<8 + int(raw[at+11])
	}
	return starts
}

func TestDamageIsRefusedByName(t *testing.T) {
	t.Parallel()
	flip := func(at int) func([]byte) []byte {
		return func(raw []byte) []byte { raw[at] ^= 0x40; return raw }
	}
	_, segment := written(t)
	pristine, err := os.ReadFile(segment)
	require.NoError(t, err)
	starts := batchStarts(t, pristine)
	require.Len(t, starts, 6)

	for _, c := range []struct {
		name   string
		offset int64
		damage func(raw []byte) []byte
	}{
		{"a flipped byte in a middle batch", 3, flip(starts[2] + 70)},
		{"a flipped byte in the last batch", 8, flip(starts[5] + 70)},
		{"a longer length in a middle batch", 3, flip(starts[2] + 9)},
		{"a longer length in the last batch", 8, flip(starts[5] + 9)},
		{"another base offset", 3, flip(starts[2] + 7)},
		{"a batch taken out", 3, func(raw []byte) []byte { return append(raw[:starts[2]:starts[2]], raw[starts[3]:]...) }},
		{"a batch written twice", 3, func(raw []byte) []byte { return append(raw[:starts[2]:starts[2]], raw[starts[1]:]...) }},
		{"whole batches cut off the end", 6, func(raw []byte) []byte { return raw[:starts[4]] }},
		{"all cut off but the beginning of a batch", 3, func(raw []byte) []byte { return raw[:starts[2]+30] }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir, segment := written(t)
			damaged := c.damage(append([]byte(nil), pristine...))
			require.NoError(t, os.WriteFile(segment, damaged, 0o600))
			before := fingerprint(t, filepath.Join(dir, "kafka"))

			_, err := openKafka(t, dir)
			var e *stack.DamagedSegmentError
			require.ErrorAs(t, err, &e)
			require.Equal(t, "events", e.Topic)
			require.EqualValues(t, 0, e.Partition)
			require.Equal(t, c.offset, e.Offset, "%v", e)
			require.NotEmpty(t, e.Hint())
			require.Equal(t, before, fingerprint(t, filepath.Join(dir, "kafka")), "the check altered a file")
		})
	}
}

// TestEveryByteOfAMiddleBatchCounts flips each of them in turn.
func TestEveryByteOfAMiddleBatchCounts(t *testing.T) {
	t.Parallel()
	dir, segment := written(t)
	pristine, err := os.ReadFile(segment)
	require.NoError(t, err)
	starts := batchStarts(t, pristine)
	for at := starts[2]; at < starts[3]; at++ {
		damaged := append([]byte(nil), pristine...)
		damaged[at] ^= 0x10
		require.NoError(t, os.WriteFile(segment, damaged, 0o600))
		s := embedded(dir)
		_, err := s.Kafka(t.Context())
		var e *stack.DamagedSegmentError
		require.ErrorAs(t, err, &e, "byte %d", at-starts[2])
		require.EqualValues(t, 3, e.Offset, "byte %d: %v", at-starts[2], e)
		require.NoError(t, s.Close())
	}
	require.NoError(t, os.WriteFile(segment, pristine, 0o600))
	_, err = openKafka(t, dir)
	require.NoError(t, err, "mended, it opens")
}

func TestATornLastBatchIsAccepted(t *testing.T) {
	t.Parallel()
	for _, cut := range []int{1, 20, 70} {
		t.Run(fmt.Sprint(cut), func(t *testing.T) {
			t.Parallel()
			dir, segment := written(t)
			raw, err := os.ReadFile(segment)
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(segment, raw[:len(raw)-cut], 0o600))
			s, err := openKafka(t, dir)
			require.NoError(t, err)
			// The torn batch is the last marker: its transaction counts as aborted.
			require.Equal(t, []string{"first", "first", "second", "second"}, committed(t, s, "events"))
		})
	}
}

// TestATornIndexEntryIsWrittenAgain cuts the index as a full disk does. Without its mending, the
// next entry would follow half of one, and the start after that would take the whole index for
// damaged.
func TestATornIndexEntryIsWrittenAgain(t *testing.T) {
	t.Parallel()
	for _, cut := range []int{1, 14, 15, 40} {
		t.Run(fmt.Sprint(cut), func(t *testing.T) {
			t.Parallel()
			dir, segment := written(t)
			index := strings.TrimSuffix(segment, ".dat") + ".idx"
			whole, err := os.ReadFile(index)
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(index, whole[:len(whole)-cut], 0o600))

			s := embedded(dir)
			cl := client(t, s, kgo.TransactionalID("owner"), kgo.ManualFlushing())
			mended, err := os.ReadFile(index)
			require.NoError(t, err)
			require.Equal(t, withoutTimes(whole), withoutTimes(mended))
			commit(t, cl, "events", "fourth")
			cl.Close()
			require.NoError(t, s.Close())

			s, err = openKafka(t, dir)
			require.NoError(t, err)
			require.Equal(t, []string{"first", "first", "second", "second", "third", "third", "fourth"}, committed(t, s, "events"))
		})
	}
}

// withoutTimes is the epochs and flags of index entries. The times, and the checksums that cover
// them, are of no use to the broker when it starts.
func withoutTimes(index []byte) (kept []string) {
	for entry := range slices.Chunk(index, 15) {
		kept = append(kept, fmt.Sprintf("%x %x %x", entry[0], entry[2:6], entry[14:]))
	}
	return kept
}

func TestDamagedProducerStateIsRefused(t *testing.T) {
	t.Parallel()
	dir, _ := written(t)
	path := filepath.Join(dir, "kafka", "pids.log")
	raw, err := os.ReadFile(path)
	require.NoError(t, err)
	raw[12] ^= 1
	require.NoError(t, os.WriteFile(path, raw, 0o600))
	_, err = openKafka(t, dir)
	var e *stack.DamagedStateError
	require.ErrorAs(t, err, &e)
	require.Equal(t, path, e.Path)
}

// fingerprint is every file below dir with its content.
func fingerprint(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	require.NoError(t, filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		files[path] = string(b)
		return err
	}))
	return files
}
