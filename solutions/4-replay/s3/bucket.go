package s3

import (
	"context"
	"fmt"

	"github.com/minio/minio-go/v7"
)

// EnsureBucket makes the bucket with object lock, and so with versioning (a locked bucket always has it), unless
// it is there.
func EnsureBucket(ctx context.Context, client *minio.Client, bucket string) error {
	err := client.MakeBucket(ctx, bucket, minio.MakeBucketOptions{ObjectLocking: true})
	switch minio.ToErrorResponse(err).Code {
	case minio.BucketAlreadyOwnedByYou, minio.BucketAlreadyExists:
		return nil
	}
	if err != nil {
		return fmt.Errorf("make bucket %s: %w", bucket, err)
	}
	return nil
}
