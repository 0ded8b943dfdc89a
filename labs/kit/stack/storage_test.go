package stack_test

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/minio/minio-go/v7"
	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/kit/stack"
	"example.com/blotter/labs/kit/stack/stacktest"
)

func s3Client(t *testing.T, s stack.Stack) *minio.Client {
	t.Helper()
	at, err := s.S3(t.Context())
	require.NoError(t, err)
	c, err := at.Client()
	require.NoError(t, err)
	return c
}

func connect(t *testing.T, s stack.Stack) *pgx.Conn {
	t.Helper()
	at, err := s.Postgres(t.Context())
	require.NoError(t, err)
	conn, err := pgx.Connect(t.Context(), at.MigrationDSN)
	require.NoError(t, err)
	return conn
}

// putLocked stores one locked object in a new bucket "archive".
func putLocked(t *testing.T, s stack.Stack) minio.UploadInfo {
	t.Helper()
	c := s3Client(t, s)
	bucket := minio.MakeBucketOptions{ObjectLocking: true}
	require.NoError(t, c.MakeBucket(t.Context(), "archive", bucket))
	object := minio.PutObjectOptions{
		Mode: minio.Compliance, RetainUntilDate: time.Now().Add(24 * time.Hour),
	}
	root := bytes.NewReader([]byte("root"))
	info, err := c.PutObject(t.Context(), "archive", "checkpoint", root, 4, object)
	require.NoError(t, err)
	require.NotEmpty(t, info.VersionID)
	return info
}

// requireLocked reads the object of putLocked, and fails to delete it.
func requireLocked(t *testing.T, s stack.Stack, info minio.UploadInfo) {
	t.Helper()
	c := s3Client(t, s)
	version := minio.GetObjectOptions{VersionID: info.VersionID}
	o, err := c.GetObject(t.Context(), "archive", "checkpoint", version)
	require.NoError(t, err)
	body, err := io.ReadAll(o)
	require.NoError(t, err)
	require.Equal(t, "root", string(body))
	removal := minio.RemoveObjectOptions{VersionID: info.VersionID, GovernanceBypass: true}
	err = c.RemoveObject(t.Context(), "archive", "checkpoint", removal)
	require.Error(t, err, "a locked version was deleted")
}

// TestPostgresAndS3Restart checks the data after an orderly restart, as TestKafkaRestart and
// TestRegistryKeepsIDsAndLevels do for the other components.
func TestPostgresAndS3Restart(t *testing.T) {
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
		row := conn.QueryRow(t.Context(), "SELECT current_setting($1)", setting)
		require.NoError(t, row.Scan(&v))
		require.Equal(t, "on", v, setting)
	}
	requireLocked(t, s, info)
}

// On a file system without extended attributes the gateway keeps metadata in files.
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

// Of several conditional PUTs of one name, one succeeds.
func TestConditionalPut(t *testing.T) {
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
	succeeded := 0
	for range 8 {
		if <-results == nil {
			succeeded++
		}
	}
	require.Equal(t, 1, succeeded)
}
