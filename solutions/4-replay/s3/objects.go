package s3

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"io"
	"net/http"
	"slices"

	"github.com/minio/minio-go/v7"
)

// errAbsent is an object that has no version.
var errAbsent = errors.New("no such object")

// create puts an object where there is none; where there is one it changes nothing. One PUT, for the condition does not hold for
// uploads in parts on every server. Where a delete marker hides an object the server takes another, which then is not the first.
func (a *Snapshots) create(ctx context.Context, key, mime string, content []byte) error {
	options := minio.PutObjectOptions{
		ContentType: mime, DisableMultipart: true,
		SendContentMd5: true, // object lock asks for it (S3 API, PutObject, Content-MD5)
		// The client signs content in chunks, and of no content too it sends a last, empty one after a length of 0: the server takes that for
		// the next request, which is none. The state of a log without events is such content.
		DisableContentSha256: len(content) == 0,
		// The retention goes with each object: not every server stamps a bucket's default on what is put.
		Mode: cmp.Or(a.Mode, minio.Compliance), RetainUntilDate: a.Clock().Add(a.Retention),
	}
	options.SetMatchETagExcept("*") // If-None-Match: * (RFC 9110, section 13.1.2)
	_, err := a.Client.PutObject(ctx, a.Bucket, key, bytes.NewReader(content), int64(len(content)), options)
	if minio.ToErrorResponse(err).StatusCode == http.StatusPreconditionFailed {
		return nil
	}
	return err
}

// read is the first version of an object, or errAbsent.
func (a *Snapshots) read(ctx context.Context, key string) ([]byte, error) {
	first := ""
	err := a.versions(ctx, key, func(v minio.ObjectInfo) {
		if v.Key == key {
			first = v.VersionID // newest first, so the last is the oldest
		}
	})
	if err != nil {
		return nil, err
	}
	if first == "" {
		return nil, errAbsent
	}
	object, err := a.Client.GetObject(ctx, a.Bucket, key, minio.GetObjectOptions{VersionID: first})
	if err != nil {
		return nil, err
	}
	defer object.Close()
	return io.ReadAll(object)
}

// keys are those of all objects that begin with prefix, hidden ones too.
func (a *Snapshots) keys(ctx context.Context, prefix string) ([]string, error) {
	var keys []string
	err := a.versions(ctx, prefix, func(v minio.ObjectInfo) { keys = append(keys, v.Key) })
	slices.Sort(keys)
	return slices.Compact(keys), err
}

// versions calls f with every version of the objects whose keys begin with prefix, but not with the delete markers that hide
// them. Versions of one object come newest first (S3 API, ListObjectVersions).
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
