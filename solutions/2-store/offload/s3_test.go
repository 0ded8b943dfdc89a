package offload_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/minio/minio-go/v7"
	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/2-store/storetest"
	"example.com/blotter/labs/kit/check"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/stack/stacktest"
	"example.com/blotter/solutions/2-store/offload"
)

func TestMain(m *testing.M) { stacktest.Main(m) }

func bucket(t *testing.T) offload.S3 {
	t.Helper()
	endpoint, options := stacktest.S3(t)
	client, err := minio.New(endpoint, options)
	require.NoError(t, err)
	s := offload.S3{Client: client, Bucket: stacktest.Bucket(t)}
	require.NoError(t, s.CreateBucket(t.Context()))
	require.NoError(t, s.CreateBucket(t.Context()), "the bucket exists already")
	return s
}

func TestS3(t *testing.T) {
	t.Parallel()
	check.Run(t, storetest.Objects(func(ct check.T) (contract.Blobs, func([32]byte, []byte)) {
		s := bucket(t)
		return s, func(digest [32]byte, data []byte) {
			name, body := "sha256/"+hex.EncodeToString(digest[:]), bytes.NewReader(data)
			_, err := s.Client.PutObject(ct.Context(), s.Bucket, name, body, int64(len(data)),
				minio.PutObjectOptions{})
			require.NoError(ct, err)
		}
	}))
}

// The answer to a write is lost; the write landed, or it did not. The client writes again. If the
// first write landed, the second one finds the object there.
func TestPutAfterALostAnswer(t *testing.T) {
	t.Parallel()
	for _, landed := range []bool{true, false} {
		s := bucket(t)
		endpoint, options := stacktest.S3(t)
		lossy := &loseFirstPut{next: options.Transport, landed: landed}
		options.Transport = lossy
		client, err := minio.New(endpoint, options)
		require.NoError(t, err)
		s.Client = client
		data := []byte("a payload")
		digest, err := s.Put(t.Context(), data)
		if err != nil { // the client gave up: the caller tries again
			digest, err = s.Put(t.Context(), data)
		}
		require.NoError(t, err)
		require.Equal(t, sha256.Sum256(data), digest)
		require.True(t, lossy.lost.Load())
		got, err := s.Get(t.Context(), digest)
		require.NoError(t, err)
		require.Equal(t, data, got)
	}
}

// loseFirstPut loses the answer to the first write of an object. If landed is false, it does not
// send the write either.
type loseFirstPut struct {
	next   http.RoundTripper
	landed bool
	lost   atomic.Bool
}

func (l *loseFirstPut) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method != http.MethodPut || l.lost.Swap(true) {
		return l.next.RoundTrip(r)
	}
	if l.landed {
		answer, err := l.next.RoundTrip(r)
		if err != nil {
			return nil, err
		}
		answer.Body.Close()
	}
	return nil, errors.New("the answer is lost")
}

// A storage error says nothing about the object, so it must not be ErrNoBlob.
func TestStorageErrorIsNotErrNoBlob(t *testing.T) {
	t.Parallel()
	s := bucket(t)
	s.Bucket += "-none"
	_, err := s.Get(t.Context(), sha256.Sum256(nil))
	require.ErrorContains(t, err, s.Bucket)
	require.NotErrorIs(t, err, contract.ErrNoBlob)
	_, err = s.Put(t.Context(), []byte("x"))
	require.ErrorContains(t, err, s.Bucket)
}
