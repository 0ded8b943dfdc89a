package governance

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
)

// Locks are the locks and legal-hold flags of the objects in a bucket with object lock.
type Locks struct {
	Client *minio.Client
	Bucket string
	Mode   minio.RetentionMode // of new locks
	// Newest: the last version of an object is the one that counts, as for payloads. It is the
	// first one for an archive.
	Newest bool
}

// Find returns the version of an object that counts, with its lock and its flag.
func (l Locks) Find(ctx context.Context, name string) (o Object, err error) {
	opts := minio.ListObjectsOptions{Prefix: name, Recursive: true, WithVersions: true}
	for v := range l.Client.ListObjectsIter(ctx, l.Bucket, opts) {
		if v.Err != nil {
			return o, fmt.Errorf("list the versions of %s: %w", name, v.Err)
		}
		if v.Key == name && !v.IsDeleteMarker && (o.Name == "" || !l.Newest) {
			o = Object{Name: name, Version: v.VersionID, Size: v.Size} // newest first
		}
	}
	if o.Name == "" {
		return o, nil
	}
	// The headers, since servers differ in the answer to GetObjectRetention.
	info, err := l.Client.StatObject(ctx, l.Bucket, name,
		minio.StatObjectOptions{VersionID: o.Version})
	if err != nil {
		return o, fmt.Errorf("read the lock of %s: %w", name, err)
	}
	o.Held = strings.EqualFold(info.Metadata.Get("X-Amz-Object-Lock-Legal-Hold"), "ON")
	if text := info.Metadata.Get("X-Amz-Object-Lock-Retain-Until-Date"); text != "" {
		if o.Until, err = time.Parse(time.RFC3339, text); err != nil {
			return o, fmt.Errorf("the lock of %s: %w", name, err)
		}
	}
	return o, nil
}

// Names returns the names of the objects that begin with prefix, sorted. A bucket that does not
// exist has none.
func (l Locks) Names(ctx context.Context, prefix string) (all []string, err error) {
	opts := minio.ListObjectsOptions{Prefix: prefix, Recursive: true, WithVersions: true}
	for v := range l.Client.ListObjectsIter(ctx, l.Bucket, opts) {
		if minio.ToErrorResponse(v.Err).Code == minio.NoSuchBucket {
			return nil, nil
		}
		if v.Err != nil {
			return nil, fmt.Errorf("list the objects of %s: %w", l.Bucket, v.Err)
		}
		if !v.IsDeleteMarker {
			all = append(all, v.Key)
		}
	}
	slices.Sort(all)
	return slices.Compact(all), nil
}

// Extend locks an object until a time. It never shortens a lock. The zero time asks for none.
func (l Locks) Extend(ctx context.Context, o Object, until time.Time) error {
	until = until.UTC().Truncate(time.Second)
	if !until.After(o.Until) {
		return nil
	}
	mode := l.Mode
	err := l.Client.PutObjectRetention(ctx, l.Bucket, o.Name, minio.PutObjectRetentionOptions{
		VersionID: o.Version, Mode: &mode, RetainUntilDate: &until})
	if err != nil {
		return fmt.Errorf("extend the lock of %s: %w", o.Name, err)
	}
	return nil
}

// Earlier returns the earlier of our time and the server's: a clock that jumps ahead removes
// nothing, and locks nothing for a century. A bucket without an object gives our time.
func (l Locks) Earlier(ctx context.Context, ours time.Time) (time.Time, error) {
	if l.Client == nil {
		return ours, nil // nothing was ever sealed
	}
	opts := minio.ListObjectsOptions{Recursive: true, WithVersions: true}
	for v := range l.Client.ListObjectsIter(ctx, l.Bucket, opts) {
		if v.Err != nil {
			return ours, fmt.Errorf("ask for the server's time: %w", v.Err)
		}
		if v.IsDeleteMarker {
			continue
		}
		at, err := l.Now(ctx, Object{Name: v.Key, Version: v.VersionID})
		if err != nil || at.Before(ours) {
			return at, err
		}
		break
	}
	return ours, nil
}

// Now returns the time by the server's clock, from its answer to a read of an object (the header
// Date, RFC 9110, section 6.6.1).
func (l Locks) Now(ctx context.Context, o Object) (time.Time, error) {
	in, _, header, err := (&minio.Core{Client: l.Client}).GetObject(ctx, l.Bucket, o.Name,
		minio.GetObjectOptions{VersionID: o.Version})
	if err != nil {
		return time.Time{}, fmt.Errorf("ask for the server's time: %w", err)
	}
	at, err := http.ParseTime(header.Get("Date"))
	if err := errors.Join(err, in.Close()); err != nil {
		return at, fmt.Errorf("ask for the server's time: %w", err)
	}
	return at, nil
}

// Flag sets or clears the legal-hold flag of an object.
func (l Locks) Flag(ctx context.Context, o Object, on bool) error {
	status := minio.LegalHoldDisabled
	if on {
		status = minio.LegalHoldEnabled
	}
	err := l.Client.PutObjectLegalHold(ctx, l.Bucket, o.Name, minio.PutObjectLegalHoldOptions{
		VersionID: o.Version, Status: &status})
	if err != nil {
		return fmt.Errorf("set the legal hold of %s: %w", o.Name, err)
	}
	return nil
}

// Digest returns SHA-256 of the bytes of an object, in hexadecimal.
func (l Locks) Digest(ctx context.Context, o Object) (string, error) {
	in, err := l.Client.GetObject(ctx, l.Bucket, o.Name,
		minio.GetObjectOptions{VersionID: o.Version})
	if err != nil {
		return "", fmt.Errorf("read %s: %w", o.Name, err)
	}
	sum := sha256.New()
	_, err = io.Copy(sum, in)
	if err := errors.Join(err, in.Close()); err != nil {
		return "", fmt.Errorf("read %s: %w", o.Name, err)
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// Remove removes every version of an object for ever. The first version is the last to go: while
// the server refuses to remove a later one, an archive still reads the first.
func (l Locks) Remove(ctx context.Context, name string) error {
	versions, err := l.versions(ctx, name)
	for _, version := range versions {
		if err := l.Delete(ctx, name, version); err != nil {
			return err
		}
	}
	if err == nil && len(versions) > 0 {
		versions, err = l.versions(ctx, name)
		if err == nil && len(versions) > 0 {
			err = fmt.Errorf("remove %s: it has version %s again", name, versions[0])
		}
	}
	return err
}

// versions returns the versions of an object, the first one last.
func (l Locks) versions(ctx context.Context, name string) (all []string, err error) {
	opts := minio.ListObjectsOptions{Prefix: name, Recursive: true, WithVersions: true}
	for v := range l.Client.ListObjectsIter(ctx, l.Bucket, opts) {
		if v.Err != nil {
			return nil, fmt.Errorf("list the versions of %s: %w", name, v.Err)
		}
		if v.Key == name && !v.IsDeleteMarker {
			all = append(all, v.VersionID)
		}
	}
	return all, nil
}

// refused reports whether the server refused a request for good: its version stays. After any other
// error, such as a lost answer, the version may be gone.
func refused(err error) bool {
	var answer minio.ErrorResponse
	return errors.As(err, &answer) && answer.StatusCode >= 400 && answer.StatusCode < 500 &&
		answer.StatusCode != http.StatusRequestTimeout &&
		answer.StatusCode != http.StatusTooManyRequests
}

// Delete removes one version for ever. It asks for no bypass of a lock.
func (l Locks) Delete(ctx context.Context, name, version string) error {
	err := l.Client.RemoveObject(ctx, l.Bucket, name, minio.RemoveObjectOptions{VersionID: version})
	if err != nil {
		return fmt.Errorf("remove %s: %w", name, err)
	}
	return nil
}
