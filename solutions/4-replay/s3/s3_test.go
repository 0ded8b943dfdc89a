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
	"github.com/minio/minio-go/v7/pkg/credentials"
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
			return replaytest.Archive{Snapshots: a, Tamper: func(ct check.T, name string, state []byte) {
				key := stateOf(ct, a, name)
				remove(ct, a, key)
				overwrite(ct, a, key, state)
			}}
		},
		Replayer: func(codec contract.Codec) contract.Replayer { return replay.New(codec) },
	}))
}

func open(t *testing.T) *s3.Snapshots {
	t.Helper()
	a := &s3.Snapshots{Client: dial(t, nil), Bucket: stacktest.Bucket(t), Retention: time.Hour, Clock: time.Now}
	require.NoError(t, a.CreateBucket(t.Context()))
	return a
}

// dial connects by a transport; nil is the usual one.
func dial(t *testing.T, transport http.RoundTripper) *minio.Client {
	t.Helper()
	at := stacktest.S3(t)
	client, err := minio.New(at.Endpoint, &minio.Options{
		Creds: credentials.NewStaticV4(at.AccessKey, at.SecretKey, ""), Region: at.Region, Secure: at.Secure, Transport: transport,
	})
	require.NoError(t, err)
	return client
}

// bypassable is an archive whose locks do not hold who has the right to bypass them.
func bypassable(t *testing.T) *s3.Snapshots {
	t.Helper()
	a := open(t)
	a.Mode = minio.Governance
	return a
}

// stateOf is the key of the one state that is archived under a name.
func stateOf(t check.T, a *s3.Snapshots, name string) string {
	for o := range a.Client.ListObjectsIter(t.Context(), a.Bucket, minio.ListObjectsOptions{Prefix: "snapshots/" + name + "/"}) {
		require.NoError(t, o.Err)
		if strings.HasSuffix(o.Key, ".jsonl") {
			return o.Key
		}
	}
	require.Fail(t, "no state is archived under "+name)
	return ""
}

// tester is what a check and a test have in common.
type tester interface {
	require.TestingT
	Context() context.Context
}

func overwrite(t tester, a *s3.Snapshots, key string, content []byte) {
	_, err := a.Client.PutObject(t.Context(), a.Bucket, key, bytes.NewReader(content), int64(len(content)), minio.PutObjectOptions{SendContentMd5: true})
	require.NoError(t, err)
}

// remove takes an object away with all its versions.
func remove(t tester, a *s3.Snapshots, key string) {
	for v := range a.Client.ListObjectsIter(t.Context(), a.Bucket, minio.ListObjectsOptions{Prefix: key, WithVersions: true}) {
		require.NoError(t, v.Err)
		require.NoError(t, a.Client.RemoveObject(t.Context(), a.Bucket, v.Key, minio.RemoveObjectOptions{VersionID: v.VersionID, GovernanceBypass: true}))
	}
}

func snapshot(name, state string) contract.Snapshot {
	return contract.Snapshot{
		Name: name, Taken: time.Date(2025, 3, 31, 21, 59, 59, 999999000, time.UTC), Cursor: contract.Cursor{3120},
		Digest: sha256.Sum256([]byte(state)), State: []byte(state),
	}
}

// The fault table of Put: two writes, each landed or not.
func TestACrashInPutLeavesNoHalfSnapshot(t *testing.T) {
	t.Parallel()
	a, s := open(t), snapshot("month-end", "{}\n")
	key := fmt.Sprintf("snapshots/month-end/%x.jsonl", s.Digest)

	// The state landed, the manifest did not: there is no snapshot, and the name is free.
	orphan := snapshot("month-end", "another\n")
	overwrite(t, a, fmt.Sprintf("snapshots/month-end/%x.jsonl", orphan.Digest), orphan.State)
	overwrite(t, a, key, s.State)
	_, err := a.Get(t.Context(), "month-end")
	require.ErrorIs(t, err, contract.ErrNoSnapshot)
	names, err := a.Names(t.Context())
	require.NoError(t, err)
	require.Empty(t, names)

	// Put again goes on from there, and again where the manifest landed and the writer did not hear of it.
	for range 2 {
		require.NoError(t, a.Put(t.Context(), s))
		got, err := a.Get(t.Context(), "month-end")
		require.NoError(t, err)
		require.Equal(t, s, got)
	}
}

// A body that the length does not announce is taken for another request, and its answer comes when nobody waits for one.
func TestTheStateOfAnEmptyLogIsSentWithoutABody(t *testing.T) {
	t.Parallel()
	a, s := open(t), snapshot("nothing", "")
	var bodies []bool
	a.Client = dial(t, roundTripper(func(r *http.Request) (*http.Response, error) {
		if strings.HasSuffix(r.URL.Path, ".jsonl") && r.Method == http.MethodPut {
			bodies = append(bodies, r.Body != nil)
		}
		return http.DefaultTransport.RoundTrip(r)
	}))
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

func TestTheManifestIsWhatThePackageSays(t *testing.T) {
	t.Parallel()
	a, s := open(t), snapshot("month-end", "test")
	require.NoError(t, a.Put(t.Context(), s))
	object, err := a.Client.GetObject(t.Context(), a.Bucket, manifest, minio.GetObjectOptions{})
	require.NoError(t, err)
	defer object.Close()
	text, err := io.ReadAll(object)
	require.NoError(t, err)
	require.Equal(t, `{"name":"month-end","taken":"2025-03-31T21:59:59.999999Z","cursor":[3120],`+
		`"sha256":"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"}`+"\n", string(text))
}

const manifest = "snapshots/month-end/manifest.json"

func TestDamageIsNeverServed(t *testing.T) {
	t.Parallel()
	state := fmt.Sprintf("snapshots/month-end/%x.jsonl", sha256.Sum256([]byte("{}\n")))
	for _, tc := range []struct{ name, key, instead string }{
		{"the state is gone", state, ""},
		{"the manifest is no JSON", manifest, `{"name":"month-end",`},
		{"the manifest is another's", manifest, `{"name":"year-end"}`},
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
		})
	}
}

func TestALockedSnapshotIsNeitherTakenAwayNorMovedInHistory(t *testing.T) {
	t.Parallel()
	a, s := open(t), snapshot("month-end", "{}\n")
	require.NoError(t, a.Put(t.Context(), s))
	for _, key := range []string{manifest, fmt.Sprintf("snapshots/month-end/%x.jsonl", s.Digest)} {
		info, err := a.Client.StatObject(t.Context(), a.Bucket, key, minio.StatObjectOptions{})
		require.NoError(t, err)
		require.Equal(t, "COMPLIANCE", info.Metadata.Get("X-Amz-Object-Lock-Mode"))
		err = a.Client.RemoveObject(t.Context(), a.Bucket, key, minio.RemoveObjectOptions{VersionID: info.VersionID, GovernanceBypass: true})
		require.Error(t, err, "the version is locked")
		// A delete without a version hides the object from others.
		require.NoError(t, a.Client.RemoveObject(t.Context(), a.Bucket, key, minio.RemoveObjectOptions{}))
	}
	names, err := a.Names(t.Context())
	require.NoError(t, err)
	require.Equal(t, []string{"month-end"}, names)

	// The server takes what comes after a delete marker, though it is to take it only where there is nothing.
	later := s
	later.Cursor = contract.Cursor{3121}
	require.NoError(t, a.Put(t.Context(), later), "the same state")
	require.ErrorIs(t, a.Put(t.Context(), snapshot("month-end", "another\n")), contract.ErrSnapshotTaken)
	got, err := a.Get(t.Context(), "month-end")
	require.NoError(t, err)
	require.Equal(t, s, got)
}

func TestABucketWithoutALockIsNoArchive(t *testing.T) {
	t.Parallel()
	a := open(t)
	a.Bucket = stacktest.Bucket(t)
	require.NoError(t, a.Client.MakeBucket(t.Context(), a.Bucket, minio.MakeBucketOptions{}))
	require.ErrorContains(t, a.CreateBucket(t.Context()), "must have object lock")
}

func TestNamesThatCannotBeKeysAreRefused(t *testing.T) {
	t.Parallel()
	a := &s3.Snapshots{} // it is not asked
	for _, name := range []string{"", "a/b", "..", ".hidden", "ü", strings.Repeat("a", 201)} {
		require.ErrorIs(t, a.Put(t.Context(), snapshot(name, "{}\n")), s3.ErrName, "%q", name)
		_, err := a.Get(t.Context(), name)
		require.ErrorIs(t, err, contract.ErrNoSnapshot, "%q", name)
	}
}

func TestCreateBucketTwiceIsFine(t *testing.T) {
	t.Parallel()
	a := open(t)
	require.NoError(t, a.CreateBucket(t.Context()))
	versioning, err := a.Client.GetBucketVersioning(t.Context(), a.Bucket)
	require.NoError(t, err)
	require.True(t, versioning.Enabled())
}
