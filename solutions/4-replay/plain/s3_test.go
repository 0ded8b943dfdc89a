package replay_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/stack/stacktest"
	replay "example.com/blotter/solutions/4-replay/plain"
)

// An archive is one in a bucket.
type archive struct {
	replay.Snapshots
	o *replay.S3
}

func open(t *testing.T) archive {
	t.Helper()
	o := &replay.S3{
		Client: dial(t, nil), Bucket: stacktest.Bucket(t), Retention: time.Hour, Clock: time.Now,
	}
	require.NoError(t, o.CreateBucket(t.Context()))
	return archive{replay.Snapshots{Objects: o}, o}
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
func bypassable(t *testing.T) archive {
	t.Helper()
	a := open(t)
	a.o.Mode = minio.Governance
	return a
}

func overwrite(t *testing.T, a archive, key string, content []byte) {
	body, options := bytes.NewReader(content), minio.PutObjectOptions{SendContentMd5: true}
	_, err := a.o.Client.PutObject(t.Context(), a.o.Bucket, key, body, int64(len(content)), options)
	require.NoError(t, err)
}

func snapshot(name, state string) contract.Snapshot {
	return contract.Snapshot{
		Name: name, Taken: time.Date(2025, 3, 31, 21, 59, 59, 999999000, time.UTC),
		Cursor: contract.Cursor{3120},
		Digest: sha256.Sum256([]byte(state)), State: []byte(state), Format: "example/v1",
		RecordedThrough: time.Date(2025, 3, 31, 21, 58, 12, 4000, time.UTC),
	}
}

// After a length of 0 the server reads a body as a second request. It answers that request, and no
// client waits for the answer.
func TestAnEmptyStateIsSentWithoutABody(t *testing.T) {
	t.Parallel()
	a, s := open(t), snapshot("nothing", "")
	var bodies []bool
	a.o.Client = dial(t, func(next http.RoundTripper) http.RoundTripper {
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
			remove(t, a.o, tc.key)
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

// A manifest is read only as it was written: another text with the same content is damage.
func TestAManifestHasOneText(t *testing.T) {
	t.Parallel()
	whole := replay.Manifest(snapshot("month-end", "{}\n"))
	_, err := replay.ParseManifest(whole)
	require.NoError(t, err)
	text := string(whole)
	for name, changed := range map[string]string{
		"a field more":     `{"note":"x",` + text[1:],
		"a field twice":    `{"name":"month-end",` + text[1:],
		"a field less":     strings.Replace(text, `,"format":"example/v1"`, "", 1),
		"a space":          strings.Replace(text, ":", ": ", 1),
		"a capital letter": strings.Replace(text, `"name"`, `"Name"`, 1),
		"another offset":   strings.Replace(text, `Z"`, `+00:00"`, 1),
		"no end of line":   strings.TrimSuffix(text, "\n"),
		"two lines":        text + "\n",
	} {
		require.NotEqual(t, text, changed, name)
		_, err := replay.ParseManifest([]byte(changed))
		require.ErrorIs(t, err, contract.ErrSnapshotDamaged, name)
	}
}

// An object that belongs to no snapshot does not stop List, and is no snapshot.
func TestStrayObjectsHideNoSnapshot(t *testing.T) {
	t.Parallel()
	m := &replay.Memory{}
	a := &replay.Snapshots{Objects: m}
	require.NoError(t, a.Put(t.Context(), snapshot("month-end", "{}\n")))
	content, err := m.Get(t.Context(), manifest)
	require.NoError(t, err)
	for _, key := range []string{
		"snapshots/q1/month-end/manifest.json", "snapshots/q1/other/manifest.json",
		"snapshots/.x/manifest.json", "snapshots//manifest.json", "snapshots/manifest.json",
		"snapshots/manifest.json/manifest.json/", "snapshots/notes.txt",
	} {
		require.NoError(t, m.Put(t.Context(), key, content))
	}
	all, err := a.List(t.Context())
	require.NoError(t, err)
	require.Len(t, all, 1)
	require.Equal(t, "month-end", all[0].Name)
}

// A locked snapshot can neither be removed nor get another cursor.
func TestALockedSnapshotCannotBeChanged(t *testing.T) {
	t.Parallel()
	a, s := open(t), snapshot("month-end", "{}\n")
	require.NoError(t, a.Put(t.Context(), s))
	for _, key := range []string{manifest, fmt.Sprintf("snapshots/month-end/%x.jsonl", s.Digest)} {
		info, err := a.o.Client.StatObject(t.Context(), a.o.Bucket, key, minio.StatObjectOptions{})
		require.NoError(t, err)
		require.Equal(t, "COMPLIANCE", info.Metadata.Get("X-Amz-Object-Lock-Mode"))
		bypass := minio.RemoveObjectOptions{VersionID: info.VersionID, GovernanceBypass: true}
		err = a.o.Client.RemoveObject(t.Context(), a.o.Bucket, key, bypass)
		require.Error(t, err, "the version is locked")
		// A delete without a version hides the object from other clients.
		err = a.o.Client.RemoveObject(t.Context(), a.o.Bucket, key, minio.RemoveObjectOptions{})
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
	a.o.Bucket = stacktest.Bucket(t)
	require.NoError(t, a.o.Client.MakeBucket(t.Context(), a.o.Bucket, minio.MakeBucketOptions{}))
	require.ErrorContains(t, a.o.CreateBucket(t.Context()), "must have object lock")
}

func TestNamesThatCannotBeKeysAreRefused(t *testing.T) {
	t.Parallel()
	a := &replay.Snapshots{} // no call reaches a client
	for _, name := range []string{"", "a/b", "..", ".hidden", "ü", strings.Repeat("a", 201)} {
		require.ErrorIs(t, a.Put(t.Context(), snapshot(name, "{}\n")), replay.ErrName, "%q", name)
		_, err := a.Get(t.Context(), name)
		require.ErrorIs(t, err, contract.ErrNoSnapshot, "%q", name)
	}
}

func TestCreateBucketTwice(t *testing.T) {
	t.Parallel()
	a := open(t)
	require.NoError(t, a.o.CreateBucket(t.Context()))
	versioning, err := a.o.Client.GetBucketVersioning(t.Context(), a.o.Bucket)
	require.NoError(t, err)
	require.True(t, versioning.Enabled())
}
