package s3

import (
	"context"
	"fmt"

	"github.com/minio/minio-go/v7"
)

// CreateBucket makes the bucket, unless it is there: with object lock, and so with versioning, which a locked bucket always has. A bucket
// that is there must have it.
func (a *Snapshots) CreateBucket(ctx context.Context) error {
	err := a.Client.MakeBucket(ctx, a.Bucket, minio.MakeBucketOptions{ObjectLocking: true})
	if err != nil && minio.ToErrorResponse(err).Code != minio.BucketAlreadyOwnedByYou {
		return fmt.Errorf("make bucket %s: %w", a.Bucket, err)
	}
	lock, _, _, _, err := a.Client.GetObjectLockConfig(ctx, a.Bucket)
	if err == nil && lock != "Enabled" {
		err = fmt.Errorf("it is %q", lock)
	}
	if err != nil {
		return fmt.Errorf("bucket %s must have object lock: %w", a.Bucket, err)
	}
	return nil
}
