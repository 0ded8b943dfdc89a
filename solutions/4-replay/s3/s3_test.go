package s3_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/4-replay/replaytest"
	"example.com/blotter/labs/kit/check"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/stack/stacktest"
	replay "example.com/blotter/solutions/4-replay"
	"example.com/blotter/solutions/4-replay/s3"
)

func TestMain(m *testing.M) { stacktest.Main(m) }

func TestReplay(t *testing.T) {
	t.Parallel()
	check.Run(t, replaytest.Suite(replaytest.Fixture{
		Archive: func(ct check.T) replaytest.Archive {
			a := bypassable(t)
			tamper := func(ct check.T, name string, state []byte) {
				key := stateOf(ct, a, name)
				remove(ct, a, key)
				overwrite(ct, a, key, state)
			}
			return replaytest.Archive{Snapshots: a, Tamper: tamper}
		},
		Replayer: func(codec contract.Codec) contract.Replayer { return replay.New(codec) },
	}))
}

func open(t *testing.T) *s3.Snapshots {
	t.Helper()
	a := &s3.Snapshots{
		Client: dial(t, nil), Bucket: stacktest.Bucket(t), Retention: time.Hour, Clock: time.Now,
	}
	require.NoError(t, a.CreateBucket(t.Context()))
	return a
}

// dial connects through the transport that wrap returns for the usual one; nil wraps nothing.
func dial(t *testing.T, wrap func(http.RoundTripper) http.RoundTripper) *minio.Client {
	t.Helper()
	endpoint, options := stacktest.S3(t)
	if wrap != nil {
		options.Transport = wrap(options.Transport)
	}
	client, err := minio.New(endpoint, options)
	require.NoError(t, err)
	return client
}

// bypassable returns an archive whose locks the test has the right to bypass.
func bypassable(t *testing.T) *s3.Snapshots {
	t.Helper()
	a := open(t)
	a.Mode = minio.Governance
	return a
}

// stateOf returns the key of the only state that is archived under a name.
func stateOf(t check.T, a *s3.Snapshots, name string) string {
	options := minio.ListObjectsOptions{Prefix: "snapshots/" + name + "/"}
	for o := range a.Client.ListObjectsIter(t.Context(), a.Bucket, options) {
		require.NoError(t, o.Err)
		if strings.HasSuffix(o.Key, ".jsonl") {
			return o.Key
		}
	}
	require.Fail(t, "no state is archived under "+name)
	return ""
}

// tester has the methods that check.T and *testing.T share.
type tester interface {
	require.TestingT
	Context() context.Context
}

func overwrite(t tester, a *s3.Snapshots, key string, content []byte) {
	body, options := bytes.NewReader(content), minio.PutObjectOptions{SendContentMd5: true}
	_, err := a.Client.PutObject(t.Context(), a.Bucket, key, body, int64(len(content)), options)
	require.NoError(t, err)
}

// remove removes an object with all its versions.
func remove(t tester, a *s3.Snapshots, key string) {
	list := minio.ListObjectsOptions{Prefix: key, WithVersions: true}
	for v := range a.Client.ListObjectsIter(t.Context(), a.Bucket, list) {
		require.NoError(t, v.Err)
		bypass := minio.RemoveObjectOptions{VersionID: v.VersionID, GovernanceBypass: true}
		require.NoError(t, a.Client.RemoveObject(t.Context(), a.Bucket, v.Key, bypass))
	}
}

func snapshot(name, state string) contract.Snapshot {
	return contract.Snapshot{
		Name: name, Taken: time.Date(2025, 3, 31, 21, 59, 59, 999999000, time.UTC),
		Cursor: contract.Cursor{3120},
		Digest: sha256.Sum256([]byte(state)), State: []byte(state), Format: "example/v1",
		RecordedThrough: time.Date(2025, 3, 31, 21, 58, 12, 4000, time.UTC),
	}
}

// The fault table of Put: a crash after each of its two writes.
func TestACrashInPutLeavesNoPartialSnapshot(t *testing.T) {
	t.Parallel()
	a, s := open(t), snapshot("month-end", "{}\n")
	key := fmt.Sprintf("snapshots/month-end/%x.jsonl", s.Digest)

	// The state was written, the manifest was not: there is no snapshot, and the name is free.
	orphan := snapshot("month-end", "another\n")
	overwrite(t, a, fmt.Sprintf("snapshots/month-end/%x.jsonl", orphan.Digest), orphan.State)
	overwrite(t, a, key, s.State)
	_, err := a.Get(t.Context(), "month-end")
	require.ErrorIs(t, err, contract.ErrNoSnapshot)
	all, err := a.List(t.Context())
	require.NoError(t, err)
	require.Empty(t, all)

	// Another Put completes the snapshot. A Put after that has the same effect as after a lost
	// answer.
	for range 2 {
		require.NoError(t, a.Put(t.Context(), s))
		got, err := a.Get(t.Context(), "month-end")
		require.NoError(t, err)
		require.Equal(t, s, got)
	}
}

// After a length of 0 the server reads a body as a second request. It answers that request, and no
// client waits for the answer.
func TestAnEmptyStateIsSentWithoutABody(t *testing.T) {
	t.Parallel()
	a, s := open(t), snapshot("nothing", "")
	var bodies []bool
	a.Client = dial(t, func(next http.RoundTripper) http.RoundTripper {
		return roundTripper(func(r *http.Request) (*http.Response, error) {
			if strings.HasSuffix(r.URL.Path, ".jsonl") && r.Method == http.MethodPut {
				bodies = append(bodies, r.Body != nil)
			}
			return next.RoundTrip(r)
		})
	})
	require.NoError(t, a.Put(t.Context(), s))
	require.NotEmpty(t, bodies)
	require.NotContains(t, bodies, true)
	got, err := a.Get(t.Context(), "nothing")
	require.NoError(t, err)
	require.Equal(t, s.Digest, got.Digest)
	require.Empty(t, got.State)
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestTheManifestIsAsDocumented(t *testing.T) {
	t.Parallel()
	a, s := open(t), snapshot("month-end", "test")
	require.NoError(t, a.Put(t.Context(), s))
	object, err := a.Client.GetObject(t.Context(), a.Bucket, manifest, minio.GetObjectOptions{})
	require.NoError(t, err)
	defer object.Close()
	text, err := io.ReadAll(object)
	require.NoError(t, err)
	const want = `{"name":"month-end","taken":"2025-03-31T21:59:59.999999Z","cursor":[3120],` +
		`"sha256":"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",` +
		`"format":"example/v1","recorded_through":"2025-03-31T21:58:12.000004Z"}` + "\n"
	require.Equal(t, want, string(text))
}

const manifest = "snapshots/month-end/manifest.json"

func TestADamagedSnapshotIsNotReturned(t *testing.T) {
	t.Parallel()
	state := fmt.Sprintf("snapshots/month-end/%x.jsonl", sha256.Sum256([]byte("{}\n")))
	for _, tc := range []struct{ name, key, instead string }{
		{"the state is missing", state, ""},
		{"the manifest is no JSON", manifest, `{"name":"month-end",`},
		{"the manifest of another snapshot", manifest, `{"name":"year-end"}`},
		{"the manifest has half a digest", manifest, `{"name":"month-end","sha256":"00ff"}`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			a := bypassable(t)
			require.NoError(t, a.Put(t.Context(), snapshot("month-end", "{}\n")))
			remove(t, a, tc.key)
			if tc.instead != "" {
				overwrite(t, a, tc.key, []byte(tc.instead))
			}
			_, err := a.Get(t.Context(), "month-end")
			require.ErrorIs(t, err, contract.ErrSnapshotDamaged)
			require.NoError(t, a.Put(t.Context(), snapshot("year-end", "{}\n")))
			all, err := a.List(t.Context())
			require.NoError(t, err, "it does not hide the others")
			require.Len(t, all, 2)
			if tc.key == manifest {
				require.Equal(t, contract.Snapshot{Name: "month-end"}, all[0])
			}
			require.Equal(t, "year-end", all[1].Name)
		})
	}
}

// A locked snapshot can neither be removed nor get another cursor.
func TestALockedSnapshotCannotBeChanged(t *testing.T) {
	t.Parallel()
	a, s := open(t), snapshot("month-end", "{}\n")
	require.NoError(t, a.Put(t.Context(), s))
	for _, key := range []string{manifest, fmt.Sprintf("snapshots/month-end/%x.jsonl", s.Digest)} {
		info, err := a.Client.StatObject(t.Context(), a.Bucket, key, minio.StatObjectOptions{})
		require.NoError(t, err)
		require.Equal(t, "COMPLIANCE", info.Metadata.Get("X-Amz-Object-Lock-Mode"))
		bypass := minio.RemoveObjectOptions{VersionID: info.VersionID, GovernanceBypass: true}
		err = a.Client.RemoveObject(t.Context(), a.Bucket, key, bypass)
		require.Error(t, err, "the version is locked")
		// A delete without a version hides the object from other clients.
		err = a.Client.RemoveObject(t.Context(), a.Bucket, key, minio.RemoveObjectOptions{})
		require.NoError(t, err)
	}
	all, err := a.List(t.Context())
	require.NoError(t, err)
	require.Len(t, all, 1)
	require.Equal(t, s.Digest, all[0].Digest)

	// A delete marker hides the object. Therefore the server accepts a new object of this key,
	// although the request has the condition If-None-Match: *.
	later := s
	later.Cursor = contract.Cursor{3121}
	require.NoError(t, a.Put(t.Context(), later), "the same state")
	err = a.Put(t.Context(), snapshot("month-end", "another\n"))
	require.ErrorIs(t, err, contract.ErrSnapshotTaken)
	got, err := a.Get(t.Context(), "month-end")
	require.NoError(t, err)
	require.Equal(t, s, got)
}

func TestABucketNeedsObjectLock(t *testing.T) {
	t.Parallel()
	a := open(t)
	a.Bucket = stacktest.Bucket(t)
	require.NoError(t, a.Client.MakeBucket(t.Context(), a.Bucket, minio.MakeBucketOptions{}))
	require.ErrorContains(t, a.CreateBucket(t.Context()), "must have object lock")
}

func TestNamesThatCannotBeKeysAreRefused(t *testing.T) {
	t.Parallel()
	a := &s3.Snapshots{} // no call reaches a client
	for _, name := range []string{"", "a/b", "..", ".hidden", "ü", strings.Repeat("a", 201)} {
		require.ErrorIs(t, a.Put(t.Context(), snapshot(name, "{}\n")), s3.ErrName, "%q", name)
		_, err := a.Get(t.Context(), name)
		require.ErrorIs(t, err, contract.ErrNoSnapshot, "%q", name)
	}
}

func TestCreateBucketTwice(t *testing.T) {
	t.Parallel()
	a := open(t)
	require.NoError(t, a.CreateBucket(t.Context()))
	versioning, err := a.Client.GetBucketVersioning(t.Context(), a.Bucket)
	require.NoError(t, err)
	require.True(t, versioning.Enabled())
}
