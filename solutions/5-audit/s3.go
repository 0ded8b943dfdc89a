package audit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
)

// S3 is an Archive in a bucket with object lock. Every object is locked for Retention from the moment it is put; the first
// version of an object is the object. So within that time nobody can take an object away or put another in
// its place: a delete marker hides the first version and a later version covers it, and this archive looks under both.
type S3 struct {
	Client    *minio.Client
	Bucket    string
	Prefix    string              // before every name, such as "audit/"; may be empty
	Mode      minio.RetentionMode // Compliance: nobody can shorten it. Governance: who has the right to bypass can. Empty is Compliance
	Retention time.Duration       // from Clock's time on
	Clock     func() time.Time
}

var _ Archive = (*S3)(nil)

// CreateBucket makes the bucket, with object lock, where there is none. A bucket that is there must have it.
func (s *S3) CreateBucket(ctx context.Context) error {
	err := s.Client.MakeBucket(ctx, s.Bucket, minio.MakeBucketOptions{ObjectLocking: true})
	switch minio.ToErrorResponse(err).Code {
	case minio.BucketAlreadyOwnedByYou, minio.BucketAlreadyExists:
	default:
		if err != nil {
			return fmt.Errorf("making the audit bucket %s: %w", s.Bucket, err)
		}
	}
	lock, _, _, _, err := s.Client.GetObjectLockConfig(ctx, s.Bucket)
	if err == nil && lock != "Enabled" {
		err = fmt.Errorf("it is %q", lock)
	}
	if err != nil {
		return fmt.Errorf("the audit bucket %s must have object lock: %w", s.Bucket, err)
	}
	return nil
}

// Put is Archive.Put.
func (s *S3) Put(ctx context.Context, name string, data []byte) error {
	opts := minio.PutObjectOptions{
		ContentType: "application/octet-stream",
		// Object lock asks for a digest of the body (S3 API, PutObject, Content-MD5).
		SendContentMd5: true,
		// A multipart upload is not conditional on every server.
		DisableMultipart: true,
		// The retention goes with each object: not every server stamps a bucket's default on what is put.
		Mode:            s.mode(),
		RetainUntilDate: s.Clock().Add(s.Retention),
	}
	opts.SetMatchETagExcept("*") // If-None-Match: * (RFC 9110, section 13.1.2)
	_, err := s.Client.PutObject(ctx, s.Bucket, s.Prefix+name, bytes.NewReader(data), int64(len(data)), opts)
	if err != nil && minio.ToErrorResponse(err).StatusCode == http.StatusPreconditionFailed {
		// Perhaps it was ours: the client sends a request again when the answer is lost. Callers compare what is there.
		return fmt.Errorf("%s: %w", name, ErrExists)
	}
	if err != nil {
		return fmt.Errorf("archiving %s: %w", name, err)
	}
	// The server takes an object under the name of a hidden one. And it may have taken other bytes than were sent.
	first, err := s.Get(ctx, name)
	if err != nil {
		return fmt.Errorf("reading back what was archived: %w", err)
	}
	if !bytes.Equal(first, data) {
		return fmt.Errorf("%s: under the object just put is another: %w", name, ErrExists)
	}
	return nil
}

func (s *S3) mode() minio.RetentionMode {
	if s.Mode == "" {
		return minio.Compliance
	}
	return s.Mode
}

// Get is Archive.Get.
func (s *S3) Get(ctx context.Context, name string) ([]byte, error) {
	version := ""
	err := s.versions(ctx, name, func(v minio.ObjectInfo) {
		if v.Key == s.Prefix+name {
			version = v.VersionID // newest first, so the last is the oldest
		}
	})
	if err != nil {
		return nil, err
	}
	if version == "" {
		return nil, fmt.Errorf("%s: %w", name, ErrAbsent)
	}
	object, err := s.Client.GetObject(ctx, s.Bucket, s.Prefix+name, minio.GetObjectOptions{VersionID: version})
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", name, err)
	}
	data, err := io.ReadAll(object)
	if err := errors.Join(err, object.Close()); err != nil {
		return nil, fmt.Errorf("reading %s: %w", name, err)
	}
	return data, nil
}

// List is Archive.List.
func (s *S3) List(ctx context.Context, prefix string) ([]string, error) {
	var names []string
	err := s.versions(ctx, prefix, func(v minio.ObjectInfo) {
		names = append(names, strings.TrimPrefix(v.Key, s.Prefix))
	})
	slices.Sort(names)
	return slices.Compact(names), err
}

// versions calls f with every version of the objects whose names begin with prefix, hidden ones too, but not with the
// delete markers that hide them. Versions of one object come newest first (S3 API, ListObjectVersions).
func (s *S3) versions(ctx context.Context, prefix string, f func(minio.ObjectInfo)) error {
	opts := minio.ListObjectsOptions{Prefix: s.Prefix + prefix, Recursive: true, WithVersions: true}
	for v := range s.Client.ListObjectsIter(ctx, s.Bucket, opts) {
		if v.Err != nil {
			return fmt.Errorf("listing %s in bucket %s: %w", prefix, s.Bucket, v.Err)
		}
		if !v.IsDeleteMarker {
			f(v)
		}
	}
	return nil
}
