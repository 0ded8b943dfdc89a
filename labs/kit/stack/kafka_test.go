package stack_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/blotter/labs/kit/stack"
	"example.com/blotter/labs/kit/stack/stacktest"
)

func client(t *testing.T, s stack.Stack, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	at, err := s.Kafka(t.Context())
	require.NoError(t, err)
	options, err := at.Options()
	require.NoError(t, err)
	cl, err := kgo.NewClient(append(opts, options...)...)
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

// commit writes one transaction, which is two batches: the records and the marker.
func commit(t *testing.T, cl *kgo.Client, topic string, values ...string) {
	t.Helper()
	require.NoError(t, cl.BeginTransaction())
	for _, v := range values {
		cl.Produce(t.Context(), &kgo.Record{Topic: topic, Value: []byte(v)}, nil)
	}
	require.NoError(t, cl.Flush(t.Context()))
	require.NoError(t, cl.EndTransaction(t.Context(), kgo.TryCommit))
}

// reader returns a read_committed client of a topic from its start.
func reader(t *testing.T, s stack.Stack, topic string, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	return client(t, s, append(opts, kgo.ConsumeTopics(topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()))...)
}

// committed returns the committed values of a topic of one partition.
func committed(t *testing.T, s stack.Stack, topic string) []string {
	t.Helper()
	cl := reader(t, s, topic)
	defer cl.Close()
	ends, err := kadm.NewClient(cl).ListEndOffsets(t.Context(), topic)
	require.NoError(t, err)
	end, _ := ends.Lookup(topic, 0)
	writer := client(t, s)
	defer writer.Close()
	// A further record marks the end. The offsets do not show it, since markers leave holes in
	// them.
	last := &kgo.Record{Topic: topic, Value: []byte("end")}
	require.NoError(t, writer.ProduceSync(t.Context(), last).FirstErr())
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

// requireLastOffset waits until a read_committed client that also gets the markers has read the
// last offset. On a real broker a marker follows each aborted transaction, and this client gets it.
func requireLastOffset(t *testing.T, s stack.Stack, topic string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cl := reader(t, s, topic, kgo.KeepControlRecords())
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

// A record for a missing topic does not create the topic.
func TestMissingTopic(t *testing.T) {
	t.Parallel()
	cl := client(t, stacktest.Shared(t), kgo.AllowAutoTopicCreation(), kgo.UnknownTopicRetries(0))
	defer cl.Close()
	record := &kgo.Record{Topic: stacktest.Prefix(t) + "missing"}
	err := cl.ProduceSync(t.Context(), record).FirstErr()
	require.ErrorIs(t, err, kerr.UnknownTopicOrPartition)
}

// TestKafkaRestart checks the state that the log rests on after an orderly restart: records, topic
// configuration, ends of transactions, the fence against an old producer, group offsets.
func TestKafkaRestart(t *testing.T) {
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

// writeEvents returns a directory whose topic "events" holds 3 transactions of 2 records: offsets 0
// and 1 with marker 2, and so on to offset 8.
func writeEvents(t *testing.T) (dir, segment string) {
	t.Helper()
	dir = stacktest.Dir(t)
	s := embedded(dir)
	createTopic(t, s, "events", nil)
	// ManualFlushing puts both records into one batch, also on a slow machine.
	cl := client(t, s, kgo.TransactionalID("owner"), kgo.ManualFlushing())
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

// batchStarts returns the position of each batch in a segment. It follows the length fields.
func batchStarts(t *testing.T, raw []byte) []int {
	t.Helper()
	var starts []int
	for at := 0; at < len(raw); {
		starts = append(starts, at)
		at += 12 + int(raw[at+8])<<24 + int(raw[at+9])<<16 + int(raw[at+10])<<8 + int(raw[at+11])
	}
	return starts
}

// TestDamagedSegment expects an error that names the partition and the first damaged offset, and
// unchanged files.
func TestDamagedSegment(t *testing.T) {
	t.Parallel()
	flip := func(at int) func([]byte) []byte {
		return func(raw []byte) []byte { raw[at] ^= 0x40; return raw }
	}
	_, segment := writeEvents(t)
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
		{"a missing batch", 3, func(raw []byte) []byte {
			return append(raw[:starts[2]:starts[2]], raw[starts[3]:]...)
		}},
		{"a repeated batch", 3, func(raw []byte) []byte {
			return append(raw[:starts[2]:starts[2]], raw[starts[1]:]...)
		}},
		{"missing batches at the end", 6, func(raw []byte) []byte { return raw[:starts[4]] }},
		{"a cut in a middle batch", 3, func(raw []byte) []byte { return raw[:starts[2]+30] }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir, segment := writeEvents(t)
			damaged := c.damage(bytes.Clone(pristine))
			require.NoError(t, os.WriteFile(segment, damaged, 0o600))
			files := filepath.Join(dir, "kafka")
			before := fingerprint(t, files)

			_, err := openKafka(t, dir)
			var e *stack.DamagedSegmentError
			require.ErrorAs(t, err, &e)
			require.Equal(t, "events", e.Topic)
			require.EqualValues(t, 0, e.Partition)
			require.Equal(t, c.offset, e.Offset, "%v", e)
			require.NotEmpty(t, e.Hint())
			require.Equal(t, before, fingerprint(t, files), "the check altered a file")
		})
	}
}

// TestDamageOfEachByte damages each byte of a middle batch in turn.
func TestDamageOfEachByte(t *testing.T) {
	t.Parallel()
	dir, segment := writeEvents(t)
	pristine, err := os.ReadFile(segment)
	require.NoError(t, err)
	starts := batchStarts(t, pristine)
	for at := starts[2]; at < starts[3]; at++ {
		damaged := bytes.Clone(pristine)
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
	require.NoError(t, err, "the undamaged file opens again")
}

// A torn last batch is a trace of a crash, not damage.
func TestTornLastBatch(t *testing.T) {
	t.Parallel()
	for _, cut := range []int{1, 20, 70} {
		t.Run(fmt.Sprint(cut), func(t *testing.T) {
			t.Parallel()
			dir, segment := writeEvents(t)
			raw, err := os.ReadFile(segment)
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(segment, raw[:len(raw)-cut], 0o600))
			s, err := openKafka(t, dir)
			require.NoError(t, err)
			// The torn batch is the last marker: its transaction counts as aborted.
			want := []string{"first", "first", "second", "second"}
			require.Equal(t, want, committed(t, s, "events"))
		})
	}
}

// TestTornIndexEntry cuts the index as a full disk does. Without a repair the next entry would
// follow a torn one, and the next start would report a damaged index.
func TestTornIndexEntry(t *testing.T) {
	t.Parallel()
	for _, cut := range []int{1, 14, 15, 40} {
		t.Run(fmt.Sprint(cut), func(t *testing.T) {
			t.Parallel()
			dir, segment := writeEvents(t)
			index := strings.TrimSuffix(segment, ".dat") + ".idx"
			complete, err := os.ReadFile(index)
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(index, complete[:len(complete)-cut], 0o600))

			s := embedded(dir)
			cl := client(t, s, kgo.TransactionalID("owner"), kgo.ManualFlushing())
			repaired, err := os.ReadFile(index)
			require.NoError(t, err)
			require.Equal(t, withoutTimes(complete), withoutTimes(repaired))
			commit(t, cl, "events", "fourth")
			cl.Close()
			require.NoError(t, s.Close())

			s, err = openKafka(t, dir)
			require.NoError(t, err)
			want := []string{"first", "first", "second", "second", "third", "third", "fourth"}
			require.Equal(t, want, committed(t, s, "events"))
		})
	}
}

// withoutTimes returns the versions, epochs and flags of index entries. It omits the times and the
// checksums that cover them, which the broker does not use at a start.
func withoutTimes(index []byte) (kept []string) {
	for entry := range slices.Chunk(index, 15) {
		kept = append(kept, fmt.Sprintf("%x %x %x", entry[0], entry[2:6], entry[14:]))
	}
	return kept
}

func TestDamagedProducerState(t *testing.T) {
	t.Parallel()
	dir, _ := writeEvents(t)
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

// fingerprint returns the content of every file below dir.
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

// A fetch that reaches its byte limit after an aborted transaction still says that the transaction
// was aborted.
func TestSmallFetchOmitsAbortedRecords(t *testing.T) {
	t.Parallel()
	s, topic := stacktest.Shared(t), stacktest.Prefix(t)+"log"
	writer := client(t, s, kgo.TransactionalID(topic), kgo.DefaultProduceTopic(topic),
		kgo.ProducerBatchCompression(kgo.NoCompression()))
	defer writer.Close()
	_, err := kadm.NewClient(writer).CreateTopic(t.Context(), 1, 1, nil, topic)
	require.NoError(t, err)
	const size = 10_000
	for _, key := range []string{"committed", "aborted", "committed", "committed"} {
		record := &kgo.Record{Key: []byte(key), Value: make([]byte, size)}
		require.NoError(t, writer.BeginTransaction())
		require.NoError(t, writer.ProduceSync(t.Context(), record).FirstErr())
		commit := kgo.TransactionEndTry(key == "committed")
		require.NoError(t, writer.EndTransaction(t.Context(), commit))
	}
	for limit := int32(size); limit < 5*size; limit += size / 2 {
		cl := reader(t, s, topic, kgo.FetchMaxBytes(limit))
		for n := 0; n < 3; {
			fetches := cl.PollFetches(t.Context())
			require.NoError(t, fetches.Err())
			for _, r := range fetches.Records() {
				require.Equal(t, "committed", string(r.Key), "offset %d, limit %d", r.Offset, limit)
				n++
			}
		}
		cl.Close()
	}
}
