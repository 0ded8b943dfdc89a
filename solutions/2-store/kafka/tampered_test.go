package kafka_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/solutions/2-store/kafka"
	"example.com/blotter/solutions/2-store/kafka/index"
)

// Somebody changes the index files and mends every checksum. Nothing is decided or answered from
// them: the digests in the heads tell, and the log has the answer. It is the same whether the files
// are changed before the owner takes over or while it works.
func TestNothingIsDecidedFromAChangedIndex(t *testing.T) {
	t.Parallel()
	changed := event(stream, 1)
	changed.Data = []byte("\x00\x00\x00\x00\x07body 9")
	for name, tamper := range map[string]func(*testing.T, string){
		"an event was changed": func(t *testing.T, dir string) {
			editEvents(t, dir, func(frame []byte) []byte {
				return bytes.ReplaceAll(frame, []byte("body 1"), []byte("body 9"))
			})
		},
		"the last event was changed": func(t *testing.T, dir string) {
			editEvents(t, dir, func(frame []byte) []byte {
				return bytes.ReplaceAll(frame, []byte("body 2"), []byte("body 9"))
			})
		},
		"an event belongs to another stream": func(t *testing.T, dir string) {
			first := false
			editEvents(t, dir, func(frame []byte) []byte {
				if !first && bytes.Contains(frame, []byte(stream)) {
					first = true
					return bytes.ReplaceAll(frame, []byte(stream), []byte("trade/UTI-2"))
				}
				return frame
			})
		},
		"a forged event names another stream": func(t *testing.T, dir string) {
			forge(t, dir, "trade/UTI-2")
		},
		"a forged event names a missing stream": func(t *testing.T, dir string) {
			forge(t, dir, "trade/UTI-X")
		},
		"the id of an event was changed": func(t *testing.T, dir string) {
			editEvents(t, dir, func(frame []byte) []byte {
				id, other := event(stream, 1).ID, event(stream, 77).ID
				return bytes.ReplaceAll(frame, id[:], other[:])
			})
		},
	} {
		for _, when := range []string{"before the take-over", "after it"} {
			t.Run(name+" "+when, func(t *testing.T) {
				t.Parallel()
				opts := fileOptions(t, broker(t))
				fill(t, opts, 10, 3)
				if when == "before the take-over" {
					tamper(t, opts.Dir)
					reader := opts
					reader.ReadOnly = true
					inspector := open(t, reader)
					require.ErrorIs(t, inspector.CheckIndex(t.Context()), kafka.ErrIndexDiffers)
					requireConsistent(t, inspector)
				}
				logged := logTo(&opts)
				s, err := kafka.Open(t.Context(), opts)
				require.NoError(t, err)
				if when == "after it" {
					tamper(t, opts.Dir)
				}
				receipts, err := s.Append(t.Context(), stream, 1, event(stream, 1))
				require.NoError(t, err, "a retry")
				require.EqualValues(t, 2, receipts[0].Version)
				_, err = s.Append(t.Context(), stream, 1, changed)
				reused := new(contract.ReusedError)
				require.ErrorAs(t, err, &reused, "other content under the same id")
				requireConsistent(t, s)
				require.Len(t, all(t, s), 30)
				require.NoError(t, s.Close())
				require.Contains(t, logged.String(), rebuilt)
				require.NotContains(t, logged.String(), headsWrong)
			})
		}
	}
}

// forge changes the event of which the test sends a retry: its body, and in its frame the name of
// its stream.
func forge(t *testing.T, dir, name string) {
	id := event(stream, 1).ID
	editEvents(t, dir, func(frame []byte) []byte {
		if !bytes.Contains(frame, id[:]) {
			return frame
		}
		frame = bytes.Replace(frame, []byte(stream), []byte(name), 1)
		return bytes.ReplaceAll(frame, []byte("body 1"), []byte("body 9"))
	})
}

// A file that lacks an event in the middle of a stream makes the next event of the log look like
// damage of the log. The index is not believed: the log is read again, and the owner serves.
func TestFileWithoutAMiddleEventIsRebuilt(t *testing.T) {
	t.Parallel()
	opts := fileOptions(t, broker(t))
	fill(t, opts, 3, 3)
	elsewhere := opts
	elsewhere.Dir = ""
	fill(t, elsewhere, 3, 4) // a retry of three events, and a fourth
	dropEvent(t, opts.Dir, event(stream, 1).ID)
	require.ErrorIs(t, checkedIndex(t, opts), index.ErrUnusable)
	logged := logTo(&opts)
	s := open(t, opts)
	require.Contains(t, logged.String(), rebuilt)
	require.NotContains(t, logged.String(), headsWrong)
	requireConsistent(t, s)
	_, err := s.Append(t.Context(), stream, 4, event(stream, 4))
	require.NoError(t, err)
}

// dropEvent removes the frame of an event from the index file, links the others, and mends the
// checksums. The position of the previous frame is 16 bytes after the beginning of a frame, and the
// name of the stream is after 43, with its length before it.
func dropEvent(t *testing.T, dir string, id uuid.UUID) {
	t.Helper()
	path := filepath.Join(dir, "log.0.index")
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	var left []byte
	last := map[string]int{}
	for len(data) > 0 {
		size := int(binary.BigEndian.Uint32(data[4:]))
		frame := data[:size]
		data = data[size:]
		if left != nil && uuid.UUID(frame[24:40]) == id {
			continue
		}
		if left != nil { // after the header
			name := string(frame[43:][:binary.BigEndian.Uint16(frame[41:])])
			binary.BigEndian.PutUint64(frame[16:], uint64(last[name]))
			last[name] = len(left)
			binary.BigEndian.PutUint32(frame, crc32.Checksum(frame[4:], castagnoli))
		}
		left = append(left, frame...)
	}
	require.NoError(t, os.WriteFile(path, left, 0o600))
}

// checkedIndex returns the answer of CheckIndex of a reader.
func checkedIndex(t *testing.T, opts kafka.Options) error {
	opts.ReadOnly = true
	s := open(t, opts)
	return s.CheckIndex(t.Context())
}

// A reader that checks the index while the log grows finds no difference.
func TestIndexIsCheckedWhileTheLogGrows(t *testing.T) {
	t.Parallel()
	opts := fileOptions(t, broker(t))
	opts.Unwritten = 50
	fill(t, opts, 10, 3)
	s := open(t, opts)
	stop, done := make(chan struct{}), make(chan error, 1)
	go func() {
		defer close(done)
		for n := 3; ; n++ {
			select {
			case <-stop:
				return
			default:
			}
			_, err := s.Append(t.Context(), name(n%12), contract.Any, event(name(n%12), n))
			if err != nil {
				done <- err
				return
			}
		}
	}()
	opts.ReadOnly = true
	logged := logTo(&opts)
	for range 20 {
		reader := open(t, opts)
		require.NoError(t, reader.CheckIndex(t.Context()))
		events, err := streamOf(t, reader, stream)
		require.NoError(t, err)
		require.GreaterOrEqual(t, len(events), 3)
	}
	close(stop)
	require.NoError(t, <-done)
	require.Empty(t, logged.String())
}

// An append costs no fetch: the digests of all streams are in memory.
func TestAppendFetchesNothing(t *testing.T) {
	t.Parallel()
	cluster := broker(t)
	opts := fileOptions(t, cluster)
	fill(t, opts, 10, 3)
	s := open(t, opts)
	fetches := countAllFetches(cluster)
	for i := range 10 {
		_, err := s.Append(t.Context(), name(i), 3, event(name(i), 3))
		require.NoError(t, err)
		_, err = s.Append(t.Context(), name(i), 2, event(name(i), 2))
		require.NoError(t, err, "a retry")
		events, err := streamOf(t, s, name(i))
		require.NoError(t, err)
		require.Len(t, events, 4)
	}
	require.Zero(t, fetches.Load())
}

func countAllFetches(cluster *kfake.Cluster) *atomic.Int64 {
	var n atomic.Int64
	control(cluster, kmsg.Fetch, func(kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		n.Add(1)
		return nil, nil, false
	})
	return &n
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// editEvents calls edit with each frame of the index file, and mends the checksums. A frame begins
// with its checksum and its length, 4 bytes each.
func editEvents(t *testing.T, dir string, edit func(frame []byte) []byte) {
	t.Helper()
	path := filepath.Join(dir, "log.0.index")
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	was := bytes.Clone(data)
	for at := 0; at < len(data); {
		size := int(binary.BigEndian.Uint32(data[at+4:]))
		frame := edit(data[at : at+size])
		require.Len(t, frame, size)
		binary.BigEndian.PutUint32(frame, crc32.Checksum(frame[4:], castagnoli))
		copy(data[at:], frame)
		at += size
	}
	require.NotEqual(t, was, data, fmt.Sprintf("%s has nothing to change", path))
	writeInPlace(t, path, data)
}

// writeInPlace writes a file of the same length without truncating it, because an owner may be
// reading it.
func writeInPlace(t *testing.T, path string, data []byte) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = f.WriteAt(data, 0)
	require.NoError(t, err)
	require.NoError(t, f.Close())
}

// A crash of the machine leaves the index files of all partitions unusable. A reader says so once,
// however many questions it answers from the log.
func TestUnusableIndexIsNamedOnce(t *testing.T) {
	t.Parallel()
	opts := fileOptions(t, broker(t))
	opts.Partitions = 4
	fill(t, opts, 20, 2)
	files, err := filepath.Glob(filepath.Join(opts.Dir, "*.index"))
	require.NoError(t, err)
	require.Len(t, files, 4)
	for _, path := range files {
		require.NoError(t, os.WriteFile(path, []byte("half writt"), 0o600))
	}
	opts.ReadOnly = true
	for lines, first := range []func(*kafka.Store){
		func(s *kafka.Store) {
			err := s.CheckIndex(t.Context())
			require.ErrorContains(t, err, "and 3 more")
			require.NotErrorIs(t, err, kafka.ErrIndexDiffers)
		},
		func(*kafka.Store) {},
	} {
		logged := logTo(&opts)
		s := open(t, opts)
		first(s)
		requireConsistent(t, s)
		require.Equal(t, lines, strings.Count(logged.String(), "\n"), logged.String())
	}
}
