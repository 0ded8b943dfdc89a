// Package s3 archives snapshots in a bucket with versioning and object lock. A snapshot is two objects:
//
//	snapshots/<name>/<SHA-256 of the state>.jsonl   the canonical state
//	snapshots/<name>/manifest.json                  what it is, and where in history it stands
//
// A snapshot is there once its manifest is. The state goes in BEFORE the manifest, so there is never a manifest without its
// state; and the manifest goes in only where there is none, so that of two writers one wins. The state's
// name is that of its content: the loser's state, or one that a crash left behind, lies beside the winner's and never over it.
//
// Each object is locked for Retention from the moment it is put, and the first version of an object is the object. So within that time
// nobody can take a snapshot away or have it stand elsewhere in history: a delete marker hides the first version and a
// later version covers it, and this archive looks under both. Once it is over, who may delete versions can. The digest tells that a
// state was changed; of a changed cursor nothing does.
//
// A manifest:
//
//	{"name":"month-end","taken":"2025-03-31T21:59:59.999999Z","cursor":[3120],
//	 "sha256":"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"}
package s3

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"
	"time"

	"github.com/minio/minio-go/v7"

	"example.com/blotter/labs/kit/contract"
)

// Snapshots is contract.Snapshots in a bucket, which CreateBucket makes. It is safe for use by many goroutines and processes.
type Snapshots struct {
	Client    *minio.Client
	Bucket    string
	Mode      minio.RetentionMode // Compliance: nobody can shorten it. Governance: who has the right to bypass can. Empty is Compliance
	Retention time.Duration       // from Clock's time on; more than 0
	Clock     func() time.Time
}

var _ contract.Snapshots = (*Snapshots)(nil)

// ErrName is a name that cannot be part of an object's.
var ErrName = errors.New("a snapshot's name is at most 200 letters, digits, dots, hyphens and underscores, and begins with a letter or a digit")

var names = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,199}$`)

// CheckName is ErrName for what no snapshot can be called. It begins with the name, or what of it fits on a line.
func CheckName(name string) error {
	if names.MatchString(name) {
		return nil
	}
	return fmt.Errorf("snapshot %.40q: %w", name, ErrName)
}

// Put archives s. The same state under the same name again is fine, and changes nothing.
func (a *Snapshots) Put(ctx context.Context, s contract.Snapshot) error {
	if err := CheckName(s.Name); err != nil {
		return err
	}
	if sha256.Sum256(s.State) != s.Digest {
		return fmt.Errorf("snapshot %s: its digest is not that of its state", s.Name)
	}
	if err := a.create(ctx, stateKey(s.Name, s.Digest), "application/jsonl", s.State); err != nil {
		return fmt.Errorf("archive the state of snapshot %s: %w", s.Name, err)
	}
	// A crash here leaves a state that no manifest names. Nobody finds it; Put again goes on from it.
	if err := a.create(ctx, manifestKey(s.Name), "application/json", manifestOf(s).encode()); err != nil {
		return fmt.Errorf("archive the manifest of snapshot %s: %w", s.Name, err)
	}
	// A crash here leaves a whole snapshot, though its writer does not know: Put again finds it.
	archived, err := a.Get(ctx, s.Name) // another's, if that was first
	if err == nil && archived.Digest != s.Digest {
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
	case errors.Is(err, errAbsent):
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
	keys, err := a.keys(ctx, "snapshots/")
	if err != nil {
		return nil, fmt.Errorf("list snapshots: %w", err)
	}
	for _, key := range keys {
		if path.Base(key) != "manifest.json" {
			continue
		}
		m, err := a.manifest(ctx, path.Base(path.Dir(key)))
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
		return manifest{}, fmt.Errorf("snapshot %.40q: %w", name, contract.ErrNoSnapshot)
	}
	text, err := a.read(ctx, manifestKey(name))
	if errors.Is(err, errAbsent) {
		return manifest{}, fmt.Errorf("snapshot %s: %w", name, contract.ErrNoSnapshot)
	}
	if err != nil {
		return manifest{}, fmt.Errorf("read the manifest of snapshot %s: %w", name, err)
	}
	return decodeManifest(name, text)
}
