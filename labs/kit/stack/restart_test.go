package stack_test

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"example.com/blotter/labs/kit/stack"
	"example.com/blotter/labs/kit/stack/stacktest"
	"github.com/jackc/pgx/v5"
	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"github.com/stretchr/testify/require"
)

func s3Client(t *testing.T, s stack.Stack) *minio.Client {
	t.Helper()
	at, err := s.S3(t.Context())
	require.NoError(t, err)
	c, err := minio.New(at.Endpoint, &minio.Options{
		Creds: credentials.NewStaticV4(at.AccessKey, at.SecretKey, ""), Region: at.Region, Secure: at.Secure,
	})
	require.NoError(t, err)
	return c
}

func connect(t *testing.T, s stack.Stack) *pgx.Conn {
	t.Helper()
	dsn, err := s.Postgres(t.Context())
	require.NoError(t, err)
	conn, err := pgx.Connect(t.Context(), dsn)
	require.NoError(t, err)
	return conn
}

func putLocked(t *testing.T, s stack.Stack) minio.UploadInfo {
	t.Helper()
	c := s3Client(t, s)
	require.NoError(t, c.MakeBucket(t.Context(), "archive", minio.MakeBucketOptions{ObjectLocking: true}))
	info, err := c.PutObject(t.Context(), "archive", "checkpoint", bytes.NewReader([]byte("root")), 4, minio.PutObjectOptions{
		Mode: minio.Compliance, RetainUntilDate: time.Now().Add(24 * time.Hour),
	})
	require.NoError(t, err)
	require.NotEmpty(t, info.VersionID)
	return info
}

func requireLocked(t *testing.T, s stack.Stack, info minio.UploadInfo) {
	t.Helper()
	c := s3Client(t, s)
	o, err := c.GetObject(t.Context(), "archive", "checkpoint", minio.GetObjectOptions{VersionID: info.VersionID})
	require.NoError(t, err)
	body, err := io.ReadAll(o)
	require.NoError(t, err)
	require.Equal(t, "root", string(body))
	err = c.RemoveObject(t.Context(), "archive", "checkpoint", minio.RemoveObjectOptions{VersionID: info.VersionID, GovernanceBypass: true})
	require.Error(t, err, "a locked version was deleted")
}

// TestPostgresAndS3Remember is the other half of TestKafkaRemembers and
// TestRegistryKeepsIDsAndLevels.
func TestPostgresAndS3Remember(t *testing.T) {
	t.Parallel()
	dir := stacktest.Dir(t)
	s := embedded(dir)
	conn := connect(t, s)
	_, err := conn.Exec(t.Context(), "CREATE TABLE t (n int); INSERT INTO t VALUES (42)")
	require.NoError(t, err)
	require.NoError(t, conn.Close(t.Context()))
	info := putLocked(t, s)
	require.NoError(t, s.Close())

	s = embedded(dir)
	defer func() { require.NoError(t, s.Close()) }()
	conn = connect(t, s)
	defer conn.Close(t.Context())
	var n int
	require.NoError(t, conn.QueryRow(t.Context(), "SELECT n FROM t").Scan(&n))
	require.Equal(t, 42, n)
	for _, setting := range []string{"fsync", "full_page_writes", "synchronous_commit"} {
		var v string
		require.NoError(t, conn.QueryRow(t.Context(), "SELECT current_setting($1)", setting).Scan(&v))
		require.Equal(t, "on", v, setting)
	}
	requireLocked(t, s, info)
}

// TestS3WithoutExtendedAttributes keeps metadata in files of its own, as on a file system that has
// nothing better.
func TestS3WithoutExtendedAttributes(t *testing.T) {
	t.Parallel()
	dir := stacktest.Dir(t)
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "s3", "sidecar"), 0o700))
	s := embedded(dir)
	info := putLocked(t, s)
	require.NoError(t, s.Close())
	s = embedded(dir)
	defer func() { require.NoError(t, s.Close()) }()
	requireLocked(t, s, info)
}

func TestOneWinnerOfAConditionalPut(t *testing.T) {
	t.Parallel()
	c := s3Client(t, stacktest.Shared(t))
	bucket := stacktest.Bucket(t)
	require.NoError(t, c.MakeBucket(t.Context(), bucket, minio.MakeBucketOptions{}))
	results := make(chan error)
	for range 8 {
		go func() {
			opt := minio.PutObjectOptions{DisableMultipart: true}
			opt.SetMatchETagExcept("*")
			_, err := c.PutObject(t.Context(), bucket, "name", bytes.NewReader([]byte("x")), 1, opt)
			results <- err
		}()
	}
	won := 0
	for range 8 {
		if <-results == nil {
			won++
		}
	}
	require.Equal(t, 1, won)
}
