// Code generated from solutions/4-replay/plain/manifest.go by make generate; DO NOT EDIT.

package replay

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"
	"time"

	"example.com/blotter/labs/kit/contract"
)

// Snapshots is contract.Snapshots in object storage. A snapshot is two objects:
//
//	snapshots/<name>/<SHA-256 of the state>.jsonl   the canonical state
//	snapshots/<name>/manifest.json                  its name, time, cursor, digest and format
//
// A snapshot exists once its manifest exists. A manifest, to which one may add its provenance:
//
//	{"name":"month-end","taken":"2025-03-31T21:59:59.999999Z","cursor":[3120],
//	 "sha256":"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
//	 "format":"blotter/state/v4","recorded_through":"2025-03-31T21:58:12.000004Z"}
//
// It is safe for use by many goroutines and processes, if Objects is.
type Snapshots struct{ Objects contract.Objects }

var _ contract.Snapshots = (*Snapshots)(nil)

// ErrName is the error for a name that no snapshot can have.
var ErrName = errors.New("a snapshot's name has at most 200 letters, digits, dots, hyphens and " +
	"underscores, and begins with a letter or a digit")

var names = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,199}$`)

// CheckName returns ErrName for a name that no snapshot can have. The error begins with the name,
// cut to 40 characters.
func CheckName(name string) error {
	if names.MatchString(name) {
		return nil
	}
	return fmt.Errorf("snapshot %.40q: %w", name, ErrName)
}

// List returns the snapshots without their states, sorted by their times, then by name. It reads
// the manifests. A snapshot whose manifest is damaged comes first, with its name alone: Get names
// the damage, and it must not hide the others. Other objects do not hide a snapshot, either.
func (a *Snapshots) List(ctx context.Context) (all []contract.Snapshot, err error) {
	keys, err := a.Objects.List(ctx, "snapshots/")
	if err != nil {
		return nil, fmt.Errorf("list snapshots: %w", err)
	}
	for _, key := range keys {
		name := path.Base(path.Dir(key))
		if key != manifestKey(name) || CheckName(name) != nil {
			continue
		}
		m, err := a.manifest(ctx, name)
		if errors.Is(err, contract.ErrSnapshotDamaged) {
			m, err = manifest{Name: name}, nil
		}
		if err != nil {
			return nil, err
		}
		all = append(all, m.snapshot())
	}
	slices.SortFunc(all, func(x, y contract.Snapshot) int {
		return cmp.Or(x.Taken.Compare(y.Taken), cmp.Compare(x.Name, y.Name))
	})
	return all, nil
}

func stateKey(name string, sum [sha256.Size]byte) string {
	return fmt.Sprintf("snapshots/%s/%x.jsonl", name, sum)
}

func manifestKey(name string) string { return "snapshots/" + name + "/manifest.json" }

// manifest reads the manifest of a snapshot. Without one there is no such snapshot.
func (a *Snapshots) manifest(ctx context.Context, name string) (manifest, error) {
	if !names.MatchString(name) {
		return manifest{}, fmt.Errorf("snapshot %.40q: %w", name, contract.ErrNoSnapshot)
	}
	text, err := a.Objects.Get(ctx, manifestKey(name))
	if errors.Is(err, contract.ErrNoObject) {
		return manifest{}, fmt.Errorf("snapshot %s: %w", name, contract.ErrNoSnapshot)
	}
	if err != nil {
		return manifest{}, fmt.Errorf("read the manifest of snapshot %s: %w", name, err)
	}
	return decodeManifest(name, text)
}

// A manifest is a snapshot without its state.
type manifest struct {
	Name   string           `json:"name"`
	Taken  time.Time        `json:"taken"`
	Cursor contract.Cursor  `json:"cursor"`
	Digest contract.HexHash `json:"sha256"`
	Format string           `json:"format"` // of the state

	RecordedThrough time.Time            `json:"recorded_through"`
	Provenance      *contract.Provenance `json:"provenance,omitempty"`
}

func manifestOf(s contract.Snapshot) manifest {
	return manifest{
		s.Name, s.Taken.UTC(), s.Cursor, s.Digest, s.Format, s.RecordedThrough.UTC(),
		s.Provenance,
	}
}

func (m manifest) snapshot() contract.Snapshot {
	return contract.Snapshot{
		Name: m.Name, Taken: m.Taken, Cursor: m.Cursor, Digest: m.Digest, Format: m.Format,
		RecordedThrough: m.RecordedThrough, Provenance: m.Provenance,
	}
}

func (m manifest) encode() []byte {
	text, err := json.Marshal(m)
	if err != nil {
		panic(fmt.Sprintf("replay: encode a manifest: %v", err)) // a year past 9999
	}
	return append(text, '\n')
}

// decodeManifest reads the output of encode for a name, and refuses everything else.
func decodeManifest(name string, text []byte) (manifest, error) {
	var m manifest
	if err := json.Unmarshal(text, &m); err != nil {
		return m, fmt.Errorf("snapshot %s: %w: the manifest: %v",
			name, contract.ErrSnapshotDamaged, err)
	}
	if m.Name != name {
		return m, fmt.Errorf("snapshot %s: %w: the manifest is that of %q",
			name, contract.ErrSnapshotDamaged, m.Name)
	}
	if !bytes.Equal(text, m.encode()) {
		return m, fmt.Errorf("snapshot %s: %w: the manifest has other fields or another layout",
			name, contract.ErrSnapshotDamaged)
	}
	return m, nil
}

// Manifest returns a snapshot without its state, as text on one line.
func Manifest(s contract.Snapshot) []byte { return manifestOf(s).encode() }

// ParseManifest reads the output of Manifest for a snapshot of any name.
func ParseManifest(text []byte) (contract.Snapshot, error) {
	var m manifest
	if err := json.Unmarshal(text, &m); err != nil {
		return contract.Snapshot{}, fmt.Errorf("the manifest: %w", err)
	}
	m, err := decodeManifest(m.Name, text)
	return m.snapshot(), err
}
