package offload

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	"github.com/minio/minio-go/v7"

	"example.com/blotter/labs/kit/contract"
)

// S3 is object storage in an existing bucket (see CreateBucket). The name of an object is "sha256/"
// and its digest in hexadecimal.
type S3 struct {
	Client *minio.Client
	Bucket string
}

var _ contract.Blobs = S3{}

// CreateBucket creates the bucket unless it exists. The bucket has object lock, and so versions: a
// replaced object can be found again.
func (s S3) CreateBucket(ctx context.Context) error {
	err := s.Client.MakeBucket(ctx, s.Bucket, minio.MakeBucketOptions{ObjectLocking: true})
	if err != nil && minio.ToErrorResponse(err).Code != minio.BucketAlreadyOwnedByYou {
		return fmt.Errorf("make bucket %s: %w", s.Bucket, err)
	}
	return nil
}

// Put lets the server decide whether the object exists (If-None-Match, RFC 9110, section 13.1.2).
// So a retry after a lost answer does not write it twice, and neither do concurrent writers. Put
// reads an existing object, and replaces it if it differs from data.
func (s S3) Put(ctx context.Context, data []byte) ([32]byte, error) {
	digest := sha256.Sum256(data)
	var absent minio.PutObjectOptions
	absent.SetMatchETagExcept("*")
	err := s.put(ctx, digest, data, absent)
	if minio.ToErrorResponse(err).Code == minio.PreconditionFailed {
		err = s.replaceIfDamaged(ctx, digest, data)
	}
	if err != nil {
		return digest, fmt.Errorf("put object %s/%s: %w", s.Bucket, name(digest), err)
	}
	return digest, nil
}

func (s S3) replaceIfDamaged(ctx context.Context, digest [32]byte, data []byte) error {
	found, err := s.Get(ctx, digest)
	if err == nil && bytes.Equal(found, data) {
		return nil
	}
	if err != nil && !errors.Is(err, contract.ErrNoBlob) {
		return err
	}
	return s.put(ctx, digest, data, minio.PutObjectOptions{})
}

func (s S3) put(
	ctx context.Context, digest [32]byte, data []byte, opts minio.PutObjectOptions,
) error {
	opts.ContentType = "application/octet-stream"
	opts.DisableMultipart = true // servers ignore If-None-Match in a multipart upload
	body, size := bytes.NewReader(data), int64(len(data))
	_, err := s.Client.PutObject(ctx, s.Bucket, name(digest), body, size, opts)
	return err
}

// Get reads at most MaxOffload+1 bytes. More bytes cannot be a valid payload, and would only take
// memory.
func (s S3) Get(ctx context.Context, digest [32]byte) ([]byte, error) {
	object, err := s.Client.GetObject(ctx, s.Bucket, name(digest), minio.GetObjectOptions{})
	if err != nil {
		return nil, fmt.Errorf("get object %s/%s: %w", s.Bucket, name(digest), err)
	}
	defer object.Close()
	data, err := io.ReadAll(io.LimitReader(object, contract.MaxOffload+1))
	if minio.ToErrorResponse(err).Code == minio.NoSuchKey {
		return nil, fmt.Errorf("%w: %s/%s", contract.ErrNoBlob, s.Bucket, name(digest))
	}
	if err != nil {
		return nil, fmt.Errorf("get object %s/%s: %w", s.Bucket, name(digest), err)
	}
	return data, nil
}

func name(digest [32]byte) string { return "sha256/" + hex.EncodeToString(digest[:]) }
