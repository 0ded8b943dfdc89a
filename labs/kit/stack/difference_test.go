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

// What follows holds on every stack, or differs as stacktest.Capabilities says: the table in
// README.md rests on it.

func TestACompactedTopicAndARecordWithoutAKey(t *testing.T) {
	t.Parallel()
	cl := client(t, stacktest.Shared(t), kgo.MetadataMinAge(10*time.Millisecond))
	topic := stacktest.Prefix(t) + "compacted"
	compact := "compact"
	_, err := kadm.NewClient(cl).CreateTopic(t.Context(), 1, 1, map[string]*string{"cleanup.policy": &compact}, topic)
	require.NoError(t, err)
	err = cl.ProduceSync(t.Context(), &kgo.Record{Topic: topic, Value: []byte("v")}).FirstErr()
	if stacktest.Can().RefuseNullKeys {
		require.ErrorIs(t, err, kerr.InvalidRecord)
	} else {
		require.NoError(t, err)
	}
}

func TestALockedVersionStaysWhateverTheErrorIsCalled(t *testing.T) {
	t.Parallel()
	c, bucket := lockedBucket(t)
	until := time.Now().Add(time.Hour)
	put, err := c.PutObject(t.Context(), bucket, "leaf", strings.NewReader("x"), 1,
		minio.PutObjectOptions{Mode: minio.Governance, RetainUntilDate: until})
	require.NoError(t, err)
	err = c.RemoveObject(t.Context(), bucket, "leaf", minio.RemoveObjectOptions{VersionID: put.VersionID})
	var refused minio.ErrorResponse
	require.True(t, errors.As(err, &refused), "%v", err)
	require.Contains(t, []int{http.StatusBadRequest, http.StatusForbidden}, refused.StatusCode, "%v", refused)
	stat, err := c.StatObject(t.Context(), bucket, "leaf", minio.StatObjectOptions{VersionID: put.VersionID})
	require.NoError(t, err)
	require.NotEmpty(t, stat.Metadata.Get("X-Amz-Object-Lock-Retain-Until-Date"), "it can be read off the object itself")
}

func TestTheDefaultRetentionOfABucket(t *testing.T) {
	t.Parallel()
	c, bucket := lockedBucket(t)
	mode, days, unit := minio.Governance, uint(1), minio.Days
	require.NoError(t, c.SetObjectLockConfig(t.Context(), bucket, &mode, &days, &unit))
	put, err := c.PutObject(t.Context(), bucket, "leaf", strings.NewReader("x"), 1, minio.PutObjectOptions{})
	require.NoError(t, err)
	stat, err := c.StatObject(t.Context(), bucket, "leaf", minio.StatObjectOptions{VersionID: put.VersionID})
	require.NoError(t, err)
	stamped := stat.Metadata.Get("X-Amz-Object-Lock-Retain-Until-Date") != ""
	require.Equal(t, stacktest.Can().StampRetention, stamped)
}

func lockedBucket(t *testing.T) (*minio.Client, string) {
	t.Helper()
	c, bucket := s3Client(t, stacktest.Shared(t)), stacktest.Bucket(t)
	require.NoError(t, c.MakeBucket(t.Context(), bucket, minio.MakeBucketOptions{ObjectLocking: true}))
	return c, bucket
}
