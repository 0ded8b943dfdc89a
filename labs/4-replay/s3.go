// Code generated from solutions/4-replay/plain/s3.go by make generate; DO NOT EDIT.

package replay

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"

	"example.com/blotter/labs/kit/contract"
)

// S3 is contract.Objects in a bucket with versioning and object lock, which CreateBucket creates.
// It is safe for use by many goroutines and processes.
//
// Each object is locked for Retention from the moment it is put. The first version of an object
// counts. Within the retention nobody can therefore remove a snapshot or change its cursor: a
// delete marker or a later version only hides the first version, and this client reads the first
// version. After the retention, a person who may delete versions can do both. The digest shows a
// changed state. The event that records the snapshot in the log (trade.SnapshotTaken) shows the
// rest: a changed manifest, a missing snapshot, and an additional one.
type S3 struct {
	Client    *minio.Client
	Bucket    string
	Mode      minio.RetentionMode // empty is Compliance: nobody can shorten the retention
	Retention time.Duration       // from Clock's time on; more than 0
	Clock     func() time.Time
}

var _ contract.Objects = (*S3)(nil)

// Put is one PUT, because some servers ignore the condition on a multipart upload. If a delete
// marker hides an object, the server accepts another object. Get ignores that one: it is not the
// first version.
func (o *S3) Put(ctx context.Context, key string, content []byte) error {
	options := minio.PutObjectOptions{
		ContentType: contentType(key), DisableMultipart: true,
		SendContentMd5: true, // object lock requires it (S3 API, PutObject, Content-MD5)
		// The client signs content in chunks. Even for empty content it sends a last, empty chunk,
		// after a length of 0. The server would read this chunk as a second request. The state of
		// a log without events is empty.
		DisableContentSha256: len(content) == 0,
		// Each object states its retention: some servers do not apply a bucket's default.
		Mode: cmp.Or(o.Mode, minio.Compliance), RetainUntilDate: o.Clock().Add(o.Retention),
	}
	options.SetMatchETagExcept("*") // If-None-Match: * (RFC 9110, section 13.1.2)
	body := bytes.NewReader(content)
	_, err := o.Client.PutObject(ctx, o.Bucket, key, body, int64(len(content)), options)
	if minio.ToErrorResponse(err).StatusCode == http.StatusPreconditionFailed {
		return fmt.Errorf("object %s: %w", key, contract.ErrObjectExists)
	}
	return err
}

func contentType(key string) string {
	if strings.HasSuffix(key, ".jsonl") {
		return "application/jsonl"
	}
	return "application/json"
}

// Get returns the first version of an object.
func (o *S3) Get(ctx context.Context, key string) ([]byte, error) {
	first := ""
	err := o.versions(ctx, key, func(v minio.ObjectInfo) {
		if v.Key == key {
			first = v.VersionID // versions come newest first: the last one is the oldest
		}
	})
	if err != nil {
		return nil, err
	}
	if first == "" {
		return nil, fmt.Errorf("object %s: %w", key, contract.ErrNoObject)
	}
	options := minio.GetObjectOptions{VersionID: first}
	object, err := o.Client.GetObject(ctx, o.Bucket, key, options)
	if err != nil {
		return nil, err
	}
	defer object.Close()
	return io.ReadAll(object)
}

// List returns the keys that begin with prefix, sorted. It includes hidden objects.
func (o *S3) List(ctx context.Context, prefix string) ([]string, error) {
	var keys []string
	err := o.versions(ctx, prefix, func(v minio.ObjectInfo) { keys = append(keys, v.Key) })
	slices.Sort(keys)
	return slices.Compact(keys), err
}

// versions calls f with every version of the objects whose keys begin with prefix. It leaves out
// delete markers. Versions of one object come newest first (S3 API, ListObjectVersions).
func (o *S3) versions(ctx context.Context, prefix string, f func(minio.ObjectInfo)) error {
	options := minio.ListObjectsOptions{Prefix: prefix, Recursive: true, WithVersions: true}
	for v := range o.Client.ListObjectsIter(ctx, o.Bucket, options) {
		if v.Err != nil {
			return v.Err
		}
		if !v.IsDeleteMarker {
			f(v)
		}
	}
	return nil
}

// CreateBucket creates the bucket with object lock, which includes versioning. An existing bucket
// must have object lock.
func (o *S3) CreateBucket(ctx context.Context) error {
	err := o.Client.MakeBucket(ctx, o.Bucket, minio.MakeBucketOptions{ObjectLocking: true})
	if err != nil && minio.ToErrorResponse(err).Code != minio.BucketAlreadyOwnedByYou {
		return fmt.Errorf("make bucket %s: %w", o.Bucket, err)
	}
	lock, _, _, _, err := o.Client.GetObjectLockConfig(ctx, o.Bucket)
	if err == nil && lock != "Enabled" {
		err = fmt.Errorf("object lock is %q", lock)
	}
	if err != nil {
		return fmt.Errorf("bucket %s must have object lock: %w", o.Bucket, err)
	}
	return nil
}
