package replay_test

import (
	"context"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/4-replay/replaytest"
	"example.com/blotter/labs/kit/check"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/stack/stacktest"
	replay "example.com/blotter/solutions/4-replay/plain"
)

func TestMain(m *testing.M) { stacktest.Main(m) }

func TestLab4(t *testing.T) {
	check.Run(t, replaytest.Lab(replaytest.Answer{
		Compare: replay.Compare, Bisect: replay.Bisect,
		Replayer: func(c contract.Codec) replaytest.Replayer { return replay.New(c) },
		Archive: func(o contract.Objects) contract.Snapshots {
			return &replay.Snapshots{Objects: o}
		},
		Memory: func(check.T) replaytest.Storage {
			m := &replay.Memory{}
			return replaytest.Storage{
				Objects: m,
				Tamper:  func(_ check.T, key string, content []byte) { m.Tamper(key, content) },
			}
		},
		S3: inBucket(t),
	}))
}

// inBucket returns a function that makes a bucket, whose locks the checks may bypass.
func inBucket(t *testing.T) func(check.T) replaytest.Storage {
	return func(ct check.T) replaytest.Storage {
		endpoint, options := stacktest.S3(t)
		client, err := minio.New(endpoint, options)
		require.NoError(ct, err)
		o := &replay.S3{
			Client: client, Bucket: stacktest.Bucket(t), Mode: minio.Governance,
			Retention: time.Hour, Clock: time.Now,
		}
		require.NoError(ct, o.CreateBucket(ct.Context()))
		return replaytest.Storage{Objects: o, Tamper: func(ct check.T, key string,
			content []byte) {
			tamper(ct, o, key, content)
		}}
	}
}

// tamper replaces an object as a person does who may bypass its lock. Nil removes it.
func tamper(t check.T, o *replay.S3, key string, content []byte) {
	remove(t, o, key)
	if content != nil {
		require.NoError(t, o.Put(t.Context(), key, content))
	}
}

// remove removes an object with all its versions.
func remove(t interface {
	require.TestingT
	Context() context.Context
}, o *replay.S3, key string) {
	versions := minio.ListObjectsOptions{Prefix: key, WithVersions: true}
	for v := range o.Client.ListObjectsIter(t.Context(), o.Bucket, versions) {
		require.NoError(t, v.Err)
		bypass := minio.RemoveObjectOptions{VersionID: v.VersionID, GovernanceBypass: true}
		require.NoError(t, o.Client.RemoveObject(t.Context(), o.Bucket, v.Key, bypass))
	}
}
