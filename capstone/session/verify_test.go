package session

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/minio/minio-go/v7"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/mod/sumdb/note"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/stack"
	audit "example.com/blotter/solutions/5-audit"
)

// A readOnlyStack is a stack that lets nobody write: it has no registry, its database begins
// transactions that only read, and its S3 endpoint refuses every request that writes.
type readOnlyStack struct {
	stack.Stack
	s3       *httptest.Server
	writes   atomic.Int64
	registry atomic.Int64 // how often it was asked for
}

func readOnly(t *testing.T, on stack.Stack) *readOnlyStack {
	at, err := on.S3(t.Context())
	require.NoError(t, err)
	s := &readOnlyStack{Stack: on}
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(&url.URL{Scheme: "http", Host: at.Endpoint})
		r.Out.Host = r.In.Host // it is signed
	}}
	s.s3 = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			s.writes.Add(1)
			http.Error(w, "read only", http.StatusForbidden)
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(s.s3.Close)
	return s
}

func (s *readOnlyStack) S3(ctx context.Context) (stack.S3, error) {
	at, err := s.Stack.S3(ctx)
	at.Endpoint = strings.TrimPrefix(s.s3.URL, "http://")
	return at, err
}

func (s *readOnlyStack) Registry(context.Context) (stack.Registry, error) {
	s.registry.Add(1)
	return stack.Registry{}, errors.New("the registry is stopped")
}

func (s *readOnlyStack) Postgres(ctx context.Context) (stack.Postgres, error) {
	at, err := s.Stack.Postgres(ctx)
	if err != nil {
		return at, err
	}
	dsn, err := url.Parse(at.DSN)
	if err != nil {
		return at, err
	}
	query := dsn.Query()
	query.Set("default_transaction_read_only", "on")
	dsn.RawQuery = query.Encode()
	return stack.Postgres{DSN: dsn.String()}, nil
}

// content describes the files of a folder, without the stack's: names, modes, times and bytes.
func content(t *testing.T, dir string) map[string]string {
	all := map[string]string{}
	require.NoError(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if path == filepath.Join(dir, "stack") {
			return fs.SkipDir
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		var data []byte
		if !d.IsDir() {
			data, err = os.ReadFile(path)
		}
		all[path] = fmt.Sprint(info.Mode(), info.ModTime(), data)
		return err
	}))
	return all
}

// brokerEnds describes the topics, groups and ends of a broker.
func brokerEnds(t *testing.T, on stack.Stack) string {
	at, err := on.Kafka(t.Context())
	require.NoError(t, err)
	options, err := at.Options()
	require.NoError(t, err)
	client, err := kgo.NewClient(options...)
	require.NoError(t, err)
	defer client.Close()
	admin := kadm.NewClient(client)
	ends, err := admin.ListEndOffsets(t.Context())
	require.NoError(t, err)
	groups, err := admin.ListGroups(t.Context())
	require.NoError(t, err)
	return fmt.Sprint(ends, groups.Groups())
}

// sealedLog makes a sealed log, and returns its open stack.
func sealedLog(t *testing.T, store string) (Config, *Stack) {
	config := newLog(t, store)
	services, err := OpenStack(config)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, services.Close()) })
	config.Services = services
	s, err := Open(t.Context(), config, Write)
	require.NoError(t, err)
	require.Equal(t, 1, importInto(t, s))
	sealer, err := s.Sealer(t.Context())
	require.NoError(t, err)
	_, err = sealer.Seal(t.Context())
	require.NoError(t, err)
	require.NoError(t, s.Close())
	config.New = nil
	return config, services
}

// A verifier needs the public key alone: no signer key, no registry, and no right to write
// anywhere. It publishes nothing and leaves nothing.
func TestVerifyNeedsThePublicKeyAlone(t *testing.T) {
	t.Parallel()
	for _, store := range StoreNames() {
		t.Run(store, func(t *testing.T) {
			t.Parallel()
			config, services := sealedLog(t, store)
			require.NoError(t, os.Remove(filepath.Join(config.Data, "keys", "signer")))
			public, err := os.ReadFile(filepath.Join(config.Data, "keys", "verifier"))
			require.NoError(t, err)
			pinned, err := note.NewVerifier(strings.TrimSpace(string(public)))
			require.NoError(t, err)
			for path := range content(t, config.Data) {
				info, err := os.Stat(path)
				require.NoError(t, err)
				require.NoError(t, os.Chmod(path, info.Mode()&^0o222))
				t.Cleanup(func() { os.Chmod(path, info.Mode()) })
			}
			refusing := readOnly(t, services.Stack)
			config.Services = &Stack{Stack: refusing}
			files, broker := content(t, config.Data), brokerEnds(t, services)

			for name, key := range map[string]note.Verifier{"folder's": nil, "pinned": pinned} {
				s, err := Open(t.Context(), config, Inspect)
				require.NoError(t, err, name)
				auditor, err := s.Auditor(t.Context(), key)
				require.NoError(t, err, name)
				require.Nil(t, auditor.Keys.Signer, name)
				v, err := auditor.Verify(t.Context())
				require.NoError(t, err, name)
				require.Nil(t, v.Fault, name)
				require.Equal(t, int64(1), v.Sealed, name)
				known, err := s.CheckIndex(t.Context())
				require.NoError(t, err, name)
				require.Equal(t, store == "kafka", known, "an index is compared without heads")
				_, err = auditor.Seal(t.Context())
				require.ErrorIs(t, err, audit.ErrNoSigner, name)
				require.NoError(t, s.Close())
			}
			require.Zero(t, refusing.writes.Load(), "requests that write to S3")
			require.Zero(t, refusing.registry.Load(), "requests for the registry")
			require.Equal(t, files, content(t, config.Data))
			require.Equal(t, broker, brokerEnds(t, services))
		})
	}
}

// A stack that refuses writes shows every write: the test above is not empty.
func TestReadOnlyStackRefusesWriters(t *testing.T) {
	t.Parallel()
	config, services := sealedLog(t, "postgres")
	refusing := readOnly(t, services.Stack)
	at, err := refusing.Postgres(t.Context())
	require.NoError(t, err)
	conn, err := pgx.Connect(t.Context(), at.DSN)
	require.NoError(t, err)
	defer conn.Close(t.Context())
	_, err = conn.Exec(t.Context(), "create temporary table t (n int); insert into t values (1)")
	require.ErrorContains(t, err, "read-only transaction")

	config.Services = &Stack{Stack: refusing}
	s, err := Open(t.Context(), config, Inspect)
	require.NoError(t, err)
	_, err = s.Sealer(t.Context())
	require.Error(t, err, "a sealer makes its bucket")
	require.Positive(t, refusing.writes.Load())
	require.NoError(t, s.Close())
}

// An archive of another key than the pinned one is named as that. The kept checkpoint is in order.
func TestPinnedKeyNamesAnotherKey(t *testing.T) {
	t.Parallel()
	config, _ := sealedLog(t, "kafka")
	_, public, err := audit.GenerateKey(rand.Reader, "example.example")
	require.NoError(t, err)
	key, err := note.NewVerifier(public)
	require.NoError(t, err)
	s, err := Open(t.Context(), config, Inspect)
	require.NoError(t, err)
	_, err = s.Auditor(t.Context(), key)
	var other *audit.KeyError
	require.ErrorAs(t, err, &other)
	require.ErrorContains(t, err, "signed by another key, example.example+")
	require.NoError(t, s.Close())
}

// The retention and the mode of the archive's locks are settings.
func TestArchiveLocksAsSettingsSay(t *testing.T) {
	t.Parallel()
	config, services := sealedLog(t, "postgres")
	config.Retention, config.Lock = 2*time.Hour, string(minio.Governance)
	config.Services = services
	s, err := Open(t.Context(), config, Seal)
	require.NoError(t, err)
	archive, err := s.archive(t.Context(), true)
	require.NoError(t, err)
	began := time.Now()
	require.NoError(t, archive.Put(t.Context(), "checkpoints/000000000999", []byte("note")))
	client, err := s.s3(t.Context())
	require.NoError(t, err)
	object, err := client.StatObject(t.Context(), s.Settings().Name.AuditBucket(),
		"checkpoints/000000000999", minio.StatObjectOptions{})
	require.NoError(t, err)
	require.Equal(t, config.Lock, object.Metadata.Get("X-Amz-Object-Lock-Mode"))
	until, err := time.Parse(time.RFC3339,
		object.Metadata.Get("X-Amz-Object-Lock-Retain-Until-Date"))
	require.NoError(t, err)
	require.WithinDuration(t, began.Add(config.Retention), until, time.Minute)
	require.NoError(t, s.Close())
}

// Whoever may write to the archive copies a checkpoint to another name. It has the time of its
// publication, not that of the copy.
func TestCopyOfCheckpointIsNoPublication(t *testing.T) {
	t.Parallel()
	config, services := sealedLog(t, "kafka")
	s, err := Open(t.Context(), config, Inspect)
	require.NoError(t, err)
	auditor, err := s.Auditor(t.Context(), nil)
	require.NoError(t, err)
	published := func() (all []PublishedCheckpoint) {
		for p, err := range s.Published(t.Context(), auditor) {
			require.NoError(t, err)
			all = append(all, p)
		}
		return all
	}
	before := published()
	require.Len(t, before, 1)

	at, err := services.S3(t.Context())
	require.NoError(t, err)
	client, err := at.Client()
	require.NoError(t, err)
	for name, data := range map[string][]byte{
		"checkpoints/000000000002.1": before[0].Note, "checkpoints/000000000009": []byte("junk"),
	} {
		_, err := client.PutObject(t.Context(), s.Settings().Name.AuditBucket(), name,
			bytes.NewReader(data), int64(len(data)), minio.PutObjectOptions{DisableMultipart: true})
		require.NoError(t, err)
	}
	require.Equal(t, before, published())
	v, err := auditor.Verify(t.Context())
	require.NoError(t, err)
	require.Nil(t, v.Fault)
	require.Len(t, auditor.Foreign, 1)
	require.NoError(t, s.Close())
}

// The names of one checkpoint sort as text: a copy under the name .10 comes before the checkpoint
// under .2. The earliest object of a size counts.
func TestEarliestCopyIsThePublication(t *testing.T) {
	t.Parallel()
	day := func(n int) time.Time { return time.Date(2025, 3, n, 12, 0, 0, 0, time.UTC) }
	const two, nine = "checkpoints/000000000002", "checkpoints/000000000009"
	junk := errors.New("junk")
	a := &Auditor{
		Foreign: map[string]error{two: junk, two + ".1": junk, nine + ".3": junk},
		archived: func(_ context.Context, name string) (c contract.Checkpoint, err error) {
			_, err = fmt.Sscanf(name, "checkpoints/%d", &c.Size)
			return c, err
		},
	}
	var got []PublishedCheckpoint
	for p, err := range published(t.Context(), a, map[string]time.Time{
		two: day(1), two + ".1": day(1), two + ".2": day(2),
		two + ".3": day(4), two + ".10": day(5),
		nine: day(3), nine + ".1": day(4), nine + ".3": day(1),
	}) {
		require.NoError(t, err)
		got = append(got, p)
	}
	require.Equal(t, []PublishedCheckpoint{
		{contract.Checkpoint{Size: 9}, day(3)}, {contract.Checkpoint{Size: 2}, day(2)},
	}, got)
}
