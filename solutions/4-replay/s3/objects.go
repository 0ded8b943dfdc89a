package s3

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"

	"github.com/minio/minio-go/v7"
)

// errAbsent is the error for an object without a version.
var errAbsent = errors.New("no such object")

// create puts an object if no object has its key, and otherwise changes nothing. It is one PUT,
// because some servers ignore the condition on a multipart upload. If a delete marker hides an
// object, the server accepts another object. This archive ignores it: it is not the first version.
func (a *Snapshots) create(ctx context.Context, key, mime string, content []byte) error {
	options := minio.PutObjectOptions{
		ContentType: mime, DisableMultipart: true,
		SendContentMd5: true, // object lock requires it (S3 API, PutObject, Content-MD5)
		// The client signs content in chunks. Even for empty content it sends a last, empty chunk,
		// after a length of 0. The server would read this chunk as a second request. The state of
		// a log without events is empty.
		DisableContentSha256: len(content) == 0,
		// Each object states its retention: some servers do not apply a bucket's default.
		Mode: cmp.Or(a.Mode, minio.Compliance), RetainUntilDate: a.Clock().Add(a.Retention),
	}
	options.SetMatchETagExcept("*") // If-None-Match: * (RFC 9110, section 13.1.2)
	body := bytes.NewReader(content)
	_, err := a.Client.PutObject(ctx, a.Bucket, key, body, int64(len(content)), options)
	if minio.ToErrorResponse(err).StatusCode == http.StatusPreconditionFailed {
		return nil
	}
	return err
}

// read returns the first version of an object, or errAbsent.
func (a *Snapshots) read(ctx context.Context, key string) ([]byte, error) {
	first := ""
	err := a.versions(ctx, key, func(v minio.ObjectInfo) {
		if v.Key == key {
			first = v.VersionID // versions come newest first: the last one is the oldest
		}
	})
	if err != nil {
		return nil, err
	}
	if first == "" {
		return nil, errAbsent
	}
	options := minio.GetObjectOptions{VersionID: first}
	object, err := a.Client.GetObject(ctx, a.Bucket, key, options)
	if err != nil {
		return nil, err
	}
	defer object.Close()
	return io.ReadAll(object)
}

// keys returns the keys with a prefix, sorted. It includes hidden objects.
func (a *Snapshots) keys(ctx context.Context, prefix string) ([]string, error) {
	var keys []string
	err := a.versions(ctx, prefix, func(v minio.ObjectInfo) { keys = append(keys, v.Key) })
	slices.Sort(keys)
	return slices.Compact(keys), err
}

// versions calls f with every version of the objects whose keys begin with prefix. It leaves out
// delete markers. Versions of one object come newest first (S3 API, ListObjectVersions).
func (a *Snapshots) versions(ctx context.Context, prefix string, f func(minio.ObjectInfo)) error {
	options := minio.ListObjectsOptions{Prefix: prefix, Recursive: true, WithVersions: true}
	for v := range a.Client.ListObjectsIter(ctx, a.Bucket, options) {
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
func (a *Snapshots) CreateBucket(ctx context.Context) error {
	err := a.Client.MakeBucket(ctx, a.Bucket, minio.MakeBucketOptions{ObjectLocking: true})
	if err != nil && minio.ToErrorResponse(err).Code != minio.BucketAlreadyOwnedByYou {
		return fmt.Errorf("make bucket %s: %w", a.Bucket, err)
	}
	lock, _, _, _, err := a.Client.GetObjectLockConfig(ctx, a.Bucket)
	if err == nil && lock != "Enabled" {
		err = fmt.Errorf("object lock is %q", lock)
	}
	if err != nil {
		return fmt.Errorf("bucket %s must have object lock: %w", a.Bucket, err)
	}
	return nil
}
