// Package memory is an archive of snapshots in memory. It ends with its process.
package memory

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"sync"

	"example.com/blotter/labs/kit/contract"
)

// Snapshots is contract.Snapshots in memory. It is safe for use by many goroutines.
type Snapshots struct {
	mu   sync.Mutex
	kept map[string]contract.Snapshot
}

var _ contract.Snapshots = (*Snapshots)(nil)

// New returns an empty archive.
func New() *Snapshots { return &Snapshots{kept: map[string]contract.Snapshot{}} }

// Put keeps a copy of s. Putting the same state under the same name again succeeds.
func (a *Snapshots) Put(_ context.Context, s contract.Snapshot) error {
	if sha256.Sum256(s.State) != s.Digest {
		return fmt.Errorf("snapshot %s: the digest does not match the state", s.Name)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if was, ok := a.kept[s.Name]; ok {
		if was.Digest != s.Digest {
			return fmt.Errorf("snapshot %s: %w", s.Name, contract.ErrSnapshotTaken)
		}
		return nil
	}
	a.kept[s.Name] = clone(s)
	return nil
}

// Get returns a copy of the snapshot.
func (a *Snapshots) Get(_ context.Context, name string) (contract.Snapshot, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	s, ok := a.kept[name]
	switch {
	case !ok:
		return contract.Snapshot{}, fmt.Errorf("snapshot %s: %w", name, contract.ErrNoSnapshot)
	case sha256.Sum256(s.State) != s.Digest:
		return contract.Snapshot{}, fmt.Errorf("snapshot %s: %w", name, contract.ErrSnapshotDamaged)
	}
	return clone(s), nil
}

// List returns the snapshots without their states, sorted by their times, then by name.
func (a *Snapshots) List(context.Context) (all []contract.Snapshot, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, s := range a.kept {
		s.Cursor, s.State = slices.Clone(s.Cursor), nil
		all = append(all, s)
	}
	slices.SortFunc(all, func(x, y contract.Snapshot) int {
		return cmp.Or(x.Taken.Compare(y.Taken), cmp.Compare(x.Name, y.Name))
	})
	return all, nil
}

func clone(s contract.Snapshot) contract.Snapshot {
	s.Cursor, s.State = slices.Clone(s.Cursor), bytes.Clone(s.State)
	return s
}
