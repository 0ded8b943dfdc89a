package stack_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/blotter/labs/kit/stack/stacktest"
)

// These tests pass on every stack, or differ as stacktest.Capabilities says. The table of
// differences in README.md rests on them.

func TestNullKeyInACompactedTopic(t *testing.T) {
	t.Parallel()
	cl := client(t, stacktest.Shared(t), kgo.MetadataMinAge(10*time.Millisecond))
	topic := stacktest.Prefix(t) + "compacted"
	compact := "compact"
	configs := map[string]*string{"cleanup.policy": &compact}
	_, err := kadm.NewClient(cl).CreateTopic(t.Context(), 1, 1, configs, topic)
	require.NoError(t, err)
	err = cl.ProduceSync(t.Context(), &kgo.Record{Topic: topic, Value: []byte("v")}).FirstErr()
	if stacktest.Can().RefuseNullKeys {
		require.ErrorIs(t, err, kerr.InvalidRecord)
	} else {
		require.NoError(t, err)
	}
}

// Stores refuse to delete a locked version with different status codes.
func TestLockedVersionIsNotDeleted(t *testing.T) {
	t.Parallel()
	c, bucket := lockedBucket(t)
	put := putLeaf(t, c, bucket, minio.PutObjectOptions{
		Mode: minio.Governance, RetainUntilDate: time.Now().Add(time.Hour),
	})
	version := minio.RemoveObjectOptions{VersionID: put.VersionID}
	err := c.RemoveObject(t.Context(), bucket, "leaf", version)
	var refused minio.ErrorResponse
	require.True(t, errors.As(err, &refused), "%v", err)
	codes := []int{http.StatusBadRequest, http.StatusForbidden}
	require.Contains(t, codes, refused.StatusCode, "%v", refused)
	require.NotEmpty(t, retainUntil(t, c, bucket, put.VersionID),
		"the object's headers state its retention")
}

func TestDefaultRetentionOfABucket(t *testing.T) {
	t.Parallel()
	c, bucket := lockedBucket(t)
	mode, days, unit := minio.Governance, uint(1), minio.Days
	require.NoError(t, c.SetObjectLockConfig(t.Context(), bucket, &mode, &days, &unit))
	put := putLeaf(t, c, bucket, minio.PutObjectOptions{})
	stamped := retainUntil(t, c, bucket, put.VersionID) != ""
	require.Equal(t, stacktest.Can().StampRetention, stamped)
}

func putLeaf(t *testing.T, c *minio.Client, bucket string,
	options minio.PutObjectOptions,
) minio.UploadInfo {
	t.Helper()
	info, err := c.PutObject(t.Context(), bucket, "leaf", strings.NewReader("x"), 1, options)
	require.NoError(t, err)
	return info
}

func retainUntil(t *testing.T, c *minio.Client, bucket, version string) string {
	t.Helper()
	options := minio.StatObjectOptions{VersionID: version}
	stat, err := c.StatObject(t.Context(), bucket, "leaf", options)
	require.NoError(t, err)
	return stat.Metadata.Get("X-Amz-Object-Lock-Retain-Until-Date")
}

func lockedBucket(t *testing.T) (*minio.Client, string) {
	t.Helper()
	c, bucket := s3Client(t, stacktest.Shared(t)), stacktest.Bucket(t)
	options := minio.MakeBucketOptions{ObjectLocking: true}
	require.NoError(t, c.MakeBucket(t.Context(), bucket, options))
	return c, bucket
}
