package s3_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
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
			a := open(t)
			return replaytest.Archive{Snapshots: a, Tamper: func(ct check.T, name string, state []byte) {
				overwrite(ct, a, stateOf(ct, a, name), state)
			}}
		},
		Replayer: func(codec contract.Codec) contract.Replayer { return replay.New(codec) },
	}))
}

func open(t *testing.T) *s3.Snapshots {
	t.Helper()
	at := stacktest.S3(t)
	client, err := minio.New(at.Endpoint, &minio.Options{
		Creds: credentials.NewStaticV4(at.AccessKey, at.SecretKey, ""), Region: at.Region, Secure: at.Secure,
	})
	require.NoError(t, err)
	a := &s3.Snapshots{Client: client, Bucket: stacktest.Bucket(t)}
	require.NoError(t, a.CreateBucket(t.Context()))
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

func overwrite(t interface {
	require.TestingT
	Context() context.Context
}, a *s3.Snapshots, key string, content []byte) {
	_, err := a.Client.PutObject(t.Context(), a.Bucket, key, bytes.NewReader(content), int64(len(content)), minio.PutObjectOptions{SendContentMd5: true})
	require.NoError(t, err)
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

func TestTheManifestIsWhatThePackageSays(t *testing.T) {
	t.Parallel()
	a, s := open(t), snapshot("month-end", "test")
	require.NoError(t, a.Put(t.Context(), s))
	object, err := a.Client.GetObject(t.Context(), a.Bucket, "snapshots/month-end/manifest.json", minio.GetObjectOptions{})
	require.NoError(t, err)
	defer object.Close()
	text, err := io.ReadAll(object)
	require.NoError(t, err)
	require.Equal(t, `{"name":"month-end","taken":"2025-03-31T21:59:59.999999Z","cursor":[3120],`+
		`"sha256":"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"}`+"\n", string(text))
}

func TestDamageIsNeverServed(t *testing.T) {
	t.Parallel()
	for name, damage := range map[string]func(t *testing.T, a *s3.Snapshots){
		"the state is gone": func(t *testing.T, a *s3.Snapshots) {
			key := fmt.Sprintf("snapshots/month-end/%x.jsonl", sha256.Sum256([]byte("{}\n")))
			require.NoError(t, a.Client.RemoveObject(t.Context(), a.Bucket, key, minio.RemoveObjectOptions{}))
		},
		"the manifest is no JSON": func(t *testing.T, a *s3.Snapshots) {
			overwrite(t, a, "snapshots/month-end/manifest.json", []byte(`{"name":"month-end",`))
		},
		"the manifest is another's": func(t *testing.T, a *s3.Snapshots) {
			overwrite(t, a, "snapshots/month-end/manifest.json", []byte(`{"name":"year-end"}`))
		},
		"the manifest has half a digest": func(t *testing.T, a *s3.Snapshots) {
			overwrite(t, a, "snapshots/month-end/manifest.json", []byte(`{"name":"month-end","sha256":"00ff"}`))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := open(t)
			require.NoError(t, a.Put(t.Context(), snapshot("month-end", "{}\n")))
			damage(t, a)
			_, err := a.Get(t.Context(), "month-end")
			require.ErrorIs(t, err, contract.ErrSnapshotDamaged)
		})
	}
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
