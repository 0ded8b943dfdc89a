package kafka_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/solutions/2-store/kafka"
	"example.com/blotter/solutions/2-store/kafka/index"
)

// logTo has a store log to the returned buffer.
func logTo(opts *kafka.Options) *bytes.Buffer {
	b := new(bytes.Buffer)
	opts.Log = slog.New(slog.NewTextHandler(b, nil))
	return b
}

const (
	rebuilt    = "rebuilt from the log"
	headsWrong = "heads differ"
)

// fileOptions returns the options of a log with index files, which are written after every 7
// events.
func fileOptions(t *testing.T, cluster *kfake.Cluster) kafka.Options {
	opts := options(cluster, "log")
	opts.Dir, opts.Unwritten = t.TempDir(), 7
	return opts
}

// A new owner continues from the index files, and reads only the later part of the log.
func TestIndexFilesAreContinued(t *testing.T) {
	t.Parallel()
	cluster := broker(t)
	opts := fileOptions(t, cluster)
	opts.Partitions = 3
	fill(t, opts, 20, 5)
	logged := logTo(&opts)
	fetches := countFetches(t, cluster)
	s := open(t, opts)
	require.LessOrEqual(t, fetches.Load(), int64(3), "fetches of the first events, for the layout")
	requireConsistent(t, s)
	_, err := s.Append(t.Context(), stream, 5, event(stream, 5))
	require.NoError(t, err)
	requireConsistent(t, s)
	require.NotContains(t, logged.String(), rebuilt)
}

// countFetches counts the fetches from the beginning of a partition of events.
func countFetches(t *testing.T, cluster *kfake.Cluster) *atomic.Int64 {
	const events = "log.events"
	topics, err := kadm.NewClient(client(t, at(cluster))).ListTopics(t.Context(), events)
	require.NoError(t, err)
	var n atomic.Int64
	control(cluster, kmsg.Fetch, func(req kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		for _, topic := range req.(*kmsg.FetchRequest).Topics {
			for _, p := range topic.Partitions {
				isEvents := topic.Topic == events || topic.TopicID == topics[events].ID
				if isEvents && p.FetchOffset == 0 {
					n.Add(1)
				}
			}
		}
		return nil, nil, false
	})
	return &n
}

// A damaged or missing index is rebuilt from the log, with one warning.
func TestUnusableIndexIsRebuilt(t *testing.T) {
	t.Parallel()
	changed := func(change func([]byte) []byte) func(*testing.T, string) {
		return func(t *testing.T, path string) {
			data, err := os.ReadFile(path)
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(path, change(data), 0o644))
		}
	}
	flip := func(data []byte) []byte { data[len(data)/2] ^= 1; return data }
	flipLast := func(data []byte) []byte { data[len(data)-9] ^= 1; return data }
	empty := func([]byte) []byte { return nil }
	for name, damage := range map[string]func(*testing.T, string){
		"deleted":      func(t *testing.T, path string) { require.NoError(t, os.Remove(path)) },
		"flipped":      changed(flip),
		"last flipped": changed(flipLast),
		"empty":        changed(empty),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			opts := fileOptions(t, broker(t))
			fill(t, opts, 10, 3)
			damage(t, filepath.Join(opts.Dir, "log.0.index"))
			logged := logTo(&opts)
			s := open(t, opts)
			require.Equal(t, 1, strings.Count(logged.String(), rebuilt), logged.String())
			require.NotContains(t, logged.String(), headsWrong)
			requireConsistent(t, s)
			_, err := s.Append(t.Context(), stream, 3, event(stream, 3))
			require.NoError(t, err)
		})
	}
}

// The owner continues from the whole events of a file that a crash has cut, and says nothing.
func TestCutIndexIsContinued(t *testing.T) {
	t.Parallel()
	opts := fileOptions(t, broker(t))
	fill(t, opts, 10, 3)
	path := filepath.Join(opts.Dir, "log.0.index")
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.NoError(t, os.Truncate(path, info.Size()/2))
	require.NoError(t, checkedIndex(t, opts))
	logged := logTo(&opts)
	s := open(t, opts)
	requireConsistent(t, s)
	require.Empty(t, logged.String())
}

// No flipped bit of an index file is overlooked.
func TestFlippedBitIsFound(t *testing.T) {
	t.Parallel()
	opts := fileOptions(t, broker(t))
	fill(t, opts, 6, 4)
	path := filepath.Join(opts.Dir, "log.0.index")
	intact, err := os.ReadFile(path)
	require.NoError(t, err)
	for at := 0; at < len(intact); at += 1021 {
		data := bytes.Clone(intact)
		data[at] ^= 0x10
		require.NoError(t, os.WriteFile(path, data, 0o644))
		reader := opts
		reader.ReadOnly = true
		logged := logTo(&reader)
		s, err := kafka.Open(t.Context(), reader)
		require.NoError(t, err)
		events, err := streamOf(t, s, stream)
		require.NoError(t, err)
		require.Len(t, events, 4)
		require.Contains(t, logged.String(), "is unusable")
		require.NoError(t, s.Close())
	}
}

// A damaged event in the middle of the file is found when it is read. The index is then rebuilt.
func TestDamagedEventIsFoundWhenRead(t *testing.T) {
	t.Parallel()
	for name, read := range map[string]func(*testing.T, *kafka.Store){
		"by a reader": requireConsistent,
		"by a retry": func(t *testing.T, s *kafka.Store) {
			receipts, err := s.Append(t.Context(), stream, 0, event(stream, 0))
			require.NoError(t, err)
			require.EqualValues(t, 1, receipts[0].Version)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			opts := fileOptions(t, broker(t))
			fill(t, opts, 10, 3)
			path := filepath.Join(opts.Dir, "log.0.index")
			data, err := os.ReadFile(path)
			require.NoError(t, err)
			at := bytes.Index(data, []byte(stream))
			data[at] ^= 1
			require.NoError(t, os.WriteFile(path, data, 0o644))
			logged := logTo(&opts)
			s, err := kafka.Open(t.Context(), opts)
			require.NoError(t, err)
			read(t, s)
			// The owner rebuilds the index before it answers this append.
			_, err = s.Append(t.Context(), stream, 3, event(stream, 3))
			require.NoError(t, err)
			requireConsistent(t, s)
			require.NoError(t, s.Close())
			require.Contains(t, logged.String(), rebuilt)
		})
	}
}

// Another cluster has a log with the same name. Its owner rebuilds the index.
func TestIndexOfAnotherLogIsRebuilt(t *testing.T) {
	t.Parallel()
	opts := fileOptions(t, broker(t))
	fill(t, opts, 10, 3)
	other := options(broker(t), "log")
	fill(t, other, 4, 2)
	other.Dir, other.Unwritten = opts.Dir, opts.Unwritten
	logged := logTo(&other)
	s := open(t, other)
	require.Contains(t, logged.String(), rebuilt)
	require.Contains(t, logged.String(), "it belongs to the log")
	require.Len(t, all(t, s), 8)
	requireConsistent(t, s)
}

// The log was cut, and may have grown again: the topic is the same, but the index has another
// history.
func TestIndexAheadOfItsLogIsRebuilt(t *testing.T) {
	t.Parallel()
	for _, grown := range []int{0, 20} {
		t.Run(fmt.Sprintf("%d later events", grown), func(t *testing.T) {
			t.Parallel()
			data := t.TempDir()
			cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.DataDir(data))
			require.NoError(t, err)
			opts := fileOptions(t, cluster)
			fill(t, opts, 3, 3)
			cluster.Close()
			backup := t.TempDir()
			require.NoError(t, os.CopyFS(backup, os.DirFS(data)))

			cluster, err = kfake.NewCluster(kfake.NumBrokers(1), kfake.DataDir(data))
			require.NoError(t, err)
			opts.Brokers = at(cluster)
			fill(t, opts, 10, 5)
			cluster.Close()

			opts.Brokers = at(broker(t, kfake.DataDir(backup)))
			if grown > 0 {
				appendWithoutIndex(t, opts, grown)
			}
			logged := logTo(&opts)
			s := open(t, opts)
			require.Contains(t, logged.String(), rebuilt)
			require.Len(t, all(t, s), 9+grown)
			requireConsistent(t, s)
		})
	}
}

// appendWithoutIndex appends n events to a log, and leaves its index files as they are.
func appendWithoutIndex(t *testing.T, opts kafka.Options, n int) {
	opts.Dir = ""
	s, err := kafka.Open(t.Context(), opts)
	require.NoError(t, err)
	for i := range n {
		_, err := s.Append(t.Context(), "trade/OTHER", contract.Any, event("trade/OTHER", i))
		require.NoError(t, err)
	}
	require.NoError(t, s.Close())
}

// Another owner wrote to the log meanwhile, and heads are wrong or missing. A take-over cannot tell
// whether these heads or the index are right. It reads the log, and mends both.
func TestWrongHeadsAreMended(t *testing.T) {
	t.Parallel()
	opts := fileOptions(t, broker(t))
	fill(t, opts, 3, 2)
	want := heads(t, opts)
	elsewhere := opts
	elsewhere.Dir = t.TempDir()
	fill(t, elsewhere, 3, 2) // a retry: it writes only owner marks
	s, err := kafka.Open(t.Context(), elsewhere)
	require.NoError(t, err)
	_, err = s.Append(t.Context(), name(0), 2, event(name(0), 2))
	require.NoError(t, err)
	require.NoError(t, s.Close())

	writeHeads(t, opts, map[string][]byte{
		name(0): nil, name(1): []byte("?"), "trade/NONE": []byte("{}"),
	})
	logged := logTo(&opts)
	s = open(t, opts)
	require.Contains(t, logged.String(), headsWrong)
	require.Contains(t, logged.String(), rebuilt)
	got := heads(t, opts)
	require.Len(t, got, 3)
	require.EqualValues(t, 3, got[name(0)].Version)
	require.Equal(t, want[name(1)], got[name(1)])
	requireConsistent(t, s)
}

// A reader answers from a copy of the owner's index, while the owner works and has the files
// locked. It writes nothing.
func TestReaderUsesTheOwnersIndex(t *testing.T) {
	t.Parallel()
	cluster := broker(t)
	opts := fileOptions(t, cluster)
	opts.Partitions = 3
	fill(t, opts, 20, 5)
	owner := open(t, opts)
	_, err := owner.Append(t.Context(), stream, 5, event(stream, 5))
	require.NoError(t, err)
	before, err := owner.End(t.Context())
	require.NoError(t, err)

	opts.ReadOnly = true
	logged := logTo(&opts)
	reader := open(t, opts)
	fetches := countFetches(t, cluster)
	events, err := streamOf(t, reader, stream)
	require.NoError(t, err)
	require.Len(t, events, 6)
	_, err = reader.Find(t.Context(), event(stream, 5).ID)
	require.NoError(t, err)
	require.Zero(t, fetches.Load(), "fetches from the beginning of a partition")
	requireConsistent(t, reader)
	require.Empty(t, logged.String())
	after, err := owner.End(t.Context())
	require.NoError(t, err)
	require.Equal(t, before, after, "the end of the log")
}

// The error of an index folder that cannot be created names the folder.
func TestIndexFolderThatIsAFile(t *testing.T) {
	t.Parallel()
	opts := fileOptions(t, broker(t))
	opts.Dir = filepath.Join(opts.Dir, "a file")
	require.NoError(t, os.WriteFile(opts.Dir, nil, 0o644))
	_, err := kafka.Open(t.Context(), opts)
	require.ErrorContains(t, err, opts.Dir)
}

// A suspended process keeps its index files locked. Its successor in the same folder keeps the
// index in memory.
func TestIndexFilesLockedByAnother(t *testing.T) {
	t.Parallel()
	opts := options(broker(t), "log")
	opts.Partitions, opts.Dir = 1, t.TempDir()
	fill(t, opts, 3, 2)
	held := index.New(1, func(p int32) index.Options {
		return index.Options{Dir: opts.Dir, Prefix: "log", Partition: p, Unwritten: 1}
	}).Partitions[0]
	why, err := held.Load()
	require.ErrorIs(t, why, index.ErrUnusable, "it belongs to the log")
	require.NoError(t, err)
	defer held.Close()
	s := open(t, opts)
	requireConsistent(t, s)
	require.Len(t, all(t, s), 6)
}
