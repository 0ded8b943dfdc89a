// Package s3 archives snapshots in a bucket with versioning and object lock. A snapshot is two objects:
//
//	snapshots/<name>/<SHA-256 of the state>.jsonl   the canonical state
//	snapshots/<name>/manifest.json                  what it is, and where in history it stands
//
// A snapshot is there once its manifest is. The state goes in BEFORE the manifest, so there is never a manifest without its
// state; and the manifest goes in only where there is none, so that of two writers one wins. The state's
// name is that of its content: the loser's state, or one that a crash left behind, lies beside the winner's and never over it.
//
// A manifest:
//
//	{"name":"month-end","taken":"2025-03-31T21:59:59.999999Z","cursor":[3120],
//	 "sha256":"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"}
package s3

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path"
	"regexp"
	"slices"

	"github.com/minio/minio-go/v7"

	"example.com/blotter/labs/kit/contract"
)

// Snapshots is contract.Snapshots in a bucket, which CreateBucket makes. It is safe for use by many goroutines and processes.
type Snapshots struct {
	Client *minio.Client
	Bucket string
}

var _ contract.Snapshots = (*Snapshots)(nil)

// ErrName is a name that cannot be part of an object's.
var ErrName = errors.New("a snapshot's name is letters, digits, dots, hyphens and underscores, and begins with a letter or a digit")

var names = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,199}$`)

// Put archives s. The same state under the same name again is fine, and changes nothing.
func (a *Snapshots) Put(ctx context.Context, s contract.Snapshot) error {
	if !names.MatchString(s.Name) {
		return fmt.Errorf("snapshot %q: %w", s.Name, ErrName)
	}
	if sha256.Sum256(s.State) != s.Digest {
		return fmt.Errorf("snapshot %s: its digest is not that of its state", s.Name)
	}
	if _, err := a.create(ctx, stateKey(s.Name, s.Digest), "application/jsonl", s.State); err != nil {
		return fmt.Errorf("archive the state of snapshot %s: %w", s.Name, err)
	}
	// A crash here leaves a state that no manifest names. Nobody finds it; Put again goes on from it.
	created, err := a.create(ctx, manifestKey(s.Name), "application/json", manifestOf(s).encode())
	if err != nil {
		return fmt.Errorf("archive the manifest of snapshot %s: %w", s.Name, err)
	}
	// A crash here leaves a whole snapshot, though its writer does not know: Put again finds it.
	if created {
		return nil
	}
	m, err := a.manifest(ctx, s.Name)
	if err == nil && m.Digest != digest(s.Digest) {
		err = fmt.Errorf("snapshot %s: %w", s.Name, contract.ErrSnapshotTaken)
	}
	return err
}

// Get is the snapshot as it was put, or contract.ErrSnapshotDamaged: it does not trust the bucket, but the digest.
func (a *Snapshots) Get(ctx context.Context, name string) (contract.Snapshot, error) {
	m, err := a.manifest(ctx, name)
	if err != nil {
		return contract.Snapshot{}, err
	}
	s := m.snapshot()
	s.State, err = a.read(ctx, stateKey(name, s.Digest))
	switch {
	case isMissing(err):
		return contract.Snapshot{}, fmt.Errorf("snapshot %s: %w: its state is gone", name, contract.ErrSnapshotDamaged)
	case err != nil:
		return contract.Snapshot{}, fmt.Errorf("read the state of snapshot %s: %w", name, err)
	case sha256.Sum256(s.State) != s.Digest:
		return contract.Snapshot{}, fmt.Errorf("snapshot %s: %w: SHA-256 of the state is %x, the manifest has %x",
			name, contract.ErrSnapshotDamaged, sha256.Sum256(s.State), s.Digest)
	}
	return s, nil
}

// Names are sorted by when they were taken, then by name.
func (a *Snapshots) Names(ctx context.Context) ([]string, error) {
	var found []manifest
	for o := range a.Client.ListObjectsIter(ctx, a.Bucket, minio.ListObjectsOptions{Prefix: "snapshots/", Recursive: true}) {
		if o.Err != nil {
			return nil, fmt.Errorf("list snapshots: %w", o.Err)
		}
		if path.Base(o.Key) != "manifest.json" {
			continue
		}
		m, err := a.manifest(ctx, path.Base(path.Dir(o.Key)))
		if err != nil {
			return nil, err
		}
		found = append(found, m)
	}
	slices.SortFunc(found, func(x, y manifest) int {
		return cmp.Or(x.Taken.Compare(y.Taken), cmp.Compare(x.Name, y.Name))
	})
	var sorted []string
	for _, m := range found {
		sorted = append(sorted, m.Name)
	}
	return sorted, nil
}

func stateKey(name string, sum [sha256.Size]byte) string {
	return fmt.Sprintf("snapshots/%s/%x.jsonl", name, sum)
}

func manifestKey(name string) string { return "snapshots/" + name + "/manifest.json" }

func (a *Snapshots) manifest(ctx context.Context, name string) (manifest, error) {
	if !names.MatchString(name) {
		return manifest{}, fmt.Errorf("snapshot %q: %w", name, contract.ErrNoSnapshot)
	}
	text, err := a.read(ctx, manifestKey(name))
	if isMissing(err) {
		return manifest{}, fmt.Errorf("snapshot %s: %w", name, contract.ErrNoSnapshot)
	}
	if err != nil {
		return manifest{}, fmt.Errorf("read the manifest of snapshot %s: %w", name, err)
	}
	return decodeManifest(name, text)
}

// create puts an object where there is none, and says whether it did. One PUT, for the condition does not hold for uploads
// in parts on every server.
func (a *Snapshots) create(ctx context.Context, key, mime string, content []byte) (created bool, err error) {
	options := minio.PutObjectOptions{ContentType: mime, DisableMultipart: true, SendContentMd5: true}
	options.SetMatchETagExcept("*")
	_, err = a.Client.PutObject(ctx, a.Bucket, key, bytes.NewReader(content), int64(len(content)), options)
	if minio.ToErrorResponse(err).StatusCode == http.StatusPreconditionFailed {
		return false, nil
	}
	return err == nil, err
}

func (a *Snapshots) read(ctx context.Context, key string) ([]byte, error) {
	object, err := a.Client.GetObject(ctx, a.Bucket, key, minio.GetObjectOptions{})
	if err != nil {
		return nil, err
	}
	defer object.Close()
	return io.ReadAll(object)
}

func isMissing(err error) bool { return minio.ToErrorResponse(err).Code == minio.NoSuchKey }
