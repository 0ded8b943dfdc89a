package audit_test

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/kit/stack/stacktest"
	audit "example.com/blotter/solutions/5-audit"
)

func TestMain(m *testing.M) { stacktest.Main(m) }

// bucket returns a locked archive in a new bucket.
func bucket(t *testing.T) *audit.S3 {
	t.Helper()
	endpoint, options := stacktest.S3(t)
	// The gateway waits for idle connections when it stops.
	t.Cleanup(options.Transport.(interface{ CloseIdleConnections() }).CloseIdleConnections)
	client, err := minio.New(endpoint, options)
	require.NoError(t, err)
	s := &audit.S3{
		Client: client, Bucket: stacktest.Bucket(t), Prefix: "audit/",
		Retention: time.Hour, Clock: time.Now,
	}
	require.NoError(t, s.CreateBucket(t.Context()))
	return s
}

func TestArchives(t *testing.T) {
	t.Parallel()
	for name, archive := range map[string]func(*testing.T) audit.Archive{
		"memory": func(*testing.T) audit.Archive { return new(audit.Memory) },
		"s3":     func(t *testing.T) audit.Archive { return bucket(t) },
	} {
		t.Run(name+": the first object stays", func(t *testing.T) {
			t.Parallel()
			a := archive(t)
			_, err := a.Get(t.Context(), "batches/1")
			require.Equal(t, audit.ErrAbsent, err, "the caller names the object")
			_, err = a.Current(t.Context(), "batches/1")
			require.Equal(t, audit.ErrAbsent, err, "the caller names the object")
			require.NoError(t, a.Put(t.Context(), "batches/1", []byte("first")))
			require.ErrorIs(t, a.Put(t.Context(), "batches/1", []byte("second")), audit.ErrExists)
			require.ErrorIs(t, a.Put(t.Context(), "batches/1", []byte("first")), audit.ErrExists)
			got, err := a.Get(t.Context(), "batches/1")
			require.NoError(t, err)
			require.Equal(t, "first", string(got))
			_, err = a.Get(t.Context(), "batches")
			require.ErrorIs(t, err, audit.ErrAbsent, "a prefix of a name is not an object")
		})
		t.Run(name+": list in order", func(t *testing.T) {
			t.Parallel()
			a := archive(t)
			names, err := a.List(t.Context(), "batches/")
			require.NoError(t, err)
			require.Empty(t, names)
			for _, n := range []string{"batches/03", "checkpoints/02", "batches/01", "batches/02"} {
				require.NoError(t, a.Put(t.Context(), n, []byte(n)))
			}
			names, err = a.List(t.Context(), "batches/")
			require.NoError(t, err)
			require.Equal(t, []string{"batches/01", "batches/02", "batches/03"}, names)
		})
		t.Run(name+": many writers", func(t *testing.T) {
			t.Parallel()
			a := archive(t)
			var all sync.WaitGroup
			var won atomic.Value
			for i := range 8 {
				all.Go(func() {
					mine := fmt.Sprint("writer ", i)
					err := a.Put(t.Context(), "batches/1", []byte(mine))
					if err == nil {
						require.Nil(t, won.Swap(mine), "two writers succeeded")
					} else if !errors.Is(err, audit.ErrExists) {
						t.Error(err)
					}
				})
			}
			all.Wait()
			got, err := a.Get(t.Context(), "batches/1")
			require.NoError(t, err)
			require.Equal(t, won.Load(), string(got))
		})
	}
}

func TestALockedObjectCannotBeRemoved(t *testing.T) {
	t.Parallel()
	s := bucket(t)
	require.NoError(t, s.Put(t.Context(), "checkpoints/1", []byte("signed")))
	key := s.Prefix + "checkpoints/1"
	info, err := s.Client.StatObject(t.Context(), s.Bucket, key, minio.StatObjectOptions{})
	require.NoError(t, err)
	require.Equal(t, "COMPLIANCE", info.Metadata.Get("X-Amz-Object-Lock-Mode"))
	opts := minio.RemoveObjectOptions{VersionID: info.VersionID, GovernanceBypass: true}
	err = s.Client.RemoveObject(t.Context(), s.Bucket, key, opts)
	require.Error(t, err, "the version is locked")

	// A delete without a version hides the object from other clients. This archive reads the first
	// version in spite of the delete marker.
	err = s.Client.RemoveObject(t.Context(), s.Bucket, key, minio.RemoveObjectOptions{})
	require.NoError(t, err)
	_, err = s.Client.StatObject(t.Context(), s.Bucket, key, minio.StatObjectOptions{})
	require.Error(t, err, "hidden from other clients")
	got, err := s.Get(t.Context(), "checkpoints/1")
	require.NoError(t, err)
	require.Equal(t, "signed", string(got))
	names, err := s.List(t.Context(), "checkpoints/")
	require.NoError(t, err)
	require.Equal(t, []string{"checkpoints/1"}, names)
	err = s.Put(t.Context(), "checkpoints/1", []byte("another"))
	require.ErrorIs(t, err, audit.ErrExists, "although the server accepts the object")

	// Now a later version covers the first one. This archive still reads the first one.
	got, err = s.Get(t.Context(), "checkpoints/1")
	require.NoError(t, err)
	require.Equal(t, "signed", string(got))
}

func TestABucketNeedsObjectLock(t *testing.T) {
	t.Parallel()
	s := bucket(t)
	require.NoError(t, s.CreateBucket(t.Context()), "creating the bucket twice")
	s.Bucket = stacktest.Bucket(t)
	require.NoError(t, s.Client.MakeBucket(t.Context(), s.Bucket, minio.MakeBucketOptions{}))
	require.ErrorIs(t, s.CreateBucket(t.Context()), audit.ErrUnlocked)
}
