package s3_test

import (
	"bytes"
	"strings"
	"testing"

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

func overwrite(t check.T, a *s3.Snapshots, key string, content []byte) {
	_, err := a.Client.PutObject(t.Context(), a.Bucket, key, bytes.NewReader(content), int64(len(content)), minio.PutObjectOptions{SendContentMd5: true})
	require.NoError(t, err)
}
