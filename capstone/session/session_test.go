package session

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/minio/minio-go/v7"
	"github.com/stretchr/testify/require"

	"example.com/blotter/capstone"
	"example.com/blotter/capstone/lines"
	"example.com/blotter/capstone/logdir"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/stack"
	"example.com/blotter/labs/kit/stack/stacktest"
	memorystore "example.com/blotter/solutions/2-store/memory"
)

func TestMain(m *testing.M) { stacktest.Main(m) }

const command = `{"command_id":"c-1","entered_at":"2026-01-09T09:00:00Z","actor":"trader/1",` +
	`"reason":"client order","op":"NEW","uti":"A","book":"CRUDE","counterparty":"ACME",` +
	`"trader":"trader/1","side":"buy","commodity":"oil","zone":"BRENT","delivery":"2026-06",` +
	`"quantity":"70","unit":"bbl","price":"70.00","currency":"USD"}`

// importInto imports a command and returns the number of accepted commands.
func importInto(t *testing.T, s *Session) int {
	n, err := s.System().Import(t.Context(), lines.Read(strings.NewReader(command)),
		func(r capstone.Result) { require.NoError(t, r.Problem) })
	require.NoError(t, err)
	return n.Accepted
}

// newLog configures a new simulated log in a folder of the test.
func newLog(t *testing.T, store string) Config {
	return Config{Data: stacktest.Dir(t), New: &logdir.Settings{
		Name: "example", Stack: "embedded", Store: store, Partitions: 2, Simulated: true,
	}}
}

type memoryLog struct{ *memorystore.Store }

func (memoryLog) Close() error { return nil }

// A new store needs its package and one row of Stores, and nothing else.
func TestStoreNeedsOneRow(t *testing.T) { // it changes Stores, so that it is not parallel
	before := Stores
	defer func() { Stores = before }()
	Stores = append(before[:len(before):len(before)], Store{
		Name:  "paper",
		Reach: func(context.Context, stack.Stack) (Endpoint, error) { return Endpoint{}, nil },
		Open: func(_ context.Context, _ Endpoint, _ LogOptions) (Log, error) {
			return memoryLog{memorystore.NewSimulated()}, nil
		},
	})
	config := newLog(t, "paper")
	s, err := Open(t.Context(), config, Write)
	require.NoError(t, err)
	require.Equal(t, 1, importInto(t, s))
	require.NoError(t, s.Close())

	d, err := config.Folder()
	require.NoError(t, err)
	require.False(t, d.IsNew(), "the settings are written")
	require.Contains(t, StoreNames(), "paper")
}

// Every path in the list of CONTRIBUTING exists.
func TestAddStoreGuide(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../.github/CONTRIBUTING.md")
	require.NoError(t, err)
	_, section, found := strings.Cut(string(text), "## How to add a store\n")
	require.True(t, found)
	section, _, _ = strings.Cut(section, "\n## ")
	paths := regexp.MustCompile("`([a-z0-9-]+/[a-z0-9./-]+)`").FindAllStringSubmatch(section, -1)
	require.NotEmpty(t, paths)
	for _, path := range paths {
		require.True(t, exists(filepath.Join("../..", path[1])), "CONTRIBUTING names %s", path[1])
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// A query beside a writer reads, and names the writer.
func TestQueryBesideWriter(t *testing.T) {
	t.Parallel()
	config := newLog(t, "kafka")
	services, err := OpenStack(config)
	require.NoError(t, err)
	defer services.Close()
	config.Services = services
	writer, err := Open(t.Context(), config, Write)
	require.NoError(t, err)
	require.Equal(t, 1, importInto(t, writer))

	config.New = nil
	reader, err := Open(t.Context(), config, Query)
	require.NoError(t, err)
	require.Equal(t, os.Getpid(), reader.Writer)
	end, err := reader.Log.End(t.Context())
	require.NoError(t, err)
	events := 0
	for _, err := range reader.Log.Read(t.Context(), nil, end) {
		require.NoError(t, err)
		events++
	}
	require.Equal(t, 1, events)
	require.NoError(t, reader.Close())
	require.NoError(t, writer.Close())

	config.Services, config.Choices = nil, map[string]string{"partitions": "3"}
	_, err = Open(t.Context(), config, Query)
	require.ErrorContains(t, err, "was created with --partitions 2, not 3")
}

// The progress of read models of another version is not read, and they stay. The session that uses
// one makes it again.
func TestCursorsKeepOtherVersions(t *testing.T) {
	t.Parallel()
	s, err := Open(t.Context(), newLog(t, "kafka"), Write)
	require.NoError(t, err)
	defer s.Close()
	model, err := s.ReadModel(t.Context())
	require.NoError(t, err)
	require.NoError(t, model.Apply(t.Context(), nil, contract.Cursor{7, 7}))
	table := pgx.Identifier{modelSchema(s.Settings().Name), "checkpoint"}.Sanitize()
	require.NoError(t, s.asOwner(t.Context(), "COMMENT ON TABLE "+table+" IS 'another'"))

	all, err := s.ReadModelCursors(t.Context())
	require.NoError(t, err)
	require.Equal(t, []ModelCursor{{Name: "positions", Other: true}}, all)
	kept, err := model.Cursor(t.Context())
	require.NoError(t, err)
	require.Equal(t, contract.Cursor{7, 7}, kept)

	_, err = s.ReadModel(t.Context())
	require.NoError(t, err)
	all, err = s.ReadModelCursors(t.Context())
	require.NoError(t, err)
	require.Equal(t, []ModelCursor{{Name: "positions"}}, all)
}

// A log that lost its end is refused, and opened by a session that accepts the loss.
func TestOpenRefusesLostEnd(t *testing.T) {
	t.Parallel()
	config := newLog(t, "kafka")
	s, err := Open(t.Context(), config, Write)
	require.NoError(t, err)
	importInto(t, s)
	require.NoError(t, s.Close())
	mark := logdir.CursorFile(filepath.Join(config.Data, "reached"))
	require.NoError(t, mark.Save(contract.Cursor{100, 100}))

	var ahead *contract.AheadError
	_, err = Open(t.Context(), config, Query)
	require.ErrorAs(t, err, &ahead)
	_, err = Open(t.Context(), config, Write)
	require.ErrorAs(t, err, &ahead)
	inspector, err := Open(t.Context(), config, Inspect)
	require.NoError(t, err, "inspection reads any log")
	require.NoError(t, inspector.Close())

	config.AcceptLoss = true
	s, err = Open(t.Context(), config, Query)
	require.NoError(t, err)
	require.NoError(t, s.AcceptEnd(t.Context()))
	require.NoError(t, s.Close())
	config.AcceptLoss = false
	s, err = Open(t.Context(), config, Query)
	require.NoError(t, err)
	require.NoError(t, s.Close())
}

// An interrupted program leaves the reached mark like any other: otherwise a log that then lost its
// end would be read as a shorter one.
func TestInterruptLeavesReachedMark(t *testing.T) {
	t.Parallel()
	for _, store := range StoreNames() {
		t.Run(store, func(t *testing.T) {
			t.Parallel()
			config := newLog(t, store)
			ctx, interrupt := context.WithCancel(t.Context())
			s, err := Open(ctx, config, Write)
			require.NoError(t, err)
			importInto(t, s)
			end, err := s.Log.End(ctx)
			require.NoError(t, err)
			interrupt()
			require.NoError(t, s.Close())
			mark, err := logdir.CursorFile(filepath.Join(config.Data, "reached")).Load()
			require.NoError(t, err)
			require.Equal(t, end, mark)
		})
	}
}

// A part that waits for a lost part must not keep the process.
func TestLostStackClosesInTime(t *testing.T) {
	t.Parallel()
	lost, blocked := new(Stack), make(chan struct{})
	defer close(blocked)
	lost.lost.Store(true)
	s := &Session{stack: lost}
	s.onClose(func() error { <-blocked; return nil })
	require.NoError(t, s.Close())
}

// A server that cannot say how it encrypts, or does not want to, is not taken for one that does.
func TestBucketSaysHowItIsEncrypted(t *testing.T) {
	t.Parallel()
	const rule = `<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault>` +
		`<SSEAlgorithm>%s</SSEAlgorithm></ApplyServerSideEncryptionByDefault></Rule>` +
		`</ServerSideEncryptionConfiguration>`
	const refusal = `<Error><Code>%s</Code><Message>no</Message></Error>`
	for _, tc := range []struct {
		status     int
		body, want string
	}{
		{200, fmt.Sprintf(rule, "AES256"), "AES256"},
		{200, fmt.Sprintf(rule, "aws:kms"), "aws:kms"},
		{200, `<ServerSideEncryptionConfiguration/>`, NotEncrypted},
		{404, fmt.Sprintf(refusal, "ServerSideEncryptionConfigurationNotFoundError"),
			NotEncrypted},
		{501, fmt.Sprintf(refusal, "NotImplemented"),
			"unknown (the server answers NotImplemented)"},
		{403, fmt.Sprintf(refusal, "AccessDenied"), "unknown (the server answers AccessDenied)"},
	} {
		server := httptest.NewServer(http.HandlerFunc(
			func(w http.ResponseWriter, r *http.Request) {
				if !r.URL.Query().Has("encryption") || r.URL.Path != "/kept/" {
					w.WriteHeader(http.StatusBadRequest)
					return
				}
				w.WriteHeader(tc.status)
				_, _ = w.Write([]byte(tc.body))
			}))
		defer server.Close()
		client, err := minio.New(strings.TrimPrefix(server.URL, "http://"),
			&minio.Options{Region: "us-east-1", MaxRetries: 1})
		require.NoError(t, err)
		got, err := encryption(t.Context(), client, "kept")
		require.NoError(t, err)
		require.Equal(t, tc.want, got)
	}
}
