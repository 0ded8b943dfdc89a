package outage_test

import (
	"bytes"
	"context"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/blotter/capstone"
	"example.com/blotter/capstone/books"
	"example.com/blotter/capstone/lines"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/stack"
	"example.com/blotter/labs/kit/stack/containers"
	"example.com/blotter/labs/kit/stack/stacktest"
	"example.com/blotter/labs/kit/trade"
	codec "example.com/blotter/solutions/1-schemas"
	"example.com/blotter/solutions/2-store/kafka"
	"example.com/blotter/solutions/2-store/memory"
	"example.com/blotter/solutions/2-store/postgres"
)

func TestMain(m *testing.M) {
	stacktest.MainWith(m, stack.EmbeddedOptions{Compatible: compatible})
}

// compatible judges schemas for the registries of these tests.
func compatible(mode, next string, published ...string) error {
	return codec.Compatible(contract.Mode(mode), next, published...)
}

// A log is a new log on some stack, with a system over it.
type log struct {
	*capstone.System
	brokers []kgo.Opt
	name    string
	said    *transcript // the output of the store
}

func (l log) topic(which string) string { return l.name + "." + which }

func brokersOf(t *testing.T, s stack.Stack) []kgo.Opt {
	t.Helper()
	at, err := s.Kafka(t.Context())
	require.NoError(t, err)
	options, err := at.Options()
	require.NoError(t, err)
	return options
}

// onKafka returns a new log on the broker of s.
func onKafka(t *testing.T, s stack.Stack, partitions int32) log {
	t.Helper()
	brokers := brokersOf(t, s)
	name := strings.TrimSuffix(stacktest.Prefix(t), "-")
	c := codecOf(t, s, name)
	l := log{brokers: brokers, name: name, said: new(transcript)}
	store, err := kafka.Open(t.Context(), kafka.Options{
		Brokers: brokers, Prefix: name, Partitions: partitions, Clock: contract.SimulatedClock,
		Heads: c, Address: "127.0.0.1:7000", Dir: t.TempDir(),
		Log: slog.New(slog.NewTextHandler(l.said, nil)),
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	l.System = capstone.New(store, c, "outage")
	return l
}

// onPostgres returns a new log in the database of s.
func onPostgres(t *testing.T, s stack.Stack) log {
	t.Helper()
	at, err := s.Postgres(t.Context())
	require.NoError(t, err)
	name := strings.TrimSuffix(stacktest.Prefix(t), "-")
	l := log{name: name, said: new(transcript)}
	store, err := postgres.Open(t.Context(), postgres.Options{
		DSN: at.MigrationDSN, AppDSN: at.DSN, Schema: name, Clock: contract.SimulatedClock,
		Log: slog.New(slog.NewTextHandler(l.said, nil)),
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	l.System = capstone.New(store, codecOf(t, s, name), "outage")
	return l
}

func codecOf(t *testing.T, s stack.Stack, name string) *codec.Codec {
	t.Helper()
	at, err := s.Registry(t.Context())
	require.NoError(t, err)
	options, err := at.Options()
	require.NoError(t, err)
	registry, err := codec.Confluent(options...)
	require.NoError(t, err)
	c, err := codec.New(t.Context(), registry, name)
	require.NoError(t, err)
	return c
}

// inContainers returns a stack of the test, whose parts it may stop. Without a container engine the
// test is skipped. For session see containers.Options; 0 is the default.
func inContainers(t *testing.T, session time.Duration) *containers.Stack {
	t.Helper()
	if !stacktest.HasEngine() {
		t.Skip("needs a container engine: STACK=containers make test")
	}
	s := containers.New(containers.Options{
		Dir: filepath.Join(stacktest.Dir(t), "stack"), Temporary: true, Compatible: compatible,
		BrokerSession: session, Log: func(line string) { t.Log(line) },
	})
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

// sample returns the first n lines of the demo's book, or all for -1.
func sample(t *testing.T, n int) []lines.Line {
	t.Helper()
	text, err := books.FS.ReadFile(books.Sample)
	require.NoError(t, err)
	var book []lines.Line
	for line, err := range lines.Read(bytes.NewReader(text)) {
		require.NoError(t, err)
		if book = append(book, line); len(book) == n {
			break
		}
	}
	return book
}

// importEach imports book, one line after the other, and calls at after each line.
func importEach(
	ctx context.Context, system *capstone.System, book []lines.Line, at func(line int),
) error {
	input := func(yield func(lines.Line, error) bool) {
		for _, line := range book {
			if !yield(line, nil) {
				return
			}
		}
	}
	n := 0
	_, err := system.Import(ctx, input, func(capstone.Result) { n++; at(n) })
	return err
}

// imported imports book.
func imported(t *testing.T, system *capstone.System, book []lines.Line) {
	t.Helper()
	require.NoError(t, importEach(t.Context(), system, book, func(int) {}))
}

// undisturbed returns the state digest of book and its number of events.
func undisturbed(t *testing.T, book []lines.Line) ([32]byte, int) {
	t.Helper()
	system := capstone.New(memory.New(contract.SimulatedClock), codec.Offline(), "outage")
	imported(t, system, book)
	return digest(t, system)
}

// digest returns the state digest of a log and its number of events.
func digest(t *testing.T, system *capstone.System) ([32]byte, int) {
	t.Helper()
	streams, n := map[string][]trade.Event{}, 0
	for _, r := range all(t, system.Log) {
		e, err := contract.Decoded(t.Context(), system.Desk.Codec, r)
		require.NoError(t, err)
		streams[r.Stream] = append(streams[r.Stream], e)
		n++
	}
	state := trade.StateOf(streams, trade.AsOf{})
	require.Empty(t, state.Parked)
	return state.Digest(), n
}

// all returns every event of a log.
func all(t *testing.T, r contract.Reader) []contract.Recorded {
	t.Helper()
	end, err := r.End(t.Context())
	require.NoError(t, err)
	var events []contract.Recorded
	for e, err := range r.Read(t.Context(), nil, end) {
		require.NoError(t, err)
		events = append(events, e)
	}
	return events
}

// A transcript keeps the output of a store.
type transcript struct {
	mu   sync.Mutex
	text strings.Builder
}

func (s *transcript) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *transcript) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}
