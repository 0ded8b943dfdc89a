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
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/solutions/2-store/kafka"
)

// A said is what a store logs.
type said struct{ *bytes.Buffer }

func hear(opts *kafka.Options) said {
	s := said{&bytes.Buffer{}}
	opts.Log = slog.New(slog.NewTextHandler(s, nil))
	return s
}

const (
	madeAnew   = "rebuilt from the log"
	headsWrong = "heads differ"
)

// fill opens a log, appends events n each to some streams, and closes it.
func fill(t *testing.T, opts kafka.Options, streams, n int) {
	t.Helper()
	s, err := kafka.Open(t.Context(), opts)
	require.NoError(t, err)
	for i := range streams {
		name := fmt.Sprintf("trade/UTI-%d", i)
		for v := range n {
			_, err := s.Append(t.Context(), name, contract.Any, event(name, v))
			require.NoError(t, err)
		}
	}
	require.NoError(t, s.Close())
}

// requireWhole holds what s answers, by stream and by id, against the log read through.
func requireWhole(t *testing.T, s *kafka.Store) {
	t.Helper()
	streams := map[string][]contract.Recorded{}
	for _, e := range all(t, s) {
		streams[e.Stream] = append(streams[e.Stream], e)
		found, err := s.Find(t.Context(), e.ID)
		require.NoError(t, err)
		require.Equal(t, e, found)
	}
	for name, want := range streams {
		var got []contract.Recorded
		for e, err := range s.Stream(t.Context(), name) {
			require.NoError(t, err)
			got = append(got, e)
		}
		require.Equal(t, want, got)
	}
}

func disked(t *testing.T, cluster *kfake.Cluster) kafka.Options {
	opts := options(cluster, "log")
	opts.Dir, opts.Unwritten = t.TempDir(), 7
	return opts
}

func TestAnIndexOnDiskIsGoneOnFrom(t *testing.T) {
	t.Parallel()
	cluster := broker(t)
	opts := disked(t, cluster)
	opts.Partitions = 3
	fill(t, opts, 20, 5)
	heard := hear(&opts)
	read := fetched(t, cluster)
	s := open(t, opts)
	require.Less(t, read.Load(), int64(3*2*2), "events and heads of three partitions: each the last, and what is behind it")
	requireWhole(t, s)
	_, err := s.Append(t.Context(), stream, 5, event(stream, 5))
	require.NoError(t, err)
	requireWhole(t, s)
	require.NotContains(t, heard.String(), madeAnew)
}

// fetched counts the fetches from the beginning of a partition.
func fetched(t *testing.T, cluster *kfake.Cluster) *atomic.Int64 {
	var n atomic.Int64
	cluster.ControlKey(int16(kmsg.Fetch), func(req kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		for _, topic := range req.(*kmsg.FetchRequest).Topics {
			for _, p := range topic.Partitions {
				if p.FetchOffset == 0 {
					n.Add(1)
				}
			}
		}
		return nil, nil, false
	})
	return &n
}

func TestAnIndexOfNoUseIsMadeAnewAndThatIsSaid(t *testing.T) {
	t.Parallel()
	change := func(name string, how func([]byte) []byte) func(*testing.T, string) {
		return func(t *testing.T, dir string) {
			path := filepath.Join(dir, "log.0."+name)
			data, err := os.ReadFile(path)
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(path, how(data), 0o644))
		}
	}
	cut := func(data []byte) []byte { return data[:len(data)/2] }
	flip := func(data []byte) []byte { data[len(data)/2] ^= 1; return data }
	empty := func([]byte) []byte { return nil }
	for name, spoil := range map[string]func(*testing.T, string){
		"all deleted": func(t *testing.T, dir string) {
			names, err := filepath.Glob(filepath.Join(dir, "*"))
			require.NoError(t, err)
			require.Len(t, names, 3)
			for _, name := range names {
				require.NoError(t, os.Remove(name))
			}
		},
		"index deleted":  func(t *testing.T, dir string) { require.NoError(t, os.Remove(filepath.Join(dir, "log.0.index"))) },
		"seal deleted":   func(t *testing.T, dir string) { require.NoError(t, os.Remove(filepath.Join(dir, "log.0.seal"))) },
		"events deleted": func(t *testing.T, dir string) { require.NoError(t, os.Remove(filepath.Join(dir, "log.0.events"))) },
		"index cut":      change("index", cut),
		"seal cut":       change("seal", cut),
		"events cut":     change("events", cut),
		"index flipped":  change("index", flip),
		"seal flipped":   change("seal", flip),
		"index empty":    change("index", empty),
		"seal empty":     change("seal", empty),
		"last flipped":   change("events", func(data []byte) []byte { data[len(data)-9] ^= 1; return data }),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			opts := disked(t, broker(t))
			fill(t, opts, 10, 3)
			spoil(t, opts.Dir)
			heard := hear(&opts)
			s := open(t, opts)
			require.Equal(t, 1, strings.Count(heard.String(), madeAnew), heard.String())
			require.NotContains(t, heard.String(), headsWrong)
			requireWhole(t, s)
			_, err := s.Append(t.Context(), stream, 3, event(stream, 3))
			require.NoError(t, err)
		})
	}
}

// Not a byte of an index is believed that is not as it was written.
func TestNoFlippedByteOfAnIndexIsBelieved(t *testing.T) {
	t.Parallel()
	opts := disked(t, broker(t))
	fill(t, opts, 6, 4)
	whole, err := os.ReadFile(filepath.Join(opts.Dir, "log.0.index"))
	require.NoError(t, err)
	for at := 0; at < len(whole); at += 1021 { // in pages of every kind
		data := bytes.Clone(whole)
		data[at] ^= 0x10
		require.NoError(t, os.WriteFile(filepath.Join(opts.Dir, "log.0.index"), data, 0o644))
		reader := opts
		reader.ReadOnly = true
		heard := hear(&reader)
		s, err := kafka.Open(t.Context(), reader)
		require.NoError(t, err)
		n := 0
		for _, err := range s.Stream(t.Context(), stream) {
			require.NoError(t, err)
			n++
		}
		require.Equal(t, 4, n)
		require.Contains(t, heard.String(), "is unusable")
		require.NoError(t, s.Close())
	}
}

// An event in the middle of the file is damaged: nobody notices until it is asked for.
func TestADamagedEventIsFoundWhenItIsAskedForAndTheIndexMadeAnew(t *testing.T) {
	t.Parallel()
	for name, ask := range map[string]func(*testing.T, *kafka.Store){
		"by reading": requireWhole,
		"by a retry": func(t *testing.T, s *kafka.Store) {
			receipts, err := s.Append(t.Context(), stream, 0, event(stream, 0))
			require.NoError(t, err)
			require.EqualValues(t, 1, receipts[0].Version)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			opts := disked(t, broker(t))
			fill(t, opts, 10, 3)
			path := filepath.Join(opts.Dir, "log.0.events")
			data, err := os.ReadFile(path)
			require.NoError(t, err)
			at := bytes.Index(data, []byte("trade/UTI-1"))
			data[at] ^= 1
			require.NoError(t, os.WriteFile(path, data, 0o644))
			heard := hear(&opts)
			s, err := kafka.Open(t.Context(), opts)
			require.NoError(t, err)
			ask(t, s)
			_, err = s.Append(t.Context(), stream, 3, event(stream, 3)) // by now, or behind it, the owner has made it anew
			require.NoError(t, err)
			requireWhole(t, s)
			require.NoError(t, s.Close())
			require.Contains(t, heard.String(), madeAnew)
		})
	}
}

func TestAnIndexOfAnotherLogIsMadeAnew(t *testing.T) {
	t.Parallel()
	opts := disked(t, broker(t))
	fill(t, opts, 10, 3)
	opts.Brokers = broker(t).ListenAddrs() // another cluster, with a log of the same name
	dir := opts.Dir
	opts.Dir = ""
	fill(t, opts, 4, 2)
	opts.Dir = dir
	heard := hear(&opts)
	s := open(t, opts)
	require.Contains(t, heard.String(), madeAnew)
	require.Contains(t, heard.String(), "it belongs to the log")
	require.Len(t, all(t, s), 8)
	requireWhole(t, s)
}

// The log was cut, and then grew again: the same topic, but not the history that the index has.
func TestAnIndexAheadOfItsLogIsMadeAnew(t *testing.T) {
	t.Parallel()
	for _, grown := range []int{0, 20} {
		t.Run(fmt.Sprintf("%d events later", grown), func(t *testing.T) {
			t.Parallel()
			data := t.TempDir()
			cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.DataDir(data))
			require.NoError(t, err)
			opts := options(cluster, "log")
			opts.Dir, opts.Unwritten = t.TempDir(), 7
			fill(t, opts, 3, 3)
			cluster.Close()
			before := t.TempDir()
			require.NoError(t, os.CopyFS(before, os.DirFS(data)))

			cluster, err = kfake.NewCluster(kfake.NumBrokers(1), kfake.DataDir(data))
			require.NoError(t, err)
			opts.Brokers = cluster.ListenAddrs()
			fill(t, opts, 10, 5)
			cluster.Close()

			opts.Brokers = broker(t, kfake.DataDir(before)).ListenAddrs()
			if grown > 0 {
				elsewhere := opts
				elsewhere.Dir = ""
				s, err := kafka.Open(t.Context(), elsewhere)
				require.NoError(t, err)
				for i := range grown {
					_, err := s.Append(t.Context(), "trade/OTHER", contract.Any, event("trade/OTHER", i))
					require.NoError(t, err)
				}
				require.NoError(t, s.Close())
			}
			heard := hear(&opts)
			s := open(t, opts)
			require.Contains(t, heard.String(), madeAnew)
			require.Len(t, all(t, s), 9+grown)
			requireWhole(t, s)
		})
	}
}

// Others wrote while we were away, and a head of theirs is wrong, or gone.
func TestHeadsSinceTheIndexAreHeldAgainstIt(t *testing.T) {
	t.Parallel()
	opts := disked(t, broker(t))
	fill(t, opts, 3, 2)
	want := heads(t, opts)
	elsewhere := opts
	elsewhere.Dir = t.TempDir()
	fill(t, elsewhere, 3, 2) // a retry: nothing but marks
	s, err := kafka.Open(t.Context(), elsewhere)
	require.NoError(t, err)
	_, err = s.Append(t.Context(), "trade/UTI-0", 2, event("trade/UTI-0", 2))
	require.NoError(t, err)
	require.NoError(t, s.Close())

	client, err := kgo.NewClient(kgo.SeedBrokers(opts.Brokers...))
	require.NoError(t, err)
	defer client.Close()
	for key, value := range map[string][]byte{"trade/UTI-0": nil, "trade/UTI-1": []byte("?"), "trade/NONE": []byte("{}")} {
		require.NoError(t, client.ProduceSync(t.Context(), &kgo.Record{Topic: "log.heads", Key: []byte(key), Value: value}).FirstErr())
	}
	heard := hear(&opts)
	s = open(t, opts)
	require.Contains(t, heard.String(), headsWrong)
	require.NotContains(t, heard.String(), madeAnew)
	got := heads(t, opts)
	require.Len(t, got, 3)
	require.EqualValues(t, 3, got["trade/UTI-0"].Version)
	require.Equal(t, want["trade/UTI-1"], got["trade/UTI-1"])
	requireWhole(t, s)
}

func TestAReaderIsAnsweredFromTheOwnersIndex(t *testing.T) {
	t.Parallel()
	cluster := broker(t)
	opts := disked(t, cluster)
	opts.Partitions = 3
	fill(t, opts, 20, 5)
	owner := open(t, opts) // at work, and holding the files
	_, err := owner.Append(t.Context(), stream, 5, event(stream, 5))
	require.NoError(t, err)
	before, err := owner.End(t.Context())
	require.NoError(t, err)

	opts.ReadOnly = true
	heard := hear(&opts)
	reader := open(t, opts)
	read := fetched(t, cluster)
	for e, err := range reader.Stream(t.Context(), stream) {
		require.NoError(t, err)
		require.Equal(t, stream, e.Stream)
	}
	_, err = reader.Find(t.Context(), event(stream, 5).ID)
	require.NoError(t, err)
	require.Zero(t, read.Load(), "fetches from the beginning")
	requireWhole(t, reader)
	require.Empty(t, heard.String())
	after, err := owner.End(t.Context())
	require.NoError(t, err)
	require.Equal(t, before, after, "nothing was written")
}

func TestAnIndexThatCannotBeKeptIsAClearError(t *testing.T) {
	t.Parallel()
	opts := disked(t, broker(t))
	opts.Dir = filepath.Join(opts.Dir, "a file")
	require.NoError(t, os.WriteFile(opts.Dir, nil, 0o644))
	_, err := kafka.Open(t.Context(), opts)
	require.ErrorContains(t, err, opts.Dir)
}
