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

// S3 is an Archive in a bucket with object lock. Every object is locked for Retention from the
// moment it is put. The first version of an object counts. Within the retention nobody can
// therefore remove or replace an object: a delete marker or a later version only hides the first
// version, and this archive reads the first version.
type S3 struct {
	Client    *minio.Client
	Bucket    string
	Prefix    string              // before every name, such as "audit/"; may be empty
	Mode      minio.RetentionMode // empty is Compliance: nobody can shorten the retention
	Retention time.Duration       // from Clock's time on
	Clock     func() time.Time
}

var _ Locker = (*S3)(nil)

// CreateBucket creates the bucket with object lock. An existing bucket must have object lock.
func (s *S3) CreateBucket(ctx context.Context) error {
	err := s.Client.MakeBucket(ctx, s.Bucket, minio.MakeBucketOptions{ObjectLocking: true})
	switch minio.ToErrorResponse(err).Code {
	case minio.BucketAlreadyOwnedByYou, minio.BucketAlreadyExists:
	default:
		if err != nil {
			return fmt.Errorf("making the audit bucket %s: %w", s.Bucket, err)
		}
	}
	return s.CheckBucket(ctx)
}

// ErrUnlocked means that the bucket of an archive does not lock objects. Whoever may write to it
// can remove and replace them.
var ErrUnlocked = errors.New("the audit bucket has no object lock")

// CheckBucket refuses a bucket without object lock. It writes nothing.
func (s *S3) CheckBucket(ctx context.Context) error {
	lock, _, _, _, err := s.Client.GetObjectLockConfig(ctx, s.Bucket)
	switch {
	case minio.ToErrorResponse(err).Code == "ObjectLockConfigurationNotFoundError",
		err == nil && lock != "Enabled":
		return fmt.Errorf("%w: %s", ErrUnlocked, s.Bucket)
	case err != nil:
		return fmt.Errorf("examining the lock of the audit bucket %s: %w", s.Bucket, err)
	}
	return nil
}

// Put implements Archive.
func (s *S3) Put(ctx context.Context, name string, data []byte) error {
	return s.PutUntil(ctx, name, data, time.Time{})
}

// PutUntil implements Locker. The lock is a part of the one PUT: no crash leaves the object without
// it.
func (s *S3) PutUntil(
	ctx context.Context, name string, data []byte, until time.Time,
) error {
	if least := s.Clock().Add(s.Retention); until.Before(least) {
		until = least
	}
	if size := int64(len(data)); size > largest(name) { // nobody would read it
		return fmt.Errorf("%s: %w: %d bytes", name, errSize, size)
	}
	opts := minio.PutObjectOptions{
		ContentType: "application/octet-stream",
		// Object lock requires a digest of the body (S3 API, PutObject, Content-MD5).
		SendContentMd5: true,
		// Some servers ignore the condition on a multipart upload.
		DisableMultipart: true,
		// Each object states its retention: some servers do not apply a bucket's default.
		Mode:            s.mode(),
		RetainUntilDate: until,
	}
	opts.SetMatchETagExcept("*") // If-None-Match: * (RFC 9110, section 13.1.2)
	body := bytes.NewReader(data)
	put, err := s.Client.PutObject(ctx, s.Bucket, s.Prefix+name, body, int64(len(data)), opts)
	if err != nil && minio.ToErrorResponse(err).StatusCode == http.StatusPreconditionFailed {
		// The object may be ours: the client repeats a request whose answer is lost. Callers
		// compare the archived object with their own.
		return fmt.Errorf("%s: %w", name, ErrExists)
	}
	// A server that keeps objects as files refuses a name that is the folder of other objects. This
	// is versitygw's code.
	if err != nil && minio.ToErrorResponse(err).Code == "ExistingObjectIsDirectory" {
		return fmt.Errorf("%s: %w", name, errFolder)
	}
	if err != nil {
		return fmt.Errorf("archiving %s: %w", name, err)
	}
	// The server accepts an object under the name of a hidden one. It may also have stored other
	// bytes than were sent.
	version, err := s.first(ctx, name)
	var first []byte
	if err == nil {
		first, err = s.read(ctx, name, version)
	}
	// An object of ours that cannot be read is no foreign one. Under the next name it would be a
	// second object of its slot, and a second tree could follow.
	hidden := isForeign(err) && put.VersionID != "" && put.VersionID != version.VersionID
	if err != nil && !hidden {
		return fmt.Errorf("reading back %s: %w", name, err)
	}
	if hidden || !bytes.Equal(first, data) {
		return fmt.Errorf("%s: a hidden object has this name: %w", name, ErrExists)
	}
	return nil
}

func (s *S3) mode() minio.RetentionMode {
	if s.Mode == "" {
		return minio.Compliance
	}
	return s.Mode
}

// Get implements Archive.
func (s *S3) Get(ctx context.Context, name string) ([]byte, error) {
	version, err := s.first(ctx, name)
	if err != nil {
		return nil, err
	}
	return s.read(ctx, name, version)
}

// first returns the first version of an object, or ErrAbsent.
func (s *S3) first(ctx context.Context, name string) (first minio.ObjectInfo, err error) {
	err = s.versions(ctx, name, "", func(v minio.ObjectInfo) {
		if v.Key == s.Prefix+name {
			first = v // versions come newest first: the last one is the oldest
		}
	})
	if err == nil && first.Key == "" {
		err = ErrAbsent
	}
	return first, err
}

// read returns the bytes of one version of an object. errSize and errRefused are the errors of a
// foreign one.
func (s *S3) read(ctx context.Context, name string, version minio.ObjectInfo) ([]byte, error) {
	if version.Size > largest(name) {
		return nil, fmt.Errorf("%w: %d bytes", errSize, version.Size)
	}
	opts := minio.GetObjectOptions{VersionID: version.VersionID}
	object, err := s.Client.GetObject(ctx, s.Bucket, s.Prefix+name, opts)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(object)
	if err := errors.Join(err, object.Close()); refused(err) {
		return nil, fmt.Errorf("%w: %w", errRefused, err)
	} else if err != nil {
		return nil, err
	}
	return data, nil
}

// Replace implements Archive. The object is not locked.
func (s *S3) Replace(ctx context.Context, name string, data []byte) error {
	opts := minio.PutObjectOptions{
		ContentType: "text/plain; charset=utf-8", CacheControl: "no-cache",
		SendContentMd5: true, DisableMultipart: true,
	}
	body := bytes.NewReader(data)
	_, err := s.Client.PutObject(ctx, s.Bucket, s.Prefix+name, body, int64(len(data)), opts)
	if err != nil {
		return fmt.Errorf("replacing %s: %w", name, err)
	}
	return nil
}

// Current implements Archive.
func (s *S3) Current(ctx context.Context, name string) ([]byte, error) {
	info, err := s.Client.StatObject(ctx, s.Bucket, s.Prefix+name, minio.StatObjectOptions{})
	if minio.ToErrorResponse(err).StatusCode == http.StatusNotFound {
		return nil, ErrAbsent
	}
	if err != nil {
		return nil, err
	}
	return s.read(ctx, name, info)
}

// Errors of foreign objects that are not read.
var (
	errSize    = errors.New("no object of an archive is as large")
	errRefused = errors.New("the server does not hand the object out")
)

// refused reports whether a server answered that the writer of this one object chose a storage
// class or a key that keeps others from reading it: InvalidObjectState for an archived class (S3
// API, GetObject), InvalidRequest for a key of the writer's own (SSE-C). A sealer chooses neither.
// Every other error may be a fault of the server or of the settings, and then concern objects of
// the sealer. InvalidRequest has other causes, and the servers tell SSE-C apart only in the text.
func refused(err error) bool {
	answer := new(minio.ErrorResponse)
	if !errors.As(err, answer) {
		return false
	}
	return answer.Code == "InvalidObjectState" || answer.Code == "InvalidRequest" &&
		strings.Contains(strings.ToLower(answer.Message), "server side encryption")
}

// largest returns a size in bytes that no object of a sealer exceeds. A bundle of 256 leaves of
// contract.MaxLeaf bytes is smaller, and so is the header of DefaultBatch events.
func largest(name string) int64 {
	switch {
	case strings.HasPrefix(name, lastCheckpoint), strings.HasPrefix(name, cosignatureNames),
		strings.HasPrefix(name, signerNames):
		return 64 << 10
	case strings.HasPrefix(name, recordNames):
		return maxBodies + 32<<20 // for the schemas and lengths
	}
	return 32 << 20
}

// Times returns when the objects whose names begin with prefix were put, by the server's clock.
func (s *S3) Times(ctx context.Context, prefix string) (map[string]time.Time, error) {
	times := map[string]time.Time{}
	err := s.versions(ctx, prefix, "", func(v minio.ObjectInfo) {
		times[strings.TrimPrefix(v.Key, s.Prefix)] = v.LastModified // the last one is the oldest
	})
	return times, listing(prefix, err)
}

// List implements Archive.
func (s *S3) List(ctx context.Context, prefix string) ([]string, error) {
	return s.ListAfter(ctx, prefix, "")
}

// ListAfter implements Archive.
func (s *S3) ListAfter(ctx context.Context, prefix, after string) ([]string, error) {
	var names []string
	err := s.versions(ctx, prefix, after, func(v minio.ObjectInfo) {
		names = append(names, strings.TrimPrefix(v.Key, s.Prefix))
	})
	slices.Sort(names)
	return slices.Compact(names), listing(prefix, err)
}

// listing returns the error of a list, with its prefix.
func listing(prefix string, err error) error {
	if err != nil && prefix != "" {
		return fmt.Errorf("listing %s: %w", prefix, err)
	}
	return err
}

// versions calls f with every version of the objects whose names begin with prefix and come after
// another name. It includes hidden objects and leaves out delete markers. Versions of one object
// come newest first (S3 API, ListObjectVersions).
func (s *S3) versions(
	ctx context.Context, prefix, after string, f func(minio.ObjectInfo),
) error {
	opts := minio.ListObjectsOptions{Prefix: s.Prefix + prefix, Recursive: true, WithVersions: true}
	if after != "" {
		opts.StartAfter = s.Prefix + after
	}
	for v := range s.Client.ListObjectsIter(ctx, s.Bucket, opts) {
		if v.Err != nil {
			return fmt.Errorf("listing bucket %s: %w", s.Bucket, v.Err)
		}
		if !v.IsDeleteMarker {
			f(v)
		}
	}
	return nil
}
